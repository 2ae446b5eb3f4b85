"""The names of prompts: the most special one that a set has is played.

A name is made of parts with dots between: what is keyed, and what is to be said of it. Each prompt
is asked for by its most special name, and the last part is left out until there is one:

    card_number.error.card_number_check_digit.2   the second refusal of the number, by check digit
    card_number.error.card_number_check_digit
    card_number.error

`confirm` asks for a second entry: other words that ask for one go before those that ask for the
first.

What nobody has recorded for a field is said in the words that fit any field (`field`). Prompts of
no field are listed here; numbers, currencies and tones are prompts of their own, for which no other
stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# A name is a file's name, too.
_PART = re.compile(r"[a-z0-9_-]{1,64}")
_MOST_PARTS = 6
ANY_FIELD: Final = "field"
ERROR: Final = "error"
CONFIRM: Final = "confirm"
# Prompts of no field.
PHRASES: Final = (
    "welcome",
    "complete",
    "amount",
    "confirm",
    "charging",
    "approved",
    "declined",
    "failed",
    "unknown",
    "unheard",
    "transfer",
    "goodbye",
    "code_done",
    "code_refused",
)
_WORDS = ("number-", "currency-", "tone-")


def is_name(text: str) -> bool:
    """Whether it may be the name of a prompt, a set or a language."""
    parts = text.split(".", _MOST_PARTS)
    return len(parts) <= _MOST_PARTS and all(map(_PART.fullmatch, parts))


def fallbacks(name: str) -> Iterator[str]:
    """The name, and those that may stand in its place, the most special first."""
    if name.startswith(_WORDS):
        yield name
        return
    parts = name.split(".")
    firsts = parts[:1] if parts[0] in PHRASES else [parts[0], ANY_FIELD]
    kind = parts[1] if len(parts) > 1 else ""
    least = 2 if kind in (ERROR, CONFIRM) else 1
    firsts = list(dict.fromkeys(firsts))
    for first in firsts:
        for count in range(len(parts), least - 1, -1):
            yield ".".join([first, *parts[1:count]])
    if kind == CONFIRM and parts[0] not in PHRASES:
        yield from firsts
