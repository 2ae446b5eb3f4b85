"""Stripe's webhooks: `Stripe-Signature` with a time and HMAC-SHA256 in hexadecimal digits over time
and body.

Source: Stripe's Python library, and its OpenAPI description of events, PaymentIntents and refunds.
While a secret is being replaced, there are several `v1`, of which one has to fit.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from provider_adapters.notice import Claim, Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import BadSignature, Stale, check_text, event_id, read_json, same

ANSWER = b"{}"
TOLERANCE = 300.0  # seconds, as in Stripe's own library
_KEY = "tonewall_key"  # our idempotency key, in the metadata that the adapter sends
_TIME = re.compile(r"[0-9]{1,12}")
_MAX_SIGNATURES = 8

check_secret = check_text


class _Object(msgspec.Struct):
    """A PaymentIntent or a refund, as far as it is looked at."""

    id: str = ""
    object: str = ""
    status: str | None = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data
    created: int = 0


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Raises BadSignature, Stale, Unreadable."""
    at = _check(headers.get("stripe-signature", ""), body, secret)
    if abs(now - at) > TOLERANCE:
        raise Stale
    event = read_json(body, _Event)
    found = event.data.object
    key = (found.metadata or {}).get(_KEY, "")
    # A claim is the state in the object: the type of an event may be older than that.
    claims = {"payment_intent": _claim_of_intent, "refund": _claim_of_refund}
    if found.object not in claims:
        return ()
    return (
        Notice(
            event=event_id(event.id),
            about="refund" if found.object == "refund" else "charge",
            key=key if found.object == "payment_intent" else "",
            reference=found.id,
            claim=claims[found.object](event.type, found),
            at=float(event.created),
        ),
    )


def _check(header: str, body: bytes, secret: str) -> int:
    """The time that was signed. Raises BadSignature."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"][:_MAX_SIGNATURES]
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise BadSignature
    right = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    if not any(same(each, right) for each in given):
        raise BadSignature
    return int(times[0])


def _claim_of_intent(kind: str, intent: _Object) -> Claim | None:
    reference = clean_text(intent.id)
    match intent.status:
        case "succeeded" | "requires_capture":
            return Approved(reference=reference)
        case "canceled":
            return Failed(reason="cancelled", code="canceled")
        case "requires_payment_method" if kind == "payment_intent.payment_failed":
            return Declined(reason="declined", reference=reference)
        case _:
            return None


def _claim_of_refund(_kind: str, refund: _Object) -> Claim | None:
    match refund.status:
        case "succeeded":
            return Approved(reference=clean_text(refund.id))
        case "failed" | "canceled" as status:
            return Failed(reason="request_refused", code=status)
        case _:
            return None
