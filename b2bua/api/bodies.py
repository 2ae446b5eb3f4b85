"""Checks the bodies of requests, field by field.

Rule 1: a card number fits into no free text and no amount, by mistake or otherwise.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic import Field as Described

from b2bua.call.order import Order, SavedCard, Settlement
from provider_adapters.currency import MINOR_UNITS
from provider_adapters.payment import TokenType
from tonewall.card_numbers import looks_like_card_number

# Eleven digits at most: no card number is as short, so none fits.
MAX_AMOUNT: Final = 99_999_999_999
MAX_METADATA: Final = 20


def harmless(text: str) -> str:
    """Free text, where it is printable and no card number. Raises ValueError."""
    if not text.isprintable():
        raise ValueError("must have printable characters only")
    if looks_like_card_number(text):
        raise ValueError(
            "looks like a card number, which must never be sent here; "
            "use your own reference for this payment (if it is one, leave out a digit or shorten it)"
        )
    return text


def plain_reference(text: str) -> str:
    """The same without spaces around it. Raises ValueError."""
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return harmless(text)


def currency_code(code: str) -> str:
    """A currency of ISO 4217. Raises ValueError."""
    if code not in MINOR_UNITS:
        raise ValueError("must be a currency code of ISO 4217, three capital letters, such as EUR")
    return code


def _metadata(given: dict[str, str]) -> dict[str, str]:
    if len(given) > MAX_METADATA:
        raise ValueError(f"must have at most {MAX_METADATA} names")
    if not all(1 <= len(name) <= 20 and len(value) <= 80 for name, value in given.items()):
        raise ValueError("must have names of 1 to 20 characters, and values of at most 80")
    for text in itertools.chain.from_iterable(given.items()):
        harmless(text)
    return given


class Body(BaseModel):
    """What all bodies share: no unknown key, no conversion, no value in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class OrderBody(Body):
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
        AfterValidator(plain_reference),
    ]
    operation: Annotated[
        Literal["charge", "authorise", "verify"],
        Described(
            description="`authorise` takes the money later, by a capture; `verify` asks the bank about the "
            "card, with amount 0. 422 where the provider does not offer it."
        ),
    ] = "charge"
    amount: Annotated[
        int,
        Described(
            le=MAX_AMOUNT,
            description="In the currency's minor unit: 4990 is EUR 49.90, or JPY 4990. 0 for `verify` alone.",
            json_schema_extra={"minimum": 0},
        ),
    ]
    currency: Annotated[
        str,
        Described(
            description="ISO 4217, three capital letters.", json_schema_extra={"pattern": "^[A-Z]{3}$"}
        ),
        AfterValidator(currency_code),
    ]
    description: Annotated[
        str,
        Described(max_length=140, description="Handed to the provider, where it takes one."),
        AfterValidator(harmless),
    ] = ""

    token_type: Annotated[
        TokenType | None,
        Described(
            description="The token that the provider shall return for later payments; without it, as in "
            "`[provider]`."
        ),
    ] = None
    customer: Annotated[
        str,
        Described(max_length=64, description="Your name of the customer for whom a card is saved."),
        AfterValidator(plain_reference),
    ] = ""
    merchant_account: Annotated[
        str,
        Described(max_length=80, description="For whom is charged; without it, as in `[provider]`."),
        AfterValidator(plain_reference),
    ] = ""
    statement: Annotated[
        str,
        Described(
            max_length=22,
            description="What stands on the cardholder's statement, where the provider takes it.",
        ),
        AfterValidator(harmless),
    ] = ""
    metadata: Annotated[
        dict[str, str],
        Described(
            description="Kept by the provider beside the payment: 20 names of 20 characters at most, "
            "values of 80."
        ),
        AfterValidator(_metadata),
    ] = {}

    allow_repeat: Annotated[
        bool,
        Described(description="Charge this order although it was charged already, or may have been."),
    ] = False

    @field_validator("amount")
    @classmethod
    def _fits_operation(cls, amount: int, info: ValidationInfo) -> int:
        if info.data.get("operation") in ("verify", "deliver"):
            if amount:
                raise ValueError("must be 0 where nothing is to be paid")
        elif amount < 1:
            raise ValueError("must be at least 1")
        return amount

    def to_order(self) -> Order:
        """The order as the desk takes it."""
        return self._make_order()

    def _make_order(self, *others: str) -> Order:
        """`others`: fields of the body that are none of the order's."""
        values = self.model_dump(exclude={"allow_repeat", *others})
        return Order(**values | {"operation": values["operation"] or "charge"})


