"""Plays Braintree's GraphQL: single-use payment methods, transactions, and what is done with them
later.

Source: Braintree's schema. As there, nothing but the gateway's duplicate check and the single use
of a payment method keeps a charge from being made twice, and a request names no currency. Here the
last three letters of a merchant account are its currency, where they are capitals; else it is EUR.
What is charged is settled at once.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from provider_adapters.currency import read_decimal, write_decimal
from provider_adapters.local.books import API_KEY, Answer, Behaviour, Books, NotAllowed, Order, Record

PUBLIC_KEY = "local-test-user"
_FIELD = re.compile(r"\{\s*(?:ping\s+)?(\w+)")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_DECLINES = {"insufficient_funds": ("2001", "Insufficient Funds"), "invalid_number": ("2005", "")}
_OTHERWISE = ("2000", "Do Not Honor")
_EVENTS = {"PROCESSOR_DECLINED": "ProcessorDeclinedEvent", "AUTHORIZED": "AuthorizedEvent"}


class _Request(msgspec.Struct):
    query: str
    variables: dict[str, Any] = {}


@dataclass(slots=True)
class _Method:
    """A payment method; `used`: a single-use one that was charged."""

    id: str
    number: str = field(repr=False)
    expiry: str = field(repr=False)
    code: str = field(repr=False)
    used: bool = False
    kept: bool = False


class LocalBraintree:
    """GraphQL, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._methods: dict[str, _Method] = {}
        self._rejected: dict[str, list[dict[str, Any]]] = {}
        pair = b64encode(f"{PUBLIC_KEY}:{API_KEY}".encode()).decode("ascii")
        self._authorization = f"Basic {pair}"

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One document with one field at its top."""
        if (method, path) != ("POST", "/graphql") or "braintree-version" not in headers:
            return Answer(404, {})
        if headers.get("authorization") != self._authorization:
            return _error("AUTHENTICATION")
        try:
            asked = msgspec.json.decode(body, type=_Request)
        except msgspec.DecodeError:
            return Answer(400, {})
        found = _FIELD.search(asked.query)
        name, given = found[1] if found else "", asked.variables.get("input", {})
        if name in ("chargePaymentMethod", "authorizePaymentMethod"):
            return await self._charge(name, given)
        answers: Mapping[str, Callable[[], dict[str, object] | None]] = {
            "viewer": lambda: _show_account(asked.variables["id"]),
            "search": lambda: self._search(asked.variables["order"]),
            "tokenizeCreditCard": lambda: self._tokenize(given["creditCard"]),
            "captureTransaction": lambda: self._capture(given),
            "reverseTransaction": lambda: self._reverse(given),
            "refundTransaction": lambda: self._refund(given),
        }
        if name not in answers:
            return Answer(200, {"errors": [{"message": "no such field"}]})
        try:
            shown = answers[name]()
        except NotAllowed as error:
            return _error("VALIDATION", str(error))
        if shown is None:
            return _error("NOT_FOUND")
        return Answer(200, {"data": ({"ping": "pong"} if name == "viewer" else {}) | {name: shown}})

    def _tokenize(self, card: Mapping[str, str]) -> dict[str, object]:
        if not card["number"].isdecimal():
            raise NotAllowed("81715")
        made = _Method(
            id=f"tokencc_bh_{len(self._methods)}",
            number=card["number"],
            expiry=f"{card['expirationMonth']}{card['expirationYear'][-2:]}",
            code=card.get("cvv", ""),
        )
        self._methods[made.id] = made
        return {"paymentMethod": {"id": made.id}}

    async def _charge(self, name: str, given: Mapping[str, Any]) -> Answer | None:
        asked, method = given["transaction"], self._methods.get(given["paymentMethodId"])
        if method is None:
            return _error("VALIDATION", "91565")
        if method.used:
            return _error("VALIDATION", "91564")
        if asked["paymentInitiator"] != ("UNSCHEDULED" if method.kept else "MOTO"):
            return _error("VALIDATION", "915133")
        method.used = not method.kept
        currency = _currency(asked["merchantAccountId"])
        amount = read_decimal(Decimal(asked["amount"]), currency) or 0
        key = asked["orderId"]
        first = self._books.find(key)
        if first is not None and (first.amount, first.last_four) == (amount, method.number[-4:]):
            return Answer(200, {"data": {name: {"transaction": self._reject(key, first)}}})
        keeps = "vaultPaymentMethodAfterTransacting" in asked
        order = Order(
            key=key,
            transaction_id=key,
            amount=amount,
            currency=currency,
            number=method.number,
            expiry=method.expiry,
            code="" if method.kept else method.code,
            operation="authorise" if name.startswith("authorize") else "charge",
            saves="reusable" if keeps else "none",
            reference=_new("dHJhbnNhY3Rpb25f", key),
        )
        record, behaviour = await self._books.charge(order)
        if record.token and record.token not in self._methods:
            kept = _Method(record.token, method.number, method.expiry, "", kept=True)
            self._methods[kept.id] = kept
        answer = Answer(200, {"data": {name: {"transaction": _show(key, record)}}})
        return self._answer(key, behaviour, answer)

    def _answer(self, key: str, behaviour: Behaviour, answer: Answer) -> Answer | None:
        return self._books.transmit(key, behaviour, answer, _error("INTERNAL"))

    def _reject(self, key: str, first: Record) -> dict[str, Any]:
        """A duplicate of the first."""
        event = {
            "__typename": "GatewayRejectedEvent",
            "status": "GATEWAY_REJECTED",
            "gatewayRejectionReason": "DUPLICATE",
            "processorResponse": None,
            "duplicateOf": {"id": first.reference, "orderId": key},
        }
        others = self._rejected.setdefault(key, [])
        changes = {
            "id": _new("dHJhbnNhY3Rpb25f", f"{key} {len(others)}"),
            "status": "GATEWAY_REJECTED",
            "paymentMethod": None,
            "statusHistory": [event],
        }
        others.append(_show(key, first) | changes)
        return others[-1]

    def _search(self, key: str) -> dict[str, object]:
        record = self._books.find(key)
        shown = [*self._rejected.get(key, ()), *([] if record is None else [_show(key, record)])]
        return {"transactions": {"edges": [{"node": each} for each in shown]}}

    def _capture(self, given: Mapping[str, Any]) -> dict[str, object] | None:
        found = self._books.find_reference(given["transactionId"])
        if found is None:
            return None
        key, record = found
        amount = read_decimal(Decimal(given["transaction"]["amount"]), record.currency) or 0
        if record.captured:
            raise NotAllowed("91507")
        self._move(record, "capture", amount, "91522")
        return {"transaction": _show(key, record)}

    def _reverse(self, given: Mapping[str, Any]) -> dict[str, object] | None:
        found = self._books.find_reference(given["transactionId"])
        if found is None:
            return None
        key, record = found
        if record.operation == "authorise" and not record.captured:
            self._move(record, "void", record.approved, "91504")
            shown = _show(key, record)
            return {
                "reversal": {"__typename": "Transaction"} | {n: shown[n] for n in ("id", "status", "amount")}
            }
        settled = record.captured or record.approved
        made = self._move(record, "refund", settled - record.refunded, "91512")
        return {"reversal": {"__typename": "Refund"} | made}

    def _refund(self, given: Mapping[str, Any]) -> dict[str, object] | None:
        found = self._books.find_reference(given["transactionId"])
        if found is None:
            return None
        record = found[1]
        amount = read_decimal(Decimal(given["refund"]["amount"]), record.currency) or 0
        return {"refund": self._move(record, "refund", amount, "91521")}

    def _move(self, record: Record, kind: str, amount: int, code: str) -> dict[str, object]:
        """A refund as it is shown; NotAllowed has the code."""
        try:
            if amount < 1:
                raise NotAllowed(kind)
            made = self._books.move(record, kind, f"{kind} {len(record.moves)}", amount)
        except NotAllowed:
            raise NotAllowed(code) from None
        return {
            "id": _new("cmVmdW5kXw", made.reference),
            "status": "SETTLED",
            "amount": _amount(amount, record.currency),
        }


def _currency(merchant_account: str) -> str:
    found = _CURRENCY.search(merchant_account)
    return found[0] if found else "EUR"


def _amount(amount: int, currency: str) -> dict[str, object]:
    return {"value": write_decimal(amount, currency), "currencyCode": currency}


def _show_account(name: str) -> dict[str, object]:
    edges = [{"node": {"id": name, "currencyCode": _currency(name)}}] if name != "unknown" else []
    return {"merchant": {"merchantAccounts": {"edges": edges}}}


def _show(key: str, record: Record) -> dict[str, Any]:
    code, text = ("1000", "Approved")
    if record.state == "pending":
        status, event = "AUTHORIZING", ""
    elif record.state == "declined":
        status = event = "PROCESSOR_DECLINED"
        code, text = _DECLINES.get(record.reason, _OTHERWISE)
    else:
        held = record.operation == "authorise" and not record.captured
        status = "VOIDED" if record.voided else "AUTHORIZED" if held else "SUBMITTED_FOR_SETTLEMENT"
        event = "AUTHORIZED"
    reply = {
        "legacyCode": code,
        "message": record.message or text,
        "authorizationId": "A0B1C2" if code == "1000" else None,
    }
    amount, currency = record.captured or record.approved, record.approved_currency
    if event != "AUTHORIZED":
        amount, currency = record.amount, record.currency
    return {
        "id": record.reference,
        "orderId": key,
        "status": status,
        "amount": _amount(amount, currency),
        "paymentMethod": {"id": record.token, "usage": "MULTI_USE"} if record.token else None,
        "statusHistory": [{"__typename": _EVENTS[event], "status": event, "processorResponse": reply}]
        if event
        else [],
    }


def _new(kind: str, key: str) -> str:
    return f"{kind}{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _error(kind: str, code: str = "") -> Answer:
    extensions = {"errorClass": kind, "errorType": "user_error"} | ({"legacyCode": code} if code else {})
    return Answer(200, {"data": None, "errors": [{"message": kind, "extensions": extensions}]})
