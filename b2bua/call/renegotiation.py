"""Renegotiation: a leg's re-INVITE becomes the other leg's, and its answer comes back.

Rule 1: one at a time; another one meanwhile is refused with 491.
Rule 2: what is refused, or given up, leaves both legs as they were (RFC 3261 section 14.1). A leg that had taken the new
        session by then is offered the old one again.
Rule 3: m-lines that an offer adds have ports of media's before the other leg hears of them; where there are none, they are
        refused in place.
Rule 4: a re-INVITE without an offer is answered with ours, and its ACK has the answer: what that changes is offered to the other
        leg. Who asked has agreed to it by then, so nothing is undone where the other leg refuses.
Rule 5: before the call is answered only the addresses and directions of one leg may change (RFC 3311): nobody else hears of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from b2bua.call import leg, sdp
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.descriptions import OTHER, Descriptions
from b2bua.call.sameness import same_formats
from media.events import AnyAnswer, SessionOpened, Side, WidenSession


class State(StrEnum):
    """How far it is."""

    IDLE = "idle"
    WIDENING = "widening"  # the asker has more m-lines than before; media opens ports for them
    ASKED = "asked"  # the other leg was offered what the asker wants
    ANSWERING = "answering"  # the other leg took it; media hears of it, then the asker is answered
    GIVEN_UP = "given up"  # the asker wants it no longer; the other leg's answer is to come
    RESTORING = "restoring"  # the other leg had taken it, and is offered again what it had
    OFFERED = "offered"  # we offered in a 2xx; the ACK has the answer
    ALONE = "alone"  # as OFFERED, but the other leg is gone
    FOLLOWING = "following"  # the ACK brought something new, and the other leg is offered it


class Event(StrEnum):
    """What moves it."""

    ASK = "re-INVITE received"
    WIDEN = "re-INVITE with more m-lines received"
    WIDENED = "media has answered"
    ASK_FOR_OFFER = "re-INVITE without an offer received"
    CONFIRMED = "ACK received"
    CHANGED = "ACK received, with something new"
    ANSWERED = "answered"
    SENT = "the asker was answered"
    UNUSABLE = "answered in a way that cannot be relayed"
    REFUSED = "refused"
    CANCELLED = "the asker gave up, or is gone"
    LEFT = "the other leg is gone"


TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.IDLE: {
        Event.ASK: State.ASKED,
        Event.WIDEN: State.WIDENING,
        Event.ASK_FOR_OFFER: State.OFFERED,
        Event.CANCELLED: State.IDLE,
        Event.LEFT: State.IDLE,
    },
    State.WIDENING: {Event.WIDENED: State.ASKED, Event.CANCELLED: State.IDLE, Event.LEFT: State.IDLE},
    State.ASKED: {
        Event.ANSWERED: State.ANSWERING,
        Event.UNUSABLE: State.RESTORING,
        Event.REFUSED: State.IDLE,
        Event.CANCELLED: State.GIVEN_UP,
        Event.LEFT: State.IDLE,
    },
    State.ANSWERING: {Event.SENT: State.IDLE, Event.CANCELLED: State.RESTORING, Event.LEFT: State.IDLE},
    State.GIVEN_UP: {
        Event.ANSWERED: State.RESTORING,
        Event.UNUSABLE: State.RESTORING,
        Event.REFUSED: State.IDLE,
        Event.CANCELLED: State.GIVEN_UP,
        Event.LEFT: State.IDLE,
    },
    State.RESTORING: {
        Event.ANSWERED: State.IDLE,
        Event.UNUSABLE: State.IDLE,
        Event.REFUSED: State.IDLE,
        Event.CANCELLED: State.RESTORING,
        Event.LEFT: State.IDLE,
    },
    State.OFFERED: {
        Event.CONFIRMED: State.IDLE,
        Event.CHANGED: State.FOLLOWING,
        Event.CANCELLED: State.IDLE,
        Event.LEFT: State.ALONE,
    },
    State.ALONE: {
        Event.CONFIRMED: State.IDLE,
        Event.CHANGED: State.IDLE,
        Event.CANCELLED: State.IDLE,
        Event.LEFT: State.ALONE,
    },
    State.FOLLOWING: {
        Event.ANSWERED: State.IDLE,
        Event.UNUSABLE: State.IDLE,
        Event.REFUSED: State.IDLE,
        Event.CANCELLED: State.FOLLOWING,
        Event.LEFT: State.IDLE,
    },
}

_OUT = frozenset({State.ASKED, State.GIVEN_UP, State.RESTORING, State.FOLLOWING})  # the other leg has our re-INVITE


@dataclass(slots=True)
class Renegotiation:
    """Those of one call, one after another."""

    told: Descriptions
    state: State = State.IDLE
    asker: Side = Side.CALLER  # the leg that sent the re-INVITE, unless IDLE
    before: sdp.SessionDescription | None = None  # what the asker had said before it

    @property
    def busy(self) -> bool:
        return self.state is not State.IDLE

    def asked(self, side: Side, event: leg.LegReinvited, *, up: bool) -> list[CallCommand]:
        """A leg's re-INVITE, or UPDATE with an offer. `up`: whether the call is answered."""
        if event.early and not up:
            return self._early(side, event)
        if not up or self.busy:
            return [ToLeg(side, leg.RejectReinvite(491, "Request Pending"))]
        if not event.offer:
            self.asker = side
            self._move(Event.ASK_FOR_OFFER)
            return [ToLeg(side, leg.AnswerReinvite(self.told.offer(side)))]
        before = self.told.said.get(side)
        if not self.told.learn(side, event.offer):
            return [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
        self.asker, self.before = side, before
        if self.told.outgrown(side):
            self._move(Event.WIDEN)
            return [ToMedia(WidenSession(session=self.told.session, streams=len(self.told.said[side].media)))]
        self._move(Event.ASK)
        return self._ask()

    def widened(self, answer: AnyAnswer) -> list[CallCommand]:
        """Media has opened more ports; where it has not, the new m-lines are refused in place."""
        if isinstance(answer, SessionOpened):
            self.told.local = {Side.CALLER: answer.caller, Side.AGENT: answer.agent}
        if self.state is not State.WIDENING:
            return []
        self._move(Event.WIDENED)
        return self._ask()

    def _ask(self) -> list[CallCommand]:
        other = OTHER[self.asker]
        return [self.told.remote(self.asker), ToLeg(other, leg.ReinviteLeg(self.told.tell(other)))]

    def _early(self, side: Side, event: leg.LegReinvited) -> list[CallCommand]:
        """An UPDATE before the answer: where packets go may change; codecs may not, since the other end was told."""
        said = self.told.said.get(side)
        if said is None or not self.told.complete:
            return [ToLeg(side, leg.RejectReinvite(500, ""))]  # RFC 3311 section 5.2: an offer is still open
        try:
            same = same_formats(said, sdp.parse(event.offer))
        except sdp.SdpError:
            same = False
        if not same or not self.told.learn(side, event.offer):
            return [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
        return [self.told.remote(side), ToLeg(side, leg.AnswerReinvite(self.told.tell(side)))]

    def answered(self, side: Side, answer: bytes) -> list[CallCommand]:
        """The other leg took an offer of ours."""
        if not self._asked_of(side):
            return []
        was = self.state
        usable = bool(answer) and self.told.learn(side, answer)
        self._move(Event.ANSWERED if usable else Event.UNUSABLE)
        if was is State.ASKED and usable:
            return [self.told.remote(side), ToLeg(self.asker, leg.AnswerReinvite(self.told.tell(self.asker)))]
        if was in (State.RESTORING, State.FOLLOWING):
            return [self.told.remote(side)] if usable else []
        return [*(self._refusal(488, "Not Acceptable Here") if was is State.ASKED else []), *self._restore(side)]

    def _restore(self, side: Side) -> list[CallCommand]:
        """The other leg has what the asker has no longer."""
        again = self.told.change_for(side, self.told.said[self.asker])
        if again is None:
            self._move(Event.ANSWERED)  # it was told nothing new: our own addresses hide what the asker changed
            return []
        self.told.told[side] = again
        return [ToLeg(side, leg.ReinviteLeg(again))]

    def sent(self, side: Side) -> None:
        """A leg was answered."""
        if self.state is State.ANSWERING and self.asker is side:
            self._move(Event.SENT)

    def refused(self, side: Side, code: int, phrase: str) -> list[CallCommand]:
        """The other leg refused an offer of ours."""
        if not self._asked_of(side):
            return []
        was = self.state
        self._move(Event.REFUSED)
        return self._refusal(code, phrase) if was is State.ASKED else []

    def cancelled(self, side: Side) -> list[CallCommand]:
        """The asker gave up; it has been answered."""
        was = self.state
        if was not in (State.ASKED, State.WIDENING, State.ANSWERING) or self.asker is not side:
            return []
        self._move(Event.CANCELLED)
        return [*self._back(), *(self._restore(OTHER[side]) if was is State.ANSWERING else [])]

    def left(self, side: Side) -> list[CallCommand]:
        """That leg is gone and the call goes on: nobody is to wait for it."""
        if self.state is State.ANSWERING:
            self._move(Event.LEFT)
            return []
        if self.asker is side:  # the other leg still has our re-INVITE, unless media was asked only
            if self.state is State.WIDENING and self.before is not None:
                self.told.said[side] = self.before
            self._move(Event.CANCELLED)
            return []
        waiting = self.state in (State.ASKED, State.WIDENING)
        self._move(Event.LEFT)
        return self._refusal(480, "Temporarily Unavailable") if waiting else []

    def confirmed(self, side: Side, answer: bytes) -> list[CallCommand]:
        """The ACK for a 2xx of ours that had an offer."""
        if self.state not in (State.OFFERED, State.ALONE) or self.asker is not side:
            return []
        if not answer or not self.told.learn(side, answer):
            self._move(Event.CONFIRMED)
            return []
        other = OTHER[side]
        before, again, alone = self.told.told.get(other), self.told.tell(other), self.state is State.ALONE
        self._move(Event.CONFIRMED if again == before else Event.CHANGED)
        learned = self.told.remote(side)
        return [learned] if again == before or alone else [learned, ToLeg(other, leg.ReinviteLeg(again))]

    def _asked_of(self, side: Side) -> bool:
        """Whether this leg has our re-INVITE."""
        return self.state in _OUT and self.asker is not side

    def _refusal(self, code: int, phrase: str) -> list[CallCommand]:
        return [*self._back(), ToLeg(self.asker, leg.RejectReinvite(code, phrase))]

    def _back(self) -> list[CallCommand]:
        """The asker's session is again what it was."""
        if self.before is not None:
            self.told.said[self.asker] = self.before
        return [self.told.remote(self.asker)]

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]
