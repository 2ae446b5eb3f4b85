"""Leg base: states, events, the final answer and its ACK, and the end of a leg.

Rule 1: a leg sends through `EngineContext`, and reports through `LegContext.emit`.
Rule 2: a leg and its parts are plain state: a snapshot has every declared field, and there is no
        other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.call.leg import NOTHING, Carried, LegConfirmed, LegEvent, LegFailed, LegHungUp, LegId
from b2bua.sip.auth.digest import Digest
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import DialogEvent, DialogKey
from b2bua.sip.leg.dialog_sender import DialogSender
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.leg_state import TRANSITIONS, LegState, LegTrigger
from b2bua.sip.leg.mid_dialog import METHODS, MidDialog
from b2bua.sip.leg.referral import Referrals
from b2bua.sip.leg.reinvite import METHODS as REINVITES
from b2bua.sip.leg.reinvite import Reinvite
from b2bua.sip.leg.reliable_answer import ReliableAnswer
from b2bua.sip.leg.reliable_answer import ReliableAnswerEvent as AnswerEvent
from b2bua.sip.leg.session import NegotiatedSession
from b2bua.sip.message.compose import (
    ACCEPT_LINE,
    SDP,
    compose_response,
    reason_phrase,
)
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Request, Response
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transaction.transaction import Send
from b2bua.sip.transaction.transactions import ClientTransaction, ServerTransaction
from b2bua.sip.trunk.peers import Peer
from tonewall.snapshot import TRANSIENT


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class Leg(DialogSender):
    """One leg; subclasses open it. The engine and the transaction layer call its methods."""

    context: LegContext[Leg]
    id: LegId
    state: LegState
    answer: ReliableAnswer | None  # our newest 2xx to an INVITE or re-INVITE
    answer_to: Hop  # where that 2xx goes
    reinvite: Reinvite
    session: NegotiatedSession
    mid_dialog: MidDialog
    referrals: Referrals
    bye_extras: Carried  # what our CANCEL or BYE carries on of the other leg's
    _last_event: LegEvent | None
    _end_reported: bool
    scheduled: Slot | None = field(default=None, metadata=TRANSIENT)

    def __init__(
        self, context: LegContext[Leg], leg_id: LegId, peer: Peer, state: LegState, source: Hop, owner: bool
    ) -> None:
        """`owner`: whether the Call-ID is ours."""
        self.context = context
        self.id = leg_id
        self.peer = peer
        self.state = state
        self.source = self.answer_to = source
        self.dialog = self.answer = None
        self.session = NegotiatedSession(self)
        self.reinvite = Reinvite(self, self.session, owner)
        self.mid_dialog = MidDialog(self)
        self.referrals = Referrals(self)
        self.bye_extras = NOTHING
        self.digest = Digest(peer.trunk.username, peer.trunk.password, peer.pin)
        self.acks = {}
        self._last_event = None
        self._end_reported = False
        self.scheduled = None

    # --- states -----------------------------------------------------------------------------------

    def move(self, event: LegTrigger) -> bool:
        """Take the table's step; False where there is none. A leg that thereby ended is
        forgotten."""
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        if after is LegState.ENDED:
            self._release()
        return True

    def set_last_event(self, event: LegEvent) -> None:
        """What to report when the leg ends; the first reason stays."""
        if self._last_event is None:
            self._last_event = event

    def report_end(self) -> None:
        """Report the end, once."""
        if not self._end_reported:
            self._end_reported = True
            self.context.emit(self.id, self._last_event or LegHungUp("ended"))

    def emit(self, event: LegEvent) -> None:
        """Report an event, unless the end was reported."""
        if not self._end_reported:
            self.context.emit(self.id, event)

    def _release(self) -> None:
        self.session.timer.stop()
        self.reinvite.abandon()
        self.mid_dialog.abandon()
        self.referrals.abandon()
        if self.answer is not None:
            self.answer.receive(AnswerEvent.ABANDON, self.context.scheduler.now())
        if self.dialog is not None:
            self.context.dialogs.pop(self.dialog.key, None)
            self.dialog.receive(DialogEvent.ENDED)
        self.context.legs.pop(self.id, None)
        self.context.scheduler.forget(self)
        self.context.tap.close(self.id)
        self.report_end()

    @property
    def call_id(self) -> str:
        """The Call-ID of its dialog."""
        return self.dialog.call_id if self.dialog is not None else ""

    @property
    def dialog_keys(self) -> tuple[DialogKey, ...]:
        """The dialogs in which its peer may send requests."""
        return (self.dialog.key,) if self.dialog is not None else ()

    def leap(self, requests: int) -> None:
        """Go on as if so many requests had been sent, and no ACK had come: nobody knows what there
        was."""
        if self.answer is not None:
            self.answer.ask_again(self.context.scheduler.now())
        self.digest.count += requests
        if self.dialog is not None:
            self.dialog.local_cseq += requests

    def find_leg(self, key: DialogKey) -> Leg | None:
        """Find another leg of this engine by its dialog."""
        return self.context.dialogs.get(key)

    def refresh_session(self) -> None:
        """Send the refresh that the session timer asks for."""
        self.reinvite.send_refresh()

    # --- requests of ours within the dialog -------------------------------------------------------

    def send_bye(self) -> None:
        """Stop all that is under way, and send BYE."""
        self.session.timer.stop()
        self.reinvite.abandon()
        self.mid_dialog.abandon()
        self.referrals.abandon()
        lines, body, content_type = self.compose_crossing(MessageClass.BYE, self.bye_extras)
        self.send_request("BYE", (f"User-Agent: {self.context.user_agent}", *lines), body, content_type)

    def lose(self, reason: str) -> None:
        """The dialog is lost: BYE, in case the peer still has it, and report."""
        self.set_last_event(LegHungUp(reason))
        was = self.state
        if (
            self.move(LegTrigger.LOST)
            and was is not LegState.HANGING_UP
            and self.state is LegState.HANGING_UP
        ):
            self.report_end()
            self.send_bye()

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        """A response to a request of ours within the dialog."""
        if client.request.method in REINVITES:
            self.reinvite.on_response(client, reply)
        elif (
            reply.code >= 200
            and client.request.method == "BYE"
            and self.answer_challenge(client, reply) is None
        ):
            self.set_last_event(LegHungUp("hung up"))
            self.move(LegTrigger.BYE_DONE)
        elif client.request.method in METHODS:
            self.mid_dialog.on_response(client, reply)
        elif client.request.method == "NOTIFY":
            self.referrals.on_response(client, reply)

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        if client.request.method in REINVITES:
            self.reinvite.on_no_response(code)
        elif client.request.method == "BYE":
            self.set_last_event(LegHungUp("hung up"))
            self.move(LegTrigger.BYE_DONE)
        elif client.request.method in METHODS:
            self.mid_dialog.on_no_response(client, code)
        elif client.request.method == "NOTIFY":
            self.referrals.on_no_response(client)

    # --- requests of the peer's within the dialog -------------------------------------------------

    def respond(
        self,
        server: ServerTransaction,
        code: int,
        text: str = "",
        lines: tuple[str, ...] = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> bytes:
        """Answer a request of the peer's; return the response as sent."""
        tag = self.dialog.local_tag if self.dialog is not None else ""
        head = server.request.head
        message = compose_response(
            head,
            server.request.source,
            code,
            text=text,
            tag=tag,
            lines=lines,
            body=body,
            content_type=content_type,
        )
        self.context.layer.send_response(server, code, message)
        return message

    def send_answer(
        self, server: ServerTransaction, body: bytes, lines: tuple[str, ...] = (), content_type: str = SDP
    ) -> None:
        """Send 200 to an INVITE or re-INVITE, and watch for its ACK."""
        lines = (*lines, *self.own_lines(), *self.session.accept_timer(server.request), ACCEPT_LINE)
        message = self.respond(server, 200, lines=lines, body=body, content_type=content_type)
        now = self.context.scheduler.now()
        if self.dialog is not None:
            self.dialog.receive(DialogEvent.SUCCESS)
        self.answer_to = server.destination
        self.answer = ReliableAnswer.open(message, server.request.cseq, now, self.context.timers)
        self.context.scheduler.watch(self)

    @property
    def agreed_early(self) -> bool:
        """Whether offer and answer were exchanged before the call is answered (RFC 3311 section
        5.1)."""
        return False

    def on_prack(self, server: ServerTransaction) -> None:
        """A PRACK for nothing of ours."""
        self.respond(server, 481)

    def on_cancel(self, server: ServerTransaction, cancel: Request) -> None:
        """The peer's CANCEL, for a re-INVITE."""
        self.reinvite.on_cancel(server)

    def on_bye(self, server: ServerTransaction) -> None:
        """Answer the peer's BYE, and end the leg."""
        self.respond(server, 200)
        self.reinvite.abandon()
        self.set_last_event(
            LegHungUp("far end hung up", self.extract_carried(MessageClass.BYE, server.request))
        )
        self.move(LegTrigger.BYE)

    def on_ack(self, request: Request) -> None:
        """The ACK for our newest 2xx. Repeated and strange ones change nothing."""
        answer = self.answer
        if answer is None or request.cseq != answer.cseq or answer.deadline() is None:
            return
        answer.receive(AnswerEvent.ACK, self.context.scheduler.now())
        self.reinvite.on_ack(request.body)
        self.on_confirmed(request)

    def on_confirmed(self, request: Request) -> None:
        """The ACK has come: `LegConfirmed`, or the BYE that waited for it."""
        if self.state is LegState.BYE_PENDING_ACK:
            self.move(LegTrigger.ACKED)
            self.send_bye()
            return
        self.move(LegTrigger.ACKED)
        self.emit(self.confirmation_event(request))

    def confirm_again(self) -> None:
        """The ACK of our 2xx, which had no answer in it, came to a process that is gone."""
        if self.answer is not None and self.answer.deadline() is not None:
            self.answer.receive(AnswerEvent.ACK, self.context.scheduler.now())
            self.reinvite.on_ack(b"")
            if self.move(LegTrigger.ACKED):
                self.emit(LegConfirmed(b""))

    def confirmation_event(self, request: Request) -> LegConfirmed:
        """What is reported of an ACK."""
        return LegConfirmed(request.body)

    def on_lost(self, server: ServerTransaction) -> None:
        """Our answer to a request could not be sent, or was never acknowledged."""
        if server.request.method == "INVITE" and self.state is LegState.INVITED:
            self.set_last_event(LegFailed(503, reason_phrase(503)))
            self.move(LegTrigger.LOST)

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        answer = self.answer.deadline() if self.answer is not None else None
        times = answer, self.session.deadline(), self.reinvite.deadline()
        return min([at for at in times if at is not None], default=None)

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        self._expire_answer(now)
        self.reinvite.expire(now)
        self.session.expire(now)
        self.context.changed(self.id)

    def _expire_answer(self, now: float) -> None:
        if self.answer is None or self.dialog is None:
            return
        for command in self.answer.expire(now):
            if isinstance(command, Send):
                self.context.send_response(command.message, self.answer_to)
            else:
                self.lose("no ACK")
