"""Recognises a person's telephone numbers in what is kept, and blanks them there.

Rule 1: a whole value is compared as numbers are, in any way to write it, and with the pseudonyms
        of every key. In free text a number counts with its country, or as a carrier writes it.
Rule 2: only the values below the names in FREE may change: an id, a reference or who did something
        stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from b2bua.call.pseudonyms import Pseudonyms

ERASED: Final = "erased"
FREE: Final = frozenset(
    {"caller", "callee", "extension", "description", "customer", "statement", "metadata", "phone", "email"}
    | {"receipt"}
)
# Digits as numbers are written in a text.
_RUN: Final = re.compile(r"[0-9](?:[ ()./-]{0,2}[0-9])*")
_SHORTEST: Final = 7  # digits of a number that is looked for in a text


class Wanted:
    """A person's numbers."""

    def __init__(self, numbers: Sequence[str], pseudonyms: Pseudonyms) -> None:
        self._compared = pseudonyms.compared
        self._plain = {pseudonyms.compared(each) for each in numbers}
        self._names = {name for each in numbers for name in pseudonyms.all_of(each)}
        texts = {
            text
            for each in self._plain
            for text in pseudonyms.written(each)
            if text.isdecimal() and len(text) >= _SHORTEST
        }
        self._texts = sorted(texts, key=len, reverse=True)

    @property
    def tails(self) -> list[str]:
        """Patterns of a query, one of which fits every way to write one of the numbers, or its
        pseudonym."""
        return [*(f"%{'%'.join(each[-6:])}%" for each in self._plain), *self._names]

    def is_it(self, number: str) -> bool:
        """Whether a whole value is one of the numbers."""
        return number in self._names or self._compared(number) in self._plain

    def blank(self, document: Any) -> Any:
        """A document of JSON with the numbers blanked."""
        return self._blank(document, is_free=False)

    def blank_encoded(self, encoded: bytes) -> bytes | None:
        """The same, encoded; None where none of the numbers is in it."""
        before = msgspec.json.decode(encoded)
        after = self.blank(before)
        return None if after == before else msgspec.json.encode(after)

    def _blank(self, value: Any, *, is_free: bool) -> Any:
        if isinstance(value, dict):
            return {name: self._blank(each, is_free=is_free or name in FREE) for name, each in value.items()}
        if isinstance(value, list):
            return [self._blank(each, is_free=is_free) for each in value]
        if not is_free or not isinstance(value, str) or not value:
            return value
        if self.is_it(value):
            return ERASED
        return _RUN.sub(self._blank_run, value).replace(f"+{ERASED}", ERASED)

    def _blank_run(self, run: re.Match[str]) -> str:
        """A run of digits and what stands between them, without the numbers in it."""
        text = run[0]
        places = [place for place, letter in enumerate(text) if letter.isdecimal()]
        digits = "".join(text[place] for place in places)
        for number in self._texts:
            at = digits.find(number)
            while at >= 0:
                first, last = places[at], places[at + len(number) - 1]
                if text[:first].endswith("00"):
                    first -= 2
                if not _is_digit(text[first - 1 : first]) and not _is_digit(text[last + 1 : last + 2]):
                    before, behind = text[:first], text[last + 1 :]
                    return f"{_RUN.sub(self._blank_run, before)}{ERASED}{_RUN.sub(self._blank_run, behind)}"
                at = digits.find(number, at + 1)
        return text


def _is_digit(letter: str) -> bool:
    return letter.isascii() and letter.isdecimal()
