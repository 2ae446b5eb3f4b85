"""The table of payment links: to whom each is sent while it is open, and when it ended.

Rule 1: a step of a link, and the message about it, are one transaction.
Rule 2: to whom a link is sent is forgotten with its end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import msgspec

from b2bua.call.link import HandOver, Recipient
from b2bua.call.view import PaymentView
from b2bua.notify.message import Message
from b2bua.records.outbox import OutboxTable

_TABLE = """
    CREATE TABLE IF NOT EXISTS links (payment TEXT PRIMARY KEY, recipient BLOB NOT NULL, ended_at REAL);
    CREATE INDEX IF NOT EXISTS links_ended_at ON links (ended_at) WHERE ended_at IS NOT NULL;
"""
_RECIPIENT = msgspec.json.Decoder(Recipient)
Transaction = Callable[[], AbstractContextManager[None]]
Change = Callable[[PaymentView, Recipient], tuple[PaymentView, Message | None]]


class LinkTable:
    """Its methods block; they raise sqlite3.Error where the disk fails. `find` and `put`: of the
    table of payments."""

    def __init__(
        self,
        database: sqlite3.Connection,
        transaction: Transaction,
        find: Callable[[str], PaymentView | None],
        put: Callable[[PaymentView], None],
    ) -> None:
        self._database, self._transaction, self._find, self._put = database, transaction, find, put
        self._database.executescript(_TABLE)
        self.outbox = OutboxTable(database)

    def begin(self, payment_id: str, recipient: Recipient) -> None:
        """Note to whom a link is sent, inside a transaction."""
        values = (payment_id, msgspec.json.encode(recipient))
        self._database.execute("INSERT INTO links VALUES (?, ?, NULL)", values)

    def change(self, payment_id: str, change: Change) -> tuple[PaymentView, Message | None] | None:
        """Write what `change` makes of a payment, and the message about it; both, as written. None
        where there is no such payment. What `change` raises changes nothing."""
        with self._transaction():
            before = self._find(payment_id)
            if before is None:
                return None
            row = self._database.execute(
                "SELECT recipient FROM links WHERE payment = ?", (payment_id,)
            ).fetchone()
            after, message = change(before, _RECIPIENT.decode(row[0]) if row else Recipient())
            if after == before:
                return before, None
            self._put(after)
            is_over = after.link is not None and after.link.is_over
            if message is not None:
                self.outbox.add(message, only=is_over)
            if is_over and after.settled_at is not None:
                ended_at = datetime.fromisoformat(after.settled_at).timestamp()
                query = "UPDATE links SET ended_at = ?, recipient = '{}' WHERE payment = ?"
                self._database.execute(query, (ended_at, payment_id))
        return after, message

    def note_hand_over(self, message: Message, hand_over: HandOver, *, is_over: bool) -> PaymentView | None:
        """Note what became of a message; its payment, where that shows it. `is_over`: it is not
        sent again."""
        with self._transaction():
            self.outbox.note(message, is_over=is_over)
            payment = self._find(message.subject)
            link = payment.link if payment is not None else None
            if payment is None or link is None or link.hand_over is None:
                return None
            known = link.hand_over
            if known.event != hand_over.event or (known.state, known.reason) == (
                hand_over.state,
                hand_over.reason,
            ):
                return None
            link = msgspec.structs.replace(link, hand_over=hand_over)
            payment = msgspec.structs.replace(payment, link=link)
            self._put(payment)
        return payment

    def prune(self) -> None:
        """Delete those of payments that are no more."""
        self._database.execute("DELETE FROM links WHERE payment NOT IN (SELECT id FROM payments)")
