"""Draws the keys of a self-test: unguessable, and no card number."""

from __future__ import annotations

import secrets
from typing import Final

_SHORTEST_CARD: Final = 12  # digits
CONTROL: Final = 4


def draw_keys(count: int) -> str:
    """So many digits. No run of them that is long enough is a card number, and none comes twice in
    succession, so that each is one key to whoever listens."""
    while True:
        keys = ""
        while len(keys) < count:
            key = secrets.choice("0123456789")
            keys += key if key != keys[-1:] else ""
        if not any(
            has_luhn(keys[begin:end])
            for begin in range(count)
            for end in range(begin + _SHORTEST_CARD, count + 1)
        ):
            return keys


def has_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of a card number (ISO/IEC 7812-1)."""
    doubled = [int(each) * (1 + place % 2) for place, each in enumerate(reversed(digits))]
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0
