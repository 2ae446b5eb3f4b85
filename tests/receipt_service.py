"""A company's service that sends receipts, and what hands them to it: the real tables and
deliveries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from b2bua.call.webhook_kinds import KINDS
from b2bua.notify.endpoint import Endpoint
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.receipts import Receipts
from b2bua.switchboard.webhooks import Webhooks
from tests.unit.b2bua.switchboard.played_services import Service


class ReceiptService:
    """`service` gets events of these `kinds`; `table` has the payments. Made in a running loop."""

    def __init__(self, directory: Path, kinds: frozenset[str] = frozenset(KINDS)) -> None:
        path = directory / "payments.sqlite"
        self.table, self.service = PaymentTable(path), Service()
        endpoints = [Endpoint("crm", self.service, kinds)]
        self.webhooks = Webhooks(path, endpoints, "urn:tonewall:test", lambda: 1.8e9, lambda: 1.0)
        self.webhooks.observing(self.table)
        self.receipts = Receipts(self.webhooks, self, lambda: 1.8e9)

    async def on_payments(self, work: Callable[[PaymentTable], Any]) -> Any:
        """What `work` makes of the table."""
        return work(self.table)

    def kinds(self) -> list[str]:
        """Of all deliveries that are on disk, the oldest first."""
        return [each.kind for each in self.table.notices.webhooks.newest(100)][::-1]

    async def close(self) -> None:
        """End deliveries, and close the table."""
        await self.webhooks.close()
        self.table.close()
