"""Brands, lengths, check digits, expiry and security code, as the rules of a field see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.capture.brands import find_brand
from media.capture.card_form import check_code, check_expiry, check_number
from media.capture.check import COMPLETE, ENOUGH, INCOMPLETE, Check, Verdict, passes_luhn
from media.events import FieldReason

TODAY = (2026, 11)


def with_check_digit(prefix: str, length: int) -> bytes:
    """A number of `length` digits that starts with `prefix` and passes Luhn."""
    body = prefix.ljust(length - 1, "0")
    total = sum(
        sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(body[::-1])
    )
    return f"{body}{-total % 10}".encode()


def wrong(reason: FieldReason) -> Check:
    return Check(Verdict.INVALID, reason)


@pytest.mark.parametrize(
    ("brand", "prefixes"),
    {
        "visa": ["4", "4929"],
        "mastercard": ["51", "55", "2221", "2300", "2699", "2720"],
        "amex": ["34", "37"],
        "discover": ["6011", "644", "649", "65"],
        "jcb": ["3528", "3589"],
        "diners": ["36", "300", "305", "3095", "38", "39"],
        "unionpay": ["62", "8100", "8171"],
        "maestro": ["5018", "5612", "5893", "6304", "6759"],
        "other": ["2220", "2721", "1000", "3527", "3590", "306", "8172", "9999"],
    }.items(),
)
def test_the_first_digits_tell_the_brand(brand: str, prefixes: list[str]) -> None:
    for prefix in prefixes:
        found = find_brand(prefix.ljust(4, "0").encode() if len(prefix) < 4 else prefix.encode())
        assert found is not None
        assert found.name == brand, prefix


@pytest.mark.parametrize("prefix", ["", "2", "22", "222", "3", "35", "352", "5", "6", "60", "601", "64", "8"])
def test_the_brand_is_unknown_while_it_could_be_several(prefix: str) -> None:
    assert find_brand(prefix.encode()) is None


@given(st.integers(min_value=0, max_value=10**18 - 1), st.integers(min_value=11, max_value=18))
def test_exactly_one_check_digit_fits_any_number(value: int, length: int) -> None:
    body = str(value).zfill(18)[:length]
    assert sum(passes_luhn(f"{body}{digit}".encode()) for digit in range(10)) == 1


@given(st.data())
def test_any_single_wrong_digit_fails_the_check(data: st.DataObject) -> None:
    number = bytearray(with_check_digit(str(data.draw(st.integers(10**14, 10**15 - 1))), 16))
    place = data.draw(st.integers(0, 15))
    number[place] = data.draw(st.sampled_from([digit for digit in b"0123456789" if digit != number[place]]))
    assert not passes_luhn(number)


@pytest.mark.parametrize(
    ("prefix", "length"), [("51", 16), ("2221", 16), ("34", 15), ("4", 19), ("62", 19), ("36", 19)]
)
def test_a_number_of_the_greatest_length_is_complete_by_itself(prefix: str, length: int) -> None:
    number = with_check_digit(prefix, length)
    assert check_number(number, ended=False) == COMPLETE
    assert check_number(number[:-1], ended=False) in (INCOMPLETE, ENOUGH)
    number = number[:-1] + bytes([0x30 + (number[-1] - 0x30 + 1) % 10])
    assert check_number(number, ended=False) == wrong(FieldReason.CARD_NUMBER_CHECK_DIGIT)


@pytest.mark.parametrize(
    ("prefix", "length"), [("4", 16), ("6011", 16), ("3528", 16), ("36", 14), ("38", 16)]
)
def test_a_number_of_the_usual_length_is_enough_and_the_end_key_completes_it(
    prefix: str, length: int
) -> None:
    number = with_check_digit(prefix, length)
    assert check_number(number, ended=False) == ENOUGH
    assert check_number(number, ended=True) == COMPLETE


def test_a_short_number_waits_for_its_end() -> None:
    number = with_check_digit("4", 13)
    assert check_number(number, ended=False) == INCOMPLETE
    assert check_number(number, ended=True) == COMPLETE


@pytest.mark.parametrize(
    "number", [b"", b"4", b"49295801736420", with_check_digit("34", 16), with_check_digit("9", 11)]
)
def test_a_number_ended_at_no_length_of_its_brand_is_invalid(number: bytes) -> None:
    assert check_number(number, ended=True) == wrong(FieldReason.CARD_NUMBER_LENGTH)


@pytest.mark.parametrize(
    ("expiry", "check"),
    {
        b"": INCOMPLETE,
        b"112": INCOMPLETE,
        b"1126": COMPLETE,
        b"1226": COMPLETE,
        b"0127": COMPLETE,
        b"1146": COMPLETE,
        b"1026": wrong(FieldReason.EXPIRY_PAST),
        b"1225": wrong(FieldReason.EXPIRY_PAST),
        b"0147": wrong(FieldReason.EXPIRY_TOO_FAR),
        b"1299": wrong(FieldReason.EXPIRY_TOO_FAR),
        b"0027": wrong(FieldReason.EXPIRY_MONTH),
        b"1327": wrong(FieldReason.EXPIRY_MONTH),
        b"2711": wrong(FieldReason.EXPIRY_YEAR_FIRST),
        b"2611": wrong(FieldReason.EXPIRY_YEAR_FIRST),
        b"2610": wrong(FieldReason.EXPIRY_MONTH),
        b"4711": wrong(FieldReason.EXPIRY_MONTH),
        b"1120": wrong(FieldReason.EXPIRY_LONG_YEAR),
        b"2027": wrong(FieldReason.EXPIRY_MONTH),
        b"9927": wrong(FieldReason.EXPIRY_MONTH),
        b"11260": wrong(FieldReason.EXPIRY_LENGTH),
    }.items(),
)
def test_an_expiry_is_a_month_that_is_not_over_and_not_too_far(expiry: bytes, check: Check) -> None:
    assert check_expiry(expiry, TODAY, ended=False) == check


@pytest.mark.parametrize("expiry", [b"", b"1", b"112"])
def test_an_expiry_that_is_ended_early_is_invalid(expiry: bytes) -> None:
    assert check_expiry(expiry, TODAY, ended=True) == wrong(FieldReason.EXPIRY_LENGTH)


@pytest.mark.parametrize(("prefix", "length"), [(b"34", 4), (b"4", 3), (b"51", 3), (b"9999", 3), (b"", 3)])
def test_the_security_code_has_the_length_of_its_brand(prefix: bytes, length: int) -> None:
    brand = find_brand(prefix)
    for keyed in range(length):
        assert check_code(b"7" * keyed, brand, ended=False) == INCOMPLETE
        assert check_code(b"7" * keyed, brand, ended=True) == wrong(FieldReason.SECURITY_CODE_LENGTH)
    assert check_code(b"7" * length, brand, ended=False) == COMPLETE
    assert check_code(b"7" * (length + 1), brand, ended=False) == wrong(FieldReason.SECURITY_CODE_LENGTH)


@given(st.text("0123456789", max_size=22), st.booleans())
def test_an_ended_number_is_complete_or_invalid_and_a_reason_holds_no_digit(number: str, ended: bool) -> None:
    check = check_number(number.encode(), ended=ended)
    assert (check.reason is not None) == (check.verdict is Verdict.INVALID)
    assert not ended or check.verdict in (Verdict.COMPLETE, Verdict.INVALID)
    assert not any(character.isdigit() for reason in FieldReason for character in reason)
