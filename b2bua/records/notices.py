"""The table of messages that tell the company's own service how payments ended, and what writes
webhooks beside it.

Rule 1: what becomes of a payment, and the message about it, are one transaction.
Rule 2: there is an end to how many wait: beyond it an end is told to nobody, and counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from b2bua.call.view import PaymentView
from b2bua.notify.message import Message
from b2bua.records.outbox import OutboxTable
from b2bua.records.webhooks import WebhookTable
from provider_adapters.payment import outcome_type

MAX_WAITING = 50_000
Written = tuple[str, str | None] | None
"""A payment as it is written: its stage, and the type of its outcome."""
_FINAL = ("finished", "cancelled", "aborted")


class NoticeTable:
    """Its methods block; they raise sqlite3.Error where the disk fails. `compose` makes the message
    about a payment that is over, where somebody wants it; `observe` gets each payment that is about
    to be written, inside that transaction, with what is written of it before."""

    def __init__(self, database: sqlite3.Connection, most: int = MAX_WAITING) -> None:
        self._database, self._most = database, most
        self.outbox = OutboxTable(database, "notices")
        self.webhooks = WebhookTable(database)
        self.compose: Callable[[PaymentView], Message | None] | None = None
        self.observe: Callable[[PaymentView, Written], None] | None = None
        self.dropped = 0
        self._new: list[Message] = []

    def note(self, payment: PaymentView) -> None:
        """Keep the messages about a payment that is about to be written, inside a transaction: that
        to `[notify]` where it is over by that, or has another outcome."""
        if self.compose is None and self.observe is None:
            return
        query = "SELECT stage, outcome FROM payments WHERE id = ?"
        before = self._database.execute(query, (payment.id,)).fetchone()
        if self.observe is not None:
            self.observe(payment, before)
        if self.compose is None or payment.stage not in _FINAL or before == _end_of(payment):
            return
        message = self.compose(payment)
        if message is None:
            return
        if self.outbox.count() >= self._most:
            self.dropped += 1
            return
        self.outbox.add(message, only=False)
        self._new.append(message)

    def take_new(self) -> list[Message]:
        """What was kept since this was asked last: on disk, once its transaction is."""
        new, self._new = self._new, []
        return new


def _end_of(payment: PaymentView) -> tuple[str, str | None]:
    return payment.stage.value, outcome_type(payment.outcome) if payment.outcome else None
