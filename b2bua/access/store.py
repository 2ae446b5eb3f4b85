"""Opens the file of keys, people and sessions: SQLite on a local disk, beside which commands write
too.

Rule 1: nothing in it lets anybody in by itself: hashes, and what is encrypted by a key elsewhere.
Rule 2: the file is its owner's alone (mode 0600); what is deleted is overwritten.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

FILE: Final = "access.db"
_PATIENCE: Final = 5.0  # seconds that a write waits for another process's


def open_store(directory: Path, tables: str) -> sqlite3.Connection:
    """The file in `[access] directory`, which is made where it is missing, with these tables
    (statements that may be repeated). Each thread opens its own.

    Raises OSError and sqlite3.Error where it cannot be used.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE
    # Only where there is none: whoever closes a descriptor of a file loses this process's locks on
    # it, and another process then takes the log of changes away from under our connections.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
            database.execute(f"PRAGMA {setting}")
        database.executescript(tables)
    except BaseException:
        database.close()
        raise
    return database
