"""Signs webhooks as each provider does, with its own library where that can, and lists what is
right of each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import braintree
import stripe
from Adyen import util

NOW = 1_800_000_000.0
TEXT_SECRET = "whsec_0123456789abcdef"
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
PRIVATE_KEY = "private-key-of-a-test"
PUBLIC_KEY = "integrationpublickey"
BRAINTREE_SECRET = f"{PUBLIC_KEY}|{hashlib.sha1(PRIVATE_KEY.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it arrives."""

    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def adyen_item(**changes: Any) -> dict[str, Any]:
    """An item of Adyen's, signed by its own library."""
    item: dict[str, Any] = {
        "amount": {"currency": "EUR", "value": 1999}, "eventCode": "AUTHORISATION",
        "eventDate": "2027-01-15T08:00:00+01:00", "merchantAccountCode": "ShoesLtdMOTO",
        "merchantReference": "key-1", "paymentMethod": "visa", "pspReference": "QFQTPCQ8HXSKGK82",
        "reason": "", "success": "true",
    } | changes  # fmt: skip
    signature = util.generate_notification_sig(item, ADYEN_KEY).decode()
    return item | {"additionalData": {"hmacSignature": signature}}


def adyen(*items: dict[str, Any]) -> Signed:
    """A request of Adyen's."""
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return Signed({}, json.dumps({"live": "false", "notificationItems": wrapped}).encode())


def stripe_event(kind: str = "payment_intent.succeeded", at: float = NOW, **object_: Any) -> Signed:
    """An event of Stripe's, which its own library finds well signed."""
    found = {
        "id": "pi_1", "object": "payment_intent", "status": "succeeded",
        "metadata": {"tonewall_key": "key-1", "transaction_id": "t-1"},
    } | object_  # fmt: skip
    event = {"id": "evt_1", "object": "event", "type": kind, "created": int(at), "data": {"object": found}}
    body = json.dumps(event)
    signed = hmac.new(TEXT_SECRET.encode(), f"{int(at)}.{body}".encode(), hashlib.sha256).hexdigest()
    header = f"t={int(at)},v1={signed}"
    assert stripe.WebhookSignature.verify_header(body, header, TEXT_SECRET)
    return Signed({"stripe-signature": header}, body.encode())


def of_body(header: str, event: Mapping[str, Any]) -> Signed:
    """A request whose body is signed as it is, in hexadecimal digits."""
    body = json.dumps(event).encode()
    return Signed({header: hmac.new(TEXT_SECRET.encode(), body, hashlib.sha256).hexdigest()}, body)


def checkout(kind: str = "payment_approved", **data: Any) -> Signed:
    """An event of Checkout.com's."""
    found = {"id": "pay_1", "action_id": "act_1", "reference": "key-1", "amount": 1999} | data
    return of_body("cko-signature", {"id": "evt_1", "type": kind, "data": found})


def govuk_pay(kind: str = "card_payment_succeeded") -> Signed:
    """A message of GOV.UK Pay's."""
    return of_body(
        "pay-signature",
        {
            "webhook_message_id": "fmv74hmqwce94bvg5p0jirsmqh", "api_version": 1,
            "created_date": "2027-01-15T08:00:00.000Z", "resource_id": "hu20sqlact5260q2nanm0q8u93",
            "resource_type": "payment", "event_type": kind, "resource": {},
        },
    )  # fmt: skip


SQUARE_KEY = "signature-key-of-a-test"
SQUARE_URL = "https://hooks.example.com:8443/webhooks/square"


def square(kind: str = "payment", **object_: Any) -> Signed:
    """An event of Square's, signed as its public texts say."""
    found = {"id": "p-1", "status": "COMPLETED", "order_id": "order-1"} | object_
    event = {
        "merchant_id": "M", "type": f"{kind}.updated", "event_id": "e-1",
        "created_at": "2027-01-15T08:00:00Z", "data": {"type": kind, "id": "p-1", "object": {kind: found}},
    }  # fmt: skip
    body = json.dumps(event).encode()
    digest = hmac.new(SQUARE_KEY.encode(), SQUARE_URL.encode() + body, hashlib.sha256).digest()
    return Signed({"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}, body)


def gateway() -> braintree.BraintreeGateway:
    """Braintree's own library, which signs samples."""
    return braintree.BraintreeGateway(
        braintree.Configuration(
            braintree.Environment.Sandbox, merchant_id="m", public_key=PUBLIC_KEY, private_key=PRIVATE_KEY
        )
    )


def braintree_form(signature: str, payload: str | bytes) -> Signed:
    """The form in which Braintree sends both."""
    text = payload.decode() if isinstance(payload, bytes) else payload
    fields = {"bt_signature": signature, "bt_payload": text}
    quoted = "&".join(f"{name}={_percent(value)}" for name, value in fields.items())
    return Signed({}, quoted.encode())


def braintree_sample(kind: str = "transaction_settled") -> Signed:
    """A sample of Braintree's own library."""
    sample = gateway().webhook_testing.sample_notification(kind, "abc123")
    return braintree_form(sample["bt_signature"], sample["bt_payload"])


def braintree_xml(document: str) -> Signed:
    """A document of ours, signed as Braintree does."""
    payload = base64.encodebytes(document.encode()).decode()
    key = hashlib.sha1(PRIVATE_KEY.encode()).digest()
    digest = hmac.new(key, payload.encode(), hashlib.sha1).hexdigest()
    return braintree_form(f"{PUBLIC_KEY}|{digest}", payload)


def _percent(text: str) -> str:
    return "".join(sign if sign.isalnum() else f"%{ord(sign):02X}" for sign in text)


@dataclass(frozen=True, slots=True)
class Row:
    """One scheme: its secret, and a right request of it."""

    secret: str
    right: Callable[[], Signed]


ROWS: Mapping[str, Row] = {
    "adyen": Row(ADYEN_KEY, lambda: adyen(adyen_item())),
    "braintree": Row(BRAINTREE_SECRET, braintree_sample),
    "checkout": Row(TEXT_SECRET, checkout),
    "govuk_pay": Row(TEXT_SECRET, govuk_pay),
    "square": Row(f"{SQUARE_URL}|{SQUARE_KEY}", square),
    "stripe": Row(TEXT_SECRET, stripe_event),
}
