"""Plays Commerce Hub: charges, cancels, refunds and inquiries, each signed.

Source: Fiserv's OpenAPI description 1.24.11 and its public pages. A signature is checked over the
octets that arrived; the same Client-Request-Id again gets the first answer.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256

import msgspec

from provider_adapters.currency import read_decimal, write_decimal
from provider_adapters.local.books import API_KEY, Answer, Books, InProgress, NotAllowed, Order, Record

API_USER = "local-test-user"
_FRESH = 300.0  # seconds in which a request has to arrive
_CODES = {
    "insufficient_funds": ("008", "Declined: Insufficient Funds"),
    "invalid_number": ("026", "Invalid Card or Account Number"),
}


class _Amount(msgspec.Struct):
    total: Decimal
    currency: str


class _Card(msgspec.Struct, rename="camel"):
    card_data: str = ""
    expiration_month: str = ""
    expiration_year: str = ""
    security_code: str = ""


class _Source(msgspec.Struct, rename="camel"):
    source_type: str
    card: _Card
    token_data: str = ""


class _Details(msgspec.Struct, rename="camel"):
    capture_flag: bool = True
    merchant_order_id: str = ""
    create_token: bool = False
    reversal_reason_code: str = ""


class _Interaction(msgspec.Struct, rename="camel"):
    origin: str = ""
    moto_type: str = ""


class _Reference(msgspec.Struct, rename="camel"):
    reference_transaction_id: str = ""
    reference_client_request_id: str = ""


class _Body(msgspec.Struct, rename="camel"):
    merchant_details: dict[str, str]
    amount: _Amount | None = None
    source: _Source | None = None
    transaction_details: _Details = msgspec.field(default_factory=_Details)
    transaction_interaction: _Interaction = msgspec.field(default_factory=_Interaction)
    reference_transaction_details: _Reference = msgspec.field(default_factory=_Reference)


class LocalFiserv:
    """Commerce Hub, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        key = headers.get("client-request-id", "")
        if not _is_signed(headers, body):
            return _error(401, key, None, "ApiKey and/or Authentication supplied are invalid.", "APIM")
        try:
            asked = msgspec.json.decode(body, type=_Body)
        except msgspec.DecodeError:
            return _error(400, key, "121", "Malformed JSON")
        match (method, path):
            case ("POST", "/payments/v1/charges") if asked.reference_transaction_details != _Reference():
                return self._move("capture", key, asked)
            case ("POST", "/payments/v1/charges"):
                return await self._charge(key, asked)
            case ("POST", "/payments/v1/cancels"):
                return self._move("void", key, asked)
            case ("POST", "/payments/v1/refunds"):
                return self._move("refund", key, asked)
            case ("POST", "/payments/v1/transaction-inquiry"):
                return self._inquire(key, asked.reference_transaction_details.reference_client_request_id)
        return _error(404, key, None, "Resource not found.", "APIM")

    async def _charge(self, key: str, asked: _Body) -> Answer | None:
        interaction = asked.transaction_interaction
        if (interaction.origin, interaction.moto_type) != ("MOTO", "PHONE"):
            return _error(400, key, "230", "Only telephone orders are played here")
        amount = _units(asked.amount)
        saved = self._books.saved(asked.source.token_data) if asked.source else None
        card = asked.source.card if asked.source else _Card()
        if amount is None or not (card.card_data or saved):
            return _error(400, key, "105" if amount is None else "103", "Not valid")
        order = Order(
            key=key,
            transaction_id=asked.transaction_details.merchant_order_id,
            amount=amount,
            currency=asked.amount.currency if asked.amount else "",
            number=card.card_data or (saved.number if saved else ""),
            expiry=card.expiration_month + card.expiration_year[-2:],
            code=card.security_code,
            operation="charge" if asked.transaction_details.capture_flag else "authorise",
            saves="reusable" if asked.transaction_details.create_token else "none",
        )
        try:
            record, behaviour = await self._books.charge(order)
        except InProgress:
            return _error(400, key, "759", "Request in Progress")
        error = _error(500, key, "703", "Write to downstream failed")
        return self._books.transmit(key, behaviour, Answer(201, _shown(key, record)), error)

    def _move(self, kind: str, key: str, asked: _Body) -> Answer:
        found = self._books.find_reference(asked.reference_transaction_details.reference_transaction_id)
        if found is None:
            return _error(404, key, "764", "Referenced transaction not found")
        record = found[1]
        amount = record.approved if kind == "void" else _units(asked.amount)
        try:
            made = self._books.move(record, kind, key, -1 if amount is None else amount)
        except NotAllowed:
            code = {"capture": "818", "void": "827", "refund": "812"}[kind]
            return _error(400, key, code, f"Unable to {kind}")
        state = {"capture": "CAPTURED", "void": "VOIDED", "refund": "AUTHORIZED"}[kind]
        receipt = _receipt(made.amount, record.currency, "APPROVED", ("000", "APPROVAL"))
        shown = {"gatewayResponse": _gateway(key, made.reference, state), "paymentReceipt": receipt}
        return Answer(200 if kind == "void" else 201, shown)

    def _inquire(self, key: str, asked: str) -> Answer:
        record = self._books.find(asked)
        if record is None:
            return _error(404, key, "764", "Referenced transaction not found")
        return Answer(201, [_shown(asked, record)])


