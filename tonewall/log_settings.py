"""Holds how this Tonewall logs, in a page of memory that all its processes share.

The supervisor makes the page; each child inherits a descriptor of it. b2bua writes to it, at an
administrator's request, and every process reads it at its next entry: none is asked, signalled or
restarted.

Rule 1: its size is sealed, so that no process of ours can be ended by whoever cuts it off.
Rule 2: it is written while its number is odd; who reads an odd or a changed number keeps what it
        knew.
Rule 3: a change has an end (`until`), by a clock that all processes of the machine share.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
import time
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

VARIABLE: Final = "TONEWALL_LOG_SETTINGS"  # of a child: the number of its descriptor
LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
LEVELS: Final[dict[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_SIZE: Final = mmap.PAGESIZE
_HEAD: Final = struct.Struct("=II")  # its number, the octets that follow


class LogChange(msgspec.Struct, frozen=True):
    """Another level for a while. `module`: of these modules alone, by the beginning of their names;
    "": of all; `until`: seconds of the monotonic clock."""

    level: LogLevel
    module: str = ""
    until: float = 0.0

    def applies(self, module: str, now: float) -> bool:
        """Whether it is for this module, and not over."""
        name = self.module
        return now < self.until and (not name or module == name or module.startswith(f"{name}."))


class LogSettings(msgspec.Struct, frozen=True):
    """How it is logged: `format` and `level` as sip.conf has them, and a change for a while."""

    format: LogFormat = "json"
    level: LogLevel = "info"
    change: LogChange | None = None

    def least(self, module: str, now: float) -> int:
        """The least level that this module logs."""
        change = self.change
        return LEVELS[change.level if change is not None and change.applies(module, now) else self.level]


@dataclass(slots=True)
class LogPage:
    """The page, as one process has it."""

    _map: mmap.mmap
    _number: int = 1  # of what was read last; odd: nothing yet
    _known: LogSettings = field(default_factory=LogSettings)

    def read(self) -> LogSettings:
        """How it is logged now."""
        number, size = _HEAD.unpack_from(self._map)
        if number != self._number and number % 2 == 0 and size <= _SIZE - _HEAD.size:
            text = self._map[_HEAD.size : _HEAD.size + size]
            if _HEAD.unpack_from(self._map)[0] == number:
                with contextlib.suppress(msgspec.MsgspecError):
                    self._known = msgspec.json.decode(text, type=LogSettings)
                self._number = number
        return self._known

    def write(self, settings: LogSettings) -> None:
        """Have all processes log so from their next entry on. Raises TypeError in a process that
        may only read."""
        text = msgspec.json.encode(settings)
        number = _HEAD.unpack_from(self._map)[0] | 1
        _HEAD.pack_into(self._map, 0, number, 0)
        self._map[_HEAD.size : _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._map, 0, (number + 1) % 2**32, len(text))


class LogPageOwner:
    """The page as the supervisor has it, with descriptors for its children."""

    def __init__(self, settings: LogSettings) -> None:
        """Raises OSError where there is no memory to be had."""
        self._writable = os.memfd_create("tonewall-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._writable, _SIZE)
        fcntl.fcntl(
            self._writable, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        )
        self._readable = os.open(f"/proc/self/fd/{self._writable}", os.O_RDONLY | os.O_CLOEXEC)
        self.page = LogPage(mmap.mmap(self._writable, _SIZE))
        self.page.write(settings)

    def descriptor(self, *, may_write: bool) -> int:
        """What a child inherits."""
        return self._writable if may_write else self._readable

    def close(self) -> None:
        """Give the descriptors back; the page stays in those who have it."""
        os.close(self._writable)
        os.close(self._readable)


def inherited_page() -> LogPage | None:
    """The page that the supervisor handed to this process; None where there is none, as in a
    command. Its descriptor is closed."""
    given = os.environ.get(VARIABLE, "")
    if not given.isdecimal():
        return None
    number = int(given)
    try:
        may_write = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
        access = mmap.ACCESS_WRITE if may_write else mmap.ACCESS_READ
        page = LogPage(mmap.mmap(number, _SIZE, access=access))
        os.close(number)
    except (OSError, ValueError):
        return None
    del os.environ[VARIABLE]
    return page


def seconds_left(change: LogChange) -> float:
    """Until it is over."""
    return max(0.0, change.until - time.monotonic())
