"""The card form as a company wants it: brands, a security code that is not needed, keys, tries."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from media.capture.brands import find_brand
from media.capture.form_rules import make_form
from media.capture.messages import Limits
from media.capture.transitions import IllegalEvent
from media.events import BRANDS, CaptureForm, CaptureState, Field, FieldProgress, FieldReason, card_fields
from provider_adapters.payment import Approved, Charge, Outcome
from tests.keying import Customer

VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "5555555555554444"
EXPIRY, CODE = "1139", "993"
CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=1, currency="EUR")


class Pipe:
    """Keeps what it is handed."""

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        del charge
        self.handed = {name: bytes(view).decode() for name, view in digits.items()}
        return self._answer()

    async def _answer(self) -> Outcome:
        return Approved(reference="r")


def customer(wanted: CaptureForm, **limits: float) -> Customer:
    return Customer(form=make_form(wanted), limits=Limits(tries=wanted.tries, **limits))


def of(keying: Customer, field: Field) -> FieldProgress:
    return next(each for each in keying.capture.changed().fields if each.field == field)


def handed(keying: Customer) -> dict[str, str]:
    pipe = Pipe()
    keying.capture.submit(keying.now)
    asyncio.run(keying.capture.spend(pipe, CHARGE))
    return pipe.handed


def test_every_brand_has_the_name_that_sip_conf_uses() -> None:
    numbers = ("4", "51", "34", "6011", "3528", "36", "62", "50")
    found = [find_brand(number.encode()) for number in numbers]
    assert tuple(each.name if each else "" for each in found) == BRANDS


def test_a_brand_that_is_not_taken_is_refused_at_its_fourth_digit() -> None:
    keying = customer(CaptureForm(brands=("visa", "mastercard"))).keys("378")
    assert of(keying, Field.CARD_NUMBER).count == 3
    keying.keys("2")
    refused = of(keying, Field.CARD_NUMBER)
    assert (refused.count, refused.rejected, refused.reason) == (0, 1, FieldReason.CARD_BRAND)
    keying.keys("82246310005").wait(4.0).keys(f"{VISA}#").wait(1.0)
    assert of(keying, Field.CARD_NUMBER).complete


@pytest.mark.parametrize("number", [VISA, MASTERCARD])
def test_the_others_are_taken(number: str) -> None:
    keying = customer(CaptureForm(brands=("visa", "mastercard"))).keys(f"{number}#{EXPIRY}#{CODE}#")
    assert keying.capture.state is CaptureState.READY
    assert not keying.warned


def test_a_number_of_no_known_brand_is_none_that_is_taken() -> None:
    keying = customer(CaptureForm(brands=("visa",))).keys("9999")
    assert of(keying, Field.CARD_NUMBER).reason is FieldReason.CARD_BRAND


def test_a_form_without_a_security_code_hands_over_an_empty_one() -> None:
    keying = customer(CaptureForm(fields=card_fields("never"))).keys(f"{VISA}#{EXPIRY}").wait(2.0)
    assert [each.field for each in keying.capture.changed().fields] == [Field.CARD_NUMBER, Field.EXPIRY]
    assert keying.capture.state is CaptureState.READY
    assert handed(keying) == {"card_number": VISA, "expiry": EXPIRY, "security_code": ""}


@pytest.mark.parametrize("begun", ["", "9", "99", CODE])
def test_an_optional_security_code_is_skipped_and_what_it_had_wiped(begun: str) -> None:
    keying = customer(CaptureForm(fields=card_fields("optional"))).keys(f"{VISA}#{EXPIRY}#{begun}")
    keying.changes += keying.capture.skip(Field.SECURITY_CODE, keying.now)
    assert keying.capture.state is CaptureState.READY
    skipped = of(keying, Field.SECURITY_CODE)
    assert (skipped.skipped, skipped.complete, skipped.count) == (True, True, 0)
    assert handed(keying) == {"card_number": VISA, "expiry": EXPIRY, "security_code": ""}


def test_it_is_skipped_before_anything_is_keyed_and_asked_for_after_all() -> None:
    keying = customer(CaptureForm(fields=card_fields("optional")))
    keying.capture.skip(Field.SECURITY_CODE, keying.now)
    assert keying.capture.changed().field == Field.CARD_NUMBER
    keying.wait(2.0).keys(f"{VISA}#{EXPIRY}").wait(2.0)
    assert keying.capture.state is CaptureState.READY
    keying.capture.ask(Field.SECURITY_CODE, keying.now)
    asked = of(keying, Field.SECURITY_CODE)
    assert (asked.skipped, asked.kept, asked.complete) == (False, False, False)
    keying.wait(2.0).keys(CODE).wait(2.0)
    assert handed(keying)["security_code"] == CODE


def test_a_kept_security_code_is_skipped_with_what_it_had() -> None:
    keying = customer(CaptureForm(fields=card_fields("optional"))).keys(f"{VISA}#{EXPIRY}#{CODE}").wait(2.0)
    keying.capture.ask(Field.SECURITY_CODE, keying.now)
    keying.wait(2.0).keys("1")
    keying.capture.skip(Field.SECURITY_CODE, keying.now)
    assert handed(keying)["security_code"] == ""


@pytest.mark.parametrize("wanted", [CaptureForm(), CaptureForm(fields=card_fields("never"))])
def test_what_is_needed_or_not_there_cannot_be_skipped(wanted: CaptureForm) -> None:
    keying = customer(wanted)
    for field in Field:
        with pytest.raises(IllegalEvent, match="cannot be skipped"):
            keying.capture.skip(field, keying.now)
    if len(wanted.fields) == 2:
        for ask in (keying.capture.ask, keying.capture.reset):
            with pytest.raises(IllegalEvent, match="has no security code"):
                ask(Field.SECURITY_CODE, keying.now)


def test_the_keys_that_end_and_clear_a_field_change_places() -> None:
    keying = customer(CaptureForm(end_key="*", clear_key="#")).keys("41#").wait(0.5)
    assert of(keying, Field.CARD_NUMBER).count == 0
    keying.wait(2.0).keys(f"{VISA}*{EXPIRY}*{CODE}*")
    assert keying.capture.state is CaptureState.READY


def test_without_these_keys_pauses_end_a_field_and_nothing_clears_one() -> None:
    keying = customer(CaptureForm(end_key="", clear_key="")).keys(f"{VISA}#*").wait(7.0)
    assert of(keying, Field.CARD_NUMBER).complete
    keying.keys(f"{EXPIRY}*").wait(2.0).keys(CODE).wait(2.0)
    assert keying.capture.state is CaptureState.READY


def test_so_many_refusals_of_one_field_end_the_capture() -> None:
    keying = customer(CaptureForm(tries=3)).keys(f"{VISA}#")
    for left in (2, 1, 0):
        assert keying.capture.state is CaptureState.COLLECTING
        keying.keys("1300").wait(4.0)
        assert (keying.capture.state is CaptureState.ABORTED) == (left == 0)
    assert keying.capture.changed().reason == "a field was refused too often"
    assert not any(memoryview(keying.memory))


def test_refusals_of_two_fields_do_not_add_up() -> None:
    keying = customer(CaptureForm(tries=2)).keys("4111111111111112#").wait(4.0).keys(f"{VISA}#1300").wait(4.0)
    assert keying.keys(f"{EXPIRY}#{CODE}#").capture.state is CaptureState.READY
