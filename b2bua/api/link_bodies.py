"""Checks the bodies of requests for payment links.

Rule 1: to whom a link is sent is no place for a card number either.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict
from pydantic import Field as Described

from b2bua.api.bodies import Body, OrderBody, harmless, plain_reference
from b2bua.call.link import MAX_EXPIRES, MIN_EXPIRES, Recipient
from b2bua.call.order import Order

# E.164: fifteen digits at most behind a plus, as no card number is written.
_PHONE: Final = re.compile(r"\+[1-9][0-9]{5,14}")
_PUNCTUATION: Final = str.maketrans("", "", " ()./-")
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,189}")
# No telephone number that is in use is as long as a card number with 14 or 15 digits.
_LONG_PHONE: Final = 14  # characters, its plus included


def phone_number(text: str) -> str:
    """E.164 without what is written between the digits; empty stays empty. Raises ValueError."""
    plain = text.translate(_PUNCTUATION)
    if plain and not _PHONE.fullmatch(plain):
        raise ValueError("must be a telephone number with its country, such as +49 30 123456")
    return harmless(plain) if len(plain) > _LONG_PHONE else plain


def email_address(text: str) -> str:
    """The address as it is; empty stays empty. Raises ValueError."""
    if text and not _EMAIL.fullmatch(text):
        raise ValueError("must be an e-mail address, such as name@example.org")
    return harmless(text)


class RecipientBody(Body):
    """To whom your own service sends a link."""

    model_config = ConfigDict(title="Recipient", json_schema_extra={"examples": [{"phone": "+4930123456"}]})

    phone: Annotated[
        str, Described(max_length=32, description="E.164, with its plus."), AfterValidator(phone_number)
    ] = ""
    email: Annotated[
        str, Described(max_length=254, description="An e-mail address."), AfterValidator(email_address)
    ] = ""

    def to_recipient(self) -> Recipient:
        """The recipient as the desk takes it."""
        return Recipient(**self.model_dump())


class LinkBody(OrderBody):
    """An order that is paid by a link."""

    model_config = ConfigDict(
        title="LinkRequest",
        json_schema_extra={
            "examples": [
                {
                    "transaction_id": "INV-2043",
                    "amount": 4990,
                    "currency": "EUR",
                    "to": {"phone": "+4930123456"},
                }
            ]
        },
    )

    to: Annotated[
        RecipientBody,
        Described(description="Passed on to your own service (`[links] webhook_url`), and shown nowhere."),
    ] = RecipientBody()
    expires_in: Annotated[
        float | None,
        Described(
            ge=MIN_EXPIRES,
            le=MAX_EXPIRES,
            description="Seconds that the link is open; without it, as in `[links]`.",
        ),
    ] = None
    provider: Annotated[
        str,
        Described(
            max_length=64,
            description="The name of the provider, where there are several; without it, the first that "
            "offers links.",
        ),
        AfterValidator(plain_reference),
    ] = ""

    def to_order(self) -> Order:
        """The order as the desk takes it."""
        return Order(**self.model_dump(exclude={"allow_repeat", "to", "expires_in", "provider"}))
