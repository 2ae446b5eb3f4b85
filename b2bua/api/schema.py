"""Describes the API (OpenAPI): FastAPI's description, with our own answers: msgspec structs and
problem details."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from b2bua.access.cookies import COOKIE
from b2bua.api.problems import MEDIA_TYPE
from b2bua.call.feature_codes import ClaimView
from b2bua.call.link import LinkOffer
from b2bua.call.service_view import ServiceView
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView, PaymentView
from b2bua.ladder.view import LadderSummary, LadderView
from b2bua.personal_data.desk import Erasure
from b2bua.switchboard.webhook_views import DeliveryView, WebhookView
from media.form_description import CARD, FormDescription
from tonewall.version import VERSION

_ABOUT: Final = """
Take card payments on live calls. While a payment runs, the keypad of the customer is masked: you
hear the customer, the digits do not reach you, and of the card there are only counts of keys, its
brand and its last four digits to see.

A payment is one *capture* on a call: **start** it with an order, watch it on the **feed** until its
stage is `ready`, **submit** it, and read its `outcome`. Only `failed` may simply be tried again;
`unknown` must not be.
"""

_CALL: Final = {
    "id": "c-7f3a",
    "state": "up",
    "direction": "inbound",
    "caller": "+49301234567",
    "callee": "+4989765432",
    "started_at": "2025-03-01T09:30:00Z",
    "masked": True,
    "mask": "on",
    "still_keying": False,
    "keys_passed_at": None,
    "capture": {
        "id": "p-1",
        "stage": "collecting",
        "order": {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR", "description": ""},
        "field": "expiry",
        "fields": [
            {
                "field": "card_number",
                "count": 16,
                "complete": True,
                "rejected": 0,
                "ignored": 0,
                "reason": None,
            },
            {
                "field": "expiry",
                "count": 0,
                "complete": False,
                "rejected": 1,
                "ignored": 2,
                "reason": "expiry_past",
            },
            {
                "field": "security_code",
                "count": 0,
                "complete": False,
                "rejected": 0,
                "ignored": 0,
                "reason": None,
            },
        ],
        "brand": "visa",
        "last_four": "1111",
        "outcome": None,
        "reason": None,
    },
}

_PROBLEM: Final = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). It never repeats what was sent.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "examples": ["about:blank", "urn:tonewall:order-charged", "urn:tonewall:not-yours"],
        },
        "title": {"type": "string", "examples": ["Conflict"]},
        "status": {"type": "integer", "examples": [409]},
        "detail": {"type": "string", "description": "A sentence for the agent's eyes."},
        "errors": {
            "type": "array",
            "description": "For 422: each field and what is wrong with it.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
        "payments": {
            "type": "array",
            "description": "For urn:tonewall:order-charged: the payments that charged the order, the newest "
            "first.",
            "items": {"$ref": "#/components/schemas/PaymentView"},
        },
        "agent": {"type": "string", "description": "For urn:tonewall:not-yours: whose payment it is."},
    },
}

Answers = dict[int | str, dict[str, Any]]


def call_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one CallView."""
    content = {"schema": {"$ref": "#/components/schemas/CallView"}, "example": _CALL}
    return {"description": description, "content": {"application/json": content}}


def calls_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a list of CallView."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/CallView"}}
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": [_CALL]}},
    }


def payment_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one PaymentView."""
    schema = {"$ref": "#/components/schemas/PaymentView"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def payments_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a list of PaymentView."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/PaymentView"}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def link_offer_answer(description: str) -> dict[str, Any]:
    """An answer whose body is the LinkOffer."""
    schema = {"$ref": "#/components/schemas/LinkOffer"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def claim_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one ClaimView."""
    schema = {"$ref": "#/components/schemas/ClaimView"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def svg_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a picture."""
    return {"description": description, "content": {"image/svg+xml": {"schema": {"type": "string"}}}}


def trunks_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a list of TrunkView."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/TrunkView"}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def form_answer(description: str, *, many: bool = False) -> dict[str, Any]:
    """An answer whose body is a FormDescription, or an array of some."""
    one: dict[str, Any] = {"$ref": "#/components/schemas/FormDescription"}
    schema = {"type": "array", "items": one} if many else one
    example = msgspec.to_builtins([CARD] if many else CARD)
    return {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def feed_answer(description: str) -> dict[str, Any]:
    """The answer that is a stream of events."""
    return {"description": description, "content": {"text/event-stream": {"schema": {"type": "string"}}}}


def problem_answers(*codes: int) -> Answers:
    """The problems with these codes, as answers of a route."""
    why = {
        401: "No valid token.",
        403: "Your role does not permit it, or not for this call or payment; or another agent drives the "
        "payment: then `agent` says who. Take it over first.",
        404: "There is no such call, or it has ended; no such payment, or it is forgotten.",
        409: "It does not fit the state of the call or capture; `detail` says why.",
        413: "The body is too large.",
        429: "There are too many; try again later.",
        422: "The body is not as described; `errors` says where.",
        503: "Not available now.",
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": why[code], "content": content} for code in codes}


def describe_api(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    document = get_openapi(
        title="Tonewall",
        version=VERSION,
        summary="Card payments by phone keypad, on live calls.",
        description=_ABOUT.strip(),
        routes=app.routes,
        tags=[
            {"name": "calls", "description": "The calls that are up."},
            {"name": "capture", "description": "One payment on a call."},
            {"name": "payments", "description": "What became of each payment."},
            {"name": "links", "description": "Payment links: a page of the provider's instead of a keypad."},
            {"name": "ladders", "description": "The messages of a call, for whoever looks for a fault."},
            {"name": "sign-in", "description": "Sessions of people, beside tokens."},
            {"name": "webhooks", "description": "Events of payments to services of your own."},
            {"name": "personal data", "description": "What is kept on a person."},
            {"name": "service", "description": "Whether the service is well, and what it knows."},
        ],
    )
    components = document.setdefault("components", {})
    shapes = [CallView, PaymentView, ServiceView, TrunkView, LinkOffer, ClaimView]
    shapes += [Erasure, LadderSummary, LadderView, FormDescription, WebhookView, DeliveryView]
    _, own = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    components["schemas"] = {
        **{
            name: part
            for name, part in components.get("schemas", {}).items()
            if "ValidationError" not in name
        },
        **own,
        "Problem": _PROBLEM,
    }
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "See docs/api.md."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "See docs/sign-in.md."},
    }
    for path, operations in document["paths"].items():
        if path.startswith(("/v1", "/sign-out")) or path == "/metrics":
            for operation in operations.values():
                operation["security"] = [{"token": []}, {"session": []}]
                operation["responses"].setdefault("403", problem_answers(403)[403])
    return document
