"""Searches a file of lines from its beginning, without splitting what does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1024 * 1024


def lines_with(path: Path, wanted: bytes) -> Iterator[bytes]:
    """The whole lines that hold `wanted`, oldest first; most chunks are passed over without being
    split."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return
    with file:
        rest = b""
        while chunk := file.read(_CHUNK):
            head, newline, tail = (rest + chunk).rpartition(b"\n")
            rest = tail
            if newline and wanted in head:
                yield from (line for line in head.split(b"\n") if wanted in line)
        # What follows the last newline was cut short by a crash.
