"""Reads pages of an audit log while it is written: those of a period, of a call or of a name.

Rule 1: a page is bounded in lines and bytes, and so is what is read for it: where that was not
        enough, the page says behind which line to go on.
Rule 2: lines are given octet by octet, unless their names are asked for in clear: pages without a
        line left out verify as a copy of the log does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from b2bua.audit.chain import MAX_LINE, Line, read_line
from b2bua.audit.log_reader import first_of
from b2bua.audit.reading import Unsealer
from b2bua.audit.verify import log_files

MAX_LINES: Final = 1_000
_MAX_BYTES: Final = 1 << 20
_MAX_READ: Final = 50_000  # lines


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: lines behind the number `after`, of [since, until), times as `at` of an
    entry has them; of entries those of that call and name alone, where either is given. `opened`:
    with what is sealed in clear."""

    after: int = 0
    since: str = ""
    until: str = ""
    call: str = ""
    who: str = ""
    limit: int = MAX_LINES
    opened: bool = False


@dataclass(slots=True)
class Page:
    """Some lines with their line feeds. `more_behind`: the number of the line behind which the next
    page begins; 0: there is none."""

    lines: list[bytes] = field(default_factory=list)
    more_behind: int = 0


def read_page(directory: Path, wanted: Wanted, through: int) -> Page:
    """The first page of what is asked for, of lines up to the number `through`. Raises OSError."""
    page, size, read = Page(), 0, 0
    unseal = Unsealer(directory)
    try:
        for octets, number, line in _lines(directory, wanted):
            if number > through or _is_behind(line, wanted.until):
                return page
            kept = _kept(octets, line, wanted, unseal)
            if kept:
                page.lines.append(kept)
            size, read = size + len(kept), read + 1
            if len(page.lines) >= wanted.limit or size >= _MAX_BYTES or read >= _MAX_READ:
                page.more_behind = number
                return page
    finally:
        unseal.close()
    return page


def _lines(directory: Path, wanted: Wanted) -> Iterator[tuple[bytes, int, Line | None]]:
    """The lines behind `after` with their numbers, from the first file on that may have some of the
    period; None for what is no line of a log."""
    files = log_files(directory)
    while len(files) > 1 and _begins_early(files[1], wanted):
        files = files[1:]
    for path in files:
        with path.open("rb") as file:
            number = _seek(file, wanted.after) or first_of(path) - 1
            while (octets := file.readline(MAX_LINE + 1)).endswith(b"\n"):
                line = _read(octets)
                number = line.number if line is not None else number + 1
                if number > wanted.after:
                    yield octets, number, line


def _begins_early(path: Path, wanted: Wanted) -> bool:
    """Whether all that is asked for is in this file, or behind it."""
    with path.open("rb") as file:
        line = _read(file.readline(MAX_LINE + 1))
    return line is not None and (line.number <= wanted.after or _time(line) < wanted.since)


def _seek(file: BinaryIO, after: int) -> int:
    """Go to the line behind that number, by halves; the number of the line before it, as far as it
    is known, else 0. Lines that are not in order are for the verification to find."""
    low, high, number = 0, file.seek(0, 2), 0
    while low < high:
        middle = (low + high) // 2
        file.seek(middle)
        if middle:
            file.readline(MAX_LINE + 1)  # the rest of a line
        line = _read(file.readline(MAX_LINE + 1))
        if line is None or line.number > after:
            high = middle
        else:
            low, number = file.tell(), line.number
    file.seek(low)
    return number


def _kept(octets: bytes, line: Line | None, wanted: Wanted, unseal: Unsealer) -> bytes:
    """The line as it is given; empty where it is not asked for."""
    if line is None:
        return b"" if wanted.call or wanted.who else octets
    if _time(line) < wanted.since or (wanted.until and _time(line) >= wanted.until):
        return b""
    if not (wanted.call or wanted.who or wanted.opened):
        return octets
    entry = unseal(line.entry) if line.entry is not None else None
    if entry is None:
        return b"" if wanted.call or wanted.who else octets
    if wanted.call not in ("", entry.call) or wanted.who not in ("", entry.who):
        return b""
    return (
        msgspec.json.encode(msgspec.structs.replace(line, entry=entry)) + b"\n" if wanted.opened else octets
    )


def _is_behind(line: Line | None, until: str) -> bool:
    """Whether the period is over: at a checkpoint, since what commands hand in may be older than
    the entries around it."""
    return line is not None and line.checkpoint is not None and bool(until) and _time(line) >= until


def _read(octets: bytes) -> Line | None:
    try:
        return read_line(octets.rstrip(b"\n"))
    except ValueError:
        return None


def _time(line: Line) -> str:
    return line.entry.at if line.entry is not None else line.checkpoint.at if line.checkpoint else ""
