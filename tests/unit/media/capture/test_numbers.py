"""The numbers of a company: length, check digit, card numbers in the wrong place, secrets."""

from __future__ import annotations

import pytest

from media.capture.form_rules import make_form
from media.capture.numbers import is_card_number, passes_mod11
from media.events import CaptureForm, CaptureState, FieldProgress, FieldReason, FormField, NumberCheck
from media.form_description import BadForm, describe
from tests.keying import Customer

VISA = "4111111111111111"


def keying(*fields: FormField, end_key: str = "#") -> Customer:
    return Customer(form=make_form(CaptureForm(fields=fields, end_key="#" if end_key else "")))


def number(**changes: object) -> FormField:
    values: dict[str, object] = {"name": "policy", "kind": "digits", "min_length": 4, "max_length": 8}
    return FormField(**(values | changes))  # type: ignore[arg-type]


def progress(customer: Customer, place: int = 0) -> FieldProgress:
    return customer.capture.changed().fields[place]


def test_a_number_of_one_length_completes_by_itself() -> None:
    customer = keying(number(min_length=6, max_length=6)).keys("12345")
    assert not progress(customer).complete
    customer.keys("6").wait(1.0)
    assert progress(customer).complete
    assert customer.capture.state is CaptureState.READY


def test_a_number_that_could_be_longer_waits_for_its_end_key_however_long() -> None:
    customer = keying(number()).keys("12345").wait(20.0)
    assert not progress(customer).complete
    customer.keys("#")
    assert progress(customer).complete


def test_where_there_is_no_end_key_a_pause_ends_it() -> None:
    customer = keying(number(), end_key="").keys("12345").wait(5.0)
    assert not progress(customer).complete
    customer.wait(2.0)
    assert progress(customer).complete


def test_a_number_that_is_too_short_is_refused() -> None:
    refused = progress(keying(number()).keys("123#"))
    assert (refused.rejected, refused.count, refused.reason) == (1, 0, FieldReason.DIGITS_LENGTH)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [("luhn", "79927398713", "79927398714"), ("mod11", "12345678911", "12345678912")],
)
def test_a_check_digit_is_checked_where_the_company_has_one(check: NumberCheck, good: str, bad: str) -> None:
    field = number(min_length=11, max_length=11, check=check)
    if check == "mod11":
        good = next(
            f"1234567891{digit}" for digit in range(10) if passes_mod11(f"1234567891{digit}".encode())
        )
        bad = f"{good[:-1]}{(int(good[-1]) + 1) % 10}"
    assert progress(keying(field).keys(good).wait(1.0)).complete
    assert progress(keying(field).keys(bad)).reason is FieldReason.DIGITS_CHECK_DIGIT


def test_mod_11_counts_the_digits_from_the_right_by_2_to_7_and_again() -> None:
    # 2*1 + 3*0 + 4*0 = 2: the check digit makes it 11.
    assert passes_mod11(b"0019")
    assert not passes_mod11(b"0018")
    # The seventh from the right counts twice again.
    assert passes_mod11(b"10000009")
    assert not passes_mod11(b"9")


def test_a_card_number_in_the_wrong_field_is_refused_and_wiped() -> None:
    field = number(min_length=4, max_length=19)
    customer = keying(field).keys(f"{VISA}#")
    assert progress(customer).reason is FieldReason.DIGITS_OF_A_CARD
    with memoryview(customer.memory) as page:
        assert bytes(page) == bytes(len(page))
    secret = FormField(name="pin", kind="secret", min_length=4, max_length=19)
    assert progress(keying(secret).keys(f"{VISA}#")).reason is FieldReason.DIGITS_OF_A_CARD
    allowed = keying(number(min_length=4, max_length=19, refuses_cards=False)).keys(f"{VISA}#")
    assert progress(allowed).complete


@pytest.mark.parametrize("digits", ["1234567812345670", "4111111111111112", "411111111111"])
def test_what_no_scheme_issues_is_no_card_number(digits: str) -> None:
    assert not is_card_number(digits.encode())


def test_a_secret_shows_nothing_but_dots() -> None:
    customer = keying(FormField(name="pin", kind="secret", min_length=4, max_length=4)).keys("1234").wait(1.0)
    change = customer.capture.changed()
    assert (change.fields[0].complete, change.shown, change.last_four, change.brand) == (True, {}, None, None)
    with pytest.raises(BadForm):
        describe(
            CaptureForm(
                fields=(FormField(name="pin", kind="secret", min_length=8, max_length=8, last_shown=1),)
            )
        )


def test_the_last_digits_of_a_number_are_shown_as_configured_once_it_is_valid() -> None:
    fields = number(last_shown=2), number(name="other", last_shown=0)
    customer = keying(*fields).keys("123456")
    assert customer.capture.changed().shown == {}
    customer.keys("#").wait(2.0).keys("9876#")
    assert customer.capture.changed().shown == {"policy": "56"}


@pytest.mark.parametrize(
    "field",
    [
        number(last_shown=3),  # of four digits
        number(min_length=20, max_length=20, last_shown=5),
        number(min_length=5, max_length=4),
        number(max_length=33),
        number(min_length=2, max_length=2, check="luhn"),
        number(name="policy_again"),
        number(name="card_number"),
        number(name="a b"),
        number(name="x" * 40),
        FormField(name="number", kind="card_number"),
        FormField(name="born", kind="date", last_shown=4),
        FormField(name="iban", kind="iban", countries=("GB",)),
        FormField(name="iban", kind="iban"),
    ],
)
def test_media_makes_no_form_that_would_show_or_tell_too_much(field: FormField) -> None:
    with pytest.raises(BadForm):
        make_form(CaptureForm(fields=(field,)))


def test_a_form_has_each_field_once_and_twelve_at_most() -> None:
    fields = tuple(number(name=f"n{index}") for index in range(13))
    assert len(describe(CaptureForm(fields=fields[:12])).fields) == 12
    for bad in ((), fields, (fields[0], fields[0])):
        with pytest.raises(BadForm):
            describe(CaptureForm(fields=bad))


def test_the_largest_form_fits_into_one_page() -> None:
    fields = tuple(
        number(name=f"n{index}", min_length=32, max_length=32, confirm=True) for index in range(12)
    )
    customer = keying(*fields)
    for _ in fields:
        customer.keys("0" * 32).wait(2.0).keys("0" * 32).wait(2.0)
    assert customer.capture.state is CaptureState.READY
