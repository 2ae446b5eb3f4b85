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
from b2bua.call.cause import crossing
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.renegotiation import Renegotiation
from b2bua.call.routing.route import Route, Trunks
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.hold import holds
from b2bua.call.sdp.offer_answer import OTHER, Descriptions, Lent
from b2bua.call.sdp.telephone_event import EventStream
from b2bua.call.state import PHASES, Happening, Phase, step
from media.events import CloseSession, OpenSession, SessionId, SessionOpened, Side

# Recovery on timer expiry.
_NO_MEDIA = leg.Carried(headers=(("Reason", 'Q.850;cause=102;text="no media"'),))


@dataclass(slots=True)
class Bridge:
    """Setup and end of two bridged legs."""

    session: SessionId
    trunks: Trunks
    told: Descriptions
    renegotiation: Renegotiation
    phase: Phase = Phase.IDLE
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
        """`origin`, `seed`: see Descriptions."""
        told = Descriptions(session, origin, seed, other_audio=route.other_audio, most_media=route.most_media)
        return cls(session, Trunks(route), told, Renegotiation(told))

    @property
    def route(self) -> Route:
        return self.trunks.route

    def deadline(self) -> float | None:
        """When `expire` is due, by the clock that `now` comes from."""
        return self._deadline

    @property
    def settled(self) -> bool:
        """Whether the call is answered and nothing about its session is open."""
        return self.phase is Phase.UP and not self.renegotiation.busy and not self._unconfirmed

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
        heard = self.trunks.masking().tones and self.told.tones_heard()
        return self.trunks.by_info() or self.told.keys_agreed() or heard

    def mask_changed(self, masked: bool) -> None:
        """The mask went on or off: the customer's side may have to be told of a hold by the
        agent's, or of its end."""
        said = self.told.said.get(Side.AGENT)
        if self.told.masked is not masked:
            self.told.masked = masked
            self.renegotiation.hold_waits |= said is not None and holds(said)

    def events_to(self) -> EventStream | None:
        """Where a key that comes as SIP INFO goes as telephone-event; None: the agent's trunk does
        not want it so, or its leg has not agreed on any."""
        return self.told.events_to() if self.told.events else None

    # --- setup ------------------------------------------------------------------------------------

    def invited(self, event: leg.LegInvited, now: float) -> list[CallCommand]:
        self._move(Happening.INVITED)
        near = self.route.near
        if not self.route.destinations:
            return self._refuse(self.route.code, "")
        if event.max_forwards <= 0:
            return self._refuse(483, "Too Many Hops")
        self._invited = event
        self.trunks.note(self.told)
        if not event.offer:
            self._move(Happening.NO_OFFER)
            self._deadline = now + self.route.ring_time
            return [self._invite()]
        if not self.told.learn(near, event.offer) or not any(
            media.relayed for media in self.told.said[near].media
        ):
            return self._refuse(488, "Not Acceptable Here")
        return [self._open(near)]

    def _open(self, side: Side) -> ToMedia:
        """Ports for what this side has described."""
        again, self.opened = self.opened, True
        streams, (caller, agent) = self.told.streams(side), self.trunks.interfaces()
        return ToMedia(
            OpenSession(session=self.session, streams=streams, caller=caller, agent=agent, again=again)
        )

    def media_opened(self, opened: SessionOpened, now: float) -> list[CallCommand]:
        if self.phase not in (Phase.OPENING, Phase.OFFERED):
            return []
        offered, self._offered = self._offered, None
        self._move(Happening.MEDIA_OPENED)
        self.told.local = {Side.CALLER: opened.caller, Side.AGENT: opened.agent}
        self.trunks.note(self.told)
        near = self.route.near
        if offered is not None:
            self._unconfirmed = True
            return [self.told.remote(OTHER[near]), self._answer(offered)]
        self._deadline = now + self.route.ring_time
        return [self.told.remote(near), self._invite()]

    def _invite(self) -> ToLeg:
        assert self._invited is not None
        far, to = OTHER[self.route.near], self.trunks.destination
        return ToLeg(
            far,
            leg.InviteLeg(
                trunk=to.trunk,
                caller=to.caller,
                callee=to.callee,
                offer=self.told.tell(far) if self._invited.offer else b"",
                max_forwards=self._invited.max_forwards - 1,
                carried=self._invited.carried,
            ),
        )

    def media_refused(self) -> list[CallCommand]:
        if self.phase not in (Phase.OPENING, Phase.OFFERED):
            return []
        far = leg.HangUpLeg("no media ports") if self.phase is Phase.OFFERED else None
        self._move(Happening.MEDIA_REFUSED)
        return self._over("no media ports", 503, near=leg.RejectLeg(503, "Service Unavailable"), far=far)

    def media_lost(self) -> list[CallCommand]:
        """The media process died, and every session with it."""
        return self._drop(Happening.MEDIA_LOST, "media lost", 503)

    def media_silent(self) -> list[CallCommand]:
        """Nothing has come from either side for too long. On hold that says nothing."""
        if self.phase is not Phase.UP or self.told.held():
            return []
        return self._drop(Happening.MEDIA_LOST, "no media", 503, _NO_MEDIA)

    def shut_down(self) -> list[CallCommand]:
        return self._drop(Happening.SHUT_DOWN, "shut down", 503)

    def expire(self, now: float) -> list[CallCommand]:
        """The far leg rang for too long."""
        if (
            self._deadline is None
            or now < self._deadline
            or self.phase not in (Phase.INVITING, Phase.RINGING)
        ):
            return []
        self._move(Happening.NO_ANSWER)
        return self._over(
            "no answer",
            480,
            near=leg.RejectLeg(480, "Temporarily Unavailable"),
            far=leg.HangUpLeg("no answer"),
        )

    # --- what the legs report ---------------------------------------------------------------------

    def leg_event(self, side: Side, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """One event of one leg. `LegInvited` comes through `invited`."""
        if self.phase is Phase.ENDED:
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
                up = self.phase is Phase.UP and not self._unconfirmed
                return self.renegotiation.asked(side, event, up=up and OTHER[side] not in self.unacknowledged)
            case leg.ReinviteAnswered():
                return self.renegotiation.answered(side, event.answer)
            case leg.ReinviteFailed():
                return self.renegotiation.refused(side, event.code, event.phrase)
            case leg.ReinviteCancelled():
                return self.renegotiation.cancelled(side)
            case leg.LegHungUp():
                return self._hung_up(side, event)
            case leg.LegReferred() | leg.LegRequested() | leg.LegResponded():
                return []  # not of the bridge
            case _:
                assert_never(event)

    def _progressed(self, side: Side, event: leg.LegProgressed) -> list[CallCommand]:
        near = OTHER[side]
        if side is self.route.near or self.phase not in (Phase.INVITING, Phase.RINGING):
            return []
        self._move(Happening.FAR_PROGRESSED)
        # Without an offer of ours there is no answer yet: an early description would be an offer,
        # and that comes with the 200.
        ours = self._invited is not None and bool(self._invited.offer)
        if not event.answer or not ours or not self.told.learn_answer(side, event.answer):
            return [ToLeg(near, leg.RingLeg(event.code, event.phrase, carried=event.carried))]
        answer = self.told.answer(near)
        return [
            self.told.remote(side),
            ToLeg(near, leg.RingLeg(event.code, event.phrase, answer, event.carried)),
        ]

    def _answered(self, side: Side, event: leg.LegAnswered) -> list[CallCommand]:
        if side is self.route.near or self.phase not in (Phase.INVITING, Phase.RINGING):
            return []
        # A 200 may leave out the SDP that an earlier 18x of the same dialog had.
        delayed = self._invited is not None and not self._invited.offer
        learn = self.told.learn if delayed else self.told.learn_answer
        understood = learn(side, event.answer) if event.answer else side in self.told.said
        if not understood or (delayed and not any(media.relayed for media in self.told.said[side].media)):
            self._move(Happening.FAR_FAILED)
            return self._over(
                "an answer that cannot be relayed",
                502,
                near=leg.RejectLeg(502, "Bad Gateway"),
                far=leg.HangUpLeg("bad SDP answer"),
            )
        self._deadline = None
        if delayed:
            self._move(Happening.FAR_OFFERED)
            self._offered = event
            return [self._open(side)]
        self._move(Happening.FAR_ANSWERED)
        return [self.told.remote(side), self._answer(event)]

    def _answer(self, event: leg.LegAnswered) -> ToLeg:
        near = self.route.near
        self.unacknowledged.add(near)
        return ToLeg(near, leg.AnswerLeg(self.told.answer(near), event.carried))

    def sent(self, to: ToLeg, now: float) -> None:
        """What waited for media, if it had to (see `answers`), has left."""
        if isinstance(to.command, leg.AnswerLeg) and self.phase is Phase.ANSWERED:
            self._move(Happening.NEAR_ANSWERED)
            self.answered_at, self.code = now, 200
        elif isinstance(to.command, leg.AnswerReinvite):
            self.renegotiation.sent(to.side)

    def _confirmed(self, side: Side, event: leg.LegConfirmed) -> list[CallCommand]:
        self.unacknowledged.discard(side)
        if side is not self.route.near or not self._unconfirmed:
            learned = self.renegotiation.confirmed(side, event.answer)
            self.renegotiation.catch_up(side, event.repeated)
            return learned
        self._unconfirmed = False
        if not event.answer or not self.told.learn_answer(side, event.answer):
            self._move(Happening.LEG_HUNG_UP)
            bad = leg.HangUpLeg("no SDP answer in the ACK")
            return self._over(bad.reason, 488, near=bad, far=bad)
        far = OTHER[side]
        return [self.told.remote(side), ToLeg(far, leg.ConfirmLeg(self.told.tell(far)))]

    def _failed(self, side: Side, event: leg.LegFailed) -> list[CallCommand]:
        if side is self.route.near:
            return self._gone(side, Happening.NEAR_GONE, "cancelled", event.code, event.carried)
        if self.phase is Phase.UP:
            return self._gone(side, Happening.LEG_HUNG_UP, f"failed with {event.code}", None, event.carried)
        if self.phase is Phase.INVITING and self.trunks.others(
            event.code
        ):  # none has rung, so nobody notices
            before = self.trunks.interfaces()
            self.trunks.tried += 1
            self.trunks.note(self.told)
            if self.opened and self.trunks.interfaces() != before:
                self._move(Happening.TRUNK_ELSEWHERE)
                return [self._open(self.route.near)]
            self._move(Happening.TRUNK_FAILED)
            return [self._invite()]
        self._move(Happening.FAR_FAILED)
        # Of what the peer wrote only the code is kept: a phrase is free text, and may hold
        # anything.
        return self._over(f"failed with {event.code}", event.code, near=self._rejection(event))

    def _hung_up(self, side: Side, event: leg.LegHungUp) -> list[CallCommand]:
        reason = event.reason or "hung up"
        if self.phase is not Phase.ANSWERED or side is self.route.near:
            return self._gone(side, Happening.LEG_HUNG_UP, reason, None, event.carried)
        self._move(Happening.LEG_HUNG_UP)  # the near leg has not been answered, and is not any more
        return self._over(reason, 480, near=leg.RejectLeg(480, "Temporarily Unavailable", event.carried))

    @staticmethod
    def _rejection(event: leg.LegFailed) -> leg.RejectLeg:
        code, carried = crossing(event.code, event.carried)
        phrase = event.phrase if code == event.code else ""
        return leg.RejectLeg(code, phrase, carried, contacts=event.contacts, retry_after=event.retry_after)

    # --- another leg in a leg's place -------------------------------------------------------------

    def seat(
        self, side: Side, described: sdp.SessionDescription, *, lent: Lent | None, calls: bool
    ) -> list[CallCommand]:
        """Another leg, with this session, is the side's from now on. `lent`: it was another call's;
        `calls`: it waits for its answer."""
        if lent is not None:
            self.trunks.moved[side] = lent.trunk
            self.trunks.note(self.told)
        self.told.seat(side, described, lent)
        self.unacknowledged.discard(side)
        remotes: list[CallCommand] = [self.told.remote(side), self.told.remote(OTHER[side])]
        if not calls:
            return remotes
        self.unacknowledged.add(side)
        return [*remotes, ToLeg(side, leg.AnswerLeg(self.told.tell(side)))]

    def leg_gone(self, side: Side, reason: str) -> list[CallCommand]:
        """That leg will not be replaced after all."""
        return self._gone(side, Happening.LEG_HUNG_UP, reason, None, leg.NOTHING)

    # --- inside -----------------------------------------------------------------------------------

    def _refuse(self, code: int, phrase: str) -> list[CallCommand]:
        self._move(Happening.NEAR_GONE)
        self.end, self.code = phrase, code
        return [ToLeg(self.route.near, leg.RejectLeg(code, phrase))]

    def _drop(
        self, happening: Happening, reason: str, code: int, carried: leg.Carried = leg.NOTHING
    ) -> list[CallCommand]:
        if self.phase is Phase.ENDED:
            return []
        answered, invited = self.phase is Phase.UP, self.phase is not Phase.OPENING
        self._move(happening)
        goodbye = leg.HangUpLeg(reason, carried)
        near: leg.LegCommand = goodbye if answered else leg.RejectLeg(code, "Service Unavailable")
        return self._over(reason, code, near=near, far=goodbye if invited else None)

    def _gone(
        self, side: Side, happening: Happening, reason: str, code: int | None, carried: leg.Carried
    ) -> list[CallCommand]:
        """One leg is over; the other follows, where there is one."""
        both = self.phase is not Phase.OPENING
        self._move(happening)
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

    def _move(self, happening: Happening) -> None:
        self.phase = step(PHASES, self.phase, happening)
