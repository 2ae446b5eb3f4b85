"""Copies the audit log to another machine, line by line, behind the disk.

Rule 1: a line is copied once it is on disk. No entry waits for a copy, and a copy that fails stops
        nothing: it is a fault.
Rule 2: a batch is tried until it was taken; where copying stands is a file beside the log. Nothing
        is left out, over a restart and an outage of any length; what was sent as either side died
        is sent again.
Rule 3: of the lines that wait, one batch is in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from b2bua.audit.log_reader import LogReader, NumberedLine
from b2bua.call.service_view import Fault
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_GATHERS: Final = 1.0  # seconds between two batches that are not full
_MIN_PAUSE, _MAX_PAUSE = 1.0, 60.0  # seconds between two attempts
_LATE: Final = 300.0  # seconds that the oldest line waits
_LAST_COPIES: Final = 3.0  # seconds for them as the process ends


class NotCopied(Exception):
    """A batch was not taken, or nobody knows whether it was; the text is a word that says why."""


class CopyTarget(Protocol):
    """Where lines are copied to."""

    name: str
    """As its setting in [audit]."""
    to: str
    """Where it is: copying begins anew where this changes."""

    async def send(self, lines: Sequence[NumberedLine]) -> None:
        """Return once all were taken. Raises NotCopied."""
        ...


class Standing(msgspec.Struct, frozen=True):
    """How far copying is: the number of the last line that was taken."""

    to: str
    number: int


class Copier:
    """The copies to one target. `last`: the number of the last line on disk; `now`: seconds since
    the epoch."""

    def __init__(
        self, directory: Path, target: CopyTarget, last: Callable[[], int], now: Callable[[], float]
    ) -> None:
        self._directory, self._target, self._last, self._now = directory, target, last, now
        self._file = directory / f"copied-{target.name}.json"
        self._copied = 0
        self._oldest: float | None = None  # when the oldest line that waits was written
        self._closing = asyncio.Event()
        self.reason = ""
        """Why the newest attempt failed; empty where it did not."""

    @property
    def behind(self) -> int:
        """Lines that are on disk and were not taken."""
        return max(self._last() - self._copied, 0)

    @property
    def age(self) -> float:
        """Seconds since the oldest of them was written."""
        return max(self._now() - self._oldest, 0.0) if self._oldest is not None and self.behind else 0.0

    def fault(self) -> Fault | None:
        """That copies fail, or are late."""
        why = self.reason or ("it is slow" if self.age > _LATE else "")
        if not why:
            return None
        says = (
            f"The audit log is not copied: what [audit] {self._target.name} names does not take it ({why}). "
            "Its lines wait on disk, and are tried again."
        )
        return Fault(what="audit_copy", says=says, stops=None)

    async def run(self) -> None:
        """Copy what comes, until `close`; then what is left, unless that fails."""
        self._copied = self._read_standing()
        reader = LogReader(self._directory, self._copied)
        while True:
            lines = await self._next(reader)
            if not lines:
                if self._closing.is_set():
                    return
                await self._wait(_GATHERS)
                continue
            if not await self._copy(lines):
                return
            if self.behind == 0:
                await self._wait(_GATHERS)

    def close(self) -> None:
        """Try no batch again from now on."""
        self._closing.set()

    async def _next(self, reader: LogReader) -> list[NumberedLine]:
        if not self.behind:
            return []
        try:
            return await asyncio.to_thread(reader.read, self._last())
        except OSError as error:
            self._failed(error.strerror or "it cannot be read")
            return []

    async def _copy(self, lines: Sequence[NumberedLine]) -> bool:
        """Until they were taken; False where we end before."""
        self._oldest = _seconds(lines[0].at, self._now())
        missing = lines[0].number - self._copied - 1
        if missing > 0:
            log.error("audit_lines_gone", count=missing, why="removed because of their age, not copied")
        pause = _MIN_PAUSE
        while True:
            try:
                await self._target.send(lines)
            except NotCopied as error:
                self._failed(str(error))
            else:
                break
            if self._closing.is_set():
                return False
            await self._wait(pause)
            pause = min(pause * 2, _MAX_PAUSE)
        if self.reason:
            log.warning("audit_copied_again", target=self._target.name, count=len(lines))
        self.reason, self._copied = "", lines[-1].number
        await asyncio.to_thread(self._write_standing)
        return True

    def _failed(self, why: str) -> None:
        if not self.reason:
            log.error("audit_not_copied", target=self._target.name, why=why)
        self.reason = why

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _read_standing(self) -> int:
        try:
            standing = msgspec.json.decode(self._file.read_bytes(), type=Standing)
        except (OSError, ValueError):
            return 0
        return standing.number if standing.to == self._target.to else 0

    def _write_standing(self) -> None:
        """Where this fails, lines are sent again after a restart, and none is missing."""
        fresh = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_bytes(msgspec.json.encode(Standing(self._target.to, self._copied)))
            fresh.replace(self._file)


class Copies:
    """All of them."""

    def __init__(self, copiers: Sequence[Copier] = ()) -> None:
        self._copiers = copiers
        self._running: list[asyncio.Task[None]] = []

    def start(self, tasks: BackgroundTasks) -> None:
        """Copy until `end`."""
        self._running = [tasks.start(each.run(), "copy of the audit log") for each in self._copiers]

    async def end(self) -> None:
        """Copy what is left, for a moment: the rest is copied by the next process."""
        for each in self._copiers:
            each.close()
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_COPIES)

    def faults(self) -> tuple[Fault, ...]:
        """Of those that fail."""
        return tuple(fault for each in self._copiers if (fault := each.fault()) is not None)

    def health(self) -> dict[str, int | bool]:
        """How many lines the one that is furthest behind has to copy, and for how many seconds the
        oldest of them has waited."""
        return {
            "uncopied_audit_lines": max((each.behind for each in self._copiers), default=0),
            "oldest_uncopied_audit_line": round(max((each.age for each in self._copiers), default=0.0)),
        }


def _seconds(at: str, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return otherwise
