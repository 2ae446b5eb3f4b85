"""Which legs each call has, and what they take up: places on trunks, columns in ladders.

Rule 1: a leg is one call's at a time; a leg that another call borrows stays its own call's until it
        is seated there.
Rule 2: a leg gives its place on its trunk back when it is over, when another one is seated in its
        place, or with its call.
"""

from __future__ import annotations

import asyncio

from b2bua.call.attended_join import JoinCandidate
from b2bua.call.leg import LegId
from b2bua.call.routing.limits import Limiter
from b2bua.ladder.ladders import Ladders
from b2bua.switchboard.entry import Entry
from media.events import Side


class Registry:
    """All calls of the switchboard."""

    def __init__(self, limiter: Limiter, ladders: Ladders) -> None:
        self._limiter, self._ladders = limiter, ladders
        self._lines: dict[str, Entry] = {}
        self._of_leg: dict[LegId, tuple[Entry, Side | None]] = {}  # None: the leg that is joining
        self.idle = asyncio.Event()  # set when the last call was forgotten

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def legs(self) -> int:
        """How many there are; for tests of what is left behind."""
        return len(self._of_leg)

    def all(self) -> tuple[Entry, ...]:
        return tuple(self._lines.values())

    def get(self, call_id: str) -> Entry | None:
        return self._lines.get(call_id)

    def of(self, leg: LegId) -> tuple[Entry, Side | None] | None:
        """Whose leg that is."""
        return self._of_leg.get(leg)

    def began(self, line: Entry) -> None:
        self._lines[line.call.id] = line
        self.idle.clear()
        for side, leg in line.legs.items():
            self._of_leg[leg] = (line, side)
        if line.joining is not None:
            self._of_leg[line.joining] = (line, None)

    def place(self, line: Entry, side: Side | None, leg: LegId) -> None:
        """A new leg, on that side; on none it is to take the place of another."""
        if side is None:
            self.unjoin(line)
            line.joining = leg
        else:
            if side in line.legs:
                self._of_leg.pop(line.legs[side], None)  # its trunk failed; another one is tried
            line.legs[side] = leg
        self._of_leg[leg] = (line, side)

    def unjoin(self, line: Entry) -> None:
        """The joining leg, if any, is of a transfer that is over."""
        if line.joining is not None:
            self._of_leg.pop(line.joining, None)
            self._limiter.release(line.joining)
            line.joining = None

    def half(self, leg: LegId) -> JoinCandidate | None:
        """That leg's call, as a transfer sees it; None for a leg that is none of a call's, or not
        in its place yet."""
        line, side = self._of_leg.get(leg, (None, None))
        return None if line is None or side is None else JoinCandidate(line.call, side)

    def borrow(self, asked: Entry, named: LegId, *, lender_asked: bool) -> tuple[Entry, Entry]:
        """A transfer joins the call of its REFER with that of the leg which it names: who goes on,
        and who lends."""
        other, _ = self._of_leg[named]
        line, lender = (other, asked) if lender_asked else (asked, other)
        line.lender, lender.borrower = lender, line
        return line, lender

    def give_back(self, line: Entry) -> Entry | None:
        """The call whose leg `line` has borrowed no longer."""
        lender, line.lender = line.lender, None
        if lender is not None:
            lender.borrower = None
        return lender

    def seat(self, line: Entry, side: Side) -> Entry | None:
        """The joining leg takes the place; of the old one nothing more is heard. The call that had
        lent it, if any."""
        self._of_leg.pop(line.legs[side], None)
        self._limiter.release(line.legs[side])
        lender = self.give_back(line)
        if lender is None:
            assert line.joining is not None
            leg, line.joining = line.joining, None
        else:
            leg = lender.legs.pop(lender.call.loan.side)
            self._ladders.move_leg(leg, lender.call.id, line.call.id, side)
        line.legs[side] = leg
        self._of_leg[leg] = (line, side)
        self._ladders.note_transfer(line.call.id)
        return lender

    def forget(self, line: Entry) -> None:
        line.stop()
        self._lines.pop(line.call.id, None)
        self._ladders.end_call(line.call.id)
        for leg in line.all_legs():
            self._of_leg.pop(leg, None)
            self._limiter.release(leg)
        if not self._lines:
            self.idle.set()
