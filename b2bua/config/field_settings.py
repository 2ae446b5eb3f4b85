"""Model of `[field]`: one field that a form may ask for; and the fields that need no section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field, field_validator, model_validator

from b2bua.config.values import split_list
from media.events import Field as CardField
from media.events import FieldKind, FormField
from media.form_description import MAX_LENGTH, MAX_SHOWN, BadForm, describe_field
from media.iban_countries import WITH_LETTERS, keyed_length
from tonewall.ini import Section

# What a form may ask for without a [field] section, which may change a part of it.
KNOWN_FIELDS: Final[Mapping[str, FormField]] = {
    each.name: each
    for each in (
        FormField(name=CardField.CARD_NUMBER, kind="card_number", last_shown=4),
        FormField(name=CardField.EXPIRY, kind="expiry"),
        FormField(name=CardField.SECURITY_CODE, kind="security_code"),
        FormField(name="postcode", kind="digits", min_length=2, max_length=9),
        FormField(name="house_number", kind="digits", min_length=1, max_length=5),
        FormField(name="birth_date", kind="date"),
        FormField(name="sort_code", kind="sort_code"),
        FormField(name="account_number", kind="uk_account", last_shown=3),
        FormField(name="iban", kind="iban", last_shown=4),
        FormField(name="nrb", kind="nrb", last_shown=4),
        FormField(name="routing_number", kind="routing_number"),
        FormField(name="us_account_number", kind="digits", min_length=4, max_length=17, last_shown=2),
        FormField(name="customer_number", kind="digits", min_length=4, max_length=12),
        FormField(name="policy_number", kind="digits", min_length=4, max_length=12),
        FormField(name="pin", kind="secret", min_length=4, max_length=4),
    )
}
_CARD_KINDS: Final = ("card_number", "expiry", "security_code")
_DIGITS: Final = ("digits", "secret")


class FieldSettings(Section):
    """`[field NAME]`: a field of a company's own, or what it changes of one that there is."""

    section: ClassVar[str] = "field"

    kind: Literal[
        "", "digits", "secret", "date", "sort_code", "uk_account", "iban", "nrb", "routing_number"
    ] = Field(
        "", description="what it is, as in docs/forms.md; empty: as the field of this name, or else digits"
    )
    label: str = Field("", max_length=40, description="its name for agents; empty: as the page has it")
    min_length: int = Field(0, ge=0, le=MAX_LENGTH, description="digits at least, of digits and secret")
    max_length: int = Field(0, ge=0, le=MAX_LENGTH, description="digits at most, of digits and secret")
    check: Literal["none", "luhn", "mod11"] = Field(
        "none", description="none, luhn or mod11: the check digit at the end, of digits"
    )
    last_shown: int | None = Field(
        None, ge=0, le=MAX_SHOWN, description="how many last digits the agent sees once it is valid"
    )
    countries: str = Field(
        "", description="of an iban: the countries that the agent may choose, the usual one first: DE, AT"
    )
    date_format: Literal["ddmmyyyy", "mmddyyyy", "yyyymmdd"] = Field(
        "ddmmyyyy", description="ddmmyyyy, mmddyyyy or yyyymmdd: how a date is keyed"
    )
    min_age: int = Field(0, ge=0, le=120, description="of a date: years since it at least; 0: any")
    card_numbers: Literal["refuse", "allow"] = Field(
        "refuse", description="refuse or allow: what is a card number, of digits and secret"
    )

    @field_validator("label")
    @classmethod
    def _is_printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("expected printable characters")
        return value

    @field_validator("countries")
    @classmethod
    def _can_be_keyed(cls, value: str) -> str:
        for country in split_list(value):
            if country in WITH_LETTERS:
                raise ValueError("expected countries whose IBAN has no letters, which cannot be keyed")
            if keyed_length(country) is None:
                raise ValueError("expected country codes such as DE, separated by commas")
        return value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> FieldSettings:
        if self.max_length and self.min_length > self.max_length:
            raise ValueError("max_length: expected no less than min_length")
        return self

    def field(self, name: str) -> FormField:
        """The field under its name. Raises BadForm."""
        known = KNOWN_FIELDS.get(name)
        kind: FieldKind = self.kind or (known.kind if known else "digits")
        if known is not None and known.kind in _CARD_KINDS:
            raise BadForm(f"{name}: a card's fields are as they are")
        base = known if known is not None and known.kind == kind else FormField(name=name, kind=kind)
        shown = base.last_shown if self.last_shown is None else self.last_shown
        shortest, longest = self._lengths(base)
        if self.last_shown is None and kind in _DIGITS:
            shown = min(shown, shortest // 2)
        field = FormField(
            name=name,
            kind=kind,
            label=self.label,
            min_length=shortest,
            max_length=longest,
            check=self.check,
            last_shown=shown,
            countries=split_list(self.countries),
            date_format=self.date_format,
            min_age=self.min_age,
            refuses_cards=self.card_numbers == "refuse",
        )
        describe_field(field)
        return field

    def _lengths(self, base: FormField) -> tuple[int, int]:
        """The shorter of both is never above the longer, where one alone is given."""
        if self.min_length or self.max_length:
            return self.min_length or min(base.min_length or 1, self.max_length), (
                self.max_length or max(base.max_length, self.min_length)
            )
        return base.min_length, base.max_length


def field_name(header: str) -> str:
    """The name of a field: `[field policy-number]` is policy_number, `[field]` is field."""
    section, _, name = header.partition(" ")
    return (name or section).replace("-", "_")


def known_fields(sections: Mapping[str, FieldSettings]) -> dict[str, FormField]:
    """All fields that a form may ask for, by name. Raises BadForm."""
    return {**KNOWN_FIELDS, **{field_name(each): it.field(field_name(each)) for each, it in sections.items()}}
