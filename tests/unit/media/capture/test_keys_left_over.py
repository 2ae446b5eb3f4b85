"""Keys left over from one field never count for the next, as stories of customers who slip, bounce
and key on."""

from __future__ import annotations

import pytest

from b2bua.config.page_messages import shipped_messages
from media.capture.messages import Limits
from media.events import FIELD_REASONS, CaptureState, Field, FieldReason
from tests.keying import Customer

NUMBER = "5555555555554444"  # a brand of one length
VISA = "4111111111111111"  # 16, where the brand has 19, too
VISA_19 = "4000000000000000006"  # its first 16 do not fit
VISA_19_DOUBTFUL = "4111111111111111003"  # its first 16 are a card number, too
READY = CaptureState.READY


def progress(customer: Customer, field: Field) -> tuple[int, int, FieldReason | None]:
    found = next(each for each in customer.capture.changed().fields if each.field == field)
    return found.rejected, found.ignored, found.reason


@pytest.mark.parametrize("cadence", [0.2, 0.5, 0.9, 1.5, 2.5])
def test_a_year_of_four_digits_is_refused_once_and_the_next_try_taken(cadence: float) -> None:
    customer = Customer(cadence=cadence).keys(f"{NUMBER} (2 s) 112039")
    assert progress(customer, Field.EXPIRY) == (1, 2, FieldReason.EXPIRY_LONG_YEAR)
    customer.keys("(4 s) 1139 (4 s) 993").wait(2.0)
    assert customer.capture.state is READY
    assert customer.held == (NUMBER, "1139", "993")


@pytest.mark.parametrize("pause", ["", "(4 s)"])
def test_the_star_key_after_a_refused_expiry_lets_the_expiry_be_keyed_anew(pause: str) -> None:
    customer = Customer().keys(f"{NUMBER} 1339 {pause} * 1139 993").wait(2.0)
    assert customer.capture.state is READY
    assert customer.held == (NUMBER, "1139", "993")


def test_the_star_key_steps_back_when_it_is_keyed_once_more_and_later() -> None:
    customer = Customer().keys(f"{NUMBER} 1339 *")
    assert customer.held == (NUMBER, "", "")
    customer.keys("*")
    assert customer.held == (NUMBER, "", ""), "a star that bounces"
    customer.keys("(2 s) *")
    assert customer.held == ("", "", "")
    customer.keys(f"{NUMBER} (2 s) 1139 (2 s) 993#")
    assert customer.held == (NUMBER, "1139", "993")


def test_digits_behind_a_star_that_cleared_nothing_do_not_count_for_the_next_field() -> None:
    customer = Customer().keys(f"{NUMBER} (2 s) 1139 * 1239")
    assert customer.held == (NUMBER, "1139", "")
    assert progress(customer, Field.SECURITY_CODE) == (0, 4, FieldReason.NOTHING_TO_CLEAR)


@pytest.mark.parametrize("pause", ["", "(1.5 s)"])
@pytest.mark.parametrize("bounced", ["1", "0", "04", "429"])
def test_a_digit_that_bounces_behind_a_number_is_never_charged(bounced: str, pause: str) -> None:
    customer = Customer().keys(f"{NUMBER}{bounced} {pause} 0429 (2 s) 993").wait(2.0)
    assert customer.warned
    assert (customer.capture.state is READY) <= (customer.held == (NUMBER, "0429", "993"))
    assert customer.held[0] == NUMBER
    if pause:
        assert customer.capture.state is READY


def test_a_digit_that_bounces_in_an_expiry_or_a_code_has_that_keyed_again() -> None:
    customer = Customer().keys(f"{NUMBER} (2 s) 04429").wait(2.0)
    assert customer.held == (NUMBER, "", "")
    assert progress(customer, Field.EXPIRY)[2] is FieldReason.TOO_MANY_KEYS
    customer.wait(3.0).keys("0429 (2 s) 9993").wait(2.0)
    assert customer.held == (NUMBER, "0429", "")
    assert progress(customer, Field.SECURITY_CODE) == (1, 1, FieldReason.TOO_MANY_KEYS)
    customer.wait(3.0).keys("993").wait(2.0)
    assert customer.capture.state is READY


