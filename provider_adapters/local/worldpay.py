"""Plays Access Worldpay: the Payments API, its follow-ups by link, and Payment Queries.

Source: Worldpay's OpenAPI descriptions. As there, nothing keeps an order from being carried out
twice, and the links of an answer say what can be done next.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from provider_adapters.local.books import API_KEY, Answer, Books, NotAllowed, Order, Record

API_USER = "local-test-user"
_HOST = "https://try.access.worldpay.com"
_AUTHORIZATION = f"Basic {b64encode(f'{API_USER}:{API_KEY}'.encode()).decode()}"
_CODES = {"insufficient_funds": ("51", "LIMIT EXCEEDED"), "invalid_number": ("14", "INVALID ACCOUNT")}
_ACTIONS = {
    "settlements": ("capture", "sentForSettlement"),
    "partialSettlements": ("capture", "sentForSettlement"),
    "refunds": ("refund", "sentForRefund"),
    "partialRefunds": ("refund", "sentForPartialRefund"),
    "cancellations": ("void", "sentForCancellation"),
    "reversals": ("void", "sentForReversal"),
}


class _Expiry(msgspec.Struct):
    month: int
    year: int


class _Instrument(msgspec.Struct, rename="camel"):
    type: str
    card_number: str = ""
    expiry_date: _Expiry | None = None
    cvc: str = ""
    href: str = ""
    card_holder_name: str = ""


class _Value(msgspec.Struct):
    currency: str
    amount: int


class _Type(msgspec.Struct):
    type: str


class _Settlement(msgspec.Struct):
    auto: bool


class _Instruction(msgspec.Struct, rename="camel"):
    method: str
    payment_instrument: _Instrument
    narrative: dict[str, str]
    value: _Value
    settlement: _Settlement | None = None
    token_creation: _Type | None = None
    customer_agreement: _Type | None = None


class _Payment(msgspec.Struct, rename="camel"):
    transaction_reference: str
    merchant: dict[str, str]
    instruction: _Instruction
    channel: str = "ecom"
    order_reference: str = ""


class _Part(msgspec.Struct):
    reference: str
    value: _Value


class LocalWorldpay:
    """Payments and queries, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._moves = 0

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != _AUTHORIZATION:
            return _error(401, "accessDenied", "Access to the requested resource has been denied.")
        parts = urlsplit(path)
        asked = parse_qs(parts.query).get("transactionReference", [""])[0]
        try:
            match (method, parts.path.strip("/").split("/")):
                case ("POST", ["api", "payments"]):
                    return await self._pay(msgspec.json.decode(body, type=_Payment))
                case ("GET", ["api", "payments", data]):
                    return self._next(unquote(data))
                case ("POST", ["api", "payments", data, action]) if action in _ACTIONS:
                    return self._move(unquote(data), action, body)
                case ("GET", ["paymentQueries", "payments"]):
                    return self._list(asked)
                case ("GET", ["paymentQueries", "payments", identity]):
                    return self._query(unquote(identity))
        except msgspec.DecodeError:
            return _error(400, "bodyDoesNotMatchSchema", "A JSON body matching the schema must be provided.")
        return _error(404, "endpointNotFound", "Requested endpoint was not found.")

    async def _pay(self, asked: _Payment) -> Answer | None:
        instruction = asked.instruction
        instrument = instruction.payment_instrument
        saved = self._books.saved(instrument.href.rpartition("/")[2])
        if asked.channel != "moto" or (instrument.type == "token") == (saved is None):
            return _error(400, "fieldHasInvalidValue", "Only telephone orders are played here.")
        if instruction.token_creation and not instrument.card_holder_name:
            return _error(400, "bodyDoesNotMatchSchema", "A saved card needs its holder's name.")
        if not instruction.value.amount and instruction.customer_agreement is None:
            return _error(400, "fieldHasInvalidValue", "Amount zero needs a customer agreement.")
        expiry = instrument.expiry_date
        auto = instruction.settlement is not None and instruction.settlement.auto
        order = Order(
            key=asked.transaction_reference,
            transaction_id=asked.order_reference or asked.transaction_reference,
            amount=instruction.value.amount,
            currency=instruction.value.currency,
            number=instrument.card_number or (saved.number if saved else ""),
            expiry=f"{expiry.month:02}{expiry.year % 100:02}" if expiry else "",
            code=instrument.cvc,
            operation="verify" if not instruction.value.amount else "charge" if auto else "authorise",
            saves="reusable" if instruction.token_creation else "none",
        )
        record, behaviour = await self._books.charge(order, again=True)
        status = 202 if record.state == "approved" and auto else 201
        error = _error(500, "internalErrorOccurred", "We cannot currently process your request.")
        answer = Answer(status, _paid(record, asked.transaction_reference))
        return self._books.transmit(order.key, behaviour, answer, error)

    def _next(self, data: str) -> Answer:
        found = self._books.find_reference(data)
        if found is None:
            return _error(404, "endpointNotFound", "Requested endpoint was not found.")
        record = found[1]
        last = "Refunded" if record.refunded else "Sent for Settlement" if _settled(record) else "Authorized"
        return Answer(200, {"lastEvent": last, "_actions": _actions(record)})

    def _move(self, data: str, action: str, body: bytes) -> Answer:
        found = self._books.find_reference(data)
        kind, outcome = _ACTIONS[action]
        if found is None:
            return _error(404, "endpointNotFound", "Requested endpoint was not found.")
        record = found[1]
        part = msgspec.json.decode(body, type=_Part) if action.startswith("partial") else None
        self._moves += 1
        key = part.reference if part else f"{action}-{self._moves}"
        try:
            self._books.move(record, kind, key, part.value.amount if part else record.approved)
        except NotAllowed:
            return _error(404, "endpointNotFound", "Requested endpoint was not found.")
        return Answer(202, {"outcome": outcome, "_links": _links(record)})

    def _list(self, asked: str) -> Answer:
        record = self._books.find(asked)
        payments = [] if record is None else [_queried(asked, record)]
        links = {"self": {"href": f"/paymentQueries/payments?transactionReference={asked}"}}
        return Answer(200, {"_links": links, "_embedded": {"payments": payments}})

    def _query(self, identity: str) -> Answer:
        found = self._books.find_reference(identity.removeprefix("payId-"))
        if found is None:
            return _error(404, "paymentNotFound", "The payment you are trying to access does not exist.")
        key, record = found
        return Answer(200, _queried(key, record) | _history(record))


