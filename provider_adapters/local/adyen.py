"""Plays Adyen's Checkout v72: payments, and what is done with them later.

Source: Adyen's OpenAPI description; the decline's codes are those of its refusal reasons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from provider_adapters.local.books import (
    API_KEY,
    Answer,
    Books,
    HostedLink,
    InProgress,
    KeyOfAnother,
    NotAllowed,
    Order,
    Record,
)
from provider_adapters.local.hosted import link_url, state_of

_CODES = {"insufficient_funds": ("12", "Not enough balance"), "invalid_number": ("8", "Invalid Card Number")}
_KINDS = {"captures": "capture", "refunds": "refund", "cancels": "void"}


class _Amount(msgspec.Struct):
    currency: str
    value: int


class _Method(msgspec.Struct, rename="camel"):
    type: str
    number: str = ""
    expiry_month: str = ""
    expiry_year: str = ""
    cvc: str = ""
    stored_payment_method_id: str = ""


class _Payment(msgspec.Struct, rename="camel"):
    merchant_account: str
    reference: str
    amount: _Amount
    payment_method: _Method
    return_url: str
    merchant_order_reference: str = ""
    shopper_interaction: str = "Ecommerce"
    store_payment_method: bool = False
    shopper_reference: str = ""
    additional_data: dict[str, str] = {}


class _LinkRequest(msgspec.Struct, rename="camel"):
    merchant_account: str
    reference: str
    amount: _Amount
    expires_at: str
    merchant_order_reference: str = ""
    description: str = ""
    reusable: bool = True
    manual_capture: bool = False


class _Change(msgspec.Struct, rename="camel"):
    merchant_account: str
    reference: str = ""
    amount: _Amount | None = None


class LocalAdyen:
    """Checkout, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("x-api-key") != API_KEY:
            return _error(401, "000", "HTTP Status Response - Unauthorized", "security")
        key = headers.get("idempotency-key", "")
        try:
            match (method, path.strip("/").split("/")):
                case ("POST", ["payments"]):
                    return await self._pay(key, msgspec.json.decode(body, type=_Payment))
                case ("POST", ["payments", reference, ("captures" | "refunds" | "cancels") as kind]):
                    change = msgspec.json.decode(body, type=_Change)
                    return self._change(reference, kind, key, change)
                case ("POST", ["paymentLinks"]):
                    return self._open_link(key, headers, body)
                case (("GET" | "PATCH"), ["paymentLinks", name]):
                    return self._show_link(method, self._books.links.get(name))
                case ("POST", ["cardDetails"]):
                    return Answer(200, {"brands": [{"type": "visa", "supported": True}]})
        except msgspec.DecodeError:
            return _error(400, "702", "Structure of the request is not valid", "validation")
        return _error(404, "000", "Not Found", "validation")

    async def _pay(self, key: str, asked: _Payment) -> Answer | None:
        method = asked.payment_method
        saved = self._books.saved(method.stored_payment_method_id)
        if not method.number and saved is None:
            return _error(422, "14_012", "The provided payment method is not valid", "validation")
        if asked.shopper_interaction != "Moto":
            return _error(422, "14_002", "Only telephone orders are played here", "validation")
        manual = asked.additional_data.get("manualCapture") == "true"
        order = Order(
            key=key,
            transaction_id=asked.merchant_order_reference or asked.reference,
            amount=asked.amount.value,
            currency=asked.amount.currency,
            number=method.number or (saved.number if saved else ""),
            expiry=f"{method.expiry_month}{method.expiry_year[-2:]}" if method.number else "",
            code=method.cvc,
            operation="verify" if asked.amount.value == 0 else "authorise" if manual else "charge",
            saves="reusable" if asked.store_payment_method else "none",
        )
        try:
            record, behaviour = await self._books.charge(order)
        except KeyOfAnother:
            return _error(422, "702", "The idempotency key came with another request", "validation")
        except InProgress:
            return _error(422, "704", "Request already processed or in progress", "validation")
        error = _error(500, "000", "Internal error", "internal")
        return self._books.transmit(key, behaviour, Answer(200, _paid(record, asked)), error)

    def _open_link(self, key: str, headers: Mapping[str, str], body: bytes) -> Answer:
        asked = msgspec.json.decode(body, type=_LinkRequest)
        name = f"PL{hashlib.sha256(key.encode()).hexdigest()[:16].upper()}"
        given = msgspec.json.decode(body)
        known = self._books.links.get(name)
        if known is not None and known.asked != given:
            return _error(422, "702", "The idempotency key came with another request", "validation")
        if known is None:
            known = self._books.links[name] = HostedLink(
                id=name,
                url=link_url(headers, name),
                key=asked.reference,
                transaction_id=asked.merchant_order_reference,
                amount=asked.amount.value,
                currency=asked.amount.currency,
                description=asked.description,
                operation="authorise" if asked.manual_capture else "charge",
                expires_at=datetime.fromisoformat(asked.expires_at).timestamp(),
                limit=1000 if asked.reusable else 1,
                takes_parts=False,
                asked=given,
            )
        return Answer(201, _link(known))

    def _show_link(self, method: str, link: HostedLink | None) -> Answer:
        if link is None:
            return _error(422, "9_901", "There is no such link", "validation")
        if method == "PATCH" and state_of(link) != "open":
            return _error(422, "9_900", "The link cannot be expired", "validation")
        if method == "PATCH":
            link.is_closed = True
        return Answer(200, _link(link))

    def _change(self, reference: str, kind: str, key: str, asked: _Change) -> Answer:
        found = self._books.find_reference(reference)
        if found is None:
            return _error(422, "167", "Original pspReference required for this operation", "validation")
        record = found[1]
        amount = asked.amount.value if asked.amount else record.approved
        try:
            made = self._books.move(record, _KINDS[kind], key, amount)
        except NotAllowed:
            return _error(422, "137", "Invalid amount specified", "validation")
        body: dict[str, object] = {
            "merchantAccount": asked.merchant_account,
            "paymentPspReference": reference,
            "pspReference": made.reference,
            "reference": asked.reference,
            "status": "received",
        }
        if asked.amount is not None:
            body["amount"] = {"value": asked.amount.value, "currency": asked.amount.currency}
        return Answer(201, body)


def _link(link: HostedLink) -> dict[str, object]:
    """A PaymentLinkResponse: as it was asked for, and what became of it."""
    status = {"open": "active", "paid": "completed"}.get(state_of(link), "expired")
    made = {"id": link.id, "url": link.url, "status": "paymentPending" if link.is_busy else status}
    return {**link.asked, **made}


def _paid(record: Record, asked: _Payment) -> dict[str, object]:
    common: dict[str, object] = {"pspReference": record.reference, "merchantReference": asked.reference}
    if record.state == "declined":
        code, text = _CODES.get(record.reason, ("2", "Refused"))
        return common | {
            "resultCode": "Refused",
            "refusalReason": record.message or text,
            "refusalReasonCode": code,
        }
    data = {"authCode": "044925"}
    if record.token:
        data |= {"tokenization.storedPaymentMethodId": record.token}
    return common | {
        "resultCode": "PartiallyAuthorised" if record.approved < record.amount else "Authorised",
        "amount": {"value": record.approved, "currency": record.approved_currency},
        "additionalData": data,
    }


def _error(status: int, code: str, message: str, kind: str) -> Answer:
    return Answer(status, {"status": status, "errorCode": code, "message": message, "errorType": kind})
