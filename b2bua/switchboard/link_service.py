"""Hands payment links over to the company's own service, and shows with each payment how that
went."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from b2bua.call.link import HandOver
from b2bua.call.view import PaymentView
from b2bua.notify.deliveries import Deliveries, Result, Send
from b2bua.notify.message import Message
from b2bua.switchboard.payment_storage import PaymentStorage
from b2bua.switchboard.payment_views import timestamp
from tonewall.log import get_logger

log = get_logger(__name__)
# Messages that wait so many seconds are a fault of the service, or of the way to it.
_LATE = 60.0


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """`expires`: seconds that a link is open, where a request says nothing else; `send`: sends a
    message to the company's own service, where there is one."""

    expires: float = 86_400.0
    send: Send | None = None


class LinkService:
    """The company's own service. `publish` gets each payment of which the hand-over changed."""

    def __init__(
        self,
        storage: PaymentStorage,
        clock: Callable[[], float],
        publish: Callable[[PaymentView], None],
        send: Send | None,
    ) -> None:
        self._storage, self._clock, self._publish = storage, clock, publish
        self._deliveries: Deliveries | None = None
        if send is not None:
            self._deliveries = Deliveries(send, self._note, clock, storage.tasks)

    @property
    def exists(self) -> bool:
        """Whether there is one."""
        return self._deliveries is not None

    async def resume(self) -> None:
        """Go on with messages that earlier processes left. Raises sqlite3.Error."""
        if self._deliveries is not None:
            for message in await self._storage.run(self._storage.table.links.outbox.all):
                self._deliveries.add(message)

    def add(self, message: Message, *, only: bool) -> None:
        """A message that is on disk; see Deliveries."""
        if self._deliveries is not None:
            self._deliveries.add(message, only=only)

    def look(self) -> None:
        """Send what is due."""
        if self._deliveries is not None:
            self._deliveries.look()

    def health(self) -> dict[str, int | bool]:
        """See Deliveries."""
        return self._deliveries.health() if self._deliveries is not None else {}

    def fault(self) -> str | None:
        """Why messages have waited for a while; None where they have not."""
        if self._deliveries is None or not self._deliveries.reason:
            return None
        is_late = self._deliveries.health()["oldest_waiting_webhook"] > _LATE
        return self._deliveries.reason if is_late else None

    async def _note(self, message: Message, result: Result, reason: str) -> None:
        hand_over = HandOver(event=message.kind, state=result, at=timestamp(self._clock()), reason=reason)
        note = self._storage.table.links.note_hand_over
        try:
            payment = await self._storage.run(note, message, hand_over, is_over=result != "failing")
        # It may be sent again after a restart, under the same id.
        except sqlite3.Error as error:
            log.error("webhook_not_noted", kind=message.kind, exc_info=error)
            return
        if payment is not None:
            self._publish(payment)
