"""Cuts a period out of an audit log, such that what was cut verifies by itself.

Rule 1: an excerpt begins at the last checkpoint before the period, or where the log begins, and
        ends at the first checkpoint behind it; where there is none yet, at the head of the log.
Rule 2: no line between is left out: an excerpt without some lines is no proof.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.audit.chain import Line, read_line
from b2bua.audit.entry import Entry
from b2bua.audit.reading import Unsealer
from b2bua.audit.verify import HEAD, Chain, Report, head_of, log_files, read_lines

FILE: Final = "audit-excerpt.jsonl"


class Excerpt(msgspec.Struct, kw_only=True):
    """What was cut: the numbers of its first and last line. `is_closed`: it ends at a checkpoint;
    else the head vouches for its end. `log`: the verification of the whole log at that moment.
    `counts`: the entries of the period by operation and result; `kept`: those asked for, with
    their numbers."""

    first: int = 0
    last: int = 0
    is_closed: bool = False
    log: Report = msgspec.field(default_factory=Report)
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    kept: list[tuple[int, Entry]] = msgspec.field(default_factory=list)


def cut_excerpt(
    directory: Path, key: Ed25519PublicKey, since: str, until: str, to: Path, keep: frozenset[str]
) -> Excerpt:
    """Write the excerpt of [since, until), times as `at` of an entry has them, into a directory.
    `keep`: the operations whose entries are returned, with what is sealed in them. Raises OSError.

    The log may be written meanwhile: what was written after its head was read is left alone.
    """
    excerpt = Excerpt()
    chain = Chain(excerpt.log, key)
    octets = head_of(directory)
    files = log_files(directory)
    head = chain.read_head(octets) if octets is not None or files else None
    with (to / FILE).open("wb") as file:
        window = _Window(excerpt, since, until, keep, file)
        for path in files:
            for number, line in enumerate(read_lines(path), start=1):
                if head is not None and chain.number >= head.number:
                    break
                chain.follow(path.name, number, line)
                window.take(line)
        window.end()
    chain.end(files[-1].name if files else "", head)
    if octets is not None and not excerpt.is_closed:
        (to / HEAD).write_bytes(octets)
    unseal = Unsealer(directory)
    excerpt.kept = [(number, unseal(entry)) for number, entry in excerpt.kept]
    unseal.close()
    return excerpt


def verify_excerpt(directory: Path, key: Ed25519PublicKey) -> Report:
    """Every change to an excerpt that was made without the key. Raises OSError."""
    report = Report()
    chain = Chain(report, key)
    for number, line in enumerate(read_lines(directory / FILE), start=1):
        chain.follow(FILE, number, line)
    if report.unsigned:  # behind the last checkpoint
        head = chain.read_head(head_of(directory))
        if head is not None:
            chain.check_end(FILE, head)
    return report


class _Window:
    """The lines of a period, with those up to a checkpoint on either side."""

    def __init__(
        self, excerpt: Excerpt, since: str, until: str, keep: frozenset[str], file: BinaryIO
    ) -> None:
        self._excerpt, self._since, self._until, self._keep = excerpt, since, until, keep
        self._file = file
        self._before: list[bytes] = []  # since the last checkpoint before the period
        self._is_in = False

    def take(self, octets: bytes) -> None:
        """One more line of the log."""
        excerpt = self._excerpt
        if excerpt.is_closed:
            return
        try:
            read = read_line(octets.rstrip(b"\n"))
        except ValueError:  # the verification says so
            self._before.append(octets)
            return
        at = _time_of(read)
        if not self._is_in and at < self._since and read.checkpoint is not None:
            self._before.clear()
            excerpt.first = 0
        self._before.append(octets)
        excerpt.first, excerpt.last = excerpt.first or read.number, read.number
        self._is_in |= at >= self._since
        if self._is_in:
            self.end()
        if read.entry is not None and self._since <= at < self._until:
            excerpt.counts[f"{read.entry.what} {read.entry.result}"] += 1
            if read.entry.what in self._keep:
                excerpt.kept.append((read.number, read.entry))
        excerpt.is_closed = at >= self._until and read.checkpoint is not None

    def end(self) -> None:
        """Write the lines that wait."""
        self._file.writelines(self._before)
        self._before.clear()


def _time_of(line: Line) -> str:
    return line.entry.at if line.entry is not None else line.checkpoint.at if line.checkpoint else ""
