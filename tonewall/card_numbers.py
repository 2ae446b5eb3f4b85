"""Detects card numbers in free text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_LENGTHS: Final = range(12, 20)  # ISO/IEC 7812-1
# Twelve digits in groups are more often a date and a number than a card.
_GROUPED: Final = range(13, 20)
_FEW: Final = 2  # digits of a group that letters part from its neighbours
_DIGITS: Final = re.compile(r"\d+")
_LETTER: Final = re.compile(r"[^\W\d_]")
_UUID: Final = re.compile(  # RFC 9562 section 4, with or without its hyphens
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24})(?![0-9A-Za-z])"
)
# How numbers of cards begin, where they are in groups.
_BRANDS: Final = re.compile(r"[3-6]|2[2-7]|9792")


def looks_like_card_number(text: str) -> bool:
    """Whether `text` holds a card number with a correct check digit.

    Digits of any script count: 12 or more in a row, or 13 to 19 in groups with anything but digits
    between them. A group of one or two digits that a letter touches belongs to a number only where
    no letter parts it from the group on its other side. The groups of a UUID are no card number,
    unless it is of digits alone: otherwise every third UUID would be refused.
    """
    normal = unicodedata.normalize("NFKC", text)
    rows = [_decimal(row) for row in _DIGITS.findall(normal)]
    if any(len(row) >= _LENGTHS.start and _passes_luhn(row) for row in rows):
        return True
    numbers = (
        joined for groups in _linked_groups(_UUID.sub(_without_uuid, normal)) for joined in _joined(groups)
    )
    return any(_BRANDS.match(number) and _passes_luhn(number) for number in numbers)


def _linked_groups(text: str) -> Iterator[list[str]]:
    """The groups of digits that may be parts of one number, in their order."""
    gaps = _DIGITS.split(text)  # one more than groups; the first and the last may be empty
    parted = [True, *(bool(_LETTER.search(gap)) for gap in gaps[1:-1]), True]
    linked: list[str] = []
    for place, group in enumerate(_DIGITS.findall(text)):
        letter_before, letter_behind = gaps[place][-1:].isalnum(), gaps[place + 1][:1].isalnum()
        alone = (letter_before and parted[place + 1]) or (letter_behind and parted[place])
        if alone and len(group) <= _FEW:
            yield linked
            linked = []
        else:
            linked.append(_decimal(group))
    yield linked


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
