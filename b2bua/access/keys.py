"""Keeps the keys of programs: an id and a secret, with roles, scopes and an end.

Rule 1: the secret is shown once, when it is made. What is kept is its HMAC under a pepper, which is
        in a file of its own: the database alone lets nobody in, nor tells which key is whose.
Rule 2: an id that there is not costs what a wrong secret costs; secrets are compared in constant
        time.
Rule 3: each request reads the row: a key that was revoked a moment ago, by whichever process, opens
        nothing, and ends a feed at its next event.
Rule 4: every key ends, after MAX_DAYS at the latest.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope
from b2bua.access.secret_file import read_or_make
from b2bua.access.store import open_store

DEFAULT_DAYS: Final = 90
MAX_DAYS: Final = 365
PREFIX: Final = "tw_"
DAY: Final = 86_400.0
_PEPPER_FILE: Final = "access.key"
_KEY = re.compile(r"tw_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_NOBODY: Final = bytes(32)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at REAL NOT NULL,
    created_by TEXT NOT NULL,
    expires_at REAL NOT NULL,
    revoked_at REAL,
    used_at REAL,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
_BY_ID: Final = "SELECT * FROM keys WHERE id = ?"
_Row = tuple[str, str, str, str, float, str, float, float | None, float | None, bytes]


class BadKey(Exception):
    """A key that cannot be made, or is not there; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times in seconds since the epoch."""

    id: str
    name: str
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None
    used_at: float | None

    def is_valid(self, now: float) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and now < self.expires_at

    def principal(self) -> Principal:
        """The program that has it."""
        return Principal(
            name=self.name,
            roles=self.roles,
            scopes=self.scopes,
            method="key",
            credential=f"key:{self.id}",
            expires_at=self.expires_at,
        )


class KeyStore:
    """The keys in a directory. One a thread: SQLite's connections belong to theirs."""

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        """Raises OSError and sqlite3.Error where it cannot be used."""
        self._database = open_store(directory, _TABLES)
        self._pepper = read_or_make(directory / _PEPPER_FILE)
        self._now = now

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def create(
        self, name: str, roles: frozenset[Role], scopes: frozenset[Scope], days: float, by: str
    ) -> tuple[str, Key]:
        """Make a key; its text, which is kept nowhere, and its row. Raises BadKey."""
        _check(name, roles, scopes, days)
        identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now = self._now()
        expires_at = now + days * DAY
        self._database.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)",
            (
                identifier, name, "+".join(sorted(roles)), " ".join(sorted(scopes)), now, by, expires_at,
                self._digest(identifier, secret),
            ),
        )  # fmt: skip
        return f"{PREFIX}{identifier}_{secret}", self.find(identifier)

    def find(self, wanted: str) -> Key:
        """The key of this id, or the one valid key of this name. Raises BadKey."""
        row = self._database.execute(_BY_ID, (wanted,)).fetchone()
        if row is None:
            found = [each for each in self.all() if each.name == wanted and each.is_valid(self._now())]
            if len(found) > 1:
                raise BadKey(
                    f"several keys are called so: {', '.join(each.id for each in found)}; give an id"
                )
            if not found:
                raise BadKey("there is no such key; `tonewall token list` has them")
            return found[0]
        return _key(row)

    def all(self) -> list[Key]:
        """All keys, the newest first."""
        found = self._database.execute("SELECT * FROM keys ORDER BY created_at DESC, id")
        return [_key(row) for row in found]

    def revoke(self, identifier: str, at: float | None = None) -> None:
        """Let it open nothing from now on, or from a time on. The earliest counts."""
        at = self._now() if at is None else at
        if at <= self._now():
            self._database.execute(
                "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, identifier)
            )
        else:
            self._database.execute(
                "UPDATE keys SET expires_at = min(expires_at, ?) WHERE id = ?", (at, identifier)
            )

    def verify(self, text: str) -> Key | None:
        """The valid key that this text is; None where it is none."""
        match = _KEY.fullmatch(text)
        identifier, secret = match.groups() if match is not None else ("", "")
        row = self._database.execute(_BY_ID, (identifier,)).fetchone()
        kept = row[-1] if row is not None else _NOBODY
        is_same = hmac.compare_digest(self._digest(identifier, secret), kept)
        if row is None or not is_same:
            return None
        key = _key(row)
        return key if key.is_valid(self._now()) else None

    def is_valid(self, identifier: str) -> bool:
        """Whether there is such a key, and it opens anything now."""
        row = self._database.execute(_BY_ID, (identifier,)).fetchone()
        return row is not None and _key(row).is_valid(self._now())

    def note_use(self, used: dict[str, float]) -> None:
        """Note when keys were used last, by their id."""
        self._database.executemany(
            "UPDATE keys SET used_at = ? WHERE id = ?", [(at, identifier) for identifier, at in used.items()]
        )

    def _digest(self, identifier: str, secret: str) -> bytes:
        return hmac.digest(self._pepper, f"{identifier}:{secret}".encode(), hashlib.sha256)


def _check(name: str, roles: frozenset[Role], scopes: frozenset[Scope], days: float) -> None:
    if not _NAME.fullmatch(name):
        raise BadKey("--name: expected letters, digits and ._@-, 64 at most")
    if not 0 < days <= MAX_DAYS:
        raise BadKey(f"--expires: expected {MAX_DAYS} days at most; rotate it before")
    if (Role.INTEGRATION in roles) is not bool(scopes):
        raise BadKey(f"--scope: expected for the role integration, and for it alone; of {', '.join(Scope)}")


def _key(row: _Row) -> Key:
    identifier, name, roles, scopes, created_at, created_by, expires_at, revoked_at, used_at, _ = row
    # A role or scope that this version does not have is none.
    known_roles = frozenset(Role(each) for each in roles.split("+") if each in set(Role))
    known_scopes = frozenset(Scope(each) for each in scopes.split() if each in set(Scope))
    return Key(
        identifier, name, known_roles, known_scopes, created_at, created_by, expires_at, revoked_at, used_at
    )
