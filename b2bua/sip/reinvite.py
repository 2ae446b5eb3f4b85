"""re-INVITE within a leg, one at a time (RFC 3261 section 14).

Rule 1: while one is under way, ours or theirs, another is refused: 491 where they cross, 500 where theirs overlap.
Rule 2: a re-INVITE that fails leaves the session as it was; 481 and 408 end the dialog (section 12.2.1.2).
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING

from b2bua.call.leg import LegReinvited, ReinviteAnswered, ReinviteFailed
from b2bua.sip.compose import phrase
from b2bua.sip.leg_state import State as LegState

if TYPE_CHECKING:
    from b2bua.sip.layer import Client, Server
    from b2bua.sip.leg_base import Leg
    from b2bua.sip.message import Response


class State(StrEnum):
    """Whose re-INVITE is under way."""

    IDLE = "idle"
    SENT = "sent"
    RECEIVED = "received"
    ANSWERED = "answered"  # we sent a 2xx; its ACK is to come


class Event(StrEnum):
    """What moves it."""

    SEND = "ReinviteLeg"
    FINAL = "final response, or none"
    RECEIVE = "re-INVITE received"
    ANSWER = "AnswerReinvite"
    REJECT = "RejectReinvite, or CANCEL received"
    ACKED = "ACK received"
    DROP = "dialog ends"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.IDLE: {Event.SEND: State.SENT, Event.RECEIVE: State.RECEIVED, Event.ACKED: State.IDLE},
    State.SENT: {Event.FINAL: State.IDLE, Event.DROP: State.IDLE, Event.ACKED: State.SENT},
    State.RECEIVED: {
        Event.ANSWER: State.ANSWERED,
        Event.REJECT: State.IDLE,
        Event.DROP: State.IDLE,
        Event.ACKED: State.RECEIVED,
    },
    State.ANSWERED: {Event.ACKED: State.IDLE, Event.DROP: State.IDLE},
}


class Reinvite:
    """The re-INVITEs of one leg."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self.state = State.IDLE
        self._server: Server | None = None

    def _move(self, event: Event) -> bool:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        return True

    # --- ours --------------------------------------------------------------------------------------------------------

    def send(self, offer: bytes) -> None:
        """Send one, or report at once that another is under way."""
        if self._leg.state is not LegState.UP or not self._move(Event.SEND):
            self._leg.emit(ReinviteFailed(491, phrase(491)))
            return
        self._leg.request("INVITE", self._leg.lines(), offer)

    def on_response(self, client: Client, reply: Response) -> None:
        leg = self._leg
        if reply.code < 200:
            return
        if reply.code < 300 and leg.dialog is not None:
            leg.acknowledge(leg.dialog, client.request.cseq)
            if self._move(Event.FINAL):
                leg.dialog.refresh(reply)
                leg.emit(ReinviteAnswered(reply.body))
        elif self.state is State.SENT and leg.challenged(client, reply) is None:
            self._failed(reply.code, reply.phrase)

    def on_no_response(self, code: int) -> None:
        self._failed(code, "")

    def _failed(self, code: int, text: str) -> None:
        if not self._move(Event.FINAL):
            return
        if code in {408, 481}:
            self._leg.lose("dialog lost")
        else:
            self._leg.emit(ReinviteFailed(code, phrase(code, text)))

    # --- theirs ------------------------------------------------------------------------------------------------------

    def receive(self, server: Server) -> None:
        """A new one, its CSeq in order."""
        leg = self._leg
        if leg.state in {LegState.HANGING_UP, LegState.HANG_UP_WANTED, LegState.ENDED}:
            leg.respond(server, 481)
        elif self.state is State.SENT:
            leg.respond(server, 491)
        elif leg.state is not LegState.UP or not self._move(Event.RECEIVE):
            leg.respond(server, 500, lines=(_retry_after(),))
        else:
            self._server = server
            server.user = leg
            leg.respond(server, 100)
            leg.emit(LegReinvited(server.request.body))

    def answer(self, body: bytes) -> bool:
        """Answer with 200. False: there is none to answer."""
        if self._server is None or self._leg.dialog is None or not self._move(Event.ANSWER):
            return False
        server, self._server = self._server, None
        self._leg.dialog.refresh(server.request)
        self._leg.send_answer(server, body)
        return True

    def reject(self, code: int, text: str) -> bool:
        """Refuse it; the session goes on as it was. False: there is none to refuse."""
        if self._server is None or not self._move(Event.REJECT):
            return False
        server, self._server = self._server, None
        self._leg.respond(server, code if 300 <= code <= 699 else 500, text)
        return True

    def cancelled(self, server: Server) -> None:
        """The peer's CANCEL for this re-INVITE."""
        if server is self._server:
            self.reject(487, "")

    def on_ack(self) -> None:
        self._move(Event.ACKED)

    def drop(self) -> None:
        """The dialog ends: 487 to what is unanswered."""
        self.reject(487, "")
        self._move(Event.DROP)


def _retry_after() -> str:
    """RFC 3261 section 14.2: between 0 and 10 seconds, at random."""
    return f"Retry-After: {random.randint(0, 10)}"  # noqa: S311 — spreads retries, hides nothing
