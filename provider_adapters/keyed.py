"""The fields that a customer keyed, on their way out: digits that show nothing of themselves.

Rule 1: the digits stand once, in a locked page (`KeyedBlock`); every secret is a view of it, not a
        copy.
Rule 2: only an adapter calls `reveal()`, and only inside the request that it yields.
Rule 3: nothing here shows a digit: not by repr, str, format, exception, pickle, copy or comparison.
Rule 4: only the room of the payer and the adapters import this module.
Rule 5: the fields of a card make a card (`provider_adapters/card.py`) or nothing: `FormBlock` takes
        none of them.
"""

from __future__ import annotations

import ctypes
import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from provider_adapters.readings import readings

CARD_FIELDS = ("card_number", "expiry", "security_code")
"""The fields of a card as media names them (media.events.Field), in the order of the digit
block."""
MAX_FIELDS, MAX_DIGITS = 16, 64
"""Of one form; of one field."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NUMBERS = re.compile(r"\d+")
# Digits that no letter touches: a hexadecimal identifier has others.
_WORDS = re.compile(r"(?<![^\W_])\d+(?![^\W_])")
# Digits of a field in a row that count as a quotation, in an identifier and in a text for people.
# What is shorter counts whole, and the shortest as a number of its own alone.
_QUOTED, _TOLD, _SHORTEST = 6, 4, 4


class Wiped(Exception):
    """The digits were wiped before they were used."""


class BadFields(Exception):
    """What arrived cannot be what was announced. The text carries no digit."""


class Keyed(Protocol):
    """What a payer was given: a card, or the fields of a form."""

    def quoted_in(self, text: str) -> bool:
        """Whether `text`, an identifier of the other side's, holds enough of the digits to tell
        them."""
        ...

    def told_in(self, text: str) -> bool:
        """The same of a text meant to be read."""
        ...

    def wipe(self) -> None:
        """Overwrite the digits."""
        ...


class Secret:
    """Digits in memory that somebody else owns."""

    __slots__ = ("_digits",)

    def __init__(self, digits: memoryview | bytearray) -> None:
        view = memoryview(digits)
        if view.readonly:
            raise BadFields("a secret needs memory that can be wiped")
        if not all(0x30 <= octet <= 0x39 for octet in view):
            raise BadFields("a secret of something else than digits")
        self._digits: memoryview | None = view

    def _text(self) -> str:
        if self._digits is None:
            raise Wiped("the digits were wiped")
        return str(self._digits, "ascii")

    def __len__(self) -> int:
        return 0 if self._digits is None else len(self._digits)

    def part_is_in(self, digits: str, length: int) -> bool:
        """Whether `digits` has so many of these in a row, forwards or backwards."""
        own, text = self._digits, digits.encode()
        if own is None or not length:
            return False
        parts = [own[start : start + length] for start in range(len(own) - length + 1)]
        return any(text.find(part) >= 0 or text[::-1].find(part) >= 0 for part in parts)

    def is_number_in(self, text: str) -> bool:
        """Whether these digits are a number of their own in a text."""
        return self._is_run_in(text, _NUMBERS)

    def is_word_in(self, text: str) -> bool:
        """Whether they are a word of their own there."""
        return self._is_run_in(text, _WORDS)

    def _is_run_in(self, text: str, runs: re.Pattern[str]) -> bool:
        found = (decimal_digits(run) for run in runs.findall(text))
        return any(len(run) == len(self) and self.part_is_in(run, len(self)) for run in found)

    def wipe(self) -> None:
        """Overwrite the digits where they stand, and forget where that was."""
        if self._digits is not None:
            self._digits[:] = bytes(len(self._digits))
            self._digits.release()
            self._digits = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is neither pickled nor copied")


class KeyedField(Secret):
    """One field of a form; empty where the agent skipped it."""

    __slots__ = ()

    def reveal(self) -> str:
        """The digits. Raises Wiped."""
        return self._text()


@dataclass(frozen=True, slots=True, eq=False)
class KeyedFields:
    """The fields of a form by their names, in its order."""

    fields: Mapping[str, KeyedField]

    def quoted_in(self, text: str) -> bool:
        """Whether `text`, an identifier of the other side's, holds six digits of a field in a row,
        however they are grouped, turned round or encoded; of a shorter field all of them, and of
        one of up to three digits as a word of its own."""
        return any(self._is_in(reading, Secret.is_word_in, _QUOTED) for reading in readings(text))

    def told_in(self, text: str) -> bool:
        """The same of a text meant to be read: there four digits in a row count."""
        return any(self._is_in(reading, Secret.is_number_in, _TOLD) for reading in readings(text))

    def _is_in(self, text: str, is_alone_in: Callable[[Secret, str], bool], enough: int) -> bool:
        digits = decimal_digits(text)
        return any(
            is_alone_in(each, text)
            if len(each) < _SHORTEST
            else each.part_is_in(digits, min(len(each), enough))
            for each in self.fields.values()
        )

    def wipe(self) -> None:
        """Overwrite the digits of every field."""
        for each in self.fields.values():
            each.wipe()


def decimal_digits(text: str) -> str:
    """The digits of a text, in ASCII, without what stands between them."""
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())


class KeyedBlock:
    """The one place of the digits in this process: a page that is locked, never dumped and not
    inherited.

    The digits are received into `space()`, field by field without anything between them. `fields`:
    name and number of digits of each. Raises BadFields for more than a form can have.
    """

    def __init__(self, fields: Sequence[tuple[str, int]]) -> None:
        names = [name for name, _ in fields]
        if not 0 < len(names) <= MAX_FIELDS or len(set(names)) < len(names):
            raise BadFields("no fields, too many, or one twice")
        if not all(_NAME.fullmatch(name) and 0 <= length <= MAX_DIGITS for name, length in fields):
            raise BadFields("fields that no form has")
        self._lengths = dict(fields)
        self._page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._page.madvise(mmap.MADV_DONTDUMP)
        self._page.madvise(mmap.MADV_DONTFORK)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        # Best effort: where RLIMIT_MEMLOCK is exhausted the page may be swapped, which
        # `tonewall.process.harden` has said already.
        ctypes.CDLL(None).mlock(ctypes.c_void_p(start), ctypes.c_size_t(mmap.PAGESIZE))

    def space(self) -> memoryview:
        """Where the digits are to be received."""
        return memoryview(self._page)[: sum(self._lengths.values())]

    def parts(self) -> Iterator[tuple[str, memoryview]]:
        """Each field's part of the space, by its name."""
        space, at = self.space(), 0
        for name, length in self._lengths.items():
            yield name, space[at : at + length]
            at += length

    def wipe(self) -> None:
        """Overwrite the page."""
        self._page[:] = bytes(mmap.PAGESIZE)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is neither pickled nor copied")


class FormBlock(KeyedBlock):
    """The block of a form without a card. Raises BadFields for a field of a card, too, and where
    all are empty."""

    def __init__(self, fields: Sequence[tuple[str, int]]) -> None:
        if any(name in CARD_FIELDS for name, _ in fields):
            raise BadFields("a field of a card")
        if not any(length for _, length in fields):
            raise BadFields("fields without a digit")
        super().__init__(fields)

    def fields(self) -> KeyedFields:
        """The fields that were received. Raises BadFields where something else than digits was."""
        return KeyedFields({name: KeyedField(part) for name, part in self.parts()})
