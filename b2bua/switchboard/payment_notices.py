"""Tells the company's own service how payments go and how they end, by webhooks.

Rule 1: how a payment ended is on disk with that end, and told until it is taken or given up; what
        happens before may be lost.
Rule 2: there is an end to what waits: beyond it progress is told to nobody, and counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from b2bua.call.owned_payment import FINAL
from b2bua.call.payment_events import USUAL
from b2bua.call.view import CallView, PaymentView
from b2bua.notify.deliveries import Deliveries, Result, Send
from b2bua.notify.message import Message
from b2bua.switchboard.payment_progress import bound, ended, progress, steps
from b2bua.switchboard.payment_storage import PaymentStorage
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_PROGRESS = 2_000  # messages that wait
_MAX_OF_ONE = 32  # and those of one payment
# Messages that wait so many seconds are a fault of the service, or of the way to it.
_LATE = 60.0


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """`send`: sends a message to the company's own service, where there is one; `events`: of which
    it hears."""

    send: Send | None = None
    events: frozenset[str] = USUAL


class PaymentNotices:
    """The messages about all payments. `clock` gives seconds since the epoch and never runs
    backwards."""

    def __init__(self, storage: PaymentStorage, clock: Callable[[], float], policy: NoticePolicy) -> None:
        self._storage, self._clock, self._events = storage, clock, policy.events
        self._deliveries: Deliveries | None = None
        self._seen: dict[str, CallView] = {}  # calls with a payment, as they were last
        self._dropped = 0
        if policy.send is not None:
            self._deliveries = Deliveries(policy.send, self._note, clock, storage.tasks, kept_free=2)
            storage.table.notices.compose = self._compose
            storage.on_notice = self._add_end

    async def resume(self) -> None:
        """Go on with ends that earlier processes left untold. Raises sqlite3.Error."""
        if self._deliveries is not None:
            for message in await self._storage.run(self._storage.table.notices.outbox.all):
                self._deliveries.add(message, last=True)

    def observe(self, call: CallView) -> None:
        """A call has changed."""
        if self._deliveries is None or call.capture is None:
            return
        if call.capture.stage in FINAL:
            self._seen.pop(call.id, None)
            return
        found = steps(self._seen.get(call.id), call)
        self._seen[call.id] = call
        for step in found:
            if step[0] in self._events:
                self._add(progress(step, call, self._clock()))

    def forget(self, call_id: str) -> None:
        """The call is gone."""
        self._seen.pop(call_id, None)

    def bound(self, payment: PaymentView) -> None:
        """A prepared payment has found its call."""
        if "bound" in self._events:
            self._add(bound(payment, self._clock()))

    def look(self) -> None:
        """Send what is due; every second or so."""
        if self._deliveries is not None:
            self._deliveries.look()

    def health(self) -> dict[str, int | bool]:
        """For the health check: as Deliveries, and how many messages were dropped."""
        if self._deliveries is None:
            return {}
        found = self._deliveries.health()
        dropped = self._dropped + self._storage.table.notices.dropped
        return {f"payment_{name}": value for name, value in found.items()} | {
            "dropped_payment_webhooks": dropped
        }

    def fault(self) -> str | None:
        """Why messages have waited for a while; None where they have not."""
        if self._deliveries is None or not self._deliveries.reason:
            return None
        is_late = self._deliveries.health()["oldest_waiting_webhook"] > _LATE
        return self._deliveries.reason if is_late else None

    # --- inside -----------------------------------------------------------------------------------

    def _compose(self, payment: PaymentView) -> Message | None:
        event, message = ended(payment, self._clock())
        return message if event in self._events else None

    def _add(self, message: Message) -> None:
        if self._deliveries is None:
            return
        if (
            len(self._deliveries) >= _MAX_PROGRESS
            or self._deliveries.count_of(message.subject) >= _MAX_OF_ONE
        ):
            self._dropped += 1
            return
        self._deliveries.add(message)

    def _add_end(self, message: Message) -> None:
        if self._deliveries is not None:
            self._deliveries.add(message, last=True)

    async def _note(self, message: Message, result: Result, reason: str) -> None:
        del reason  # the health check has it
        if not message.is_kept:
            return
        note = self._storage.table.notices.outbox.note
        try:
            await self._storage.run(note, message, is_over=result != "failing")
        # It may be sent again after a restart, under the same id.
        except sqlite3.Error as error:
            log.error("webhook_not_noted", kind=message.kind, exc_info=error)
