"""Describes the fields of a form for whoever shows them: order, lengths, and what may be seen.

A field is described here once: the checks (media/capture/form_rules.py) take its lengths from here,
the API hands the description on, and the agents' page draws what it says. Lengths are in digits.

Rule 1: a field shows four of its last digits at most, and never more than half of its shortest
        value; a secret, an expiry and a security code show none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from media.iban_countries import keyed_length
from media.messages.fields import Field, FieldName
from media.messages.forms import CaptureForm, FieldKind, FormField, FormResult

MAX_LENGTH: Final = 32  # of a field
MAX_FIELDS: Final = 12  # of a form, without second entries
MAX_SHOWN: Final = 4
AGAIN: Final = "_again"  # behind the name of a field: that of its second entry
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MIN_CHECKED: Final = 4  # digits, of which a check digit says less than they are


class BadForm(ValueError):
    """No capture can be made of this form. The text names the field and what was expected."""


class FieldDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One field; `field` is the key of its words, too.

    `label`: its name for people; empty: the page has one. `usual_length`: that most values have; 0:
    none in particular; `usual_length_by_brand` those of a brand, where it has another;
    `usual_length_by_country` those of a country, in the same way. `group`: how many digits people
    write together; 0: all; `groups_by_brand`: of each group of a value of the usual length, where a
    brand has others. `last_shown`: how many of its last digits an agent
    may see once it is valid; 0: none, ever. `optional`: the agent may skip it. `confirms`: it is
    the second entry of that field. `countries`: the agent chooses one of them, the first being the
    usual one. `date_format`: of a date; otherwise
    empty.
    """

    field: FieldName
    kind: FieldKind = "digits"
    label: str = ""
    min_length: int
    max_length: int
    usual_length: int
    usual_length_by_brand: dict[str, int] = {}
    usual_length_by_country: dict[str, int] = {}
    group: int = 0
    groups_by_brand: dict[str, tuple[int, ...]] = {}
    last_shown: int = 0
    optional: bool = False
    confirms: FieldName = ""
    countries: tuple[str, ...] = ()
    date_format: str = ""

    def length_of(self, brand: str | None) -> int:
        """The usual length with this brand; None: with one that is not known."""
        return self.usual_length_by_brand.get(brand or "", self.usual_length)


class FormDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A form; `fields` in the order in which they are keyed, each second entry behind its first.
    `end_key`, `clear_key`: the keys that end and clear a field; empty: none does. `brands`: as in
    CaptureForm. `result`: what becomes of it once it is submitted."""

    name: str
    fields: tuple[FieldDescription, ...]
    end_key: str = "#"
    clear_key: str = "*"
    brands: tuple[str, ...] = ()
    result: FormResult = "charge"


CARD_NUMBER: Final = FieldDescription(
    field=Field.CARD_NUMBER,
    kind="card_number",
    min_length=12,
    max_length=19,  # ISO/IEC 7812-1
    usual_length=16,
    usual_length_by_brand={"amex": 15, "diners": 14},
    group=4,
    groups_by_brand={"amex": (4, 6, 5), "diners": (4, 6, 4)},
    last_shown=4,  # PCI DSS 3.4.1
)
EXPIRY: Final = FieldDescription(
    field=Field.EXPIRY, kind="expiry", min_length=4, max_length=4, usual_length=4, group=2
)
SECURITY_CODE: Final = FieldDescription(
    field=Field.SECURITY_CODE,
    kind="security_code",
    min_length=3,
    max_length=4,
    usual_length=3,
    usual_length_by_brand={"amex": 4},
)
_CARD: Final = {each.kind: each for each in (CARD_NUMBER, EXPIRY, SECURITY_CODE)}
# Of each kind with lengths of its own: shortest, longest, usual length, and digits in a group.
_LENGTHS: Final[Mapping[FieldKind, tuple[int, int, int, int]]] = {
    "date": (8, 8, 8, 2),
    "sort_code": (6, 6, 6, 2),
    "uk_account": (6, 8, 8, 4),
    "nrb": (26, 26, 26, 4),
    "routing_number": (9, 9, 9, 0),
}


def describe_field(wanted: FormField) -> FieldDescription:
    """A field for whoever shows it. Raises BadForm."""
    known = _CARD.get(wanted.kind)
    if known is not None:
        if wanted.name != known.field:
            raise BadForm(f"{wanted.name}: expected the name {known.field}")
        return msgspec.structs.replace(known, optional=wanted.optional)
    if wanted.name in _CARD or wanted.name.endswith(AGAIN) or not _NAME.fullmatch(wanted.name):
        raise BadForm(f"{wanted.name}: expected another name")
    shortest, longest, usual, group = _lengths_of(wanted)
    if not 1 <= shortest <= longest <= MAX_LENGTH:
        raise BadForm(f"{wanted.name}: expected 1 to {MAX_LENGTH} digits, the shortest first")
    if wanted.check != "none" and shortest < _MIN_CHECKED:
        raise BadForm(f"{wanted.name}: expected {_MIN_CHECKED} digits at least, since it has a check digit")
    if not 0 <= wanted.last_shown <= min(MAX_SHOWN, shortest // 2):
        raise BadForm(f"{wanted.name}: expected at most half of its digits to be shown, and {MAX_SHOWN}")
    if wanted.last_shown and wanted.kind in ("secret", "date"):
        raise BadForm(f"{wanted.name}: expected none of its digits to be shown")
    return FieldDescription(
        field=wanted.name,
        kind=wanted.kind,
        label=wanted.label,
        min_length=shortest,
        max_length=longest,
        usual_length=usual,
        group=group,
        last_shown=wanted.last_shown,
        optional=wanted.optional,
        usual_length_by_country={each: keyed_length(each) or 0 for each in wanted.countries},
        countries=wanted.countries,
        date_format=wanted.date_format if wanted.kind == "date" else "",
    )


def _lengths_of(wanted: FormField) -> tuple[int, int, int, int]:
    """Shortest, longest, usual length, and digits in a group."""
    if wanted.kind == "iban":
        countries = (wanted.country,) if wanted.country else wanted.countries
        lengths = [keyed_length(country) for country in countries]
        if not lengths or None in lengths:
            raise BadForm(f"{wanted.name}: expected countries whose IBAN can be keyed in digits")
        known = [length for length in lengths if length is not None]
        return min(known), max(known), known[0], 4
    if wanted.kind in _LENGTHS:
        return _LENGTHS[wanted.kind]
    is_fixed = wanted.min_length == wanted.max_length
    return wanted.min_length, wanted.max_length, wanted.max_length if is_fixed else 0, 0


def describe(wanted: CaptureForm) -> FormDescription:
    """The form for whoever shows it. Raises BadForm."""
    fields = []
    for each in wanted.fields:
        described = describe_field(each)
        fields.append(described)
        if each.confirm:
            fields.append(_second_entry(described))
    names = [each.field for each in fields]
    if not names or len(set(names)) < len(names) or len(wanted.fields) > MAX_FIELDS:
        raise BadForm(f"expected 1 to {MAX_FIELDS} fields, each once")
    return FormDescription(
        name=wanted.name,
        fields=tuple(fields),
        end_key=wanted.end_key,
        clear_key=wanted.clear_key,
        brands=wanted.brands,
        result=wanted.result,
    )


def _second_entry(first: FieldDescription) -> FieldDescription:
    return msgspec.structs.replace(
        first, field=f"{first.field}{AGAIN}", last_shown=0, optional=False, confirms=first.field, countries=()
    )


CARD: Final = describe(CaptureForm())
