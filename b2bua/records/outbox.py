"""The table of messages that wait for a service of the company's: in the file of payments, so that
a payment and what is said of it are one transaction."""

from __future__ import annotations

import sqlite3
from typing import Literal

from b2bua.notify.message import Message

_TABLE = """
    CREATE TABLE IF NOT EXISTS {0} (
        id TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
        created_at REAL NOT NULL, until REAL NOT NULL, attempts INTEGER NOT NULL, next_at REAL NOT NULL
    );
    CREATE INDEX IF NOT EXISTS {0}_subject ON {0} (subject);
"""


class OutboxTable:
    """Its methods block; they raise sqlite3.Error where the disk fails."""

    def __init__(self, database: sqlite3.Connection, name: Literal["outbox", "notices"] = "outbox") -> None:
        """`name`: of the table."""
        self._database, self._name = database, name
        self._database.executescript(_TABLE.format(name))

    def add(self, message: Message, *, only: bool) -> None:
        """Keep a message. `only`: those of its subject that wait are not sent any more."""
        if only:
            self._database.execute(f"DELETE FROM {self._name} WHERE subject = ?", (message.subject,))  # noqa: S608
        self._database.execute(
            f"INSERT INTO {self._name} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                message.id, message.subject, message.kind, message.body,
                message.created_at, message.until, message.attempts, message.next_at,
            ),
        )  # fmt: skip

    def note(self, message: Message, *, is_over: bool) -> None:
        """Note an attempt. `is_over`: there is no other."""
        if is_over:
            self._database.execute(f"DELETE FROM {self._name} WHERE id = ?", (message.id,))  # noqa: S608
        else:
            query = f"UPDATE {self._name} SET attempts = ?, next_at = ? WHERE id = ?"  # noqa: S608
            self._database.execute(query, (message.attempts, message.next_at, message.id))

    def all(self) -> list[Message]:
        """What waits, the oldest first."""
        names = ("id", "subject", "kind", "body", "created_at", "until", "attempts", "next_at")
        query = f"SELECT {', '.join(names)} FROM {self._name} ORDER BY rowid"  # noqa: S608
        rows = self._database.execute(query)
        return [Message(**dict(zip(names, row, strict=True))) for row in rows]

    def count(self) -> int:
        """How many wait."""
        return int(self._database.execute(f"SELECT count(*) FROM {self._name}").fetchone()[0])  # noqa: S608
