"""Checks of a request before any leg sees it (RFC 3261 section 8.2).

Rule 1: a request is refused here with the code and the headers that tell the peer what would have
        been taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.sip.message.compose import ACCEPT_LINE, ALLOW, ALLOW_LINE, SDP, SUPPORTED
from b2bua.sip.message.message import Request

_SDP_RANGES = frozenset({SDP, "application/*", "*/*", "multipart/mixed"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response: its code and headers."""

    code: int
    lines: tuple[str, ...] = ()


def max_forwards(request: Request) -> int:
    """Max-Forwards, or 70 where there is none. Raises ValueError where it is no number."""
    values = request.headers.getlist("Max-Forwards")
    if not values:
        return 70
    if not (values[0].isascii() and values[0].isdigit() and len(values[0]) <= 20):
        raise ValueError("Max-Forwards")
    return min(int(values[0]), 255)


def check_request(request: Request) -> Refusal | None:
    """None: taken so far. ACK and CANCEL do not come here."""
    if request.method not in ALLOW:
        return Refusal(405, (ALLOW_LINE,))
    if request.uri.scheme not in {"sip", "tel"}:
        return Refusal(416)
    try:
        hops = max_forwards(request)
    except ValueError:
        return Refusal(400)
    if hops == 0 and request.method == "INVITE":
        return Refusal(483)
    return check_required(request) or _check_body(request)


def check_required(request: Request) -> Refusal | None:
    """Whether it requires what we do not have."""
    required = [item.strip() for value in request.headers.getlist("Require") for item in value.split(",")]
    unknown = [item for item in required if item and item.lower() not in SUPPORTED]
    return Refusal(420, (f"Unsupported: {', '.join(unknown)}",)) if unknown else None


def _check_body(request: Request) -> Refusal | None:
    if request.unsupported:
        return Refusal(415, request.unsupported)
    encodings = request.headers.getlist("Content-Encoding")
    if request.body and any(encoding.lower() != "identity" for encoding in encodings):
        return Refusal(415, (ACCEPT_LINE, "Accept-Encoding: identity"))
    if request.method not in {"INVITE", "UPDATE"}:
        return None
    accepted = [
        item.partition(";")[0].replace(" ", "").replace("\t", "").lower()
        for value in request.headers.getlist("Accept")
        for item in value.split(",")
    ]
    if any(accepted) and not _SDP_RANGES & set(accepted):
        return Refusal(406, (ACCEPT_LINE,))  # no answer of ours could be read
    return None
