"""Why a leg ended, from leg to leg: SIP codes, and Q.850 causes as the telephone network has them.

Rule 1: what a peer says of the call crosses as it came: code, and Reason (RFC 3326, RFC 6432).
Rule 2: what a peer says of us and itself (our password, our protocol, our message) is no news for
        the other leg. It gets a code that means "that way is shut", and the Reason says what the
        code was, for whoever looks for it.
Rule 3: where nobody named a Q.850 cause, it is the code's, by RFC 3398 section 8.2.6.1.
"""

from __future__ import annotations

import re
from dataclasses import replace

from b2bua.call.leg import Carried

NORMAL = 16  # normal call clearing
_BAD_GATEWAY, _UNAVAILABLE, _NOT_FOUND, _NOT_ACCEPTABLE = 502, 480, 404, 488
# What crosses instead of a code that is about one leg only.
REPLACED_CODES = {
    # It did not like how we speak, or who we say we are.
    400: _BAD_GATEWAY, 401: _BAD_GATEWAY, 405: _BAD_GATEWAY, 407: _BAD_GATEWAY, 411: _BAD_GATEWAY,
    413: _BAD_GATEWAY,
    414: _BAD_GATEWAY, 420: _BAD_GATEWAY, 421: _BAD_GATEWAY, 422: _BAD_GATEWAY, 423: _BAD_GATEWAY,
    430: _BAD_GATEWAY,
    439: _BAD_GATEWAY, 440: _BAD_GATEWAY, 469: _BAD_GATEWAY, 470: _BAD_GATEWAY, 481: _BAD_GATEWAY,
    489: _BAD_GATEWAY,
    494: _BAD_GATEWAY, 501: _BAD_GATEWAY, 505: _BAD_GATEWAY, 513: _BAD_GATEWAY,
    # It says 487 though nobody cancelled, or that a request of ours crossed one of its own: it
    # cannot take the call now.
    487: _UNAVAILABLE, 491: _UNAVAILABLE,
    # Its address is of a kind that it does not know; nothing that we both can describe.
    416: _NOT_FOUND, 406: _NOT_ACCEPTABLE, 415: _NOT_ACCEPTABLE, 493: _NOT_ACCEPTABLE,
}  # fmt: skip
# RFC 3398 section 8.2.6.1, with the codes that came later beside those that are alike.
Q850_CAUSES = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127,
    414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1,
    486: 17,
    487: 16, 488: 88, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127,
    600: 17, 603: 21, 604: 1, 606: 88, 607: 21, 608: 21,
}  # fmt: skip
_Q850_REASON = re.compile(r"(?i)Q\.850\s*;(?:[^\"]*;)?\s*cause\s*=\s*([0-9]{1,3})(?![0-9])")


def relayed_cause(code: int, carried: Carried) -> tuple[int, Carried]:
    """The final code and what goes with it, as the other leg is to hear it."""
    instead = REPLACED_CODES.get(code)
    if instead is None:
        return code, carried
    has_reason = any(name == "Reason" and value.upper().startswith("SIP") for name, value in carried.headers)
    reason = () if has_reason else (("Reason", f"SIP;cause={code}"),)
    return instead, replace(carried, headers=(*carried.headers, *reason))


def q850_cause(carried: Carried, code: int | None = None) -> int | None:
    """The Q.850 cause that a peer named, or else that of the code; None where neither says one."""
    for name, value in carried.headers:
        found = _Q850_REASON.match(value) if name == "Reason" else None
        if found is not None and 0 < int(found[1]) < 128:
            return int(found[1])
    if code is None:
        return None
    return NORMAL if 200 <= code < 300 else Q850_CAUSES.get(code, 127 if code >= 400 else None)
