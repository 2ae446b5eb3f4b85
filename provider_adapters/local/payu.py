"""Plays PayU's REST API 2.1: a token, orders with a card in text form, and what is done later.

Source: PayU's own OpenAPI description. An order is answered at once and shows what became of it
when it is looked at; `extOrderId` may be used once.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec

from provider_adapters.currency import MINOR_UNITS
from provider_adapters.local.books import API_KEY, Answer, Books, NotAllowed, Order, Record
from provider_adapters.minor_units import from_provider, to_provider

POS = "145227"
_TOKEN = "3e5cac39-7e38-4139-8fd6-30adc06a61bd"  # noqa: S105
_SHIFTS = {currency: 2 - decimals for currency, decimals in MINOR_UNITS.items() if decimals != 2}
_CODES = {
    "insufficient_funds": ("S51", "S51 - Not sufficient funds"),
    "invalid_number": ("S14", "S14 - Invalid card number"),
}


class _Card(msgspec.Struct, rename="camel"):
    number: str
    expiration_month: str
    expiration_year: str
    cvv: str = ""


class _Method(msgspec.Struct, rename="camel"):
    type: str
    value: str
    card: _Card | None = None
    authorization_type: str = "AUTHORIZATION"


class _Methods(msgspec.Struct, rename="camel"):
    pay_method: _Method


class _Body(msgspec.Struct, rename="camel"):
    customer_ip: str
    merchant_pos_id: str
    description: str
    currency_code: str
    total_amount: str
    products: list[dict[str, str]]
    ext_order_id: str
    pay_methods: _Methods
    additional_description: str = ""
    card_on_file: str = ""


class _Amount(msgspec.Struct, rename="camel"):
    amount: str
    currency_code: str


class _Refund(msgspec.Struct, rename="camel"):
    description: str
    amount: str
    currency_code: str
    ext_refund_id: str


class _Refunding(msgspec.Struct):
    refund: _Refund


class LocalPayu:
    """The interface, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if (method, path) == ("POST", "/pl/standard/user/oauth/authorize"):
            return _authorise(body)
        if headers.get("authorization") != f"Bearer {_TOKEN}":
            return _error(401, "UNAUTHORIZED", "Incorrect authentication.")
        try:
            match (method, path.removeprefix("/api/v2_1").strip("/").split("/")):
                case ("GET", ["paymethods"]):
                    return Answer(200, {"cardTokens": [], "pexTokens": [], "payByLinks": []})
                case ("POST", ["orders"]):
                    return await self._order(msgspec.json.decode(body, type=_Body))
                case (_, ["orders", order_id, *rest]):
                    return self._about(method, order_id, "/".join(rest), body)
        except (msgspec.DecodeError, ValueError):
            return _error(400, "ERROR_SYNTAX", "BAD_REQUEST")
        return _error(404, "DATA_NOT_FOUND", "No such path")

    async def _order(self, asked: _Body) -> Answer | None:
        method = asked.pay_methods.pay_method
        saved = self._books.saved(method.value)
        card = method.card
        if card is None and saved is None:
            return _error(400, "ERROR_VALUE_MISSING", "Only cards are played here")
        if self._books.find(asked.ext_order_id) is not None:
            return _error(400, "ERROR_ORDER_NOT_UNIQUE", "Order with this extOrderId exists")
        order = Order(
            key=asked.ext_order_id,
            transaction_id=asked.additional_description,
            amount=from_provider(int(asked.total_amount), asked.currency_code, _SHIFTS) or 0,
            currency=asked.currency_code,
            number=card.number if card else saved.number if saved else "",
            expiry=card.expiration_month + card.expiration_year[-2:] if card else "",
            code=card.cvv if card else "",
            operation="authorise" if method.authorization_type == "PRE_AUTHORIZATION" else "charge",
            saves="reusable" if asked.card_on_file == "FIRST" else "none",
        )
        record, behaviour = await self._books.charge(order)
        answer = Answer(201, _created(order.key, record))
        return self._books.transmit(
            order.key, behaviour, answer, _error(500, "ERROR_INTERNAL", "Something broke")
        )

    def _about(self, method: str, order_id: str, rest: str, body: bytes) -> Answer:
        found = self._books.find_reference(order_id)
        if found is None:
            return _error(404, "DATA_NOT_FOUND", "Could not find data for given criteria.")
        key, record = found
        match (method, rest):
            case ("GET", ""):
                return Answer(200, {"orders": [self._shown(key, record)], "properties": []})
            case ("GET", "transactions"):
                return Answer(200, {"transactions": [_transaction(record)]})
            case ("DELETE", ""):
                return self._move(record, "void", f"{key}-void-{record.voided}", record.approved)
            case ("POST", "captures"):
                left = record.approved - record.captured
                amount = _units(msgspec.json.decode(body, type=_Amount)) if body else left
                return self._move(record, "capture", f"{key}-{record.captured}", amount or -1)
            case ("POST", "refunds"):
                refund = msgspec.json.decode(body, type=_Refunding).refund
                amount = from_provider(int(refund.amount), refund.currency_code, _SHIFTS) or 0
                return self._move(record, "refund", refund.ext_refund_id, amount)
        return _error(404, "DATA_NOT_FOUND", "No such path")

    def _move(self, record: Record, kind: str, key: str, amount: int) -> Answer:
        try:
            if amount < 0:
                raise NotAllowed(kind)
            made = self._books.move(record, kind, key, amount)
        except NotAllowed:
            return _error(400, "OPENPAYU_BUSINESS_ERROR", "Not allowed in this state")
        answer: dict[str, object] = {"status": {"statusCode": "SUCCESS", "statusDesc": "Done"}}
        if kind == "refund":
            answer |= {"orderId": record.reference, "refund": {"refundId": made.reference} | {
                "extRefundId": key, "amount": str(to_provider(made.amount, record.currency, _SHIFTS)),
                "currencyCode": record.currency, "status": "PENDING",
            }}  # fmt: skip
        return Answer(200, answer)

    def _shown(self, key: str, record: Record) -> dict[str, object]:
        held = record.operation == "authorise" and not record.captured
        status = {
            "pending": "PENDING",
            "declined": "CANCELED",
            "approved": "WAITING_FOR_CONFIRMATION" if held else "COMPLETED",
        }[record.state]
        return {
            "orderId": record.reference,
            "extOrderId": key,
            "customerIp": "127.0.0.1",
            "merchantPosId": POS,
            "currencyCode": record.approved_currency or record.currency,
            "totalAmount": str(to_provider(record.approved or record.amount, record.currency, _SHIFTS)),
            "status": "CANCELED" if record.voided else status,
        }


