"""Says what a company has keyed, and how: the part of `[form]` and `[field]` that a capture needs.

Rule 1: a form describes what is keyed; it has no field that could hold a digit of it.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from media.messages.fields import Field, FieldName

BRANDS: Final = ("visa", "mastercard", "amex", "discover", "jcb", "diners", "unionpay", "maestro")
EndingKey = Literal["#", "*", ""]
FieldKind = Literal[
    "card_number",
    "expiry",
    "security_code",
    "digits",
    "secret",
    "date",
    "sort_code",
    "uk_account",
    "iban",
    "nrb",
    "routing_number",
]
NumberCheck = Literal["none", "luhn", "mod11"]
DateFormat = Literal["ddmmyyyy", "mmddyyyy", "yyyymmdd"]
FormResult = Literal["charge", "verify", "token", "deliver"]
CARD_KINDS: Final = frozenset({"card_number", "expiry", "security_code"})


class FormField(msgspec.Struct, frozen=True, kw_only=True):
    """One field as a company wants it; what its kind has no use for is not read.

    `name`: lower-case letters, digits and underscores; of a card's fields that of their kind.
    `label`: its name for people; empty: the page knows one. `min_length`, `max_length`: in digits,
    of `digits` and `secret`. `check`: the check digit of `digits`. `last_shown`: how many of its
    last digits an agent may see once it is valid. `optional`: the agent may skip it. `confirm`: it
    is keyed twice. `countries`: of an `iban`, ISO 3166-1 alpha-2, the usual one first; `country`:
    the chosen one. `date_format`, `min_age` (in years; 0: any): of a `date`. `refuses_cards`:
    `digits` or a `secret` that are a card number are refused.
    """

    name: FieldName
    kind: FieldKind
    label: str = ""
    min_length: int = 0
    max_length: int = 0
    check: NumberCheck = "none"
    last_shown: int = 0
    optional: bool = False
    confirm: bool = False
    countries: tuple[str, ...] = ()
    country: str = ""
    date_format: DateFormat = "ddmmyyyy"
    min_age: int = 0
    refuses_cards: bool = True


def card_fields(
    security_code: Literal["required", "optional", "never"] = "required",
) -> tuple[FormField, ...]:
    """The fields of a card. `security_code`: whether it is asked for; an optional one may be
    skipped."""
    number = FormField(name=Field.CARD_NUMBER, kind="card_number", last_shown=4)  # PCI DSS 3.4.1
    expiry = FormField(name=Field.EXPIRY, kind="expiry")
    code = FormField(name=Field.SECURITY_CODE, kind="security_code", optional=security_code == "optional")
    return (number, expiry) if security_code == "never" else (number, expiry, code)


class CaptureForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a company has keyed, and how.

    `fields`: in the order in which they are keyed, no name twice. `brands`: of BRANDS, the card
    brands that it takes; empty: all. `end_key`, `clear_key`: as in FormDescription. `tries`: how
    often one field may be refused before the capture ends; 0: as often as it takes. `key_timeout`,
    `capture_timeout`: as in MediaSettings, in seconds; None: as there. `result`: what becomes of it
    once it is submitted: a charge, a question to the card's bank, a token for later, or the
    delivery to the company's own service, `deliver_to`, the name of its [provider] section.
    `prompts`: the set of prompts that guides the customer, in `language`; empty: none does.
    `agent_tones`: the set whose tones the agent hears; empty: none.
    """

    name: str = "card"
    fields: tuple[FormField, ...] = card_fields()
    brands: tuple[str, ...] = ()
    end_key: EndingKey = "#"
    clear_key: EndingKey = "*"
    tries: int = 0
    key_timeout: float | None = None
    capture_timeout: float | None = None
    result: FormResult = "charge"
    deliver_to: str = ""
    prompts: str = ""
    language: str = "en"
    agent_tones: str = ""

    @property
    def countries(self) -> tuple[str, ...]:
        """The countries whose IBAN can be keyed, the usual one first; none where it asks for
        none."""
        return next((each.countries for each in self.fields if each.kind == "iban"), ())

    @property
    def country(self) -> str:
        """The country whose IBAN is keyed; empty where none is chosen or asked for."""
        return next((each.country for each in self.fields if each.kind == "iban"), "")

    def in_country(self, country: str) -> CaptureForm:
        """The form with the IBAN of this country."""
        fields = (
            msgspec.structs.replace(each, country=country) if each.kind == "iban" else each
            for each in self.fields
        )
        return msgspec.structs.replace(self, fields=tuple(fields))
