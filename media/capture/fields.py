"""The rules of a field: which brand a card is of, how long each field is, and whether what was
keyed can be true.

Rule 1: digits are read one at a time from a view of ASCII bytes in locked memory; no str, bytes or
        int of several digits of a card is ever made (single small ints are shared by the
        interpreter and say nothing).
Rule 2: a check says what is wrong by a code that has its words (media.events.FIELD_REASONS); it
        never quotes a digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from media.events import Field, FieldReason

_ZERO = 0x30  # ASCII "0"


class Digits(Protocol):
    """Anything that gives ASCII digits by index: a memoryview of locked memory, in the product."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...


class Verdict(Enum):
    """What a field is worth as it stands."""

    INCOMPLETE = "incomplete"
    ENOUGH = "enough"  # the brand's usual length, though longer ones exist: a pause ends the field
    COMPLETE = "complete"
    INVALID = "invalid"
    # No number of this length, but its first `shorter` digits are one, and the rest may be an
    # expiry's.
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Check:
    """A verdict. `reason` is set where it is INVALID or SPLIT. `shorter`: how many of the first
    digits would be a card number, too, where the brand has a shorter one."""

    verdict: Verdict
    reason: FieldReason | None = None
    shorter: int | None = None


INCOMPLETE = Check(Verdict.INCOMPLETE)
ENOUGH = Check(Verdict.ENOUGH)
COMPLETE = Check(Verdict.COMPLETE)


@dataclass(frozen=True, slots=True)
class Brand:
    """A card scheme: the lengths that it issues, the one after which a pause is an end, and its
    security code's length."""

    name: str
    lengths: tuple[int, ...]
    usual: int | None = None
    code_length: int = 3


_VISA = Brand("visa", (13, 16, 19), usual=16)
_MASTERCARD = Brand("mastercard", (16,))
_AMEX = Brand("amex", (15,), code_length=4)
_DISCOVER = Brand("discover", (16, 17, 18, 19), usual=16)
_JCB = Brand("jcb", (16, 17, 18, 19), usual=16)
_DINERS = Brand("diners", (14, 15, 16, 17, 18, 19), usual=14)
_DINERS_16 = Brand("diners", (16, 17, 18, 19), usual=16)
_UNIONPAY = Brand("unionpay", (16, 17, 18, 19))
_MAESTRO = Brand("maestro", tuple(range(12, 20)))
# ISO/IEC 7812-1 allows 19 digits at most; no scheme issues fewer than 12.
_OTHER = Brand("other", tuple(range(12, 20)))

# Issuer identification number ranges (ISO/IEC 7812), as the schemes publish them for acquirers:
# first and last prefix of each range, both of one length. Where two ranges fit, the longer prefix
# wins.
_RANGES: tuple[tuple[bytes, bytes, Brand], ...] = (
    (b"4", b"4", _VISA),
    (b"51", b"55", _MASTERCARD),
    (b"2221", b"2720", _MASTERCARD),  # since 2017
    (b"34", b"34", _AMEX),
    (b"37", b"37", _AMEX),
    (b"6011", b"6011", _DISCOVER),
    (b"644", b"649", _DISCOVER),
    (b"65", b"65", _DISCOVER),
    (b"3528", b"3589", _JCB),
    (b"36", b"36", _DINERS),
    (b"300", b"305", _DINERS_16),
    (b"3095", b"3095", _DINERS_16),
    (b"38", b"39", _DINERS_16),
    (b"62", b"62", _UNIONPAY),
    (b"8100", b"8171", _UNIONPAY),
    (b"50", b"50", _MAESTRO),
    (b"56", b"58", _MAESTRO),
    (b"5893", b"5893", _MAESTRO),
    (b"63", b"63", _MAESTRO),
    (b"67", b"67", _MAESTRO),
)

LONGEST: dict[Field, int] = {Field.CARD_NUMBER: 19, Field.EXPIRY: 4, Field.SECURITY_CODE: 4}
_EXPIRY_LENGTH = 4
_FARTHEST = 20  # years; no card is issued for longer


def find_brand(number: Digits) -> Brand | None:
    """The brand by the number's first digits; None while they say nothing, `other` once they fit no
    range."""
    best: Brand | None = None
    length = 0
    for first, last, brand in _RANGES:
        if len(first) > length and _starts_within(number, first, last):
            best, length = brand, len(first)
    if best is None and len(number) >= max(len(first) for first, _, _ in _RANGES):
        return _OTHER
    return best


def _starts_within(number: Digits, first: bytes, last: bytes) -> bool:
    if len(number) < len(first):
        return False
    return not _starts_below(number, first) and not _starts_above(number, last)


def _starts_below(number: Digits, bound: bytes) -> bool:
    for index, limit in enumerate(bound):
        if number[index] != limit:
            return number[index] < limit
    return False


def _starts_above(number: Digits, bound: bytes) -> bool:
    for index, limit in enumerate(bound):
        if number[index] != limit:
            return number[index] > limit
    return False


def passes_luhn(number: Digits, length: int | None = None) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1 annex B): from the right, every second digit
    counts double. `length`: of that many of its first digits; of all of them where None."""
    total = 0
    length = len(number) if length is None else length
    for index in range(length):
        digit = number[index] - _ZERO
        if (length - index) % 2 == 0:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total = (total + digit) % 10
    return total == 0


def check_number(number: Digits, *, ended: bool) -> Check:
    """The card number as it stands, or as ended by `#`: then it is COMPLETE or INVALID."""
    brand = find_brand(number) or _OTHER
    length = len(number)
    longest = brand.lengths[-1]
    if length > longest or (ended and length not in brand.lengths):
        return Check(Verdict.INVALID, FieldReason.CARD_NUMBER_LENGTH)
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
        return Check(Verdict.INVALID, FieldReason.EXPIRY_LENGTH) if ended or too_long else INCOMPLETE
    month = (expiry[0] - _ZERO) * 10 + expiry[1] - _ZERO
    if not 1 <= month <= 12:
        return Check(Verdict.INVALID, FieldReason.EXPIRY_MONTH)
    years_left = (expiry[2] - _ZERO) * 10 + expiry[3] - _ZERO - (today[0] - 2000)
    if years_left < 0 or (years_left == 0 and month < today[1]):
        return Check(Verdict.INVALID, FieldReason.EXPIRY_PAST)
    return Check(Verdict.INVALID, FieldReason.EXPIRY_TOO_FAR) if years_left > _FARTHEST else COMPLETE


def check_code(code: Digits, brand: Brand | None, *, ended: bool) -> Check:
    """The security code against its brand's length: 4 with American Express, else 3."""
    wanted = (brand or _OTHER).code_length
    if len(code) == wanted:
        return COMPLETE
    return (
        Check(Verdict.INVALID, FieldReason.SECURITY_CODE_LENGTH)
        if ended or len(code) > wanted
        else INCOMPLETE
    )
