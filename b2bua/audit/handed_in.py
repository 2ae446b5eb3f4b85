"""Takes entries of commands into a log that only a running Tonewall may write.

Rule 1: an entry is handed in as a file of its own, whole and on disk when `hand_in` returns.
Rule 2: that file is removed once the line is on disk. A process that dies between the two writes
        the entry twice; `request` in its details is the same.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from b2bua.audit.chain import MAX_LINE
from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.log_file import LogFile, LogTaken
from tonewall.log import get_logger

log = get_logger(__name__)
FOLDER: Final = "handed-in"
_AT_ONCE: Final = 256
Details = dict[str, str | int]


def hand_in(directory: Path, entry: Entry) -> None:
    """Leave an entry for whoever writes the log of this directory. Raises OSError."""
    folder = directory / FOLDER
    owner = _make(folder)
    name = f"{time.time_ns():020}-{secrets.token_hex(4)}"
    fresh = folder / f"{name}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if owner is not None:
            os.fchown(descriptor, *owner)
        file.write(msgspec.json.encode(entry))
        file.flush()
        os.fsync(descriptor)
    fresh.rename(folder / f"{name}.json")
    _sync(folder)


def read_handed_in(directory: Path) -> list[tuple[Path, Entry]]:
    """What waits, the oldest first. What is none is put aside. Raises OSError."""
    folder = directory / FOLDER
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.glob("*.json"))[:_AT_ONCE]:
        try:
            with path.open("rb") as file:
                found.append((path, msgspec.json.decode(file.read(MAX_LINE), type=Entry)))
        except ValueError:
            log.error("audit_entry_refused", why="no entry of a command")
            path.rename(path.with_suffix(".refused"))
    return found


class CommandLog:
    """The log as a command writes it. `directory`: None where none is kept; then nothing is noted.
    `open_log`: opens it where no process has; `who`: empty for the user that runs the command."""

    def __init__(
        self, directory: Path | None, open_log: Callable[[], LogFile] | None = None, who: str = ""
    ) -> None:
        self._directory, self._open_log = directory, open_log
        self._who = who or os.environ.get("SUDO_USER") or getpass.getuser()

    @contextlib.contextmanager
    def noted(self, what: str, details: Details | None = None, who: str = "") -> Iterator[Details]:
        """Note that this is asked for, then what became of it, with the details that there are by
        then. Nothing is done that could not be noted: raises OSError."""
        about: Details = {**(details or {}), "by": "command", "request": secrets.token_hex(4)}
        if self._directory is None:
            yield about
            return
        self._hand_in(what, Result.ASKED, about, who)
        result = Result.FAILED
        try:
            yield about
            result = Result.DONE
        finally:
            self._hand_in(what, result, about, who)
            self.write()

    def write(self) -> bool:
        """Write what was handed in; False where that is left to the process that has the log, or to
        the next one."""
        directory = self._directory
        if directory is None or self._open_log is None or directory.stat().st_uid != os.geteuid():
            return False
        try:
            log_file = self._open_log()
        except (OSError, ValueError, LogTaken):
            return False
        try:
            while waiting := read_handed_in(directory):
                for path, entry in waiting:
                    log_file.append([entry])
                    path.unlink()
        finally:
            log_file.close()
        return True

    def _hand_in(self, what: str, result: Result, about: Details, who: str) -> None:
        assert self._directory is not None
        at = write_time(time.time())
        hand_in(self._directory, Entry(at=at, who=who or self._who, what=what, result=result, details=about))


def _make(folder: Path) -> tuple[int, int] | None:
    """Make a folder, of the owner of the one above it; whose, where that is another than ours."""
    if not folder.parent.is_dir():
        _make(folder.parent)
    above = folder.parent.stat()
    owner = (above.st_uid, above.st_gid) if above.st_uid != os.geteuid() else None
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            os.chown(folder, *owner)
        _sync(folder.parent)
    return owner


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
