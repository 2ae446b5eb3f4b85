"""Says an amount in prompts: the names of its numbers and of its currency, in the order in which
they are spoken.

Rule 1: an amount is said whole and right, or not at all: ().
Rule 2: a language has its own order of numbers and its own plurals, in the categories of Unicode:
        one, few, many, other. A new one is a row of LANGUAGES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_CURRENCIES: Final = frozenset({"EUR", "GBP", "PLN", "USD"})  # each of a hundred minor units
_MOST: Final = 1_000_000  # major units, that one less can be said


def speak_amount(amount: int, currency: str, language: str) -> tuple[str, ...]:
    """The prompts of an amount in minor units. (): it cannot be said in this language."""
    speaker = LANGUAGES.get(language.partition("-")[0])
    major, minor = divmod(amount, 100)
    if speaker is None or currency not in _CURRENCIES or amount < 0 or major >= _MOST:
        return ()
    number, plural = speaker
    name = f"currency-{currency.lower()}"
    said = (*number(major), f"{name}-{plural(major)}") if major or not minor else ()
    if not minor:
        return said
    join = ("number-and",) if said else ()
    return (*said, *join, *number(minor), f"{name}-minor-{plural(minor)}")


# --- English --------------------------------------------------------------------------------------


def _english(number: int) -> tuple[str, ...]:
    thousands, rest = divmod(number, 1000)
    if thousands:
        joint = () if rest >= 100 or not rest else ("number-and",)
        return (*_english(thousands), "number-thousand", *joint, *(_english(rest) if rest else ()))
    hundreds, rest = divmod(number, 100)
    if hundreds:
        tail = ("number-and", *_below_hundred(rest)) if rest else ()
        return (f"number-{hundreds}", "number-hundred", *tail)
    return _below_hundred(number)


def _english_plural(number: int) -> str:
    return "one" if number == 1 else "other"


# --- Polish ---------------------------------------------------------------------------------------


def _polish(number: int) -> tuple[str, ...]:
    thousands, rest = divmod(number, 1000)
    if thousands:
        # "tysiąc", not "jeden tysiąc".
        count = _polish(thousands) if thousands > 1 else ()
        tail = _polish(rest) if rest else ()
        return (*count, f"number-thousand-{_polish_plural(thousands)}", *tail)
    hundreds, rest = divmod(number, 100)
    head = (f"number-{hundreds * 100}",) if hundreds else ()
    return (*head, *(_below_hundred(rest) if rest or not hundreds else ()))


def _polish_plural(number: int) -> str:
    """1 złoty; 2, 3, 4, 22 złote; 0, 5, 12, 21, 112 złotych."""
    if number == 1:
        return "one"
    few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
    return "few" if few else "many"


# --- both -----------------------------------------------------------------------------------------


def _below_hundred(number: int) -> tuple[str, ...]:
    if number < 20:
        return (f"number-{number}",)
    tens, rest = divmod(number, 10)
    return (f"number-{tens * 10}", *((f"number-{rest}",) if rest else ()))


# For each language: the prompts of a number, and the plural that goes with it.
LANGUAGES: Final[Mapping[str, tuple[Callable[[int], tuple[str, ...]], Callable[[int], str]]]] = {
    "en": (_english, _english_plural),
    "pl": (_polish, _polish_plural),
}
