"""Compares a second entry with the first, digit by digit, without any copy."""

from __future__ import annotations

from media.capture.check import COMPLETE, INCOMPLETE, Check, refused
from media.capture.form import FieldRules, Keyed
from media.events import FieldReason
from media.form_description import FieldDescription


def rules_of(described: FieldDescription) -> FieldRules:
    """The rules of a second entry, which is described."""

    def check(keyed: Keyed) -> Check:
        first, second = keyed.digits[described.confirms], keyed.digits[described.field]
        if len(second) < len(first):
            return refused(FieldReason.ENTRIES_DIFFER) if keyed.ended else INCOMPLETE
        # All digits are read, wherever the first difference is.
        same = len(second) == len(first)
        for index in range(len(first)):
            same &= first[index] == second[index]
        return COMPLETE if same and len(first) else refused(FieldReason.ENTRIES_DIFFER)

    return FieldRules.of(described, check)
