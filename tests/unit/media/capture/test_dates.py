"""A date of birth: real dates only, in the past, and the slips in its order."""

from __future__ import annotations

from datetime import date

import pytest

from media.capture.check import COMPLETE, INCOMPLETE
from media.capture.dates import check_date
from media.events import DateFormat, FieldReason, FormField

TODAY = date(2026, 11, 30)


def reason_of(
    keyed: str, order: DateFormat = "ddmmyyyy", min_age: int = 0, today: date = TODAY
) -> str | None:
    field = FormField(name="born", kind="date", date_format=order, min_age=min_age)
    check = check_date(keyed.encode(), today, field, ended=False)
    return check.reason if check != COMPLETE else ""


@pytest.mark.parametrize("keyed", ["31011980", "29022000", "29022024", "01011900", "29112026"])
def test_dates_that_there_were_are_taken(keyed: str) -> None:
    assert reason_of(keyed) == ""


@pytest.mark.parametrize(
    ("keyed", "reason"),
    [
        ("00011980", FieldReason.DATE_DAY),
        ("31041980", FieldReason.DATE_DAY),
        ("29022023", FieldReason.DATE_DAY),
        ("29021900", FieldReason.DATE_DAY),  # no leap year
        ("31131980", FieldReason.DATE_MONTH),
        ("15001980", FieldReason.DATE_MONTH),
        ("30112026", FieldReason.DATE_FUTURE),  # today
        ("01012027", FieldReason.DATE_FUTURE),
        ("01011880", FieldReason.DATE_TOO_OLD),
    ],
)
def test_what_is_no_date_of_birth_is_refused_with_its_reason(keyed: str, reason: FieldReason) -> None:
    assert reason_of(keyed) == reason


@pytest.mark.parametrize(
    ("keyed", "order", "reason"),
    [
        ("12311980", "ddmmyyyy", FieldReason.DATE_MONTH_FIRST),
        ("31121980", "mmddyyyy", FieldReason.DATE_DAY_FIRST),
        ("19801231", "ddmmyyyy", FieldReason.DATE_YEAR_FIRST),
        ("19801231", "mmddyyyy", FieldReason.DATE_YEAR_FIRST),
        ("31121980", "yyyymmdd", FieldReason.DATE_YEAR_LAST),
        ("12311980", "yyyymmdd", FieldReason.DATE_YEAR_LAST),
    ],
)
def test_a_date_in_another_order_is_told_as_that(keyed: str, order: DateFormat, reason: FieldReason) -> None:
    assert reason_of(keyed, order) == reason


def test_a_date_that_is_good_in_two_orders_is_taken_as_wanted() -> None:
    assert reason_of("03041980", "ddmmyyyy") == reason_of("03041980", "mmddyyyy") == ""


@pytest.mark.parametrize(
    ("keyed", "today", "reason"),
    [
        ("30112008", TODAY, ""),  # eighteen today
        ("01122008", TODAY, FieldReason.DATE_TOO_YOUNG),
        ("29022008", date(2026, 2, 28), FieldReason.DATE_TOO_YOUNG),
        ("29022008", date(2026, 3, 1), ""),
    ],
)
def test_the_least_age_is_reached_on_the_birthday(keyed: str, today: date, reason: str) -> None:
    assert reason_of(keyed, min_age=18, today=today) == reason


def test_a_date_has_eight_digits() -> None:
    field = FormField(name="born", kind="date")
    assert check_date(b"3112198", TODAY, field, ended=False) == INCOMPLETE
    assert check_date(b"311280", TODAY, field, ended=True).reason is FieldReason.DATE_LENGTH
