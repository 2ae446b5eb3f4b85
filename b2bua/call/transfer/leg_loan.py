"""Lends a leg of a call to another call, which asks it to join there; takes it back where it does
not.

This is how a REFER with Replaces joins two calls of ours (RFC 5589 section 7); `attended_join`
decides which of the two lends.

Rule 1: every transition is in LOAN_TRANSITIONS.
Rule 2: until the leg has its place in the other call it belongs to this one: the end of the leg, or
        of this call, ends the loan.
Rule 3: a leg that comes back after it accepted the other call's session is offered this call's
        session again.
Rule 4: the other leg of this call may hang up meanwhile. Then the loan goes on, and the call ends
        where the leg comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from b2bua.call import leg, leg_command
from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, ToBorrower, ToLeg, ToMedia
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import step
from media.events import Side


class LoanState(StrEnum):
    """The states of a loan."""

    IDLE = "idle"
    ASKED = "asked"  # the leg has a re-INVITE with the other call's session
    REFUSED = "refused"  # it refused it; the other call has not returned it yet
    ACCEPTED = "accepted"  # it accepted it, and waits for its place
    CALLED_BACK = "called back"  # it was returned before it answered that re-INVITE
    RESTORING = "restoring"  # it is offered this call's session again


class LoanEvent(StrEnum):
    """The events of a loan."""

    LENT = "leg lent"
    ANSWERED = "re-INVITE answered"
    DECLINED = "re-INVITE refused"
    RETURNED = "leg returned"
    KEPT = "leg kept by the other call"
    CALL_ENDED = "call ended"


_ENDED = {LoanEvent.CALL_ENDED: LoanState.IDLE}

LOAN_TRANSITIONS: Mapping[LoanState, Mapping[LoanEvent, LoanState]] = {
    LoanState.IDLE: {LoanEvent.LENT: LoanState.ASKED, **_ENDED},
    LoanState.ASKED: {
        LoanEvent.ANSWERED: LoanState.ACCEPTED,
        LoanEvent.DECLINED: LoanState.REFUSED,
        LoanEvent.RETURNED: LoanState.CALLED_BACK,
        **_ENDED,
    },
    LoanState.REFUSED: {LoanEvent.RETURNED: LoanState.IDLE, **_ENDED},
    LoanState.ACCEPTED: {
        LoanEvent.RETURNED: LoanState.RESTORING,
        LoanEvent.KEPT: LoanState.IDLE,
        **_ENDED,
    },
    LoanState.CALLED_BACK: {
        LoanEvent.ANSWERED: LoanState.RESTORING,
        LoanEvent.DECLINED: LoanState.IDLE,
        **_ENDED,
    },
    LoanState.RESTORING: {
        LoanEvent.ANSWERED: LoanState.IDLE,
        LoanEvent.DECLINED: LoanState.IDLE,
        **_ENDED,
    },
}


@dataclass(slots=True)
class LegLoan:
    """The loans of one call, one after another. `side`: whose leg is lent. `gone`: the other leg
    has hung up meanwhile."""

    bridge: Bridge
    state: LoanState = LoanState.IDLE
    side: Side = Side.CALLER
    gone: bool = False

    @property
    def active(self) -> bool:
        """Whether a leg is lent, or on its way back."""
        return self.state is not LoanState.IDLE

    def lend_leg(self, side: Side) -> LoanedLeg:
        """Begin a loan; returns what the other call needs to know of the leg."""
        self._move(LoanEvent.LENT)
        self.side, self.gone = side, False
        return self.bridge.offer_answer.legs[side].loan_leg(self.bridge.trunks.trunk(side))

    def borrower_command(self, command: leg_command.LegCommand) -> list[CallCommand]:
        """Execute a command of the other call: an offer is for the lent leg, the rest for the leg
        that sent the REFER."""
        return [
            ToLeg(self.side if isinstance(command, leg_command.ReinviteLeg) else OTHER[self.side], command)
        ]

    def leg_returned(self) -> list[CallCommand]:
        """Take the leg back: the other call does not need it."""
        if LoanEvent.RETURNED not in LOAN_TRANSITIONS[self.state]:
            return []
        self._move(LoanEvent.RETURNED)
        if self.gone:
            return self._end_call()
        return self._restore_session() if self.state is LoanState.RESTORING else []

    def leg_kept(self, by: str) -> list[CallCommand]:
        """End this call: the leg has its place in the call `by`."""
        self._move(LoanEvent.KEPT)
        return self.bridge.leg_gone(self.side, f"joined call {by}")

    def leg_event(self, side: Side, event: leg.LegEvent) -> list[CallCommand] | None:
        """Take an event of one of this call's legs. None: it is for the bridge."""
        if not self.active:
            return None
        match event:
            case leg.LegReinvited():
                return [ToLeg(side, leg_command.RejectReinvite(491, "Request Pending"))]
            case leg.ReinviteAnswered() if side is self.side:
                return self._receive_answer(event)
            case leg.ReinviteFailed() if side is self.side:
                return self._receive_refusal(event)
            case leg.LegHungUp() | leg.LegFailed() if side is not self.side:
                self.gone = True
                back = self.state in (LoanState.CALLED_BACK, LoanState.RESTORING)
                return self._end_call() if back else []
            case _:
                return None

    def call_ended(self) -> list[CallCommand]:
        """End the loan with its call."""
        away = self.state in (LoanState.ASKED, LoanState.REFUSED, LoanState.ACCEPTED)
        self._move(LoanEvent.CALL_ENDED)
        return [ToBorrower(leg.LegHungUp("call ended"))] if away else []

    # --- inside -----------------------------------------------------------------------------------

    def _receive_answer(self, event: leg.ReinviteAnswered) -> list[CallCommand]:
        before = self.state
        if LoanEvent.ANSWERED not in LOAN_TRANSITIONS[before]:
            return []
        self._move(LoanEvent.ANSWERED)
        if before is LoanState.ASKED:
            return [ToBorrower(event)]
        if before is LoanState.CALLED_BACK:
            return self._restore_session()
        offer_answer = self.bridge.offer_answer
        if not event.answer or not offer_answer.set_remote_answer(self.side, event.answer):
            return []
        return [ToMedia(offer_answer.remote_command(self.side))]

    def _receive_refusal(self, event: leg.ReinviteFailed) -> list[CallCommand]:
        asked = self.state is LoanState.ASKED
        if LoanEvent.DECLINED not in LOAN_TRANSITIONS[self.state]:
            return []
        self._move(LoanEvent.DECLINED)
        return [ToBorrower(event)] if asked else []

    def _restore_session(self) -> list[CallCommand]:
        return [ToLeg(self.side, leg_command.ReinviteLeg(self.bridge.offer_answer.restore_local(self.side)))]

    def _end_call(self) -> list[CallCommand]:
        """End the call: the leg came back, and its other end is gone."""
        return self.bridge.leg_gone(OTHER[self.side], "transfer failed")

    def _move(self, event: LoanEvent) -> None:
        self.state = step(LOAN_TRANSITIONS, self.state, event)
