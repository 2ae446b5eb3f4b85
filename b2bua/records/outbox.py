"""The table of messages that wait for a service of the company's: in the file of payments, so that
a payment and what is said of it are one transaction."""

from __future__ import annotations

import sqlite3

from b2bua.notify.message import Message

_TABLE = """
    CREATE TABLE IF NOT EXISTS outbox (
        id TEXT PRIMARY KEY, subject TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
        created_at REAL NOT NULL, until REAL NOT NULL, attempts INTEGER NOT NULL, next_at REAL NOT NULL
    );
    CREATE INDEX IF NOT EXISTS outbox_subject ON outbox (subject);
"""


class OutboxTable:
    """Its methods block; they raise sqlite3.Error where the disk fails."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.executescript(_TABLE)

    def add(self, message: Message, *, only: bool) -> None:
        """Keep a message. `only`: those of its subject that wait are not sent any more."""
        if only:
            self._database.execute("DELETE FROM outbox WHERE subject = ?", (message.subject,))
        self._database.execute(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.id, message.subject, message.kind, message.body,
                message.created_at, message.until, message.attempts, message.next_at,
            ),
        )  # fmt: skip

    def note(self, message: Message, *, is_over: bool) -> None:
        """Note an attempt. `is_over`: there is no other."""
        if is_over:
            self._database.execute("DELETE FROM outbox WHERE id = ?", (message.id,))
        else:
            query = "UPDATE outbox SET attempts = ?, next_at = ? WHERE id = ?"
            self._database.execute(query, (message.attempts, message.next_at, message.id))

    def all(self) -> list[Message]:
        """What waits, the oldest first."""
        names = ("id", "subject", "kind", "body", "created_at", "until", "attempts", "next_at")
        rows = self._database.execute(f"SELECT {', '.join(names)} FROM outbox ORDER BY rowid")  # noqa: S608
        return [Message(**dict(zip(names, row, strict=True))) for row in rows]
