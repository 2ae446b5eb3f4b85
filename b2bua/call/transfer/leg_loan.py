"""A loan: one of a call's legs is asked to take a place in another call, and comes back where it
does not.

This is how a transfer joins two calls of ours (REFER with Replaces): see `joining` for which of the
two lends.

Rule 1: every transition is in LOAN_TRANSITIONS.
Rule 2: until the leg has its place in the other call it is this call's: what ends it, or this call,
        ends the loan.
Rule 3: a leg that comes back after it took the other call's session is offered this call's session
        again.
Rule 4: the other leg of this call may hang up meanwhile: then the loan goes on, and the call ends
        where the leg comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from b2bua.call import leg
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
    REFUSED = "refused"  # it did not take it; the other call has not given it back yet
    TAKEN = "taken"  # it took it, and waits for its place
    CALLED_BACK = "called back"  # it is not needed, and that re-INVITE is not answered yet
    RESTORING = "restoring"  # it is offered this call's session again


class LoanEvent(StrEnum):
    """What moves a loan."""

    LENT = "leg lent"
    ANSWERED = "re-INVITE answered"
    DECLINED = "re-INVITE refused"
    GIVEN_BACK = "given back"
    KEPT = "kept by the other call"
    CALL_ENDED = "call ended"


_ENDED = {LoanEvent.CALL_ENDED: LoanState.IDLE}

LOAN_TRANSITIONS: Mapping[LoanState, Mapping[LoanEvent, LoanState]] = {
    LoanState.IDLE: {LoanEvent.LENT: LoanState.ASKED, **_ENDED},
    LoanState.ASKED: {
        LoanEvent.ANSWERED: LoanState.TAKEN,
        LoanEvent.DECLINED: LoanState.REFUSED,
        LoanEvent.GIVEN_BACK: LoanState.CALLED_BACK,
        **_ENDED,
    },
    LoanState.REFUSED: {LoanEvent.GIVEN_BACK: LoanState.IDLE, **_ENDED},
    LoanState.TAKEN: {
        LoanEvent.GIVEN_BACK: LoanState.RESTORING,
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
    """The loans of one call, one after another."""

    bridge: Bridge
    state: LoanState = LoanState.IDLE
    side: Side = Side.CALLER  # whose leg is lent
    gone: bool = False  # the other leg has hung up meanwhile

    @property
    def active(self) -> bool:
        return self.state is not LoanState.IDLE

    def lend(self, side: Side) -> LoanedLeg:
        """The leg of this side is the other call's to ask."""
        self._move(LoanEvent.LENT)
        self.side, self.gone = side, False
        trunk = self.bridge.trunks.trunk(side)
        return self.bridge.offer_answer.legs[side].loan(trunk)

    def asked(self, command: leg.LegCommand) -> list[CallCommand]:
        """What the other call has to say: an offer to the lent leg, all else to the one who asked
        for the transfer."""
        return [ToLeg(self.side if isinstance(command, leg.ReinviteLeg) else OTHER[self.side], command)]

    def given_back(self) -> list[CallCommand]:
        """The other call does not need the leg."""
        if LoanEvent.GIVEN_BACK not in LOAN_TRANSITIONS[self.state]:
            return []
        self._move(LoanEvent.GIVEN_BACK)
        if self.gone:
            return self._alone()
        return self._restored() if self.state is LoanState.RESTORING else []

    def kept(self, by: str) -> list[CallCommand]:
        """The leg has its place in the other call; this one is over."""
        self._move(LoanEvent.KEPT)
        return self.bridge.leg_gone(self.side, f"joined call {by}")

    def leg_event(self, side: Side, event: leg.LegEvent) -> list[CallCommand] | None:
        """Of the two legs of this call. None: it is not the loan's, but the bridge's."""
        if not self.active:
            return None
        match event:
            case leg.LegReinvited():
                return [ToLeg(side, leg.RejectReinvite(491, "Request Pending"))]
            case leg.ReinviteAnswered() if side is self.side:
                return self._answered(event)
            case leg.ReinviteFailed() if side is self.side:
                return self._declined(event)
            case leg.LegHungUp() | leg.LegFailed() if side is not self.side:
                self.gone = True
                back = self.state in (LoanState.CALLED_BACK, LoanState.RESTORING)
                return self._alone() if back else []
            case _:
                return None

    def call_ended(self) -> list[CallCommand]:
        lent = self.state in (LoanState.ASKED, LoanState.REFUSED, LoanState.TAKEN)
        self._move(LoanEvent.CALL_ENDED)
        return [ToBorrower(leg.LegHungUp("call ended"))] if lent else []

    # --- inside -----------------------------------------------------------------------------------

    def _answered(self, event: leg.ReinviteAnswered) -> list[CallCommand]:
        was = self.state
        if LoanEvent.ANSWERED not in LOAN_TRANSITIONS[was]:
            return []
        self._move(LoanEvent.ANSWERED)
        if was is LoanState.ASKED:
            return [ToBorrower(event)]
        if was is LoanState.CALLED_BACK:
            return self._restored()
        told = self.bridge.offer_answer
        return (
            [ToMedia(told.remote_command(self.side))]
            if event.answer and told.set_remote_answer(self.side, event.answer)
            else []
        )

    def _declined(self, event: leg.ReinviteFailed) -> list[CallCommand]:
        asked = self.state is LoanState.ASKED
        if LoanEvent.DECLINED not in LOAN_TRANSITIONS[self.state]:
            return []
        self._move(LoanEvent.DECLINED)
        return [ToBorrower(event)] if asked else []

    def _restored(self) -> list[CallCommand]:
        return [ToLeg(self.side, leg.ReinviteLeg(self.bridge.offer_answer.restore_local(self.side)))]

    def _alone(self) -> list[CallCommand]:
        """Nobody is there to go back to."""
        return self.bridge.leg_gone(OTHER[self.side], "transfer failed")

    def _move(self, event: LoanEvent) -> None:
        self.state = step(LOAN_TRANSITIONS, self.state, event)
