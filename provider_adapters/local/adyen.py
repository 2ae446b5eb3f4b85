"""Plays Adyen's Checkout v72: payments, and what is done with them later.

Source: Adyen's OpenAPI description; the decline's codes are those of its refusal reasons.
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
