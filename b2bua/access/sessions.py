"""Keeps who is signed in: sessions of people, known by a cookie.

Rule 1: only the SHA-256 of a cookie is kept.
Rule 2: a session ends `idle` seconds after the last request that changes something, and `life`
        seconds after its sign-in. Nothing that is only read keeps it, least of all the feed.
Rule 3: each request reads the row: what was ended a moment ago, by whichever process, opens
        nothing, and ends a feed at its next event.
Rule 4: a cookie counts in requests without an Authorization header, under one name, given once.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from b2bua.access.cookies import SAFE, read_cookie
from b2bua.access.principal import Principal
from b2bua.access.store import open_store
from tonewall.log import get_logger

log = get_logger(__name__)
IDLE: Final = 900.0  # seconds; PCI DSS 8.2.8
LIFE: Final = 43_200.0
_MOST: Final = 20  # sessions of one person; the oldest ends
_NOTED: Final = 30.0  # seconds between two notes of a session's use on disk
_KIND: Final = "session:"  # before its id, as a credential
SESSION_TABLES: Final = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    principal BLOB NOT NULL,
    source TEXT NOT NULL,
    opened_at REAL NOT NULL,
    used_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_of ON sessions (name);
"""
_Row = tuple[str, bytes, float, float]
_T = TypeVar("_T")


class SessionFile:
    """The sessions in a directory. One a thread: SQLite's connections belong to theirs."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError and sqlite3.Error where it cannot be used."""
        self._database = open_store(directory, SESSION_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, digest: bytes, principal: Principal, source: str, now: float, ends: float) -> None:
        """Keep a new session. Those that were used last before `ends` are over, and go."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM sessions WHERE used_at < ?", (ends,))
            database.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    secrets.token_hex(8), digest, principal.name, msgspec.json.encode(principal), source,
                    now, now,
                ),
            )  # fmt: skip
            database.execute(
                "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE name = ? "
                "ORDER BY opened_at DESC LIMIT -1 OFFSET ?)",
                (principal.name, _MOST),
            )

    def find(self, digest: bytes) -> _Row | None:
        """Id, principal, and when it was opened and used last."""
        row: _Row | None = self._database.execute(
            "SELECT id, principal, opened_at, used_at FROM sessions WHERE digest = ?", (digest,)
        ).fetchone()
        return row

    def times(self, identifier: str) -> tuple[float, float] | None:
        """When a session was opened and used last; None where there is none of this id."""
        row: tuple[float, float] | None = self._database.execute(
            "SELECT opened_at, used_at FROM sessions WHERE id = ?", (identifier,)
        ).fetchone()
        return row

    def note_use(self, identifier: str, now: float) -> None:
        """Note when a session was used last."""
        self._database.execute("UPDATE sessions SET used_at = ? WHERE id = ?", (now, identifier))

    def end(self, identifier: str) -> None:
        """End one session."""
        self._database.execute("DELETE FROM sessions WHERE id = ?", (identifier,))

    def end_all(self, name: str) -> int:
        """End all sessions of somebody; how many there were."""
        return self._database.execute("DELETE FROM sessions WHERE name = ?", (name,)).rowcount

    def end_where(self, ended: Callable[[Principal], bool]) -> list[str]:
        """End the sessions of those principals; their names, one entry a session."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            rows = database.execute("SELECT id, name, principal FROM sessions").fetchall()
            over = [(each, name) for each, name, encoded in rows if (who := _read(encoded)) and ended(who)]
            database.executemany("DELETE FROM sessions WHERE id = ?", [(each,) for each, _ in over])
        return [name for _, name in over]

    def names(self) -> list[str]:
        """Who has sessions on file, one entry a session."""
        return [name for (name,) in self._database.execute("SELECT name FROM sessions ORDER BY name")]


