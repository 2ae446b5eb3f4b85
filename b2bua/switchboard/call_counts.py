"""Counts calls minute by minute, for a day: how many ended, how many there were at once, and how
they went by trunk.

Rule 1: memory is bounded: DAY minutes, and in each no more than the trunks of sip.conf.
Rule 2: there is nothing of a person in it: no number and no name.
Rule 3: a call counts in the minute in which it ended.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from b2bua.call.cdr import CallRecord, LegRecord

DAY: Final = 1440  # minutes
MINUTE: Final = 60  # seconds
_FAULTS: Final = (408, 500)  # a leg that ended with the first, or the second and above, did not get through


@dataclass(slots=True)
class TrunkCounts:
    """Legs of one trunk that ended. `faults`: those that a time-out or an answer of 5xx or 6xx
    ended; `expected`, `missing`: packets, as `LegCounters` has them; `scores`, `scored`: the sum of
    the estimated scores, and of how many legs; `worst`: the lowest of them."""

    legs: int = 0
    answered: int = 0
    faults: int = 0
    expected: int = 0
    missing: int = 0
    scores: float = 0.0
    scored: int = 0
    worst: float | None = None

    def take(self, leg: LegRecord) -> None:
        """Count a leg that ended."""
        self.legs += 1
        self.answered += leg.answered_at is not None
        code = leg.code or 0
        self.faults += code == _FAULTS[0] or code >= _FAULTS[1]
        if leg.counters is not None:
            self.expected += leg.counters.expected
            self.missing += min(leg.counters.missing, leg.counters.expected)
        if leg.mos is not None:
            self._score(leg.mos, 1, leg.mos)

    def add(self, other: TrunkCounts) -> None:
        """Add those of another minute."""
        self.legs += other.legs
        self.answered += other.answered
        self.faults += other.faults
        self.expected += other.expected
        self.missing += other.missing
        if other.worst is not None:
            self._score(other.scores, other.scored, other.worst)

    def _score(self, total: float, count: int, worst: float) -> None:
        self.scores += total
        self.scored += count
        self.worst = worst if self.worst is None else min(self.worst, worst)

    @property
    def loss(self) -> float | None:
        """The share of packets that did not come; None where none was expected."""
        return round(self.missing / self.expected, 5) if self.expected else None

    @property
    def mos(self) -> float | None:
        """The mean of the estimated scores."""
        return round(self.scores / self.scored, 2) if self.scored else None


@dataclass(slots=True)
class CallMinute:
    """One minute, or several. `most`: calls at once; `leaks`: keys that got through a mask and were
    stopped by the canary."""

    ended: int = 0
    answered: int = 0
    talk: float = 0.0  # seconds
    most: int = 0
    leaks: int = 0
    trunks: dict[str, TrunkCounts] = field(default_factory=dict)

    def add(self, other: CallMinute) -> None:
        """Add another minute."""
        self.ended += other.ended
        self.answered += other.answered
        self.talk += other.talk
        self.most = max(self.most, other.most)
        self.leaks += other.leaks
        for name, counts in other.trunks.items():
            self.trunks.setdefault(name, TrunkCounts()).add(counts)


class CallCounts:
    """The minutes of the last day. `trunks`: the names that are counted; `now`: seconds since the
    epoch, from when on is counted."""

    def __init__(self, trunks: Collection[str] = (), now: float = 0.0) -> None:
        self.since = now
        self._trunks = frozenset(trunks)
        self._minutes: dict[int, CallMinute] = {}  # by the number of the minute since the epoch
        self._newest = int(now // MINUTE)
        self._leaks = 0  # as media had them last

    def observe(self, record: CallRecord) -> None:
        """Count a call that has ended; one that ended more than a day before the newest is left
        out."""
        number = int(record.ended_at // MINUTE)
        if number <= self._newest - DAY:
            return
        minute = self._at(number)
        minute.ended += 1
        if record.answered_at is not None:
            minute.answered += 1
            minute.talk += max(record.ended_at - record.answered_at, 0.0)
        for leg in (record.caller_leg, record.agent_leg):
            if leg.trunk in self._trunks:
                minute.trunks.setdefault(leg.trunk, TrunkCounts()).take(leg)

    def sample(self, calls: int, leaks: int | None, now: float) -> None:
        """Note how many calls there are. `leaks`: since media started; None: media is away."""
        minute = self._at(int(now // MINUTE))
        minute.most = max(minute.most, calls)
        if leaks is not None:
            # Fewer than before: another media process counts.
            minute.leaks += leaks - self._leaks if leaks >= self._leaks else leaks
            self._leaks = leaks

    def steps(self, first: int, count: int, width: int) -> list[CallMinute]:
        """`count` steps of `width` minutes each, from the minute `first` on."""
        found = []
        for start in range(first, first + count * width, width):
            whole = CallMinute()
            for number in range(start, start + width):
                if (minute := self._minutes.get(number)) is not None:
                    whole.add(minute)
            found.append(whole)
        return found

    def __len__(self) -> int:
        """How many minutes there are."""
        return len(self._minutes)

    def _at(self, number: int) -> CallMinute:
        if number > self._newest:
            self._newest = number
            for old in [each for each in self._minutes if each <= number - DAY]:
                del self._minutes[old]
        return self._minutes.setdefault(number, CallMinute())
