"""One field asked for alone, again or before its turn: the others stay, and what it had counts
until it is complete."""

from __future__ import annotations

import pytest

from media.capture.form_rules import make_form
from media.capture.transitions import IllegalEvent
from media.events import CaptureForm, CaptureState, Field, FieldProgress, FieldReason, card_fields
from tests.keying import Customer

VISA, AMEX = "4111111111111111", "378282246310005"
EXPIRY, CODE = "1139", "993"
CARD = f"{VISA}# {EXPIRY}# {CODE}#"
NUMBER_, EXPIRY_, CODE_ = Field


def keyed(script: str = CARD) -> Customer:
    return Customer().keys(script).wait(2.0)


def ask(customer: Customer, field: Field | None) -> Customer:
    customer.changes += customer.capture.ask(field, customer.now)
    return customer.wait(2.0)


def of(customer: Customer, field: Field) -> FieldProgress:
    return next(each for each in customer.capture.changed().fields if each.field == field)


@pytest.mark.parametrize(
    ("field", "again", "held"),
    [
        (NUMBER_, "5555555555554444", ("5555555555554444", EXPIRY, CODE)),
        (EXPIRY_, "0130", (VISA, "0130", CODE)),
        (CODE_, "123", (VISA, EXPIRY, "123")),
    ],
)
@pytest.mark.parametrize("end", ["#", "(2 s)", "(7 s)"])
def test_a_field_is_keyed_again_and_the_others_stay(
    field: Field, again: str, held: tuple[str, ...], end: str
) -> None:
    customer = ask(keyed(), field)
    assert customer.capture.state is CaptureState.COLLECTING
    assert customer.capture.changed().field == field
    assert (of(customer, field).kept, of(customer, field).count) == (True, 0)
    customer.keys(f"{again} {end}").wait(7.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == held
    assert not of(customer, field).kept


@pytest.mark.parametrize("field", list(Field))
@pytest.mark.parametrize("begun", ["", "0", "12", "*", "1 (2 s) * (2 s) *"])
def test_what_it_had_counts_again_where_the_agent_gives_up(field: Field, begun: str) -> None:
    customer = ask(keyed(), field).keys(begun).wait(0.5)
    ask(customer, None)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (VISA, EXPIRY, CODE)
    assert customer.capture.changed().last_four == VISA[-4:]


def test_what_it_had_counts_until_the_new_one_passes_its_check() -> None:
    customer = ask(keyed(), EXPIRY_).keys("1320").wait(4.0)
    assert (of(customer, EXPIRY_).reason, of(customer, EXPIRY_).kept) == (FieldReason.EXPIRY_MONTH, True)
    assert ask(customer, None).held == (VISA, EXPIRY, CODE)


def test_another_field_asked_for_leaves_the_first_as_it_was() -> None:
    customer = ask(keyed(), EXPIRY_).keys("01").wait(0.2)
    ask(customer, CODE_).keys("123").wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (VISA, EXPIRY, "123")


def test_a_field_is_keyed_before_its_turn_and_the_form_goes_on_in_order() -> None:
    customer = ask(Customer(), CODE_).keys(CODE).wait(2.0)
    assert customer.capture.changed().field is NUMBER_
    customer.keys(VISA).wait(7.0)
    assert customer.capture.changed().field is EXPIRY_
    customer.keys(EXPIRY).wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (VISA, EXPIRY, CODE)


def test_between_two_complete_fields_a_slip_costs_none_of_them() -> None:
    customer = ask(Customer(), EXPIRY_).keys(EXPIRY).wait(2.0)
    customer.keys("4111111111111112").wait(7.0).keys(f"{VISA} {CODE}").wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (VISA, EXPIRY, CODE)


def test_what_was_keyed_of_a_field_is_wiped_where_another_is_asked_for() -> None:
    customer = ask(Customer().keys("4111111"), EXPIRY_)
    assert customer.held == ("", "", "")
    customer.keys(EXPIRY).wait(2.0)
    assert customer.capture.changed().field is NUMBER_


def test_a_last_field_that_has_all_its_digits_is_complete_where_another_is_asked_for() -> None:
    customer = Customer().keys(f"{VISA}# {EXPIRY}# {CODE}")
    ask(customer, EXPIRY_)
    assert of(customer, CODE_).complete


def test_a_security_code_of_another_brand_is_refused() -> None:
    customer = ask(keyed(), NUMBER_).keys(f"{AMEX}#").wait(2.0)
    assert customer.capture.state is CaptureState.COLLECTING
    assert customer.capture.changed().field is CODE_
    assert of(customer, CODE_).reason is FieldReason.SECURITY_CODE_LENGTH
    assert CaptureState.READY not in [change.state for change in customer.changes[-3:]]
    customer.keys("1234").wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (AMEX, EXPIRY, "1234")


@pytest.mark.parametrize("again", ["", "3", "34", "4111", AMEX])
def test_a_code_of_four_digits_stays_while_its_number_is_asked_for_again(again: str) -> None:
    customer = ask(keyed(f"{AMEX}# {EXPIRY}# 1234#"), NUMBER_).keys(again).wait(0.3)
    assert customer.held[1:] == (EXPIRY, "1234")
    if again != AMEX:
        ask(customer, None)
    customer.wait(2.0)
    assert customer.capture.state is CaptureState.READY
    assert customer.held == (AMEX, EXPIRY, "1234")
    assert not customer.warned


def test_a_code_keyed_first_is_refused_by_the_brand_that_comes() -> None:
    customer = ask(Customer(), CODE_).keys(CODE).wait(2.0).keys(f"{AMEX}#").wait(2.0)
    assert of(customer, CODE_).reason is FieldReason.SECURITY_CODE_LENGTH
    assert customer.held == (AMEX, "", "")


@pytest.mark.parametrize("behind", ["1", "113", "1139", "11399", "11#", "11*", "1139 (7 s)"])
def test_keys_behind_what_contradicts_an_earlier_field_are_not_of_that_field(behind: str) -> None:
    number, expiry, code = card_fields()
    form = make_form(CaptureForm(fields=(code, number, expiry)))
    customer = Customer(form=form).keys(f"{CODE} (2 s) {AMEX}{behind}").wait(7.0)
    refused = of(customer, CODE_)
    assert (customer.capture.changed().field, refused.count) == (CODE_, 0)
    assert refused.reason is FieldReason.SECURITY_CODE_LENGTH
    customer.keys(f"9931 (2 s) {EXPIRY} (2 s)")
    assert customer.capture.state is CaptureState.READY
    assert customer.held == ("9931", AMEX, EXPIRY)


def test_keys_in_the_air_are_not_of_the_field_that_is_asked_for() -> None:
    customer = keyed(f"{VISA}#")
    customer.keys("11")
    customer.changes += customer.capture.ask(CODE_, customer.now)
    customer.keys("39").wait(2.0)
    assert customer.held == (VISA, "", "")
    customer.keys(CODE).wait(2.0)
    assert customer.held == (VISA, "", CODE)


def test_a_star_clears_the_new_digits_and_no_others() -> None:
    customer = ask(keyed(), EXPIRY_).keys("01 *").wait(2.0)
    assert (of(customer, EXPIRY_).count, of(customer, EXPIRY_).kept) == (0, True)
    customer.keys("* (2 s) *").wait(2.0)
    assert of(customer, NUMBER_).complete
    customer.keys("0130").wait(2.0)
    assert customer.held == (VISA, "0130", CODE)


def test_a_star_after_it_clears_what_was_keyed_again() -> None:
    customer = ask(keyed(), EXPIRY_).keys("0130 (2 s) *").wait(2.0)
    assert customer.held == (VISA, "", CODE)
    assert customer.keys("0230").wait(2.0).held == (VISA, "0230", CODE)


@pytest.mark.parametrize("first", [None, *Field])
@pytest.mark.parametrize("asked", list(Field))
def test_a_reset_leaves_nothing_aside_of_what_it_wipes(asked: Field, first: Field | None) -> None:
    customer = ask(keyed(), asked).keys("1")
    customer.changes += customer.capture.reset(first, customer.now)
    wiped = list(Field)[0 if first is None else list(Field).index(first) :]
    expected = [
        "" if field in wiped else digits for field, digits in zip(Field, (VISA, EXPIRY, CODE), strict=True)
    ]
    assert customer.held == tuple(expected)
    assert not any(each.kept for each in customer.capture.changed().fields)
    customer.wait(2.0).keys("".join((VISA + "#", EXPIRY, CODE)[list(Field).index(wiped[0]) :])).wait(2.0)
    assert customer.held == (VISA, EXPIRY, CODE)


def test_nothing_is_submitted_while_a_field_is_asked_for_again() -> None:
    customer = ask(keyed(), EXPIRY_)
    with pytest.raises(IllegalEvent):
        customer.capture.submit(customer.now)


def test_every_way_out_wipes_what_is_aside() -> None:
    customer = ask(keyed(), NUMBER_)
    customer.capture.cancel(customer.now)
    assert not any(memoryview(customer.memory))
    with pytest.raises(IllegalEvent):
        customer.capture.ask(NUMBER_, customer.now)
