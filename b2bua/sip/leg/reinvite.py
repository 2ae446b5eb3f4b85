"""Re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311): one change or refresh of a session at a
time.

Rule 1: while one is under way, ours or theirs, another is refused: 491 where they cross, 500 where
        theirs overlap.
Rule 2: one that fails leaves the session as it was; 481 and 408 end the dialog (section 12.2.1.2).
Rule 3: a 491 to ours is not the end: it is sent again after the time that section 14.1 gives,
        before anybody hears of it.
Rule 4: what changes nothing, because it has no offer (UPDATE) or the one that we know, is answered
        here: it is a refresh of the session timer, and no business of the other leg's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from b2bua.call.leg import LegReinvited, ReinviteAnswered, ReinviteCancelled, ReinviteFailed
from b2bua.sip.leg.leg_protocol import LegOwner
from b2bua.sip.leg.leg_state import LegState
from b2bua.sip.leg.session import NegotiatedSession
from b2bua.sip.message.compose import reason_phrase
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.retry_after import random_retry_after
from b2bua.sip.transaction.transactions import ClientTransaction, ServerTransaction

METHODS = frozenset({"INVITE", "UPDATE"})
_MAX_TRIES = 4  # of one re-INVITE of ours that meets 491
_EARLY = frozenset({LegState.RINGING, LegState.INVITED})
_REFRESH_RETRY = 5.0  # seconds until a refresh is tried again that could not be made now


class ReinviteState(StrEnum):
    """The states of re-INVITE: whose request is pending."""

    IDLE = "idle"
    SENT = "sent"
    CROSSED = "crossed"  # 491 came; ours will be sent again
    REFRESHING = "refreshing"  # ours, for the session timer alone
    RECEIVED = "received"
    ANSWERED = "answered"  # we sent a 2xx to a re-INVITE; its ACK is to come


class ReinviteEvent(StrEnum):
    """What moves it."""

    SEND = "ReinviteLeg"
    REFRESH = "half of the session's interval is over"
    FINAL = "final response, or none"
    GLARE = "491 received"
    RETRY = "time to try again"
    RECEIVE = "re-INVITE or UPDATE received"
    ANSWER = "re-INVITE answered"
    UPDATED = "UPDATE answered"
    REJECT = "refused, or CANCEL received"
    ACKED = "ACK received"
    DROP = "dialog ends"


TRANSITIONS: dict[ReinviteState, dict[ReinviteEvent, ReinviteState]] = {
    ReinviteState.IDLE: {
        ReinviteEvent.SEND: ReinviteState.SENT,
        ReinviteEvent.REFRESH: ReinviteState.REFRESHING,
        ReinviteEvent.RECEIVE: ReinviteState.RECEIVED,
        ReinviteEvent.ACKED: ReinviteState.IDLE,
    },
    ReinviteState.SENT: {
        ReinviteEvent.FINAL: ReinviteState.IDLE,
        ReinviteEvent.GLARE: ReinviteState.CROSSED,
        ReinviteEvent.DROP: ReinviteState.IDLE,
        ReinviteEvent.ACKED: ReinviteState.SENT,
    },
    ReinviteState.CROSSED: {
        ReinviteEvent.RETRY: ReinviteState.SENT,
        ReinviteEvent.FINAL: ReinviteState.IDLE,
        ReinviteEvent.DROP: ReinviteState.IDLE,
        ReinviteEvent.ACKED: ReinviteState.CROSSED,
    },
    ReinviteState.REFRESHING: {
        ReinviteEvent.FINAL: ReinviteState.IDLE,
        ReinviteEvent.DROP: ReinviteState.IDLE,
        ReinviteEvent.ACKED: ReinviteState.REFRESHING,
    },
    ReinviteState.RECEIVED: {
        ReinviteEvent.ANSWER: ReinviteState.ANSWERED,
        ReinviteEvent.UPDATED: ReinviteState.IDLE,
        ReinviteEvent.REJECT: ReinviteState.IDLE,
        ReinviteEvent.DROP: ReinviteState.IDLE,
        ReinviteEvent.ACKED: ReinviteState.RECEIVED,
    },
    ReinviteState.ANSWERED: {ReinviteEvent.ACKED: ReinviteState.IDLE, ReinviteEvent.DROP: ReinviteState.IDLE},
}


@dataclass(slots=True, repr=False, eq=False)
class Reinvite:
    """Re-INVITE and UPDATE of one leg. `_owner`: whether our side chose the Call-ID, which decides
    who waits longer after a glare."""

    _leg: LegOwner
    _session: NegotiatedSession
    _owner: bool
    state: ReinviteState = ReinviteState.IDLE
    _server: ServerTransaction | None = None
    _offer: bytes = b""
    _tries: int = 0
    _retry_at: float | None = None

    def _move(self, event: ReinviteEvent) -> bool:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        return True

    # --- ours -------------------------------------------------------------------------------------

    def send_offer(self, offer: bytes) -> None:
        """Send a re-INVITE, or report at once that another is under way."""
        if self._leg.state is not LegState.UP or not self._move(ReinviteEvent.SEND):
            self._leg.emit(ReinviteFailed(491, reason_phrase(491)))
            return
        self._offer, self._tries = offer, 1
        self._send_request("INVITE", offer)

    def send_refresh(self) -> None:
        """Refresh the session: by UPDATE where the peer knows it, else by a re-INVITE that offers
        what runs."""
        leg = self._leg
        if leg.state is not LegState.UP or not self._move(ReinviteEvent.REFRESH):
            self._session.postpone(_REFRESH_RETRY)
        elif self._session.peer_allows_update:
            self._send_request("UPDATE", b"")
        else:
            self._send_request("INVITE", self._session.local)

    def _send_request(self, method: str, body: bytes) -> None:
        self._leg.send_request(method, (*self._leg.own_lines(), *self._session.timer_lines()), body)

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        """Handle a response to a request of ours."""
        leg, request = self._leg, client.request
        if reply.code < 200:
            return
        if reply.code < 300 and leg.dialog is not None:
            if request.method == "INVITE":
                leg.acknowledge(leg.dialog, request)
            refreshing = self.state is ReinviteState.REFRESHING
            if self._move(ReinviteEvent.FINAL):
                leg.dialog.refresh(reply)
                self._session.on_success(reply)
                if not refreshing:
                    self._session.local, self._session.remote = request.body, reply.body
                    leg.emit(ReinviteAnswered(reply.body))
                elif reply.body and reply.body != self._session.remote:
                    leg.context.count["refreshes_that_changed"] += 1
        elif (
            self.state in {ReinviteState.SENT, ReinviteState.REFRESHING}
            and leg.answer_challenge(client, reply) is None
        ):
            self._on_refusal(request.method, reply)

    def _on_refusal(self, method: str, reply: Response) -> None:
        leg = self._leg
        if reply.code == 491 and self._tries < _MAX_TRIES and self._move(ReinviteEvent.GLARE):
            # RFC 3261 section 14.1: 2.1 to 4 s for who chose the Call-ID, up to 2 s for the other.
            units = random.randint(210, 400) if self._owner else random.randint(0, 200)  # noqa: S311
            self._retry_at = leg.context.scheduler.now() + units / 100
            leg.context.scheduler.watch(leg)
            return
        if reply.code == 422:
            self._session.raise_min_se(reply)
        if self.state is ReinviteState.REFRESHING and reply.code not in {408, 481}:
            self._move(ReinviteEvent.FINAL)
            if method == "UPDATE" and reply.code in {405, 501}:
                self._session.peer_allows_update = False
            self._session.postpone(0 if reply.code in {405, 422, 501} else _REFRESH_RETRY)
            return
        self._on_failure(reply.code, reply.phrase)

    def on_no_response(self, code: int) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        self._on_failure(code, "")

    def _on_failure(self, code: int, text: str) -> None:
        if not self._move(ReinviteEvent.FINAL):
            return
        if code in {408, 481}:
            self._leg.lose("dialog lost")
        else:
            self._leg.emit(ReinviteFailed(code, reason_phrase(code, text)))

    # --- theirs -----------------------------------------------------------------------------------

    def receive_request(self, server: ServerTransaction) -> None:
        """A new re-INVITE or UPDATE, its CSeq in order."""
        leg, request = self._leg, server.request
        if leg.state in {LegState.HANGING_UP, LegState.BYE_PENDING_ACK, LegState.ENDED}:
            leg.respond(server, 481)
        elif (refusal := self._session.check_timer(request)) is not None:
            leg.respond(server, refusal[0], lines=refusal[1])
        elif request.method == "UPDATE" and not request.body:
            self._answer_update(server, b"")
        elif self.state in {ReinviteState.SENT, ReinviteState.CROSSED, ReinviteState.REFRESHING}:
            leg.respond(server, 491)
        elif not (leg.state is LegState.UP or self._may_be_early(request)) or not self._move(
            ReinviteEvent.RECEIVE
        ):
            # Ours (RFC 3311 section 5.2).
            open_offer = request.method == "UPDATE" and leg.state is LegState.RINGING
            leg.respond(
                server, 491 if open_offer else 500, lines=() if open_offer else (random_retry_after(),)
            )
        else:
            self._server = server
            server.user = leg
            if request.body and request.body == self._session.remote:
                self.answer_offer(self._session.local)
                return
            if request.method == "INVITE":
                leg.respond(server, 100)
            leg.emit(LegReinvited(request.body, early=leg.state is not LegState.UP))

    def _may_be_early(self, request: Request) -> bool:
        """An UPDATE with an offer, before the answer but after an exchange of session descriptions
        (RFC 3311 section 5.1)."""
        return request.method == "UPDATE" and self._leg.state in _EARLY and self._leg.agreed_early

    def answer_offer(self, body: bytes) -> bool:
        """Answer with 200. False: there is none to answer."""
        server, dialog = self._server, self._leg.dialog
        if server is None or dialog is None or self.state is not ReinviteState.RECEIVED:
            return False
        self._server = None
        self._session.local, self._session.remote = body, server.request.body
        if server.request.method == "UPDATE":
            self._session.remote_updated |= self._leg.state in _EARLY
            self._move(ReinviteEvent.UPDATED)
            self._answer_update(server, body)
        else:
            self._move(ReinviteEvent.ANSWER)
            dialog.refresh(server.request)
            self._leg.send_answer(server, body)
        return True

    def _answer_update(self, server: ServerTransaction, body: bytes) -> None:
        leg = self._leg
        if leg.dialog is not None:
            leg.dialog.refresh(server.request)
        leg.respond(
            server, 200, lines=(*leg.own_lines(), *self._session.accept_timer(server.request)), body=body
        )

    def reject_offer(self, code: int, text: str) -> bool:
        """Refuse it; the session goes on as it was. False: there is none to refuse."""
        if self._server is None or not self._move(ReinviteEvent.REJECT):
            return False
        server, self._server = self._server, None
        code = code if 300 <= code <= 699 else 500
        self._leg.respond(server, code, text, (random_retry_after(),) if code == 500 else ())
        return True

    def on_cancel(self, server: ServerTransaction) -> None:
        """The peer's CANCEL for this re-INVITE."""
        if server is self._server and self.reject_offer(487, ""):
            self._leg.emit(ReinviteCancelled())

    def on_ack(self, answer: bytes) -> None:
        """`answer`: to our offer, where the INVITE had none."""
        self._session.remote = self._session.remote or answer
        self._move(ReinviteEvent.ACKED)

    def abandon(self) -> None:
        """The dialog ends: 487 to what is unanswered."""
        self.reject_offer(487, "")
        self._move(ReinviteEvent.DROP)
        self._retry_at = None

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self._retry_at

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        if self._retry_at is None or now < self._retry_at:
            return
        self._retry_at = None
        if self._move(ReinviteEvent.RETRY):
            self._tries += 1
            self._send_request("INVITE", self._offer)
