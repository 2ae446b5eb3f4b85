"""Plays GOV.UK Pay: payments in `authorisation_mode: moto_api`, and what is done with them later.

Source: GOV.UK Pay's OpenAPI description and its public texts. As there, the `Idempotency-Key` of a
creation counts for agreements only, a one-time token is taken once, a bank's reason is not told,
and all amounts are pence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from provider_adapters.local.books import API_KEY, Answer, Books, Move, NotAllowed, Order, Record

_CREATED = "2026-11-29T12:00:00.000Z"


class _Create(msgspec.Struct):
    amount: int
    reference: str
    description: str
    authorisation_mode: str
    delayed_capture: bool = False
    return_url: str | None = None
    metadata: dict[str, str] = {}


class _Authorise(msgspec.Struct):
    one_time_token: str
    card_number: str
    cvc: str
    expiry_date: str
    cardholder_name: str


class _Refund(msgspec.Struct):
    amount: int
    refund_amount_available: int


@dataclass(slots=True)
class _Payment:
    """A payment that was created. `key`: what the books know it by; `used`: its token was taken."""

    key: str
    asked: _Create
    identity: str
    token: str
    used: bool = False
    cancelled: bool = False


class LocalGovukPay:
    """Payments, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._payments: dict[str, _Payment] = {}

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        parts = path.strip("/").split("/")
        try:
            if (method, parts) == ("POST", ["v1", "auth"]):
                return await self._authorise(msgspec.json.decode(body, type=_Authorise))
            if headers.get("authorization") != f"Bearer {API_KEY}":
                return Answer(401, {})
            match (method, parts):
                case ("POST", ["v1", "payments"]):
                    key = headers.get("idempotency-key", "")
                    return self._create(key, msgspec.json.decode(body, type=_Create))
                case (_, ["v1", "payments", identity, *_]) if identity not in self._payments:
                    return _error(404, "P0200", "Not found")
                case ("GET", ["v1", "payments", identity]):
                    return Answer(200, self._show(self._payments[identity]))
                case ("POST", ["v1", "payments", identity, "capture"]):
                    return self._change(self._payments[identity], "capture", "P1003", 409)
                case ("POST", ["v1", "payments", identity, "cancel"]):
                    return self._change(self._payments[identity], "void", "P0501", 400)
                case ("POST", ["v1", "payments", identity, "refunds"]):
                    return self._refund(self._payments[identity], msgspec.json.decode(body, type=_Refund))
        except msgspec.DecodeError:
            return _error(400, "P0197", "Unable to parse JSON")
        return Answer(404, {})

    def _create(self, key: str, asked: _Create) -> Answer:
        if asked.authorisation_mode != "moto_api":
            return _error(422, "P0102", "Only telephone orders are played here")
        if asked.return_url is not None:
            return _error(400, "P0104", "Unexpected attribute: return_url")
        number = str(len(self._payments))
        identity = _digest("payment", key, number)[:26]
        token = _digest("token", key, number)
        made = _Payment(key or identity, asked, identity, token)
        self._payments[identity] = made
        return Answer(201, self._show(made))

    async def _authorise(self, asked: _Authorise) -> Answer | None:
        payment = next((each for each in self._payments.values() if each.token == asked.one_time_token), None)
        if payment is None:
            return _error(400, "P1211", "The one_time_token is not valid")
        if payment.used:
            return _error(400, "P1212", "The one_time_token has already been used")
        payment.used = True
        order = Order(
            key=payment.key,
            transaction_id=payment.asked.reference,
            amount=payment.asked.amount,
            currency="GBP",
            number=asked.card_number,
            expiry=asked.expiry_date.replace("/", ""),
            code=asked.cvc,
            operation="authorise" if payment.asked.delayed_capture else "charge",
        )
        record, behaviour = await self._books.charge(order)
        record.reference = payment.identity
        if behaviour.answer == "none" and not behaviour.charged:
            payment.used = False  # the card never arrived
        declined = record.message or "The payment was rejected"
        answer = _error(402, "P0010", declined) if record.state == "declined" else Answer(204, {})
        failed = _error(500, "P0050", "There was an error authorising the payment")
        return self._books.transmit(payment.key, behaviour, answer, failed)

    def _change(self, payment: _Payment, kind: str, code: str, status: int) -> Answer:
        record = self._books.find(payment.key)
        try:
            if record is None and kind == "void":
                payment.cancelled = payment.used = True
            elif record is None or record.operation != "authorise":
                raise NotAllowed(kind)
            else:
                self._books.move(record, kind, kind + str(len(record.moves)), record.approved)
        except NotAllowed:
            return _error(status, code, f"The payment cannot be changed: {kind}")
        return Answer(204, {})

    def _refund(self, payment: _Payment, asked: _Refund) -> Answer:
        record = self._books.find(payment.key)
        available = _available(record)
        if record is None or asked.refund_amount_available != available:
            return _error(412, "P0604", "Refund amount available mismatch.")
        try:
            made = self._books.move(record, "refund", f"refund{len(record.moves)}", asked.amount)
        except NotAllowed:
            return _error(422, "P0603", "The payment is not available for refund.")
        return Answer(202, _refund(payment, made))

    def _show(self, payment: _Payment) -> dict[str, object]:
        record, asked = self._books.find(payment.key), payment.asked
        available = _available(record)
        body: dict[str, object] = {
            "payment_id": payment.identity,
            "amount": record.approved if record and record.approved else asked.amount,
            "reference": asked.reference,
            "description": asked.description,
            "authorisation_mode": "moto_api",
            "moto": True,
            "delayed_capture": asked.delayed_capture,
            "created_date": _CREATED,
            "language": "en",
            "payment_provider": "sandbox",
            "state": _state(payment, record),
            "refund_summary": {
                "status": "available" if available else "full" if record and record.refunded else "pending",
                "amount_available": available,
                "amount_submitted": record.refunded if record else 0,
            },
        }
        links: dict[str, object] = {"self": {"href": f"/v1/payments/{payment.identity}", "method": "GET"}}
        if not payment.used:
            links["auth_url_post"] = {
                "type": "application/json",
                "params": {"one_time_token": payment.token},
                "href": "/v1/auth",
                "method": "POST",
            }
        return body | {"_links": links}


