"""One call on the switchboard, with the legs that are its own, and all of them written out.

Rule 1: the timer is of the process that set it: whoever reads a line sets its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from b2bua.call.call import Call
from b2bua.call.leg import LegId
from b2bua.call.snapshot import KINDS
from media.events import Side
from tonewall.snapshot import SnapshotError, read, write


@dataclass(slots=True, eq=False)
class Entry:
    """`joining`: the leg that is to take the place of one of `legs`; `lender`: the call whose leg
    it is, where it is another call's, and that one's `borrower` is this. `due`: what `timer` is set
    to."""

    call: Call
    legs: dict[Side, LegId] = field(default_factory=dict)
    joining: LegId | None = None
    lender: Entry | None = None
    borrower: Entry | None = None
    timer: asyncio.TimerHandle | None = None
    due: float | None = None

    def all_legs(self) -> list[LegId]:
        return [*self.legs.values(), *([self.joining] if self.joining is not None else [])]

    def stop(self) -> None:
        """Nothing more happens by itself."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.due = None


def snapshot_entries(lines: Iterable[Entry], places: Mapping[LegId, str], now: float) -> bytes:
    """`places`: the trunk of each leg that counts there; `now`: on the monotonic clock."""
    rows = [
        (line.call, line.legs, line.joining, line.lender.call.id if line.lender else "") for line in lines
    ]
    return write((rows, dict(places)), KINDS, now)


def restore_entries(data: bytes, now: float) -> tuple[list[Entry], dict[LegId, str]]:
    """The lines, and the trunks of their legs. Raises SnapshotError."""
    match read(data, KINDS, now):
        case list() as rows, dict() as places:
            lines = {call.id: Entry(call, legs, joining) for call, legs, joining, _ in rows}
            for (*_, lender), line in zip(rows, lines.values(), strict=True):
                if lender:
                    line.lender, lines[lender].borrower = lines[lender], line
            return list(lines.values()), places
        case _:
            raise SnapshotError("these are no calls")
