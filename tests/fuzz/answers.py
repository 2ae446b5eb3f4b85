"""Targets that read what is not SIP: bodies of the HTTP API, answers of providers and of
rtpengine."""

from __future__ import annotations

import contextlib

from pydantic import ValidationError

from b2bua.api.bodies import OrderBody, ResetBody
from b2bua.api.card_numbers import looks_like_card_number
from media.rtpengine import ng
from provider_adapters.account import Account
from provider_adapters.base import Response
from provider_adapters.card import FIELDS, CardBlock
from provider_adapters.connector import Connector
from provider_adapters.payment import Approved, Charge

_CODES = (200, 201, 402, 400, 404, 409, 422, 500, 503)
_ACCOUNT = Account(
    adapter="connector", url="https://pay.example.com", api_key="k", journal="/nowhere", timeout=1.0,
    inquiry_time=1.0,
    token_type="one_time",
)  # fmt: skip
_CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=1999, currency="EUR")


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
            for text in (
                getattr(outcome, name, None)
                for name in ("reason", "message", "reference", "authorisation_code")
            ):
                assert text is None or (text.isprintable() and len(text) <= 200)


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


_APPROVED = b'{"status":"approved","reference":"r","amount":1999,"currency":"EUR","authorisation_code":"a","token":"t"}'  # noqa: E501
ANSWERS = {
    "provider": (
        provider,
        [b"\0" + _APPROVED, b"\2" + b'{"status":"declined","reason":"expired_card","message":"no"}', b"\4{}"],
    ),
    "bencode": (
        bencode,
        [b"cookie d6:result2:ok3:sdp3:v=0e", b"d5:tagsd1:ali1ei-2e0:eee", b"cookie d6:result5:errore"],
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
