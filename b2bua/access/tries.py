"""Counts wrong tries to sign in, and says how long the next one has to wait. Sans-IO.

Rule 1: a try counts as wrong from its beginning: many at once are no way around the count.
Rule 2: the memory is bounded: who tried longest ago is forgotten first.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TryPolicy:
    """`free`: wrong tries without a wait; then it doubles from one second to `longest`; `locked`:
    seconds that the `lock_at`th wrong one locks; `forgiven`: seconds without one after which the
    count begins anew; `most`: keys that are remembered."""

    free: int
    longest: float
    lock_at: int
    locked: float
    forgiven: float
    most: int


# PCI DSS 8.3.4: ten tries at most, then 30 minutes.
OF_NAMES = TryPolicy(free=3, longest=60.0, lock_at=10, locked=1800.0, forgiven=1800.0, most=100_000)
# People share an address behind a proxy.
OF_SOURCES = TryPolicy(free=20, longest=60.0, lock_at=100, locked=300.0, forgiven=900.0, most=10_000)


@dataclass(slots=True)
class _Wrong:
    count: int
    at: float


class Tries:
    """Wrong tries by a key: a name, or a network."""

    def __init__(self, policy: TryPolicy) -> None:
        self._policy = policy
        self._of: dict[str, _Wrong] = {}

    def wait(self, key: str, now: float) -> float:
        """Seconds until this one may try again; 0: now."""
        wrong = self._of.get(key)
        if wrong is None or self._is_forgiven(wrong, now):
            return 0.0
        return max(0.0, wrong.at + self._pause(wrong.count) - now)

    def begin(self, key: str, now: float) -> int:
        """Count a try; how many are wrong with it, should it be."""
        wrong = self._of.pop(key, None)
        if wrong is None or self._is_forgiven(wrong, now):
            wrong = _Wrong(0, now)
        wrong.count += 1
        wrong.at = now
        self._of[key] = wrong
        while len(self._of) > self._policy.most:
            del self._of[next(iter(self._of))]
        return wrong.count

    def take_back(self, key: str) -> None:
        """One that was begun was not wrong."""
        wrong = self._of.get(key)
        if wrong is not None:
            wrong.count -= 1
            if wrong.count <= 0:
                del self._of[key]

    def forgive(self, key: str) -> None:
        """Begin anew: it was the right one."""
        self._of.pop(key, None)

    def __len__(self) -> int:
        return len(self._of)

    def _pause(self, count: int) -> float:
        policy = self._policy
        if count < policy.free:
            return 0.0
        if count >= policy.lock_at:
            return policy.locked
        return min(float(1 << min(count - policy.free, 30)), policy.longest)

    def _is_forgiven(self, wrong: _Wrong, now: float) -> bool:
        return now - wrong.at >= self._policy.forgiven


def network_of(address: str) -> str:
    """What counts as one source: an address; of IPv6, its network of 64 bits; "" for what is no
    address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