def _is_signed(headers: Mapping[str, str], body: bytes) -> bool:
    user, at = headers.get("api-key", ""), headers.get("timestamp", "")
    if user != API_USER or not at.isdecimal() or abs(time.time() - int(at) / 1000) > _FRESH:
        return False
    text = f"{user}{headers.get('client-request-id', '')}{at}".encode() + body
    expected = b64encode(hmac.new(API_KEY.encode(), text, sha256).digest()).decode("ascii")
    return headers.get("auth-token-type") == "HMAC" and hmac.compare_digest(
        headers.get("authorization", ""), expected
    )


def _units(amount: _Amount | None) -> int | None:
    return None if amount is None else read_decimal(amount.total, amount.currency)


def _gateway(key: str, reference: str, state: str) -> dict[str, object]:
    return {
        "transactionType": "CHARGE",
        "transactionState": state,
        "transactionOrigin": "MOTO",
        "transactionProcessingDetails": {"clientRequestId": key, "transactionId": reference},
    }


def _receipt(amount: int, currency: str, status: str, code: tuple[str, str]) -> dict[str, object]:
    return {
        "approvedAmount": {"total": float(write_decimal(amount, currency)), "currency": currency},
        "processorResponseDetails": {
            "approvalStatus": status,
            "approvalCode": "OK3483" if status == "APPROVED" else "",
            "responseCode": code[0],
            "responseMessage": code[1],
        },
    }


def _shown(key: str, record: Record) -> dict[str, object]:
    if record.state == "declined":
        code, text = _CODES.get(record.reason, ("007", "Declined: Do Not Honor"))
        receipt = _receipt(0, record.currency, "DECLINED", (code, record.message or text))
        return {"gatewayResponse": _gateway(key, record.reference, "DECLINED"), "paymentReceipt": receipt}
    if record.state == "pending":
        receipt = _receipt(0, record.currency, "WAITING", ("002", "Pending Approval"))
        return {"gatewayResponse": _gateway(key, record.reference, "PENDING"), "paymentReceipt": receipt}
    held = record.operation == "authorise" and not record.captured
    state = "VOIDED" if record.voided else "AUTHORIZED" if held else "CAPTURED"
    found: dict[str, object] = {
        "gatewayResponse": _gateway(key, record.reference, state),
        "source": {
            "sourceType": "PaymentCard",
            "card": {"last4": record.last_four, "expirationMonth": "03", "expirationYear": "2030"},
        },
        "paymentReceipt": _receipt(
            record.approved, record.approved_currency, "APPROVED", ("000", "APPROVAL")
        ),
    }
    if record.token:
        found["paymentTokens"] = [{"tokenData": record.token, "tokenSource": "TRANSARMOR"}]
    return found


def _error(status: int, key: str, code: str | None, text: str, kind: str = "GATEWAY") -> Answer:
    error = {"type": kind, "message": text} | ({} if code is None else {"code": code})
    return Answer(
        status,
        {
            "gatewayResponse": {"transactionProcessingDetails": {"clientRequestId": key}},
            "error": [error],
        },
    )
