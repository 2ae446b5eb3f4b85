"""Checks the bodies of requests, field by field.

Rule 1: a card number fits into no free text and no amount, by mistake or otherwise.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Described

from b2bua.api.card_numbers import looks_like_card_number
from b2bua.call.view import Order
from media.events import Field
from provider_adapters.currency import MINOR_UNITS

# Eleven digits at most: no card number is as short, so none fits.
MAX_AMOUNT: Final = 99_999_999_999


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
    """An order: amount, currency and reference."""

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
            le=MAX_AMOUNT,
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
        """The order as the desk takes it."""
        return Order(**self.model_dump(exclude={"allow_repeat"}))


class SubmitBody(_Body):
    """Options of a charge."""

    model_config = ConfigDict(title="Submit", json_schema_extra={"examples": [{"allow_repeat": False}]})

    allow_repeat: Annotated[
        bool,
        Described(
            description="Also where another payment has charged this order since this one was started."
        ),
    ] = False


class ResetBody(_Body):
    """The field that the customer is to key again."""

    model_config = ConfigDict(
        title="Reset", strict=False, json_schema_extra={"examples": [{"field": "expiry"}]}
    )

    field: Annotated[
        Field | None,
        Described(description="This field and all that come after it are wiped; without it, all are."),
    ] = None


class KeyBody(_Body):
    """The card that the demo's customer is to key."""

    call_id: Annotated[str, Described(max_length=128)]
    card: Annotated[str, Described(max_length=32, description="One of the kinds that GET /v1/demo lists.")]
