"""Reads the lines of an audit log on, while it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from b2bua.audit.chain import Line, read_line
from b2bua.audit.verify import log_files

BATCH_LINES: Final = 1_000
BATCH_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line with its line feed. `line`: what it says; None where it is none of an audit log."""

    number: int
    octets: bytes
    line: Line | None

    @property
    def at(self) -> str:
        """When it was written; empty where it does not say so."""
        if self.line is None:
            return ""
        says = self.line.entry or self.line.checkpoint
        return says.at if says is not None else ""


class LogReader:
    """The lines of the log in a directory behind the line `after`."""

    def __init__(self, directory: Path, after: int) -> None:
        self._directory, self._after = directory, after
        self._path: Path | None = None
        self._offset = 0
        self._number = 0  # of the line before `_offset`

    def read(self, through: int) -> list[NumberedLine]:
        """The next lines up to the number `through`, as many as BATCH_LINES and BATCH_BYTES allow;
        none where there are none yet. Raises OSError."""
        found: list[NumberedLine] = []
        size = 0
        for path in self._files():
            if path != self._path:
                self._path, self._offset, self._number = path, 0, first_of(path) - 1
            with path.open("rb") as file:
                file.seek(self._offset)
                while True:
                    if self._number >= through or len(found) >= BATCH_LINES or size >= BATCH_BYTES:
                        return found
                    octets = file.readline()
                    if not octets.endswith(b"\n"):
                        break  # the next file, or what is being written
                    each = self._numbered(octets)
                    self._offset, self._number = file.tell(), each.number
                    if each.number > self._after:
                        found.append(each)
                        size += len(octets)
                        self._after = each.number
        return found

    def _files(self) -> list[Path]:
        """The one that is read, or that has the first line to read, and those behind it."""
        files = log_files(self._directory)
        if self._path in files:
            return files[files.index(self._path) :]
        before = [path for path in files if first_of(path) <= self._after + 1]
        return files[len(before) - 1 :] if before else files

    def _numbered(self, octets: bytes) -> NumberedLine:
        try:
            line = read_line(octets[:-1])
        except ValueError:  # it is copied as it is: whoever verifies it finds it
            return NumberedLine(self._number + 1, octets, None)
        return NumberedLine(line.number, octets, line)


def first_of(path: Path) -> int:
    """The number of the first line of a file, as its name has it."""
    digits = path.name.removeprefix("audit-").removesuffix(".jsonl")
    return int(digits) if digits.isdecimal() else 1
