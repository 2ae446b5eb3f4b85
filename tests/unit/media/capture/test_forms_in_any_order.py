"""Forms whose fields stand in another order than a card's: the last may have a check digit, or be
the only one."""

from __future__ import annotations

import pytest

from media.capture.check import COMPLETE, INCOMPLETE, Check
from media.capture.form import FieldRules, Form, Keyed
from media.events import CaptureState, Field, FieldReason
from tests.forms import RULES, form
from tests.keying import Customer

MASTERCARD = "5555555555554444"  # a brand of one length
VISA = "4111111111111111"  # 16, where the brand has 19, too
VISA_19_DOUBTFUL = "4111111111111111003"  # its first 16 are a card number, too
EXPIRY = "1139"
CODE = "993"


NUMBER_ONLY = form(Field.CARD_NUMBER)
NUMBER_LAST = form(Field.EXPIRY, Field.CARD_NUMBER)
NUMBER_AND_CODE = form(Field.CARD_NUMBER, Field.SECURITY_CODE)
CODE_ONLY = form(Field.SECURITY_CODE)


def progress(customer: Customer, field: Field) -> tuple[int, int, FieldReason | None]:
    found = next(each for each in customer.capture.changed().fields if each.field == field)
    return found.rejected, found.ignored, found.reason


@pytest.mark.parametrize("end", ["#", "(2 s)", "(7 s)"])
@pytest.mark.parametrize(
    ("fields", "keys", "held"),
    [
        (NUMBER_ONLY, MASTERCARD, (MASTERCARD,)),
        (NUMBER_LAST, EXPIRY + MASTERCARD, (EXPIRY, MASTERCARD)),
        (NUMBER_LAST, f"{EXPIRY} (2 s) {MASTERCARD}", (EXPIRY, MASTERCARD)),
        (NUMBER_AND_CODE, f"{MASTERCARD} (2 s) {CODE}", (MASTERCARD, CODE)),
        (NUMBER_AND_CODE, VISA + CODE, (VISA, CODE)),
        (CODE_ONLY, CODE, (CODE,)),
    ],
)
def test_a_form_is_ready_when_its_fields_are_keyed(
    fields: Form, keys: str, held: tuple[str, ...], end: str
) -> None:
    customer = Customer(form=fields).keys(f"{keys} {end}").wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == held
    assert not customer.warned


@pytest.mark.parametrize("keys", [VISA, "4111 (2 s) 1111 (2 s) 1111 (2 s) 1111"])
def test_the_usual_length_of_a_last_field_ends_the_form_after_the_long_pause(keys: str) -> None:
    customer = Customer(form=NUMBER_ONLY).keys(keys).wait(5.0)
    assert customer.capture.state is CaptureState.COLLECTING
    assert customer.wait(2.0).capture.state is CaptureState.READY
    assert customer.held == (VISA,)


def test_a_number_of_the_usual_length_that_follows_at_once_counts() -> None:
    customer = Customer(form=NUMBER_LAST).keys(EXPIRY + VISA).wait(7.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (EXPIRY, VISA)
    assert not customer.warned


@pytest.mark.parametrize("fields", [NUMBER_ONLY, NUMBER_LAST], ids=["only", "last"])
def test_a_key_behind_a_last_field_that_its_check_digit_proves_is_ignored(fields: Form) -> None:
    before = "" if fields is NUMBER_ONLY else f"{EXPIRY} (2 s) "
    customer = Customer(form=fields).keys(f"{before}{MASTERCARD}4")
    assert customer.capture.state is CaptureState.READY
    assert customer.held[-1] == MASTERCARD
    assert progress(customer, Field.CARD_NUMBER) == (0, 1, FieldReason.KEYS_IGNORED)


def test_a_key_behind_a_last_number_that_could_have_ended_before_refuses_it() -> None:
    customer = Customer(form=NUMBER_ONLY).keys(f"{VISA_19_DOUBTFUL}1")
    assert customer.capture.state is CaptureState.COLLECTING
    assert progress(customer, Field.CARD_NUMBER) == (1, 1, FieldReason.TOO_MANY_KEYS)


def test_a_key_too_many_is_refused_with_the_unproven_field_that_it_may_be_in() -> None:
    customer = Customer(form=NUMBER_LAST).keys(f"{EXPIRY}{MASTERCARD}4")
    assert customer.held == ("", "")
    assert progress(customer, Field.EXPIRY) == (1, 1, FieldReason.TOO_MANY_KEYS)


@pytest.mark.parametrize("keys", [MASTERCARD, f"{MASTERCARD} (0.5 s)"])
def test_the_star_key_clears_a_last_field_that_ended_by_itself(keys: str) -> None:
    customer = Customer(form=NUMBER_ONLY).keys(f"{keys} *")
    assert customer.held == ("",)
    assert customer.capture.state is CaptureState.COLLECTING
    customer.keys(f"(2 s) {MASTERCARD}").wait(2.0)
    assert customer.capture.state is CaptureState.READY


def test_digits_behind_the_last_field_are_no_next_one() -> None:
    customer = Customer(form=NUMBER_ONLY).keys(f"{VISA}111")
    assert progress(customer, Field.CARD_NUMBER) == (1, 0, FieldReason.CARD_NUMBER_CHECK_DIGIT)


def test_digits_behind_a_number_are_judged_as_the_field_that_they_fill() -> None:
    customer = Customer(form=NUMBER_AND_CODE).keys(f"{VISA}9934")
    assert customer.held == ("", "")
    assert progress(customer, Field.CARD_NUMBER) == (1, 1, FieldReason.TOO_MANY_KEYS)


def test_digits_behind_a_number_that_the_next_field_has_no_place_for_refuse_it() -> None:
    def two_digits(keyed: Keyed) -> Check:
        return COMPLETE if len(keyed.digits[Field.SECURITY_CODE]) == 2 else INCOMPLETE

    short = FieldRules(Field.SECURITY_CODE, max_length=2, check=two_digits)
    customer = Customer(form=Form("other", (RULES[Field.CARD_NUMBER], short))).keys(f"{VISA}993")
    assert progress(customer, Field.CARD_NUMBER) == (1, 0, FieldReason.CARD_NUMBER_CHECK_DIGIT)
