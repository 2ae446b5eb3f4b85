"""Telephone numbers: read from the way a trunk writes them into E.164, and written in a trunk's way
again.

Rule 1: only what is a telephone number is touched; a name, an extension and an emergency number
        cross as they are.
Rule 2: between trunks a number is E.164 with its plus (RFC 3966's global number), whoever wrote it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NUMBER = re.compile(r"\+?[0-9]+")
_SEPARATORS = str.maketrans("", "", "-.() ")  # the visual separators of RFC 3966
# Digits; what has fewer is an extension or a service, not a subscriber's number of any country.
_SHORTEST = 7


class Form(StrEnum):
    """How a trunk writes +49 30 1234567. AS_IS: nobody's business, numbers of this trunk are left
    alone."""

    AS_IS = "as-is"
    E164 = "e164"  # +49301234567
    PLAIN = "plain"  # 49301234567
    NATIONAL = "national"  # 0301234567, and 0044… for another country
    INTERNATIONAL = "international"  # 0049301234567


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """How one trunk writes numbers. `country`: the country calling code without plus, "" where it
    is not known."""

    form: Form = Form.AS_IS
    country: str = ""
    national_prefix: str = "0"
    international_prefix: str = "00"

    def read(self, user: str, context: str = "") -> str:
        """The user part of a URI of this trunk as E.164 where it is a number of one of the ways to
        write it.

        `context`: the `phone-context` of a local number (RFC 3966 section 5.1.5); with one, a
        number as long as a subscriber's is global whatever the form. A shorter one stays local: +1
        and 911 make no number.
        """
        number = user.translate(_SEPARATORS)
        area = context.translate(_SEPARATORS)
        if (
            _NUMBER.fullmatch(area)
            and area.startswith("+")
            and _NUMBER.fullmatch(number)
            and len(number) >= _SHORTEST
        ):
            is_country = area[1:] == self.country or (not self.country and len(area) <= 4)
            return (
                number
                if number[0] == "+"
                else area + number.removeprefix(self.national_prefix if is_country else "")
            )
        if self.form is Form.AS_IS or not _NUMBER.fullmatch(number) or len(number) < _SHORTEST:
            return user
        if number.startswith("+"):
            return number
        if self.form is Form.PLAIN:
            return f"+{number}"
        if self.international_prefix and number.startswith(self.international_prefix):
            return f"+{number.removeprefix(self.international_prefix)}"
        if self.country and number.startswith(self.national_prefix):
            return f"+{self.country}{number.removeprefix(self.national_prefix)}"
        return user

    def write(self, user: str) -> str:
        """An E.164 number in this trunk's way."""
        if not user.startswith("+") or not _NUMBER.fullmatch(user):
            return user
        digits = user[1:]
        match self.form:
            case Form.PLAIN:
                return digits
            case Form.NATIONAL if self.country and digits.startswith(self.country):
                return f"{self.national_prefix}{digits.removeprefix(self.country)}"
            case Form.NATIONAL | Form.INTERNATIONAL:
                return f"{self.international_prefix}{digits}"
            case _:
                return user
