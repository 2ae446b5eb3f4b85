"""Plays Checkout.com: payments, what is done with them later, and the search by reference.

Source: Checkout.com's OpenAPI description; of the search, its library and public texts. As there, a
key holds only after a success: a request that failed is carried out again under it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

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

_AT = "2026-11-29T12:00:00Z"
_CODES = {"insufficient_funds": ("20051", "Insufficient Funds"), "invalid_number": ("20014", "Invalid Card")}
_KINDS = {"captures": "capture", "refunds": "refund", "voids": "void"}


class _Source(msgspec.Struct):
    type: str
    number: str = ""
    expiry_month: int = 0
    expiry_year: int = 0
    cvv: str = ""
    id: str = ""
    store_for_future_use: bool = True


class _Payment(msgspec.Struct):
    source: _Source
    currency: str
    amount: int = 0
    payment_type: str = "Regular"
    reference: str = ""
    capture: bool = True
    metadata: dict[str, str] = {}


class _Change(msgspec.Struct):
    reference: str = ""
    amount: int | None = None


class LocalCheckout:
    """Unified Payments, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._succeeded: set[str] = set()
        self._references: dict[str, str] = {}
        self._sources: dict[str, str] = {}

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401, {})
        key = headers.get("cko-idempotency-key", "")
        parts = urlsplit(path)
        try:
            match (method, parts.path.strip("/").split("/")):
                case ("POST", ["payments"]):
                    return await self._pay(key, msgspec.json.decode(body, type=_Payment))
                case ("GET", ["payments"]):
                    return self._search(parse_qs(parts.query).get("reference", [""])[0])
                case ("GET", ["payments", identity]):
                    found = self._books.find_reference(identity)
                    return Answer(200, self._details(*found)) if found else Answer(404, {})
                case ("GET", ["payments", identity, "actions"]):
                    return self._actions(identity)
                case ("POST", ["payments", identity, ("captures" | "refunds" | "voids") as kind]):
                    return self._change(identity, kind, key, msgspec.json.decode(body, type=_Change))
        except msgspec.DecodeError:
            return _error(422, "request_body_malformed")
        return Answer(404, {})

    async def _pay(self, key: str, asked: _Payment) -> Answer | None:
        source = asked.source
        saved = self._books.saved(self._sources.get(source.id, ""))
        if (source.type == "id") == (saved is None):
            return _error(422, "payment_source_required")
        if asked.payment_type != "MOTO":
            return _error(422, "payment_type_invalid")
        order = Order(
            key=key,
            transaction_id=asked.metadata.get("transaction_id", asked.reference),
            amount=asked.amount,
            currency=asked.currency,
            number=source.number or (saved.number if saved else ""),
            expiry=f"{source.expiry_month:02}{source.expiry_year % 100:02}" if source.number else "",
            code=source.cvv,
            operation="verify" if not asked.amount else "charge" if asked.capture else "authorise",
            saves="reusable" if source.number and source.store_for_future_use else "none",
        )
        try:
            record, behaviour = await self._books.charge(order, again=key not in self._succeeded)
        except (InProgress, KeyOfAnother):
            return _error(429, "duplicate_request")
        record.reference = f"pay_{_digest(key)}"
        self._references[key] = asked.reference
        if record.token:
            self._sources[f"src_{_digest(record.token)}"] = record.token
        if behaviour.answer != "error":
            self._succeeded.add(key)
        answer = Answer(201, self._paid(key, record))
        return self._books.transmit(key, behaviour, answer, Answer(502, {}))

    def _search(self, reference: str) -> Answer:
        found = [
            self._details(key, record)
            for key, own in self._references.items()
            if own == reference and (record := self._books.find(key)) is not None
        ]
        return Answer(200, {"limit": 10, "skip": 0, "total_count": len(found), "data": found})

    def _change(self, identity: str, kind: str, key: str, asked: _Change) -> Answer:
        found = self._books.find_reference(identity)
        if found is None:
            return Answer(404, {})
        record = found[1]
        amount = record.approved if asked.amount is None else asked.amount
        try:
            self._books.move(record, _KINDS[kind], key, amount)
        except NotAllowed:
            return Answer(403, {})
        links = {"payment": {"href": f"https://api.sandbox.checkout.com/payments/{identity}"}}
        return Answer(
            202, {"action_id": f"act_{_digest(key)}", "reference": asked.reference, "_links": links}
        )

    def _paid(self, key: str, record: Record) -> dict[str, object]:
        code, summary = _response(record)
        body = self._common(key, record) | {
            "action_id": f"act_{_digest(key)}",
            "response_code": code,
            "response_summary": summary,
            "processed_on": _AT,
            "_links": {
                "self": {"href": f"https://api.sandbox.checkout.com/payments/{record.reference}"},
                "actions": {"href": f"https://api.sandbox.checkout.com/payments/{record.reference}/actions"},
            },
        }
        return body | ({"auth_code": "643381"} if record.state == "approved" else {})

    def _details(self, key: str, record: Record) -> dict[str, object]:
        return self._common(key, record) | {
            "requested_on": _AT,
            "payment_type": "MOTO",
            "_links": {
                "self": {"href": f"https://api.sandbox.checkout.com/payments/{record.reference}"},
                "actions": {"href": f"https://api.sandbox.checkout.com/payments/{record.reference}/actions"},
            },
        }

    def _common(self, key: str, record: Record) -> dict[str, object]:
        source: dict[str, object] = {"type": "card", "last4": record.last_four}
        if record.token:
            source["id"] = f"src_{_digest(record.token)}"
        return {
            "id": record.reference,
            "amount": record.approved if record.state == "approved" else record.amount,
            "currency": record.approved_currency or record.currency,
            "approved": record.state == "approved",
            "status": _status(record),
            "reference": self._references[key],
            "source": source,
        }

    def _actions(self, identity: str) -> Answer:
        found = self._books.find_reference(identity)
        if found is None:
            return Answer(404, {})
        key, record = found
        code, summary = _response(record)
        made = {
            "id": f"act_{_digest(key)}",
            "type": "Authorization" if record.amount else "Card Verification",
            "processed_on": _AT,
            "amount": record.amount,
            "approved": record.state == "approved",
            "response_code": code,
            "response_summary": summary,
        }
        return Answer(200, [made])


def _status(record: Record) -> str:
    if record.state != "approved":
        return "Declined" if record.state == "declined" else "Pending"
    if record.operation == "verify":
        return "Card Verified"
    if record.voided:
        return "Voided"
    if record.refunded:
        return "Refunded" if record.refunded == record.approved else "Partially Refunded"
    return "Captured" if record.captured else "Authorized"


def _response(record: Record) -> tuple[str, str]:
    """The response code and what it says."""
    if record.state == "approved":
        return "10000", "Approved"
    code, text = _CODES.get(record.reason, ("20005", "Declined - Do Not Honour"))
    return code, record.message or text


def _error(status: int, code: str) -> Answer:
    return Answer(
        status, {"request_id": "0HL80RJLS76I7", "error_type": "request_invalid", "error_codes": [code]}
    )


def _digest(text: str) -> str:
    """Twenty-six signs, as those of the provider's ids."""
    return hashlib.sha256(text.encode()).hexdigest()[:26]