class SavedChargeBody(OrderBody):
    """An order, and the saved card that it is charged to."""

    model_config = ConfigDict(
        title="SavedCharge",
        json_schema_extra={
            "examples": [
                {"saved_from": "p-1", "transaction_id": "INV-2042", "amount": 4990, "currency": "EUR"}
            ]
        },
    )

    saved_from: Annotated[
        str, Described(max_length=128, description="The payment by which the card was saved.")
    ] = ""
    token: Annotated[
        str,
        Described(
            max_length=256,
            validate_default=True,
            description="Instead: the provider's own token of the card.",
        ),
        AfterValidator(plain_reference),
    ] = ""
    provider: Annotated[
        str,
        Described(
            max_length=64,
            description="With `token`: the name of the provider that gave it; without it, the first.",
        ),
        AfterValidator(plain_reference),
    ] = ""

    @field_validator("token")
    @classmethod
    def _names_one_card(cls, token: str, info: ValidationInfo) -> str:
        if bool(token) == bool(info.data.get("saved_from")):
            raise ValueError("name the card by saved_from or by token, not both")
        return token

    def to_order(self) -> Order:
        """The order as the desk takes it."""
        return self._make_order("saved_from", "token", "provider")

    def to_card(self) -> SavedCard:
        """The card as the desk takes it."""
        return SavedCard(saved_from=self.saved_from, token=self.token, provider=self.provider)


class SubmitBody(Body):
    """Options of a charge."""

    model_config = ConfigDict(title="Submit", json_schema_extra={"examples": [{"allow_repeat": False}]})

    allow_repeat: Annotated[
        bool,
        Described(
            description="Also where another payment has charged this order since this one was started."
        ),
    ] = False


class FollowUpBody(Body):
    """How much of a payment to capture or refund."""

    model_config = ConfigDict(title="FollowUp", json_schema_extra={"examples": [{"amount": 1990}]})

    amount: Annotated[
        int | None,
        Described(
            ge=1,
            le=MAX_AMOUNT,
            description="In the minor unit of the payment's currency; without it, all that is left.",
        ),
    ] = None


class SettlementBody(Body):
    """What the provider's own tools show of a payment."""

    model_config = ConfigDict(
        title="Settlement", json_schema_extra={"examples": [{"outcome": "approved", "reference": "ch_7f3a"}]}
    )

    follow_up: Annotated[
        str,
        Described(max_length=128, description="The key of a capture, void or refund, in its place."),
    ] = ""
    outcome: Annotated[
        Literal["approved", "declined", "failed"],
        Described(description="`failed`: the provider has no such payment. Then it may be charged anew."),
    ]
    amount: Annotated[
        int | None,
        Described(
            ge=1,
            le=MAX_AMOUNT,
            description="What was approved, where that is less than was asked for, in the minor unit.",
        ),
    ] = None
    reference: Annotated[
        str,
        Described(
            max_length=128,
            validate_default=True,
            description="The provider's own; of a payment that was approved, a refund needs it.",
        ),
        AfterValidator(plain_reference),
    ] = ""

    @field_validator("amount")
    @classmethod
    def _is_of_an_approval(cls, amount: int | None, info: ValidationInfo) -> int | None:
        if amount is not None and (info.data.get("outcome") != "approved" or info.data.get("follow_up")):
            raise ValueError("goes with a payment that was approved")
        return amount

    @field_validator("reference")
    @classmethod
    def _names_an_approval(cls, reference: str, info: ValidationInfo) -> str:
        if info.data.get("outcome") == "approved" and not info.data.get("follow_up") and not reference:
            raise ValueError("is missing: a refund of the payment needs the provider's own reference")
        return reference

    def to_settlement(self) -> Settlement:
        """The person's word as the desk takes it."""
        return Settlement(**self.model_dump())


class ReconcileBody(Body):
    """The payments to ask about."""

    model_config = ConfigDict(title="Reconcile", json_schema_extra={"examples": [{"payments": ["p-1"]}]})

    payments: Annotated[
        list[Annotated[str, Described(max_length=128)]],
        Described(max_length=100, description="Their ids; none: all whose outcome is unknown."),
    ] = []


class KeyBody(Body):
    """The card that the demo's customer is to key."""

    call_id: Annotated[str, Described(max_length=128)]
    card: Annotated[str, Described(max_length=32, description="One of the kinds that GET /v1/demo lists.")]