class Sessions:
    """The sessions of a running process. An authenticator. `now`: seconds since the epoch; `idle`
    and `life` in seconds."""

    def __init__(
        self,
        directory: Path,
        now: Callable[[], float] = time.time,
        *,
        idle: float = IDLE,
        life: float = LIFE,
    ) -> None:
        """Raises OSError and sqlite3.Error where the file cannot be used."""
        self._file = SessionFile(directory)
        self._directory, self._now = directory, now
        self._idle, self._life = idle, life
        self._used: dict[str, float] = {}  # by id, newer than on disk
        self._writer = ThreadPoolExecutor(1, "sessions")
        self._watchers: list[Callable[[], None]] = []

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this after sessions were ended by us."""
        self._watchers.append(watcher)

    async def open(self, principal: Principal, source: str) -> str:
        """Begin a session of somebody who was just authenticated, from this address; what its
        cookie holds. Raises OSError and sqlite3.Error."""
        cookie, now = secrets.token_urlsafe(32), self._now()
        ends = now - self._idle - 2 * _NOTED
        await self._write(lambda file: file.add(_digest(cookie), principal, source, now, ends))
        return cookie

    async def end(self, principal: Principal) -> None:
        """End the session that a request came with. Raises OSError and sqlite3.Error."""
        identifier = session_of(principal)
        self._used.pop(identifier, None)
        await self._end(lambda file: file.end(identifier))

    async def end_all(self, name: str) -> int:
        """End all sessions of somebody; how many there were. Raises OSError and sqlite3.Error."""
        return await self._end(lambda file: file.end_all(name))

    async def end_where(self, ended: Callable[[Principal], bool]) -> list[str]:
        """End the sessions of those principals; their names, one entry a session. Raises OSError
        and sqlite3.Error."""
        return await self._end(lambda file: file.end_where(ended))

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        cookie = read_cookie(scope)
        found = self._file.find(_digest(cookie)) if cookie else None
        if found is None:
            return None
        identifier, encoded, opened_at, used_at = found
        if not self._is_open(identifier, opened_at, used_at):
            return None
        principal = _read(encoded)
        if principal is None:
            return None
        if scope["method"] not in SAFE:
            self._note_use(identifier, used_at)
        return replace(principal, credential=f"{_KIND}{identifier}")

    def holds(self, principal: Principal) -> bool:
        """See Authenticator."""
        identifier = session_of(principal)
        if not identifier:
            return True
        times = self._file.times(identifier)
        return times is not None and self._is_open(identifier, *times)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._writer.shutdown()
        self._file.close()

    def _is_open(self, identifier: str, opened_at: float, used_at: float) -> bool:
        now = self._now()
        used_at = max(used_at, self._used.get(identifier, 0.0))
        return now < used_at + self._idle and now < opened_at + self._life

    def _note_use(self, identifier: str, on_disk: float) -> None:
        now = self._now()
        self._used[identifier] = now
        if now - on_disk >= _NOTED:
            self._writer.submit(self._note_on_disk, identifier, now)
        if len(self._used) > 10_000:  # of sessions that are long over
            self._used = {each: at for each, at in self._used.items() if at > now - self._idle}

    def _note_on_disk(self, identifier: str, now: float) -> None:
        try:
            self._in_thread(lambda file: file.note_use(identifier, now))
        except (OSError, sqlite3.Error) as error:  # it ends earlier, should the process end now
            log.warning("session_not_noted", why=type(error).__name__)

    async def _end(self, action: Callable[[SessionFile], _T]) -> _T:
        found = await self._write(action)
        for each in self._watchers:
            each()
        return found

    async def _write(self, action: Callable[[SessionFile], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._in_thread, action)

    def _in_thread(self, action: Callable[[SessionFile], _T]) -> _T:
        with closing(SessionFile(self._directory)) as file:
            return action(file)


def session_of(principal: Principal) -> str:
    """The id of the session that a request came with; empty where it came with something else."""
    credential = principal.credential
    return credential.removeprefix(_KIND) if credential.startswith(_KIND) else ""


def _read(encoded: bytes) -> Principal | None:
    try:
        return msgspec.json.decode(encoded, type=Principal)
    except msgspec.ValidationError:  # a role that this version does not have
        return None


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("latin-1")).digest()
