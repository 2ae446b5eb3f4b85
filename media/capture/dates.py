"""Checks a date of birth: eight digits, day, month and year in the order that the company wants.

Rule 1: a value that is no date in this order, but would be a good one in another, is refused with
        the slip that it looks like; one that is good in this order is taken as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from media.capture.check import COMPLETE, INCOMPLETE, ZERO, Check, Digits, refused
from media.capture.form import Keyed
from media.events import CaptureForm, DateFormat, FieldReason, FormField
from media.form_description import FieldDescription

_LENGTH = 8
_OLDEST = 130  # years; nobody has lived for longer
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2
# Where day, month, century and year of the century begin.
_PLACES: Final[dict[DateFormat, tuple[int, int, int, int]]] = {
    "ddmmyyyy": (0, 2, 4, 6),
    "mmddyyyy": (2, 0, 4, 6),
    "yyyymmdd": (6, 4, 0, 2),
}
_SLIPS: Final[dict[DateFormat, FieldReason]] = {
    "ddmmyyyy": FieldReason.DATE_DAY_FIRST,
    "mmddyyyy": FieldReason.DATE_MONTH_FIRST,
    "yyyymmdd": FieldReason.DATE_YEAR_FIRST,
}


def date_check(
    field: FormField, _described: FieldDescription, _form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of a date as the field wants it."""

    def check(keyed: Keyed) -> Check:
        return check_date(keyed.digits[field.name], keyed.today, field, ended=keyed.ended)

    return check


def check_date(digits: Digits, today: date, field: FormField, *, ended: bool) -> Check:
    """A date before `today`, `min_age` years before it at least."""
    if len(digits) != _LENGTH:
        is_wrong = ended or len(digits) > _LENGTH
        return refused(FieldReason.DATE_LENGTH) if is_wrong else INCOMPLETE
    wanted = field.date_format
    reason = _fault(digits, wanted, today, field.min_age)
    if reason is None:
        return COMPLETE
    # Too young is no slip: the date is one.
    if reason is not FieldReason.DATE_TOO_YOUNG:
        for other, slip in _SLIPS.items():
            if other != wanted and _fault(digits, other, today, field.min_age) is None:
                year_last = wanted == "yyyymmdd"
                return refused(FieldReason.DATE_YEAR_LAST if year_last else slip)
    return refused(reason)


def _fault(digits: Digits, order: DateFormat, today: date, min_age: int) -> FieldReason | None:
    """Why it is no such date; None where it is one."""
    day, month, century, year = (_two_digits(digits, at) for at in _PLACES[order])
    if not 1 <= month <= len(_DAYS):
        return FieldReason.DATE_MONTH
    is_leap = year % 4 == 0 and (year != 0 or century % 4 == 0)
    if not 1 <= day <= _DAYS[month - 1] + (month == _FEBRUARY and is_leap):
        return FieldReason.DATE_DAY

    def is_before(years: int) -> bool:
        """Whether it lies before the day on which so many years are over."""
        limit_century, limit_year = divmod(today.year - years, 100)
        for own, limit in ((century, limit_century), (year, limit_year), (month, today.month)):
            if own != limit:
                return own < limit
        # Who is so many years old today is old enough; who is born today is not born before.
        return day <= today.day if years else day < today.day

    if not is_before(0):
        return FieldReason.DATE_FUTURE
    if min_age and not is_before(min_age):
        return FieldReason.DATE_TOO_YOUNG
    return FieldReason.DATE_TOO_OLD if is_before(_OLDEST) else None


def _two_digits(digits: Digits, at: int) -> int:
    return (digits[at] - ZERO) * 10 + digits[at + 1] - ZERO
