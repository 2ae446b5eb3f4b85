"""Plays a merchant's pay connector: one POST, no idempotency, no inquiry.

Source: the form as docs/providers.md describes it. The same request twice is two charges, as it is
behind a connector that keeps no list of its own.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from provider_adapters.currency import read_decimal
from provider_adapters.local.books import API_KEY, Answer, Books, Order, Record

API_USER = "tonewall"
_BASIC = "Basic " + b64encode(f"{API_USER}:{API_KEY}".encode()).decode("ascii")
_TOKENS = {"one-time": "one_time", "reusable": "reusable"}
_CODES = {"insufficient_funds": "insufficient_funds", "invalid_number": "incorrect_number"}


class _Body(msgspec.Struct):
    transaction_id: str
    method: str
    cardnumber: str
    expiry_month: str
    expiry_year: str
    currency_code: str
    cvv: str = ""
    amount: str = "0"
    token_type: str = ""
    parameters: dict[str, str] = {}


class LocalPayConnector:
    """The form, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != _BASIC:
            return Answer(401, {"error_code": "unauthorised", "error_message": "Who are you?"})
        if method != "POST" or path not in ("", "/"):
            return Answer(405, {"error_code": "method_not_allowed", "error_message": "Only POST is played."})
        try:
            asked = msgspec.json.decode(body, type=_Body)
            amount = read_decimal(Decimal(asked.amount), asked.currency_code)
        except (msgspec.DecodeError, InvalidOperation):
            amount = None
        if amount is None or not asked.cardnumber.isdecimal():
            return Answer(200, {"error_code": "bad_request", "error_message": "The request is not valid."})
        return await self._charge(asked, amount)

    async def _charge(self, asked: _Body, amount: int) -> Answer | None:
        verifies = asked.method == "tokenize"
        key = asked.transaction_id
        if self._books.find(key) is not None:
            key = f"{key}#{self._books.requests + 1}"
        order = Order(
            key=key,
            transaction_id=asked.parameters.get("order_reference", ""),
            amount=amount,
            currency=asked.currency_code,
            number=asked.cardnumber,
            expiry=asked.expiry_month + asked.expiry_year,
            code=asked.cvv,
            operation="verify" if verifies else "charge",
            saves=_TOKENS.get(asked.token_type, "none"),
        )
        record, behaviour = await self._books.charge(order)
        error = Answer(500, {"error_code": "internal_error", "error_message": "Something broke."})
        return self._books.transmit(key, behaviour, Answer(200, _answer(record)), error)


def _answer(record: Record) -> dict[str, object]:
    if record.state == "declined":
        code = _CODES.get(record.reason, "card_declined")
        return {"error_code": code, "error_message": record.message}
    found: dict[str, object] = {"error_code": None, "error_message": None}
    if record.token:
        found["token_id"] = record.token
    if record.operation != "verify":
        found["charge_id"] = record.reference
    return found
