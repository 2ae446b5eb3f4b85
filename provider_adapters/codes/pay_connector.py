"""Codes of merchants' pay connectors as our reasons.

The form leaves the words of `error_code` to the connector. Most pass on those of the provider
behind it: known are the words that the larger ones share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType({
    "card_declined": "declined", "declined": "declined", "do_not_honor": "declined",
    "do_not_honour": "declined", "generic_decline": "declined",
    "insufficient_funds": "insufficient_funds", "limit_exceeded": "limit_exceeded",
    "card_velocity_exceeded": "limit_exceeded", "withdrawal_count_limit_exceeded": "limit_exceeded",
    "expired_card": "expired_card", "card_expired": "expired_card",
    "incorrect_number": "invalid_number", "invalid_number": "invalid_number",
    "invalid_card_number": "invalid_number",
    "invalid_expiry_month": "invalid_expiry", "invalid_expiry_year": "invalid_expiry",
    "invalid_expiry": "invalid_expiry", "invalid_expiration_date": "invalid_expiry",
    "incorrect_cvc": "invalid_security_code", "invalid_cvc": "invalid_security_code",
    "incorrect_cvv": "invalid_security_code", "invalid_cvv": "invalid_security_code",
    "invalid_security_code": "invalid_security_code",
    "card_not_supported": "card_not_supported", "currency_not_supported": "currency_not_supported",
    "lost_card": "restricted_card", "stolen_card": "restricted_card", "pickup_card": "restricted_card",
    "restricted_card": "restricted_card", "fraudulent": "suspected_fraud",
    "suspected_fraud": "suspected_fraud", "authentication_required": "authentication_required",
    "issuer_not_available": "issuer_unavailable", "issuer_unavailable": "issuer_unavailable",
    "duplicate_transaction": "duplicate", "amount_too_small": "amount_not_allowed",
    "amount_too_large": "amount_not_allowed", "invalid_amount": "amount_not_allowed",
})  # fmt: skip

# Words that leave it open whether the provider behind the connector has charged.
_OPEN = re.compile(
    r"(?:^|_)(?:time_?out|timed_?out|pending|processing|in_progress|unknown|internal|server|network"
    r"|connection|communication|gateway|unavailable|unreachable|5\d\d)(?:_|$)"
)


def normalise(code: str) -> str:
    """A code in the spelling of REASONS: `Card-Declined` is `card_declined`."""
    return code.lower().replace("-", "_").replace(".", "_").replace(":", "_")


def leaves_open(code: str) -> bool:
    """Whether money may have moved in spite of this error."""
    word = normalise(code)
    return word not in REASONS and _OPEN.search(word) is not None
