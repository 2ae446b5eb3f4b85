"""Describes one call on the switchboard with its legs, and serialises all of them.

Rule 1: a timer belongs to the process that set it: a restored entry has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from b2bua.call.call import Call
from b2bua.call.leg import LegId
from b2bua.call.prepared import CallFacts
from b2bua.call.snapshot import KINDS
from media.events import Side
from tonewall.snapshot import SnapshotError, read, write


@dataclass(slots=True, eq=False)
class Entry:
    """One call. `replacement`: the leg that is to replace one of `legs`; `lender`: the call whose
    leg that is, where it is another call's, and `borrower` is the reverse. `due`: when `timer`
    fires; `facts`: by which prepared payments were looked for last."""

    call: Call
    legs: dict[Side, LegId] = field(default_factory=dict)
    replacement: LegId | None = None
    lender: Entry | None = None
    borrower: Entry | None = None
    timer: asyncio.TimerHandle | None = None
    due: float | None = None
    facts: CallFacts | None = None

    def all_legs(self) -> list[LegId]:
        """The legs of the call, the replacement included."""
        return [*self.legs.values(), *([self.replacement] if self.replacement is not None else [])]

    def cancel_timer(self) -> None:
        """Let the call's deadline pass unnoticed."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.due = None


def snapshot_entries(entries: Iterable[Entry], places: Mapping[LegId, str], now: float) -> bytes:
    """Serialise entries. `places`: the trunk of each leg that counts there; `now`: on the monotonic
    clock, in seconds."""
    rows = [
        (entry.call, entry.legs, entry.replacement, entry.lender.call.id if entry.lender else "")
        for entry in entries
    ]
    return write((rows, dict(places)), KINDS, now)


def restore_entries(data: bytes, now: float) -> tuple[list[Entry], dict[LegId, str]]:
    """Restore the entries, and the trunks of their legs. Raises SnapshotError."""
    match read(data, KINDS, now):
        case list() as rows, dict() as places:
            entries = {call.id: Entry(call, legs, replacement) for call, legs, replacement, _ in rows}
            for (*_, lender), entry in zip(rows, entries.values(), strict=True):
                if lender:
                    entry.lender, entries[lender].borrower = entries[lender], entry
            return list(entries.values()), places
        case _:
            raise SnapshotError("these are no calls")
