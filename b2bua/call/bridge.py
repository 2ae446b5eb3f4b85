"""Bridges two legs: sets them up, and moves them with each other's events. `renegotiation` changes
the session later, `leg_pair` ends both.

Rule 1: Tonewall answers nothing itself: every provisional response, answer and refusal on the near
        leg is the far leg's. Where a call ends in a form, the far leg is our end (`own_end`).
Rule 2: an SDP that cannot be relayed is refused with 488 on the leg that sent it. It never ends a
        call whose session runs.
Rule 3: the near leg is answered once media has the far leg's description (`MediaGate`); until then
        the call is not up.
Rule 4: a call without an offer waits for the far leg's. That goes to the near leg in the 200, and
        the near leg's answer to the far leg in the ACK (RFC 3261 section 13.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from b2bua.call import leg, leg_command
from b2bua.call.cause import relayed_cause
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.leg_pair import LegPair
from b2bua.call.renegotiation import Renegotiation
from b2bua.call.routing.route import LegTrunks, Route
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from b2bua.call.state import BridgeEvent, BridgeState
from media.events import OpenSession, SessionId, SessionOpened, Side

_OFFER_OPEN = (BridgeState.OPENING, BridgeState.OFFERED)
_INVITED = (BridgeState.INVITING, BridgeState.RINGING)


@dataclass(slots=True)
class Bridge(LegPair):
    """The two legs of one call, of which the near one invited us and the far one is invited."""

    _invited: leg.LegInvited | None = None
    # The far leg's answer with an offer, until media has opened.
    _offered: leg.LegAnswered | None = None

    @classmethod
    def begin(cls, session: SessionId, route: Route, origin: int, seed: bytes) -> Bridge:
        """Begin without legs. `origin`, `seed`: as in LegDescriptions."""
        offer_answer = OfferAnswer.begin_exchange(
            session, origin, seed, other_audio=route.other_audio, max_media=route.max_media
        )
        offer_answer.legs[OTHER[route.near]].ours = route.ends is not None
        return cls(session, LegTrunks(route), offer_answer, Renegotiation(offer_answer))

    def user_at(self, side: Side) -> str:
        """Who was called, or calls, on that side; "" once another leg took its place."""
        if side in self.trunks.moved or self._invited is None:
            return ""
        party = self._invited.caller if side is self.route.near else self.trunks.destination.callee
        return party.user

    @property
    def max_forwards(self) -> int:
        """What an INVITE of ours that follows from the one that opened the call may say."""
        return self._invited.max_forwards - 1 if self._invited is not None else 0

    @property
    def carried(self) -> leg.Carried:
        """What the INVITE that opened the call carried."""
        return self._invited.carried if self._invited is not None else leg.NOTHING

    # --- setup ------------------------------------------------------------------------------------

    def receive_invite(self, event: leg.LegInvited, now: float) -> list[CallCommand]:
        """Take the INVITE of the near leg."""
        self._move(BridgeEvent.INVITED)
        near = self.route.near
        if not self.route.destinations:
            return self._refuse(self.route.code, "")
        if event.max_forwards <= 0:
            return self._refuse(483, "Too Many Hops")
        self._invited = event
        self._follow_trunks()
        if not event.offer:
            self._move(BridgeEvent.NO_OFFER)
            self._deadline = now + self.route.ring_time
            return [self._invite()]
        if not self.offer_answer.set_remote(near, event.offer) or not self.offer_answer.is_relayable(near):
            return self._refuse(488, "Not Acceptable Here")
        return [self._open(near)]

    def _open(self, side: Side) -> ToMedia:
        """Ask media for ports, one an m-line of this side's."""
        again, self.opened = self.opened, True
        streams, (caller, agent) = self.offer_answer.count_streams(side), self.trunks.interfaces()
        return ToMedia(
            OpenSession(session=self.session, streams=streams, caller=caller, agent=agent, again=again)
        )

    def media_opened(self, opened: SessionOpened, now: float) -> list[CallCommand]:
        """Take the ports that media opened."""
        if self.state not in _OFFER_OPEN:
            return []
        offered, self._offered = self._offered, None
        self._move(BridgeEvent.MEDIA_OPENED)
        self.offer_answer.set_streams(opened.caller, opened.agent)
        self._follow_trunks()
        near = self.route.near
        if offered is not None:
            self._unconfirmed = True
            return [self._remote(OTHER[near]), self._answer(offered)]
        self._deadline = now + self.route.ring_time
        return [self._remote(near), self._invite()]

    def _invite(self) -> ToLeg:
        assert self._invited is not None
        far, to = OTHER[self.route.near], self.trunks.destination
        return ToLeg(
            far,
            leg_command.InviteLeg(
                trunk=to.trunk,
                caller=to.caller,
                callee=to.callee,
                offer=self.offer_answer.local_for(far) if self._invited.offer else b"",
                max_forwards=self._invited.max_forwards - 1,
                carried=self._invited.carried,
            ),
        )

    def expire(self, now: float) -> list[CallCommand]:
        """End the call where the far leg has rung for too long."""
        if self._deadline is None or now < self._deadline or self.state not in _INVITED:
            return []
        self._move(BridgeEvent.NO_ANSWER)
        near = leg_command.RejectLeg(480, "Temporarily Unavailable")
        return self._end_both("no answer", 480, near=near, far=leg_command.HangUpLeg("no answer"))

    def media_refused(self) -> list[CallCommand]:
        """End the call: media has no ports."""
        if self.state not in _OFFER_OPEN:
            return []
        far = leg_command.HangUpLeg("no media ports") if self.state is BridgeState.OFFERED else None
        self._move(BridgeEvent.MEDIA_REFUSED)
        near = leg_command.RejectLeg(503, "Service Unavailable")
        return self._end_both("no media ports", 503, near=near, far=far)

    # --- events of the legs -----------------------------------------------------------------------

    def leg_event(self, side: Side, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """Take an event of one leg. The INVITE comes through `receive_invite`."""
        del now
        if self.state is BridgeState.ENDED:
            return []
        match event:
            case leg.LegInvited():
                return []
            case leg.LegProgressed():
                return self._receive_progress(side, event)
            case leg.LegAnswered():
                return self._receive_answer(side, event)
            case leg.LegConfirmed():
                return self._receive_ack(side, event)
            case leg.LegFailed():
                return self._receive_failure(side, event)
            case leg.LegReinvited():
                up = self.state is BridgeState.UP and not self._unconfirmed
                may_relay = up and OTHER[side] not in self.unacknowledged
                return self.renegotiation.receive_reinvite(side, event, up=may_relay)
            case leg.ReinviteAnswered():
                return self.renegotiation.receive_answer(side, event.answer)
            case leg.ReinviteFailed():
                return self.renegotiation.receive_refusal(side, event.code, event.phrase)
            case leg.ReinviteCancelled():
                return self.renegotiation.receive_cancel(side)
            case leg.LegHungUp():
                return self._receive_bye(side, event)
            case leg.LegReferred() | leg.LegRequested() | leg.LegResponded():
                return []  # for other parts of the call
            case _:
                assert_never(event)

    def _receive_progress(self, side: Side, event: leg.LegProgressed) -> list[CallCommand]:
        near = OTHER[side]
        if side is self.route.near or self.state not in _INVITED:
            return []
        self._move(BridgeEvent.FAR_PROGRESSED)
        # Where our INVITE had no offer, an early description would be one; it comes with the 200.
        had_offer = self._invited is not None and bool(self._invited.offer)
        if not event.answer or not had_offer or not self.offer_answer.set_remote_answer(side, event.answer):
            return [ToLeg(near, leg_command.RingLeg(event.code, event.phrase, carried=event.carried))]
        ring = leg_command.RingLeg(
            event.code, event.phrase, self.offer_answer.local_answer(near), event.carried
        )
        return [self._remote(side), ToLeg(near, ring)]

    def _receive_answer(self, side: Side, event: leg.LegAnswered) -> list[CallCommand]:
        if side is self.route.near or self.state not in _INVITED:
            return []
        # A 200 may leave out the SDP that an earlier 18x of the same dialog had.
        delayed = self._invited is not None and not self._invited.offer
        store = self.offer_answer.set_remote if delayed else self.offer_answer.set_remote_answer
        known = self.offer_answer.legs[side].remote is not None
        understood = store(side, event.answer) if event.answer else known
        if not understood or (delayed and not self.offer_answer.is_relayable(side)):
            self._move(BridgeEvent.FAR_FAILED)
            near, far = leg_command.RejectLeg(502, "Bad Gateway"), leg_command.HangUpLeg("bad SDP answer")
            return self._end_both("an answer that cannot be relayed", 502, near=near, far=far)
        self._deadline = None
        if delayed:
            self._move(BridgeEvent.FAR_OFFERED)
            self._offered = event
            return [self._open(side)]
        self._move(BridgeEvent.FAR_ANSWERED)
        return [self._remote(side), self._answer(event)]

    def _answer(self, event: leg.LegAnswered) -> ToLeg:
        near = self.route.near
        self.unacknowledged.add(near)
        return ToLeg(near, leg_command.AnswerLeg(self.offer_answer.local_answer(near), event.carried))

    def command_sent(self, to: ToLeg, now: float) -> None:
        """Take note that a command was sent which had to wait for media (`MediaGate`)."""
        if isinstance(to.command, leg_command.AnswerLeg) and self.state is BridgeState.ANSWERED:
            self._move(BridgeEvent.NEAR_ANSWERED)
            self.answered_at, self.code = now, 200
        elif isinstance(to.command, leg_command.AnswerReinvite):
            self.renegotiation.answer_sent(to.side)

    def _receive_ack(self, side: Side, event: leg.LegConfirmed) -> list[CallCommand]:
        self.unacknowledged.discard(side)
        if side is not self.route.near or not self._unconfirmed:
            commands = self.renegotiation.receive_ack(side, event.answer)
            self.renegotiation.note_missed(side, event.repeated)
            return commands
        self._unconfirmed = False
        if not event.answer or not self.offer_answer.set_remote_answer(side, event.answer):
            self._move(BridgeEvent.LEG_HUNG_UP)
            bad = leg_command.HangUpLeg("no SDP answer in the ACK")
            return self._end_both(bad.reason, 488, near=bad, far=bad)
        far = OTHER[side]
        return [self._remote(side), ToLeg(far, leg_command.ConfirmLeg(self.offer_answer.local_for(far)))]

    def _receive_failure(self, side: Side, event: leg.LegFailed) -> list[CallCommand]:
        if side is self.route.near:
            return self._end_other(side, BridgeEvent.NEAR_GONE, "cancelled", event.code, event.carried)
        if self.state is BridgeState.UP:
            reason = f"failed with {event.code}"
            return self._end_other(side, BridgeEvent.LEG_HUNG_UP, reason, None, event.carried)
        if self.state is BridgeState.INVITING and self.trunks.has_next(event.code):
            return self._try_next()
        self._move(BridgeEvent.FAR_FAILED)
        # Only the code is recorded: a phrase is free text of the peer.
        code, carried = relayed_cause(event.code, event.carried)
        phrase = event.phrase if code == event.code else ""
        near = leg_command.RejectLeg(code, phrase, carried, event.contacts, event.retry_after)
        return self._end_both(f"failed with {event.code}", event.code, near=near)

    def _try_next(self) -> list[CallCommand]:
        """Invite the next destination. None has rung yet, so the near leg does not notice."""
        before = self.trunks.interfaces()
        self.trunks.tried += 1
        self._follow_trunks()
        if self.opened and self.trunks.interfaces() != before:
            self._move(BridgeEvent.TRUNK_ELSEWHERE)
            return [self._open(self.route.near)]
        self._move(BridgeEvent.TRUNK_FAILED)
        return [self._invite()]

    def _receive_bye(self, side: Side, event: leg.LegHungUp) -> list[CallCommand]:
        reason = event.reason or "hung up"
        if self.state is not BridgeState.ANSWERED or side is self.route.near:
            return self._end_other(side, BridgeEvent.LEG_HUNG_UP, reason, None, event.carried)
        self._move(BridgeEvent.LEG_HUNG_UP)  # the near leg has not been answered, and will not be
        near = leg_command.RejectLeg(480, "Temporarily Unavailable", event.carried)
        return self._end_both(reason, 480, near=near)
