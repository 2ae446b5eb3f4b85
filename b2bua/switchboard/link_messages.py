"""Writes what the company's own service reads of a payment link: the messages of its webhook.

Rule 1: each has all that the service needs: it need not know the messages before.
Rule 2: of a card and its token there is nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from b2bua.call.link import LinkState, Recipient
from b2bua.call.view import PaymentView
from b2bua.notify.message import Message
from provider_adapters.payment import APPROVALS, Outcome, outcome_type
from tonewall.tokens import token

OPENED: Final = "payment_link.opened"
_ENDS: Final = {
    LinkState.PAID: "payment_link.paid",
    LinkState.CLOSED: "payment_link.closed",
    LinkState.EXPIRED: "payment_link.expired",
    LinkState.FAILED: "payment_link.closed",
}
_LIFE: Final = 3 * 86_400.0  # seconds after its end that the end of a link is said for


def opened(payment: PaymentView, to: Recipient, at: str, now: float, until: float) -> Message:
    """That it is open: to be sent to the customer. `until`: when it ends; from then on there is
    nothing to send."""
    return _message(OPENED, payment, to, at, now, until)


def ended(payment: PaymentView, to: Recipient, at: str, now: float) -> Message:
    """How it ended."""
    assert payment.link is not None
    return _message(_ENDS[payment.link.state], payment, to, at, now, now + _LIFE)


def _message(kind: str, payment: PaymentView, to: Recipient, at: str, now: float, until: float) -> Message:
    link = payment.link
    assert link is not None
    data: dict[str, Any] = {
        "id": payment.id,
        "call": payment.call,
        "order": msgspec.to_builtins(payment.order),
        "link": {"url": link.url, "expires_at": link.expires_at, "state": link.state.value},
        "to": {"phone": to.phone, "email": to.email},
        "agent": payment.started_by,
    }
    if payment.outcome is not None:
        data["outcome"] = outcome_words(payment.outcome)
    body = msgspec.json.encode({"type": kind, "timestamp": at, "data": data})
    return Message(
        id=f"msg_{token(16)}", subject=payment.id, kind=kind, body=body, created_at=now, until=until
    )


def outcome_words(outcome: Outcome) -> dict[str, Any]:
    """What a service is told of an outcome; of a card's token there is nothing."""
    said: dict[str, Any] = {"type": outcome_type(outcome)}
    names = ("reference", "amount") if isinstance(outcome, APPROVALS) else ("reason",)
    return said | {name: getattr(outcome, name) for name in names if hasattr(outcome, name)}
