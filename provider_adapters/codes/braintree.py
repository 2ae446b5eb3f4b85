"""Braintree's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Processor response codes (developer.paypal.com/braintree, authorization responses). A card that is
# reported lost or stolen is a plain decline.
PROCESSOR: Mapping[str, str] = MappingProxyType({
    "2001": "insufficient_funds", "2002": "limit_exceeded", "2003": "limit_exceeded",
    "2004": "expired_card", "2005": "invalid_number", "2006": "invalid_expiry",
    "2007": "restricted_card", "2008": "invalid_number", "2009": "invalid_number",
    "2010": "invalid_security_code", "2014": "suspected_fraud", "2015": "restricted_card",
    "2016": "duplicate", "2019": "restricted_card", "2024": "card_not_supported",
    "2025": "account_refused", "2026": "account_refused", "2027": "amount_not_allowed",
    "2028": "account_refused", "2029": "card_not_supported", "2030": "account_refused",
    "2045": "account_refused", "2048": "amount_not_allowed", "2051": "invalid_number",
    "2056": "amount_not_allowed", "2057": "restricted_card", "2058": "account_refused",
    "2060": "invalid_security_code", "2064": "currency_not_supported",
    "2099": "authentication_required", "2103": "restricted_card", "2107": "restricted_card",
    "2108": "restricted_card", "3000": "issuer_unavailable",
})  # fmt: skip
# GatewayRejectionReason.
GATEWAY: Mapping[str, str] = MappingProxyType({
    "APPLICATION_INCOMPLETE": "account_refused", "AVS": "declined",
    "AVS_AND_CVV": "invalid_security_code", "CVV": "invalid_security_code",
    "DUPLICATE": "duplicate", "EXCESSIVE_RETRY": "limit_exceeded", "FRAUD": "suspected_fraud",
    "MANUAL_TRANSACTIONS_DISABLED": "account_refused", "PAYMENT_METHOD_BLOCKED": "restricted_card",
    "RISK_THRESHOLD": "suspected_fraud", "THREE_D_SECURE": "authentication_required",
    "TOKEN_ISSUANCE": "declined", "TOO_MANY_CONFIRMATION_ATTEMPTS": "limit_exceeded",
    "UNION_PAY_ENROLLMENT_REQUIRED": "card_not_supported",
})  # fmt: skip
# Legacy codes of validation errors, as Braintree's library lists them.
VALIDATION: Mapping[str, str] = MappingProxyType({
    "81501": "amount_not_allowed", "81502": "amount_not_allowed", "81503": "amount_not_allowed",
    "81528": "amount_not_allowed", "81531": "amount_not_allowed", "815193": "amount_not_allowed",
    "91521": "amount_not_allowed", "91522": "amount_not_allowed",
    "81703": "card_not_supported", "91517": "card_not_supported", "91567": "card_not_supported",
    "91577": "card_not_supported", "915101": "card_not_supported",
    "81706": "invalid_security_code", "81707": "invalid_security_code",
    "81709": "invalid_expiry", "81710": "invalid_expiry", "81711": "invalid_expiry",
    "81712": "invalid_expiry", "81713": "invalid_expiry",
    "81714": "invalid_number", "81715": "invalid_number", "81716": "invalid_number",
    "81717": "invalid_number", "81750": "invalid_number",
    "91513": "account_refused", "91514": "account_refused", "91538": "account_refused",
    "91559": "account_refused", "91558": "moto_not_enabled", "915195": "moto_not_enabled",
    "91506": "try_again_later", "91574": "try_again_later", "915282": "try_again_later",
    "915200": "declined", "915201": "declined",
})  # fmt: skip
