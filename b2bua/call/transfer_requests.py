"""What legs ask of a call that concerns transfers: whether the call allows it, and what is to be
done then."""

from __future__ import annotations

from abc import ABC, abstractmethod

from b2bua.call import leg, leg_command
from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, ToLeg, ToReplacement
from b2bua.call.own_leg import own_trunk
from b2bua.call.payment import Payment
from b2bua.call.report import CallReport
from b2bua.call.routing.form_end import Destination, FormEnd
from b2bua.call.state import BridgeState
from b2bua.call.transfer.leg_loan import LegLoan
from b2bua.call.transfer.transfer import Transfer
from b2bua.call.unattended import Unattended
from media.events import Side


class TransferRequests(ABC):
    """The requests for one call, which has the parts below."""

    __slots__ = ()

    party: leg.Party
    bridge: Bridge
    payment: Payment
    transfer: Transfer
    loan: LegLoan
    unattended: Unattended
    report: CallReport

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    @abstractmethod
    def _finish_exchange(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """As `_finish`, after an event that may have ended an offer/answer exchange."""

    def receive_refer(self, side: Side, event: leg.LegReferred, now: float) -> list[CallCommand]:
        """Take a REFER to somebody who is in no call of ours."""
        if self.loan.active:
            return self.refuse_referral(side, event.referral, 491, now)
        masked = self.payment.masked
        return self._finish(self.transfer.receive_refer(side, event, self.party, now, masked=masked), now)

    def receive_refer_to_form(
        self, side: Side, event: leg.LegReferred, ends: FormEnd, now: float
    ) -> list[CallCommand]:
        """Take a REFER to a number whose route ends in a form: our end takes the place of that
        leg."""
        busy = self.loan.active or not self.payment.settled
        if busy or self.unattended.active:
            return self.refuse_referral(side, event.referral, 491 if self.loan.active else 603, now)
        masked, trunk = self.payment.masked, own_trunk(ends.form)
        commands = self.transfer.receive_refer(side, event, self.party, now, masked=masked, own_trunk=trunk)
        if self.transfer.active:
            self.unattended.await_our_end(ends)
        return self._finish(commands, now)

    def agent_gone(self, now: float) -> list[CallCommand] | None:
        """The agent's leg is over: where a payment is under way, and the route says so, our end
        takes its place. None: the call ends with it."""
        left = self.bridge.route.left
        both = self.bridge.state is BridgeState.UP and self.bridge.offer_answer.complete
        busy = self.loan.active or self.transfer.active or self.unattended.active
        if left is None or not both or busy or self.payment.settled:
            return None
        self.unattended.await_our_end(left, takes_over=True)
        to = Destination(own_trunk(left.form), self.party, leg.Party(""))
        return self.transfer.seat_own_end(Side.AGENT, to, now)

    def refuse_referral(self, side: Side, referral: str, code: int, now: float) -> list[CallCommand]:
        """Answer a REFER with an error."""
        return self._finish([ToLeg(side, leg_command.AnswerReferral(referral, code))], now)

    def receive_replaces(self, side: Side, invited: leg.LegInvited, now: float) -> list[CallCommand]:
        """Take an INVITE with a Replaces that names this side's leg (RFC 3891)."""
        if self.loan.active:
            return [ToReplacement(leg_command.RejectLeg(491, ""))]
        self.report.identity.joining_event(invited, self.bridge.route.policies)
        masked = self.payment.masked
        return self._finish_exchange(self.transfer.receive_replaces(side, invited, now, masked=masked), now)

    def replacement_event(self, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """Take an event of the leg that is to replace another."""
        self.report.identity.joining_event(event, self.bridge.route.policies)
        return self._finish_exchange(self.transfer.replacement_event(event), now)
