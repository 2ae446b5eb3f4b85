"""A transfer: another leg takes the place of one of a call's two, while the other leg, its media
and its mask go on.

Rule 1: every transition is in TRANSFER_TRANSITIONS; one transfer of a call at a time, the next
        is refused (491).
Rule 2: the old leg keeps its place until the new one has answered and the leg that stays has agreed
        to it. Whatever fails before leaves the call as it was.
Rule 3: the media session and its mask are not touched but for where the new leg's packets go: a
        mask that is on is on for the new leg's first packet.
Rule 4: the one who asked may hang up meanwhile; then the transfer goes on without him, and ends the
        call where it fails.
Rule 5: the new leg is invited, where one of the two asked for it (REFER), or it calls us and says
        whose place it takes (INVITE with Replaces, RFC 3891): then it is answered last, with what
        the leg that stays has agreed to. Or it is a leg that another call of ours lends (see
        `loan`): then it has a re-INVITE, and goes back where it does not stay.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call import leg
from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, ReleaseLeg, ReplaceLeg, ToLeg, ToMedia, ToReplacement
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState, step
from b2bua.call.transfer.states import TRANSFER_TRANSITIONS, TransferEvent, TransferState
from media.events import Side

# Seconds that the other leg may take to be free until a new leg is turned away (RFC 3261, timer B).
_SETTLES = 32.0
_BEFORE = (
    TransferState.INVITING,
    TransferState.ASKING,
    TransferState.WAITING,
)  # the leg that stays knows nothing yet


@dataclass(frozen=True, slots=True)
class AttendedTransfer:
    """How two calls are joined. `place`: the side of the call that goes on, for the leg on the side
    `lends` of the other one. `lender_asked`: the REFER came in that other one."""

    place: Side
    lends: Side
    lender_asked: bool


@dataclass(slots=True)
class Transfer:
    """The transfers of one call."""

    bridge: Bridge
    state: TransferState = TransferState.IDLE
    side: Side = Side.AGENT  # whose leg is to be replaced
    gone: bool = False  # that leg has hung up meanwhile
    calls: bool = False  # the new leg called us, and waits for its answer
    lent: LoanedLeg | None = None  # the new leg is another call's, until it has its place
    lender_asked: bool = False  # the REFER came in that other call
    _referral: str = ""
    _asker_is_gone: bool = False
    _target: sdp.SessionDescription | None = None
    _offer: bytes = b""  # what the new leg, or the one that stays, was offered last
    _deadline: float | None = None

    @property
    def active(self) -> bool:
        return self.state is not TransferState.IDLE

    @property
    def borrows(self) -> bool:
        """Whether the new leg is another call's still."""
        return self.active and self.lent is not None

    def deadline(self) -> float | None:
        return self._deadline

    # --- it begins --------------------------------------------------------------------------------

    def referred(
        self, side: Side, event: leg.LegReferred, caller: leg.Party, now: float, *, masked: bool
    ) -> list[CallCommand]:
        code = self._refusal(side, event, masked=masked)
        if code:
            return [ToLeg(side, leg.AnswerReferral(event.referral, code))]
        self._begin(TransferEvent.REFERRED, side, event.referral, now + self.bridge.route.ring_time)
        self._offer = self.bridge.offer_answer.offer_to_replacement(side)
        invite = leg.InviteLeg(
            trunk=self.bridge.trunks.trunk(side),
            caller=caller,
            callee=event.target,
            offer=self._offer,
            carried=event.carried,
            replaces=event.replaces_header,
            referred_by=event.referred_by,
            uri=event.uri,
        )
        return [ToLeg(side, leg.AnswerReferral(event.referral, 202)), *self._tell(100), ToReplacement(invite)]

    def replaced(self, side: Side, event: leg.LegInvited, now: float, *, masked: bool) -> list[CallCommand]:
        """A new leg calls and wants this side's place."""
        code, target = 0, self.bridge.offer_answer.parse_replacement(side, event.offer)
        if self.active:
            code = 491
        elif self.bridge.state is not BridgeState.UP or not self.bridge.offer_answer.complete:
            code = 486  # of an early dialog only its own end may dispose (RFC 3891 section 3)
        elif side is Side.CALLER and masked:
            code = 603  # while a card is keyed nobody takes the customer's place
        elif target is None:
            code = 488
        if code:
            return [ToReplacement(leg.RejectLeg(code, ""))]
        self._begin(TransferEvent.REPLACED, side, "", now + _SETTLES)
        self.calls, self._target = True, target
        return []

    def joined(
        self, joining: AttendedTransfer, lent: LoanedLeg, referral: str, now: float
    ) -> list[CallCommand]:
        """A leg that another call lends is to have a place in this one, and it was found that it
        may."""
        self._begin(TransferEvent.JOINED, joining.place, referral, now + _SETTLES)
        self.lent, self.lender_asked = lent, joining.lender_asked
        self._offer = self.bridge.offer_answer.offer_to_loaned(self.side, lent)
        offer = ToReplacement(leg.ReinviteLeg(self._offer))
        return [self._to_asker(leg.AnswerReferral(referral, 202)), *self._tell(100), offer]

    def _begin(self, event: TransferEvent, side: Side, referral: str, deadline: float) -> None:
        self._move(event)
        self.side, self.gone, self.calls, self.lent, self.lender_asked = side, False, False, None, False
        self._referral, self._asker_is_gone = referral, False
        self._target, self._deadline = None, deadline

    def _refusal(self, side: Side, event: leg.LegReferred, *, masked: bool) -> int:
        if self.active:
            return 491
        if (
            self.bridge.state is not BridgeState.UP
            or not self.bridge.offer_answer.complete
            or not (event.target.user or event.uri)
        ):
            return 480 if event.target.user or event.uri else 404
        if event.replaces is not None or (side is Side.CALLER and masked):
            return (
                # A dialog that is no call's; and while a card is keyed nobody takes the customer's
                # place.
                603
            )
        return 0

    # --- what the legs report ---------------------------------------------------------------------

    def joining_event(self, event: leg.LegEvent) -> list[CallCommand]:
        """Of the leg that is to take the place."""
        if not self.active:
            return []
        match event:
            case leg.LegProgressed() if self.state is TransferState.INVITING:
                return self._tell(event.code, event.phrase)
            case leg.LegAnswered() if self.state is TransferState.INVITING:
                return self._answered(event.answer)
            case leg.ReinviteAnswered() if self.state is TransferState.ASKING:
                return self._answered(event.answer)
            case leg.ReinviteFailed() if self.state is TransferState.ASKING:
                return [*self._failed(event.code, event.phrase), ReleaseLeg()]
            case leg.LegFailed():
                return self._failed(event.code, event.phrase)
            case leg.LegHungUp():
                self._asker_is_gone |= self.lender_asked  # its call is over, and every leg of it
                return self._failed(480, "")
            case leg.LegReinvited():
                return [ToReplacement(leg.RejectReinvite(491, "Request Pending"))]
            case leg.LegRequested():
                return [ToReplacement(leg.RespondLeg(event.request, 480))]
            case leg.LegReferred():
                return [ToReplacement(leg.AnswerReferral(event.referral, 491))]
            case _:
                return []

    def leg_event(self, side: Side, event: leg.LegEvent) -> list[CallCommand] | None:
        """Of the two legs of the call. None: it is not the transfer's, but the bridge's."""
        if not self.active:
            return None
        if side is self.side and isinstance(event, leg.LegHungUp | leg.LegFailed):
            return self._left()
        settling = self.state not in _BEFORE
        if isinstance(event, leg.LegReinvited) and (
            settling or self.gone or self.state is TransferState.WAITING
        ):
            return [ToLeg(side, leg.RejectReinvite(491, "Request Pending"))]
        if side is OTHER[self.side] and settling:
            if isinstance(event, leg.ReinviteAnswered):
                return self._agreed(event)
            if isinstance(event, leg.ReinviteFailed):
                return self._refused(event.code, event.phrase)
        return None

    def proceed(self) -> list[CallCommand]:
        """After any event: offer the target's session to the leg that stays, once it is free to
        take it."""
        if self.state is not TransferState.WAITING or not self.bridge.may_offer or self._target is None:
            return []
        # Who called is answered with what the leg that stays says to that very offer.
        offer = self.bridge.offer_answer.offer_for(OTHER[self.side], self._target, always=self.calls)
        if offer is None:
            return self._seat()
        self._move(TransferEvent.OFFERED)
        self._offer = offer
        return [ToLeg(OTHER[self.side], leg.ReinviteLeg(offer))]

    def expire(self, now: float) -> list[CallCommand]:
        """The target rang for too long, or the others' re-INVITE took as long."""
        if self._deadline is None or now < self._deadline:
            return []
        return self._turned_away("no answer", 408)

    def call_ended(self) -> list[CallCommand]:
        """Nobody is left to be talked to."""
        if not self.active:
            return []
        joining = self.state in (*_BEFORE, TransferState.OFFERING)
        self._move(TransferEvent.CALL_ENDED)
        return [self._dismiss("call ended", 480)] if joining else []

    # --- inside -----------------------------------------------------------------------------------

    def _answered(self, answer: bytes) -> list[CallCommand]:
        self._target = self.bridge.offer_answer.parse_replacement_answer(
            self.side, answer, self._offer, self.lent
        )
        if self._target is None:
            return self._turned_away("bad SDP answer", 488)
        self._move(TransferEvent.ANSWERED)
        return []

    def _agreed(self, event: leg.ReinviteAnswered) -> list[CallCommand]:
        rest = OTHER[self.side]
        if self.state is TransferState.OFFERING:
            if event.answer and self.bridge.offer_answer.set_remote_answer(rest, event.answer, self._offer):
                return self._seat()
            self._move(TransferEvent.FAILED)
            commands: list[CallCommand] = [*self._tell(488), self._dismiss("bad SDP answer", 488)]
        else:
            commands = []
        if self.state is TransferState.RESTORING:
            self._move(TransferEvent.AGREED)
            learned = bool(event.answer) and self.bridge.offer_answer.set_remote_answer(rest, event.answer)
            return [ToMedia(self.bridge.offer_answer.remote_command(rest))] if learned else []
        self._move(TransferEvent.AGREED)
        if self.gone:
            return [*commands, *self._alone()]
        return [*commands, ToLeg(rest, leg.ReinviteLeg(self.bridge.offer_answer.restore_local(rest)))]

    def _refused(self, code: int, phrase: str) -> list[CallCommand]:
        joining = self.state is TransferState.OFFERING
        self._move(TransferEvent.REFUSED)
        if not joining:
            return []
        return [*self._tell(code, phrase), self._dismiss("transfer failed", code), *self._alone()]

    def _seat(self) -> list[CallCommand]:
        """The target takes the place."""
        assert self._target is not None
        self._move(TransferEvent.SEATED)
        goodbye = self._tell(200)
        if not self.gone:
            goodbye.append(ToLeg(self.side, leg.HangUpLeg("transferred")))
        lent, self.lent, self.gone = self.lent, None, False
        seat = self.bridge.seat(self.side, self._target, lent=lent, calls=self.calls)
        return [*goodbye, ReplaceLeg(self.side), *seat]

    def _turned_away(self, reason: str, code: int) -> list[CallCommand]:
        """The new leg does not get so far."""
        return [*self._failed(code, ""), self._dismiss(reason, code)]

    def _dismiss(self, reason: str, code: int) -> CallCommand:
        """The new leg does not take the place."""
        if self.lent is not None:
            return ReleaseLeg()
        return ToReplacement(leg.RejectLeg(max(code, 400), "") if self.calls else leg.HangUpLeg(reason))

    def _failed(self, code: int, phrase: str) -> list[CallCommand]:
        if TransferEvent.FAILED not in TRANSFER_TRANSITIONS[self.state]:
            return []
        self._move(TransferEvent.FAILED)
        return [*self._tell(max(code, 300), phrase), *self._alone()]

    def _left(self) -> list[CallCommand]:
        """The one who asked has hung up."""
        self.gone = True
        self._asker_is_gone |= not self.lender_asked
        if self.state in (TransferState.UNDOING, TransferState.RESTORING):
            return self._alone()
        return self.bridge.renegotiation.leg_gone(self.side)

    def _alone(self) -> list[CallCommand]:
        """It failed; where nobody is there to go back to, the call ends."""
        return self.bridge.leg_gone(self.side, "transfer failed") if self.gone else []

    def _tell(self, code: int, phrase: str = "") -> list[CallCommand]:
        if self.calls or self._asker_is_gone:
            return []
        return [self._to_asker(leg.NotifyLeg(self._referral, code, phrase))]

    def _to_asker(self, command: leg.LegCommand) -> CallCommand:
        """The one who asked for the transfer, in whichever of the two calls."""
        return ToReplacement(command) if self.lender_asked else ToLeg(self.side, command)

    def _move(self, event: TransferEvent) -> None:
        self.state = step(TRANSFER_TRANSITIONS, self.state, event)
        if self.state not in _BEFORE:
            self._deadline = None  # a re-INVITE ends by itself (RFC 3261, timer B)
