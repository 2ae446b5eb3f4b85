"""Which legs each call has, and what they take up: places on trunks, columns in ladders.

Rule 1: a leg is one call's at a time; a leg that another call borrows stays its own call's until it is seated there.
Rule 2: a leg gives its place on its trunk back when it is over, when another one is seated in its place, or with its call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from b2bua.call.call import Call
from b2bua.call.leg import LegId
from b2bua.call.limits import Limiter
from b2bua.ladder.book import Ladders
from media.events import Side


@dataclass(slots=True, eq=False)
class Line:
    """One call with its legs."""

    call: Call
    legs: dict[Side, LegId] = field(default_factory=dict)
    joining: LegId | None = None  # the leg that is to take the place of one of `legs`
    lender: Line | None = None  # the call whose leg is to take it, where it is another call's
    borrower: Line | None = None  # the call that one of `legs` is lent to
    timer: asyncio.TimerHandle | None = None
    due: float | None = None  # what `timer` is set to

    def all_legs(self) -> list[LegId]:
        return [*self.legs.values(), *([self.joining] if self.joining is not None else [])]


class Lines:
    """All of them."""

    def __init__(self, limiter: Limiter, ladders: Ladders) -> None:
        self._limiter, self._ladders = limiter, ladders
        self._lines: dict[str, Line] = {}
        self._of_leg: dict[LegId, tuple[Line, Side | None]] = {}  # None: the leg that is joining

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def legs(self) -> int:
        """How many there are; for tests of what is left behind."""
        return len(self._of_leg)

    def all(self) -> tuple[Line, ...]:
        return tuple(self._lines.values())

    def get(self, call_id: str) -> Line | None:
        return self._lines.get(call_id)

    def of(self, leg: LegId) -> tuple[Line, Side | None] | None:
        """Whose leg that is."""
        return self._of_leg.get(leg)

    def began(self, line: Line) -> None:
        self._lines[line.call.id] = line
        for side, leg in line.legs.items():
            self._of_leg[leg] = (line, side)

    def place(self, line: Line, side: Side | None, leg: LegId) -> None:
        """A new leg, on that side; on none it is to take the place of another."""
        if side is None:
            self.unjoin(line)
            line.joining = leg
        else:
            if side in line.legs:
                self._of_leg.pop(line.legs[side], None)  # its trunk failed; another one is tried
            line.legs[side] = leg
        self._of_leg[leg] = (line, side)

    def unjoin(self, line: Line) -> None:
        """The joining leg, if any, is of a transfer that is over."""
        if line.joining is not None:
            self._of_leg.pop(line.joining, None)
            self._limiter.release(line.joining)
            line.joining = None

    def borrow(self, line: Line, lender: Line) -> None:
        line.lender, lender.borrower = lender, line

    def give_back(self, line: Line) -> Line | None:
        """The call whose leg `line` has borrowed no longer."""
        lender, line.lender = line.lender, None
        if lender is not None:
            lender.borrower = None
        return lender

    def seat(self, line: Line, side: Side) -> Line | None:
        """The joining leg takes the place; of the old one nothing more is heard. The call that had lent it, if any."""
        self._of_leg.pop(line.legs[side], None)
        self._limiter.release(line.legs[side])
        lender = self.give_back(line)
        if lender is None:
            assert line.joining is not None
            leg, line.joining = line.joining, None
        else:
            leg = lender.legs.pop(lender.call.loan.side)
            self._ladders.moved(leg, lender.call.id, line.call.id, side)
        line.legs[side] = leg
        self._of_leg[leg] = (line, side)
        self._ladders.transferred(line.call.id)
        return lender

    def forget(self, line: Line) -> None:
        if line.timer is not None:
            line.timer.cancel()
        self._lines.pop(line.call.id, None)
        self._ladders.ended(line.call.id)
        for leg in line.all_legs():
            self._of_leg.pop(leg, None)
            self._limiter.release(leg)
