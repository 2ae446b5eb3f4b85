"""Adyen's codes as our reasons, and its decimals of currencies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Refusal reason codes (docs.adyen.com, refusal reasons).
REASONS: Mapping[str, str] = MappingProxyType({
    "2": "declined", "3": "declined", "4": "issuer_unavailable", "5": "restricted_card",
    "6": "expired_card", "7": "amount_not_allowed", "8": "invalid_number", "9": "issuer_unavailable",
    "10": "card_not_supported", "11": "authentication_required", "12": "insufficient_funds",
    "14": "suspected_fraud", "15": "cancelled", "16": "cancelled", "17": "invalid_security_code",
    "18": "restricted_card", "19": "restricted_card", "20": "suspected_fraud",
    "21": "request_refused", "22": "suspected_fraud", "23": "restricted_card",
    "24": "invalid_security_code", "25": "restricted_card", "26": "restricted_card",
    "27": "declined", "28": "limit_exceeded", "29": "limit_exceeded", "31": "suspected_fraud",
    "32": "declined", "33": "authentication_required", "34": "declined", "35": "declined",
    "36": "authentication_required", "37": "authentication_required", "38": "authentication_required",
    "39": "declined", "42": "authentication_required", "44": "declined", "46": "restricted_card",
})  # fmt: skip
# Error codes of a request that was not carried out (docs.adyen.com, API error codes).
ERRORS: Mapping[str, str] = MappingProxyType({
    "010": "raw_card_not_enabled", "101": "invalid_number", "102": "invalid_number",
    "103": "invalid_security_code", "129": "expired_card", "137": "amount_not_allowed",
    "138": "currency_not_supported", "140": "invalid_expiry", "141": "invalid_expiry",
    "142": "invalid_expiry", "143": "invalid_expiry", "901": "account_refused",
    "905": "card_not_supported",
})  # fmt: skip
# Where Adyen's decimals differ from ISO 4217's (docs.adyen.com, currency codes).
SHIFTS: Mapping[str, int] = MappingProxyType({"CLP": 2, "CVE": -2, "IDR": -2, "ISK": 2})
