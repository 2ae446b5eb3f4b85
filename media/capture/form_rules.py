"""Makes the form that is keyed of the form that a company wants: the check of each field by its
kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from media.capture import card_form, confirmation, dates, iban, numbers, uk_accounts, us_accounts
from media.capture.check import Check
from media.capture.form import FieldRules, Form, Keyed
from media.events import CaptureForm, FieldKind, FormField
from media.form_description import FieldDescription, describe

Maker = Callable[[FormField, FieldDescription, CaptureForm], Callable[[Keyed], Check]]
_MAKERS: Final[Mapping[FieldKind, Maker]] = {
    "card_number": card_form.number_check,
    "expiry": card_form.expiry_check,
    "security_code": card_form.code_check,
    "digits": numbers.digits_check,
    "secret": numbers.digits_check,
    "date": dates.date_check,
    "sort_code": uk_accounts.sort_code_check,
    "uk_account": uk_accounts.account_check,
    "iban": iban.iban_check,
    "nrb": iban.nrb_check,
    "routing_number": us_accounts.routing_check,
}


def make_form(wanted: CaptureForm) -> Form:
    """The form that is keyed. Raises BadForm."""
    described = describe(wanted)
    by_name = {each.name: each for each in wanted.fields}
    rules = []
    for each in described.fields:
        if each.confirms:
            rules.append(confirmation.rules_of(each))
            continue
        field = by_name[each.field]
        check = _MAKERS[field.kind](field, each, wanted)
        rules.append(
            FieldRules.of(
                each,
                check,
                has_check_digit=_has_check_digit(field, each),
                name_brand=card_form.name_brand if field.kind == "card_number" else None,
            )
        )
    return Form(
        described.name,
        tuple(rules),
        ord(described.end_key) if described.end_key else None,
        ord(described.clear_key) if described.clear_key else None,
    )


def _has_check_digit(field: FormField, described: FieldDescription) -> bool:
    """Whether a complete value says that it holds no digit too many."""
    if field.kind == "digits":
        return field.check != "none" and described.min_length == described.max_length
    return field.kind in _PROVEN


_PROVEN: Final = frozenset({"card_number", "iban", "nrb", "routing_number"})
CARD: Final = make_form(CaptureForm())
