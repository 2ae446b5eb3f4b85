"""Payments, as the API answers with them.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

CaptureStage = Literal[
    "aborted", "cancelled", "charging", "collecting", "finished", "linked", "prepared", "ready", "starting"
]


class Order(TypedDict):
    """What the customer is to pay."""

    transaction_id: str
    amount: int
    currency: str
    description: str
    operation: Literal["authorise", "charge", "deliver", "verify"]
    token_type: Literal["none", "one_time", "reusable"] | None
    customer: str
    merchant_account: str
    statement: str
    metadata: dict[str, str]
    form: str
    country: str


class Approved(TypedDict):
    """The provider took the money, or the company's service the fields."""

    type: Literal["approved"]
    reference: str
    token: str | None
    authorisation_code: str | None
    provider: NotRequired[str]
    message: NotRequired[str]


class PartiallyApproved(TypedDict):
    """The provider took less than was asked for."""

    type: Literal["partially_approved"]
    amount: int
    reference: str
    token: str | None
    authorisation_code: str | None
    provider: NotRequired[str]


class Declined(TypedDict):
    """The provider or the issuer said no."""

    type: Literal["declined"]
    reason: str
    message: str
    reference: str | None
    code: str


class Failed(TypedDict):
    """Certainly not charged: nothing was sent, or the provider confirmed that it holds no such
    charge."""

    type: Literal["failed"]
    reason: str
    code: NotRequired[str]


class Unknown(TypedDict):
    """May have been charged: never sent again, to be reconciled under its idempotency key."""

    type: Literal["unknown"]
    reason: str


class PaymentView(TypedDict):
    """A payment, which outlives its call."""

    id: str
    call: str
    stage: CaptureStage
    order: Order
    saved_from: str | None
    link: LinkView | None
    prepared: PreparedView | None
    started_by: str
    agent: str
    taken_over_by: list[str]
    take_overs: list[TakeOver]
    started_at: str
    submitted_at: str | None
    settled_at: str | None
    brand: str | None
    last_four: str | None
    outcome: Approved | PartiallyApproved | Declined | Failed | Unknown | None
    reason: str | None
    repeats: list[str]
    decided_at: str | None
    decided_by: str | None
    settled_by: str | None
    follow_ups: list[FollowUpView]
    captured: int
    refunded: int
    voided: int
    offers: list[Operation] | None
    left: dict[str, int]


class LinkView(TypedDict):
    """A payment link."""

    state: LinkState
    url: str
    expires_at: str
    provider: str
    reference: str
    hand_over: HandOver | None


LinkState = Literal["closed", "closing", "expired", "failed", "open", "opening", "paid"]


class HandOver(TypedDict):
    """How the newest message about a link reached the company's own service."""

    event: str
    state: Literal["delivered", "failing", "given_up", "waiting"]
    at: str
    reason: str


class PreparedView(TypedDict):
    """How a payment was prepared."""

    find_by: FindBy
    start: Literal["at_answer", "press"]
    state: PreparedState
    expires_at: str
    bound_at: str | None
    also_fits: list[str]
    refusal: str


class FindBy(TypedDict):
    """How the call of a prepared payment is found."""

    caller: NotRequired[str]
    callee: NotRequired[str]
    reference: NotRequired[str]
    extension: NotRequired[str]
    agent: NotRequired[str]
    call_id: NotRequired[str]
    code: NotRequired[str]


PreparedState = Literal["bound", "cancelled", "expired", "started", "starting", "waiting"]


class TakeOver(TypedDict):
    """`by` took the payment over from `from_agent`; names of tokens."""

    at: str
    by: str
    from_agent: str


class FollowUpView(TypedDict):
    """One thing that was done about a payment, or is being done."""

    key: str
    kind: Literal["capture", "refund", "void"]
    amount: int
    outcome: Approved | Accepted | Declined | Failed | Unknown | None
    at: str
    by: str
    decided_at: str | None
    decided_by: str | None
    settled_by: str | None


class Accepted(TypedDict):
    """The provider took a follow-up, and says later whether it was done."""

    type: Literal["accepted"]
    reference: str


Operation = Literal[
    "authorise",
    "capture",
    "capture_part",
    "charge",
    "charge_saved",
    "deliver",
    "link",
    "refund",
    "refund_part",
    "verify",
    "void",
]
