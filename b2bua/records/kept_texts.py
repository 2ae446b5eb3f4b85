"""Everything in the file of payments that may name a person: read, changed, overwritten.

Rule 1: what a payment that is under way still needs is not changed: it would be written anew, or
        missed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

_IS_SENT: Final = """
    number NOT IN (SELECT event FROM webhook_deliveries WHERE state = 'waiting')
"""
# What is kept, its table, the column with the document, and which rows may change.
_SOURCES: Final = (
    ("payments", "payments", "view", "stage IN ('finished', 'cancelled', 'aborted')"),
    ("waiting call records", "payments", "call_record", "FALSE"),
    ("answers", "requests", "answer", "TRUE"),
    ("recipients of links", "links", "recipient", "ended_at IS NOT NULL"),
    ("messages about links", "outbox", "body", "FALSE"),
    ("messages about payments", "notices", "body", "FALSE"),
    ("events for webhooks", "webhook_events", "body", _IS_SENT),
)
_TRIES: Final = 20  # to empty SQLite's log while somebody reads
Transaction = Callable[[], AbstractContextManager[None]]


class Kept(NamedTuple):
    """A document, in JSON. `what`: of which kind it is; `may_change`: nothing under way needs
    it."""

    what: str
    document: bytes
    may_change: bool


class KeptTexts:
    """Its methods block; they raise sqlite3.Error where the disk fails."""

    def __init__(self, database: sqlite3.Connection, transaction: Transaction) -> None:
        self._database, self._transaction = database, transaction

    def all(self) -> list[Kept]:
        """Every document."""
        return [
            Kept(what, bytes(document), bool(may_change))
            for what, table, column, condition in _SOURCES
            for _, document, may_change in self._rows(table, column, condition)
        ]

    def change(
        self, change: Callable[[bytes], bytes | None], *, dry_run: bool
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Write what `change` makes of each document, None where it stays. Returns how many were
        changed, and how many were not since something under way needs them; by kind. `dry_run`:
        nothing is written."""
        changed: dict[str, int] = {}
        needed: dict[str, int] = {}
        with self._transaction():
            for what, table, column, condition in _SOURCES:
                for row, document, may_change in self._rows(table, column, condition):
                    after = change(bytes(document))
                    if after is None:
                        continue
                    count = changed if may_change else needed
                    count[what] = count.get(what, 0) + 1
                    if may_change and not dry_run:
                        query = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
                        self._database.execute(query, (after, row))
        return changed, needed

    def overwrite(self) -> bool:
        """Rewrite the file without what was changed. False: SQLite's log still holds some of it,
        since somebody reads."""
        self._database.execute("VACUUM")
        checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
        return any(self._database.execute(checkpoint).fetchone()[0] == 0 for _ in range(_TRIES))

    def _rows(self, table: str, column: str, condition: str) -> list[tuple[int, bytes, int]]:
        query = f"SELECT rowid, {column}, {condition} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608
        return self._database.execute(query).fetchall()
