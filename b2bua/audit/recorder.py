"""Keeps the audit log of a running process: entries of any task, written by one thread.

Rule 1: `write` returns once its entry is on disk. Entries that wait together are written together.
Rule 2: a disk that takes none is a fault until it takes one again; each entry that was not written
        is counted, and the log says how many as soon as it can. What was noted, for which nobody
        waits, is kept until then, the newest MAX_KEPT.
Rule 3: nobody waits longer than WAITS for a disk that answers not at all: the entry counts as one
        that is not written, though it may be there later.
Rule 4: a log that cannot be opened stops no call: it is tried again with each entry.
Rule 5: what commands handed in is written as its own entries are (b2bua/audit/handed_in.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from b2bua.audit.copier import Copies
from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.handed_in import read_handed_in
from b2bua.audit.log_file import LogFile, LogTaken
from b2bua.call.service_view import Fault, Stops
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_WAITING = 10_000  # entries
MAX_KEPT: Final = 5_000  # entries
_LAST_WRITES = 5.0  # seconds for them as the process ends
WAITS: Final = 3.0  # seconds
_HANGS: Final = "the disk does not answer"


_Waiting = tuple[Entry, asyncio.Future[int] | None]  # None: nobody waits for it


class NotWritten(Exception):
    """The entry is not in the log; the text says why."""


class Recorder:
    """The log that `open_log` opens. `now`: seconds since the epoch; `configuration`: a digest of
    the settings in force, of each entry; `required`: nothing is paid without a log; `waits`:
    seconds for an entry to be written."""

    def __init__(
        self,
        open_log: Callable[[], LogFile],
        now: Callable[[], float],
        configuration: str = "",
        *,
        required: bool = False,
        waits: float = WAITS,
    ) -> None:
        self._open_log, self._now, self.configuration = open_log, now, configuration
        self.required, self._waits = required, waits
        self._file: LogFile | None = None
        self._waiting: list[_Waiting] = []
        self._written: list[_Waiting] = []  # those that are being written
        self._more = asyncio.Event()
        self._closing = False
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()
        self.copies = Copies()
        self.directory: Path | None = None  # where the log is, for those who read it
        self.lost = 0  # entries since the last that was written
        self._why: str | None = None  # the last was not

    def fault(self) -> Fault | None:
        """That entries are not written now, or not copied, where it is so."""
        if self._why is None:
            return next(iter(self.copies.faults()), None)
        stops = Stops.PAYMENTS if self.required else None
        means = "No payment can be started" if self.required else "Nobody can say later who did what"
        says = f"{means}: the audit log cannot be written ({self._why}). See [audit] directory."
        return Fault(what="audit", says=says, stops=stops)

    @property
    def last(self) -> int:
        """The number of the last line on disk; 0 while the log is not open."""
        return self._file.place.number if self._file is not None else 0

    def entry(self, who: str, what: str, result: Result, **more: Any) -> Entry:
        """An entry of now. `more`: its other fields."""
        at = write_time(self._now())
        return Entry(at=at, who=who, what=what, result=result, configuration=self.configuration, **more)

    async def write(self, entry: Entry) -> int:
        """The number of the line. Raises NotWritten."""
        if self._closing or len(self._waiting) >= _MAX_WAITING:
            self.lost += 1
            raise NotWritten("the audit log is closed" if self._closing else "too many entries wait")
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        self._more.set()
        try:
            return await asyncio.wait_for(done, self._waits)
        except TimeoutError:
            if self._why is None:
                log.error("audit_not_written", why=_HANGS)
            self._why = _HANGS
            raise NotWritten(_HANGS) from None

    def note(self, entry: Entry) -> None:
        """Write an entry for which nobody waits, as soon as it can be written."""
        if self._closing or len(self._waiting) >= _MAX_WAITING:
            self.lost += 1
            return
        self._waiting.append((entry, None))
        self._more.set()

    def try_again(self) -> None:
        """Where the last entries could not be written: see whether they can be now."""
        if self._why is not None:
            self._more.set()

    async def run(self) -> None:
        """Open the log, and write what comes, until `close`; then sign the end."""
        try:
            await self._write_batch([])
            while not (self._closing and not self._waiting):
                await self._more.wait()
                self._more.clear()
                self._written, self._waiting = self._waiting, []
                if self._written or self._why is not None:
                    await self._write_batch(self._written)
        finally:  # whatever ended it, nobody waits for ever
            self._closing = True
            self._refuse([*self._written, *self._waiting], "the audit log is closed")
        if self._file is not None:
            try:
                await asyncio.to_thread(self._file.close)
            except OSError as error:
                log.error("audit_not_signed", why=error.strerror)
        self._ended.set()

    async def expire(self, before: float) -> None:
        """Remove files that were written to last before then (seconds since the epoch)."""
        async with self._writing:
            if self._file is not None and not self._closing:
                try:
                    await asyncio.to_thread(self._file.expire, before)
                except OSError as error:
                    log.error("old_audit_not_deleted", why=error.strerror)

    async def take_handed_in(self, directory: Path) -> None:
        """Write what commands handed in for the log of this directory; what cannot be written waits
        there."""
        try:
            for path, entry in await asyncio.to_thread(read_handed_in, directory):
                await self.write(entry)
                path.unlink()
        except OSError as error:
            log.error("audit_entry_not_taken", why=error.strerror)
        except NotWritten:
            return  # it is a fault

    def close(self) -> None:
        """Take no more entries; `run` writes those that wait, and ends."""
        self._closing = True
        self._more.set()

    async def end(self) -> None:
        """Close, and wait until `run` has written what waits."""
        self.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _LAST_WRITES)

    async def _write_batch(self, batch: list[_Waiting]) -> None:
        entries = [entry for entry, _ in batch]
        lost = self.lost
        if lost:
            details: dict[str, str | int] = {"entries": lost}
            at = write_time(self._now())
            entries.insert(
                0, Entry(at=at, who="tonewall", what="audit_lost", result=Result.NOTED, details=details)
            )
        try:
            async with self._writing:
                first = await asyncio.to_thread(self._append, entries)
        except (OSError, ValueError, LogTaken) as error:
            why = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
            if self._why is None:
                log.error("audit_not_written", why=why)
            self._why = why
            noted = [each for each in batch if each[1] is None]
            kept = [] if self._closing or isinstance(error, ValueError) else noted[-MAX_KEPT:]
            self.lost += len(batch) - len(kept)
            self._waiting = [*kept, *self._waiting]
            self._refuse(batch, why)
            return
        if self._why is not None:
            log.warning("audit_written_again", count=lost)
        self._why, self.lost = None, self.lost - lost
        for number, (_, done) in enumerate(batch, start=first + bool(lost)):
            if done is not None and not done.done():
                done.set_result(number)

    def _refuse(self, entries: list[_Waiting], why: str) -> None:
        for _, done in entries:
            if done is not None and not done.done():
                done.set_exception(NotWritten(why))

    def _append(self, entries: list[Entry]) -> int:
        """In the writing thread."""
        if self._file is None:
            self._file = self._open_log()
        return self._file.append(entries)
