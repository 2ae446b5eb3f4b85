"""Decides what may still be done about a payment: capture, void and refund, and how much of each.

Rule 1: never more than what is left; what is under way, or may have been done, counts as done.
Rule 2: one request at a time of a payment.
Rule 3: only money that was approved is captured, and only money that was captured is refunded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUpKind,
    FollowUpOutcome,
    Operation,
    Outcome,
    PartiallyApproved,
    follow_up_operation,
)

Kind = FollowUpKind
KINDS: Final[tuple[Kind, ...]] = ("capture", "void", "refund")
_OVER: Final = "Another request for this payment is under way. Wait for its outcome."
_TOO_MUCH: Final = "That is more than is left of this payment."
_NOTHING_LEFT: Final = {
    "capture": "There is nothing left to capture of this payment.",
    "void": "This payment cannot be voided any more: look at what was done about it.",
    "refund": "There is nothing left to refund of this payment.",
}


class FollowUpView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done about a payment, or is being done. `amount` in the payment's minor
    unit.

    `outcome`: None while it is under way; `accepted` where the provider decides later. `at`, `by`:
    when and by which agent it was requested; `decided_at`, `decided_by`: when the last outcome
    came, and who found it where that is not the sender; `settled_by`: which agent."""

    key: str
    kind: Kind
    amount: int
    outcome: FollowUpOutcome | None = None
    at: str
    by: str = ""
    decided_at: str | None = None
    decided_by: str | None = None
    settled_by: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the provider did it, or has accepted to."""
        return isinstance(self.outcome, Approved | Accepted)

    @property
    def is_possible(self) -> bool:
        """Whether it may have been done."""
        return not isinstance(self.outcome, Declined | Failed)


@dataclass(frozen=True, slots=True)
class Balance:
    """The money of a payment: `approved` in its minor unit, and what followed."""

    operation: str
    approved: int
    follow_ups: Sequence[FollowUpView]

    @classmethod
    def of(
        cls, operation: str, amount: int, outcome: Outcome | None, follow_ups: Sequence[FollowUpView]
    ) -> Balance:
        """`amount`: what the payment asked for."""
        approved = amount if isinstance(outcome, Approved) else 0
        if isinstance(outcome, PartiallyApproved):
            approved = outcome.amount
        return cls(operation, approved, follow_ups)

    @property
    def captured(self) -> int:
        """What was taken from the card, or is certain to be."""
        return self.approved if self.operation == "charge" else self._done("capture")

    @property
    def refunded(self) -> int:
        """What was given back, or is certain to be."""
        return self._done("refund")

    @property
    def voided(self) -> int:
        """What was released without being taken."""
        return self._done("void")

    def left(self, kind: Kind) -> int:
        """How much of the payment that may still be done to."""
        captures, voids, refunds = (self._possible(each) for each in ("capture", "void", "refund"))
        match kind:
            case "capture":
                left = self.approved - captures if self.operation == "authorise" and not voids else 0
            case "void":
                left = 0 if captures or voids or refunds else self.approved
            case "refund":
                left = self.captured - refunds - (voids if self.operation == "charge" else 0)
        return max(left, 0)

    def left_of_offered(self, kind: Kind, offers: Collection[Operation] | None) -> int:
        """As `left`, of a provider that can do these; None: it is not known what."""
        left = self.left(kind)
        fitting = {self.operation_for(kind, left), follow_up_operation(kind, in_part=True)}
        return 0 if offers is not None and fitting.isdisjoint(offers) else left

    def refusal(self, kind: Kind, amount: int) -> str:
        """Why that cannot be requested now, fit for the agent's eyes; empty where it can."""
        left = self.left(kind)
        if not self.approved:
            return "Only a payment that was approved can be captured, voided or refunded."
        if any(each.outcome is None for each in self.follow_ups):
            return _OVER
        if kind == "capture" and self.operation == "charge":
            return "This payment was charged at once: there is nothing to capture."
        if not left:
            return _NOTHING_LEFT[kind]
        if kind == "void" and amount != left:
            return "A void releases the whole payment: leave out the amount."
        return _TOO_MUCH if amount > left else ""

    def operation_for(self, kind: Kind, amount: int) -> Operation:
        """What the provider must offer for that."""
        return follow_up_operation(kind, in_part=amount < self.approved)

    def _done(self, kind: Kind) -> int:
        return sum(each.amount for each in self.follow_ups if each.kind == kind and each.is_done)

    def _possible(self, kind: str) -> int:
        return sum(each.amount for each in self.follow_ups if each.kind == kind and each.is_possible)
