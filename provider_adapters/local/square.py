"""Plays Square: payment links, their orders, payments and refunds.

Source: Square's OpenAPI description of 2025-08; the path of an order is in its public texts. As is
told there, a link that is deleted after a payment failed leaves its order open, to be paid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from provider_adapters.local.books import API_KEY, Answer, Books, HostedLink, NotAllowed
from provider_adapters.local.hosted import link_url

_NOW = "2026-01-01T00:00:00Z"
_VERSION = 1


class LocalSquare:
    """The API, over the books."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "UNAUTHORIZED", "AUTHENTICATION_ERROR")
        asked = msgspec.json.decode(body) if body else {}
        match method, urlsplit(path).path.strip("/").split("/")[1:]:
            case "POST", ["online-checkout", "payment-links"]:
                return self._open(headers, asked)
            case "DELETE", ["online-checkout", "payment-links", name]:
                return self._delete(name)
            case "GET", ["orders", name] if (found := self._link_of(name)) is not None:
                return Answer(200, {"order": self._order(found)})
            case "GET", ["payments"]:
                return Answer(200, {"payments": []})
            case "GET", ["payments", name]:
                return self._payment(name)
            case "POST", ["refunds"]:
                return self._refund(asked)
        return _error(404, "NOT_FOUND", "INVALID_REQUEST_ERROR")

    def _open(self, headers: Mapping[str, str], asked: dict[str, Any]) -> Answer:
        name = hashlib.sha256(asked["idempotency_key"].encode()).hexdigest()[:16].upper()
        link = self._books.links.get(name)
        if link is not None and link.asked != asked:
            return _error(400, "IDEMPOTENCY_KEY_REUSED", "INVALID_REQUEST_ERROR")
        if link is None:
            [item] = asked["order"]["line_items"]
            link = self._books.links[name] = HostedLink(
                id=name,
                url=link_url(headers, name),
                key=asked["idempotency_key"],
                transaction_id=asked["payment_note"],
                amount=item["base_price_money"]["amount"],
                currency=item["base_price_money"]["currency"],
                description=item["name"],
                asked=asked,
            )
        made = {
            "id": link.id, "version": _VERSION, "order_id": _order_id(link), "url": link.url,
            "long_url": link.url, "created_at": _NOW,
        }  # fmt: skip
        return Answer(200, {"payment_link": made, "related_resources": {"orders": [self._order(link)]}})

    def _delete(self, name: str) -> Answer:
        link = self._books.links.get(name)
        if link is None or link.is_deleted:
            return _error(404, "NOT_FOUND", "INVALID_REQUEST_ERROR")
        link.is_deleted = True
        if link.paid or link.failed or link.is_busy:
            return Answer(200, {"id": name})
        link.is_closed = True
        return Answer(200, {"id": name, "cancelled_order_id": _order_id(link)})

    def _link_of(self, order: str) -> HostedLink | None:
        return next((each for each in self._books.links.values() if _order_id(each) == order), None)

    def _order(self, link: HostedLink) -> dict[str, object]:
        payments = [*(f"failed_{link.id}_{number}" for number in range(link.failed)), *link.paid]
        state = "COMPLETED" if link.paid else "CANCELED" if link.is_closed else "OPEN"
        order = {
            **link.asked["order"],
            "id": _order_id(link),
            "state": state,
            "version": _VERSION,
            "created_at": _NOW,
            "total_money": {"amount": link.amount, "currency": link.currency},
        }
        tenders = [{"id": each, "type": "CARD", "payment_id": each} for each in payments]
        return order | ({"tenders": tenders} if tenders else {})

    def _payment(self, name: str) -> Answer:
        link = next((each for each in self._books.links.values() if f"_{each.id}_" in name), None)
        if link is None:
            return _error(404, "NOT_FOUND", "INVALID_REQUEST_ERROR")
        record = self._books.find(link.key)
        is_paid = name in link.paid and record is not None
        money = {"amount": link.amount, "currency": link.currency}
        if is_paid and record is not None:
            money = {"amount": record.approved, "currency": record.approved_currency}
        payment = {
            "id": name, "created_at": _NOW, "order_id": _order_id(link), "source_type": "CARD",
            "status": "COMPLETED" if is_paid else "FAILED", "amount_money": money, "total_money": money,
            "location_id": link.asked["order"]["location_id"],
        }  # fmt: skip
        return Answer(200, {"payment": payment})

    def _refund(self, asked: dict[str, Any]) -> Answer:
        found = self._books.find_reference(asked["payment_id"])
        try:
            if found is None:
                raise NotAllowed("refund")
            made = self._books.move(
                found[1], "refund", asked["idempotency_key"], asked["amount_money"]["amount"]
            )
        except NotAllowed:
            return _error(400, "REFUND_AMOUNT_INVALID", "REFUND_ERROR")
        refund = {
            "id": made.reference, "status": "PENDING", "amount_money": asked["amount_money"],
            "payment_id": asked["payment_id"], "created_at": _NOW,
        }  # fmt: skip
        return Answer(200, {"refund": refund})


def _order_id(link: HostedLink) -> str:
    return f"order{link.id}"


def _error(status: int, code: str, category: str) -> Answer:
    return Answer(status, {"errors": [{"category": category, "code": code}]})
