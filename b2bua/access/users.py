"""Keeps the people who sign in by a name and a password of their own.

Rule 1: of a password its hash alone is kept.
Rule 2: who is changed in what they may do, or in how they sign in, loses their sessions in the same
        transaction.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.sessions import SESSION_TABLES
from b2bua.access.store import open_store

METHOD: Final = "password"
# Programs have tokens.
ROLES: Final = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMINISTRATOR, Role.AUDITOR})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TABLES: Final = (
    SESSION_TABLES
    + """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    roles TEXT NOT NULL,
    teams TEXT NOT NULL,
    password TEXT NOT NULL,
    must_change INTEGER NOT NULL,
    totp BLOB,
    totp_step INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created_at REAL NOT NULL,
    password_at REAL NOT NULL,
    signed_in_at REAL
) STRICT, WITHOUT ROWID;
"""
)


class BadUser(Exception):
    """Somebody who cannot be added, or is not there; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody. `totp`: their app's secret, encrypted; times in seconds since the epoch."""

    name: str
    roles: frozenset[Role]
    teams: frozenset[str]
    password: str
    must_change: bool
    totp: bytes | None
    totp_step: int
    disabled: bool
    created_at: float
    password_at: float
    signed_in_at: float | None

    @property
    def principal(self) -> Principal:
        """Who they are to the API."""
        return Principal(
            name=self.name,
            roles=self.roles,
            method=METHOD,
            credential=f"user:{self.name}",
            teams=self.teams,
        )

    def __repr__(self) -> str:
        return f"<User {self.name}>"


class UserFile:
    """The people in a directory. One a thread: SQLite's connections belong to theirs."""

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        """Raises OSError and sqlite3.Error where it cannot be used."""
        self._database = open_store(directory, _TABLES)
        self._now = now

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, name: str) -> User | None:
        """Somebody, if there is such a name."""
        row = self._database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else _user(row)

    def get(self, name: str) -> User:
        """The same. Raises BadUser."""
        found = self.find(name)
        if found is None:
            raise BadUser("there is nobody of that name; `tonewall user list` has them")
        return found

    def all(self) -> list[User]:
        """Everybody, by name."""
        return [_user(row) for row in self._database.execute("SELECT * FROM users ORDER BY name")]

    def any(self) -> bool:
        """Whether there is anybody who may sign in."""
        return self._database.execute("SELECT 1 FROM users WHERE disabled = 0 LIMIT 1").fetchone() is not None

    def add(self, name: str, roles: frozenset[Role], teams: frozenset[str], password: str) -> None:
        """Add somebody, who must change that password (a hash) at the first sign-in. Raises
        BadUser."""
        check_user(name, roles, teams)
        now = self._now()
        try:
            self._database.execute(
                "INSERT INTO users VALUES (?, ?, ?, ?, 1, NULL, 0, 0, ?, ?, NULL)",
                (name, "+".join(sorted(roles)), " ".join(sorted(teams)), password, now, now),
            )
        except sqlite3.IntegrityError:
            raise BadUser("there is somebody of that name already") from None

    def set_password(self, name: str, password: str, *, must_change: bool) -> None:
        """Another password (a hash). Raises BadUser."""
        with self._ending_sessions(name) as database:
            database.execute(
                "UPDATE users SET password = ?, must_change = ?, password_at = ? WHERE name = ?",
                (password, must_change, self._now(), name),
            )

    def rehash(self, name: str, old: str, password: str) -> None:
        """The same password, hashed anew."""
        self._database.execute(
            "UPDATE users SET password = ? WHERE name = ? AND password = ?", (password, name, old)
        )

    def set_totp(self, name: str, totp: bytes | None) -> None:
        """Another secret of their app, encrypted; None: none. Raises BadUser."""
        with self._ending_sessions(name) as database:
            database.execute("UPDATE users SET totp = ?, totp_step = 0 WHERE name = ?", (totp, name))

    def take_step(self, name: str, step: int) -> bool:
        """Let the codes of this step, and of those before, count no more; False where they did not
        any more."""
        taken = self._database.execute(
            "UPDATE users SET totp_step = ? WHERE name = ? AND totp_step < ?", (step, name, step)
        )
        return taken.rowcount == 1

    def set_disabled(self, name: str, disabled: bool) -> None:
        """Let somebody sign in no more, or again. Raises BadUser."""
        with self._ending_sessions(name) as database:
            database.execute("UPDATE users SET disabled = ? WHERE name = ?", (disabled, name))

    def remove(self, name: str) -> None:
        """Remove somebody. Raises BadUser."""
        with self._ending_sessions(name) as database:
            database.execute("DELETE FROM users WHERE name = ?", (name,))

    def sign_out(self, name: str) -> None:
        """End all sessions of somebody, of whichever way of signing in."""
        self._database.execute("DELETE FROM sessions WHERE name = ?", (name,))

    def note_sign_in(self, name: str) -> None:
        """Note that somebody signs in now."""
        self._database.execute("UPDATE users SET signed_in_at = ? WHERE name = ?", (self._now(), name))

    def _ending_sessions(self, name: str) -> AbstractContextManager[sqlite3.Connection]:
        self.get(name)
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("DELETE FROM sessions WHERE name = ?", (name,))
        return self._database


def check_user(name: str, roles: frozenset[Role], teams: frozenset[str]) -> None:
    """Raises BadUser where nobody can be so."""
    if not _NAME.fullmatch(name):
        raise BadUser("expected a name of letters, digits and ._@-, 64 at most")
    if not roles or roles - ROLES:
        raise BadUser(f"--role: expected {', '.join(sorted(ROLES))}; programs have tokens")
    if not all(_NAME.fullmatch(team) for team in teams):
        raise BadUser("--team: expected letters, digits and ._@-")


def _user(row: tuple) -> User:  # type: ignore[type-arg]
    name, roles, teams, password, must_change, totp, step, disabled, created, password_at, signed_in = row
    # A role that this version does not have is none.
    known = frozenset(Role(each) for each in roles.split("+") if each in set(Role))
    return User(
        name, known, frozenset(teams.split()), password, bool(must_change), totp, step, bool(disabled),
        created, password_at, signed_in,
    )  # fmt: skip
