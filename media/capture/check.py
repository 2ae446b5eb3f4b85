"""Judges digits: the verdict on a field, and the check digit of ISO/IEC 7812-1.

Rule 1: digits are read one at a time from a view of ASCII bytes in locked memory; no str, bytes or
        int of several digits is ever made (single small ints are shared by the interpreter and say
        nothing).
Rule 2: a check names its reason by a code that has its words (media.events.FIELD_REASONS); it never
        quotes a digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from media.events import FieldReason

ZERO = 0x30  # ASCII "0"


class Digits(Protocol):
    """ASCII digits by index: a memoryview of locked memory, in the product."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...


class Verdict(Enum):
    """The state of a field by the digits that it has."""

    INCOMPLETE = "incomplete"
    ENOUGH = "enough"  # a usual length, though longer ones exist: a pause ends the field
    COMPLETE = "complete"
    INVALID = "invalid"
    # No value of this length, but its first `shorter` digits are one, and the rest may be the
    # beginning of the next field.
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Check:
    """A verdict. `reason` is set where it is INVALID or SPLIT. `shorter`: the number of first
    digits that would be a whole value too, where there is a shorter one."""

    verdict: Verdict
    reason: FieldReason | None = None
    shorter: int | None = None


INCOMPLETE = Check(Verdict.INCOMPLETE)
ENOUGH = Check(Verdict.ENOUGH)
COMPLETE = Check(Verdict.COMPLETE)


def refused(reason: FieldReason) -> Check:
    """INVALID, for this reason."""
    return Check(Verdict.INVALID, reason)


def passes_luhn(number: Digits, length: int | None = None) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1 annex B): from the right, every second digit
    counts double. `length`: of that many of its first digits; of all of them where None."""
    total = 0
    length = len(number) if length is None else length
    for index in range(length):
        digit = number[index] - ZERO
        if (length - index) % 2 == 0:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total = (total + digit) % 10
    return total == 0
