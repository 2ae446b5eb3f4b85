"""Names the fields that a customer keys, the reasons why one does not count, and the states of a
capture.

Rule 1: a field is known by its count of digits, never by their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

FieldName = str
"""The name of a field: of a card's as in `Field`; of the others as sip.conf has it."""


class Field(StrEnum):
    """The fields of a card, in the order in which a payer takes them."""

    CARD_NUMBER = "card_number"
    EXPIRY = "expiry"
    SECURITY_CODE = "security_code"


class FieldReason(StrEnum):
    """Why what was keyed for a field does not count: codes, for programs. Words for the agent:
    `FIELD_REASONS`."""

    CARD_NUMBER_LENGTH = "card_number_length"
    CARD_NUMBER_CHECK_DIGIT = "card_number_check_digit"
    CARD_BRAND = "card_brand"
    EXPIRY_LENGTH = "expiry_length"
    EXPIRY_MONTH = "expiry_month"
    EXPIRY_PAST = "expiry_past"
    EXPIRY_TOO_FAR = "expiry_too_far"
    EXPIRY_YEAR_FIRST = "expiry_year_first"
    EXPIRY_LONG_YEAR = "expiry_long_year"
    SECURITY_CODE_LENGTH = "security_code_length"
    DATE_LENGTH = "date_length"
    DATE_MONTH = "date_month"
    DATE_DAY = "date_day"
    DATE_DAY_FIRST = "date_day_first"
    DATE_MONTH_FIRST = "date_month_first"
    DATE_YEAR_FIRST = "date_year_first"
    DATE_YEAR_LAST = "date_year_last"
    DATE_FUTURE = "date_future"
    DATE_TOO_YOUNG = "date_too_young"
    DATE_TOO_OLD = "date_too_old"
    SORT_CODE_LENGTH = "sort_code_length"
    ACCOUNT_NUMBER_LENGTH = "account_number_length"
    ACCOUNT_NUMBER_CHECK = "account_number_check"
    IBAN_LENGTH = "iban_length"
    IBAN_CHECK_DIGITS = "iban_check_digits"
    NRB_LENGTH = "nrb_length"
    NRB_CHECK_DIGITS = "nrb_check_digits"
    ROUTING_NUMBER_LENGTH = "routing_number_length"
    ROUTING_NUMBER_CHECK_DIGIT = "routing_number_check_digit"
    DIGITS_LENGTH = "digits_length"
    DIGITS_CHECK_DIGIT = "digits_check_digit"
    DIGITS_OF_A_CARD = "digits_of_a_card"
    ENTRIES_DIFFER = "entries_differ"
    TOO_MANY_KEYS = "too_many_keys"
    KEYS_IGNORED = "keys_ignored"
    NOTHING_TO_CLEAR = "nothing_to_clear"


FIELD_REASONS: Final[Mapping[FieldReason, str]] = {
    FieldReason.CARD_NUMBER_LENGTH: "card number: number of digits does not fit",
    FieldReason.CARD_NUMBER_CHECK_DIGIT: "card number: check digit does not match",
    FieldReason.CARD_BRAND: "card number: of a brand that is not taken",
    FieldReason.EXPIRY_LENGTH: "expiry: needs four digits, month and year",
    FieldReason.EXPIRY_MONTH: "expiry: no such month",
    FieldReason.EXPIRY_PAST: "expiry: in the past",
    FieldReason.EXPIRY_TOO_FAR: "expiry: too far in the future",
    FieldReason.EXPIRY_YEAR_FIRST: "expiry: the year was keyed first; month, then year",
    FieldReason.EXPIRY_LONG_YEAR: "expiry: the year was keyed in four digits; two are needed",
    FieldReason.SECURITY_CODE_LENGTH: "security code: number of digits does not fit",
    FieldReason.DATE_LENGTH: "number of digits does not fit a date",
    FieldReason.DATE_MONTH: "no such month",
    FieldReason.DATE_DAY: "no such day in that month",
    FieldReason.DATE_DAY_FIRST: "the day was keyed first",
    FieldReason.DATE_MONTH_FIRST: "the month was keyed first",
    FieldReason.DATE_YEAR_FIRST: "the year was keyed first",
    FieldReason.DATE_YEAR_LAST: "the year was keyed last",
    FieldReason.DATE_FUTURE: "not in the past",
    FieldReason.DATE_TOO_YOUNG: "more recent than is accepted",
    FieldReason.DATE_TOO_OLD: "longer ago than anybody lives",
    FieldReason.SORT_CODE_LENGTH: "a sort code has six digits",
    FieldReason.ACCOUNT_NUMBER_LENGTH: "number of digits does not fit an account",
    FieldReason.ACCOUNT_NUMBER_CHECK: "does not fit the sort code",
    FieldReason.IBAN_LENGTH: "number of digits does not fit the country",
    FieldReason.IBAN_CHECK_DIGITS: "check digits do not match",
    FieldReason.NRB_LENGTH: "an account number has 26 digits",
    FieldReason.NRB_CHECK_DIGITS: "check digits do not match",
    FieldReason.ROUTING_NUMBER_LENGTH: "a routing number has nine digits",
    FieldReason.ROUTING_NUMBER_CHECK_DIGIT: "check digit does not match",
    FieldReason.DIGITS_LENGTH: "number of digits does not fit",
    FieldReason.DIGITS_CHECK_DIGIT: "check digit does not match",
    FieldReason.DIGITS_OF_A_CARD: "a card number was keyed, which is not asked for here",
    FieldReason.ENTRIES_DIFFER: "the second entry differs from the first; both are to be keyed again",
    FieldReason.TOO_MANY_KEYS: "more digits than fit were keyed without a pause: this field is to be keyed "
    "again",
    FieldReason.KEYS_IGNORED: "keys that followed at once on the field before were ignored",
    FieldReason.NOTHING_TO_CLEAR: "* cleared nothing; * once more goes back to the field before",
}


class FieldProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one field is: a count of digits, never their values. `rejected` counts clears after a
    failed check, `ignored` keys that did not count. `reason` is the newest cause of either, and
    stays until the field is complete. `kept`: it is asked for again, and what was keyed before
    counts until this is complete. `skipped`: it is complete without a digit."""

    field: FieldName
    count: int = 0
    complete: bool = False
    rejected: int = 0
    ignored: int = 0
    reason: FieldReason | None = None
    kept: bool = False
    skipped: bool = False


class CaptureState(StrEnum):
    """The states of a capture, in the media process. The last two are final."""

    COLLECTING = "collecting"
    READY = "ready"  # every field complete, waiting for the agent to submit
    SUBMITTED = "submitted"  # handed to a payer
    FINISHED = "finished"  # there is an outcome; wiped
    ABORTED = "aborted"  # cancelled, timed out, lost a digit, call gone; wiped
