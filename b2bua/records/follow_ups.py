"""The table of what was done about payments: beside them in their file, in a row each.

Rule 1: whether something may be done, that it begins, and what its request is answered, is one
        transaction: no request that is sent again does it twice.
Rule 2: an outcome that is final is not overwritten; one that stays unknown, by a person's word
        alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

import msgspec

from b2bua.call.follow_up import FollowUpView
from b2bua.call.view import PaymentView
from provider_adapters.payment import FINAL_REASONS, Accepted, FollowUpOutcome, Unknown

TABLES = """
    CREATE TABLE IF NOT EXISTS follow_ups (
        key TEXT PRIMARY KEY, payment TEXT NOT NULL, at REAL NOT NULL, is_open INTEGER NOT NULL,
        view BLOB NOT NULL
    );
    CREATE INDEX IF NOT EXISTS follow_ups_payment ON follow_ups (payment, at);
    CREATE INDEX IF NOT EXISTS follow_ups_open ON follow_ups (at) WHERE is_open;
"""
_VIEW = msgspec.json.Decoder(FollowUpView)
Transaction = Callable[[], AbstractContextManager[None]]


def is_open(outcome: FollowUpOutcome | None) -> bool:
    """Whether another outcome may still come."""
    if isinstance(outcome, Unknown):
        return outcome.reason not in FINAL_REASONS
    return outcome is None or isinstance(outcome, Accepted)


class FollowUpTable:
    """Its methods block; they raise sqlite3.Error where the disk fails."""

    def __init__(self, database: sqlite3.Connection, transaction: Transaction) -> None:
        self._database, self._transaction = database, transaction
        self._database.executescript(TABLES)
        # Gets each that has an outcome, and the id of its payment, inside the transaction.
        self.observe: Callable[[str, FollowUpView], None] = lambda payment_id, view: None

    def begin(
        self,
        payment_id: str,
        find: Callable[[str], PaymentView | None],
        plan: Callable[[PaymentView | None], FollowUpView],
        remember: Callable[[PaymentView], None],
    ) -> PaymentView:
        """Note what is about to be done about a payment; on disk when this returns. `find` reads
        the payment, `plan` decides, or raises, and then nothing is noted; `remember` keeps what is
        answered."""
        with self._transaction():
            payment = find(payment_id)
            planned = plan(payment)
            assert payment is not None
            at = datetime.fromisoformat(planned.at).timestamp()
            self._database.execute(
                "INSERT INTO follow_ups VALUES (?, ?, ?, 1, ?)",
                (planned.key, payment_id, at, msgspec.json.encode(planned)),
            )
            after = msgspec.structs.replace(payment, follow_ups=(*payment.follow_ups, planned))
            remember(after)
        return after

    def settle(self, key: str, outcome: FollowUpOutcome, at: str, by: str, who: str) -> str | None:
        """Write what became of one. `by`: who found it, where that is not the sender; `who`: which
        person. The id of its payment; None where nothing has changed."""
        with self._transaction():
            query = "SELECT payment, view, is_open FROM follow_ups WHERE key = ?"
            row = self._database.execute(query, (key,)).fetchone()
            before = _VIEW.decode(row[1]) if row else None
            if before is None or before.outcome == outcome:
                return None
            if not row[2] and not (by == "person" and isinstance(before.outcome, Unknown)):
                return None
            view = msgspec.structs.replace(
                before, outcome=outcome, decided_at=at, decided_by=by or None, settled_by=who or None
            )
            self._database.execute(
                "UPDATE follow_ups SET is_open = ?, view = ? WHERE key = ?",
                (is_open(outcome), msgspec.json.encode(view), key),
            )
            self.observe(str(row[0]), view)
        return str(row[0])

    def open(self, since: float) -> list[tuple[str, FollowUpView]]:
        """Those that began since then and whose end is not known, each with its payment's id; the
        oldest first."""
        query = "SELECT payment, view FROM follow_ups WHERE is_open AND at >= ? ORDER BY at"
        return [(payment, _VIEW.decode(view)) for payment, view in self._database.execute(query, (since,))]

    def attach(self, payments: Sequence[PaymentView]) -> list[PaymentView]:
        """The payments with what was done about each."""
        found: dict[str, list[FollowUpView]] = {}
        marks = ", ".join("?" * len(payments))
        query = f"SELECT payment, view FROM follow_ups WHERE payment IN ({marks}) ORDER BY at, rowid"  # noqa: S608
        for payment, view in self._database.execute(query, [each.id for each in payments]):
            found.setdefault(payment, []).append(_VIEW.decode(view))
        if not found:
            return list(payments)
        return [msgspec.structs.replace(each, follow_ups=tuple(found.get(each.id, ()))) for each in payments]

    def prune(self) -> None:
        """Delete those of payments that are no more."""
        self._database.execute("DELETE FROM follow_ups WHERE payment NOT IN (SELECT id FROM payments)")
