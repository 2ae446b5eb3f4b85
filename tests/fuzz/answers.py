"""Targets that read what is not SIP: bodies of the HTTP API, answers of providers and of
rtpengine, webhooks of providers."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from urllib.parse import urlencode

from pydantic import ValidationError

from b2bua.api.bodies import OrderBody
from b2bua.api.field_bodies import ResetBody
from media.rtpengine import ng
from provider_adapters.account import Account
from provider_adapters.base import Response
from provider_adapters.card import FIELDS, CardBlock
from provider_adapters.connector import Connector
from provider_adapters.delivery import Delivery
from provider_adapters.keyed import FormBlock
from provider_adapters.notice import MAX_EVENT
from provider_adapters.payer.charging import discreet
from provider_adapters.payment import Approved, Charge
from provider_adapters.webhook.scheme import BadSignature, Stale, Unreadable, load_scheme
from tonewall.card_numbers import looks_like_card_number

_CODES = (200, 201, 402, 400, 404, 409, 422, 500, 503)
_ACCOUNT = Account(
    adapter="connector", url="https://pay.example.com", api_key="k", journal="/nowhere", timeout=1.0,
    inquiry_time=1.0,
    token_type="one_time",
)  # fmt: skip
_CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=1999, currency="EUR")
_DELIVERY = Charge(idempotency_key="k", transaction_id="t", amount=0, currency="", operation="deliver")


def provider(data: bytes) -> None:
    """An answer to a charge and to an inquiry; the first byte picks its code. Approved is only what
    says so in all letters."""
    if not data:
        return
    response = Response(_CODES[data[0] % len(_CODES)], data[1:])
    block = CardBlock(list(zip(FIELDS, (16, 4, 3), strict=True)))
    block.space()[:] = b"41111111111111110329739"
    connector = Connector(_ACCOUNT)
    for flow in (connector.charge(_CHARGE, block.card()), connector.inquire(_CHARGE, {})):
        next(flow)
        try:
            flow.send(response)
        except StopIteration as stopped:
            outcome = stopped.value
            assert not isinstance(outcome, Approved) or (b"approved" in data or b"\\u" in data)
            check_texts(outcome)


def check_texts(outcome: object) -> None:
    """What an outcome says is printable, and short."""
    for name in ("reason", "message", "authorisation_code", "code"):
        text = getattr(outcome, name, None) or ""
        assert text.isprintable()
        assert len(text) <= 200
    reference = getattr(outcome, "reference", None) or ""
    assert reference.isprintable()
    assert len(reference) <= 2000


def delivery(data: bytes) -> None:
    """An answer of a company's service; the first byte picks its code. Only a 2xx is a delivery."""
    if not data:
        return
    response = Response(_CODES[data[0] % len(_CODES)], data[1:])
    block = FormBlock([("sort_code", 6)])
    block.space()[:] = b"200415"
    flow = Delivery(_ACCOUNT).charge(_DELIVERY, block.fields())
    next(flow)
    try:
        flow.send(response)
    except StopIteration as stopped:
        outcome = discreet(stopped.value, block.fields())
        assert isinstance(outcome, Approved) <= (response.status in (200, 201))
        check_texts(outcome)
        assert "200415" not in repr(outcome)


def bencode(data: bytes) -> None:
    """An answer of rtpengine's: a value or an NgError."""
    with contextlib.suppress(ng.NgError):
        ng.decode_value(data)
    with contextlib.suppress(ng.NgError):
        ng.parse_answer(b"cookie", data)


def order(data: bytes) -> None:
    """A body that a client of the API sends: an order without a card number in its texts, or why it
    is none."""
    with contextlib.suppress(ValidationError):
        body = OrderBody.model_validate_json(data)
        assert not looks_like_card_number(body.transaction_id)
        assert not looks_like_card_number(body.description)
    with contextlib.suppress(ValidationError):
        ResetBody.model_validate_json(data)
    looks_like_card_number(data.decode("utf-8", "replace"))


def webhook(data: bytes) -> None:
    """A webhook of each scheme, once unsigned and once signed: a stranger's is never believed, and
    one that is signed gives notices or is said to be none."""
    if not data:
        return
    for name, (secret, sign) in _SIGNERS.items():
        scheme = load_scheme(name)
        try:
            scheme.read({"stripe-signature": data[:40].decode("latin-1")}, data, secret, 0.0)
        except BadSignature:
            pass
        else:
            raise AssertionError(name)
        headers, body = sign(data)
        with contextlib.suppress(Stale, Unreadable):
            for notice in scheme.read(headers, body, secret, 0.0):
                assert len(notice.event) <= MAX_EVENT