@pytest.mark.parametrize("number", [VISA_19, VISA_19_DOUBTFUL])
@pytest.mark.parametrize("end", ["", "#"])
def test_nineteen_digits_in_groups_are_one_number(number: str, end: str) -> None:
    groups = " (4 s) ".join(number[at : at + 4] for at in range(0, 19, 4))
    customer = Customer().keys(f"{groups}{end} (3 s) 1139 (3 s) 993{end}").wait(2.0)
    assert customer.capture.state is READY
    assert customer.held == (number, "1139", "993")
    assert not customer.warned


@pytest.mark.parametrize("pause", ["", "(2 s)", "(5 s)", "(8 s)", "#"])
@pytest.mark.parametrize("between", ["", "(2 s)", "#"])
def test_a_number_that_could_be_longer_needs_no_end_key(pause: str, between: str) -> None:
    customer = Customer().keys(f"{VISA} {pause} 1139 {between} 993").wait(2.0)
    assert customer.capture.state is READY
    assert customer.held == (VISA, "1139", "993")


def test_nineteen_digits_that_do_not_fit_are_no_shorter_number() -> None:
    customer = Customer().keys("4111 1111 1111 1111 (4 s) 113 (4 s) 1139 (2 s) 993").wait(2.0)
    assert customer.capture.state is not READY
    assert customer.warned


def test_what_is_keyed_on_after_a_refused_number_is_drained_and_reported() -> None:
    customer = Customer().keys("5555555555554445 1139 993")
    assert customer.held == ("", "", "")
    assert progress(customer, Field.CARD_NUMBER) == (1, 7, FieldReason.CARD_NUMBER_CHECK_DIGIT)
    assert customer.changes[-1].reason
    customer.keys(f"(4 s) {NUMBER} (2 s) 1139 (2 s) 993#")
    assert customer.capture.state is READY


def test_a_card_keyed_in_one_go_is_ready_when_no_key_follows() -> None:
    customer = Customer().keys(f"{NUMBER}1139993")
    assert customer.capture.state is CaptureState.COLLECTING
    customer.wait(1.0)
    assert customer.capture.state is READY
    assert customer.held == (NUMBER, "1139", "993")


@pytest.mark.parametrize("ends", ["#", "##"])
def test_the_end_key_ends_each_field_at_once(ends: str) -> None:
    customer = Customer(cadence=0.15).keys(f"{VISA}{ends}1139{ends}993{ends}")
    assert customer.capture.state is READY
    assert not customer.warned


def test_a_digit_in_ready_does_not_count_and_is_reported() -> None:
    customer = Customer().keys(f"{NUMBER}#1139#993# (5 s) 3")
    assert customer.capture.state is READY
    assert progress(customer, Field.SECURITY_CODE) == (0, 1, FieldReason.KEYS_IGNORED)


def test_what_is_keyed_on_after_the_agents_reset_is_drained() -> None:
    customer = Customer().keys(f"{NUMBER} (2 s) 11")
    customer.capture.reset(Field.EXPIRY, customer.now)
    customer.keys("39 (2 s) 1139 (2 s) 993#")
    assert customer.held == (NUMBER, "1139", "993")


def test_nothing_drained_is_in_the_vault() -> None:
    customer = Customer().keys(f"{NUMBER} (2 s) 112039 9 8 7 6")
    with memoryview(customer.memory) as view:
        assert not any(view[16:])


def test_every_pause_is_a_parameter() -> None:
    limits = Limits(number_pause=60.0, field_pause=0.1, refusal_pause=20.0)
    customer = Customer(limits=limits).keys(f"{VISA} (50 s)")
    assert customer.capture.changed().field == Field.CARD_NUMBER
    customer.keys("# 1339 (10 s) 1139")
    assert customer.held == (VISA, "", "")
    customer.keys("(21 s) 1139 993").wait(0.2)
    assert customer.capture.state is READY


def test_every_reason_has_its_words_in_the_log_and_on_the_page() -> None:
    assert set(FIELD_REASONS) == set(FieldReason)
    for messages in shipped_messages().values():
        assert {f"field_reason.{reason}" for reason in FieldReason} <= set(messages)
