"""What may be seen of webhooks: the services that get them, and what has become of each delivery.

Rule 1: of a service's URL there is the host: its path may be a secret.
"""

from __future__ import annotations

import msgspec

from b2bua.records.webhooks import Delivery, State
from b2bua.switchboard.payment_views import timestamp


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A service that gets webhooks. `events`: of which kinds; `public_key`: by which it verifies
    them, empty where it has a secret; `waiting`: deliveries that it has not accepted, and
    `oldest_waiting`: for how many seconds the oldest has waited; `failed`: those that were given up
    within a day; `reason`: why the newest attempt failed; empty where it did not."""

    name: str
    host: str
    events: tuple[str, ...]
    public_key: str = ""
    waiting: int = 0
    oldest_waiting: int = 0
    failed: int = 0
    reason: str = ""


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to one service, or at its end. `id`: of the delivery, `event`: of the
    event, as `webhook-id` has it; `subject`: the id of its payment. Times are RFC 3339, UTC.
    `next_at`: when it is tried next; None where it is over, or waits for an earlier event of its
    payment. `reason`: why the newest attempt failed."""

    id: str
    event: str
    webhook: str
    type: str
    subject: str
    state: State
    attempts: int
    created_at: str
    tried_at: str | None
    next_at: str | None
    reason: str


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt on its way to the services that send it. `deliveries`: the id of the delivery to
    each."""

    deliveries: tuple[str, ...]


def delivery_view(delivery: Delivery, prefix: str) -> DeliveryView:
    """A delivery as the API has it. `prefix`: before the kind of an event."""
    return DeliveryView(
        id=delivery.id,
        event=delivery.event,
        webhook=delivery.webhook,
        type=prefix + delivery.kind,
        subject=delivery.subject,
        state=delivery.state,
        attempts=delivery.attempts,
        created_at=timestamp(delivery.created_at),
        tried_at=timestamp(delivery.tried_at) if delivery.tried_at is not None else None,
        next_at=timestamp(delivery.next_at) if delivery.next_at is not None else None,
        reason=delivery.reason,
    )
