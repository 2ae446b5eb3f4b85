"""Plays Stripe: PaymentMethods, Customers, PaymentIntents, SetupIntents and Refunds.

Source: Stripe's OpenAPI description. Its public text on idempotency: the first status and body
under a key are kept, a 500 too, and sent again; another body under the key is an error; a key that
is being worked on is a 409. An intent whose confirmation is under way is locked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from provider_adapters.local.books import API_KEY, Answer, Books, InProgress, NotAllowed, Order, Record
from provider_adapters.local.forms import read_form
from provider_adapters.local.stripe_links import StripeLinks

_DECLINES = {
    "insufficient_funds": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "invalid_number": ("incorrect_number", None, "Your card number is incorrect."),
}
_OTHERWISE = ("card_declined", "generic_decline", "Your card was declined.")
_NOW = 1767225600  # when everything is made here
_State = Literal["open", "confirming", "confirmed", "canceled"]


@dataclass(slots=True)
class _Method:
    id: str
    number: str = field(repr=False)
    expiry: str = field(repr=False)
    code: str = field(repr=False)
    customer: str | None = None


@dataclass(slots=True)
class _Intent:
    id: str
    asked: Mapping[str, Any]
    state: _State = "open"

    @property
    def key(self) -> str:
        """The charge's idempotency key, as the books know it."""
        return str(self.asked.get("metadata", {}).get("tonewall_key", self.id))