def _sign(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _sign_adyen(data: bytes) -> tuple[dict[str, str], bytes]:
    texts = [part.decode("utf-8", "replace") for part in data.split(b"\0")] + [""] * 8
    number = int.from_bytes(data[:4], "big")
    signed = [*texts[:4], str(number), texts[4], texts[5], texts[6]]
    signature = hmac.new(b"\0" * 32, ":".join(signed).encode(), hashlib.sha256).digest()
    item = {
        "pspReference": texts[0], "originalReference": texts[1], "merchantAccountCode": texts[2],
        "merchantReference": texts[3], "amount": {"value": number, "currency": texts[4]},
        "eventCode": texts[5], "success": texts[6],
        "additionalData": {"hmacSignature": base64.b64encode(signature).decode()},
    }  # fmt: skip
    return {}, json.dumps({"notificationItems": [{"NotificationRequestItem": item}]}).encode()


def _sign_braintree(data: bytes) -> tuple[dict[str, str], bytes]:
    payload = base64.encodebytes(data).decode()
    digest = hmac.new(b"\0" * 20, payload.encode(), hashlib.sha1).hexdigest()
    return {}, urlencode({"bt_signature": f"publickey|{digest}", "bt_payload": payload}).encode()


_TEXT = "whsec_0123456789abcdef"
_SIGNERS: dict[str, tuple[str, Callable[[bytes], tuple[dict[str, str], bytes]]]] = {
    "adyen": ("00" * 32, _sign_adyen),
    "braintree": (f"publickey|{'00' * 20}", _sign_braintree),
    "checkout": (_TEXT, lambda data: ({"cko-signature": _sign(_TEXT.encode(), data)}, data)),
    "govuk_pay": (_TEXT, lambda data: ({"pay-signature": _sign(_TEXT.encode(), data)}, data)),
    "stripe": (
        _TEXT,
        lambda data: ({"stripe-signature": f"t=0,v1={_sign(_TEXT.encode(), b'0.' + data)}"}, data),
    ),
}

_APPROVED = b'{"status":"approved","reference":"r","amount":1999,"currency":"EUR","authorisation_code":"a","token":"t"}'  # noqa: E501
ANSWERS = {
    "provider": (
        provider,
        [b"\0" + _APPROVED, b"\2" + b'{"status":"declined","reason":"expired_card","message":"no"}', b"\4{}"],
    ),
    "delivery": (
        delivery,
        [b"\0" + b'{"reference":"M-1","message":"done"}', b"\6" + b'{"reason":"no_such_account"}', b"\0"],
    ),
    "bencode": (
        bencode,
        [b"cookie d6:result2:ok3:sdp3:v=0e", b"d5:tagsd1:ali1ei-2e0:eee", b"cookie d6:result5:errore"],
    ),
    "webhook": (
        webhook,
        [
            b'{"notificationItems":[{"NotificationRequestItem":{"amount":{}}}]}',
            b"psp\0\0Shoes\0key-1\0EUR\0AUTHORISATION\0true",
            b'{"id":"evt_1","type":"payment_intent.succeeded","created":1,"data":{"object":{"id":"pi_1",'
            b'"object":"payment_intent","status":"succeeded","metadata":{"tonewall_key":"k"}}}}',
            b'{"id":"evt_1","type":"payment_captured","data":{"id":"p","action_id":"a","reference":"k"}}',
            b'{"webhook_message_id":"m","resource_id":"r","event_type":"card_payment_succeeded"}',
            b"<notification><kind>transaction_settled</kind><subject><transaction><id>1</id></transaction>"
            b"</subject></notification>",
            b'<!DOCTYPE n [<!ENTITY a "aa">]><n>&a;</n>',
            b"t=1,v1=00,v1=11",
            b"bt_signature=a%7Cb&bt_payload=AAAA",
        ],
    ),
    "order": (
        order,
        [
            b'{"transaction_id":"INV-1","amount":4990,"currency":"EUR","description":"Shoes"}',
            b'{"field":"expiry"}',
            b"4111 1111 1111 1111",
        ],
    ),
}
