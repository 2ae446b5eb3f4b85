"""A recorder of the audit log for tests, which keeps entries, or takes none."""

from __future__ import annotations

from typing import Any

from b2bua.audit.entry import Entry, Result
from b2bua.audit.recorder import NotWritten


class Log:
    """A recorder of the audit log."""

    def __init__(self, *, required: bool = False) -> None:
        self.required, self.is_full = required, False
        self.entries: list[Entry] = []
        self.asked = 0  # times

    def entry(self, who: str, what: str, result: Result, **more: Any) -> Entry:
        return Entry(at="", who=who, what=what, result=result, **more)

    async def write(self, entry: Entry) -> int:
        self.asked += 1
        if self.is_full:
            raise NotWritten("full")
        self.entries.append(entry)
        return len(self.entries)
