"""Describes the fields of a form for whoever shows them: order, lengths, and what may be seen.

A field is described here once: the checks (media/capture/card_form.py) take its lengths from here,
the API hands the description on, and the agents' page draws what it says. Lengths are in digits.
"""

from __future__ import annotations

from typing import Final

import msgspec

from media.messages.fields import Field
from media.messages.forms import CardForm


class FieldDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One field; `field` is the key of its words, too.

    `usual_length`: that most values have, `usual_length_by_brand` those of a brand, where it has
    another. `group`: how many digits people write together; 0: all. `last_shown`: how many of its
    last digits an agent may see once it is valid; 0: none, ever. `optional`: the agent may skip it.
    """

    field: Field
    min_length: int
    max_length: int
    usual_length: int
    usual_length_by_brand: dict[str, int] = {}
    group: int = 0
    last_shown: int = 0
    optional: bool = False

    def length_of(self, brand: str | None) -> int:
        """The usual length with this brand; None: with one that is not known."""
        return self.usual_length_by_brand.get(brand or "", self.usual_length)


class FormDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A form; `fields` in the order in which they are keyed. `end_key`, `clear_key`: the keys that
    end and clear a field; empty: none does. `brands`: as in CardForm."""

    name: str
    fields: tuple[FieldDescription, ...]
    end_key: str = "#"
    clear_key: str = "*"
    brands: tuple[str, ...] = ()


CARD_NUMBER: Final = FieldDescription(
    field=Field.CARD_NUMBER,
    min_length=12,
    max_length=19,  # ISO/IEC 7812-1
    usual_length=16,
    group=4,
    last_shown=4,  # PCI DSS 3.4.1
)
EXPIRY: Final = FieldDescription(field=Field.EXPIRY, min_length=4, max_length=4, usual_length=4, group=2)
SECURITY_CODE: Final = FieldDescription(
    field=Field.SECURITY_CODE,
    min_length=3,
    max_length=4,
    usual_length=3,
    usual_length_by_brand={"amex": 4},
)


def describe(wanted: CardForm) -> FormDescription:
    """The form for whoever shows it."""
    code = msgspec.structs.replace(SECURITY_CODE, optional=wanted.security_code == "optional")
    return FormDescription(
        name=wanted.name,
        fields=(CARD_NUMBER, EXPIRY) if wanted.security_code == "never" else (CARD_NUMBER, EXPIRY, code),
        end_key=wanted.end_key,
        clear_key=wanted.clear_key,
        brands=wanted.brands,
    )


CARD: Final = describe(CardForm())
