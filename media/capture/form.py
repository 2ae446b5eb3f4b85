"""Describes a form: the fields that a customer keys, in order, and the rules of each.

The machine, the vault and the agent's view follow it; what others may know of a field is in
media/form_description.py. The payer has its own list of what it accepts
(provider_adapters/card.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from media.capture.check import Check, Digits
from media.events import Field, FieldName
from media.form_description import FieldDescription


@dataclass(frozen=True, slots=True)
class Keyed:
    """The digits that a check may read, field by field. `ended`: the
    customer has ended the field, by `#` or a pause."""

    digits: Mapping[FieldName, Digits] = field(repr=False)
    today: date
    ended: bool = False


@dataclass(frozen=True, slots=True)
class FieldRules:
    """One field.

    `max_length`: the digits that it may hold. `check`: its verdict, by its own digits and those of
    fields before it. `has_check_digit`: once complete it holds no digit too many. `last_shown`: how
    many of its last digits the agent may see once it is valid. `name_brand`: the issuer's name by
    the first digits. `optional`: the form may be handed over without it. `confirms`: it is the
    second entry of that field.
    """

    field: FieldName
    max_length: int
    check: Callable[[Keyed], Check]
    has_check_digit: bool = False
    last_shown: int = 0
    name_brand: Callable[[Digits], str | None] | None = None
    optional: bool = False
    confirms: FieldName = ""

    @classmethod
    def of(
        cls,
        description: FieldDescription,
        check: Callable[[Keyed], Check],
        *,
        has_check_digit: bool = False,
        name_brand: Callable[[Digits], str | None] | None = None,
    ) -> FieldRules:
        """The rules of a field that is described."""
        return cls(
            description.field,
            description.max_length,
            check,
            has_check_digit,
            description.last_shown,
            name_brand,
            description.optional,
            description.confirms,
        )


@dataclass(frozen=True, slots=True)
class Form:
    """All fields, in the order in which they are keyed. `end_key`, `clear_key`: the ASCII codes of
    the keys that end and clear a field; None: no key does."""

    name: str
    rules: tuple[FieldRules, ...]
    end_key: int | None = ord("#")
    clear_key: int | None = ord("*")

    @property
    def fields(self) -> tuple[FieldName, ...]:
        """The names, in order."""
        return tuple(each.field for each in self.rules)

    @property
    def handed_over(self) -> tuple[FieldName, ...]:
        """What a payer gets: where a card is keyed, all of its fields first, in the order of Field;
        then the others. No second entry."""
        card = tuple(each.value for each in Field)
        others = (each.field for each in self.rules if not each.confirms and each.field not in card)
        return (*(card if set(card) & set(self.fields) else ()), *others)

    @property
    def first(self) -> FieldName:
        """The field that is keyed first."""
        return self.rules[0].field

    @property
    def last(self) -> FieldName:
        """The field that ends the form."""
        return self.rules[-1].field

    def rules_of(self, wanted: FieldName) -> FieldRules:
        """The rules of a field. Raises StopIteration for another form's."""
        return next(each for each in self.rules if each.field == wanted)

    def entries(self, wanted: FieldName) -> tuple[FieldName, ...]:
        """This field, and the other entry of one that is keyed twice, the first in front."""
        first = self.first_entry(wanted)
        return (first, *(each.field for each in self.rules if each.confirms == first))

    def first_entry(self, wanted: FieldName) -> FieldName:
        """The field that this one confirms; itself, where it is no second entry."""
        return self.rules_of(wanted).confirms or wanted

    def before(self, wanted: FieldName) -> FieldName:
        """The field before this one; of the first, itself."""
        return self.fields[max(self.fields.index(wanted) - 1, 0)]

    def after(self, wanted: FieldName) -> FieldName:
        """The field behind this one. Raises IndexError for the last."""
        return self.fields[self.fields.index(wanted) + 1]

    def part(self, fields: Collection[FieldName]) -> Form:
        """The form of these fields alone, in its own order."""
        return replace(self, rules=tuple(each for each in self.rules if each.field in fields))

    def from_field(self, wanted: FieldName) -> tuple[FieldName, ...]:
        """This field and all behind it."""
        return self.fields[self.fields.index(wanted) :]
