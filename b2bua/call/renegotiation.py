"""Renegotiation: a leg's re-INVITE becomes the other leg's, and its answer comes back.

Rule 1: one at a time; another one meanwhile is refused with 491.
Rule 2: what is refused, or given up, leaves both legs as they were (RFC 3261 section 14.1). A leg
        that had taken the new session by then is offered the old one again.
Rule 3: m-lines that an offer adds have ports of media's before the other leg hears of them; where
        there are none, they are refused in place.
Rule 4: a re-INVITE without an offer is answered with ours, and its ACK has the answer: what that
        changes is offered to the other leg. Who asked has agreed to it by then, so nothing is
        undone where the other leg refuses.
Rule 5: before the call is answered an UPDATE (RFC 3311) is answered with what the other leg has
        said, as far as it fits.
Rule 6: what the other leg was not told until the ACK it is offered then, and what it answers is
        offered on, MAX_ROUNDS times.
Rule 7: while the customer may key, his side is not put on hold: a hold by the agent's side is
        answered here, and offered on to the customer's once the mask is off, if it still stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from b2bua.call import leg
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.hold import is_hold
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from media.events import AnyAnswer, SessionOpened, Side, WidenSession


class RenegotiationState(StrEnum):
    """The states of a renegotiation."""

    IDLE = "idle"
    WIDENING = "widening"  # the asker has more m-lines than before; media opens ports for them
    ASKED = "asked"  # the other leg was offered what the asker wants
    ANSWERING = "answering"  # the other leg took it; media hears of it, then the asker is answered
    GIVEN_UP = "given up"  # the asker wants it no longer; the other leg's answer is to come
    RESTORING = "restoring"  # the other leg had taken it, and is offered again what it had
    OFFERED = "offered"  # we offered in a 2xx; the ACK has the answer
    ALONE = "alone"  # as OFFERED, but the other leg is gone
    FOLLOWING = "following"  # a leg is offered what it was not told yet


class RenegotiationEvent(StrEnum):
    """What moves it."""

    ASK = "re-INVITE received"
    WIDEN = "re-INVITE with more m-lines received"
    WIDENED = "media has answered"
    ASK_FOR_OFFER = "re-INVITE without an offer received"
    CONFIRMED = "ACK received"
    CHANGED = "ACK received, with something new"
    BEHIND = "a leg is to be told something new"
    ANSWERED = "answered"
    SENT = "the asker was answered"
    UNUSABLE = "answered in a way that cannot be relayed"
    REFUSED = "refused"
    CANCELLED = "the asker gave up, or is gone"
    LEFT = "the other leg is gone"
    CALL_ENDED = "call ended"


_ENDED = {RenegotiationEvent.CALL_ENDED: RenegotiationState.IDLE}

RENEGOTIATION_TRANSITIONS: Mapping[RenegotiationState, Mapping[RenegotiationEvent, RenegotiationState]] = {
    RenegotiationState.IDLE: {
        RenegotiationEvent.ASK: RenegotiationState.ASKED,
        RenegotiationEvent.WIDEN: RenegotiationState.WIDENING,
        RenegotiationEvent.ASK_FOR_OFFER: RenegotiationState.OFFERED,
        RenegotiationEvent.BEHIND: RenegotiationState.FOLLOWING,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.WIDENING: {
        RenegotiationEvent.WIDENED: RenegotiationState.ASKED,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.ASKED: {
        RenegotiationEvent.ANSWERED: RenegotiationState.ANSWERING,
        RenegotiationEvent.UNUSABLE: RenegotiationState.RESTORING,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.GIVEN_UP,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.ANSWERING: {
        RenegotiationEvent.SENT: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.RESTORING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.GIVEN_UP: {
        RenegotiationEvent.ANSWERED: RenegotiationState.RESTORING,
        RenegotiationEvent.UNUSABLE: RenegotiationState.RESTORING,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.GIVEN_UP,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.RESTORING: {
        RenegotiationEvent.ANSWERED: RenegotiationState.IDLE,
        RenegotiationEvent.UNUSABLE: RenegotiationState.IDLE,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.RESTORING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
    RenegotiationState.OFFERED: {
        RenegotiationEvent.CONFIRMED: RenegotiationState.IDLE,
        RenegotiationEvent.CHANGED: RenegotiationState.FOLLOWING,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.ALONE,
        **_ENDED,
    },
    RenegotiationState.ALONE: {
        RenegotiationEvent.CONFIRMED: RenegotiationState.IDLE,
        RenegotiationEvent.CHANGED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.IDLE,
        RenegotiationEvent.LEFT: RenegotiationState.ALONE,
        **_ENDED,
    },
    RenegotiationState.FOLLOWING: {
        RenegotiationEvent.ANSWERED: RenegotiationState.IDLE,
        RenegotiationEvent.UNUSABLE: RenegotiationState.IDLE,
        RenegotiationEvent.REFUSED: RenegotiationState.IDLE,
        RenegotiationEvent.CANCELLED: RenegotiationState.FOLLOWING,
        RenegotiationEvent.LEFT: RenegotiationState.IDLE,
        **_ENDED,
    },
}

MAX_ROUNDS = 3  # offers of ours, one after another, until both legs have been told all
_OUT = frozenset(
    {
        RenegotiationState.ASKED,
        RenegotiationState.GIVEN_UP,
        RenegotiationState.RESTORING,
        RenegotiationState.FOLLOWING,
    }
)  # the other leg has our re-INVITE


@dataclass(slots=True)
class Renegotiation:
    """Those of one call, one after another."""

    offer_answer: OfferAnswer
    state: RenegotiationState = RenegotiationState.IDLE
    asker: Side = Side.CALLER  # the leg that sent the re-INVITE, unless IDLE
    before: sdp.SessionDescription | None = None  # what the asker had said before it
    behind: list[Side] = field(default_factory=list)  # the legs that are still to be told something
    rounds: int = 0  # how often one may be
    # Whether the customer's side may have to be told of a hold, or of its end.
    hold_waits: bool = False

    @property
    def busy(self) -> bool:
        return self.state is not RenegotiationState.IDLE

    def receive_reinvite(self, side: Side, event: leg.LegReinvited, *, up: bool) -> list[CallCommand]:
        """A leg's re-INVITE, or UPDATE with an offer. `up`: whether the call is answered."""
        if event.early and not up:
            return self._early(side, event)
        if not up or self.busy:
            return [ToLeg(side, leg.RejectReinvite(491, "Request Pending"))]
        if not event.offer:
            self.asker = side
            self._move(RenegotiationEvent.ASK_FOR_OFFER)
            return [ToLeg(side, leg.AnswerReinvite(self.offer_answer.local_offer(side)))]
        before = self.offer_answer.legs[side].remote
        if not self.offer_answer.set_remote(side, event.offer):
            return [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
        self.asker, self.before = side, before
        if self.offer_answer.legs[side].needs_streams():
            self._move(RenegotiationEvent.WIDEN)
            return [
                ToMedia(
                    WidenSession(
                        session=self.offer_answer.session, streams=self.offer_answer.count_streams(side)
                    )
                )
            ]
        self._move(RenegotiationEvent.ASK)
        if self._is_ours(side, before):
            return self._answer_hold(side)
        return self._ask()

    def _is_ours(self, side: Side, before: sdp.SessionDescription | None) -> bool:
        """Whether an offer is a hold, or its end, that the customer's side does not hear of now."""
        if side is not Side.AGENT or not self.offer_answer.masked:
            return False
        return (
            self.offer_answer.is_holding(side) or (before is not None and is_hold(before))
        ) and not self.offer_answer.is_outdated(Side.CALLER)

    def _answer_hold(self, side: Side) -> list[CallCommand]:
        self.hold_waits = True
        self._move(RenegotiationEvent.ANSWERED)
        return [
            ToMedia(self.offer_answer.remote_command(side)),
            ToLeg(side, leg.AnswerReinvite(self.offer_answer.local_reply(side))),
        ]

    def offer_outdated(self) -> list[CallCommand]:
        """Offer what a leg was not told yet. Only while no leg has another offer of ours, and none
        waits for an answer."""
        self.behind = [side for side in self.behind if self.offer_answer.is_outdated(side)]
        if self.hold_waits and Side.CALLER not in self.behind and self.offer_answer.is_outdated(Side.CALLER):
            self.behind.append(Side.CALLER)
            self.rounds = max(self.rounds, 1)
        self.hold_waits = False
        return self._tell_next() if self.rounds else []

    def streams_opened(self, answer: AnyAnswer) -> list[CallCommand]:
        """Media has opened more ports; where it has not, the new m-lines are refused in place."""
        if isinstance(answer, SessionOpened):
            self.offer_answer.set_streams(answer.caller, answer.agent)
        if self.state is not RenegotiationState.WIDENING:
            return []
        self._move(RenegotiationEvent.WIDENED)
        return self._ask()

    def _ask(self) -> list[CallCommand]:
        other = OTHER[self.asker]
        return [
            ToMedia(self.offer_answer.remote_command(self.asker)),
            ToLeg(other, leg.ReinviteLeg(self.offer_answer.local_for(other))),
        ]

    def _early(self, side: Side, event: leg.LegReinvited) -> list[CallCommand]:
        """An UPDATE before the answer: where packets go may change; codecs may not, since the other
        end was told."""
        if not self.offer_answer.complete:
            # RFC 3311 section 5.2: an offer is still open.
            return [ToLeg(side, leg.RejectReinvite(500, ""))]
        answer = self.offer_answer.answer_update(side, event.offer)
        if answer is None:
            return [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
        return [ToMedia(self.offer_answer.remote_command(side)), ToLeg(side, leg.AnswerReinvite(answer))]

    def note_missed(self, side: Side, repeated: bytes) -> None:
        """The call is up: the legs are to be offered what they were not told. `repeated`: what this
        one got instead of our newest answer."""
        if not (repeated or self.offer_answer.has_updated):
            return
        if repeated:
            self.offer_answer.legs[side].keep_local(repeated)
        self.behind, self.rounds = list(Side), MAX_ROUNDS

    def _tell_next(self) -> list[CallCommand]:
        if self.busy:
            return []
        if not self.behind or not self.rounds:
            self.rounds, self.behind = 0, []
            self.offer_answer.clear_updated()
            return []
        side = self.behind.pop(0)
        self.rounds -= 1
        self.offer_answer.legs[side].updated = False
        self.asker = OTHER[side]
        self._move(RenegotiationEvent.BEHIND)
        return [ToLeg(side, leg.ReinviteLeg(self.offer_answer.local_for(side)))]

    def _followed(self, side: Side) -> list[CallCommand]:
        """A leg has answered what it was not told before: what is new of that, the other is
        told."""
        other = OTHER[side]
        if (
            self.rounds
            and other not in self.behind
            and self.offer_answer.is_outdated(other)
            and not self.offer_answer.is_covered(other)
        ):
            self.behind.append(other)
        return [ToMedia(self.offer_answer.remote_command(side)), *self._tell_next()]

    def receive_answer(self, side: Side, answer: bytes) -> list[CallCommand]:
        """The other leg took an offer of ours."""
        if not self._asked_of(side):
            return []
        was = self.state
        usable = bool(answer) and self.offer_answer.set_remote_answer(side, answer)
        self._move(RenegotiationEvent.ANSWERED if usable else RenegotiationEvent.UNUSABLE)
        if was is RenegotiationState.ASKED and usable:
            return [
                ToMedia(self.offer_answer.remote_command(side)),
                ToLeg(self.asker, leg.AnswerReinvite(self.offer_answer.local_reply(self.asker))),
            ]
        if was is RenegotiationState.FOLLOWING:
            return self._followed(side) if usable else self._tell_next()
        if was is RenegotiationState.RESTORING:
            return [ToMedia(self.offer_answer.remote_command(side))] if usable else []
        return [
            *(self._refusal(488, "Not Acceptable Here") if was is RenegotiationState.ASKED else []),
            *self._restore(side),
        ]

    def _restore(self, side: Side) -> list[CallCommand]:
        """The other leg has what the asker has no longer."""
        again = self.offer_answer.offer_for(side)
        if again is None:
            self._move(
                RenegotiationEvent.ANSWERED
            )  # it was told nothing new: our own addresses hide what the asker changed
            return []
        self.offer_answer.legs[side].local = again
        return [ToLeg(side, leg.ReinviteLeg(again))]

    def answer_sent(self, side: Side) -> None:
        """A leg was answered."""
        if self.state is RenegotiationState.ANSWERING and self.asker is side:
            self._move(RenegotiationEvent.SENT)

    def receive_refusal(self, side: Side, code: int, phrase: str) -> list[CallCommand]:
        """The other leg refused an offer of ours."""
        if not self._asked_of(side):
            return []
        was = self.state
        self._move(RenegotiationEvent.REFUSED)
        return self._refusal(code, phrase) if was is RenegotiationState.ASKED else self._tell_next()

    def receive_cancel(self, side: Side) -> list[CallCommand]:
        """The asker gave up; it has been answered."""
        was = self.state
        if (
            was not in (RenegotiationState.ASKED, RenegotiationState.WIDENING, RenegotiationState.ANSWERING)
            or self.asker is not side
        ):
            return []
        self._move(RenegotiationEvent.CANCELLED)
        return [*self._back(), *(self._restore(OTHER[side]) if was is RenegotiationState.ANSWERING else [])]

    def leg_gone(self, side: Side) -> list[CallCommand]:
        """That leg is gone and the call goes on: nobody is to wait for it."""
        self.behind = []
        if self.state is RenegotiationState.ANSWERING:
            self._move(RenegotiationEvent.LEFT)
            return []
        if self.asker is side:  # the other leg still has our re-INVITE, unless media was asked only
            if self.state is RenegotiationState.WIDENING and self.before is not None:
                self.offer_answer.legs[side].remote = self.before
            self._move(RenegotiationEvent.CANCELLED)
            return []
        waiting = self.state in (RenegotiationState.ASKED, RenegotiationState.WIDENING)
        self._move(RenegotiationEvent.LEFT)
        return self._refusal(480, "Temporarily Unavailable") if waiting else []

    def call_ended(self) -> None:
        """What media or a leg still answers changes nothing any more."""
        self._move(RenegotiationEvent.CALL_ENDED)
        self.behind, self.rounds, self.hold_waits = [], 0, False

    def receive_ack(self, side: Side, answer: bytes) -> list[CallCommand]:
        """The ACK for a 2xx of ours that had an offer."""
        if self.state not in (RenegotiationState.OFFERED, RenegotiationState.ALONE) or self.asker is not side:
            return []
        if not answer or not self.offer_answer.set_remote_answer(side, answer):
            self._move(RenegotiationEvent.CONFIRMED)
            return []
        other = OTHER[side]
        self.hold_waits |= self.offer_answer.masked and side is Side.AGENT
        before, again, alone = (
            self.offer_answer.legs[other].local,
            self.offer_answer.local_for(other),
            self.state is RenegotiationState.ALONE,
        )
        self._move(RenegotiationEvent.CONFIRMED if again == before else RenegotiationEvent.CHANGED)
        learned = ToMedia(self.offer_answer.remote_command(side))
        return [learned] if again == before or alone else [learned, ToLeg(other, leg.ReinviteLeg(again))]

    def _asked_of(self, side: Side) -> bool:
        """Whether this leg has our re-INVITE."""
        return self.state in _OUT and self.asker is not side

    def _refusal(self, code: int, phrase: str) -> list[CallCommand]:
        return [*self._back(), ToLeg(self.asker, leg.RejectReinvite(code, phrase))]

    def _back(self) -> list[CallCommand]:
        """The asker's session is again what it was."""
        if self.before is not None:
            self.offer_answer.legs[self.asker].remote = self.before
        return [ToMedia(self.offer_answer.remote_command(self.asker))]

    def _move(self, event: RenegotiationEvent) -> None:
        self.state = RENEGOTIATION_TRANSITIONS[self.state][event]
