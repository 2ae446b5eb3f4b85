"""A card on its way to the provider: number, expiry and security code that show nothing of
themselves.

Rule 1: the digits stand once, in a locked page (`CardBlock`); the three secrets are views of it,
        not copies.
Rule 2: only an adapter calls `reveal()`, and only inside the request that it yields.
Rule 3: nothing here shows a digit: not by repr, str, format, exception, pickle, copy or comparison.
Rule 4: only the room of the payer and the adapters import this module.
"""

from __future__ import annotations

import ctypes
import mmap
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from provider_adapters.readings import readings

# The fields of a card as media names them (media.events.Field), in the order of the digit block,
# and how many digits each may have. ISO/IEC 7812-1: at most 19; a security code may be missing.
FIELDS = {"card_number": range(12, 20), "expiry": range(4, 5), "security_code": (0, 3, 4)}
_CENTURY = 2000
_NUMBERS = re.compile(r"\d+")
# Digits that no letter touches: a hexadecimal identifier has others.
_WORDS = re.compile(r"(?<![^\W_])\d+(?![^\W_])")


class Wiped(Exception):
    """The card was wiped before it was used."""


class BadCard(Exception):
    """What arrived cannot be a card. The text carries no digit."""


class _Secret:
    """Digits in memory that somebody else owns."""

    __slots__ = ("_digits",)

    def __init__(self, digits: memoryview | bytearray) -> None:
        view = memoryview(digits)
        if view.readonly:
            raise BadCard("a secret needs memory that can be wiped")
        if not all(0x30 <= octet <= 0x39 for octet in view):
            raise BadCard("a secret of something else than digits")
        self._digits: memoryview | None = view

    def _text(self) -> str:
        if self._digits is None:
            raise Wiped("the card was wiped")
        return str(self._digits, "ascii")

    def __len__(self) -> int:
        return 0 if self._digits is None else len(self._digits)

    def _is_in(self, digits: str) -> bool:
        return bool(self._digits) and digits.encode().find(self._digits or b"") >= 0

    def _part_is_in(self, digits: str, length: int) -> bool:
        """Whether `digits` has so many of these in a row, forwards or backwards."""
        own, text = self._digits, digits.encode()
        if own is None or not length:
            return False
        parts = [own[start : start + length] for start in range(len(own) - length + 1)]
        return any(text.find(part) >= 0 or text[::-1].find(part) >= 0 for part in parts)

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


class Pan(_Secret):
    """The primary account number."""

    __slots__ = ()

    def reveal(self) -> str:
        """The digits. Raises Wiped."""
        return self._text()


class Expiry(_Secret):
    """The month in which the card expires, as keyed: MMYY."""

    __slots__ = ()

    def reveal(self) -> tuple[int, int]:
        """Month (1 to 12, unchecked) and four-digit year. Raises Wiped."""
        text = self._text()
        return int(text[:2]), _CENTURY + int(text[2:])

    def reveal_digits(self) -> tuple[str, str]:
        """Month in two digits and year in four. Raises Wiped."""
        text = self._text()
        return text[:2], str(_CENTURY)[:2] + text[2:]


class SecurityCode(_Secret):
    """CVC2, CVV2 or CID: sensitive authentication data; empty where none was asked for."""

    __slots__ = ()

    def reveal(self) -> str:
        """The digits. Raises Wiped."""
        return self._text()


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """The three together."""

    pan: Pan
    expiry: Expiry
    security_code: SecurityCode

    def quoted_in(self, text: str) -> bool:
        """Whether `text`, a provider's own identifier, holds the card number or half of it, however
        it is grouped, turned round or encoded, or the security code as a word of its own."""
        return any(self._number_in(each) or self._code_in(each, _WORDS) for each in readings(text))

    def told_in(self, text: str) -> bool:
        """The same of a text meant to be read: there the security code counts as a number of its
        own."""
        return any(self._number_in(each) or self._code_in(each, _NUMBERS) for each in readings(text))

    def _number_in(self, text: str) -> bool:
        return self.pan._part_is_in(_decimal(text), len(self.pan) // 2)

    def _code_in(self, text: str, runs: re.Pattern[str]) -> bool:
        code = self.security_code
        found = (_decimal(run) for run in runs.findall(text))
        return any(len(run) == len(code) and code._part_is_in(run, len(code)) for run in found)

    def wipe(self) -> None:
        for secret in (self.pan, self.expiry, self.security_code):
            secret.wipe()


def _decimal(text: str) -> str:
    """The digits of a text, in ASCII, without what stands between them."""
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())


class CardBlock:
    """The one place of a card's digits in this process: a page that is locked, never dumped and not
    inherited.

    The digits are received into `space()`, field by field without anything between them. `fields`:
    name and number of digits of each. Raises BadCard for fields or lengths that no card has.
    """

    def __init__(self, fields: Sequence[tuple[str, int]]) -> None:
        if [name for name, _ in fields] != list(FIELDS):
            raise BadCard("fields that no card has")
        if not all(length in FIELDS[name] for name, length in fields):
            raise BadCard("lengths that no card has")
        self._lengths = [length for _, length in fields]
        self._page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._page.madvise(mmap.MADV_DONTDUMP)
        self._page.madvise(mmap.MADV_DONTFORK)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        # Best effort: where RLIMIT_MEMLOCK is exhausted the page may be swapped, which
        # `tonewall.process.harden` has said already.
        ctypes.CDLL(None).mlock(ctypes.c_void_p(start), ctypes.c_size_t(mmap.PAGESIZE))

    def space(self) -> memoryview:
        """Where the digits are to be received."""
        return memoryview(self._page)[: sum(self._lengths)]

    def card(self) -> Card:
        """The card that was received. Raises BadCard where something else than digits was."""
        number, expiry, _ = self._lengths
        space = self.space()
        return Card(
            pan=Pan(space[:number]),
            expiry=Expiry(space[number : number + expiry]),
            security_code=SecurityCode(space[number + expiry :]),
        )

    def wipe(self) -> None:
        """Overwrite the page."""
        self._page[:] = bytes(mmap.PAGESIZE)

    def __repr__(self) -> str:
        return "CardBlock(…)"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("CardBlock is neither pickled nor copied")
