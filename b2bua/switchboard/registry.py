"""Registers which legs each call has, and gives back what they use: places on trunks, columns in
ladders.

Rule 1: a leg belongs to one call at a time; a leg that another call borrows stays in its own call
        until it replaces a leg there.
Rule 2: a leg's place on its trunk is released when the leg is over, when another one replaces it,
        or with its call.
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
        self._entries: dict[str, Entry] = {}
        self._of_leg: dict[LegId, tuple[Entry, Side | None]] = {}  # None: a replacement
        self.idle = asyncio.Event()  # set when the last call was removed

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def legs(self) -> int:
        """How many legs are registered; tests look for leaks by it."""
        return len(self._of_leg)

    def all(self) -> tuple[Entry, ...]:
        """Every entry."""
        return tuple(self._entries.values())

    def get(self, call_id: str) -> Entry | None:
        """The entry of a call; None where it is not registered."""
        return self._entries.get(call_id)

    def find_leg(self, leg: LegId) -> tuple[Entry, Side | None] | None:
        """The entry of a leg and its side there, which is None for a replacement."""
        return self._of_leg.get(leg)

    def add(self, entry: Entry) -> None:
        """Register a call with its legs."""
        self._entries[entry.call.id] = entry
        self.idle.clear()
        for side, leg in entry.legs.items():
            self._of_leg[leg] = (entry, side)
        if entry.replacement is not None:
            self._of_leg[entry.replacement] = (entry, None)

    def place_leg(self, entry: Entry, side: Side | None, leg: LegId) -> None:
        """Register a new leg on a side; without one it is a replacement."""
        if side is None:
            self.drop_replacement(entry)
            entry.replacement = leg
        else:
            if side in entry.legs:
                self._of_leg.pop(entry.legs[side], None)  # its trunk failed; another one is tried
            entry.legs[side] = leg
        self._of_leg[leg] = (entry, side)

    def drop_replacement(self, entry: Entry) -> None:
        """Remove the replacement, if there is one: its transfer is over."""
        if entry.replacement is not None:
            self._of_leg.pop(entry.replacement, None)
            self._limiter.release(entry.replacement)
            entry.replacement = None

    def find_candidate(self, leg: LegId) -> JoinCandidate | None:
        """The call of a leg, as an attended transfer sees it; None for a leg that has no side of a
        call."""
        entry, side = self._of_leg.get(leg, (None, None))
        return None if entry is None or side is None else JoinCandidate(entry.call, side)

    def lend(self, asked: Entry, named: LegId, *, lender_asked: bool) -> tuple[Entry, Entry]:
        """Join the call of a REFER with the call that it names: the one that goes on, and the one
        that lends its leg."""
        other, _ = self._of_leg[named]
        entry, lender = (other, asked) if lender_asked else (asked, other)
        entry.lender, lender.borrower = lender, entry
        return entry, lender

    def return_leg(self, entry: Entry) -> Entry | None:
        """End the loan of a leg. Returns the call that lent it, if there is one."""
        lender, entry.lender = entry.lender, None
        if lender is not None:
            lender.borrower = None
        return lender

    def replace_leg(self, entry: Entry, side: Side) -> Entry | None:
        """Put the replacement in the place of a side's leg, whose events are no longer delivered.
        Returns the call that lent the replacement, if there is one."""
        self._of_leg.pop(entry.legs[side], None)
        self._limiter.release(entry.legs[side])
        lender = self.return_leg(entry)
        if lender is None:
            assert entry.replacement is not None
            leg, entry.replacement = entry.replacement, None
        else:
            leg = lender.legs.pop(lender.call.loan.side)
            self._ladders.move_leg(leg, lender.call.id, entry.call.id, side)
        entry.legs[side] = leg
        self._of_leg[leg] = (entry, side)
        self._ladders.note_transfer(entry.call.id)
        return lender

    def remove(self, entry: Entry) -> None:
        """Remove a call with its legs."""
        entry.cancel_timer()
        self._entries.pop(entry.call.id, None)
        self._ladders.end_call(entry.call.id)
        for leg in entry.all_legs():
            self._of_leg.pop(leg, None)
            self._limiter.release(leg)
        if not self._entries:
            self.idle.set()
