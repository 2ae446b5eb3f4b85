"""Hands receipts of payments to the company's own services, which send them to the customer.

Rule 1: where a receipt is sent to is written with its event, and nowhere else.
Rule 2: a receipt is on disk, together with what its request is answered, before that is answered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from b2bua.call.order import RequestName
from b2bua.call.view import NoSuchPayment, NotNow, NotWell
from b2bua.call.webhook_kinds import RECEIPT
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.webhook_views import ReceiptView
from b2bua.switchboard.webhooks import Webhooks
from provider_adapters.payment import APPROVALS
from tonewall.log import get_logger

log = get_logger(__name__)
MAX_RECEIPTS: Final = 5  # of one payment that are kept: some are typed wrong, none is a flood
NO_SERVICE: Final = (
    "No service of your company sends receipts: no [webhook NAME] has payment.receipt in its events."
)
_NOT_APPROVED: Final = (
    "There is a receipt of a payment that was approved, wholly or in part, and of no other."
)
_ENOUGH: Final = f"{MAX_RECEIPTS} receipts of this payment were sent within a week. Print it, or copy it."
_FULL: Final = "Too many webhooks wait for your company's service, so no receipt was sent. Try again later."
_NOT_WRITTEN: Final = "The receipt cannot be noted down, so it was not sent. See [cdr] payments."


class Payments(Protocol):
    """The table of payments in its thread."""

    def on_payments(self, work: Callable[[PaymentTable], Any]) -> Awaitable[Any]:
        """What `work` makes of the table. Raises sqlite3.Error."""
        ...


class Receipts:
    """The receipts of all payments. `clock` gives seconds since the epoch."""

    def __init__(self, webhooks: Webhooks, payments: Payments, clock: Callable[[], float]) -> None:
        self._webhooks, self._payments, self._clock = webhooks, payments, clock

    @property
    def offered(self) -> bool:
        """Whether a service sends receipts."""
        return bool(self._webhooks.services_for(RECEIPT))

    async def send(self, payment_id: str, to: str, name: RequestName | None) -> ReceiptView:
        """Hand the receipt of a payment over. `to`: an e-mail address or a telephone number. The
        answer is kept under `name`. Raises NoSuchPayment, NotNow and NotWell; then nothing is
        sent."""

        def write(table: PaymentTable) -> ReceiptView:
            with table.transaction():
                receipt = self._write(table, payment_id, to)
                if name is not None:
                    table.remember(name, msgspec.json.encode(receipt), self._clock())
            return receipt

        try:
            receipt: ReceiptView = await self._payments.on_payments(write)
        except sqlite3.Error as error:
            log.error("receipt_not_written", setting="[cdr] payments", payment=payment_id, exc_info=error)
            raise NotWell(_NOT_WRITTEN) from None
        self._webhooks.hurry()
        return receipt

    def _write(self, table: PaymentTable, payment_id: str, to: str) -> ReceiptView:
        payment, webhooks = table.find(payment_id), table.notices.webhooks
        if payment is None:
            raise NoSuchPayment
        if not self.offered:
            raise NotNow(NO_SERVICE)
        if not isinstance(payment.outcome, APPROVALS):
            raise NotNow(_NOT_APPROVED)
        if webhooks.count_receipts(payment_id) >= MAX_RECEIPTS:
            raise NotNow(_ENOUGH)
        deliveries = self._webhooks.add(webhooks, RECEIPT, payment, receipt_to=to)
        if not deliveries:
            raise NotWell(_FULL)
        return ReceiptView(deliveries=deliveries)
