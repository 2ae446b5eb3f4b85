"""Detects card numbers in free text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_LENGTHS: Final = range(12, 20)  # ISO/IEC 7812-1
# Twelve digits in groups are more often a date and a number than a card.
_GROUPED: Final = range(13, 20)
_SHORT_AMONG_LETTERS: Final = re.compile(r"(?<=[^\W\d_])\d{1,2}(?=\D|$)|(?<!\d)\d{1,2}(?=[^\W\d_])")
_UUID: Final = re.compile(  # RFC 9562 section 4, with or without its hyphens
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24})(?![0-9A-Za-z])"
)
# How numbers of cards begin, where they are in groups.
_BRANDS: Final = re.compile(r"[3-6]|2[2-7]|9792")


def looks_like_card_number(text: str) -> bool:
    """Whether `text` holds a card number with a correct check digit.

    Digits of any script count: in a row, or in groups with anything but digits between them; groups
    with letters between them have three digits at least. A UUID is no card number, unless it is of
    digits alone: otherwise every third UUID would be refused.
    """
    normal = _UUID.sub(_without_uuid, unicodedata.normalize("NFKC", text))
    groups = [_decimal(group) for group in re.findall(r"\d+", normal)]
    if any(len(group) >= _LENGTHS.start and _passes_luhn(group) for group in groups):
        return True
    rows = (
        _joined([_decimal(group) for group in re.findall(r"\d+", part)])
        for part in _SHORT_AMONG_LETTERS.split(normal)
    )
    return any(_BRANDS.match(joined) and _passes_luhn(joined) for row in rows for joined in row)


def _without_uuid(found: re.Match[str]) -> str:
    return found[0] if found[0].replace("-", "").isdecimal() else "x"


def _decimal(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)


def _joined(groups: list[str]) -> Iterator[str]:
    """Every row of whole groups, two at least, that has the length of a card number."""
    for first in range(len(groups)):
        joined = groups[first]
        for group in groups[first + 1 : first + _GROUPED.stop]:  # each has a digit at least
            joined += group
            if len(joined) >= _GROUPED.stop:
                break
            if len(joined) in _GROUPED:
                yield joined


def _passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0
