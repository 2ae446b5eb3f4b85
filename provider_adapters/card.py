"""A card on its way to the provider: number, expiry and security code that show nothing of
themselves.

Rule: as in `provider_adapters/keyed.py`, of which a card is a special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_adapters.keyed import CARD_FIELDS, BadFields, KeyedBlock, Secret, decimal_digits
from provider_adapters.readings import readings

# How many digits each field of a card may have, in the order of the digit block. ISO/IEC 7812-1: at
# most 19; a security code may be missing.
FIELDS = dict(zip(CARD_FIELDS, (range(12, 20), range(4, 5), (0, 3, 4)), strict=True))
_CENTURY = 2000


class BadCard(BadFields):
    """What arrived cannot be a card. The text carries no digit."""


class Pan(Secret):
    """The primary account number."""

    __slots__ = ()

    def reveal(self) -> str:
        """The digits. Raises Wiped."""
        return self._text()


class Expiry(Secret):
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


class SecurityCode(Secret):
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
        return any(self._number_in(each) or self.security_code.is_word_in(each) for each in readings(text))

    def told_in(self, text: str) -> bool:
        """The same of a text meant to be read: there the security code counts as a number of its
        own."""
        return any(self._number_in(each) or self.security_code.is_number_in(each) for each in readings(text))

    def _number_in(self, text: str) -> bool:
        return self.pan.part_is_in(decimal_digits(text), len(self.pan) // 2)

    def wipe(self) -> None:
        """Overwrite the digits of all three."""
        for secret in (self.pan, self.expiry, self.security_code):
            secret.wipe()


class CardBlock(KeyedBlock):
    """The block of a card. Raises BadCard for fields or lengths that no card has."""

    def __init__(self, fields: Sequence[tuple[str, int]]) -> None:
        if [name for name, _ in fields] != list(FIELDS):
            raise BadCard("fields that no card has")
        if not all(length in FIELDS[name] for name, length in fields):
            raise BadCard("lengths that no card has")
        super().__init__(fields)

    def card(self) -> Card:
        """The card that was received. Raises BadFields where something else than digits was."""
        number, expiry, code = (part for _, part in self.parts())
        return Card(pan=Pan(number), expiry=Expiry(expiry), security_code=SecurityCode(code))
