"""Describes the API (OpenAPI 3.1): FastAPI's description with our own answers, an example of each
body, and what may go without a token.

Rule 1: of an answer every field is required that every answer has, so that typed clients need no
        question whether it is there.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from b2bua.access.cookies import COOKIE
from b2bua.api.answer_views import (
    AgentView,
    EmbedTokenView,
    HealthView,
    LivenessView,
    ReadinessView,
    SignedInView,
    SignInView,
)
from b2bua.api.examples import EXAMPLES, OBJECTS, TEXTS, problem_example
from b2bua.api.log_view import LogLevelView
from b2bua.api.problems import NOT_YOURS, REPEATED, UNDER_WAY
from b2bua.api.schema import problem_answers
from b2bua.call.feature_codes import ClaimView
from b2bua.call.link import LinkOffer
from b2bua.call.service_view import ServiceView
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView, PaymentView
from b2bua.ladder.view import LadderSummary, LadderView
from b2bua.personal_data.desk import Erasure
from b2bua.switchboard.statistics_views import StatisticsView
from b2bua.switchboard.webhook_views import DeliveryView, ReceiptView, WebhookView
from media.form_description import FormDescription
from tonewall.version import VERSION

_ABOUT: Final = """
Take card payments on live calls. While a payment runs, the keypad of the customer is masked: you
hear the customer, the digits do not reach you, and of the card there are only counts of keys, its
brand and its last four digits to see.

A payment is one *capture* on a call: **start** it with an order, watch it on the **feed** until its
stage is `ready`, **submit** it, and read its `outcome`. Only `failed` may simply be tried again;
`unknown` must not be.
"""
_TAGS: Final = {
    "calls": "The calls that are up.",
    "capture": "One payment on a call.",
    "payments": "What became of each payment.",
    "links": "Payment links: a page of the provider's instead of a keypad.",
    "ladders": "The messages of a call, for whoever looks for a fault.",
    "sign-in": "Sessions of people, beside tokens.",
    "embedding": "The form for payments in pages of the company.",
    "webhooks": "Events of payments to services of your own.",
    "personal data": "What is kept on a person.",
    "audit": "Who did what.",
    "service": "Whether the service is well, and what it knows.",
}
_SHAPES: Final = (
    CallView, PaymentView, ServiceView, TrunkView, LinkOffer, ClaimView, Erasure, LadderSummary, LadderView,
    FormDescription, WebhookView, DeliveryView, ReceiptView, StatisticsView, AgentView, HealthView,
    LivenessView, ReadinessView, SignedInView, SignInView, LogLevelView, EmbedTokenView,
)  # fmt: skip
# Answers that the routes themselves describe as any object.
_ANSWERS: Final = {
    "get_agent": AgentView,
    "get_health": HealthView,
    "get_liveness": LivenessView,
    "get_readiness": ReadinessView,
    "describe_sign_in": SignInView,
    "sign_in": SignedInView,
    "create_embed_token": EmbedTokenView,
}
# Without a token, unless sip.conf wants one (`[api] healthz`).
_OPEN: Final = frozenset({"/healthz", "/livez", "/readyz", "/sign-in"})
_JSON: Final = "application/json"
# What may become of any body, before a route has it (b2bua/api/hardening.py).
_OF_BODIES: Final = (400, 408, 413)
_KEY_PATTERN: Final = "^[!-~]{1,255}$"

_PROBLEM: Final = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). It never repeats what was sent.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "examples": ["about:blank", REPEATED, NOT_YOURS, UNDER_WAY],
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


def describe_api(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    document = get_openapi(
        title="Tonewall",
        version=VERSION,
        openapi_version="3.1.0",
        summary="Card payments by phone keypad, on live calls.",
        description=_ABOUT.strip(),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/", "description": "Where this document is served."}],
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    components = document.setdefault("components", {})
    components["schemas"] = _schemas(components.get("schemas", {}))
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "See docs/api.md."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "See docs/sign-in.md."},
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = path in _OPEN
            operation["security"] = [] if is_open else [{"token": []}, {"session": []}]
            wanted = () if is_open else (403,)
            if "requestBody" in operation:
                wanted = (*_OF_BODIES, *wanted)
            for code, answer in problem_answers(*wanted).items():
                operation["responses"].setdefault(str(code), answer)
            _complete(operation, components["schemas"])
    return document


def _schemas(of_bodies: dict[str, Any]) -> dict[str, Any]:
    """All shapes: bodies of requests as FastAPI describes them, answers as msgspec does."""
    _, own = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    for struct in _structs(list(msgspec.inspect.multi_type_info(_SHAPES)), set()):
        part = own[struct.__name__]
        part["required"] = [*dict.fromkeys([*part.get("required", ()), *_always_there(struct)])]
    bodies = {name: part for name, part in of_bodies.items() if "ValidationError" not in name}
    schemas = {**bodies, **own, "Problem": _PROBLEM}
    for part in schemas.values():
        if "description" in part:
            part["description"] = inspect.cleandoc(part["description"])
    return schemas


def _structs(node: Any, found: set[type[msgspec.Struct]]) -> set[type[msgspec.Struct]]:
    """Every struct that these types hold."""
    if isinstance(node, list | tuple):
        for each in node:
            _structs(each, found)
    elif isinstance(node, msgspec.inspect.Type | msgspec.inspect.Field):
        if isinstance(node, msgspec.inspect.StructType):
            if node.cls in found:
                return found
            found.add(node.cls)
        _structs([getattr(node, name) for name in node.__struct_fields__], found)
    return found


def _always_there(struct: type[msgspec.Struct]) -> Iterator[str]:
    if not struct.__struct_config__.omit_defaults:
        for field in msgspec.structs.fields(struct):
            if field.default is not msgspec.UNSET:
                yield field.encode_name


def _complete(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Adds examples and the shapes that routes do not name, and removes what FastAPI supposes."""
    name = operation["operationId"]
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "idempotency-key":
            parameter["name"], parameter["schema"] = "Idempotency-Key", _key_schema()
            parameter["example"] = "9d6f1c2e-0d57-4c0e-9f43-6f6a5d1f9c11"
        elif parameter["name"] == "last-event-id":
            parameter["name"] = "Last-Event-ID"
    if "requestBody" in operation:
        _complete_request(operation["requestBody"], schemas)
    for code, response in operation["responses"].items():
        contents = response.get("content", {})
        if len(contents) > 1 and contents.get(_JSON) == {"schema": {}}:
            del contents[_JSON]
        if code[0] == "2" or (name in _ANSWERS and "content" not in response):
            _complete_answer(name, code, response)
        for media_type, content in contents.items():
            if media_type == "application/problem+json":
                content["example"] = problem_example(int(code), response["description"])


