"""Reads the journal as it grows: each whole line once, over rotations."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from provider_adapters.payer.entry import Entry

_CHUNK = 1024 * 1024
_ENTRY = msgspec.json.Decoder(Entry)


class JournalReader:
    """The lines of the journal at `path`, from its rotated files that are younger than `since`
    (seconds since the epoch) on. Methods raise OSError where the disk fails."""

    def __init__(self, path: Path, since: float) -> None:
        self._path = path
        old = sorted(path.parent.glob(f"{path.name}.[0-9]*"))
        self._before = [each for each in old if each.stat().st_mtime >= since]
        self._file: io.FileIO | None = None
        self._rest = b""
        self.rotations = 0
        """How often a new file was begun while this one was read."""

    def read(self) -> Iterator[Entry]:
        """The entries that were written since the last call, oldest first."""
        for path in self._before:
            with path.open("rb") as file:
                yield from _entries(file.read().split(b"\n"))
        self._before = []
        if self._file is None:
            try:
                self._file = io.FileIO(self._path)
            except FileNotFoundError:
                return
        yield from self._read_on()
        if self._is_rotated():
            # What was written between the last read and the rename.
            yield from self._read_on()
            self.close()
            self.rotations += 1
            yield from self.read()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _read_on(self) -> Iterator[Entry]:
        assert self._file is not None
        while chunk := self._file.read(_CHUNK):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            yield from _entries(lines)

    def _is_rotated(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self._path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


def _entries(lines: list[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            yield _ENTRY.decode(line)
        except msgspec.DecodeError:
            continue  # cut short by a crash
