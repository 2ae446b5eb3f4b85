"""Reads payments: those of this process as they are now, all others from the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import msgspec

from b2bua.call.desk import Keep
from b2bua.call.order import RequestName
from b2bua.call.view import NoSuchPayment, PaymentView
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.payment_storage import PaymentStorage
from b2bua.switchboard.payment_views import known_ids

R = TypeVar("R")


class PaymentReading(ABC):
    """Questions about payments, and answers that are kept. Its methods raise NotWell."""

    _storage: PaymentStorage
    _clock: Callable[[], float]

    @abstractmethod
    def _now(self, payment_id: str) -> PaymentView | None:
        """A payment that is not final, as it is now."""

    async def charged(self, transaction_id: str) -> tuple[PaymentView, ...]:
        """The payments that charged this order, or may have. Raises NotWell."""
        return await self._storage.ask(self._storage.table.charged, transaction_id)

    async def repeating(self, view: PaymentView) -> PaymentView:
        """The payment with those that it repeats. Raises NotWell."""
        charged = await self.charged(view.order.transaction_id)
        return msgspec.structs.replace(view, repeats=known_ids(charged))

    async def find(self, payment_id: str) -> PaymentView:
        """The payment with this id. Raises NoSuchPayment, NotWell."""
        if (found := self._now(payment_id)) is not None:
            return found
        view = await self._storage.ask(self._storage.table.find, payment_id)
        if view is None:
            raise NoSuchPayment
        return view

    async def newest(
        self, transaction_id: str | None, most: int, outcome: str | None, keep: Keep | None
    ) -> list[PaymentView]:
        """See CallDesk. Raises NotWell."""
        found = await self._storage.ask(self._storage.table.newest, transaction_id, most, outcome, keep)
        return self._as_open(found)

    async def since(self, since: float, after: str | None, most: int) -> list[PaymentView]:
        """See CallDesk. Raises NotWell."""
        return self._as_open(await self._storage.ask(self._storage.table.since, since, after, most))

    def _as_open(self, found: list[PaymentView]) -> list[PaymentView]:
        return [self._now(view.id) or view for view in found]

    async def on_table(self, work: Callable[[PaymentTable], R]) -> R:
        """What `work` makes of the table, in its thread. Raises sqlite3.Error."""
        return await self._storage.run(work, self._storage.table)

    async def recall(self, name: RequestName) -> bytes | None:
        """See CallDesk. Raises KeyReused, NotWell."""
        return await self._storage.ask(self._storage.table.recall, name, self._clock())

    async def remember(self, name: RequestName, answer: bytes) -> None:
        """See CallDesk. Raises NotWell."""
        await self._storage.ask(self._storage.table.remember, name, answer, self._clock())
