"""Checkout.com's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Response codes of a payment (checkout.com/docs, API response codes): 20xxx may succeed another
# time, 30xxx will not with this card, 40xxx was stopped by a risk rule.
RESPONSES: Mapping[str, str] = MappingProxyType({
    "20003": "account_refused", "20004": "restricted_card", "20006": "request_refused",
    "20009": "try_again_later", "20012": "request_refused", "20013": "amount_not_allowed",
    "20014": "invalid_number", "20017": "cancelled", "20019": "try_again_later",
    "20030": "request_refused", "20031": "card_not_supported", "20038": "limit_exceeded",
    "20039": "restricted_card", "20040": "card_not_supported", "20042": "amount_not_allowed",
    "20044": "restricted_card", "20051": "insufficient_funds", "20052": "restricted_card",
    "20053": "restricted_card", "20054": "expired_card", "20056": "invalid_number",
    "20057": "restricted_card", "20058": "restricted_card", "20059": "suspected_fraud",
    "20061": "limit_exceeded", "20062": "restricted_card", "20063": "suspected_fraud",
    "20064": "suspected_fraud", "20065": "limit_exceeded", "20067": "restricted_card",
    "20068": "issuer_unavailable", "20072": "restricted_card", "20075": "limit_exceeded",
    "20078": "restricted_card", "20081": "card_not_supported", "20082": "invalid_security_code",
    "20087": "invalid_security_code", "20091": "issuer_unavailable", "20092": "issuer_unavailable",
    "20093": "restricted_card", "20094": "duplicate", "20096": "issuer_unavailable",
    "20100": "invalid_expiry", "20101": "invalid_number", "20102": "account_refused",
    "20103": "card_not_supported", "20104": "request_refused", "20105": "suspected_fraud",
    "20106": "currency_not_supported", "20114": "request_refused", "20120": "account_refused",
    "20121": "limit_exceeded", "20123": "request_refused", "20124": "invalid_security_code",
    "20150": "authentication_required", "20151": "authentication_required",
    "20152": "authentication_required", "20153": "authentication_required",
    "20154": "authentication_required", "20155": "authentication_required",
    "20156": "card_not_supported", "20157": "account_refused", "20159": "authentication_required",
    "30015": "invalid_number", "30033": "expired_card", "30034": "suspected_fraud",
})  # fmt: skip
# What the first digit of the others says.
GROUPS: Mapping[str, str] = MappingProxyType({"3": "restricted_card", "4": "suspected_fraud"})
# Error codes of a request that was not carried out (`error_codes`).
ERRORS: Mapping[str, str] = MappingProxyType({
    "amount_exceeds_balance": "amount_not_allowed", "amount_invalid": "amount_not_allowed",
    "amount_limit_exceeded": "amount_not_allowed", "amount_required": "amount_not_allowed",
    "business_invalid": "account_refused", "business_settings_missing": "account_refused",
    "card_expired": "expired_card", "card_expiry_month_invalid": "invalid_expiry",
    "card_expiry_month_required": "invalid_expiry", "card_expiry_year_invalid": "invalid_expiry",
    "card_expiry_year_required": "invalid_expiry", "card_number_invalid": "invalid_number",
    "card_number_required": "invalid_number", "card_not_supported": "card_not_supported",
    "currency_invalid": "currency_not_supported", "currency_not_supported": "currency_not_supported",
    "currency_required": "currency_not_supported", "cvv_invalid": "invalid_security_code",
    "cvv_required": "invalid_security_code", "payment_method_not_supported": "card_not_supported",
    "payment_type_invalid": "moto_not_enabled", "processing_channel_id_invalid": "account_refused",
    "processing_channel_id_required": "account_refused",
    "refund_amount_exceeds_balance": "amount_not_allowed",
    "capture_value_greater_than_remaining_authorized": "amount_not_allowed",
    "unauthorized": "key_refused",
})  # fmt: skip
