"""Answers errors as problem details (RFC 9457), in words fit for the agent.

Rule 1: no answer repeats anything that the client sent but names of our own fields.
Rule 2: every error of the API has this shape, those of the framework too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from b2bua.access.authority import NotPermitted
from b2bua.call.prepared import TooMany
from b2bua.call.view import (
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    NotYours,
    Repeated,
)

MEDIA_TYPE: Final = "application/problem+json"
NO_SUCH_CALL: Final = "There is no such call, or it has ended."
UNEXPECTED: Final = (
    "Something went wrong inside Tonewall. Look at the state of the call before you try again."
)
# RFC 9110 names; http.HTTPStatus has older ones.
_TITLES: Final = {
    413: "Content Too Large",
    422: "Unprocessable Content",
}
_DETAILS: Final = {
    400: "The body could not be read as JSON.",
    404: "There is nothing at this address.",
    405: "This address does not know that method.",
}
REPEATED: Final = "urn:tonewall:order-charged"
NOT_YOURS: Final = "urn:tonewall:not-yours"
UNDER_WAY: Final = "urn:tonewall:under-way"
_OURS: Final = frozenset(
    {"transaction_id", "amount", "currency", "description", "field", "call_id", "card", "allow_repeat"}
    | {
        "operation",
        "token_type",
        "customer",
        "merchant_account",
        "statement",
        "metadata",
        "saved_from",
        "token",
    }
    | {"provider", "payments", "outcome", "since", "reference", "follow_up"}
    | {"agent", "call", "expires_in"}
    | {"phone", "email", "expires_in", "start", "find_by"}
    | {"caller", "callee", "extension", "agent", "code", "numbers", "dry_run"}
    | {"name", "password", "new_password"}
    | {"seconds", "megabytes"}
)
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "the body has a field that is not known here",
    "json_invalid": "the body is not valid JSON",
    "model_attributes_type": "the body must be a JSON object, sent as application/json",
    "string_type": "must be a text",
    "dict_type": "must be an object of texts",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, of the currency's minor unit",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length}",
    "list_type": "must be a list",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "string_pattern_mismatch": "has characters that are not allowed here",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
}


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A problem as an answer. `errors`, for 422: each field and its problem; `more`: members of
    this type of problem alone."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    if errors:
        body["errors"] = list(errors)
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


async def _no_such_call(_request: Request, _error: Exception) -> Response:
    return problem(404, NO_SUCH_CALL)


async def _not_now(_request: Request, error: Exception) -> Response:
    return problem(409, str(error) or "This is not possible now.")


async def _not_well(_request: Request, error: Exception) -> Response:
    return problem(503, str(error), {"Retry-After": "5"})


async def _too_many(_request: Request, error: Exception) -> Response:
    return problem(429, str(error), {"Retry-After": "60"})


async def _repeated(_request: Request, error: Exception) -> Response:
    if not isinstance(error, Repeated):
        raise error
    payments = [msgspec.to_builtins(payment) for payment in error.payments]
    return problem(409, str(error), more={"type": REPEATED, "payments": payments})


async def _not_yours(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NotYours):
        raise error
    return problem(403, str(error), more={"type": NOT_YOURS, "agent": error.agent})


async def _not_permitted(_request: Request, error: Exception) -> Response:
    return problem(403, str(error))


async def _not_offered(_request: Request, error: Exception) -> Response:
    if not isinstance(error, NotOffered):
        raise error
    words = str(error)
    fault = {"field": error.field, "problem": words}
    return problem(422, f"{words[:1].upper()}{words[1:]}.", errors=[fault])


async def _no_such_payment(_request: Request, _error: Exception) -> Response:
    return problem(404, "There is no such payment, or it is forgotten.")


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [_field_problem(entry) for entry in error.errors()]
    sentence = "; ".join(
        f"{fault['field']}: {fault['problem']}" if fault["field"] else fault["problem"] for fault in faults
    )
    return problem(422, sentence[:1].upper() + sentence[1:] + ".", errors=faults)


async def _http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = _DETAILS.get(error.status_code, "The request cannot be served.")
    return problem(error.status_code, detail, error.headers)


def _field_problem(entry: Mapping[str, Any]) -> dict[str, str]:
    place = [part for part in entry["loc"] if isinstance(part, str) and part in _OURS]
    place = place or [part for part in entry["loc"] if part == "to"]  # of a receipt; a link's has fields
    if entry["type"] == "value_error":  # raised by our own validators, with our own words
        words = str(entry["ctx"]["error"])
    else:
        words = _WORDS.get(entry["type"], "has a value that is not allowed here").format_map(
            entry.get("ctx", {})
        )
    unknown = entry["type"] == "extra_forbidden"
    return {"field": "" if unknown or not place else place[0], "problem": words}


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""
    app.add_exception_handler(NoSuchCall, _no_such_call)
    app.add_exception_handler(NotNow, _not_now)
    app.add_exception_handler(Repeated, _repeated)
    app.add_exception_handler(NotYours, _not_yours)
    app.add_exception_handler(NotPermitted, _not_permitted)
    app.add_exception_handler(NotOffered, _not_offered)
    app.add_exception_handler(NoSuchPayment, _no_such_payment)
    app.add_exception_handler(NotWell, _not_well)
    app.add_exception_handler(TooMany, _too_many)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
