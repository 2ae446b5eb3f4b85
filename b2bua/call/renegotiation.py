"""Renegotiates the session of a call: relays a leg's re-INVITE to the other leg, and its answer
back.

Rule 1: one re-INVITE at a time; another one meanwhile is refused with 491.
Rule 2: a re-INVITE that is refused or cancelled leaves both legs as they were (RFC 3261 section
        14.1). A leg that had accepted the new session is offered the old one again.
Rule 3: an m-line that an offer adds has ports of media's before the other leg sees it; where there
        are none, it is refused in place.
Rule 4: a re-INVITE without an offer is answered with ours, and its ACK has the answer. A change in
        that is offered to the other leg. The offerer has agreed by then, so a refusal undoes
        nothing.
Rule 5: before the call is answered an UPDATE (RFC 3311) is answered with the other leg's session,
        as far as it fits.
Rule 6: a leg whose local description is outdated after the ACK is offered the newest, and its
        answer is offered on, MAX_ROUNDS times.
Rule 7: while the customer may key, his side is not put on hold. A hold by the agent's side is
        answered here, and offered to the customer's side once the mask is off, if it still holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.renegotiation_states import (
    RENEGOTIATION_TRANSITIONS,
    RenegotiationEvent,
    RenegotiationState,
)
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.hold import is_hold
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from media.events import AnyAnswer, SessionOpened, Side, WidenSession

MAX_ROUNDS = 3  # offers of ours, one after another, until both legs are up to date
# The other leg has our re-INVITE.
_OFFER_SENT = frozenset(
    {
        RenegotiationState.ASKED,
        RenegotiationState.GIVEN_UP,
        RenegotiationState.RESTORING,
        RenegotiationState.FOLLOWING,
    }
)
_CANCELLABLE = frozenset(
    {RenegotiationState.ASKED, RenegotiationState.WIDENING, RenegotiationState.ANSWERING}
)


@dataclass(slots=True)
class Renegotiation:
    """The renegotiations of one call, one after another.

    `offerer`: the leg that sent the re-INVITE, unless IDLE; `before`: its remote description before
    that. `outdated`: the legs that may have to be offered the newest session, `rounds` times.
    `hold_waits`: the customer's side may have to be offered a hold, or its end.
    """

    offer_answer: OfferAnswer
    state: RenegotiationState = RenegotiationState.IDLE
    offerer: Side = Side.CALLER
    before: sdp.SessionDescription | None = None
    outdated: list[Side] = field(default_factory=list)
    rounds: int = 0
    hold_waits: bool = False

    @property
    def busy(self) -> bool:
        """Whether an offer is open."""
        return self.state is not RenegotiationState.IDLE

    def call_ended(self) -> None:
        """End with the call: a later answer of media or a leg changes nothing."""
        self._move(RenegotiationEvent.CALL_ENDED)
        self.outdated, self.rounds, self.hold_waits = [], 0, False

    # --- the offer of a leg -----------------------------------------------------------------------

    def receive_reinvite(self, side: Side, event: leg.LegReinvited, *, up: bool) -> list[CallCommand]:
        """Take a leg's re-INVITE, or UPDATE with an offer. `up`: the call is answered, and the
        other leg can take an offer."""
        if event.early and not up:
            return self._answer_early_update(side, event)
        if not up or self.busy:
            return [ToLeg(side, leg_command.RejectReinvite(491, "Request Pending"))]
        if not event.offer:
            self.offerer = side
            self._move(RenegotiationEvent.ASK_FOR_OFFER)
            return [ToLeg(side, leg_command.AnswerReinvite(self.offer_answer.local_offer(side)))]
        before = self.offer_answer.legs[side].remote
        if not self.offer_answer.set_remote(side, event.offer):
            return [ToLeg(side, leg_command.RejectReinvite(488, "Not Acceptable Here"))]
        self.offerer, self.before = side, before
        if self.offer_answer.legs[side].needs_streams():
            self._move(RenegotiationEvent.WIDEN)
            streams = self.offer_answer.count_streams(side)
            return [ToMedia(WidenSession(session=self.offer_answer.session, streams=streams))]
        self._move(RenegotiationEvent.ASK)
        if self._is_hidden_hold(side, before):
            return self._answer_hold(side)
        return self._relay_offer()

    def _answer_early_update(self, side: Side, event: leg.LegReinvited) -> list[CallCommand]:
        """Answer an UPDATE before the call is answered: addresses may change, codecs may not, since
        the other leg has them."""
        if not self.offer_answer.complete:
            # RFC 3311 section 5.2: an offer is still open.
            return [ToLeg(side, leg_command.RejectReinvite(500, ""))]
        answer = self.offer_answer.answer_update(side, event.offer)
        if answer is None:
            return [ToLeg(side, leg_command.RejectReinvite(488, "Not Acceptable Here"))]
        return [self._remote(side), ToLeg(side, leg_command.AnswerReinvite(answer))]

    def _is_hidden_hold(self, side: Side, before: sdp.SessionDescription | None) -> bool:
        """Whether an offer is a hold, or its end, which the customer's side is not to see now."""
        if side is not Side.AGENT or not self.offer_answer.masked:
            return False
        held = before is not None and is_hold(before)
        return (held or self.offer_answer.is_holding(side)) and not self.offer_answer.is_outdated(Side.CALLER)

    def _answer_hold(self, side: Side) -> list[CallCommand]:
        self.hold_waits = True
        self._move(RenegotiationEvent.ANSWERED)
        return [
            self._remote(side),
            ToLeg(side, leg_command.AnswerReinvite(self.offer_answer.local_reply(side))),
        ]

    def streams_opened(self, answer: AnyAnswer) -> list[CallCommand]:
        """Take the ports that media opened for more m-lines; where it refused, these are refused in
        place."""
        if isinstance(answer, SessionOpened):
            self.offer_answer.set_streams(answer.caller, answer.agent)
        return self.streams_not_opened()

    def streams_not_opened(self) -> list[CallCommand]:
        """Media will not say whether it opened ports for more m-lines: they are refused in
        place."""
        if self.state is not RenegotiationState.WIDENING:
            return []
        self._move(RenegotiationEvent.WIDENED)
        return self._relay_offer()

    def _relay_offer(self) -> list[CallCommand]:
        other = OTHER[self.offerer]
        offer = leg_command.ReinviteLeg(self.offer_answer.local_for(other))
        return [self._remote(self.offerer), ToLeg(other, offer)]

    def receive_cancel(self, side: Side) -> list[CallCommand]:
        """Take the CANCEL of a re-INVITE, which the engine has answered."""
        before = self.state
        if before not in _CANCELLABLE or self.offerer is not side:
            return []
        self._move(RenegotiationEvent.CANCELLED)
        restored = self._restore_remote()
        return [
            *restored,
            *(self._undo_answer(OTHER[side]) if before is RenegotiationState.ANSWERING else []),
        ]

    def answer_sent(self, side: Side) -> None:
        """Take note that a leg's re-INVITE was answered."""
        if self.state is RenegotiationState.ANSWERING and self.offerer is side:
            self._move(RenegotiationEvent.SENT)

    def receive_ack(self, side: Side, answer: bytes) -> list[CallCommand]:
        """Take the ACK of a 2xx that had our offer."""
        alone = self.state is RenegotiationState.ALONE
        if not (alone or self.state is RenegotiationState.OFFERED) or self.offerer is not side:
            return []
        if not answer or not self.offer_answer.set_remote_answer(side, answer):
            self._move(RenegotiationEvent.CONFIRMED)
            return []
        other = OTHER[side]
        self.hold_waits |= self.offer_answer.masked and side is Side.AGENT
        before, offer = self.offer_answer.legs[other].local, self.offer_answer.local_for(other)
        self._move(RenegotiationEvent.CONFIRMED if offer == before else RenegotiationEvent.CHANGED)
        remote = self._remote(side)
        return (
            [remote] if offer == before or alone else [remote, ToLeg(other, leg_command.ReinviteLeg(offer))]
        )

    # --- the answer of the other leg --------------------------------------------------------------

    def receive_answer(self, side: Side, answer: bytes) -> list[CallCommand]:
        """Take a leg's answer to our offer."""
        if not self._has_offer(side):
            return []
        before = self.state
        usable = bool(answer) and self.offer_answer.set_remote_answer(side, answer)
        self._move(RenegotiationEvent.ANSWERED if usable else RenegotiationEvent.UNUSABLE)
        if before is RenegotiationState.ASKED and usable:
            reply = leg_command.AnswerReinvite(self.offer_answer.local_reply(self.offerer))
            return [self._remote(side), ToLeg(self.offerer, reply)]
        if before is RenegotiationState.FOLLOWING:
            return self._receive_update(side) if usable else self._offer_next()
        if before is RenegotiationState.RESTORING:
            return [self._remote(side)] if usable else []
        asked = before is RenegotiationState.ASKED
        refusal = self._refuse_offerer(488, "Not Acceptable Here") if asked else []
        return [*refusal, *self._undo_answer(side)]

    def receive_refusal(self, side: Side, code: int, phrase: str) -> list[CallCommand]:
        """Take a leg's refusal of our offer."""
        if not self._has_offer(side):
            return []
        before = self.state
        self._move(RenegotiationEvent.REFUSED)
        if before is RenegotiationState.ASKED:
            return self._refuse_offerer(code, phrase)
        return self._offer_next()

    def _undo_answer(self, side: Side) -> list[CallCommand]:
        """Offer this leg its old session: the offerer has the new one no longer."""
        again = self.offer_answer.offer_for(side)
        if again is None:
            # Nothing changed for it: our own addresses hide the change.
            self._move(RenegotiationEvent.ANSWERED)
            return []
        self.offer_answer.legs[side].local = again
        return [ToLeg(side, leg_command.ReinviteLeg(again))]

    def leg_gone(self, side: Side) -> list[CallCommand]:
        """Go on in a call without this leg: nothing waits for it."""
        self.outdated = []
        if self.state is RenegotiationState.ANSWERING:
            self._move(RenegotiationEvent.LEFT)
            return []
        if self.offerer is side:  # the other leg may still have our re-INVITE
            if self.state is RenegotiationState.WIDENING and self.before is not None:
                self.offer_answer.legs[side].remote = self.before
            self._move(RenegotiationEvent.CANCELLED)
            return []
        waits = self.state in (RenegotiationState.ASKED, RenegotiationState.WIDENING)
        self._move(RenegotiationEvent.LEFT)
        return self._refuse_offerer(480, "Temporarily Unavailable") if waits else []

    # --- offers of ours ---------------------------------------------------------------------------

    def note_missed(self, side: Side, repeated: bytes) -> None:
        """Take note that legs may be outdated, because the call is up. `repeated`: what this leg
        got instead of our newest answer."""
        if not (repeated or self.offer_answer.has_updated):
            return
        if repeated:
            self.offer_answer.legs[side].keep_local(repeated)
        self.outdated, self.rounds = list(Side), MAX_ROUNDS

    def offer_outdated(self) -> list[CallCommand]:
        """Offer outdated legs the session, one after another. Only where the call `may_offer`."""
        self.outdated = [side for side in self.outdated if self.offer_answer.is_outdated(side)]
        customer = Side.CALLER
        if self.hold_waits and customer not in self.outdated and self.offer_answer.is_outdated(customer):
            self.outdated.append(customer)
            self.rounds = max(self.rounds, 1)
        self.hold_waits = False
        return self._offer_next() if self.rounds else []

    def _offer_next(self) -> list[CallCommand]:
        if self.busy:
            return []
        if not self.outdated or not self.rounds:
            self.rounds, self.outdated = 0, []
            self.offer_answer.clear_updated()
            return []
        side = self.outdated.pop(0)
        self.rounds -= 1
        self.offer_answer.legs[side].updated = False
        self.offerer = OTHER[side]
        self._move(RenegotiationEvent.BEHIND)
        return [ToLeg(side, leg_command.ReinviteLeg(self.offer_answer.local_for(side)))]

    def _receive_update(self, side: Side) -> list[CallCommand]:
        """Take the answer of an outdated leg. A change in it outdates the other leg."""
        other = OTHER[side]
        if (
            self.rounds
            and other not in self.outdated
            and self.offer_answer.is_outdated(other)
            and not self.offer_answer.is_covered(other)
        ):
            self.outdated.append(other)
        return [self._remote(side), *self._offer_next()]

    # --- inside -----------------------------------------------------------------------------------

    def _has_offer(self, side: Side) -> bool:
        """Whether this leg has our re-INVITE."""
        return self.state in _OFFER_SENT and self.offerer is not side

    def _refuse_offerer(self, code: int, phrase: str) -> list[CallCommand]:
        return [*self._restore_remote(), ToLeg(self.offerer, leg_command.RejectReinvite(code, phrase))]

    def _restore_remote(self) -> list[CallCommand]:
        """The offerer's session is what it was before its offer."""
        if self.before is not None:
            self.offer_answer.legs[self.offerer].remote = self.before
        return [self._remote(self.offerer)]

    def _remote(self, side: Side) -> ToMedia:
        return ToMedia(self.offer_answer.remote_command(side))

    def _move(self, event: RenegotiationEvent) -> None:
        self.state = RENEGOTIATION_TRANSITIONS[self.state][event]
