"""Checks the routing number of a bank in the United States: nine digits, of which the last is the
check digit of the American Bankers Association."""

from __future__ import annotations

from collections.abc import Callable

from media.capture.check import COMPLETE, INCOMPLETE, ZERO, Check, Digits, refused
from media.capture.form import Keyed
from media.events import CaptureForm, FieldReason, FormField
from media.form_description import FieldDescription

_LENGTH = 9
_WEIGHTS = (3, 7, 1)


def routing_check(
    field: FormField, _described: FieldDescription, _form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of a routing number."""

    def check(keyed: Keyed) -> Check:
        digits = keyed.digits[field.name]
        if len(digits) != _LENGTH:
            is_wrong = keyed.ended or len(digits) > _LENGTH
            return refused(FieldReason.ROUTING_NUMBER_LENGTH) if is_wrong else INCOMPLETE
        return COMPLETE if passes_aba(digits) else refused(FieldReason.ROUTING_NUMBER_CHECK_DIGIT)

    return check


def passes_aba(digits: Digits) -> bool:
    """Whether the digits, counted 3, 7 and 1 times in turn, have a sum that is a multiple of 10 and
    not zero."""
    total, is_zero = 0, True
    for index in range(len(digits)):
        digit = digits[index] - ZERO
        is_zero &= digit == 0
        total = (total + _WEIGHTS[index % len(_WEIGHTS)] * digit) % 10
    return total == 0 and not is_zero
