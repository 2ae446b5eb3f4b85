"""Plays a provider that speaks the connector contract (docs/connector.md).

Rule: a key of which an inquiry was told `no_such_charge` is closed: a charge that arrives later is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provider_adapters.local.books import (
    API_KEY,
    Answer,
    Books,
    InProgress,
    KeyOfAnother,
    NotAllowed,
    Order,
    Record,
)

_BESIDE = ("merchant_account", "statement", "metadata")


class _Card(msgspec.Struct):
    number: str
    expiry_month: int
    expiry_year: int
    security_code: str | None = None


class _Body(msgspec.Struct):
    transaction_id: str
    amount: int
    currency: str
    channel: str
    entry: str
    token_type: str
    card: _Card | None = None
    token: str | None = None
    operation: str = "charge"
    description: str = ""
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = {}


class _Move(msgspec.Struct):
    amount: int


class LocalConnector:
    """The contract, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._closed: set[str] = set()

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401, {"error": "unauthorised"})
        parts = path.removeprefix("/v1/charges").strip("/").split("/")
        if not path.startswith("/v1/charges"):
            return Answer(404, {"error": "no_such_path"})
        key = headers.get("idempotency-key", "")
        match (method, parts):
            case ("POST", [""]):
                return await self._charge(key, body)
            case ("GET", [asked]):
                return self._inquire(asked)
            case ("POST", [asked, ("captures" | "voids" | "refunds") as kind]):
                return self._move(asked, kind.removesuffix("s"), key, body)
            case _:
                return Answer(404, {"error": "no_such_path"})

    async def _charge(self, key: str, body: bytes) -> Answer | None:
        try:
            asked = msgspec.json.decode(body, type=_Body)
        except msgspec.DecodeError:
            return Answer(400, {"error": "bad_request"})
        order = self._order(key, asked)
        if not key or order is None or not order.number.isdecimal():
            return Answer(400, {"error": "bad_request"})
        if key in self._closed:
            return Answer(410, {"error": "key_closed"})
        try:
            record, behaviour = await self._books.charge(order)
        except KeyOfAnother:
            return Answer(422, {"error": "key_of_another_charge"})
        except InProgress:
            return Answer(409, {"error": "in_progress"})
        found = _charged(record)
        answer = Answer(402 if record.state == "declined" else 201, found)
        return self._books.transmit(key, behaviour, answer, Answer(500, {"error": "internal_error"}))

    def _order(self, key: str, asked: _Body) -> Order | None:
        card, saved = asked.card, self._books.saved(asked.token or "")
        if card is None and saved is None:
            return None
        if card is not None:
            number, expiry = card.number, f"{card.expiry_month:02}{card.expiry_year % 100:02}"
            code = card.security_code or ""
        else:
            assert saved is not None
            number, expiry, code = saved.number, saved.expiry, ""
        return Order(
            key=key,
            transaction_id=asked.transaction_id,
            amount=asked.amount,
            currency=asked.currency,
            number=number,
            expiry=expiry,
            code=code,
            operation="authorise" if asked.operation == "authorise" else "charge",
            saves=asked.token_type,
            beside={name: getattr(asked, name) for name in _BESIDE},
        )

    def _inquire(self, key: str) -> Answer:
        record = self._books.find(key)
        if record is None:
            self._closed.add(key)
            return Answer(404, {"error": "no_such_charge"})
        return Answer(200, _charged(record))

    def _move(self, asked: str, kind: str, key: str, body: bytes) -> Answer:
        record = self._books.find(asked)
        try:
            amount = msgspec.json.decode(body, type=_Move).amount
        except msgspec.DecodeError:
            return Answer(400, {"error": "bad_request"})
        if record is None or not key:
            return Answer(404, {"error": "no_such_charge"})
        try:
            made = self._books.move(record, kind, key, amount)
        except NotAllowed:
            return Answer(422, {"error": "not_allowed"})
        return Answer(201, {"status": "done", "reference": made.reference, "amount": made.amount})


def _charged(record: Record) -> dict[str, object]:
    if record.state == "pending":
        return {"status": "pending"}
    if record.state == "declined":
        return {"status": "declined", "reason": record.reason, "message": record.message}
    found: dict[str, object] = {
        "status": "approved",
        "reference": record.reference,
        "authorisation_code": "A0B1C2",
        "amount": record.amount,
        "amount_approved": record.approved,
        "currency": record.approved_currency,
    }
    return found | ({"token": record.token} if record.token else {})
