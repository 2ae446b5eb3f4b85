"""PayU's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# `cardResponseCode` of a transaction (developers.payu.com, card status codes): an S before the
# response code of ISO 8583.
CARD: Mapping[str, str] = MappingProxyType({
    "S01": "declined", "S04": "restricted_card", "S05": "declined", "S07": "restricted_card",
    "S12": "declined", "S13": "amount_not_allowed", "S14": "invalid_number",
    "S15": "card_not_supported", "S19": "try_again_later", "S30": "declined",
    "S33": "expired_card", "S34": "suspected_fraud", "S36": "restricted_card",
    "S41": "restricted_card", "S43": "restricted_card", "S51": "insufficient_funds",
    "S54": "expired_card", "S57": "restricted_card", "S58": "restricted_card",
    "S59": "suspected_fraud", "S61": "limit_exceeded", "S62": "restricted_card",
    "S65": "limit_exceeded", "S78": "restricted_card", "S82": "invalid_security_code",
    "S91": "issuer_unavailable", "S92": "issuer_unavailable", "S96": "try_again_later",
    "S1A": "authentication_required", "SN7": "invalid_security_code",
})  # fmt: skip

# `resultCode` of a transaction, where the card's own says nothing.
RESULTS: Mapping[str, str] = MappingProxyType({
    "AUT_ERROR_NO_AUTHORIZATION": "declined",
    "AUT_ERROR_ANTIFRAUD_DECLINED": "suspected_fraud",
    "REG_ERROR_ANTIFRAUD_DECLINED": "suspected_fraud",
    "REG_ERROR_AUTHENTICATION_REJECTED": "authentication_required",
})  # fmt: skip

# Errors of a request that was not carried out: of the token, and `statusCode`.
ERRORS: Mapping[str, str] = MappingProxyType({
    "invalid_client": "key_refused", "unauthorized_client": "key_refused",
    "invalid_grant": "key_refused", "UNAUTHORIZED": "key_refused",
    "UNAUTHORIZED_REQUEST": "key_refused", "access_denied": "account_refused",
})  # fmt: skip

# `statusCode` of a fault on PayU's side: the order may stand.
OPEN = frozenset({
    "BUSINESS_ERROR", "ERROR_INTERNAL", "GENERAL_ERROR", "SERVICE_NOT_AVAILABLE", "TIMEOUT",
})  # fmt: skip
