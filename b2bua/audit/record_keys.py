"""Keeps the keys of what is personal in an audit log: who loses its key is erased, and the chain
stays as it is.

Rule 1: one key is for one name on one call on one day, another for the call itself on that day. A
        key is on disk before the first line that needs it.
Rule 2: a key that was deleted stands in no file of ours: the file is written anew after a
        deletion, since a row that SQLite has once moved leaves a copy that `secure_delete` does
        not find, and its journal is cut to nothing by the commit. A process that is killed in
        between leaves its mark, and the next one writes the file anew before it reads. Nobody
        keeps a key in memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from b2bua.audit.entry import Entry
from b2bua.audit.sealing import Key, names_call, names_person, seal

FILE: Final = "record-keys.sqlite"
# SQLite's `user_version` from a deletion until the file is written anew.
_STALE: Final = 1
_THE_CALL: Final = ""  # in the place of a name
_PATIENCE: Final = 5.0  # seconds for another process that writes
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    who TEXT NOT NULL, call TEXT NOT NULL, day TEXT NOT NULL, key BLOB NOT NULL,
    UNIQUE (who, call, day));
CREATE INDEX IF NOT EXISTS of_call ON keys (call);
CREATE INDEX IF NOT EXISTS of_day ON keys (day);
"""


class RecordKeys:
    """The keys in the directory of a log. Its methods block, and raise OSError."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._database: sqlite3.Connection | None = None

    def seal(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, with what is personal in them under their keys. New keys are on disk."""
        if not any(names_person(each) or names_call(each) for each in entries):
            return list(entries)
        with self._transaction() as database:
            return [self._sealed(database, each) for each in entries]

    def find(self, number: int) -> bytes | None:
        """The key of that number; None where it was erased, or never was."""
        with self._read() as database:
            row = database.execute("SELECT key FROM keys WHERE id = ?", (number,)).fetchone()
        return bytes(row[0]) if row is not None else None

    def count(self, *, who: str = "", call: str = "", before: str = "") -> int:
        """How many keys there are of that name, call, or of days before that one (2026-12-31)."""
        where, value = _where(who, call, before)
        with self._read() as database:
            return int(database.execute(f"SELECT count(*) FROM keys WHERE {where}", (value,)).fetchone()[0])  # noqa: S608

    def erase(self, *, who: str = "", call: str = "", before: str = "") -> int:
        """Delete those keys, at once or not at all; how many. Its time grows with all keys that are
        left, since the file is written anew."""
        where, value = _where(who, call, before)
        with self._transaction() as database:
            deleted = database.execute(f"DELETE FROM keys WHERE {where}", (value,)).rowcount  # noqa: S608
            if deleted:
                database.execute(f"PRAGMA user_version = {_STALE}")
        with _as_os_error():
            _write_anew(database)
        return deleted

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _sealed(self, database: sqlite3.Connection, entry: Entry) -> Entry:
        person = self._key_of(database, entry.who, entry) if names_person(entry) else None
        about = self._key_of(database, _THE_CALL, entry) if names_call(entry) else None
        return seal(entry, person, about)

    def _key_of(self, database: sqlite3.Connection, who: str, entry: Entry) -> Key:
        about = (who, entry.call, entry.at[:10])
        row = database.execute(
            "SELECT id, key FROM keys WHERE (who, call, day) = (?, ?, ?)", about
        ).fetchone()
        if row is not None:
            return Key(int(row[0]), bytes(row[1]))
        key = secrets.token_bytes(32)
        made = database.execute("INSERT INTO keys (who, call, day, key) VALUES (?, ?, ?, ?)", (*about, key))
        assert made.lastrowid is not None
        return Key(made.lastrowid, key)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _as_os_error():
            database = self._open()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with _as_os_error():
            yield self._open()

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            database = sqlite3.connect(
                self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                database.execute("PRAGMA secure_delete = ON")
                database.execute("PRAGMA journal_mode = TRUNCATE")
                database.execute("PRAGMA synchronous = FULL")
                database.executescript(_SCHEMA)
                _write_anew(database)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database


def _write_anew(database: sqlite3.Connection) -> None:
    """Leave nothing of what was deleted."""
    if database.execute("PRAGMA user_version").fetchone()[0] == _STALE:
        database.execute("VACUUM")
        database.execute("PRAGMA user_version = 0")


def _where(who: str, call: str, before: str) -> tuple[str, str]:
    """What a statement asks for, and its value."""
    if who:
        return "who = ?", who
    if call:
        return "call = ?", call
    if before:
        return "day < ?", before
    raise ValueError("expected a name, a call or a day")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"the record keys cannot be used ({type(error).__name__})") from None