class LocalStripe:
    """The API, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._methods: dict[str, _Method] = {}
        self._intents: dict[str, _Intent] = {}
        self._kept: dict[str, tuple[str, Answer | None]] = {}
        self._links = StripeLinks(books)

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request, or what was answered under its key before."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_request_error", "Invalid API Key provided")
        url = urlsplit(path)
        try:
            asked = read_form(body)
        except ValueError:
            return _error(400, "invalid_request_error", "Invalid form")
        key = headers.get("idempotency-key", "")
        self._links.host = headers.get("host", "")
        for name, intent in self._links.intents().items():
            self._intents.setdefault(name, _Intent(name, intent, "confirmed"))
        if method != "POST" or not key:
            return await self._answer(method, url.path, parse_qs(url.query), asked, key)
        print_ = hashlib.sha256(path.encode() + b"\n" + body).hexdigest()
        if key in self._kept:
            first, kept = self._kept[key]
            if first != print_:
                return _error(400, "idempotency_error", "Keys for idempotent requests can be used once")
            return kept or _error(409, "invalid_request_error", "In use", "idempotency_key_in_use")
        self._kept[key] = (print_, None)
        answer = await self._answer(method, url.path, {}, asked, key)
        if answer is not None:
            self._kept[key] = (print_, Answer(answer.status, answer.body))
        return answer

    async def _answer(
        self, method: str, path: str, query: Mapping[str, list[str]], asked: Mapping[str, Any], key: str
    ) -> Answer | None:
        parts = path.removeprefix("/v1/").split("/")
        if (of_links := self._links.answer(method, parts, query, asked, key)) is not None:
            return of_links
        match method, parts:
            case "POST", ["payment_methods"]:
                return self._make_method(asked)
            case "GET", ["payment_methods", found] if found in self._methods:
                return Answer(200, _method(self._methods[found]))
            case "POST", ["customers"]:
                return Answer(200, _object("customer", _new("cus", len(self._kept))))
            case "POST", ["payment_intents"]:
                return self._make_intent(asked)
            case "GET", ["payment_intents"]:
                return Answer(200, _page([]))
            case "GET", ["payment_intents", "search"]:
                wanted = query["query"][0].rpartition(":")[2].strip('"')
                found_ = [self._show(each) for each in self._intents.values() if each.key == wanted]
                return Answer(200, _page(found_) | {"object": "search_result"})
            case "POST", ["setup_intents"]:
                return await self._set_up(asked)
            case "POST", ["refunds"] if asked.get("payment_intent") in self._intents:
                return self._refund(self._intents[asked["payment_intent"]], asked, key)
            case _, ["payment_intents", found, *step] if found in self._intents:
                return await self._treat(self._intents[found], "".join(step), asked, key)
        return _error(404, "invalid_request_error", "No such object", "resource_missing")

    def _make_method(self, asked: Mapping[str, Any]) -> Answer:
        card = asked["card"]
        number = str(card["number"])
        if not number.isdecimal():
            return _error(402, "card_error", "Your card number is incorrect.", "incorrect_number")
        expiry = f"{int(card['exp_month']):02}{int(card['exp_year']) % 100:02}"
        made = _Method(_new("pm", len(self._methods)), number, expiry, card.get("cvc", ""))
        self._methods[made.id] = made
        return Answer(200, _method(made))

    def _make_intent(self, asked: Mapping[str, Any]) -> Answer:
        method = self._methods.get(asked["payment_method"])
        if method is None or (method.customer or asked.get("customer")) != asked.get("customer"):
            return _error(400, "invalid_request_error", "No such PaymentMethod", "resource_missing")
        made = _Intent(_new("pi", len(self._intents)), asked)
        self._intents[made.id] = made
        return Answer(200, self._show(made))

    async def _treat(self, intent: _Intent, step: str, asked: Mapping[str, Any], key: str) -> Answer | None:
        if step == "":
            return Answer(200, self._show(intent))
        if intent.state == "confirming":
            return _error(429, "invalid_request_error", "This object is being accessed", "lock_timeout")
        if step == "confirm":
            return await self._confirm(intent, asked)
        record = self._books.find(intent.key) if intent.state == "confirmed" else None
        try:
            if step == "cancel" and intent.state == "open":
                intent.state = "canceled"
            elif step == "cancel" and record is not None and record.operation == "authorise":
                self._books.move(record, "void", key, record.approved)
            elif step == "capture" and record is not None and not record.captured:
                self._books.move(record, "capture", key, int(asked["amount_to_capture"]))
            else:
                raise NotAllowed(step)
        except NotAllowed:
            return self._unexpected(intent)
        return Answer(200, self._show(intent))

    async def _confirm(self, intent: _Intent, asked: Mapping[str, Any]) -> Answer | None:
        if intent.state != "open":
            return self._unexpected(intent)
        method = self._methods[intent.asked["payment_method"]]
        moto = asked.get("payment_method_options", {}).get("card", {}).get("moto") == "true"
        if not moto and asked.get("off_session") != "true":
            return _error(400, "invalid_request_error", "Only telephone orders are played here")
        manual = intent.asked.get("capture_method") == "manual"
        order = Order(
            key=intent.key,
            transaction_id=intent.asked.get("metadata", {}).get("transaction_id", ""),
            amount=int(intent.asked["amount"]),
            currency=intent.asked["currency"].upper(),
            number=method.number,
            expiry=method.expiry,
            code=method.code if moto else "",
            operation="authorise" if manual else "charge",
            saves="reusable" if "setup_future_usage" in intent.asked else "none",
            reference=intent.id,
        )
        intent.state = "confirming"
        try:
            record, behaviour = await self._books.charge(order)
        except InProgress:
            return _error(409, "invalid_request_error", "In use", "idempotency_key_in_use")
        intent.state = "confirmed"
        if record.token:
            method.customer = intent.asked["customer"]
        answer = Answer(200, self._show(intent))
        if record.state == "declined":
            answer = Answer(402, {"error": _card_error(record) | {"payment_intent": self._show(intent)}})
        sent = self._books.transmit(
            intent.key, behaviour, answer, _error(500, "api_error", "An error occurred internally.")
        )
        if self._books.find(intent.key) is None:
            intent.state = "open"
        return sent

    async def _set_up(self, asked: Mapping[str, Any]) -> Answer | None:
        method = self._methods[asked["payment_method"]]
        key = asked["metadata"]["tonewall_key"]
        made = _object("setup_intent", _new("seti", len(self._intents)))
        record, behaviour = await self._books.charge(
            Order(
                key=key,
                transaction_id=asked["metadata"]["transaction_id"],
                amount=0,
                currency="",
                number=method.number,
                expiry=method.expiry,
                code=method.code,
                operation="verify",
                reference=str(made["id"]),
            )
        )
        if "customer" in asked:
            method.customer = asked["customer"]
        answer = Answer(200, made | {"status": "succeeded", "payment_method": method.id})
        if record.state == "declined":
            answer = Answer(402, {"error": _card_error(record)})
        return self._books.transmit(key, behaviour, answer, _error(500, "api_error", "An error occurred."))

    def _refund(self, intent: _Intent, asked: Mapping[str, Any], key: str) -> Answer:
        record = self._books.find(intent.key)
        amount = int(asked["amount"])
        try:
            if record is None:
                raise NotAllowed("refund")
            made = self._books.move(record, "refund", key, amount)
        except NotAllowed:
            return _error(400, "invalid_request_error", "Already refunded", "charge_already_refunded")
        body = _object("refund", f"re_{made.reference[3:]}") | {
            "amount": amount,
            "currency": intent.asked["currency"],
            "payment_intent": intent.id,
            "status": "succeeded",
        }
        return Answer(200, body)

    def _unexpected(self, intent: _Intent) -> Answer:
        error = {
            "type": "invalid_request_error",
            "code": "payment_intent_unexpected_state",
            "message": "This PaymentIntent's state does not allow it.",
            "payment_intent": self._show(intent),
        }
        return Answer(400, {"error": error})

    def _show(self, intent: _Intent) -> dict[str, object]:
        asked, record = intent.asked, self._books.find(intent.key)
        shown = _object("payment_intent", intent.id) | {
            "amount": int(asked["amount"]),
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": asked["capture_method"],
            "confirmation_method": "automatic",
            "currency": asked["currency"],
            "metadata": dict(asked["metadata"]),
            "payment_method": asked["payment_method"],
            "status": "requires_confirmation",
        }
        shown |= {name: asked[name] for name in ("customer", "setup_future_usage") if name in asked}
        if intent.state == "canceled" or (record is not None and record.voided):
            return shown | {"status": "canceled"}
        if intent.state != "confirmed" or record is None:
            return shown
        if record.state == "declined":
            return shown | {
                "status": "requires_payment_method",
                "last_payment_error": _card_error(record),
            }
        held = record.operation == "authorise" and not record.captured
        taken = record.captured or record.approved
        return shown | {
            "status": "requires_capture" if held else "succeeded",
            "amount_capturable": taken if held else 0,
            "amount_received": 0 if held else taken,
            "currency": record.approved_currency.lower(),
            "latest_charge": f"ch_{intent.id[3:]}",
        }


def _card_error(record: Record) -> dict[str, object]:
    code, decline, message = _DECLINES.get(record.reason, _OTHERWISE)
    found: dict[str, object] = {
        "type": "card_error",
        "code": code,
        "message": record.message or message,
        "charge": f"ch_{record.reference[3:]}",
    }
    return found | ({"decline_code": decline} if decline else {})


def _method(method: _Method) -> dict[str, object]:
    return (
        _object("payment_method", method.id)
        | {
            "billing_details": {},
            "card": {
                "brand": "visa",
                "exp_month": int(method.expiry[:2]),
                "exp_year": 2000 + int(method.expiry[2:]),
                "funding": "credit",
                "last4": method.number[-4:],
            },
            "type": "card",
        }
        | ({"customer": method.customer} if method.customer else {})
    )


def _object(kind: str, name: str) -> dict[str, object]:
    common: dict[str, object] = {"id": name, "object": kind, "created": _NOW, "livemode": False}
    if kind.endswith("_intent"):
        common["payment_method_types"] = ["card"]
    return common | ({"usage": "off_session"} if kind == "setup_intent" else {})


def _page(data: list[dict[str, object]]) -> dict[str, object]:
    return {"object": "list", "data": data, "has_more": False, "url": "/v1/payment_intents"}


def _new(kind: str, count: int) -> str:
    return f"{kind}_{hashlib.sha256(f'{kind} {count}'.encode()).hexdigest()[:24]}"


def _error(status: int, kind: str, message: str, code: str = "") -> Answer:
    error = {"type": kind, "message": message}
    return Answer(status, {"error": error | ({"code": code} if code else {})})
