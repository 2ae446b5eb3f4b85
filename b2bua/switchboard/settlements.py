"""Carries out what a person says of payments whose outcome nobody knows.

Rule 1: the reconciler notes it in the journal first; here it is followed as any outcome that was
        found.
Rule 2: what the journal has decided meanwhile is followed instead, and the person's word refused.
"""

from __future__ import annotations

from typing import Final

from b2bua.call.order import Settlement
from b2bua.call.settlement import DECIDED, find_settled, outcome_for
from b2bua.call.view import CaptureStage, NotNow, NotWell, PaymentView
from b2bua.switchboard.follow_ups import AWAY, request_of
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.payment_provider import provider_of
from b2bua.switchboard.payments import Payments
from provider_adapters.payment import FollowUpOutcome, Outcome
from provider_adapters.reconciler.messages import Settled
from tonewall.log import get_logger

log = get_logger(__name__)
_BEING_SENT: Final = "It is being sent, or could not be noted, at this moment. Try again soon."
_NO_ANSWER: Final = (
    "The process that notes it down has ended. Look at the payment: if it is not settled, try again."
)
_NOT_WRITTEN_YET: Final = "The end of this payment is being noted down. Try again in a moment."


class Settlements:
    """Requests that settle payments."""

    def __init__(self, payments: Payments, reconciler: Reconciler | None) -> None:
        self._payments, self._reconciler = payments, reconciler

    async def settle(self, payment_id: str, said: Settlement, agent: str) -> PaymentView:
        """Note what the agent says, and follow it: the payment then. Raises NoSuchPayment, NotNow
        and NotWell."""
        reconciler, payments = self._reconciler, self._payments
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        payment = await payments.find(payment_id)
        later, outcome = find_settled(payment, said), outcome_for(payment, said)
        if payment.stage is not CaptureStage.FINISHED or not payments.is_written(payment_id):
            raise NotNow(_NOT_WRITTEN_YET)
        request = None if later is None else request_of(payment, later)
        charge, provider = payment.order.charge(payment_id), provider_of(payment)
        settled = await reconciler.settle(charge, request, outcome, agent, provider)
        if settled is None:
            raise NotWell(_NO_ANSWER)
        if settled.outcome is None:
            raise NotNow(_BEING_SENT)
        if request is None:
            after = await payments.reconciliation.settle(payment, settled)
        else:
            after = await payments.follow_ups.settle(payment, request.key, settled)
        # After a crash between journal and table the same word is said once more.
        if not settled.is_new and not _is_same(settled, outcome, agent):
            raise NotNow(DECIDED)
        log.info("payment_settled", agent=agent, outcome=said.outcome, payment=payment_id)
        return after


def _is_same(settled: Settled, outcome: Outcome | FollowUpOutcome, agent: str) -> bool:
    stands = settled.outcome
    names = ("reference", "amount")
    return (settled.by, settled.who, type(stands)) == ("person", agent, type(outcome)) and all(
        getattr(stands, name, None) == getattr(outcome, name, None) for name in names
    )
