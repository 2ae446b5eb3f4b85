"""Verifies an audit log, offline: by its files and the public key alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.audit.chain import GENESIS, MAX_LINE, Head, Line, Place, hash_of, is_signed, read_head, read_line

PATTERN: Final = "audit-*.jsonl"
HEAD: Final = "head.json"
# The entry that says up to which line, `through`, files were removed because of their age.
EXPIRED: Final = "audit_expired"

# What a process that began to write found of the log that was there (b2bua/audit/log_file.py).
_FOUND_AT_START: Final = {
    "audit_head_missing": "the head was missing",
    "audit_head_not_signed": "the head was not signed by the key",
    "audit_end_differs": "the log did not end where the head said",
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. `file`: its name; `line`: its line there, from 1; 0: the file as a whole."""

    file: str
    line: int
    what: str


@dataclass(slots=True)
class Report:
    """The result: the lines that were read, the entries among them, and what is wrong. `unsigned`:
    lines behind the newest checkpoint, which the head vouches for. `repeated`: lines of a copy that
    came again, which it also counts once."""

    lines: int = 0
    entries: int = 0
    first: int = 0
    unsigned: int = 0
    repeated: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def log_files(directory: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    return sorted(directory.glob(PATTERN))


def verify(directory: Path, key: Ed25519PublicKey) -> Report:
    """Every change to the log of this directory that was made without the key. Raises OSError."""
    report = Report()
    chain = Chain(report, key)
    files = log_files(directory)
    for path in files:
        for number, line in enumerate(read_lines(path), start=1):
            chain.follow(path.name, number, line)
    chain.end(files[-1].name if files else "", chain.read_head(head_of(directory)))
    return report


def head_of(directory: Path) -> bytes | None:
    """What stands in the head; None where there is none."""
    try:
        return (directory / HEAD).read_bytes()
    except FileNotFoundError:
        return None


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file with their line feeds, at most MAX_LINE and one byte of each."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            yield line


class Chain:
    """The chain as far as it was followed."""

    def __init__(self, report: Report, key: Ed25519PublicKey) -> None:
        self._report, self._key = report, key
        self._place: Place | None = None  # None: before the first line
        self._expired: set[str | int] = set()  # up to which lines the log was removed in good order

    @property
    def number(self) -> int:
        """The last line that was followed."""
        return (self._place or Place()).number

    def follow(self, file: str, number: int, octets: bytes) -> None:
        """One more line of the file."""
        report = self._report
        if not octets.endswith(b"\n"):
            self._find(file, number, "the line is not complete")
            return
        line = octets[:-1]
        report.lines += 1
        report.unsigned += 1
        try:
            read = read_line(line)
        except ValueError:
            self._find(file, number, "no line of an audit log")
            self._place = Place((self._place or Place()).number + 1, hash_of(line))
            return
        self._check(file, number, read)
        self._place = Place(read.number, hash_of(line))
        report.entries += read.entry is not None
        if read.entry is not None and read.entry.what == EXPIRED:
            self._expired.add(read.entry.details.get("through", 0))
        if read.entry is not None and read.entry.what in _FOUND_AT_START:
            self._find(file, number, f"as the process began: {_FOUND_AT_START[read.entry.what]}")

    def _check(self, file: str, number: int, read: Line) -> None:
        before = self._place
        if before is None:
            self._report.first = read.number
            if read.number == 1 and read.previous != GENESIS:
                self._find(file, number, "the first line names a line before it")
        elif read.number != before.number + 1:
            missing = read.number - before.number - 1
            said = f"{missing} lines are missing before it" if missing > 0 else "it stands behind a later one"
            self._find(file, number, f"number {read.number} follows {before.number}: {said}")
        elif read.previous != before.hash:
            self._find(file, number, "the line before it is not the one that was written there")
        if read.checkpoint is not None:
            if is_signed(read, self._key):
                self._report.unsigned = 0
            else:
                self._find(file, number, "the checkpoint is not signed by this key")

    def end(self, file: str, head: Head | None) -> None:
        """Compare the end with the head, where there is one, and the beginning with what was
        removed in good order."""
        first = self._report.first
        if first > 1 and first - 1 not in self._expired:
            self._find(file, 0, f"it begins at line {first}; {first - 1} lines before it are missing")
        if head is not None:
            self.check_end(file, head)

    def check_end(self, file: str, head: Head) -> None:
        """The log ends where the head says, or among the lines that were being written as the
        process died; then those are the ones that it announced."""
        place = self._place or Place()
        if place.number < head.number:
            lost = head.number - place.number
            self._find(file, 0, f"it ends at line {place.number}; {lost} more were written")
        elif place.number > head.next_number:
            added = place.number - head.next_number
            self._find(file, 0, f"{added} lines stand behind the last that was written")
        elif place.number == head.number and place.hash != head.hash:
            self._find(file, 0, f"its last line, {place.number}, is not the one that was written")
        elif place.number == head.next_number and place.hash != head.next_hash:
            self._find(file, 0, f"its last line, {place.number}, is not the one that was to be written")

    def read_head(self, octets: bytes | None) -> Head | None:
        """The head of the log; None, and a finding, where it is missing or the key did not sign
        it."""
        if octets is None:
            self._find(HEAD, 0, "it is missing, so that nobody knows how long the log was")
            return None
        try:
            return read_head(octets, self._key)
        except ValueError:
            self._find(HEAD, 0, "it is not signed by this key")
        return None

    def _find(self, file: str, line: int, what: str) -> None:
        self._report.findings.append(Finding(file=file, line=line, what=what))
