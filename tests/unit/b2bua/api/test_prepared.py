"""Bodies and names of requests for prepared payments, and for calls by what is known of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from b2bua.api.bodies import SavedChargeBody
from b2bua.api.call_routes import loggable
from b2bua.api.prepared_bodies import AnyPaymentBody, PreparedBody

ORDER = {"transaction_id": "INV-1", "amount": 100, "currency": "EUR"}
BODY: TypeAdapter[Any] = TypeAdapter(AnyPaymentBody)


def test_a_body_with_find_by_prepares_and_any_other_charges_a_saved_card() -> None:
    prepared = BODY.validate_python(ORDER | {"find_by": {"caller": "+4930123456"}})
    assert isinstance(prepared, PreparedBody)
    assert (prepared.start, prepared.expires_in) == ("press", 3600.0)
    assert isinstance(BODY.validate_python(ORDER | {"token": "tok_1"}), SavedChargeBody)


# With correct check digits, as every tenth number has one.
@pytest.mark.parametrize(
    "number", ["+49 151 23456785", "004915123456782", "+378282246310005", "0151 23456786"]
)
def test_a_telephone_number_is_no_card_number(number: str) -> None:
    body = BODY.validate_python(ORDER | {"find_by": {"caller": number}})
    assert body.find_by.caller == number


@pytest.mark.parametrize(
    "find_by",
    [
        {},
        {"caller": "4111111111111111"},
        {"caller": "4111 1111 1111 1111"},
        {"reference": "4111111111111111"},
        {"call_id": "4111111111111111"},
        {"extension": "+4111111111111111"},
        {"caller": "+"},
        {"caller": "x" * 65},
        {"code": "12"},
        {"code": "4111111111111111"},
        {"code": "12a4"},
        {"nothing": "x"},
    ],
)
def test_what_finds_no_call_or_may_be_a_card_is_refused(find_by: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        BODY.validate_python(ORDER | {"find_by": find_by})


def test_a_log_has_our_own_ids_alone() -> None:
    assert loggable("5f0c12ab34cd56ef") == "5f0c12ab34cd56ef"
    for name in ("caller:+4930123456", "abc@192.0.2.1", "4111111111111111", "x" * 40, "A b"):
        assert loggable(name) == "by another name"
