"""Charges and their outcomes: the vocabulary of paying, free of card data, that any package may
import.

Rule 1: nothing here can hold a digit of a card; amounts are whole minor units (cents), never
        floats.
Rule 2: an outcome is one of five, matched with `assert_never`; only `Failed` may be tried again by
        a person.
Rule 3: an approval of another amount or currency than was asked for is no `Approved`.
"""

from __future__ import annotations

import msgspec

# A payer's exit status where it never took a charge (sysexits.h).
JOURNAL_FAILED = 74  # EX_IOERR
WRONG_CONFIGURATION = 78  # EX_CONFIG


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid. `amount` is in the currency's minor unit (ISO 4217 exponent)."""

    idempotency_key: str
    transaction_id: str
    amount: int
    currency: str
    description: str = ""


class Approved(msgspec.Struct, frozen=True, kw_only=True, tag="approved"):
    """The provider took the money."""

    reference: str
    token: str | None = None
    authorisation_code: str | None = None


class PartiallyApproved(msgspec.Struct, frozen=True, kw_only=True, tag="partially_approved"):
    """The provider took less than was asked for: `amount`, in the charge's currency and minor
    unit."""

    amount: int
    reference: str
    token: str | None = None
    authorisation_code: str | None = None


class Declined(msgspec.Struct, frozen=True, kw_only=True, tag="declined"):
    """The provider or the issuer said no. `reason` is the provider's code, `message` fit for the
    agent's eyes."""

    reason: str
    message: str = ""
    reference: str | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """Certainly not charged: nothing was sent, or the provider confirmed that it holds no such
    charge."""

    reason: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """May have been charged: never sent again, to be reconciled under its idempotency key."""

    reason: str


Outcome = Approved | PartiallyApproved | Declined | Failed | Unknown

DIFFERENCES = frozenset({"amount_differs", "currency_differs"})
"""Reasons of an `Unknown` whose provider says that it approved something else than was asked for: a
person must look."""


def outcome_type(outcome: Outcome) -> str:
    """The outcome's tag, as the API has it: `approved`, `partially_approved`, `declined`, `failed`
    or `unknown`."""
    return str(type(outcome).__struct_config__.tag)
