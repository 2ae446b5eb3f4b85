"""The spool: call records on disk, a line each, until the database has them.

Rule 1: `append` never raises and never waits for a database. What the disk does not take is held in
        memory, newest first to be kept, and goes to the disk or to the database, whichever takes it
        first.
Rule 2: a line is whole: one that was cut short by a full disk is taken back.
Rule 3: any thread may append; one thread takes batches.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

from tonewall.disk import check_space, keep_from_everybody
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_HELD = 10_000  # records held in memory while the disk takes none
# By check_space, so that their end is seen without a write too.
_SEEN_IN_ADVANCE = (
    errno.ENOSPC,
    errno.EROFS,
)
_MAX_READ = 1 << 20  # bytes looked at for a batch; more than any record has


class Batch(NamedTuple):
    """Lines without their line feeds, and how many bytes of the file they are: 0 where they were
    held in memory."""

    lines: list[bytes]
    size: int


class Spool:
    """The file at `path`, mode 0600."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file cannot be opened."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self.refused = path, path.with_name(f"{path.name}.refused")
        self._file = _open(path)
        self._lock = threading.Lock()  # the file's end and what is held
        self._done = 0  # bytes of the file that are in the database
        self._held: deque[bytes] = deque()
        self._error: OSError | None = None  # of the last attempt to write
        self.lost = 0  # records that neither disk nor memory took, since the start

    def append(self, line: bytes) -> None:
        """Keep a record: on disk, or else in memory."""
        with self._lock:
            if self._held or not self._write(line):
                self._hold(line)

    def fault(self) -> OSError | None:
        """Why no record can be written to disk; None where all is well."""
        with self._lock:
            if self._error is not None and (self._held or self._error.errno not in _SEEN_IN_ADVANCE):
                return self._error
        try:
            check_space(self._path)
        except OSError as error:
            return error
        return None

    def batch(self, most: int) -> Batch:
        """The oldest lines that are not done, `most` at most. Where there are none, the file is
        emptied."""
        with self._lock:
            while self._held and self._write(self._held[0]):
                self._held.popleft()
            data = os.pread(self._file, _MAX_READ, self._done)
            lines = data.split(b"\n")[:-1][:most]
            if lines:
                return Batch(lines, sum(len(line) + 1 for line in lines))
            if self._done and self._done == os.fstat(self._file).st_size:
                os.ftruncate(self._file, 0)
                self._done = 0
            return Batch(list(self._held)[:most], 0)

    def done(self, batch: Batch) -> None:
        """The database has these, or never will."""
        with self._lock:
            self._done += batch.size
            for line in batch.lines if not batch.size else ():
                if self._held and self._held[0] is line:
                    self._held.popleft()

    def is_waiting(self) -> bool:
        """Whether there are lines that are not done, or not overwritten yet."""
        with self._lock:
            return bool(self._held) or os.fstat(self._file).st_size > 0

    def set_aside(self, line: bytes) -> None:
        """Write a line that no database takes to `PATH.refused`. Raises OSError."""
        file = _open(self.refused)
        try:
            _write_whole(file, line + b"\n")
        finally:
            os.close(file)

    def close(self) -> None:
        """Close the file. What is still held in memory is lost."""
        if self._held:
            log.error("call_records_lost", why="neither disk nor database took them", count=len(self._held))
        os.close(self._file)

    # --- with the lock ----------------------------------------------------------------------------

    def _write(self, line: bytes) -> bool:
        try:
            if not os.fstat(self._file).st_nlink:  # somebody deleted the file
                os.close(self._file)
                self._file, self._done = _open(self._path), 0
            _write_whole(self._file, line + b"\n")
        except OSError as error:
            if self._error is None:
                log.error(
                    "call_records_not_spooled", hint="they are held in memory",
                    path=str(self._path), why=error.strerror, exc_info=error,
                )  # fmt: skip
            self._error = error
            return False
        if self._error is not None:
            log.info("call_records_spooled_again", path=str(self._path))
            self._error = None
        return True

    def _hold(self, line: bytes) -> None:
        self._held.append(line)
        if len(self._held) > _MAX_HELD:
            self._held.popleft()
            self.lost += 1


def _open(path: Path) -> int:
    keep_from_everybody(path)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _write_whole(file: int, line: bytes) -> None:
    """Append a line, or nothing of it. Raises OSError."""
    size = os.fstat(file).st_size
    if os.write(file, line) != len(line):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
