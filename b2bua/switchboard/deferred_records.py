"""Defers call records until the payment of the call is final, also over a restart.

Rule 1: from the submission of its card until the record is stored, a call's record is kept beside
        its payment in the table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection

from b2bua.call.cdr import CallRecord, completed
from b2bua.call.view import PaymentView
from b2bua.switchboard.payment_storage import PaymentStorage
from tonewall.log import get_logger

log = get_logger(__name__)


class DeferredRecords:
    """The records that are kept beside payments. `record` stores a call record."""

    def __init__(self, storage: PaymentStorage, record: Callable[[CallRecord], None]) -> None:
        self._storage, self._record = storage, record
        self._kept: set[str] = set()  # payments beside which the table keeps a record

    async def resume(self, open_calls: Collection[str]) -> None:
        """Store the records of calls that were still up when the process died, though their
        payments were final. `open_calls`: their payments are not. Raises sqlite3.Error."""
        stored = set(open_calls)
        left = await self._storage.run(self._storage.table.left_records)
        self._kept |= {view.id for view, _ in left}
        for view, record in left:
            if record.call not in stored:
                stored.add(record.call)
                self.record_call(completed(record, view))
        await self._storage.wait()

    def note_kept(self, payment_id: str) -> None:
        """Note that the table keeps a record beside this payment."""
        self._kept.add(payment_id)

    def defer(self, payment_id: str, record: CallRecord) -> None:
        """Keep the record of a call that ends before its payment."""
        self._storage.tasks.start(self._keep(payment_id, record), "payment")

    async def _keep(self, payment_id: str, record: CallRecord) -> None:
        try:
            await self._storage.run(self._storage.table.keep_record, payment_id, record)
        except sqlite3.Error as error:
            hint = "its payment is not final"
            log.error(
                "call_record_not_held_back", hint=hint, call=record.call, payment=payment_id, exc_info=error
            )
            self._record(record)

    def record_call(self, record: CallRecord) -> None:
        """Store the record of a call that is over, and keep it no more."""
        self._record(record)
        kept = self._kept & {each.payment for each in record.captures}
        if kept:
            self._kept -= kept
            self._storage.tasks.start(self._drop(kept), "payments")

    async def _drop(self, payment_ids: set[str]) -> None:
        try:
            await self._storage.run(self._storage.table.drop_records, payment_ids)
        # The next process stores the record again, and the database knows it already.
        except sqlite3.Error as error:
            log.warning("held_call_record_not_deleted", exc_info=error)

    async def complete(self, payment: PaymentView) -> None:
        """Store the record that waited for this payment, which is final. Raises sqlite3.Error."""
        record = await self._storage.run(self._storage.table.waiting_record, payment.id)
        if record is not None:
            self._kept.discard(payment.id)
            self.record_call(completed(record, payment))
