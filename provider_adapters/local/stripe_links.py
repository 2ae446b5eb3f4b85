"""Plays Stripe's payment links and the Checkout Sessions of their visitors.

Source: Stripe's OpenAPI description and the objects of its library. A session that is open when its
link is made inactive can still be completed, unless it is expired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from provider_adapters.local.books import Answer, Books, HostedLink
from provider_adapters.local.hosted import link_url

_NOW = 1767225600  # when everything is made here


class StripeLinks:
    """The links, over the books. `host`: where the last request went."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.host = ""

    def answer(
        self,
        method: str,
        parts: list[str],
        query: Mapping[str, list[str]],
        asked: Mapping[str, Any],
        key: str,
    ) -> Answer | None:
        """One request; None where it is no matter of links."""
        links = self._books.links
        match method, parts:
            case "POST", ["payment_links"]:
                return self._open(asked, key)
            case "POST", ["payment_links", name] if name in links:
                links[name].is_closed = asked.get("active") == "false"
                return Answer(200, _show(links[name]))
            case "GET", ["checkout", "sessions"]:
                link = links.get(query["payment_link"][0])
                if link is None:
                    return None
                found = _sessions(link, query["status"][0])
                return Answer(
                    200,
                    {"object": "list", "data": found, "has_more": False, "url": "/v1/checkout/sessions"},
                )
            case "POST", ["checkout", "sessions", visit, "expire"]:
                return self._expire(visit)
        return None

    def intents(self) -> dict[str, dict[str, Any]]:
        """What was paid on links, as it would have been asked for: by the intent's id."""
        return {
            reference: {
                "amount": link.asked["line_items"]["0"]["price_data"]["unit_amount"],
                "currency": link.currency.lower(),
                "capture_method": link.asked["payment_intent_data"]["capture_method"],
                "metadata": link.asked["payment_intent_data"]["metadata"],
                "payment_method": f"pm_{link.id[6:]}",
            }
            for link in self._books.links.values()
            for reference in link.paid
        }

    def _open(self, asked: Mapping[str, Any], key: str) -> Answer:
        name = f"plink_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        price, intent = asked["line_items"]["0"]["price_data"], asked["payment_intent_data"]
        link = self._books.links[name] = HostedLink(
            id=name,
            url=link_url({"host": self.host}, name),
            key=intent["metadata"]["tonewall_key"],
            transaction_id=intent["metadata"]["transaction_id"],
            amount=int(price["unit_amount"]),
            currency=price["currency"].upper(),
            description=price["product_data"]["name"],
            operation="authorise" if intent["capture_method"] == "manual" else "charge",
            limit=int(asked.get("restrictions", {}).get("completed_sessions", {}).get("limit", 1000)),
            visits_outlive=True,
            prefix="pi",
            asked=asked,
        )
        return Answer(200, _show(link))

    def _expire(self, visit: str) -> Answer:
        for link in self._books.links.values():
            if link.visits.get(visit) == "open" and not link.is_busy:
                link.visits[visit] = "expired"
                return Answer(200, _session(link, visit))
        message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
        return Answer(400, {"error": {"type": "invalid_request_error", "message": message}})


def _show(link: HostedLink) -> dict[str, object]:
    return {
        "id": link.id,
        "object": "payment_link",
        "active": not link.is_closed and len(link.paid) < link.limit,
        "after_completion": {"type": "hosted_confirmation"},
        "allow_promotion_codes": False,
        "automatic_tax": {"enabled": False},
        "billing_address_collection": "auto",
        "currency": link.currency.lower(),
        "custom_fields": [],
        "custom_text": {},
        "customer_creation": "if_required",
        "livemode": False,
        "metadata": dict(link.asked["metadata"]),
        "payment_method_collection": "always",
        "payment_method_types": ["card"],
        "phone_number_collection": {"enabled": False},
        "restrictions": {"completed_sessions": {"count": len(link.paid), "limit": link.limit}},
        "shipping_options": [],
        "submit_type": "auto",
        "tax_id_collection": {"enabled": False},
        "url": link.url,
    }


def _sessions(link: HostedLink, status: str) -> list[dict[str, object]]:
    found = [_session(link, visit) for visit, state in link.visits.items() if state == status]
    return found[::-1][:10]


def _session(link: HostedLink, visit: str) -> dict[str, object]:
    complete = [name for name, state in link.visits.items() if state == "complete"]
    is_paid = visit in complete
    return {
        "id": visit,
        "object": "checkout.session",
        "amount_total": link.amount,
        "created": _NOW,
        "currency": link.currency.lower(),
        "expires_at": _NOW + 86_400,
        "livemode": False,
        "metadata": dict(link.asked["metadata"]),
        "mode": "payment",
        "payment_intent": link.paid[complete.index(visit)] if is_paid else None,
        "payment_link": link.id,
        "payment_method_types": ["card"],
        "payment_status": "paid" if is_paid else "unpaid",
        "status": link.visits[visit],
        "url": None,
    }
