"""Square's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Codes of an error (the description's ErrorCode).
ERRORS: Mapping[str, str] = MappingProxyType({
    "ACCESS_TOKEN_EXPIRED": "key_refused", "ACCESS_TOKEN_REVOKED": "key_refused",
    "AMOUNT_TOO_HIGH": "amount_not_allowed", "APPLICATION_DISABLED": "account_refused",
    "CARD_PROCESSING_NOT_ENABLED": "account_refused", "CLIENT_DISABLED": "account_refused",
    "CURRENCY_MISMATCH": "currency_not_supported", "FORBIDDEN": "key_refused",
    "IDEMPOTENCY_KEY_REUSED": "duplicate", "INSUFFICIENT_PERMISSIONS": "key_refused",
    "INSUFFICIENT_PERMISSIONS_FOR_REFUND": "account_refused", "INSUFFICIENT_SCOPES": "key_refused",
    "INVALID_LOCATION": "account_refused", "LOCATION_MISMATCH": "account_refused",
    "PAYMENT_LIMIT_EXCEEDED": "amount_not_allowed", "RATE_LIMITED": "try_again_later",
    "REFUND_ALREADY_PENDING": "duplicate", "REFUND_AMOUNT_INVALID": "amount_not_allowed",
    "REFUND_DECLINED": "declined", "UNAUTHORIZED": "key_refused",
    "UNSUPPORTED_CURRENCY": "currency_not_supported",
})  # fmt: skip
