"""Checks of a request before PJSIP sees it; a refused one is answered here, without state.

Rule 1: what this engine cannot do is refused by its name, and never half done.
"""

from __future__ import annotations

from b2bua.pjsua.wording import ALLOW, ALLOW_LINE
from b2bua.sip.message.message import Request
from b2bua.sip.message.request_checks import Refusal, check_request

LATER = "Retry-After: 5"  # where PJSIP has no place left
_REFRESHED = frozenset({"BYE", "INFO", "MESSAGE", "OPTIONS"})
_FULL = Refusal(503, (LATER,))


def check_opening(request: Request, room: bool, closing: bool, draining: bool) -> Refusal | None:
    """Of a request outside of a dialog. `room`: for another call of two legs; `closing`,
    `draining`: as in Front. None: an INVITE that is taken."""
    refusal = _check_common(request)
    if refusal is not None:
        return refusal
    if request.method == "OPTIONS":
        return Refusal(503 if closing or draining else 200, (ALLOW_LINE,))
    if request.method != "INVITE":
        return Refusal(481)
    if request.headers.getlist("Replaces"):
        return Refusal(501)
    if not request.body:
        return Refusal(488)  # PJSIP would have to make the offer
    if not request.headers.getlist("Contact"):
        return Refusal(400)
    if closing:
        return Refusal(503)
    return None if room else _FULL


def check_in_dialog(request: Request) -> Refusal | None:
    """Of a request within a dialog, ACK and CANCEL apart. None: it is taken."""
    refusal = _check_common(request)
    if refusal is not None:
        return refusal
    if request.method == "OPTIONS":
        return Refusal(200, (ALLOW_LINE,))
    if request.method == "INVITE" and not request.body:
        return Refusal(488)
    return None if request.method == "INVITE" or request.method in _REFRESHED else Refusal(405, (ALLOW_LINE,))


def _check_common(request: Request) -> Refusal | None:
    if request.method not in ALLOW:
        return Refusal(405, (ALLOW_LINE,))
    required = ", ".join(request.headers.getlist("Require"))
    if required:
        return Refusal(420, (f"Unsupported: {required}",))
    return check_request(request)
