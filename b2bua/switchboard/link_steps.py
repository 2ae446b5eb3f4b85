"""Decides the steps of a payment link: what a payment becomes, and what the company's own service
is told. Pure.

Rule 1: every step is in LINK_TRANSITIONS; what is over stays as it is.
Rule 2: a service is told how a link ended where it was told that it is open, or where it was paid.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from b2bua.call.link import HandOver, LinkEvent, LinkState, LinkView, Recipient, end_of
from b2bua.call.state import CAPTURE_TRANSITIONS, LINK_TRANSITIONS, CaptureEvent, step
from b2bua.call.view import CaptureStage, NotNow, PaymentView
from b2bua.notify.message import Message
from b2bua.switchboard import link_messages
from b2bua.switchboard.payment_views import timestamp
from provider_adapters.payment import Link, Outcome

Change = Callable[[PaymentView, Recipient], tuple[PaymentView, Message | None]]
_NO_LINK = "This payment has no link."
_OVER = "This payment link is over: look at what became of it."


def seconds_of(at: str) -> float:
    """A time of a view in seconds since the epoch."""
    return datetime.fromisoformat(at).timestamp()


def opened(found: Link, now: float, *, tells: bool) -> Change:
    """The provider has opened it. `tells`: there is a service that takes links."""

    def change(payment: PaymentView, to: Recipient) -> tuple[PaymentView, Message | None]:
        link = _link(payment)
        if link.is_over:
            return payment, None
        is_told = tells and not link.url and link.state is not LinkState.CLOSING
        link = _with(link, LinkEvent.OPENED, found)
        payment = msgspec.structs.replace(payment, link=link)
        if not is_told:
            return payment, None
        at = timestamp(now)
        message = link_messages.opened(payment, to, at, now, found.expires_at)
        return _told(payment, message, at), message

    return change


def close_requested(payment: PaymentView, _: Recipient) -> tuple[PaymentView, None]:
    """An agent closes it. Raises NotNow where there is nothing to close."""
    if payment.link is None:
        raise NotNow(_NO_LINK)
    if payment.link.is_over:
        raise NotNow(_OVER)
    link = _with(payment.link, LinkEvent.CLOSE_REQUESTED)
    return msgspec.structs.replace(payment, link=link), None


def ended(outcome: Outcome, found: Link | None, now: float, *, tells: bool) -> Change:
    """What became of it is known. `found`: the link, where that comes with it."""

    def change(payment: PaymentView, to: Recipient) -> tuple[PaymentView, Message | None]:
        link = _link(payment)
        if link.is_over:
            return payment, None
        if found is not None:
            link = _with(link, LinkEvent.OPENED, found)
        event, at = end_of(outcome), timestamp(now)
        payment = msgspec.structs.replace(
            payment,
            link=_with(link, event),
            stage=step(CAPTURE_TRANSITIONS, CaptureStage.LINKED, CaptureEvent.SETTLED),
            outcome=outcome,
            settled_at=at,
        )
        if not tells or (link.hand_over is None and event is not LinkEvent.PAID):
            return payment, None
        message = link_messages.ended(payment, to, at, now)
        return _told(payment, message, at), message

    return change


def _link(payment: PaymentView) -> LinkView:
    assert payment.link is not None
    return payment.link


def _with(link: LinkView, event: LinkEvent, found: Link | None = None) -> LinkView:
    link = msgspec.structs.replace(link, state=step(LINK_TRANSITIONS, link.state, event))
    if found is None:
        return link
    return msgspec.structs.replace(
        link, url=found.url, reference=found.reference, expires_at=timestamp(found.expires_at)
    )


def _told(payment: PaymentView, message: Message, at: str) -> PaymentView:
    hand_over = HandOver(event=message.kind, state="waiting", at=at)
    link = msgspec.structs.replace(_link(payment), hand_over=hand_over)
    return msgspec.structs.replace(payment, link=link)
