"""Incoming leg: the INVITE of a trunk, our provisional and final answers, its CANCEL."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call.leg import NOTHING, Carried, LegConfirmed, LegFailed, LegId, LegInvited, Party
from b2bua.call.leg_command import AnswerLeg, RejectLeg, RingLeg
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.leg_state import LegState, LegTrigger
from b2bua.sip.leg.provisional import SentProvisionals
from b2bua.sip.message.compose import SDP, add_user, hostport, new_tag, reason_phrase
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Request
from b2bua.sip.message.name_addr import parse_name_addr
from b2bua.sip.message.octets import readable
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.transactions import ServerTransaction
from b2bua.sip.trunk.peers import Peer


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class UasLeg(Leg):
    """An incoming leg, from INVITE to its end. Raises ValueError where the INVITE cannot open a
    dialog."""

    _server: ServerTransaction
    _record_route: tuple[str, ...]
    _provisionals: SentProvisionals
    _answer_sent_instead: bytes  # what our 2xx said instead of what it was to say

    def __init__(
        self, context: LegContext[Leg], leg_id: LegId, peer: Peer, server: ServerTransaction
    ) -> None:
        request = server.request
        super().__init__(context, leg_id, peer, LegState.INVITED, request.source, owner=False)
        self.dialog = Dialog.of_request(request, new_tag(), _origin(request) if peer.behind_nat else "")
        self._server = server
        self._answer_sent_instead = b""
        self._record_route = tuple(
            f"Record-Route: {value}" for value in request.headers.getlist("Record-Route")
        )
        self._provisionals = SentProvisionals(self, server, peer.trunk.prack)
        server.user = self
        context.dialogs[self.dialog.key] = self

    def discard(self) -> None:
        """Its INVITE is refused before anybody heard of the leg."""
        if self.dialog is not None:
            self.context.dialogs.pop(self.dialog.key, None)

    def leap(self, requests: int) -> None:
        """See Leg; a PRACK may have come as well."""
        super().leap(requests)
        self._provisionals.ask_again()

    def report_invite(self, max_forwards: int, replaces: LegId | None) -> None:
        """Answer 100 and report. `replaces`: the leg of ours whose place it wants (RFC 3891)."""
        request = self._server.request
        self.respond(self._server, 100, lines=_timestamp(request))
        trunk = self.peer.trunk
        # Our own contact: who is called stands in To.
        if trunk.register and request.uri.user == trunk.user:
            callee = _party_in(request.head.to)
        else:
            callee = party_of(request.uri, parse_name_addr(request.head.to)[0])
        self.emit(
            LegInvited(
                trunk.name,
                calling_party(request),
                callee,
                request.body,
                max_forwards,
                self.extract_carried(MessageClass.INVITE, request),
                replaces,
            )
        )

    def ring(self, command: RingLeg) -> bool:
        """Send a provisional answer. False: too late."""
        if not 100 < command.code < 200 or not self.move(LegTrigger.RING):
            return False
        if self._provisionals.queue_behind_prack(command):
            return True
        answer = self._agree(command.answer) if command.answer else b""
        crossing, body, kind = self.compose_crossing(MessageClass.PROVISIONAL, command.carried, answer)
        lines = (*self._record_route, *self.own_lines(), *self._provisionals.header_lines(), *crossing)
        message = self.respond(self._server, command.code, command.phrase, lines, body, kind)
        if self._provisionals.reliable:
            self._provisionals.on_sent(message, bool(answer))
        return True

    def _agree(self, answer: bytes) -> bytes:
        """What an answer to the INVITE says: this, or what the peer has acknowledged before, which
        another answer does not change (RFC 3261 section 13.2.1, RFC 3262 section 5)."""
        if self.agreed_early:
            return self.session.local
        self.session.local, self.session.remote = answer, self._server.request.body
        return answer

    @property
    def agreed_early(self) -> bool:
        """Whether the peer has acknowledged an early answer."""
        return self._provisionals.answer_acknowledged

    def on_prack(self, server: ServerTransaction) -> None:
        """RFC 3262 section 3. A new offer in a PRACK is refused: codecs stay as they are until the
        answer."""
        request = server.request
        if not self._provisionals.accept_prack(request):
            self.respond(server, 481)
            return
        again = bool(request.body) and request.body == self.session.remote
        refused = bool(request.body) and not again
        self.respond(server, 488 if refused else 200, body=self.session.local if again else b"")
        self._provisionals.send_queued()

    def accept(self, command: AnswerLeg) -> bool:
        """Send 200. False: too late."""
        if self.state is LegState.INVITED and self._provisionals.queue_final(command):
            return True
        if not self.move(LegTrigger.ANSWER):
            return False
        answer = self._agree(command.answer)
        self._answer_sent_instead = answer if answer != command.answer else b""
        crossing, body, kind = self.compose_crossing(MessageClass.SUCCESS, command.carried, answer)
        self.send_answer(self._server, body, (*self._record_route, *crossing), kind)
        return True

    def confirmation_event(self, request: Request) -> LegConfirmed:
        """Compose the event of an ACK, with the answer that was sent."""
        repeated, self._answer_sent_instead = self._answer_sent_instead, b""
        return LegConfirmed(request.body, repeated)

    def refuse(self, command: RejectLeg) -> bool:
        """Send a final error. False: too late."""
        code = command.code if 300 <= command.code <= 699 else 500
        # The users of a 3xx at our own address: who is called next comes back to us.
        here = self.context.transports.contact(self.source, self.peer.trunk.contact_host)
        lines = tuple(f"Contact: <{add_user(here, user)}>" for user in command.contacts) if code < 400 else ()
        if command.retry_after:
            lines = (*lines, f"Retry-After: {command.retry_after}")
        crossing, body, kind = self.compose_crossing(MessageClass.FAILURE, command.carried, code=code)
        return self._end_unanswered(code, command.phrase, LegTrigger.REJECT, (*lines, *crossing), body, kind)

    def hang_up(self, carried: Carried = NOTHING) -> None:
        """End the leg: refuse its INVITE or send BYE."""
        self.bye_extras = carried
        if self.state is LegState.INVITED:
            self._end_unanswered(487, "", LegTrigger.HANG_UP)
            return
        was = self.state
        if self.move(LegTrigger.HANG_UP) and was is LegState.UP:
            self.send_bye()

    def on_cancel(self, server: ServerTransaction, cancel: Request) -> None:
        """The peer's CANCEL, for the INVITE or a re-INVITE; after the final answer it changes
        nothing."""
        if server is self._server:
            self.set_last_event(
                LegFailed(487, reason_phrase(487), self.extract_carried(MessageClass.CANCEL, cancel))
            )
            self._end_unanswered(487, "", LegTrigger.CANCELLED)
        else:
            super().on_cancel(server, cancel)

    def on_bye(self, server: ServerTransaction) -> None:
        """Answer the peer's BYE; an INVITE that is pending gets 487."""
        if self.state is LegState.INVITED:
            # RFC 3261 section 15.1.2: what is pending is answered with 487.
            self.respond(server, 200)
            self._end_unanswered(487, "", LegTrigger.BYE)
        else:
            super().on_bye(server)

    def _end_unanswered(
        self,
        code: int,
        text: str,
        event: LegTrigger,
        lines: tuple[str, ...] = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> bool:
        if self.state is not LegState.INVITED:
            return False
        self._provisionals.stop()
        overtaken = self._provisionals.overtaken_rack()
        if overtaken is not None and self.dialog is not None:
            self.context.late_pracks.expect(
                self.dialog.key, overtaken, self.context.scheduler.now() + self.context.timers.timeout
            )
        self.respond(self._server, code, text, lines, body, content_type)
        self.set_last_event(LegFailed(code, reason_phrase(code, text)))
        return self.move(event)

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        times = (super().deadline(), self._provisionals.deadline())
        return min((at for at in times if at is not None), default=None)

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        if not self._provisionals.expire(now):
            self._end_unanswered(504, "", LegTrigger.REJECT)  # no PRACK: section 3
        super().expire(now)


def calling_party(request: Request) -> Party:
    """Who calls, of the From header."""
    return _party_in(request.head.from_)


def _party_in(value: str) -> Party:
    """Of a From or To value; without a user where its URI cannot be read."""
    display, uri, _ = parse_name_addr(value)
    try:
        return party_of(Uri.parse(uri), display)
    except ValueError:
        return Party("", display)


def _origin(request: Request) -> str:
    """Where a request came from, as a URI."""
    origin = f"sip:{hostport(*request.source[:2])}"
    user = calling_party(request).user
    return add_user(origin, user) if user else origin


def party_of(uri: Uri, display: str) -> Party:
    """Whom a URI names."""
    return Party(readable(uri.user), display, readable(uri.user_parameters))


def _timestamp(request: Request) -> tuple[str, ...]:
    """RFC 3261 section 8.2.6.1: 100 carries the request's Timestamp."""
    return tuple(f"Timestamp: {value}" for value in request.headers.getlist("Timestamp")[:1])
