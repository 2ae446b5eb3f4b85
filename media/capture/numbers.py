"""Checks the numbers of a company: digits with a length of their own, perhaps with a check digit,
and secrets."""

from __future__ import annotations

from collections.abc import Callable

from media.capture.brands import find_brand
from media.capture.check import COMPLETE, ENOUGH, INCOMPLETE, ZERO, Check, Digits, passes_luhn, refused
from media.capture.form import Keyed
from media.events import CaptureForm, FieldReason, FormField
from media.form_description import FieldDescription

_MOD11_WEIGHTS = (2, 3, 4, 5, 6, 7)  # from the digit before the check digit to the left, again and again
_MOD11 = 11


def digits_check(
    field: FormField, described: FieldDescription, form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of `digits` and of a `secret`. A value that could be longer is ended by the form's
    end key; where it has none, by a pause."""
    shortest, longest = described.min_length, described.max_length
    pauses = not form.end_key

    def check(keyed: Keyed) -> Check:
        digits = keyed.digits[field.name]
        length = len(digits)
        if length > longest or (keyed.ended and length < shortest):
            return refused(FieldReason.DIGITS_LENGTH)
        if not keyed.ended and length < longest:
            return ENOUGH if pauses and length >= shortest else INCOMPLETE
        if not _passes(digits, field):
            return refused(FieldReason.DIGITS_CHECK_DIGIT)
        if field.refuses_cards and is_card_number(digits):
            return refused(FieldReason.DIGITS_OF_A_CARD)
        return COMPLETE

    return check


def _passes(digits: Digits, field: FormField) -> bool:
    if field.check == "luhn":
        return passes_luhn(digits)
    return field.check == "none" or passes_mod11(digits)


def passes_mod11(digits: Digits) -> bool:
    """Whether the last digit fits: the others count 2, 3, 4, 5, 6, 7, 2, 3 … times from the right;
    with it, their sum is a multiple of 11. A value whose check digit would be 10 does not exist."""
    last = len(digits) - 1
    if last < 1:
        return False
    total = digits[last] - ZERO
    for index in range(last):
        weight = _MOD11_WEIGHTS[(last - 1 - index) % len(_MOD11_WEIGHTS)]
        total = (total + weight * (digits[index] - ZERO)) % _MOD11
    return total == 0


def is_card_number(digits: Digits) -> bool:
    """Whether a card scheme issues such numbers: prefix, length and check digit fit."""
    brand = find_brand(digits)
    if brand is None or not brand.is_known:
        return False
    return len(digits) in brand.lengths and passes_luhn(digits)
