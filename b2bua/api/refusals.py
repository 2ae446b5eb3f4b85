"""Delays the answers to wrong tokens, longer with each from one address. Sans-IO.

Rule 1: a right token is never refused or delayed, whatever others at its address do: agents share
        one behind a proxy.
Rule 2: the memory is bounded: the address that was refused longest ago is forgotten first.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.access.tries import network_of

_FREE = 3  # wrong tokens that are answered at once
_MIN_DELAY, _MAX_DELAY = 0.25, 8.0  # seconds
_FORGIVEN = 60.0  # seconds without a wrong token after which an address begins anew
_MAX_WAITING = 8  # answers of one address that may wait at a time
_MAX_ADDRESSES = 1024


@dataclass(slots=True)
class _Refused:
    count: int = 0
    at: float = 0.0
    waiting: int = 0
    logged: int = 0  # of `count`


class Refusals:
    """Wrong tokens by address; of IPv6, by network of 64 bits."""

    def __init__(self) -> None:
        self._of: dict[str, _Refused] = {}

    def delay(self, address: str, now: float) -> float | None:
        """Count a wrong token. Seconds until it is answered; None where it is refused at once
        (429)."""
        key = network_of(address)
        refused = self._of.pop(key, None)
        if refused is None or (not refused.waiting and now - refused.at > _FORGIVEN):
            refused = _Refused()
        self._of[key] = refused  # the newest, now
        while len(self._of) > _MAX_ADDRESSES:
            del self._of[next(iter(self._of))]
        refused.count += 1
        refused.at = now
        if refused.count <= _FREE:
            return 0.0
        if refused.waiting >= _MAX_WAITING:
            return None
        refused.waiting += 1
        doubled = min(refused.count - _FREE - 1, 16)
        return min(_MIN_DELAY * (1 << doubled), _MAX_DELAY)

    def end_delay(self, address: str) -> None:
        """A delayed answer was sent, or its connection is gone."""
        refused = self._of.get(network_of(address))
        if refused is not None and refused.waiting:
            refused.waiting -= 1

    def count_to_log(self, address: str) -> int | None:
        """The wrong tokens of this address, where a line of the log is due: for the first ones,
        then for each doubling."""
        refused = self._of.get(network_of(address))
        if refused is None or (refused.count < max(_FREE, refused.logged) * 2 and refused.count > _FREE):
            return None
        refused.logged = refused.count
        return refused.count

    def __len__(self) -> int:
        return len(self._of)
