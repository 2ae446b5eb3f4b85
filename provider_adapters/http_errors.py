"""Judges an HTTP status that is no success, where the provider's description says no more than RFC
9110 does: can money have moved?"""

from __future__ import annotations

from collections.abc import Mapping

from provider_adapters.payment import Failed, Unknown

# Client errors that say nothing of whether the charge stands: 408 may come from a proxy, 409 and
# 425 from a charge under way.
_OPEN = frozenset({408, 409, 425})
_REASONS = {401: "key_refused", 403: "key_refused", 429: "try_again_later"}


def judge_error(status: int, code: str = "", reasons: Mapping[str, str] | None = None) -> Failed | Unknown:
    """Failed where a client error says that the request was not carried out; Unknown for whatever
    else. `reasons`: words of `reasons.REASONS` by the provider's code."""
    if 400 <= status < 500 and status not in _OPEN:
        reason = (reasons or {}).get(code) or _REASONS.get(status) or "request_refused"
        return Failed(reason=reason, code=code or f"http_{status}")
    return Unknown(reason=f"http_{status}")
