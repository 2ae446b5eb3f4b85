"""Checks the body of a request for a payment whose form is keyed in a call."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic import Field as Described

from b2bua.api.bodies import MAX_AMOUNT, OrderBody, currency_code, plain_reference


class CaptureBody(OrderBody):
    """An order, and the form that the customer keys, which says what becomes of it."""

    operation: Annotated[
        Literal["charge", "authorise", "verify", "deliver"] | None,
        Described(
            description="Without it, what the form is for: `charge`, `verify` (asks the bank about the "
            "card), or `deliver` to the company's own service. `authorise` takes the money later, by a "
            "capture. 422 where it contradicts the form, or the provider does not offer it."
        ),
    ] = None  # type: ignore[assignment]
    amount: Annotated[
        int,
        Described(
            le=MAX_AMOUNT,
            description="In the currency's minor unit: 4990 is EUR 49.90, or JPY 4990. Left out where the "
            "form moves no money.",
            json_schema_extra={"minimum": 0},
        ),
    ] = 0
    currency: Annotated[
        str,
        Described(
            description="ISO 4217, three capital letters. Left out where the form is delivered.",
            json_schema_extra={"pattern": "^[A-Z]{3}$"},
        ),
        AfterValidator(currency_code),
    ] = ""

    form: Annotated[
        str,
        Described(max_length=64, description="The name of a form (`/v1/forms`); none: the usual one."),
        AfterValidator(plain_reference),
    ] = ""
    country: Annotated[
        str,
        Described(
            pattern="^([A-Z]{2})?$",
            description="The country of the IBAN that is keyed, of the `countries` of its field; none: the "
            "first of them.",
        ),
    ] = ""
