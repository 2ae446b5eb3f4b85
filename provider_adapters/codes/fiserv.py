"""Commerce Hub's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# `responseCode` of a transaction that was declined (Commerce Hub, gateway response codes).
RESPONSES: Mapping[str, str] = MappingProxyType({
    "003": "declined", "004": "declined", "005": "declined", "006": "declined", "007": "declined",
    "008": "insufficient_funds", "009": "duplicate", "010": "limit_exceeded",
    "011": "limit_exceeded", "012": "invalid_security_code", "013": "restricted_card",
    "014": "declined", "015": "declined", "016": "declined", "017": "restricted_card",
    "018": "suspected_fraud", "019": "suspected_fraud", "020": "suspected_fraud",
    "021": "restricted_card", "022": "restricted_card", "023": "restricted_card",
    "024": "restricted_card", "025": "invalid_number", "026": "invalid_number",
    "027": "card_not_supported", "028": "restricted_card", "029": "restricted_card",
    "030": "restricted_card", "031": "expired_card", "032": "expired_card",
    "033": "invalid_expiry", "038": "insufficient_funds", "039": "issuer_unavailable",
    "040": "restricted_card", "041": "restricted_card", "045": "restricted_card",
    "048": "authentication_required", "051": "invalid_number", "052": "restricted_card",
    "053": "restricted_card", "054": "restricted_card", "058": "restricted_card",
})  # fmt: skip

# `code` of an error: the request was not carried out (Commerce Hub, error response codes).
ERRORS: Mapping[str, str] = MappingProxyType({
    "103": "invalid_number", "104": "invalid_number", "105": "amount_not_allowed",
    "106": "amount_not_allowed", "115": "invalid_expiry", "137": "card_not_supported",
    "200": "account_refused", "201": "account_refused", "202": "account_refused",
    "203": "account_refused", "204": "account_refused", "205": "card_not_supported",
    "230": "moto_not_enabled", "233": "moto_not_enabled", "236": "account_refused",
    "237": "account_refused", "243": "amount_not_allowed", "247": "currency_not_supported",
    "331": "suspected_fraud", "332": "declined", "363": "authentication_required",
    "396": "moto_not_enabled", "402": "limit_exceeded", "405": "limit_exceeded",
    "406": "limit_exceeded", "407": "limit_exceeded", "408": "limit_exceeded",
    "423": "amount_not_allowed", "427": "card_not_supported", "628": "suspected_fraud",
    "816": "duplicate", "826": "duplicate",
})  # fmt: skip

# Errors after which a charge of our key may stand: it is under way, in the books, or was taken for
# another's double; or what Commerce Hub asked did not answer.
OPEN = frozenset({"136", "353", "613", "703", "718", "724", "728", "757", "759"})

# What an inquiry says of a key that it does not know.
ABSENT = frozenset({"758", "764", "801"})
