"""Square's webhooks: `x-square-hmacsha256-signature`, an HMAC-SHA256 in base64 over the URL of the
notification and the body.

Source: Square's public texts on webhooks, and its OpenAPI description for payments and refunds. The
URL is that which is entered at Square, sign by sign, so it stands before the key in `secret`, with
a bar between them. The signature has no time in it: what is played again is known by its event.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from provider_adapters.notice import Claim, Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import BadSignature, check_text, event_id, read_json, same

ANSWER = b"{}"


class _Money(msgspec.Struct):
    amount: int | None = None
    currency: str | None = None


class _Payment(msgspec.Struct):
    id: str = ""
    status: str = ""
    order_id: str = ""
    total_money: _Money = msgspec.field(default_factory=_Money)


class _Refund(msgspec.Struct):
    id: str = ""
    status: str = ""


class _Object(msgspec.Struct):
    payment: _Payment | None = None
    refund: _Refund | None = None


class _Data(msgspec.Struct):
    object: _Object = msgspec.field(default_factory=_Object)


class _Event(msgspec.Struct):
    event_id: str
    type: str
    data: _Data


def check_secret(secret: str) -> str:
    """What was expected of the secret; empty where it is fit."""
    url, _, key = secret.rpartition("|")
    fit = url.startswith("https://") and not check_text(key)
    return "" if fit else "expected the notification URL and the signature key, with a | between them"


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Raises BadSignature, Unreadable."""
    url, _, key = secret.rpartition("|")
    digest = hmac.new(key.encode(), url.encode() + body, hashlib.sha256).digest()
    if not same(headers.get("x-square-hmacsha256-signature", ""), base64.b64encode(digest).decode()):
        raise BadSignature
    event = read_json(body, _Event)
    payment, refund = event.data.object.payment, event.data.object.refund
    if payment is not None:
        # An order is paid by link, and its id is what we have of it.
        return (
            Notice(
                event=event_id(event.event_id),
                reference=payment.order_id,
                claim=_claim_of_payment(payment),
                amount=payment.total_money.amount,
                currency=payment.total_money.currency or "",
                at=now,
            ),
        )
    if refund is not None:
        claim = _claim_of_refund(refund)
        return (
            Notice(event=event_id(event.event_id), about="refund", reference=refund.id, claim=claim, at=now),
        )
    return ()


def _claim_of_payment(payment: _Payment) -> Claim | None:
    match payment.status:
        case "COMPLETED":
            return Approved(reference=clean_text(payment.id))
        case "FAILED" | "CANCELED":
            return Declined(reason="declined", reference=clean_text(payment.id))
        case _:
            return None


def _claim_of_refund(refund: _Refund) -> Claim | None:
    match refund.status:
        case "COMPLETED":
            return Approved(reference=clean_text(refund.id))
        case "REJECTED" | "FAILED" as status:
            return Failed(reason="request_refused", code=status)
        case _:
            return None
