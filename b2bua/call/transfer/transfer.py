"""Transfers a call: another leg takes the place of one of its two, while the other leg, its media
and its mask go on.

The new leg comes in one of three ways: we invite it, because a leg sent a REFER (RFC 3515); it
calls us with a Replaces (RFC 3891); or another call of ours lends it (RFC 5589, `leg_loan`). A call
goes on from a form in the first way, without a REFER, and our end takes an agent's place so.

Rule 1: every transition is in TRANSFER_TRANSITIONS. A call has one transfer at a time; the next is
        refused with 491.
Rule 2: the old leg keeps its place until the new one has answered and the leg that stays has agreed
        to it. A failure before that leaves the call as it was.
Rule 3: the media session and its mask change only in where the new leg's packets go: a mask that is
        on is on for the new leg's first packet.
Rule 4: the leg that sent the REFER may hang up meanwhile. Then the transfer goes on without it, and
        its failure ends the call.
Rule 5: a new leg that called is answered last, with what the leg that stays has agreed to.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call import leg, leg_command
from b2bua.call.bridge import Bridge
from b2bua.call.command import CallCommand, ReleaseLeg, ReplaceLeg, ToLeg, ToMedia, ToReplacement
from b2bua.call.routing.form_end import Destination
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState, step
from b2bua.call.transfer.plan import AttendedTransfer
from b2bua.call.transfer.states import TRANSFER_TRANSITIONS, TransferEvent, TransferState
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Side

# Seconds that the other leg may take to be free until a new leg is turned away (RFC 3261, timer B).
_SETTLE_TIMEOUT = 32.0
# The leg that stays has no offer yet.
_BEFORE_OFFER = (TransferState.INVITING, TransferState.ASKING, TransferState.WAITING)


@dataclass(slots=True)
class Transfer:
    """The transfers of one call.

    `side`: whose leg is to be replaced; `gone`: that leg has hung up meanwhile. `calls`: the new
    leg called us, and waits for its answer. `loaned`: the new leg, while it is another call's;
    `lender_asked`: as in AttendedTransfer. `trunk`: the new leg's, where that may be another than
    the old one's. `result`: how the newest one ended that no REFER asked for: 200, or why not.
    """

    bridge: Bridge
    state: TransferState = TransferState.IDLE
    side: Side = Side.AGENT
    gone: bool = False
    calls: bool = False
    loaned: LoanedLeg | None = None
    lender_asked: bool = False
    trunk: str = ""
    result: int | None = None
    _referral: str = ""
    _transferor_gone: bool = False
    _target: sdp.SessionDescription | None = None  # the new leg's description
    _offer: bytes = b""  # our newest offer to the new leg, or to the one that stays
    _deadline: float | None = None

    @property
    def active(self) -> bool:
        """Whether a transfer is under way."""
        return self.state is not TransferState.IDLE

    @property
    def borrows(self) -> bool:
        """Whether the new leg is another call's still."""
        return self.active and self.loaned is not None

    def deadline(self) -> float | None:
        """When `expire` is due."""
        return self._deadline

    # --- the beginning ----------------------------------------------------------------------------

    def receive_refer(
        self, side: Side, event: leg.LegReferred, caller: leg.Party, now: float, *,
        masked: bool, own_trunk: str = "",
    ) -> list[CallCommand]:  # fmt: skip
        """Take a REFER to somebody who is in no call of ours. `own_trunk`: that is our end."""
        code = self._refer_refusal(side, event, masked=masked)
        if code:
            return [ToLeg(side, leg_command.AnswerReferral(event.referral, code))]
        self._begin(TransferEvent.REFERRED, side, event.referral, now + self.bridge.route.ring_time)
        self.trunk = own_trunk
        self._offer = self.bridge.offer_answer.offer_to_replacement(side, self._policy)
        invite = leg_command.InviteLeg(
            trunk=own_trunk or self.bridge.trunks.trunk(side),
            caller=caller,
            callee=event.target,
            offer=self._offer,
            carried=event.carried,
            replaces=event.replaces_header,
            referred_by=event.referred_by,
            uri=event.uri,
        )
        accepted = ToLeg(side, leg_command.AnswerReferral(event.referral, 202))
        return [accepted, *self._notify(100), ToReplacement(invite)]

    def go_on(self, side: Side, to: Destination, now: float) -> list[CallCommand]:
        """Invite the next place of a call whose form is over, in place of our end."""
        self._begin(TransferEvent.SENT_ON, side, "", now + self.bridge.route.ring_time)
        self.trunk, self.result, self._transferor_gone = to.trunk, None, True
        return [self._invite(side, to)]

    def _invite(self, side: Side, to: Destination) -> ToReplacement:
        self._offer = self.bridge.offer_answer.offer_to_replacement(side, self._policy)
        carried, left = self.bridge.carried, self.bridge.max_forwards
        invite = leg_command.InviteLeg(to.trunk, to.caller, to.callee, self._offer, left, carried)
        return ToReplacement(invite)

    def seat_own_end(self, side: Side, to: Destination, now: float) -> list[CallCommand]:
        """Our end takes the place of a leg that has just ended."""
        self._begin(TransferEvent.LEFT, side, "", now + _SETTLE_TIMEOUT)
        self.trunk, self.result = to.trunk, None
        return [*self._old_leg_gone(), self._invite(side, to)]

    @property
    def _policy(self) -> TrunkPolicy | None:
        """How calls of the new leg's trunk are treated; None: as those of the old one's."""
        return self.bridge.trunks.policy_of(self.trunk) if self.trunk else None

    def receive_replaces(
        self, side: Side, event: leg.LegInvited, now: float, *, masked: bool
    ) -> list[CallCommand]:
        """Take an INVITE with a Replaces that names this side's leg."""
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
            return [ToReplacement(leg_command.RejectLeg(code, ""))]
        self._begin(TransferEvent.REPLACED, side, "", now + _SETTLE_TIMEOUT)
        self.calls, self._target = True, target
        return []

    def borrow_leg(
        self, plan: AttendedTransfer, loaned: LoanedLeg, referral: str, now: float
    ) -> list[CallCommand]:
        """Begin to replace a leg by another call's, as `attended_join` has planned."""
        self._begin(TransferEvent.JOINED, plan.place, referral, now + _SETTLE_TIMEOUT)
        self.loaned, self.lender_asked = loaned, plan.lender_asked
        self._offer = self.bridge.offer_answer.offer_to_loaned(self.side, loaned)
        accepted = self._to_transferor(leg_command.AnswerReferral(referral, 202))
        return [accepted, *self._notify(100), ToReplacement(leg_command.ReinviteLeg(self._offer))]

    def _begin(self, event: TransferEvent, side: Side, referral: str, deadline: float) -> None:
        self._move(event)
        self.side, self.gone, self.calls, self.loaned, self.lender_asked = side, False, False, None, False
        self._referral, self._transferor_gone, self.trunk = referral, False, ""
        self._target, self._deadline = None, deadline

    def _refer_refusal(self, side: Side, event: leg.LegReferred, *, masked: bool) -> int:
        """The code that refuses a REFER; 0 where it is accepted."""
        if self.active:
            return 491
        if not (event.target.user or event.uri):
            return 404
        if self.bridge.state is not BridgeState.UP or not self.bridge.offer_answer.complete:
            return 480
        # A dialog of no call; and while a card is keyed nobody takes the customer's place.
        return 603 if event.replaces is not None or (side is Side.CALLER and masked) else 0

    # --- events of the legs -----------------------------------------------------------------------

    def replacement_event(self, event: leg.LegEvent) -> list[CallCommand]:
        """Take an event of the new leg."""
        if not self.active:
            return []
        match event:
            case leg.LegProgressed() if self.state is TransferState.INVITING:
                return self._notify(event.code, event.phrase)
            case leg.LegAnswered() if self.state is TransferState.INVITING:
                return self._receive_target_answer(event.answer)
            case leg.ReinviteAnswered() if self.state is TransferState.ASKING:
                return self._receive_target_answer(event.answer)
            case leg.ReinviteFailed() if self.state is TransferState.ASKING:
                return [*self._fail(event.code, event.phrase), ReleaseLeg()]
            case leg.LegFailed():
                return self._fail(event.code, event.phrase)
            case leg.LegHungUp():
                self._transferor_gone |= self.lender_asked  # its call is over
                return self._fail(480, "")
            case leg.LegReinvited():
                return [ToReplacement(leg_command.RejectReinvite(491, "Request Pending"))]
            case leg.LegRequested():
                return [ToReplacement(leg_command.RespondLeg(event.request, 480))]
            case leg.LegReferred():
                return [ToReplacement(leg_command.AnswerReferral(event.referral, 491))]
            case _:
                return []

    def leg_event(self, side: Side, event: leg.LegEvent) -> list[CallCommand] | None:
        """Take an event of one of the call's two legs. None: it is for the bridge."""
        if not self.active:
            return None
        if side is self.side and isinstance(event, leg.LegHungUp | leg.LegFailed):
            return self._old_leg_gone()
        offered = self.state not in _BEFORE_OFFER
        if isinstance(event, leg.LegReinvited) and (
            offered or self.gone or self.state is TransferState.WAITING
        ):
            return [ToLeg(side, leg_command.RejectReinvite(491, "Request Pending"))]
        if side is OTHER[self.side] and offered:
            if isinstance(event, leg.ReinviteAnswered):
                return self._receive_answer(event)
            if isinstance(event, leg.ReinviteFailed):
                return self._receive_refusal(event.code, event.phrase)
        return None

    def proceed(self) -> list[CallCommand]:
        """Offer the target's session to the leg that stays, once that leg may get an offer. To be
        called after every event that may end another offer/answer exchange."""
        if self.state is not TransferState.WAITING or not self.bridge.may_offer or self._target is None:
            return []
        # A leg that called is answered with the answer to this very offer.
        offer = self.bridge.offer_answer.offer_for(OTHER[self.side], self._target, always=self.calls)
        if offer is None:
            return self._replace_leg()
        self._move(TransferEvent.OFFERED)
        self._offer = offer
        return [ToLeg(OTHER[self.side], leg_command.ReinviteLeg(offer))]

    def expire(self, now: float) -> list[CallCommand]:
        """Turn the new leg away where it rang for too long, or the other leg is not free."""
        if self._deadline is None or now < self._deadline:
            return []
        return self._turn_away("no answer", 408)

    def call_ended(self) -> list[CallCommand]:
        """End the transfer with its call."""
        if not self.active:
            return []
        waits = self.state in (*_BEFORE_OFFER, TransferState.OFFERING)
        self._move(TransferEvent.CALL_ENDED)
        return [self._dismiss("call ended", 480)] if waits else []

    # --- answers ----------------------------------------------------------------------------------

    def _receive_target_answer(self, answer: bytes) -> list[CallCommand]:
        self._target = self.bridge.offer_answer.parse_replacement_answer(
            self.side, answer, self._offer, self.loaned, self._policy
        )
        if self._target is None:
            return self._turn_away("bad SDP answer", 488)
        self._move(TransferEvent.ANSWERED)
        return []

    def _receive_answer(self, event: leg.ReinviteAnswered) -> list[CallCommand]:
        """Take the answer of the leg that stays."""
        stays, offer_answer = OTHER[self.side], self.bridge.offer_answer
        commands: list[CallCommand] = []
        if self.state is TransferState.OFFERING:
            if event.answer and offer_answer.set_remote_answer(stays, event.answer, self._offer):
                return self._replace_leg()
            self._move(TransferEvent.FAILED)
            self.result = 488
            commands = [*self._notify(488), self._dismiss("bad SDP answer", 488)]
        if self.state is TransferState.RESTORING:
            self._move(TransferEvent.AGREED)
            stored = bool(event.answer) and offer_answer.set_remote_answer(stays, event.answer)
            return [ToMedia(offer_answer.remote_command(stays))] if stored else []
        self._move(TransferEvent.AGREED)
        if self.gone:
            return [*commands, *self._end_call()]
        return [*commands, ToLeg(stays, leg_command.ReinviteLeg(offer_answer.restore_local(stays)))]

    def _receive_refusal(self, code: int, phrase: str) -> list[CallCommand]:
        """Take the refusal of the leg that stays."""
        waits = self.state is TransferState.OFFERING
        self._move(TransferEvent.REFUSED)
        self.result = code if waits else self.result
        if not waits:
            return []
        return [*self._notify(code, phrase), self._dismiss("transfer failed", code), *self._end_call()]

    # --- results ----------------------------------------------------------------------------------

    def _replace_leg(self) -> list[CallCommand]:
        """Give the new leg its place."""
        assert self._target is not None
        self._move(TransferEvent.SEATED)
        self.result = 200
        commands = self._notify(200)
        if not self.gone:
            commands.append(ToLeg(self.side, leg_command.HangUpLeg("transferred")))
        loaned, self.loaned, self.gone = self.loaned, None, False
        replaced = self.bridge.replace_leg(
            self.side, self._target, loaned=loaned, calls=self.calls, trunk=self.trunk
        )
        return [*commands, ReplaceLeg(self.side), *replaced]

    def _turn_away(self, reason: str, code: int) -> list[CallCommand]:
        return [*self._fail(code, ""), self._dismiss(reason, code)]

    def _dismiss(self, reason: str, code: int) -> CallCommand:
        """The command that ends the new leg, or returns it to its call."""
        if self.loaned is not None:
            return ReleaseLeg()
        return ToReplacement(
            leg_command.RejectLeg(max(code, 400), "") if self.calls else leg_command.HangUpLeg(reason)
        )

    def _fail(self, code: int, phrase: str) -> list[CallCommand]:
        if TransferEvent.FAILED not in TRANSFER_TRANSITIONS[self.state]:
            return []
        self._move(TransferEvent.FAILED)
        self.result = max(code, 300)
        return [*self._notify(self.result, phrase), *self._end_call()]

    def _old_leg_gone(self) -> list[CallCommand]:
        """Go on without the leg that is to be replaced."""
        self.gone = True
        self._transferor_gone |= not self.lender_asked
        self.bridge.unacknowledged.discard(self.side)  # its ACK will not come
        if self.state in (TransferState.UNDOING, TransferState.RESTORING):
            return self._end_call()
        return self.bridge.renegotiation.leg_gone(self.side)

    def _end_call(self) -> list[CallCommand]:
        """End the call after a failure, where the old leg is gone; else it goes on."""
        return self.bridge.leg_gone(self.side, "transfer failed") if self.gone else []

    def _notify(self, code: int, phrase: str = "") -> list[CallCommand]:
        """Report to the leg that sent the REFER, if there is one."""
        if self.calls or self._transferor_gone:
            return []
        return [self._to_transferor(leg_command.NotifyLeg(self._referral, code, phrase))]

    def _to_transferor(self, command: leg_command.LegCommand) -> CallCommand:
        """A command for the leg that sent the REFER, in whichever of the two calls."""
        return ToReplacement(command) if self.lender_asked else ToLeg(self.side, command)

    def _move(self, event: TransferEvent) -> None:
        self.state = step(TRANSFER_TRANSITIONS, self.state, event)
        if self.state not in _BEFORE_OFFER:
            self._deadline = None  # a re-INVITE ends by itself (RFC 3261, timer B)
