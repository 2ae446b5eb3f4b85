"""Audit logs for tests, and one that grows as a running process's does."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile

KEY = Ed25519PrivateKey.generate()
AT = 1_796_000_000.0


class GrowingLog:
    """`add` appends entries; `last` is the number of the last line."""

    def __init__(self, directory: Path, file_bytes: int = 4_000) -> None:
        self.directory, self._file_bytes = directory, file_bytes
        self._file = LogFile(directory, KEY, lambda: AT, file_bytes)

    def add(self, count: int = 1, **more: str) -> None:
        for number in range(count):
            entry = Entry(at="2026-12-01T10:02:07.114Z", who="Zoë", what="submit_card", result=Result.ASKED,
                          call=f"c-{number}", **more)  # fmt: skip
            self._file.append([entry])

    def last(self) -> int:
        return self._file.place.number

    def close(self) -> None:
        self._file.close()
