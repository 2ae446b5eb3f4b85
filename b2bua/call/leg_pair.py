"""Joins the two legs of a call: the state they share, and their end together.

Rule 1: the end of one leg ends the other, and closes the media session, exactly once.
Rule 2: an offer of ours is sent only where the call `may_offer`: no other one is open, and no leg
        owes us the ACK of its INVITE (RFC 3261 section 14.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.obstacle import Obstacle, ObstacleCode, obstacle
from b2bua.call.own_leg import is_own_trunk
from b2bua.call.renegotiation import Renegotiation
from b2bua.call.routing.route import LegTrunks, Route
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from b2bua.call.sdp.telephone_event import EventStream
from b2bua.call.state import BRIDGE_TRANSITIONS, BridgeEvent, BridgeState, step
from media.events import ClaimedLeg, ClaimSession, CloseSession, Masking, SessionId, SetRemote, Side

_RETRY_AFTER = 1  # seconds until the next media process is there
# Cause 102: recovery on timer expiry.
_NO_MEDIA = leg.Carried(headers=(("Reason", 'Q.850;cause=102;text="no media"'),))


@dataclass(slots=True)
class LegPair:
    """The two legs of one call. `end`, `code`: why it ended, and the final response of its INVITE.
    `opened`: media was asked for a session. `unacknowledged`: the legs whose INVITE we answered,
    and whose ACK is to come."""

    session: SessionId
    trunks: LegTrunks
    offer_answer: OfferAnswer
    renegotiation: Renegotiation
    state: BridgeState = BridgeState.IDLE
    end: str = ""
    code: int | None = None
    answered_at: float | None = None
    opened: bool = False
    unacknowledged: set[Side] = field(default_factory=set)
    _unconfirmed: bool = False  # the far leg waits for the near leg's answer to its offer
    _deadline: float | None = None

    @property
    def route(self) -> Route:
        """The route of the call."""
        return self.trunks.route

    def deadline(self) -> float | None:
        """When `expire` is due, in seconds since the epoch."""
        return self._deadline

    @property
    def settled(self) -> bool:
        """Whether the call is answered, and no offer is open."""
        return self.state is BridgeState.UP and not self.renegotiation.busy and not self._unconfirmed

    @property
    def may_offer(self) -> bool:
        """Whether both legs can take an offer of ours now."""
        return self.settled and not self.unacknowledged

    def obstacle(self) -> Obstacle | None:
        """Why the customer cannot key a card: the call is not settled, or his keys cannot be
        captured. None: he can."""
        if not self.settled:
            return obstacle(ObstacleCode.CHANGING)
        if self._keys_agreed():
            return None
        is_encrypted = self.offer_answer.has_encrypted_audio()
        return obstacle(ObstacleCode.ENCRYPTED if is_encrypted else ObstacleCode.NO_KEYS)

    def keys_lost(self) -> bool:
        """Whether the call is settled, but the customer's keys can no longer be captured."""
        return self.settled and not self._keys_agreed()

    def _keys_agreed(self) -> bool:
        """Whether keys come as SIP INFO, as telephone-event or as tones that are captured."""
        policy = self.trunks.policy(Side.CALLER)
        tones = policy.masking.tones and self.offer_answer.tones_agreed()
        return policy.keys.by_info or tones or self.offer_answer.events_agreed()

    def event_stream(self) -> EventStream | None:
        """Where a key of SIP INFO is sent as telephone-event; None where the agent's trunk does not
        want that, or its leg has not agreed."""
        return self.offer_answer.event_stream() if self.trunks.policy(Side.AGENT).wants_events else None

    def mask_changed(self, masked: bool) -> None:
        """Follow the mask. A hold by the agent's side may have to reach the customer's, or its
        end."""
        if self.offer_answer.masked is not masked:
            self.offer_answer.masked = masked
            self.renegotiation.hold_waits |= self.offer_answer.is_holding(Side.AGENT)

    # --- replacing a leg --------------------------------------------------------------------------

    def replace_leg(
        self,
        side: Side,
        remote: sdp.SessionDescription,
        *,
        loaned: LoanedLeg | None,
        calls: bool,
        trunk: str = "",
    ) -> list[CallCommand]:
        """Give another leg, with this remote description, the side's place. `loaned`: it was
        another call's; `calls`: its INVITE is to be answered; `trunk`: its own, where that is
        another."""
        if loaned is not None or trunk:
            self.trunks.moved[side] = loaned.trunk if loaned is not None else trunk
            self._follow_trunks()
        self.offer_answer.replace_leg(side, remote, loaned, ours=is_own_trunk(self.trunks.trunk(side)))
        self.unacknowledged.discard(side)
        remotes: list[CallCommand] = [self._remote(side), self._remote(OTHER[side])]
        if not calls:
            return remotes
        self.unacknowledged.add(side)
        return [*remotes, ToLeg(side, leg_command.AnswerLeg(self.offer_answer.local_for(side)))]

    def _follow_trunks(self) -> None:
        self.offer_answer.set_policies(self.trunks.policy(Side.CALLER), self.trunks.policy(Side.AGENT))

    # --- a new media process ----------------------------------------------------------------------

    def claim_session(self, masking: Masking | None) -> ClaimSession:
        """The command by which media goes on with the session, or restores it. `masking`: how it is
        masked, or may be."""
        legs = self.offer_answer.legs
        caller, agent = (
            ClaimedLeg(interface=interface, streams=legs[side].remote_streams())
            for side, interface in zip((Side.CALLER, Side.AGENT), self.trunks.first_interfaces(), strict=True)
        )
        return ClaimSession(
            session=self.session,
            streams=len(legs[Side.CALLER].streams),
            caller=caller,
            agent=agent,
            masking=masking,
            usual_masking=self.trunks.masking(),
            codes=self.offer_answer.remote_command(Side.AGENT).codes,
        )

    # --- the end ----------------------------------------------------------------------------------

    def leg_gone(self, side: Side, reason: str) -> list[CallCommand]:
        """End the call: this side's leg is over, and no other takes its place."""
        return self._end_other(side, BridgeEvent.LEG_HUNG_UP, reason, None, leg.NOTHING)

    def media_lost(self) -> list[CallCommand]:
        """End the call: the media process is gone, and its session with it."""
        return self._abort(BridgeEvent.MEDIA_LOST, "media lost", 503, retry_after=_RETRY_AFTER)

    def media_silent(self) -> list[CallCommand]:
        """End a call in which no packet came for too long, unless it is on hold."""
        if self.state is not BridgeState.UP or self.offer_answer.on_hold():
            return []
        return self._abort(BridgeEvent.MEDIA_LOST, "no media", 503, _NO_MEDIA)

    def shut_down(self) -> list[CallCommand]:
        """End the call: this Tonewall stops."""
        return self._abort(BridgeEvent.SHUT_DOWN, "shut down", 503)

    def give_up(self) -> list[CallCommand]:
        """End the call: it waited for what a process that is gone had asked for."""
        return self._abort(BridgeEvent.SHUT_DOWN, "restarted", 503)

    def _refuse(self, code: int, phrase: str) -> list[CallCommand]:
        self._move(BridgeEvent.NEAR_GONE)
        self.end, self.code = phrase, code
        return [ToLeg(self.route.near, leg_command.RejectLeg(code, phrase))]

    def _abort(
        self,
        event: BridgeEvent,
        reason: str,
        code: int,
        carried: leg.Carried = leg.NOTHING,
        retry_after: int = 0,
    ) -> list[CallCommand]:
        if self.state is BridgeState.ENDED:
            return []
        answered, invited = self.state is BridgeState.UP, self.state is not BridgeState.OPENING
        self._move(event)
        bye = leg_command.HangUpLeg(reason, carried)
        near = (
            bye if answered else leg_command.RejectLeg(code, "Service Unavailable", retry_after=retry_after)
        )
        return self._end_both(reason, code, near=near, far=bye if invited else None)

    def _end_other(
        self, side: Side, event: BridgeEvent, reason: str, code: int | None, carried: leg.Carried
    ) -> list[CallCommand]:
        """End the call because this side's leg is over; the other one follows, where there is
        one."""
        both = self.state is not BridgeState.OPENING
        self._move(event)
        byes: list[CallCommand] = [ToLeg(OTHER[side], leg_command.HangUpLeg(reason, carried))] if both else []
        return [*byes, *self._close(reason, code)]

    def _end_both(
        self,
        reason: str,
        code: int,
        *,
        near: leg_command.LegCommand,
        far: leg_command.LegCommand | None = None,
    ) -> list[CallCommand]:
        byes: list[CallCommand] = [ToLeg(self.route.near, near)]
        if far is not None:
            byes.append(ToLeg(OTHER[self.route.near], far))
        return [*byes, *self._close(reason, code)]

    def _close(self, reason: str, code: int | None = None) -> list[CallCommand]:
        self.end = reason
        self.code = code if self.answered_at is None and code is not None else self.code
        self._deadline = None
        self.renegotiation.call_ended()
        return [ToMedia(CloseSession(session=self.session))] if self.opened else []

    def remotes(self) -> list[SetRemote]:
        """Where media finds the peers, as far as they have said so."""
        legs = self.offer_answer.legs
        return [self.offer_answer.remote_command(side) for side in Side if legs[side].remote is not None]

    def _remote(self, side: Side) -> ToMedia:
        return ToMedia(self.offer_answer.remote_command(side))

    def _move(self, event: BridgeEvent) -> None:
        self.state = step(BRIDGE_TRANSITIONS, self.state, event)
