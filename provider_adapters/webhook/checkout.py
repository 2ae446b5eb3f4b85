"""Checkout.com's webhooks: `Cko-Signature`, an HMAC-SHA256 in hexadecimal digits over the body.

Source: Checkout.com's public texts on webhooks. The signature has no time in it: what is played
again is known by its event, and is a hint to look at most.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provider_adapters.notice import About, Claim, Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import check_hexadecimal, check_text, event_id, read_json

ANSWER = b"{}"
_ABOUT: Mapping[str, About] = {
    "payment_approved": "charge", "payment_declined": "charge", "payment_canceled": "charge",
    "payment_expired": "charge", "payment_pending": "charge",
    "payment_captured": "capture", "payment_capture_declined": "capture",
    "payment_voided": "void", "payment_void_declined": "void",
    "payment_refunded": "refund", "payment_refund_declined": "refund",
}  # fmt: skip
_DONE = frozenset({"payment_approved", "payment_captured", "payment_voided", "payment_refunded"})

check_secret = check_text


class _Data(msgspec.Struct):
    id: str = ""
    action_id: str | None = None
    reference: str | None = None


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Raises BadSignature, Unreadable."""
    check_hexadecimal(headers.get("cko-signature", ""), secret.encode(), body)
    event = read_json(body, _Event)
    about = _ABOUT.get(event.type)
    if about is None:
        return ()
    data = event.data
    return (
        Notice(
            event=event_id(event.id),
            about=about,
            key=data.reference or "",
            reference=data.id if about == "charge" else data.action_id or "",
            claim=_claim(event.type, data),
            at=now,
        ),
    )


def _claim(kind: str, data: _Data) -> Claim | None:
    if kind in _DONE:
        return Approved(reference=clean_text(data.action_id or data.id))
    match kind:
        case "payment_declined":
            return Declined(reason="declined", reference=clean_text(data.id))
        case "payment_canceled" | "payment_expired":
            return Failed(reason="cancelled", code=kind)
        case "payment_pending":
            return None
        case _:
            return Failed(reason="request_refused", code=kind)
