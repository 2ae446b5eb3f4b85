"""Builds forms of a card's fields in any order, for the tests of what follows a form."""

from __future__ import annotations

from media.capture.check import COMPLETE, INCOMPLETE, Check, refused
from media.capture.form import FieldRules, Form, Keyed
from media.capture.form_rules import CARD
from media.events import Field, FieldReason


def three_digits(keyed: Keyed) -> Check:
    length = len(keyed.digits[Field.SECURITY_CODE])
    if length == 3:
        return COMPLETE
    too_long = keyed.ended or length > 3
    return refused(FieldReason.SECURITY_CODE_LENGTH) if too_long else INCOMPLETE


RULES = {
    **{rules.field: rules for rules in CARD.rules},
    Field.SECURITY_CODE: FieldRules(Field.SECURITY_CODE, max_length=3, check=three_digits),
}


def form(*fields: Field) -> Form:
    """The form of these fields; its security code has three digits, whatever the brand."""
    return Form("other", tuple(RULES[field] for field in fields))
