"""Verifies webhooks of payments (Standard Webhooks 1.0.0), for the service that gets them.

Rule 1: a body is read after its signature was found genuine, and its time recent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Final, NotRequired, TypedDict, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tonewall.client.errors import WebhookRefused
from tonewall.client.payment_views import PaymentView

TOLERANCE: Final = 300.0  # seconds
_MAX_SIGNATURES: Final = 16


class ReceiptTo(TypedDict):
    """Where a receipt is to be sent: an e-mail address, or a telephone number with its plus."""

    to: str


class EventData(PaymentView):
    """The payment, without what docs/webhooks.md names. `receipt`: in events of the type
    "tonewall.payment.receipt" alone."""

    receipt: NotRequired[ReceiptTo]


class WebhookEvent(TypedDict):
    """An event. `id`: take each once."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    data: EventData


def verify_webhook(
    body: bytes, headers: Mapping[str, str], *keys: str, now: float | None = None
) -> WebhookEvent:
    """The event that a request brings. `keys`: `whsec_…` or `whpk_…`, several while they change;
    `now`: seconds since the epoch. Raises WebhookRefused; answer 401 then."""
    given = {name.lower(): value for name, value in headers.items()}
    event_id, sent_at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= 16):
        raise WebhookRefused("It has no time.")
    signed = f"{event_id}.{sent_at}.".encode() + body
    signatures = given.get("webhook-signature", "").split()[:_MAX_SIGNATURES]
    if not any(_is_genuine(signed, each, key) for each in signatures for key in keys):
        raise WebhookRefused("No signature is by one of the keys.")
    if abs((time.time() if now is None else now) - int(sent_at)) > TOLERANCE:
        raise WebhookRefused("It is more than five minutes off: is it sent again by a stranger?")
    event = json.loads(body)
    if not isinstance(event, dict) or event.get("id") != event_id:
        raise WebhookRefused("It is not the event that its header names.")
    return cast("WebhookEvent", event)


def _is_genuine(signed: bytes, signature: str, key: str) -> bool:
    version, _, text = signature.partition(",")
    kind, _, secret = key.partition("_")
    try:
        given, octets = base64.b64decode(text, validate=True), base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return False
    if (version, kind) == ("v1", "whsec"):
        return hmac.compare_digest(given, hmac.new(octets, signed, hashlib.sha256).digest())
    if (version, kind) != ("v1a", "whpk"):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(octets).verify(given, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
