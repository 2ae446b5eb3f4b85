"""Calls and their captures, as the API answers with them.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Literal, TypedDict

from tonewall.client.payment_views import (
    Approved,
    CaptureStage,
    Declined,
    Failed,
    Order,
    PartiallyApproved,
    Unknown,
)


class CallView(TypedDict):
    """A call."""

    id: str
    state: CallState
    direction: str
    caller: str
    callee: str
    started_at: str
    masked: bool
    mask: MaskStage
    masked_since: str | None
    still_keying: bool
    keys_dropped: int
    keys_passed_at: str | None
    announced_by: str | None
    capture: CaptureView | None
    line_fault: LineFault | None
    extension: str
    agent: str
    reference: str
    claim: str
    feature_code: CodeView | None
    unattended: UnattendedView | None
    prompts: list[str]
    customer_leg: CallLegView
    agent_leg: CallLegView
    not_capturable: Obstacle | None
    capturable: bool


CallState = Literal["ended", "ringing", "up"]

MaskStage = Literal["held", "off", "on", "releasing"]


class CaptureView(TypedDict):
    """A payment as its call has it."""

    id: str
    stage: CaptureStage
    order: Order
    started_by: str
    agent: str
    taken_over_by: list[str]
    field: str | None
    fields: list[FieldProgress]
    brand: str | None
    last_four: str | None
    shown: dict[str, str]
    outcome: Approved | PartiallyApproved | Declined | Failed | Unknown | None
    reason: str | None
    unheard: bool
    notes: list[CaptureNote]
    slow: bool


class FieldProgress(TypedDict):
    """How far one field is: a count of digits, never their values."""

    field: str
    count: int
    complete: bool
    rejected: int
    ignored: int
    reason: FieldReason | None
    kept: bool
    skipped: bool


FieldReason = Literal[
    "account_number_check",
    "account_number_length",
    "card_brand",
    "card_number_check_digit",
    "card_number_length",
    "date_day",
    "date_day_first",
    "date_future",
    "date_length",
    "date_month",
    "date_month_first",
    "date_too_old",
    "date_too_young",
    "date_year_first",
    "date_year_last",
    "digits_check_digit",
    "digits_length",
    "digits_of_a_card",
    "entries_differ",
    "expiry_length",
    "expiry_long_year",
    "expiry_month",
    "expiry_past",
    "expiry_too_far",
    "expiry_year_first",
    "iban_check_digits",
    "iban_length",
    "keys_ignored",
    "nothing_to_clear",
    "nrb_check_digits",
    "nrb_length",
    "routing_number_check_digit",
    "routing_number_length",
    "security_code_length",
    "sort_code_length",
    "too_many_keys",
]


class CaptureNote(TypedDict):
    """`code` for programs, `detail` a sentence for the agent."""

    code: KeyNote
    detail: str


KeyNote = Literal[
    "customer_talks",
    "keys_as_both",
    "keys_as_events",
    "keys_as_info",
    "keys_as_tones",
    "keys_doubled",
    "keys_not_taken",
]


class LineFault(TypedDict):
    """Nothing was heard of the customer since the capture began."""

    code: DeafReason
    detail: str
    packets: int
    address: str | None


DeafReason = Literal["no_packet", "not_authentic", "on_hold", "other_source"]


class CodeView(TypedDict):
    """A code that the agent's telephone has keyed."""

    feature: Feature
    done: bool
    reason: str | None
    count: int


Feature = Literal["ask", "cancel", "link", "protect", "release", "skip", "start", "submit", "unknown"]


class UnattendedView(TypedDict):
    """The newest such form of a call."""

    route: str
    step: str
    cards: int
    why: Why | None
    detail: str | None


Why = Literal[
    "charged_before",
    "declined",
    "failed",
    "not_started",
    "not_submitted",
    "nothing_owed",
    "person_wanted",
    "silent",
    "stopped",
    "too_long",
    "unknown",
]


class CallLegView(TypedDict):
    """A leg of a call, as it is now."""

    call_id: str
    trunk: str
    number: str
    headers: dict[str, str]


class Obstacle(TypedDict):
    """Why no capture can begin."""

    code: ObstacleCode
    detail: str
    agent: str


ObstacleCode = Literal[
    "changing",
    "encrypted",
    "ended",
    "joining",
    "no_keys",
    "not_answered",
    "other_agent",
    "payment_under_way",
    "service",
]
