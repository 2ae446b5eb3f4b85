"""Appends to an audit log on disk.

Rule 1: an entry is on disk, and the head names or announces it, when `append` returns; where
        `append` raises, it is not.
Rule 2: a process that dies at any moment leaves a log that can be verified. The next one cuts a
        line that was not finished, and says so in the log.
Rule 3: one process writes a log; the file `lock` is held by it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit.chain import (
    Checkpoint,
    Place,
    read_head,
    read_line,
    write_checkpoint,
    write_entry,
    write_head,
)
from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.record_keys import FILE as KEYS
from b2bua.audit.record_keys import RecordKeys
from b2bua.audit.verify import EXPIRED, HEAD, log_files

CHECKPOINT_LINES: Final = 256
CHECKPOINT_TIME: Final = 60.0  # seconds
FILE_BYTES: Final = 64 << 20


class LogTaken(Exception):
    """Another process writes this log."""


class LogFile:
    """The log in a directory, open to be appended to. Its methods block.

    `now`: seconds since the epoch. `file_bytes`: from which on a file is followed by the next;
    `erasable`: what is personal in entries is sealed, under keys that can be erased."""

    def __init__(
        self,
        directory: Path,
        key: Ed25519PrivateKey,
        now: Callable[[], float],
        file_bytes: int = FILE_BYTES,
        *,
        erasable: bool = False,
    ) -> None:
        """Raises OSError, and LogTaken."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._keys = RecordKeys(directory) if erasable or (directory / KEYS).exists() else None
        self._erasable = erasable
        self._directory, self._key, self._now, self._file_bytes = directory, key, now, file_bytes
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise LogTaken(f"another process writes the audit log in {directory}") from None
        self._place, self._file, self._end = Place(), -1, 0
        self._since, self._checked_at = 0, now()  # lines, and when, since a checkpoint
        try:
            self._open()
        except BaseException:  # else the lock of this attempt would refuse every later one
            for descriptor in (self._file, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            raise

    @property
    def place(self) -> Place:
        """The last line."""
        return self._place

    def append(self, entries: Sequence[Entry]) -> int:
        """Write entries; the number of the first of them. Raises OSError, and ValueError for an
        entry that is too long: then none is there."""
        first = self._place.number + 1
        place, lines = self._place, []
        if self._erasable and self._keys is not None:
            entries = self._keys.seal(entries)
        for entry in entries:
            line = write_entry(place, entry)
            place = place.after(line)
            lines.append(line)
        self._since += len(lines)
        if self._since >= CHECKPOINT_LINES or self._now() - self._checked_at >= CHECKPOINT_TIME:
            lines.append(self._checkpoint(place, "count" if self._since >= CHECKPOINT_LINES else "time"))
        self._write(lines)
        if self._end >= self._file_bytes:
            with contextlib.suppress(OSError):  # the entries are there; the next ones try it again
                self._write([self._checkpoint(self._place, "file")])
                self._next_file()
        return first

    def expire(self, before: float) -> int:
        """Remove files that were written to last before then (seconds since the epoch), and the
        record keys of days before; how many files. The log says so first, and up to which line.
        Raises OSError."""
        old = []
        for path in log_files(self._directory)[:-1]:
            if path.stat().st_mtime >= before:
                break
            old.append(path)
        if old:
            last = read_line(old[-1].read_bytes()[:-1].rpartition(b"\n")[2])
            at = write_time(self._now())
            details: dict[str, str | int] = {"through": last.number, "files": len(old)}
            self.append([Entry(at=at, who="tonewall", what=EXPIRED, result=Result.ASKED, details=details)])
        for path in old:
            path.unlink()
        if self._keys is not None:
            self._keys.erase(before=write_time(before)[:10])
        return len(old)

    def close(self) -> None:
        """Sign what there is, and let the log go. Raises OSError."""
        try:
            if self._since:
                self._write([self._checkpoint(self._place, "stop")])
        finally:
            os.close(self._file)
            os.close(self._lock)
            if self._keys is not None:
                self._keys.close()

    def _checkpoint(self, place: Place, why: Literal["start", "count", "time", "file", "stop"]) -> bytes:
        self._since, self._checked_at = 0, self._now()
        return write_checkpoint(place, Checkpoint(at=write_time(self._checked_at), why=why), self._key)

    def _write(self, lines: Sequence[bytes]) -> None:
        """Announce the lines, write them, and say that they are there. What fails is taken back."""
        place = self._place
        for line in lines:
            place = place.after(line)
        end = self._end
        try:
            if os.fstat(self._file).st_size != end:  # what failed before could not be taken back
                os.ftruncate(self._file, end)
            self._write_head(self._place, place)
            _write_all(self._file, b"".join(line + b"\n" for line in lines))
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, end)
            raise
        self._place, self._end = place, end + sum(len(line) + 1 for line in lines)
        with contextlib.suppress(OSError):  # the lines are there, and the head announces them
            self._write_head(place, place)

    def _write_head(self, place: Place, following: Place) -> None:
        fresh = self._directory / f"{HEAD}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, write_head(place, following, self._key))
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(self._directory / HEAD)

    def _open(self) -> None:
        files = log_files(self._directory)
        path = files[-1] if files else self._directory / _name(1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        found = self._recover(path, files)
        self._write_head(self._place, self._place)
        at = write_time(self._now())
        lines, place = [], self._place
        for what, details in found:
            entry = Entry(at=at, who="tonewall", what=what, result=Result.NOTED, details=details)
            lines.append(write_entry(place, entry))
            place = place.after(lines[-1])
        self._write([*lines, self._checkpoint(place, "start")])

    def _recover(self, path: Path, files: Sequence[Path]) -> list[tuple[str, dict[str, str | int]]]:
        """Find the end of the chain; what is to be noted of it: a line that was cut, lines that the
        head had named and that are gone."""
        found: list[tuple[str, dict[str, str | int]]] = []
        content = path.read_bytes()
        torn = len(content) - (content.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._file, len(content) - torn)
            os.fdatasync(self._file)
            content = content[:-torn]
            found.append(("audit_line_cut", {"bytes": torn}))
        self._end = len(content)
        while not content and len(files) > 1:
            files = files[:-1]
            content = files[-1].read_bytes()
        if content:
            last = content[:-1].rpartition(b"\n")[2]
            try:
                self._place = Place(read_line(last).number - 1, "").after(last)
            except ValueError:
                raise OSError(f"the last line of {path} is none of an audit log") from None
        try:
            head = read_head((self._directory / HEAD).read_bytes(), self._key.public_key())
        except FileNotFoundError:
            if content:
                found.append(("audit_head_missing", {}))
        except ValueError:
            found.append(("audit_head_not_signed", {}))
        else:
            ends = ((head.number, head.hash), (head.next_number, head.next_hash))
            within = head.number < self._place.number < head.next_number
            if (self._place.number, self._place.hash) not in ends and not within:
                found.append(("audit_end_differs", {"named": head.number, "found": self._place.number}))
        return found

    def _next_file(self) -> None:
        fresh = os.open(
            self._directory / _name(self._place.number + 1),
            os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600,
        )  # fmt: skip
        os.close(self._file)
        self._file, self._end = fresh, 0
        directory = os.open(self._directory, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def _name(first: int) -> str:
    return f"audit-{first:012}.jsonl"


def _write_all(descriptor: int, octets: bytes) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.write(descriptor, left) :]
