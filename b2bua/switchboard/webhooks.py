"""Sends what has become of payments to the company's own services, as `[webhook NAME]` names them.

Rule 1: what is to be sent is read from the disk, where it was written together with what it reports
        (b2bua/records/webhooks.py); memory holds no more than what is under way.
Rule 2: services do not wait for each other, nor do payments.
Rule 3: what became of an attempt is written before the next event of its payment is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec, Self, TypeVar

import msgspec

from b2bua.call.follow_up import FollowUpView
from b2bua.call.service_view import Fault
from b2bua.call.view import PaymentView
from b2bua.call.webhook_kinds import PREFIX
from b2bua.notify.endpoint import Endpoint
from b2bua.notify.message import Message
from b2bua.records.notices import Written
from b2bua.records.payments import PaymentTable
from b2bua.records.webhooks import Backlog, Delivery, State, WebhookTable
from b2bua.switchboard.cloud_events import build_event, follow_up_kind, payment_kind
from b2bua.switchboard.webhook_views import DeliveryView, WebhookView, delivery_view
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
AT_ONCE: Final = 4  # attempts to one service
_MIN_PAUSE, _MAX_PAUSE = 2.0, 900.0  # seconds between two attempts, before chance shortens them
_LOOK_EVERY, _COUNT_EVERY, _PRUNE_EVERY = 1.0, 5.0, 60.0  # seconds
_COMMIT = 0.05  # seconds that a transaction usually takes to end
_LATE = 60.0  # seconds: what was tried and waits longer is a fault of the service, or of the way
_DAY = 86_400.0
P = ParamSpec("P")
R = TypeVar("R")


class NoSuchDelivery(Exception):
    """There is no such delivery, or it is forgotten."""


class Behind(Exception):
    """The delivery waits for an earlier event of its payment."""


class Webhooks:
    """All services and what they get. `path`: the file of payments; `source`: who says it, as a
    URI. `clock` gives seconds since the epoch and never runs backwards. Raises sqlite3.Error."""

    def __init__(
        self,
        path: Path,
        endpoints: Sequence[Endpoint],
        source: str,
        clock: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance`: a number from 0 to 1, another each time."""
        self._endpoints = {each.name: each for each in endpoints}
        self._source, self._clock, self._chance = source, clock, chance
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        # A note that a failure of power loses is an event that is sent twice.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA secure_delete=ON")
        self._table = WebhookTable(self._database)
        self._thread = ThreadPoolExecutor(1, "webhooks")
        self._tasks = BackgroundTasks()
        self._awake = asyncio.Event()
        self._under_way: dict[str, set[int]] = {name: set() for name in self._endpoints}
        self._reasons: dict[str, str] = {}
        self._backlogs: dict[str, Backlog] = {}
        self._counted_at = self._pruned_at = float("-inf")
        self._written: WebhookTable | None = None

    # --- events, as payments are written ----------------------------------------------------------

    def observing(self, payments: PaymentTable) -> Self:
        """These, as they write an event with each change of a payment that a service wants."""
        if not self._endpoints:
            return self
        loop = asyncio.get_running_loop()
        table = self._written = payments.notices.webhooks

        def add(kind: str | None, payment: PaymentView, follow_up: str = "") -> None:
            if kind is not None and self.add(table, kind, payment, follow_up=follow_up):
                loop.call_soon_threadsafe(loop.call_later, _COMMIT, self._awake.set)

        def on_payment(payment: PaymentView, before: Written) -> None:
            add(payment_kind(before, payment), payment)

        def on_follow_up(payment_id: str, follow_up: FollowUpView) -> None:
            payment = payments.find(payment_id)
            if payment is not None:
                add(follow_up_kind(follow_up), payment, follow_up.key)

        payments.notices.observe = on_payment
        payments.follow_ups.observe = on_follow_up
        return self

    def add(
        self,
        table: WebhookTable,
        kind: str,
        payment: PaymentView,
        *,
        follow_up: str = "",
        receipt_to: str = "",
    ) -> tuple[str, ...]:
        """Write an event inside a transaction of the table, in its thread; the ids of its
        deliveries, none where no service wants it, or there is no room. `follow_up`, `receipt_to`:
        as for `build_event`."""
        names, now = self.services_for(kind), self._clock()
        if not names:
            return ()
        event = build_event(kind, payment, self._source, now, follow_up, receipt_to)
        return tuple(f"{event.id}.{name}" for name in names) if table.add(event, names, now) else ()

    def services_for(self, kind: str) -> list[str]:
        """The names of the services that get events of this kind."""
        return [each.name for each in self._endpoints.values() if kind in each.kinds]

    def hurry(self) -> None:
        """Look at once for what is due: something was written."""
        self._awake.set()

    # --- sending ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what is due, as long as this process lives."""
        while True:
            try:
                await self.look()
            except sqlite3.Error as error:
                log.error("webhooks_not_read", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._awake.wait()
            self._awake.clear()

    async def look(self) -> None:
        """Begin what is due, and count now and then. Raises sqlite3.Error."""
        now = self._clock()
        for endpoint in self._endpoints.values():
            under_way = self._under_way[endpoint.name]
            if len(under_way) >= AT_ONCE:
                continue
            due = await self._run(self._table.due, endpoint.name, now, 2 * AT_ONCE)
            free = AT_ONCE - len(under_way)
            for delivery, body in [each for each in due if each[0].number not in under_way][:free]:
                under_way.add(delivery.number)
                self._tasks.start(self._try(endpoint, delivery, body), "webhook")
        if now - self._counted_at >= _COUNT_EVERY:
            self._counted_at = now
            self._backlogs = await self._run(self._table.backlogs, now - _DAY)
        if now - self._pruned_at >= _PRUNE_EVERY:
            self._pruned_at = now
            await self._run(self._table.prune, now, tuple(self._endpoints))

    async def _try(self, endpoint: Endpoint, delivery: Delivery, body: bytes) -> None:
        message = Message(
            id=delivery.event, subject=delivery.subject, kind=delivery.kind, body=body,
            created_at=delivery.created_at, until=delivery.until,
        )  # fmt: skip
        try:
            # The wall clock: the service compares it with its own.
            reason = await endpoint.service.send(message, time.time())
            self._reasons[endpoint.name], now = reason, self._clock()
            state: State = "delivered" if not reason else "failed" if now >= delivery.until else "waiting"
            if state == "failed" or (reason and not delivery.attempts):
                log.warning("webhook_not_delivered", kind=delivery.kind, reason=reason, state=state)
            tried = msgspec.structs.replace(
                delivery,
                state=state,
                attempts=delivery.attempts + 1,
                next_at=now + self._pause(delivery.attempts) if state == "waiting" else None,
                reason=reason,
            )
            await self._note(tried, now)
        finally:
            self._under_way[endpoint.name].discard(delivery.number)
        self._awake.set()

    def _pause(self, attempts: int) -> float:
        """Seconds until the next attempt, of which half are left to chance: not all come at
        once."""
        longest: float = min(_MIN_PAUSE * 2 ** min(attempts, 16), _MAX_PAUSE)
        return longest * (0.5 + self._chance() / 2)

    async def _note(self, tried: Delivery, now: float) -> None:
        """Rule 3. On a disk that fails, the delivery stays under way: else it would be sent again
        at once."""
        pause = 1.0
        while True:
            try:
                await self._run(self._table.note, tried, now)
            except sqlite3.Error as error:
                log.error("webhook_not_noted", kind=tried.kind, exc_info=error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)
            else:
                return

    # --- what is seen of it -----------------------------------------------------------------------

    def services(self) -> list[WebhookView]:
        """Every service, as it was counted last."""
        now = self._clock()
        return [
            WebhookView(
                name=each.name,
                host=each.service.host,
                events=tuple(sorted(each.kinds)),
                public_key=each.service.public_key,
                waiting=backlog.waiting,
                oldest_waiting=round(now - backlog.oldest) if backlog.waiting else 0,
                failed=backlog.failed,
                reason=self._reasons.get(each.name, ""),
            )
            for each in self._endpoints.values()
            for backlog in [self._backlogs.get(each.name, Backlog())]
        ]

    async def deliveries(
        self, most: int, state: State | None, webhook: str | None, payment: str | None, before: str | None
    ) -> list[DeliveryView]:
        """The newest first. Raises sqlite3.Error."""
        found = await self._run(self._table.newest, most, state, webhook, payment, before)
        return [delivery_view(each, PREFIX) for each in found]

    async def redeliver(self, delivery_id: str) -> DeliveryView:
        """Send it now, once more. Raises NoSuchDelivery, Behind, and sqlite3.Error."""
        if delivery_id.rpartition(".")[2] not in self._endpoints:
            raise NoSuchDelivery
        found = await self._run(self._table.redeliver, delivery_id, self._clock())
        if found is None:
            raise NoSuchDelivery
        if found.next_at is None:
            raise Behind
        self._awake.set()
        return delivery_view(found, PREFIX)

    def health(self) -> dict[str, int | bool]:
        """For the health check: how many deliveries wait, for how many seconds the oldest of them
        has, how many were given up within a day, and how many had no room."""
        if not self._endpoints:
            return {}
        services = self.services()
        return {
            "event_waiting_webhooks": sum(each.waiting for each in services),
            "event_oldest_waiting_webhook": max(each.oldest_waiting for each in services),
            "event_failed_webhooks": sum(each.failed for each in services),
            "event_dropped_webhooks": self._written.dropped if self._written is not None else 0,
        }

    def fault(self) -> Fault | None:
        """What is wrong with the first service with which anything is."""
        for each in self.services():
            if each.failed:
                says = (
                    f"{each.failed} webhooks to [webhook {each.name}] were given up within a day. "
                    "`tonewall webhooks list --state failed` lists them, `redeliver` sends them again."
                )
                return Fault(what="webhooks", says=says, stops=None)
            if each.reason and each.oldest_waiting > _LATE:
                says = (
                    f"Webhooks wait: the service of [webhook {each.name}] does not accept them "
                    f"({each.reason}). They are tried again for three days."
                )
                return Fault(what="webhooks", says=says, stops=None)
        return None

    async def close(self) -> None:
        """End what is under way. What is not delivered is on disk."""
        await self._tasks.cancel()
        for each in self._endpoints.values():
            await each.service.close()
        self._thread.shutdown()
        self._database.close()

    # --- inside -----------------------------------------------------------------------------------

    def _run(self, work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> asyncio.Future[R]:
        def call() -> R:
            return work(*arguments, **keywords)

        return asyncio.get_running_loop().run_in_executor(self._thread, call)
