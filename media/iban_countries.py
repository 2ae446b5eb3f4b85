"""Lists the countries with an IBAN: how long theirs are, and which can be keyed in digits.

The lengths and structures are of the IBAN registry (ISO 13616-2), as schwifty 2026.10.1 (MIT
licence, NOTICE) has them in its file generated.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Length of the IBAN in characters, country and check digits included. Of these all others are
# digits.
_OF_DIGITS: Final[Mapping[str, int]] = {
    "AE": 23, "AT": 20, "AX": 18, "BA": 20, "BE": 16, "BI": 27, "CR": 22, "CZ": 24, "DE": 22,
    "DJ": 27, "DK": 18, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "GL": 18, "HR": 21,
    "HU": 28, "IL": 23, "IS": 26, "LT": 20, "LY": 25, "ME": 22, "MN": 20, "MR": 27, "NO": 15,
    "PL": 28, "PT": 25, "RS": 22, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SO": 23, "ST": 25,
    "TL": 23, "TN": 24, "VA": 22, "XK": 20,
}  # fmt: skip
# Of these a part may have letters (a "c" in the registry): such an account cannot be keyed.
_MAY_HAVE_LETTERS: Final[Mapping[str, int]] = {
    "AD": 24, "AL": 28, "BL": 27, "BR": 29, "BY": 28, "CH": 21, "CY": 28, "DO": 28, "FR": 27,
    "GF": 27, "GP": 27, "GR": 27, "GT": 28, "KZ": 20, "LB": 28, "LI": 21, "LU": 20, "MC": 27,
    "MD": 24, "MF": 27, "MK": 19, "MQ": 27, "NC": 27, "OM": 23, "PF": 27, "PM": 27, "RE": 27,
    "RU": 33, "SA": 24, "TF": 27, "TR": 26, "UA": 29, "WF": 27, "YT": 27,
}  # fmt: skip
# Of these every IBAN has letters (an "a"), mostly those of a bank: it cannot be keyed.
WITH_LETTERS: Final = frozenset({
    "AZ", "BG", "BH", "FK", "GB", "GE", "GG", "GI", "HN", "IE", "IM", "IQ", "IT", "JE", "JO", "KW",
    "LC", "LV", "MT", "MU", "NI", "NL", "PK", "PS", "QA", "RO", "SC", "SM", "SV", "VG", "YE",
})  # fmt: skip
_COUNTRY_LETTERS: Final = 2  # of an IBAN, which nobody keys


def keyed_length(country: str) -> int | None:
    """The digits that a customer keys of an IBAN of this country (ISO 3166-1 alpha-2): check digits
    and account. None where there is no IBAN, or one with letters."""
    length = _OF_DIGITS.get(country) or _MAY_HAVE_LETTERS.get(country)
    return None if length is None else length - _COUNTRY_LETTERS