def _settled(record: Record) -> bool:
    return record.operation == "charge" or record.captured > 0


def _links(record: Record) -> dict[str, object]:
    return {"self": {"href": f"{_HOST}/api/payments/{record.reference}"}}


def _actions(record: Record) -> dict[str, object]:
    """What can be done next."""
    names: dict[str, str] = {}
    settled = record.captured if record.operation == "authorise" else record.approved
    if record.operation == "authorise" and not record.voided and record.captured < record.approved:
        names |= {"settlePayment": "settlements", "partiallySettlePayment": "partialSettlements"}
        names |= {} if record.captured else {"cancelPayment": "cancellations"}
    if _settled(record) and settled > record.refunded and not record.voided:
        names |= {"refundPayment": "refunds", "partiallyRefundPayment": "partialRefunds"}
        names |= {"reversePayment": "reversals"}
    return {
        name: {"href": f"{_HOST}/api/payments/{record.reference}/{path}", "method": "POST"}
        for name, path in names.items()
    }


def _paid(record: Record, reference: str) -> dict[str, object]:
    common: dict[str, object] = {"paymentId": f"payId-{record.reference}", "transactionReference": reference}
    if record.state == "declined":
        code, text = _CODES.get(record.reason, ("5", "REFUSED"))
        return common | {
            "outcome": "refused",
            "refusalCode": code,
            "refusalDescription": record.message or text,
        }
    body = common | {
        "outcome": "sentForSettlement" if record.operation == "charge" else "authorized",
        "issuer": {"authorizationCode": "675725"},
        "riskFactors": [{"type": "avs", "risk": "notChecked", "detail": "postcode"}],
        "_links": _links(record),
        "_actions": _actions(record),
    }
    if (record.approved, record.approved_currency) != (record.amount, record.currency):
        body["amounts"] = {
            "requested": record.amount,
            "totalAuthorized": record.approved,
            "currency": record.approved_currency,
            "partialAuthorization": record.approved < record.amount,
        }
    if record.token:
        body["token"] = {"href": f"{_HOST}/tokens/{record.token}"}
    return body


def _queried(reference: str, record: Record) -> dict[str, object]:
    identity = f"payId-{record.reference}"
    return {
        "timestamp": "2026-11-29T12:00:00.000Z",
        "paymentId": identity,
        "transactionReference": reference,
        "entity": "default",
        "value": {
            "currency": record.approved_currency or record.currency,
            "amount": record.approved or record.amount,
        },
        "_links": {"self": {"href": f"/paymentQueries/payments/{identity}"}},
    }


def _history(record: Record) -> dict[str, object]:
    """The last event and those before it, and the links of an authorised payment."""
    names = ["authorizationRequested"]
    if record.state == "declined":
        names.append("authorizationRefused")
    elif record.state == "approved":
        names.append("authorizationSucceeded")
        names += ["settlementRequested"] if _settled(record) else []
        names += ["cancellationRequested"] if record.voided else []
        names += ["refundRequested"] if record.refunded else []
    events: list[dict[str, object]] = [{"eventName": name} for name in names]
    if record.state == "declined":
        code, text = _CODES.get(record.reason, ("5", "REFUSED"))
        events[-1] |= {"code": code, "description": record.message or text, "outcome": "refused"}
    links: dict[str, object] = {"self": {"href": f"/paymentQueries/payments/payId-{record.reference}"}}
    if record.state == "approved":
        links["cardPayments:events"] = {"href": f"{_HOST}/payments/events/{record.reference}"}
    return {"lastEvent": names[-1], "events": events, "_links": links}


def _error(status: int, name: str, message: str) -> Answer:
    return Answer(status, {"errorName": name, "message": message})
