"""Writes telephone numbers as they are compared with each other."""

from __future__ import annotations

from typing import Final

_PUNCTUATION: Final = str.maketrans("", "", " ()./-")


def plain_number(number: str) -> str:
    """A number without punctuation, and without the sign or zeros that stand before a country."""
    plain = number.translate(_PUNCTUATION)
    return plain.removeprefix("+") if plain.startswith("+") else plain.removeprefix("00")
