"""What a client may send: orders and requests, checked field by field.

Rule 1: nobody can put a card number into a free text or an amount, by mistake or otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Described

from b2bua.api.currency import MINOR_UNITS
from b2bua.call.view import Order
from media.events import Field

# Eleven digits at most: no card number is as short, so none fits.
LARGEST_AMOUNT: Final = 99_999_999_999
_LENGTHS: Final = range(12, 20)  # ISO/IEC 7812-1
# Twelve digits in groups are more often a date and a number than a card.
_GROUPED: Final = range(13, 20)
_SHORT_AMONG_LETTERS: Final = re.compile(r"(?<=[^\W\d_])\d{1,2}(?=\D|$)|(?<!\d)\d{1,2}(?=[^\W\d_])")
_UUID: Final = re.compile(  # RFC 9562 section 4, with or without its hyphens
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24})(?![0-9A-Za-z])"
)
# How numbers of cards begin, where they are in groups.
_BRANDS: Final = re.compile(r"[3-6]|2[2-7]|9792")


def looks_like_card_number(text: str) -> bool:
    """Whether `text` holds a card number with a correct check digit: digits of any script in a row,
    or in groups with anything but digits between them; groups with letters between them have three
    digits at least. A UUID is none, unless it is of digits alone: every third would be refused."""
    normal = _UUID.sub(_without_uuid, unicodedata.normalize("NFKC", text))
    groups = [_decimal(group) for group in re.findall(r"\d+", normal)]
    if any(len(group) >= _LENGTHS.start and _passes_luhn(group) for group in groups):
        return True
    rows = (
        _joined([_decimal(group) for group in re.findall(r"\d+", part)])
        for part in _SHORT_AMONG_LETTERS.split(normal)
    )
    return any(_BRANDS.match(joined) and _passes_luhn(joined) for row in rows for joined in row)


def _without_uuid(found: re.Match[str]) -> str:
    return found[0] if found[0].replace("-", "").isdecimal() else "x"


def _decimal(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)


def _joined(groups: list[str]) -> Iterator[str]:
    """Every row of whole groups, two at least, that has the length of a card number."""
    for first in range(len(groups)):
        joined = groups[first]
        for group in groups[first + 1 : first + _GROUPED.stop]:  # each has a digit at least
            joined += group
            if len(joined) >= _GROUPED.stop:
                break
            if len(joined) in _GROUPED:
                yield joined


def _passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0


def _harmless(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have printable characters only")
    if looks_like_card_number(text):
        raise ValueError(
            "looks like a card number, which must never be sent here; "
            "use your own reference for this payment (if it is one, leave out a digit or shorten it)"
        )
    return text


def _reference(text: str) -> str:
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return _harmless(text)


def _currency(code: str) -> str:
    if code not in MINOR_UNITS:
        raise ValueError("must be a currency code of ISO 4217, three capital letters, such as EUR")
    return code


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class OrderBody(_Body):
    """What the customer is to pay."""

    model_config = ConfigDict(
        title="Order",
        json_schema_extra={"examples": [{"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}]},
    )

    transaction_id: Annotated[
        str,
        Described(
            min_length=1, max_length=64, description="Your own reference; printable, and no card number."
        ),
        AfterValidator(_reference),
    ]
    amount: Annotated[
        int,
        Described(
            ge=1,
            le=LARGEST_AMOUNT,
            description="In the currency's minor unit: 4990 is EUR 49.90, or JPY 4990.",
        ),
    ]
    currency: Annotated[
        str,
        Described(
            description="ISO 4217, three capital letters.", json_schema_extra={"pattern": "^[A-Z]{3}$"}
        ),
        AfterValidator(_currency),
    ]
    description: Annotated[
        str,
        Described(max_length=140, description="Handed to the provider, where it takes one."),
        AfterValidator(_harmless),
    ] = ""

    allow_repeat: Annotated[
        bool,
        Described(description="Charge this order although it was charged already, or may have been."),
    ] = False

    def to_order(self) -> Order:
        return Order(**self.model_dump(exclude={"allow_repeat"}))


class SubmitBody(_Body):
    """How the card is to be charged."""

    model_config = ConfigDict(title="Submit", json_schema_extra={"examples": [{"allow_repeat": False}]})

    allow_repeat: Annotated[
        bool,
        Described(
            description="Also where another payment has charged this order since this one was started."
        ),
    ] = False


class ResetBody(_Body):
    """Which field the customer is to key again."""

    model_config = ConfigDict(
        title="Reset", strict=False, json_schema_extra={"examples": [{"field": "expiry"}]}
    )

    field: Annotated[
        Field | None,
        Described(description="This field and all that come after it are wiped; without it, all are."),
    ] = None


class KeyBody(_Body):
    """Which card the demo's customer is to key."""

    call_id: Annotated[str, Described(max_length=128)]
    card: Annotated[str, Described(max_length=32, description="One of the kinds that GET /v1/demo lists.")]
