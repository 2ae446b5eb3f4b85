"""Charges and their outcomes: the vocabulary of paying, free of card data, that any package may
import.

Rule 1: nothing here can hold a digit of a card; amounts are whole minor units (cents), never
        floats.
Rule 2: an outcome is one of five, matched with `assert_never`; only `Failed` may be tried again by
        a person.
Rule 3: an approval of another amount or currency than was asked for is no `Approved`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")
# A payer's exit status where it never took a charge (sysexits.h).
JOURNAL_FAILED = 74  # EX_IOERR
WRONG_CONFIGURATION = 78  # EX_CONFIG


ChargeOperation = Literal["charge", "authorise", "verify", "deliver"]
"""What a form's fields are taken for: the first three take a card; `deliver` hands other fields to
a company's own service, and moves no money."""


class Operation(StrEnum):
    """What an adapter can be asked to do. The first three take a card, `deliver` the fields of a
    form without one."""

    CHARGE = "charge"
    AUTHORISE = "authorise"
    VERIFY = "verify"
    CHARGE_SAVED = "charge_saved"
    CAPTURE = "capture"
    CAPTURE_PART = "capture_part"
    VOID = "void"
    REFUND = "refund"
    REFUND_PART = "refund_part"
    LINK = "link"
    DELIVER = "deliver"


PAYING = frozenset(Operation) - {Operation.DELIVER}
"""What a payment provider may offer."""
TokenType = Literal["none", "one_time", "reusable"]


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid. `amount` is in the currency's minor unit (ISO 4217 exponent).

    `operation`: `authorise` leaves the money to be captured later; `verify` asks the issuer about
    the card with amount zero. `token_type`: what the provider shall return for later payments; None
    is the account's. `customer`: the merchant's name for whom a token is saved. `merchant_account`,
    `statement` and `metadata` go before the account's. `providers`: by name, the next only where
    the one before certainly did not charge; empty: the first that there is. `deliver` has neither
    amount nor currency; `form` and `call`: the name of its form, and the id of its call;
    `submitted_at`: seconds since the epoch."""

    idempotency_key: str
    transaction_id: str
    amount: int
    currency: str
    description: str = ""
    operation: ChargeOperation = "charge"
    token_type: TokenType | None = None
    customer: str = ""
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = {}
    providers: tuple[str, ...] = ()
    form: str = ""
    call: str = ""
    submitted_at: float = 0.0


FollowUpKind = Literal["capture", "void", "refund"]


def follow_up_operation(kind: FollowUpKind, *, in_part: bool) -> Operation:
    """What a provider must offer for that, done to a payment in part or to the whole of it."""
    return Operation(f"{kind}_part" if in_part and kind != "void" else kind)


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """What is done later about a charge that was approved, or authorised: all of it, or `amount` of
    it in its minor unit. `reference`: the provider's own of that charge. `key`: the idempotency key
    of this request, never that of the charge."""

    key: str
    kind: FollowUpKind
    charge: Charge
    reference: str
    amount: int

    @property
    def is_partial(self) -> bool:
        return self.amount < self.charge.amount

    @property
    def operation(self) -> Operation:
        """What the provider must offer for it."""
        return follow_up_operation(self.kind, in_part=self.is_partial)


class Approved(msgspec.Struct, frozen=True, kw_only=True, tag="approved"):
    """The provider took the money, or the company's service the fields. `provider`: the name of its
    section; older records have none. `message`: what such a service tells the agent."""

    reference: str
    token: str | None = None
    authorisation_code: str | None = None
    provider: str | msgspec.UnsetType = msgspec.UNSET
    message: str | msgspec.UnsetType = msgspec.UNSET


class PartiallyApproved(msgspec.Struct, frozen=True, kw_only=True, tag="partially_approved"):
    """The provider took less than was asked for: `amount`, in the charge's currency and minor
    unit."""

    amount: int
    reference: str
    token: str | None = None
    authorisation_code: str | None = None
    provider: str | msgspec.UnsetType = msgspec.UNSET


class Declined(msgspec.Struct, frozen=True, kw_only=True, tag="declined"):
    """The provider or the issuer said no. `reason` is a word of `reasons.REASONS`, `code` what the
    provider called it, `message` fit for the agent's eyes."""

    reason: str
    message: str = ""
    reference: str | None = None
    code: str = ""


class Failed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="failed"):
    """Certainly not charged: nothing was sent, or the provider confirmed that it holds no such
    charge. `code`: what the provider called it."""

    reason: str
    code: str = ""


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """May have been charged: never sent again, to be reconciled under its idempotency key."""

    reason: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The provider took a follow-up, and says later whether it was done. `reference`: its own of
    this request."""

    reference: str


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the provider's on which the customer pays the charge once. `expires_at`: seconds
    since the epoch, from which on it takes no payment. The charge's key names the request, and what
    is paid there."""

    charge: Charge
    expires_at: float


class Link(msgspec.Struct, frozen=True, kw_only=True, tag="link"):
    """An open payment link. `reference`: the provider's own of it; `expires_at`: seconds since the
    epoch, as the provider has it."""

    url: str
    reference: str
    expires_at: float


LINK_CLOSED, LINK_EXPIRED = "link_closed", "link_expired"
"""Reasons of a `Failed`: nobody paid, and nobody can any more."""
APPROVALS = (Approved, PartiallyApproved)
"""By these money moved."""
Outcome = Approved | PartiallyApproved | Declined | Failed | Unknown
LinkOutcome = Link | Failed | Unknown
FollowUpOutcome = Approved | Accepted | Declined | Failed | Unknown

DIFFERENCES = frozenset({"amount_differs", "currency_differs"})
"""Reasons of an `Unknown` whose provider says that it approved something else than was asked for: a
person must look."""


NOT_DECIDED = "not_decided"
FINAL_REASONS = DIFFERENCES | {NOT_DECIDED}
"""Reasons of an `Unknown` that nobody asks about any more."""


def name_provider(outcome: T, name: str) -> T:
    """The outcome with the name of who took the money: a refund goes there, whichever provider is
    the first by then."""
    if name and isinstance(outcome, Approved | PartiallyApproved):
        return msgspec.structs.replace(outcome, provider=name)
    return outcome


def outcome_type(outcome: Outcome) -> str:
    """The outcome's tag, as the API has it: `approved`, `partially_approved`, `declined`, `failed`
    or `unknown`."""
    return str(type(outcome).__struct_config__.tag)
