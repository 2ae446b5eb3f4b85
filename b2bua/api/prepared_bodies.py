"""Checks the bodies of requests that prepare a payment before its call is there."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Tag, model_validator
from pydantic import Field as Described

from b2bua.api.bodies import Body, SavedChargeBody, plain_reference
from b2bua.api.capture_bodies import CaptureBody
from b2bua.call.order import Order
from b2bua.call.plain_number import plain_number
from b2bua.call.prepared import MAX_EXPIRES, MIN_EXPIRES, USUAL_EXPIRES, FindBy

_TELEPHONE: Final = re.compile(r"(?:\+|0)(?:[0-9][ ()./-]?){1,15}")
_CODE: Final = re.compile(r"[0-9]{4,6}")  # of fewer digits are feature codes


def telephone_number(text: str) -> str:
    """A number, or the name in its place. Raises ValueError."""
    if text and not plain_number(text):
        raise ValueError("must have a number")
    # Every tenth long number has a correct check digit; with its country's prefix it is no card's.
    return text if _TELEPHONE.fullmatch(text) else plain_reference(text)


def _code(text: str) -> str:
    if text and not _CODE.fullmatch(text):
        raise ValueError("must have 4 to 6 digits")
    return text


_Number = Annotated[str, AfterValidator(telephone_number)]
_Name = Annotated[str, AfterValidator(plain_reference)]


class FindByBody(Body):
    """How the call of a prepared payment is found. All that is given must be so."""

    model_config = ConfigDict(title="FindBy", json_schema_extra={"examples": [{"caller": "+4930123456"}]})

    caller: Annotated[_Number, Described(max_length=64, description="The number of who calls.")] = ""
    callee: Annotated[_Number, Described(max_length=64, description="The number that is called.")] = ""
    reference: Annotated[
        _Name, Described(max_length=64, description="The value of a header (`reference_headers`).")
    ] = ""
    extension: Annotated[_Name, Described(max_length=64, description="The agent's extension.")] = ""
    agent: Annotated[
        _Name, Described(max_length=64, description="The agent, by the name of a token that has one.")
    ] = ""
    call_id: Annotated[
        _Name, Described(max_length=256, description="The SIP Call-ID of a leg, or our id of the call.")
    ] = ""
    code: Annotated[
        str, AfterValidator(_code), Described(max_length=6, description="A code that the agent keys.")
    ] = ""

    @model_validator(mode="after")
    def _names_something(self) -> FindByBody:
        if not any(self.model_dump().values()):
            raise ValueError("names nothing that a call could be found by")
        return self

    def to_find_by(self) -> FindBy:
        """The same as the desk takes it."""
        return FindBy(**self.model_dump())


class PreparedBody(CaptureBody):
    """An order whose call is not there yet."""

    model_config = ConfigDict(
        title="PreparedPayment",
        json_schema_extra={
            "examples": [
                {
                    "transaction_id": "INV-2044",
                    "amount": 4990,
                    "currency": "EUR",
                    "find_by": {"caller": "+4930123456"},
                }
            ]
        },
    )

    find_by: FindByBody
    start: Annotated[
        Literal["press", "at_answer"],
        Described(description="By an agent's press, or as soon as a call that fits is answered."),
    ] = "press"
    expires_in: Annotated[
        float,
        Described(ge=MIN_EXPIRES, le=MAX_EXPIRES, description="Seconds that it waits for its call."),
    ] = USUAL_EXPIRES

    def to_order(self) -> Order:
        """The order as the desk takes it."""
        return self._make_order("find_by", "start", "expires_in")


def _kind(body: Any) -> str:
    named = body if isinstance(body, dict) else getattr(body, "__dict__", {})
    return "prepared" if "find_by" in named else "saved"


AnyPaymentBody = Annotated[
    Annotated[PreparedBody, Tag("prepared")] | Annotated[SavedChargeBody, Tag("saved")],
    Discriminator(_kind),
]
