"""Checks account numbers with the check digits of ISO 7064 MOD 97-10: IBAN (ISO 13616) without its
country, which the agent knows, and the Polish NRB, which is that of an IBAN of PL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.capture.check import COMPLETE, INCOMPLETE, ZERO, Check, Digits, refused
from media.capture.form import Keyed
from media.events import CaptureForm, FieldReason, FormField
from media.form_description import FieldDescription
from media.iban_countries import keyed_length

_POLAND = "PL"
_CHECK_DIGITS = 2
_MODULUS = 97
_REMAINDER = 1
_LETTER_A = 10  # A counts 10, B 11 …
_POSSIBLE: Final = range(2, 99)  # check digits: 98 less a remainder of 97


def iban_check(
    field: FormField, _described: FieldDescription, _form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of an IBAN of the chosen country; of the usual one where none is chosen."""
    country = field.country or field.countries[0]
    reasons = FieldReason.IBAN_LENGTH, FieldReason.IBAN_CHECK_DIGITS
    return _account_check(field.name, country, *reasons)


def nrb_check(field: FormField, _described: FieldDescription, _form: CaptureForm) -> Callable[[Keyed], Check]:
    """The check of a Numer Rachunku Bankowego."""
    reasons = FieldReason.NRB_LENGTH, FieldReason.NRB_CHECK_DIGITS
    return _account_check(field.name, _POLAND, *reasons)


def _account_check(
    name: str, country: str, wrong_length: FieldReason, wrong_digits: FieldReason
) -> Callable[[Keyed], Check]:
    wanted = keyed_length(country)

    def check(keyed: Keyed) -> Check:
        digits = keyed.digits[name]
        if len(digits) != wanted:
            return refused(wrong_length) if keyed.ended or len(digits) > (wanted or 0) else INCOMPLETE
        return COMPLETE if passes_mod97(digits, country) else refused(wrong_digits)

    return check


def passes_mod97(digits: Digits, country: str) -> bool:
    """Whether check digits and account fit each other and the country: account, country and check
    digits, as one number with letters as numbers, leave 1 when divided by 97."""
    check = (digits[0] - ZERO) * 10 + digits[1] - ZERO
    if check not in _POSSIBLE:
        return False
    remainder = 0
    for index in range(_CHECK_DIGITS, len(digits)):
        remainder = (remainder * 10 + digits[index] - ZERO) % _MODULUS
    for letter in country:
        remainder = (remainder * 100 + _LETTER_A + ord(letter) - ord("A")) % _MODULUS
    return (remainder * 100 + check) % _MODULUS == _REMAINDER
