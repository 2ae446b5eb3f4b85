"""Worldpay's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Refusal codes (developer.worldpay.com, refusal response codes). The rest is `declined`.
REFUSALS: Mapping[str, str] = MappingProxyType({
    "3": "account_refused", "4": "restricted_card", "6": "declined", "7": "restricted_card",
    "12": "request_refused", "13": "amount_not_allowed", "14": "invalid_number",
    "15": "invalid_number", "17": "cancelled", "19": "try_again_later", "20": "issuer_unavailable",
    "26": "duplicate", "30": "request_refused", "31": "account_refused", "33": "expired_card",
    "34": "suspected_fraud", "36": "restricted_card", "38": "restricted_card",
    "40": "card_not_supported", "41": "restricted_card", "43": "restricted_card",
    "46": "restricted_card", "51": "insufficient_funds", "54": "expired_card",
    "55": "invalid_security_code", "56": "invalid_number", "57": "restricted_card",
    "58": "restricted_card", "59": "suspected_fraud", "61": "limit_exceeded",
    "62": "restricted_card", "63": "suspected_fraud", "64": "amount_not_allowed",
    "65": "authentication_required", "68": "issuer_unavailable", "75": "invalid_security_code",
    "76": "restricted_card", "80": "try_again_later", "82": "invalid_security_code",
    "91": "issuer_unavailable", "92": "card_not_supported", "94": "duplicate",
    "97": "suspected_fraud", "131": "amount_not_allowed", "972": "restricted_card",
    "973": "restricted_card", "975": "restricted_card",
})  # fmt: skip
# Names of errors, of answers (`errorName`) and of events (`error.name`).
ERRORS: Mapping[str, str] = MappingProxyType({
    "accessDenied": "key_refused", "invalidCredentials": "key_refused",
    "bodyDoesNotMatchSchema": "request_refused", "cardNumberIsNotRecognized": "invalid_number",
    "panFailedLuhnCheck": "invalid_number", "channelIsNotSupported": "moto_not_enabled",
    "currencyIsNotSupported": "currency_not_supported", "entityIsNotConfigured": "account_refused",
    "fieldHasInvalidValue": "request_refused", "fieldIsEmpty": "request_refused",
    "paymentInstrumentIsNotSupported": "card_not_supported",
    "underlyingPaymentInstrumentHasExpired": "expired_card",
})  # fmt: skip
# What a value that was not valid is for, by the end of its path in the body.
FIELDS: Mapping[str, str] = MappingProxyType({
    "cardNumber": "invalid_number", "month": "invalid_expiry", "year": "invalid_expiry",
    "expiryDate": "invalid_expiry", "cvc": "invalid_security_code", "amount": "amount_not_allowed",
    "currency": "currency_not_supported", "entity": "account_refused", "channel": "moto_not_enabled",
})  # fmt: skip
# Of an order that came twice: the first may have been approved.
DUPLICATES = frozenset({"transactionReferenceIsADuplicate", "transactionHasAlreadyBeenProcessed"})
