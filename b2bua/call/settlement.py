"""Settles by a person's word what nobody can find out: what the provider's own tools show.

Rule 1: only what is over here, and unknown or not decided by the provider, is settled.
Rule 2: an approval names the provider's reference: a refund needs it.
"""

from __future__ import annotations

from typing import Final

from b2bua.call.follow_up import FollowUpView
from b2bua.call.order import Settlement
from b2bua.call.view import CaptureStage, NotNow, PaymentView
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    Outcome,
    PartiallyApproved,
    Unknown,
)

DECIDED: Final = "It is decided already, so nothing was changed. Look at it again."
_UNDER_WAY: Final = "It is under way at this moment. Wait for its outcome."
_NEVER_SENT: Final = "This payment was never charged: there is nothing to settle."
_NO_SUCH: Final = "Nothing with that key was done about this payment."
_TOO_MUCH: Final = "That is more than was asked for."


def find_settled(payment: PaymentView, said: Settlement) -> FollowUpView | None:
    """What of the payment is settled; None for the payment itself. Raises NotNow where that is not
    to be settled."""
    if said.follow_up:
        found = next((each for each in payment.follow_ups if each.key == said.follow_up), None)
        if found is None:
            raise NotNow(_NO_SUCH)
        if found.outcome is None:
            raise NotNow(_UNDER_WAY)
        if not isinstance(found.outcome, Unknown | Accepted):
            raise NotNow(DECIDED)
        return found
    if payment.outcome is None:
        raise NotNow(_UNDER_WAY if payment.stage is CaptureStage.CHARGING else _NEVER_SENT)
    if not isinstance(payment.outcome, Unknown):
        raise NotNow(DECIDED)
    return None


def outcome_for(payment: PaymentView, said: Settlement) -> Outcome:
    """The outcome by that word. Raises NotNow where more is said to be approved than was asked
    for."""
    match said.outcome:
        case "declined":
            return Declined(reason="settled_by_person", reference=said.reference or None)
        case "failed":
            return Failed(reason="settled_by_person")
    if said.amount is not None and said.amount > payment.order.amount:
        raise NotNow(_TOO_MUCH)
    if said.amount is not None and said.amount < payment.order.amount:
        return PartiallyApproved(amount=said.amount, reference=said.reference)
    return Approved(reference=said.reference)