def _authorise(body: bytes) -> Answer:
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    if asked.get("client_secret") != API_KEY or asked.get("client_id") != POS:
        return Answer(401, {"error": "invalid_client", "error_description": "Bad client credentials"})
    return Answer(
        200,
        {"access_token": _TOKEN, "token_type": "bearer", "expires_in": 43199}
        | {"grant_type": "client_credentials"},
    )


def _created(key: str, record: Record) -> dict[str, object]:
    answer: dict[str, object] = {
        "status": {"statusCode": "SUCCESS"},
        "orderId": record.reference,
        "extOrderId": key,
    }
    if record.token:
        answer["payMethods"] = {"payMethod": {"type": "CARD_TOKEN", "value": record.token}}
    return answer


def _transaction(record: Record) -> dict[str, object]:
    code, text = _CODES.get(record.reason, ("S05", "S05 - Do not honor"))
    declined = record.state == "declined"
    data = {
        "cardNumberMasked": f"******{record.last_four}",
        "cardResponseCode": code if declined else "000",
        "cardResponseCodeDesc": (record.message or text) if declined else "000 - OK",
    }
    found: dict[str, object] = {
        "payMethod": {"value": "c"},
        "paymentFlow": "ONE_CLICK_PHONE_ORDER",
        "card": {"cardData": data},
    }
    return found | ({"resultCode": "AUT_ERROR_NO_AUTHORIZATION"} if declined else {})


def _units(amount: _Amount) -> int | None:
    return from_provider(int(amount.amount), amount.currency_code, _SHIFTS)


def _error(status: int, code: str, text: str) -> Answer:
    return Answer(status, {"status": {"statusCode": code, "severity": "ERROR", "statusDesc": text}})
