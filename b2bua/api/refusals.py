"""Wrong tokens: how long the next answer waits, and when there are too many at once. Sans-IO.

Rule 1: a right token is never refused or delayed, whatever others at its address do: agents share
        one behind a proxy.
Rule 2: the memory is bounded: the address that was refused longest ago is forgotten first.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

_FREE = 3  # wrong tokens that are answered at once
_FIRST, _LONGEST = 0.25, 8.0  # seconds
_FORGIVEN = 60.0  # seconds without a wrong token after which an address begins anew
_WAITING = 8  # answers of one address that may wait at a time
_ADDRESSES = 1024


@dataclass(slots=True)
class _Refused:
    count: int = 0
    at: float = 0.0
    waiting: int = 0
    told: int = 0  # of them were logged


class Refusals:
    """Per address; of IPv6, per network of 64 bits."""

    def __init__(self) -> None:
        self._of: dict[str, _Refused] = {}

    def refuse(self, address: str, now: float) -> float | None:
        """One more wrong token: seconds until it is answered; None where it is to be turned away at
        once (429)."""
        key = _network(address)
        refused = self._of.pop(key, None)
        if refused is None or (not refused.waiting and now - refused.at > _FORGIVEN):
            refused = _Refused()
        self._of[key] = refused  # the newest, now
        while len(self._of) > _ADDRESSES:
            del self._of[next(iter(self._of))]
        refused.count += 1
        refused.at = now
        if refused.count <= _FREE:
            return 0.0
        if refused.waiting >= _WAITING:
            return None
        refused.waiting += 1
        doubled = min(refused.count - _FREE - 1, 16)
        return min(_FIRST * (1 << doubled), _LONGEST)

    def answered(self, address: str) -> None:
        """An answer that waited was given, or its connection is gone."""
        refused = self._of.get(_network(address))
        if refused is not None and refused.waiting:
            refused.waiting -= 1

    def to_be_told(self, address: str) -> int | None:
        """How many came from there, where that is worth a line in the log: the first ones, then
        each doubling."""
        refused = self._of.get(_network(address))
        if refused is None or (refused.count < max(_FREE, refused.told) * 2 and refused.count > _FREE):
            return None
        refused.told = refused.count
        return refused.count

    def __len__(self) -> int:
        return len(self._of)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
