"""The bridge of a call: how two legs become one, stay one through re-INVITEs, and end together.

Rule 1: Tonewall answers nothing itself: every ring, answer and refusal on the near leg is the far leg's.
Rule 2: whatever ends one leg ends the other, and closes the media session, exactly once.
Rule 3: an SDP that cannot be relayed is refused on the leg that sent it (488), and never ends the other leg's call
        where a session already runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from b2bua.call import leg, sdp
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.routing import Destination
from b2bua.call.state import PHASES, Happening, Phase, step
from media.events import CloseSession, LocalStream, OpenSession, SessionId, SessionOpened, SetRemote, Side

# What another trunk may do better: it answered nothing, or said that it cannot now.
_ELSEWHERE = frozenset({408, 500, 502, 503, 504})
OTHER = {Side.CALLER: Side.AGENT, Side.AGENT: Side.CALLER}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call of the trunk `source` goes: the destinations are tried one after another; where there is none it is
    refused with `code`. `latch`: the trunks that sit behind NAT."""

    near: Side
    source: str
    destinations: tuple[Destination, ...]
    latch: frozenset[str] = frozenset()
    code: int = 404
    ring_time: float = 180.0  # seconds; RFC 3261 section 16.6 (timer C) asks for more than three minutes of a proxy


@dataclass(slots=True)
class Bridge:
    """Setup, renegotiation and end of two bridged legs."""

    session: SessionId
    route: Route
    origin: int  # the SDP session id that we use on both legs (RFC 4566 section 5.2)
    phase: Phase = Phase.IDLE
    end: str = ""
    code: int | None = None
    answered_at: float | None = None
    tried: int = 0  # destinations that took no call
    _invited: leg.LegInvited | None = None
    _local: dict[Side, tuple[LocalStream, ...]] = field(default_factory=dict)
    _described: dict[Side, sdp.SessionDescription] = field(default_factory=dict)  # what each leg's peer said last
    _sent: dict[Side, bytes] = field(default_factory=dict)  # what we said last on each leg
    _versions: dict[Side, int] = field(default_factory=lambda: {Side.CALLER: 0, Side.AGENT: 0})
    _renegotiating: Side | None = None  # the leg that sent a re-INVITE and waits for an answer
    _before: sdp.SessionDescription | None = None  # what the asker had said before its re-INVITE
    _self_answered: set[Side] = field(default_factory=set)  # we offered in a 2xx; the ACK has the answer
    _deadline: float | None = None

    def deadline(self) -> float | None:
        """When `expire` is due, by the clock that `now` comes from."""
        return self._deadline

    def capturable(self) -> bool:
        """Whether the customer can key a card: answered, and both ends agreed on clear audio with telephone-event."""
        return self.phase is Phase.UP and self._renegotiating is None and self._keys_agreed()

    def keys_lost(self) -> bool:
        """Whether the call goes on, but the customer's keys no longer come as telephone-event: they may come as tones."""
        return self.phase is Phase.UP and self._renegotiating is None and not self._keys_agreed()

    def _keys_agreed(self) -> bool:
        return sdp.agree_on_keys(*self._described.values())

    def codec(self) -> sdp.Codec | None:
        """The audio codec that the two ends last agreed on; None where they never did."""
        return sdp.agreed_codec(*self._described.values()) if len(self._described) == 2 else None

    # --- setup ----------------------------------------------------------------------------------------------------

    def invited(self, event: leg.LegInvited) -> list[CallCommand]:
        self._move(Happening.INVITED)
        near = self.route.near
        if not self.route.destinations:
            return self._refuse(self.route.code, "")
        if event.max_forwards <= 0:
            return self._refuse(483, "Too Many Hops")
        if not event.offer:
            return self._refuse(488, "Not Acceptable Here")  # an offer in the 2xx is not supported yet
        try:
            described = sdp.parse(event.offer)
        except sdp.SdpError:
            return self._refuse(488, "Not Acceptable Here")
        if not any(media.relayed for media in described.media):
            return self._refuse(488, "Not Acceptable Here")
        self._invited = event
        self._described[near] = described
        return [ToMedia(OpenSession(session=self.session, streams=len(described.media)))]

    def media_opened(self, opened: SessionOpened, now: float) -> list[CallCommand]:
        if self.phase is not Phase.OPENING:
            return []
        self._move(Happening.MEDIA_OPENED)
        assert self._invited is not None
        self._deadline = now + self.route.ring_time
        self._local = {Side.CALLER: opened.caller, Side.AGENT: opened.agent}
        return [self._set_remote(self.route.near), self._invite()]

    def _invite(self) -> ToLeg:
        assert self._invited is not None
        far, to = OTHER[self.route.near], self.route.destinations[self.tried]
        return ToLeg(
            far,
            leg.InviteLeg(
                trunk=to.trunk,
                caller=to.caller,
                callee=to.callee,
                offer=self._for(far),
                max_forwards=self._invited.max_forwards - 1,
                carried=self._invited.carried,
            ),
        )

    def trunk(self, side: Side) -> str:
        """The trunk that a side's leg is on."""
        return self.route.source if side is self.route.near else self.route.destinations[self.tried].trunk

    def media_refused(self) -> list[CallCommand]:
        if self.phase is not Phase.OPENING:
            return []
        self._move(Happening.MEDIA_REFUSED)
        return self._over("no media ports", 503, near=leg.RejectLeg(503, "Service Unavailable"))

    def media_lost(self) -> list[CallCommand]:
        """The media process died, and every session with it."""
        return self._drop(Happening.MEDIA_LOST, "media lost", 503)

    def shut_down(self) -> list[CallCommand]:
        return self._drop(Happening.SHUT_DOWN, "shut down", 503)

    def expire(self, now: float) -> list[CallCommand]:
        """The far leg rang for too long."""
        if self._deadline is None or now < self._deadline or self.phase not in (Phase.INVITING, Phase.RINGING):
            return []
        self._move(Happening.NO_ANSWER)
        return self._over(
            "no answer", 480, near=leg.RejectLeg(480, "Temporarily Unavailable"), far=leg.HangUpLeg("no answer")
        )

    # --- what the legs report -------------------------------------------------------------------------------------

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
                return self._answered(side, event, now)
            case leg.LegConfirmed():
                return self._confirmed(side, event)
            case leg.LegFailed():
                return self._failed(side, event)
            case leg.LegReinvited():
                return self._reinvited(side, event)
            case leg.ReinviteAnswered():
                return self._reinvite_answered(side, event)
            case leg.ReinviteFailed():
                return self._reinvite_failed(side, event)
            case leg.LegHungUp():
                return self._gone(side, Happening.LEG_HUNG_UP, event.reason or "hung up", None, event.carried)
            case leg.ReinviteCancelled() | leg.LegReferred() | leg.LegRequested() | leg.LegResponded():
                return []  # not of the bridge
            case _:
                assert_never(event)

    def _progressed(self, side: Side, event: leg.LegProgressed) -> list[CallCommand]:
        near = OTHER[side]
        if side is self.route.near or self.phase not in (Phase.INVITING, Phase.RINGING):
            return []
        self._move(Happening.FAR_PROGRESSED)
        if not event.answer or not self._learn(side, event.answer):
            return [ToLeg(near, leg.RingLeg(event.code, event.phrase, carried=event.carried))]
        return [
            self._set_remote(side),
            ToLeg(near, leg.RingLeg(event.code, event.phrase, self._for(near), event.carried)),
        ]

    def _answered(self, side: Side, event: leg.LegAnswered, now: float) -> list[CallCommand]:
        near = OTHER[side]
        if side is self.route.near or self.phase not in (Phase.INVITING, Phase.RINGING):
            return []
        # A 200 may leave out the SDP that an earlier 18x of the same dialog had.
        understood = self._learn(side, event.answer) if event.answer else side in self._described
        if not understood:
            self._move(Happening.FAR_FAILED)
            return self._over(
                "an answer that cannot be relayed",
                502,
                near=leg.RejectLeg(502, "Bad Gateway"),
                far=leg.HangUpLeg("bad SDP answer"),
            )
        self._move(Happening.FAR_ANSWERED)
        self._deadline = None
        self.answered_at = now
        self.code = 200
        return [self._set_remote(side), ToLeg(near, leg.AnswerLeg(self._for(near), event.carried))]

    def _confirmed(self, side: Side, event: leg.LegConfirmed) -> list[CallCommand]:
        if side not in self._self_answered:
            return []
        self._self_answered.discard(side)
        return [self._set_remote(side)] if event.answer and self._learn(side, event.answer) else []

    def _failed(self, side: Side, event: leg.LegFailed) -> list[CallCommand]:
        if side is self.route.near:
            return self._gone(side, Happening.NEAR_GONE, "cancelled", event.code, event.carried)
        if self.phase is Phase.UP:
            return self._gone(side, Happening.LEG_HUNG_UP, event.phrase, None, event.carried)
        if self._may_go_on(event.code):
            self._move(Happening.TRUNK_FAILED)
            self.tried += 1
            return [self._invite()]
        self._move(Happening.FAR_FAILED)
        return self._over(event.phrase, event.code, near=self._rejection(event))

    def _may_go_on(self, code: int) -> bool:
        """Whether another trunk is asked: none has rung, so nobody notices."""
        more = self.tried + 1 < len(self.route.destinations)
        return more and self.phase is Phase.INVITING and code in _ELSEWHERE

    @staticmethod
    def _rejection(event: leg.LegFailed) -> leg.RejectLeg:
        return leg.RejectLeg(
            event.code, event.phrase, event.carried, contacts=event.contacts, retry_after=event.retry_after
        )

    # --- renegotiation --------------------------------------------------------------------------------------------

    def _reinvited(self, side: Side, event: leg.LegReinvited) -> list[CallCommand]:
        if self.phase is not Phase.UP or self._renegotiating is not None:
            return [ToLeg(side, leg.RejectReinvite(491, "Request Pending"))]
        if not event.offer:
            # A refresh without an offer: our 2xx offers what already runs; the answer comes with the ACK.
            self._self_answered.add(side)
            return [ToLeg(side, leg.AnswerReinvite(self._for(side)))]
        before = self._described.get(side)
        if not self._learn(side, event.offer):
            return [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
        self._renegotiating = side
        self._before = before
        return [self._set_remote(side), ToLeg(OTHER[side], leg.ReinviteLeg(self._for(OTHER[side])))]

    def _reinvite_answered(self, side: Side, event: leg.ReinviteAnswered) -> list[CallCommand]:
        asker = self._renegotiating
        if asker is None or asker is side:
            return []
        if not event.answer or not self._learn(side, event.answer):
            return self._reinvite_failed(side, leg.ReinviteFailed(488, "Not Acceptable Here"))
        self._renegotiating = None
        return [self._set_remote(side), ToLeg(asker, leg.AnswerReinvite(self._for(asker)))]

    def _reinvite_failed(self, side: Side, event: leg.ReinviteFailed) -> list[CallCommand]:
        asker = self._renegotiating
        if asker is None or asker is side:
            return []
        self._renegotiating = None
        if self._before is not None:
            self._described[asker] = self._before  # RFC 3261 section 14.1: the session goes on as it was
        return [self._set_remote(asker), ToLeg(asker, leg.RejectReinvite(event.code, event.phrase))]

    # --- another leg in a leg's place -----------------------------------------------------------------------------

    @property
    def renegotiating(self) -> bool:
        return self._renegotiating is not None

    def offer_anew(self, side: Side) -> bytes:
        """What a new leg on `side` is offered: the other leg's session, not on hold, since the hold was the old leg's."""
        self._versions[side] += 1
        source = sdp.resumed(self._described[OTHER[side]])
        return sdp.rewrite(source, self._local[side], self.origin, self._versions[side])

    def change_for(self, side: Side, other: sdp.SessionDescription) -> bytes | None:
        """The offer that lets this leg talk to `other`; None where it was told the same already."""
        told = self._sent.get(side)
        body = sdp.rewrite(other, self._local[side], self.origin, self._versions[side])
        if told is not None and sdp.same_media(sdp.parse(told), sdp.parse(body)):
            return None
        self._versions[side] += 1
        return sdp.rewrite(other, self._local[side], self.origin, self._versions[side])

    def offer_again(self, side: Side) -> bytes:
        """What this leg had before a change that came to nothing."""
        self._versions[side] += 1
        self._sent[side] = sdp.rewrite(
            self._described[OTHER[side]], self._local[side], self.origin, self._versions[side]
        )
        return self._sent[side]

    def learn(self, side: Side, body: bytes) -> bool:
        """Take what a leg answered to an offer that is not the bridge's own. False: it cannot be relayed."""
        return bool(body) and self._learn(side, body)

    def remote(self, side: Side) -> list[CallCommand]:
        return [self._set_remote(side)]

    def seat(self, side: Side, described: sdp.SessionDescription) -> list[CallCommand]:
        """Another leg, with this session, is the side's from now on."""
        self._described[side] = described
        self._self_answered.discard(side)
        rest = OTHER[side]
        self._sent[rest] = sdp.rewrite(described, self._local[rest], self.origin, self._versions[rest])
        self._sent.pop(side, None)
        return [self._set_remote(side), self._set_remote(rest)]

    def left(self, side: Side) -> list[CallCommand]:
        """A leg is gone and the call goes on: nobody is to wait for it."""
        asker, self._renegotiating = self._renegotiating, None
        if asker is not OTHER[side]:
            return []
        if self._before is not None:
            self._described[asker] = self._before
        return [self._set_remote(asker), ToLeg(asker, leg.RejectReinvite(480, "Temporarily Unavailable"))]

    def leg_gone(self, side: Side, reason: str) -> list[CallCommand]:
        """That leg will not be replaced after all."""
        return self._gone(side, Happening.LEG_HUNG_UP, reason, None, leg.NOTHING)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _learn(self, side: Side, body: bytes) -> bool:
        try:
            self._described[side] = sdp.parse(body)
        except sdp.SdpError:
            return False
        return True

    def _set_remote(self, side: Side) -> ToMedia:
        streams = sdp.remote_streams(self._described[side], latch=self.trunk(side) in self.route.latch)
        return ToMedia(SetRemote(session=self.session, side=side, streams=streams[: len(self._local[side])]))

    def _for(self, side: Side) -> bytes:
        """The other leg's description, as this leg is to see it."""
        source = self._described[OTHER[side]]
        local = self._local[side]
        before = self._sent.get(side)
        body = sdp.rewrite(source, local, self.origin, self._versions[side]) if before is not None else None
        if body is None or body != before:
            self._versions[side] += 1  # RFC 3264 section 8: a changed description has a higher version
            body = sdp.rewrite(source, local, self.origin, self._versions[side])
        self._sent[side] = body
        return body

    def _refuse(self, code: int, phrase: str) -> list[CallCommand]:
        self._move(Happening.NEAR_GONE)
        self.end, self.code = phrase, code
        return [ToLeg(self.route.near, leg.RejectLeg(code, phrase))]

    def _drop(self, happening: Happening, reason: str, code: int) -> list[CallCommand]:
        if self.phase is Phase.ENDED:
            return []
        answered, invited = self.phase is Phase.UP, self.phase is not Phase.OPENING
        self._move(happening)
        near: leg.LegCommand = leg.HangUpLeg(reason) if answered else leg.RejectLeg(code, "Service Unavailable")
        return self._over(reason, code, near=near, far=leg.HangUpLeg(reason) if invited else None)

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
        return [ToMedia(CloseSession(session=self.session))]

    def _move(self, happening: Happening) -> None:
        self.phase = step(PHASES, self.phase, happening)
