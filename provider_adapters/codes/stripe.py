"""Stripe's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Decline codes, and error codes of `card_error` where there is none (docs.stripe.com, decline codes
# and error codes). A lost, stolen or blocked card is a plain decline, as Stripe asks for.
DECLINES: Mapping[str, str] = MappingProxyType({
    "account_closed": "restricted_card", "amount_too_large": "amount_not_allowed",
    "amount_too_small": "amount_not_allowed", "authentication_not_handled": "authentication_required",
    "authentication_required": "authentication_required",
    "card_decline_rate_limit_exceeded": "limit_exceeded", "card_not_supported": "card_not_supported",
    "card_velocity_exceeded": "limit_exceeded", "currency_not_supported": "card_not_supported",
    "duplicate_transaction": "duplicate", "expired_card": "expired_card",
    "fraudulent": "suspected_fraud", "highest_risk_level": "suspected_fraud",
    "incorrect_cvc": "invalid_security_code", "incorrect_number": "invalid_number",
    "insufficient_funds": "insufficient_funds", "invalid_account": "restricted_card",
    "invalid_amount": "amount_not_allowed", "invalid_cvc": "invalid_security_code",
    "invalid_expiry_month": "invalid_expiry", "invalid_expiry_year": "invalid_expiry",
    "invalid_number": "invalid_number", "issuer_not_available": "issuer_unavailable",
    "live_mode_test_card": "invalid_number", "merchant_blacklist": "suspected_fraud",
    "mobile_device_authentication_required": "authentication_required",
    "not_permitted": "restricted_card",
    "payment_intent_action_required": "authentication_required",
    "payment_intent_authentication_failure": "authentication_required",
    "processing_error": "try_again_later", "reenter_transaction": "try_again_later",
    "restricted_card": "restricted_card", "service_not_allowed": "restricted_card",
    "setup_intent_authentication_failure": "authentication_required",
    "transaction_not_allowed": "restricted_card", "try_again_later": "try_again_later",
    "withdrawal_count_limit_exceeded": "limit_exceeded",
})  # fmt: skip
# Error codes of a request that was not carried out (docs.stripe.com, error codes).
ERRORS: Mapping[str, str] = MappingProxyType({
    "account_invalid": "account_refused", "amount_too_large": "amount_not_allowed",
    "amount_too_small": "amount_not_allowed", "api_key_expired": "key_refused",
    "capability_not_active": "account_refused", "charge_exceeds_transaction_limit": "amount_not_allowed",
    "country_unsupported": "account_refused", "invalid_charge_amount": "amount_not_allowed",
    "livemode_mismatch": "key_refused", "payment_intent_rate_limit_exceeded": "try_again_later",
    "payment_method_currency_mismatch": "currency_not_supported",
    "platform_account_required": "account_refused", "platform_api_key_expired": "key_refused",
    "rate_limit": "try_again_later", "secret_key_required": "key_refused",
    "storer_capability_not_active": "account_refused", "testmode_charges_only": "account_refused",
})  # fmt: skip
