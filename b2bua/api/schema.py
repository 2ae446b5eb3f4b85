"""Answers of routes for the description of the API (OpenAPI): msgspec structs and problem
details."""

from __future__ import annotations

from typing import Any

from b2bua.api.problems import MEDIA_TYPE

Answers = dict[int | str, dict[str, Any]]


def call_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one CallView."""
    schema = {"$ref": "#/components/schemas/CallView"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def calls_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a list of CallView."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/CallView"}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


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


def receipt_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one ReceiptView."""
    schema = {"$ref": "#/components/schemas/ReceiptView"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def claim_answer(description: str) -> dict[str, Any]:
    """An answer whose body is one ClaimView."""
    schema = {"$ref": "#/components/schemas/ClaimView"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def svg_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a picture."""
    return {"description": description, "content": {"image/svg+xml": {"schema": {"type": "string"}}}}


def text_answer(description: str) -> dict[str, Any]:
    """An answer whose body is plain text."""
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def trunks_answer(description: str) -> dict[str, Any]:
    """An answer whose body is a list of TrunkView."""
    schema = {"type": "array", "items": {"$ref": "#/components/schemas/TrunkView"}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def form_answer(description: str, *, many: bool = False) -> dict[str, Any]:
    """An answer whose body is a FormDescription, or an array of some."""
    one: dict[str, Any] = {"$ref": "#/components/schemas/FormDescription"}
    schema = {"type": "array", "items": one} if many else one
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def feed_answer(description: str) -> dict[str, Any]:
    """The answer that is a stream of events."""
    return {"description": description, "content": {"text/event-stream": {"schema": {"type": "string"}}}}


def problem_answers(*codes: int) -> Answers:
    """The problems with these codes, as answers of a route."""
    why = {
        400: "The body cannot be read as JSON, or the end of the request is not certain.",
        401: "No valid token.",
        403: "Your role does not permit it, or not for this call or payment; or another agent drives the "
        "payment: then `agent` says who. Take it over first.",
        404: "There is no such call, or it has ended; no such payment, or it is forgotten.",
        408: "The body took too long.",
        409: "It does not fit the state of the call or capture; `detail` says why.",
        413: "The body is too large.",
        429: "There are too many; try again later.",
        422: "The body is not as described; `errors` says where.",
        503: "Not available now.",
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {code: {"description": why[code], "content": content} for code in codes}