def _available(record: Record | None) -> int:
    """Pence that can be refunded."""
    if record is None or record.state != "approved":
        return 0
    settled = record.captured if record.operation == "authorise" else record.approved
    return settled - record.refunded


def _state(payment: _Payment, record: Record | None) -> dict[str, object]:
    if payment.cancelled or (record is not None and record.voided):
        return {"status": "cancelled", "finished": True, "code": "P0040", "message": "Payment was cancelled"}
    if record is None:
        if payment.used:
            return {"status": "error", "finished": True, "code": "P0050", "message": "Payment provider error"}
        return {"status": "created", "finished": False}
    if record.state == "pending":
        return {"status": "started", "finished": False}
    if record.state == "declined":
        return {
            "status": "failed", "finished": True, "code": "P0010", "message": "Payment method rejected",
            "can_retry": False,
        }  # fmt: skip
    if record.operation == "authorise" and not record.captured:
        return {"status": "capturable", "finished": False}
    return {"status": "success", "finished": True}


def _refund(payment: _Payment, made: Move) -> dict[str, object]:
    return {
        "refund_id": made.reference,
        "payment_id": payment.identity,
        "amount": made.amount,
        "created_date": _CREATED,
        "status": "submitted",
    }


def _error(status: int, code: str, description: str) -> Answer:
    return Answer(status, {"code": code, "description": description})


def _digest(*parts: str) -> str:
    """Lower-case letters and digits, as those of the provider."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()
