"""Checks the fields of a card: number, expiry and security code."""

from __future__ import annotations

from collections.abc import Callable

from media import form_description
from media.capture.brands import OTHER, Brand, find_brand
from media.capture.check import (
    COMPLETE,
    ENOUGH,
    INCOMPLETE,
    ZERO,
    Check,
    Digits,
    Verdict,
    passes_luhn,
    refused,
)
from media.capture.form import Keyed
from media.events import CaptureForm, Field, FieldReason, FormField
from media.form_description import FieldDescription

_EXPIRY_LENGTH = form_description.EXPIRY.max_length
_BRAND_IS_CERTAIN = 4  # digits, from which on the brand stays what it is
_MAX_YEARS = 20  # no card is issued for longer
_MONTHS = range(1, 13)
_CENTURY = 20  # the first two digits of a year


def check_number(number: Digits, *, ended: bool, brands: tuple[str, ...] = ()) -> Check:
    """The card number as it stands, or as ended by `#`: then it is COMPLETE or INVALID. `brands`:
    those that are taken; empty: all."""
    brand = find_brand(number) or OTHER
    length = len(number)
    if brands and length >= _BRAND_IS_CERTAIN and brand.name not in brands:
        return refused(FieldReason.CARD_BRAND)
    longest = brand.lengths[-1]
    if length > longest or (ended and length not in brand.lengths):
        return refused(FieldReason.CARD_NUMBER_LENGTH)
    if ended or length == longest:
        shorter = None if ended else _shorter(number, brand, length)
        if passes_luhn(number):
            return Check(Verdict.COMPLETE, shorter=shorter)
        verdict = Verdict.SPLIT if shorter else Verdict.INVALID
        return Check(verdict, FieldReason.CARD_NUMBER_CHECK_DIGIT, shorter)
    return ENOUGH if length == brand.usual else INCOMPLETE


def _shorter(number: Digits, brand: Brand, length: int) -> int | None:
    """The brand's usual length, where a number of that length is followed by less than an
    expiry."""
    if brand.usual is None or not 0 < length - brand.usual < _EXPIRY_LENGTH:
        return None
    return brand.usual if passes_luhn(number, brand.usual) else None


def check_expiry(expiry: Digits, today: tuple[int, int], *, ended: bool) -> Check:
    """MMYY against `today` (year with century, month). A card is good through the last day of its
    month."""
    if len(expiry) != _EXPIRY_LENGTH:
        too_long = len(expiry) > _EXPIRY_LENGTH
        return refused(FieldReason.EXPIRY_LENGTH) if ended or too_long else INCOMPLETE
    first, second = _two_digits(expiry, 0), _two_digits(expiry, 2)
    if first not in _MONTHS:
        slip = second in _MONTHS and _is_good(first, second, today)
        return refused(FieldReason.EXPIRY_YEAR_FIRST if slip else FieldReason.EXPIRY_MONTH)
    if _is_good(second, first, today):
        return COMPLETE
    if second > _year(today):
        return refused(FieldReason.EXPIRY_TOO_FAR)
    slip = second == _CENTURY
    return refused(FieldReason.EXPIRY_LONG_YEAR if slip else FieldReason.EXPIRY_PAST)


def _is_good(year: int, month: int, today: tuple[int, int]) -> bool:
    """Whether a card with this expiry can be in use."""
    years_left = year - _year(today)
    return 0 <= years_left <= _MAX_YEARS and (years_left > 0 or month >= today[1])


def _year(today: tuple[int, int]) -> int:
    return today[0] - 100 * _CENTURY


def _two_digits(digits: Digits, at: int) -> int:
    return (digits[at] - ZERO) * 10 + digits[at + 1] - ZERO


def check_code(code: Digits, brand: Brand | None, *, ended: bool) -> Check:
    """The security code against its brand's length."""
    wanted = form_description.SECURITY_CODE.length_of(brand.name if brand else None)
    if len(code) == wanted:
        return COMPLETE
    return refused(FieldReason.SECURITY_CODE_LENGTH) if ended or len(code) > wanted else INCOMPLETE


def name_brand(number: Digits) -> str | None:
    """The scheme's name as far as the first digits tell; None while they do not."""
    brand = find_brand(number)
    return brand.name if brand else None


def number_check(
    _field: FormField, _described: FieldDescription, form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of a card number as the form takes it."""

    def check(keyed: Keyed) -> Check:
        return check_number(keyed.digits[Field.CARD_NUMBER], ended=keyed.ended, brands=form.brands)

    return check


def expiry_check(*_: object) -> Callable[[Keyed], Check]:
    """The check of an expiry, the same in all forms."""
    return _expiry


def code_check(*_: object) -> Callable[[Keyed], Check]:
    """The check of a security code, the same in all forms."""
    return _code


def _expiry(keyed: Keyed) -> Check:
    today = keyed.today.year, keyed.today.month
    return check_expiry(keyed.digits[Field.EXPIRY], today, ended=keyed.ended)


def _code(keyed: Keyed) -> Check:
    number = keyed.digits.get(Field.CARD_NUMBER)
    brand = None if number is None else find_brand(number)
    return check_code(keyed.digits[Field.SECURITY_CODE], brand, ended=keyed.ended)
