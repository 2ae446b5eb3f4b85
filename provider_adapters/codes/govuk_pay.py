"""GOV.UK Pay's codes as our reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Error codes of a request (docs.payments.service.gov.uk, API error codes).
ERRORS: Mapping[str, str] = MappingProxyType({
    "P0101": "request_refused", "P0102": "request_refused", "P0104": "request_refused",
    "P0191": "duplicate", "P0195": "raw_card_not_enabled", "P0196": "moto_not_enabled",
    "P0197": "request_refused", "P0199": "account_refused", "P0600": "request_refused",
    "P0602": "amount_not_allowed", "P0603": "request_refused", "P0604": "try_again_later",
    "P0900": "try_again_later", "P0920": "request_refused", "P0930": "account_refused",
    "P0940": "account_refused", "P0941": "account_refused", "P0999": "try_again_later",
})  # fmt: skip
# Where a value was not valid (P0102), by the name of its field in the answer.
FIELDS: Mapping[str, str] = MappingProxyType({
    "amount": "amount_not_allowed", "card_number": "invalid_number", "cvc": "invalid_security_code",
    "expiry_date": "invalid_expiry",
})  # fmt: skip
# Why a payment is over without money (same page, errors caused by payment statuses). P0050 is an
# error of the provider behind GOV.UK Pay: "failed safely".
ENDED: Mapping[str, str] = MappingProxyType({
    "P0020": "cancelled", "P0030": "cancelled", "P0040": "cancelled", "P0050": "try_again_later",
})  # fmt: skip
