"""The bridge of a call: how two legs become one, and end together. What they agree on later: see
`renegotiation`.

Rule 1: Tonewall answers nothing itself: every ring, answer and refusal on the near leg is the far
        leg's.
Rule 2: whatever ends one leg ends the other, and closes the media session, exactly once.
Rule 3: an SDP that cannot be relayed is refused on the leg that sent it (488), and never ends the
        other leg's call where a session already runs.
Rule 4: the near leg is answered once media has heard where the far leg is (see `answers`); until
        then the call is not up.
Rule 5: a call without an offer waits for the far leg's: it goes to the near leg in the 200, and the
        near leg's answer to the far leg in the ACK (RFC 3261 section 13.2.1).
Rule 6: an offer of ours leaves only where the call `may_offer`: no other one is open, and no leg
        owes us the ACK of its INVITE (RFC 3261 section 14.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from b2bua.call import leg
from b2bua.call.cause import relayed_cause
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.renegotiation import Renegotiation
from b2bua.call.routing.route import LegTrunks, Route
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from b2bua.call.sdp.telephone_event import EventStream
from b2bua.call.state import BRIDGE_TRANSITIONS, BridgeEvent, BridgeState, step
from media.events import CloseSession, OpenSession, SessionId, SessionOpened, Side

# Recovery on timer expiry.
_NO_MEDIA = leg.Carried(headers=(("Reason", 'Q.850;cause=102;text="no media"'),))


@dataclass(slots=True)
class Bridge:
    """Setup and end of two bridged legs."""

    session: SessionId
    trunks: LegTrunks
    offer_answer: OfferAnswer
    renegotiation: Renegotiation
    state: BridgeState = BridgeState.IDLE
    end: str = ""
    code: int | None = None
    answered_at: float | None = None
    opened: bool = False  # whether media was asked for a session
    _invited: leg.LegInvited | None = None
    # The far leg's answer with an offer, until media has opened.
    _offered: leg.LegAnswered | None = None
    _unconfirmed: bool = False  # whether the far leg waits for the near leg's answer to its offer
    # The legs whose INVITE we answered, and whose ACK is to come.
    unacknowledged: set[Side] = field(default_factory=set)
    _deadline: float | None = None

    @classmethod
    def of(cls, session: SessionId, route: Route, origin: int, seed: bytes) -> Bridge:
        """`origin`, `seed`: see OfferAnswer."""
        told = OfferAnswer.begin(
            session, origin, seed, other_audio=route.other_audio, max_media=route.max_media
        )
        return cls(session, LegTrunks(route), told, Renegotiation(told))

    @property
    def route(self) -> Route:
        return self.trunks.route

    def deadline(self) -> float | None:
        """When `expire` is due, by the clock that `now` comes from."""
        return self._deadline

    @property
    def settled(self) -> bool:
        """Whether the call is answered and nothing about its session is open."""
        return self.state is BridgeState.UP and not self.renegotiation.busy and not self._unconfirmed

    @property
    def may_offer(self) -> bool:
        """Whether both legs can take an offer of ours now."""
        return self.settled and not self.unacknowledged

    def capturable(self) -> bool:
        """Whether the customer can key a card: answered, and his keys come in a form that is
        captured."""
        return self.settled and self._keys_come()

    def keys_lost(self) -> bool:
        """Whether the call goes on, but the customer's keys no longer come in a form that is
        captured."""
        return self.settled and not self._keys_come()

    def _keys_come(self) -> bool:
        """As SIP INFO; as telephone-event, on which both ends agreed; or as tones, where those of
        this carrier are captured."""
        heard = self.trunks.policy(Side.CALLER).masking.tones and self.offer_answer.tones_agreed()
        return self.trunks.policy(Side.CALLER).keys_by_info or self.offer_answer.events_agreed() or heard

    def mask_changed(self, masked: bool) -> None:
        """The mask went on or off: the customer's side may have to be told of a hold by the
        agent's, or of its end."""
        if self.offer_answer.masked is not masked:
            self.offer_answer.masked = masked
            self.renegotiation.hold_waits |= self.offer_answer.is_holding(Side.AGENT)

    def events_to(self) -> EventStream | None:
        """Where a key that comes as SIP INFO goes as telephone-event; None: the agent's trunk does
        not want it so, or its leg has not agreed on any."""
        return self.offer_answer.event_stream() if self.trunks.policy(Side.AGENT).wants_events else None

    # --- setup ------------------------------------------------------------------------------------

    def invited(self, event: leg.LegInvited, now: float) -> list[CallCommand]:
        self._move(BridgeEvent.INVITED)
        near = self.route.near
        if not self.route.destinations:
            return self._refuse(self.route.code, "")
        if event.max_forwards <= 0:
            return self._refuse(483, "Too Many Hops")
        self._invited = event
        self.offer_answer.set_policies(self.trunks.policy(Side.CALLER), self.trunks.policy(Side.AGENT))
        if not event.offer:
            self._move(BridgeEvent.NO_OFFER)
            self._deadline = now + self.route.ring_time
            return [self._invite()]
        if not self.offer_answer.set_remote(near, event.offer) or not self.offer_answer.is_relayable(near):
            return self._refuse(488, "Not Acceptable Here")
        return [self._open(near)]

    def _open(self, side: Side) -> ToMedia:
        """Ports for what this side has described."""
        again, self.opened = self.opened, True
        streams, (caller, agent) = self.offer_answer.count_streams(side), self.trunks.interfaces()
        return ToMedia(
            OpenSession(session=self.session, streams=streams, caller=caller, agent=agent, again=again)
        )

    def media_opened(self, opened: SessionOpened, now: float) -> list[CallCommand]:
        if self.state not in (BridgeState.OPENING, BridgeState.OFFERED):
            return []
        offered, self._offered = self._offered, None
        self._move(BridgeEvent.MEDIA_OPENED)
        self.offer_answer.set_streams(opened.caller, opened.agent)
        self.offer_answer.set_policies(self.trunks.policy(Side.CALLER), self.trunks.policy(Side.AGENT))
        near = self.route.near
        if offered is not None:
            self._unconfirmed = True
            return [ToMedia(self.offer_answer.remote_command(OTHER[near])), self._answer(offered)]
        self._deadline = now + self.route.ring_time
        return [ToMedia(self.offer_answer.remote_command(near)), self._invite()]

    def _invite(self) -> ToLeg:
        assert self._invited is not None
        far, to = OTHER[self.route.near], self.trunks.destination
        return ToLeg(
            far,
            leg.InviteLeg(
                trunk=to.trunk,
                caller=to.caller,
                callee=to.callee,
                offer=self.offer_answer.local_for(far) if self._invited.offer else b"",
                max_forwards=self._invited.max_forwards - 1,
                carried=self._invited.carried,
            ),
        )

    def media_refused(self) -> list[CallCommand]:
        if self.state not in (BridgeState.OPENING, BridgeState.OFFERED):
            return []
        far = leg.HangUpLeg("no media ports") if self.state is BridgeState.OFFERED else None
        self._move(BridgeEvent.MEDIA_REFUSED)
        return self._over("no media ports", 503, near=leg.RejectLeg(503, "Service Unavailable"), far=far)

    def media_lost(self) -> list[CallCommand]:
        """The media process died, and every session with it."""
        return self._drop(BridgeEvent.MEDIA_LOST, "media lost", 503)

    def media_silent(self) -> list[CallCommand]:
        """Nothing has come from either side for too long. On hold that says nothing."""
        if self.state is not BridgeState.UP or self.offer_answer.on_hold():
            return []
        return self._drop(BridgeEvent.MEDIA_LOST, "no media", 503, _NO_MEDIA)

    def shut_down(self) -> list[CallCommand]:
        return self._drop(BridgeEvent.SHUT_DOWN, "shut down", 503)

    def expire(self, now: float) -> list[CallCommand]:
        """The far leg rang for too long."""
        if (
            self._deadline is None
            or now < self._deadline
            or self.state not in (BridgeState.INVITING, BridgeState.RINGING)
        ):
            return []
        self._move(BridgeEvent.NO_ANSWER)
        return self._over(
            "no answer",
            480,
            near=leg.RejectLeg(480, "Temporarily Unavailable"),
            far=leg.HangUpLeg("no answer"),
        )

    # --- what the legs report ---------------------------------------------------------------------

    def leg_event(self, side: Side, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """One event of one leg. `LegInvited` comes through `invited`."""
        if self.state is BridgeState.ENDED:
            return []
        match event:
            case leg.LegInvited():
                return []
            case leg.LegProgressed():
                return self._progressed(side, event)
            case leg.LegAnswered():
                return self._answered(side, event)
            case leg.LegConfirmed():
                return self._confirmed(side, event)
            case leg.LegFailed():
                return self._failed(side, event)
            case leg.LegReinvited():
                up = self.state is BridgeState.UP and not self._unconfirmed
                return self.renegotiation.receive_reinvite(
                    side, event, up=up and OTHER[side] not in self.unacknowledged
                )
            case leg.ReinviteAnswered():
                return self.renegotiation.receive_answer(side, event.answer)
            case leg.ReinviteFailed():
                return self.renegotiation.receive_refusal(side, event.code, event.phrase)
            case leg.ReinviteCancelled():
                return self.renegotiation.receive_cancel(side)
            case leg.LegHungUp():
                return self._hung_up(side, event)
            case leg.LegReferred() | leg.LegRequested() | leg.LegResponded():
                return []  # not of the bridge
            case _:
                assert_never(event)

    def _progressed(self, side: Side, event: leg.LegProgressed) -> list[CallCommand]:
        near = OTHER[side]
        if side is self.route.near or self.state not in (BridgeState.INVITING, BridgeState.RINGING):
            return []
        self._move(BridgeEvent.FAR_PROGRESSED)
        # Without an offer of ours there is no answer yet: an early description would be an offer,
        # and that comes with the 200.
        ours = self._invited is not None and bool(self._invited.offer)
        if not event.answer or not ours or not self.offer_answer.set_remote_answer(side, event.answer):
            return [ToLeg(near, leg.RingLeg(event.code, event.phrase, carried=event.carried))]
        answer = self.offer_answer.local_answer(near)
        return [
            ToMedia(self.offer_answer.remote_command(side)),
            ToLeg(near, leg.RingLeg(event.code, event.phrase, answer, event.carried)),
        ]

    def _answered(self, side: Side, event: leg.LegAnswered) -> list[CallCommand]:
        if side is self.route.near or self.state not in (BridgeState.INVITING, BridgeState.RINGING):
            return []
        # A 200 may leave out the SDP that an earlier 18x of the same dialog had.
        delayed = self._invited is not None and not self._invited.offer
        learn = self.offer_answer.set_remote if delayed else self.offer_answer.set_remote_answer
        understood = (
            learn(side, event.answer) if event.answer else self.offer_answer.legs[side].remote is not None
        )
        if not understood or (delayed and not self.offer_answer.is_relayable(side)):
            self._move(BridgeEvent.FAR_FAILED)
            return self._over(
                "an answer that cannot be relayed",
                502,
                near=leg.RejectLeg(502, "Bad Gateway"),
                far=leg.HangUpLeg("bad SDP answer"),
            )
        self._deadline = None
        if delayed:
            self._move(BridgeEvent.FAR_OFFERED)
            self._offered = event
            return [self._open(side)]
        self._move(BridgeEvent.FAR_ANSWERED)
        return [ToMedia(self.offer_answer.remote_command(side)), self._answer(event)]

    def _answer(self, event: leg.LegAnswered) -> ToLeg:
        near = self.route.near
        self.unacknowledged.add(near)
        return ToLeg(near, leg.AnswerLeg(self.offer_answer.local_answer(near), event.carried))

    def sent(self, to: ToLeg, now: float) -> None:
        """What waited for media, if it had to (see `answers`), has left."""
        if isinstance(to.command, leg.AnswerLeg) and self.state is BridgeState.ANSWERED:
            self._move(BridgeEvent.NEAR_ANSWERED)
            self.answered_at, self.code = now, 200
        elif isinstance(to.command, leg.AnswerReinvite):
            self.renegotiation.answer_sent(to.side)

    def _confirmed(self, side: Side, event: leg.LegConfirmed) -> list[CallCommand]:
        self.unacknowledged.discard(side)
        if side is not self.route.near or not self._unconfirmed:
            learned = self.renegotiation.receive_ack(side, event.answer)
            self.renegotiation.note_missed(side, event.repeated)
            return learned
        self._unconfirmed = False
        if not event.answer or not self.offer_answer.set_remote_answer(side, event.answer):
            self._move(BridgeEvent.LEG_HUNG_UP)
            bad = leg.HangUpLeg("no SDP answer in the ACK")
            return self._over(bad.reason, 488, near=bad, far=bad)
        far = OTHER[side]
        return [
            ToMedia(self.offer_answer.remote_command(side)),
            ToLeg(far, leg.ConfirmLeg(self.offer_answer.local_for(far))),
        ]

    def _failed(self, side: Side, event: leg.LegFailed) -> list[CallCommand]:
        if side is self.route.near:
            return self._gone(side, BridgeEvent.NEAR_GONE, "cancelled", event.code, event.carried)
        if self.state is BridgeState.UP:
            return self._gone(side, BridgeEvent.LEG_HUNG_UP, f"failed with {event.code}", None, event.carried)
        if self.state is BridgeState.INVITING and self.trunks.has_next(
            event.code
        ):  # none has rung, so nobody notices
            before = self.trunks.interfaces()
            self.trunks.tried += 1
            self.offer_answer.set_policies(self.trunks.policy(Side.CALLER), self.trunks.policy(Side.AGENT))
            if self.opened and self.trunks.interfaces() != before:
                self._move(BridgeEvent.TRUNK_ELSEWHERE)
                return [self._open(self.route.near)]
            self._move(BridgeEvent.TRUNK_FAILED)
            return [self._invite()]
        self._move(BridgeEvent.FAR_FAILED)
        # Of what the peer wrote only the code is kept: a phrase is free text, and may hold
        # anything.
        return self._over(f"failed with {event.code}", event.code, near=self._rejection(event))

    def _hung_up(self, side: Side, event: leg.LegHungUp) -> list[CallCommand]:
        reason = event.reason or "hung up"
        if self.state is not BridgeState.ANSWERED or side is self.route.near:
            return self._gone(side, BridgeEvent.LEG_HUNG_UP, reason, None, event.carried)
        self._move(BridgeEvent.LEG_HUNG_UP)  # the near leg has not been answered, and is not any more
        return self._over(reason, 480, near=leg.RejectLeg(480, "Temporarily Unavailable", event.carried))

    @staticmethod
    def _rejection(event: leg.LegFailed) -> leg.RejectLeg:
        code, carried = relayed_cause(event.code, event.carried)
        phrase = event.phrase if code == event.code else ""
        return leg.RejectLeg(code, phrase, carried, contacts=event.contacts, retry_after=event.retry_after)

    # --- another leg in a leg's place -------------------------------------------------------------

    def seat(
        self, side: Side, described: sdp.SessionDescription, *, lent: LoanedLeg | None, calls: bool
    ) -> list[CallCommand]:
        """Another leg, with this session, is the side's from now on. `lent`: it was another call's;
        `calls`: it waits for its answer."""
        if lent is not None:
            self.trunks.moved[side] = lent.trunk
            self.offer_answer.set_policies(self.trunks.policy(Side.CALLER), self.trunks.policy(Side.AGENT))
        self.offer_answer.replace_leg(side, described, lent)
        self.unacknowledged.discard(side)
        remotes: list[CallCommand] = [
            ToMedia(self.offer_answer.remote_command(side)),
            ToMedia(self.offer_answer.remote_command(OTHER[side])),
        ]
        if not calls:
            return remotes
        self.unacknowledged.add(side)
        return [*remotes, ToLeg(side, leg.AnswerLeg(self.offer_answer.local_for(side)))]

    def leg_gone(self, side: Side, reason: str) -> list[CallCommand]:
        """That leg will not be replaced after all."""
        return self._gone(side, BridgeEvent.LEG_HUNG_UP, reason, None, leg.NOTHING)

    # --- inside -----------------------------------------------------------------------------------

    def _refuse(self, code: int, phrase: str) -> list[CallCommand]:
        self._move(BridgeEvent.NEAR_GONE)
        self.end, self.code = phrase, code
        return [ToLeg(self.route.near, leg.RejectLeg(code, phrase))]

    def _drop(
        self, event: BridgeEvent, reason: str, code: int, carried: leg.Carried = leg.NOTHING
    ) -> list[CallCommand]:
        if self.state is BridgeState.ENDED:
            return []
        answered, invited = self.state is BridgeState.UP, self.state is not BridgeState.OPENING
        self._move(event)
        goodbye = leg.HangUpLeg(reason, carried)
        near: leg.LegCommand = goodbye if answered else leg.RejectLeg(code, "Service Unavailable")
        return self._over(reason, code, near=near, far=goodbye if invited else None)

    def _gone(
        self, side: Side, event: BridgeEvent, reason: str, code: int | None, carried: leg.Carried
    ) -> list[CallCommand]:
        """One leg is over; the other follows, where there is one."""
        both = self.state is not BridgeState.OPENING
        self._move(event)
        goodbye: list[CallCommand] = [ToLeg(OTHER[side], leg.HangUpLeg(reason, carried))] if both else []
        return [*goodbye, *self._close(reason, code)]

    def _over(
        self, reason: str, code: int, *, near: leg.LegCommand, far: leg.LegCommand | None = None
    ) -> list[CallCommand]:
        goodbyes: list[CallCommand] = [ToLeg(self.route.near, near)]
        if far is not None:
            goodbyes.append(ToLeg(OTHER[self.route.near], far))
        return [*goodbyes, *self._close(reason, code)]

    def _close(self, reason: str, code: int | None = None) -> list[CallCommand]:
        self.end = reason
        self.code = code if self.answered_at is None and code is not None else self.code
        self._deadline = None
        self.renegotiation.call_ended()
        return [ToMedia(CloseSession(session=self.session))] if self.opened else []

    def _move(self, event: BridgeEvent) -> None:
        self.state = step(BRIDGE_TRANSITIONS, self.state, event)
