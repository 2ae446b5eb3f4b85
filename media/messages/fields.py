"""Names the fields that a customer keys, the reasons why one does not count, and the states of a
capture.

Rule 1: a field is known by its count of digits, never by their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Field(StrEnum):
    """What is being keyed, in the order in which it is asked for."""

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

    field: Field
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