def _key_schema() -> dict[str, Any]:
    return {"type": "string", "pattern": _KEY_PATTERN}


def _complete_request(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    content = body["content"][_JSON]
    choices = content["schema"].get("anyOf", [])
    if len(choices) == 2 and choices[1] == {"type": "null"}:
        content["schema"] = choices[0]  # may be left out
    schema = content["schema"]
    names = [_name_of(each) for each in schema.get("oneOf", [schema])]
    examples = {each: {"value": schemas[each]["examples"][0]} for each in names}
    if len(examples) == 1:
        content["example"] = examples[names[0]]["value"]
    else:
        content["examples"] = examples


def _complete_answer(name: str, code: str, response: dict[str, Any]) -> None:
    if code == "204":
        return
    contents = response.setdefault("content", {_JSON: {}})
    for media_type, content in contents.items():
        if media_type == _JSON and name in _ANSWERS:
            content["schema"] = {"$ref": f"#/components/schemas/{_ANSWERS[name].__name__}"}
        content.setdefault("schema", {"type": "object"} if media_type == _JSON else {"type": "string"})
        if media_type != _JSON:
            content["example"] = TEXTS[name]
        elif name in OBJECTS:
            content["schema"]["type"] = "object"
            content["example"] = OBJECTS[name]
        else:
            schema = content["schema"]
            example = EXAMPLES[_name_of(schema.get("items", schema))]
            content["example"] = [example] if "items" in schema else example


def _name_of(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]
