"""What a trunk may carry: calls at once and new calls a second.

Rule 1: a leg takes its place before anything is sent for it, and gives it back when it is over;
        twice is as good as once.
Rule 2: a refusal says when to come back (Retry-After).
Rule 3: where several Tonewalls share a trunk, the calls of all count, and each has its part of the
        rate. Two calls that come to two of them at the same moment may both have the last place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from b2bua.call.leg import LegId

_LATER = 5  # seconds until a full trunk may have room: nobody knows when a call ends


@dataclass(slots=True)
class Bucket:
    """At most `rate` a second, with one second's worth at once; `left` is what may come at `at`, in
    seconds."""

    rate: float
    left: float = -1.0
    at: float = 0.0

    def take(self, now: float, many: float = 1.0) -> bool:
        """Whether one more may come now, or so many at once."""
        most = max(1.0, self.rate)
        self.left = most if self.left < 0 else min(most, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < many:
            return False
        self.left -= many
        return True

    def wait(self) -> float:
        """Seconds until the next may come."""
        return (1 - self.left) / self.rate


@dataclass(frozen=True, slots=True)
class Limit:
    """Of one trunk; 0: none."""

    max_calls: int = 0
    max_rate: float = 0.0


class Elsewhere(Protocol):
    """The other Tonewalls on the same trunks."""

    def calls(self, trunk: str) -> int:
        """The legs that they have on it."""
        ...

    def instances(self) -> int:
        """How many there are, with this one."""
        ...

    def changed(self) -> None:
        """This one's legs are others now."""
        ...


class Alone:
    """There are no others."""

    def calls(self, trunk: str) -> int:
        return 0

    def instances(self) -> int:
        return 1

    def changed(self) -> None:
        return


_NONE = Limit()  # of a trunk that is gone


class Limiter:
    """All trunks' limits, and which legs are on which trunk."""

    def __init__(self, limits: Mapping[str, Limit], elsewhere: Elsewhere | None = None) -> None:
        self._limits, self._elsewhere = dict(limits), elsewhere or Alone()
        self._buckets = {name: Bucket(limit.max_rate) for name, limit in limits.items() if limit.max_rate}
        self._legs: dict[str, set[LegId]] = {name: set() for name in limits}
        self._trunk_of: dict[LegId, str] = {}
        self.refused: dict[str, int] = dict.fromkeys(limits, 0)

    def take(self, trunk: str, leg: LegId, now: float) -> int:
        """0: the leg has its place. Else the seconds after which the trunk may have room."""
        limit, legs = self._limits.get(trunk, _NONE), self._legs.setdefault(trunk, set())
        if limit.max_calls and len(legs) + self._elsewhere.calls(trunk) >= limit.max_calls:
            self.refused[trunk] += 1
            return _LATER
        bucket = self._buckets.get(trunk)
        if bucket is not None:
            bucket.rate = limit.max_rate / self._elsewhere.instances()
            if not bucket.take(now):
                self.refused[trunk] += 1
                return max(1, math.ceil(bucket.wait()))
        legs.add(leg)
        self._trunk_of[leg] = trunk
        self._elsewhere.changed()
        return 0

    def change(self, limits: Mapping[str, Limit]) -> None:
        """Other limits from now on. Legs keep their places, those above a limit too; those of a
        trunk that is gone until they are over."""
        rates = {name: limit.max_rate for name, limit in limits.items() if limit.max_rate}
        self._buckets = {
            name: kept
            if (kept := self._buckets.get(name)) and self._limits[name].max_rate == rate
            else Bucket(rate)
            for name, rate in rates.items()
        }
        self._limits |= limits  # a call that is set up may still go to a trunk that is gone
        for name in limits:
            self._legs.setdefault(name, set())
            self.refused.setdefault(name, 0)

    def release(self, leg: LegId) -> None:
        """The leg is over."""
        trunk = self._trunk_of.pop(leg, None)
        if trunk is not None:
            self._legs[trunk].discard(leg)
            self._elsewhere.changed()

    @property
    def taken(self) -> int:
        """How many legs have places."""
        return len(self._trunk_of)

    def places(self, legs: Iterable[LegId]) -> dict[LegId, str]:
        """The trunks of these legs, as far as they have places."""
        return {leg: self._trunk_of[leg] for leg in legs if leg in self._trunk_of}

    def restore(self, places: Mapping[LegId, str]) -> None:
        """Legs that have their places already, whatever the limits are now; those of trunks that
        are gone need none."""
        for leg, trunk in places.items():
            if trunk in self._legs:
                self._legs[trunk].add(leg)
                self._trunk_of[leg] = trunk
        self._elsewhere.changed()

    def calls(self, trunk: str) -> int:
        """The legs on a trunk now."""
        return len(self._legs[trunk])

    def calls_elsewhere(self, trunk: str) -> int:
        """The legs that other instances have on a trunk now."""
        return self._elsewhere.calls(trunk)

    def all_calls(self) -> dict[str, int]:
        """The legs on each trunk now, as far as it has any."""
        return {trunk: len(legs) for trunk, legs in self._legs.items() if legs}
