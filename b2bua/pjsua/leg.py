"""Leg of the engine on PJSIP: events of its peer and of PJSIP, commands of its call.

Rule 1: the state of the dialog is PJSIP's. The leg keeps what PJSIP must not see: session
        descriptions, headers, and who the peer is.
Rule 2: a leg ends with exactly one LegFailed or LegHungUp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from b2bua.call.leg import (
    NOTHING,
    Carried,
    LegAnswered,
    LegConfirmed,
    LegEvent,
    LegFailed,
    LegHungUp,
    LegId,
    LegInvited,
    LegProgressed,
    LegReinvited,
    LegRequested,
    LegResponded,
    ReinviteAnswered,
    ReinviteCancelled,
    ReinviteFailed,
)
from b2bua.call.leg_command import (
    AnswerLeg,
    AnswerReinvite,
    HangUpLeg,
    LegCommand,
    ReinviteLeg,
    RejectLeg,
    RejectReinvite,
    RequestLeg,
    RespondLeg,
    RingLeg,
)
from b2bua.pjsua.stack import PjsipStack, StackEvent
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.leg.mid_dialog import BAD_PACKAGE, info_packages
from b2bua.sip.leg.uas import calling_party, party_of
from b2bua.sip.message import header_policy as headers
from b2bua.sip.message.compose import Outgoing, reason_phrase
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.name_addr import parse_name_addr
from b2bua.sip.message.request_checks import max_forwards
from b2bua.sip.trunk.peers import Peer
from tonewall.tokens import token

_MAX_REQUESTS = 16  # INFO and MESSAGE that wait for their answer


class PjsuaLegState(Enum):
    """How far a leg is."""

    INVITED = auto()  # by the peer
    CALLING = auto()
    UP = auto()
    OVER = auto()


@dataclass(slots=True)
class PjsuaLeg:
    """A leg of the peer's INVITE (`request`) or of ours (`invite`). `call`: its PJSIP Call-ID."""

    id: LegId
    call: str
    peer: Peer
    source: Hop  # where the peer is, or was last
    own: str  # our host as it is seen there
    stack: PjsipStack
    emit: Callable[[LegEvent], None]
    respond: Callable[[Request, int, str, tuple[str, ...]], None]
    request: Request | None = None
    invite: Outgoing | None = None
    state: PjsuaLegState = PjsuaLegState.CALLING
    local: bytes = field(default=b"", repr=False)  # the last description of ours
    dialogs: dict[str, Dialog] = field(default_factory=dict)  # by the remote tag's name with PJSIP
    # The peer's that PJSIP has, by branch and method.
    requests: dict[tuple[str, str], Request] = field(default_factory=dict, repr=False)
    # And those that it never gets, which may hold a key: known by their names alone.
    without_pjsip: set[tuple[str, str]] = field(default_factory=set)
    sent: dict[str, Outgoing] = field(default_factory=dict)  # INVITEs as they went out, by branch
    # Of answers to the peer's INVITE, by code.
    bodies: dict[int, bytes] = field(default_factory=dict, repr=False)
    lines: dict[int, tuple[str, ...]] = field(default_factory=dict)  # and their headers
    # The last answer to our INVITE, by code.
    received: dict[int, Response] = field(default_factory=dict)
    # The peer's INFO and MESSAGE that wait for an answer, without their bodies.
    received_requests: dict[str, Request] = field(default_factory=dict, repr=False)
    queued_requests: list[RequestLeg] = field(default_factory=list)  # ours that PJSIP is about to send
    sent_requests: dict[int, RequestLeg] = field(default_factory=dict)  # and those that wait, by CSeq
    # What was answered without PJSIP.
    replies: dict[tuple[str, str], bytes] = field(default_factory=dict, repr=False)
    reported: bool = False  # whether the calls have heard of it
    tag: str = ""  # ours, which PJSIP has chosen
    ending: Request | None = None  # the peer's BYE or CANCEL
    hung_up: bool = False
    reinvited: Request | None = None  # the peer's re-INVITE that waits for an answer
    answered: Request | None = None  # and the INVITE whose ACK is awaited
    offering: bytes | None = field(default=None, repr=False)  # of our re-INVITE that is under way

    @property
    def call_id(self) -> str:
        """Its Call-ID, as the peer knows it."""
        if self.invite is not None:
            return self.invite.call_id
        return self.request.head.call_id if self.request is not None else ""

    # --- what PJSIP says --------------------------------------------------------------------------

    def on_stack_event(self, event: StackEvent) -> None:
        """Handle a change of state that PJSIP reports."""
        match event.state:
            case "invited":
                self._invited()
            case "early" if self.state is PjsuaLegState.CALLING:
                self._progressed(event.code)
            case "reinvited" if self.reinvited is not None:
                self.emit(LegReinvited(self.reinvited.body))
            case "confirmed" if self.state is PjsuaLegState.CALLING and self.hung_up:
                self.state = PjsuaLegState.UP  # the answer crossed our CANCEL
            case "confirmed" if self.state is PjsuaLegState.CALLING:
                self.state = PjsuaLegState.UP
                self.emit(
                    LegAnswered(
                        self._body(event.code),
                        self._carried(MessageClass.SUCCESS, self.received.get(event.code)),
                    )
                )
            case "disconnected":
                self._over(event.code)

    def _invited(self) -> None:
        assert self.request is not None
        self.reported = True
        request, trunk = self.request, self.peer.trunk
        callee = party_of(request.uri, parse_name_addr(request.head.to)[0])
        carried = self._carried(MessageClass.INVITE, request)
        self.emit(
            LegInvited(
                trunk.name, calling_party(request), callee, request.body, max_forwards(request), carried
            )
        )

    def _progressed(self, code: int) -> None:
        response = self.received.get(code)
        if response is not None and 100 < code < 200:
            carried = self._carried(MessageClass.PROVISIONAL, response)
            self.emit(LegProgressed(code, reason_phrase(code, response.phrase), response.body, carried))

    def _over(self, code: int) -> None:
        if self.state is PjsuaLegState.OVER:
            return
        was, self.state = self.state, PjsuaLegState.OVER
        for asked in self.received_requests.values():
            self.respond(asked, 487, "", ())
        self.received_requests.clear()
        if was is PjsuaLegState.UP:
            self.emit(LegHungUp("hung up") if self.hung_up else self._left())
        elif isinstance(self.ending, Request):
            self.emit(LegFailed(487, reason_phrase(487), self._carried(MessageClass.CANCEL, self.ending)))
        else:
            response = self.received.get(code)
            said = reason_phrase(code, response.phrase) if response is not None else reason_phrase(code)
            self.emit(LegFailed(code, said, self._carried(MessageClass.FAILURE, response)))

    def _left(self) -> LegHungUp:
        if self.ending is None:
            return LegHungUp("dialog lost")
        return LegHungUp("far end hung up", self._carried(MessageClass.BYE, self.ending))

    def _body(self, code: int) -> bytes:
        response = self.received.get(code)
        return response.body if response is not None else b""

    def _carried(self, moment: MessageClass, message: Request | Response | None) -> Carried:
        if message is None:
            return NOTHING
        return Carried(headers.extract_headers(moment, message.headers, self.peer.trunk))

    # --- what the peer says, after PJSIP was handed it --------------------------------------------

    def on_ack(self, request: Request) -> None:
        """An ACK of a 2xx of ours."""
        if self.answered is not None and self.answered.cseq == request.cseq:
            self.answered = None
            self.emit(LegConfirmed(request.body))

    def on_cancel(self) -> None:
        """The peer's CANCEL of a re-INVITE that waits."""
        if self.reinvited is not None:
            self.reinvited = None
            self.emit(ReinviteCancelled())

    def on_final_response(self, response: Response) -> None:
        """A final answer to a request of ours within the dialog."""
        if response.method == "INVITE" and self.offering is not None:
            offer, self.offering = self.offering, None
            if response.code < 300:
                self.local = offer
                self.emit(ReinviteAnswered(response.body))
            elif response.code in {408, 481}:  # RFC 3261 section 12.2.1.2
                self._lose()
            else:
                self.emit(ReinviteFailed(response.code, reason_phrase(response.code, response.phrase)))
        elif response.cseq in self.sent_requests:
            name = self.sent_requests.pop(response.cseq).request
            packages = info_packages(response) if response.code == BAD_PACKAGE else ()
            self.emit(
                LegResponded(name, response.code, reason_phrase(response.code, response.phrase), packages)
            )
            if response.code == 481:
                self._lose()

    def _lose(self) -> None:
        """The peer does not know the dialog any more; PJSIP sees to its own part."""
        if self.state is PjsuaLegState.UP:
            self.state = PjsuaLegState.OVER
            self.emit(LegHungUp("dialog lost"))
            self.stack.hang_up(self.call)

    def receive_request(self, request: Request) -> None:
        """The peer's INFO or MESSAGE: it never reaches PJSIP, and its body is not kept."""
        if self.state is not PjsuaLegState.UP or len(self.received_requests) >= _MAX_REQUESTS:
            self.respond(request, 500 if self.received_requests else 481, "", ())
            return
        name = token(8)
        self.received_requests[name] = request
        package = request.headers.getlist("Info-Package")[:1] if request.method == "INFO" else []
        kind = ", ".join(request.headers.getlist("Content-Type"))
        body, request.body, request.parts = request.body, b"", ()
        self.emit(LegRequested(name, request.method, kind, body, "".join(package)))

    # --- what the call asks -----------------------------------------------------------------------

    def execute_command(self, command: LegCommand) -> bool:
        """Whether it fitted."""
        match command:
            case RingLeg() if self.state is PjsuaLegState.INVITED:
                self.bodies[command.code] = command.answer
                self.lines[command.code] = self.crossing_lines(MessageClass.PROVISIONAL, command.carried)
                return self.stack.answer(self.call, command.code, reason_phrase(command.code, command.phrase))
            case AnswerLeg() if self.state is PjsuaLegState.INVITED:
                self.lines[200] = self.crossing_lines(MessageClass.SUCCESS, command.carried)
                if self._accept(self.request, command.answer):
                    self.state = PjsuaLegState.UP
                    return True
                return False
            case RejectLeg() if self.state is PjsuaLegState.INVITED:
                return self._refuse(command)
            case HangUpLeg() if self.state is not PjsuaLegState.OVER:
                return self._hang_up(command)
            case ReinviteLeg() if self.state is PjsuaLegState.UP:
                self._reinvite(command.offer)
            case AnswerReinvite() if self.reinvited is not None:
                request, self.reinvited = self.reinvited, None
                self.lines[200] = ()
                return self._accept(request, command.answer)
            case RejectReinvite() if self.reinvited is not None:
                self.reinvited = None
                return self.stack.answer(self.call, command.code, reason_phrase(command.code, command.phrase))
            case RequestLeg() if self.state is PjsuaLegState.UP and len(self.queued_requests) < _MAX_REQUESTS:
                self.queued_requests.append(command)
                if not self.stack.send_request(self.call, command.method):
                    self.queued_requests.remove(command)
                    self.emit(LegResponded(command.request, 500, reason_phrase(500)))
            case RespondLeg() if command.request in self.received_requests:
                # RFC 6086 section 4.2.2: who refuses a package says which ones are taken.
                taken = (
                    (f"Recv-Info: {', '.join(command.packages)}".rstrip(),)
                    if command.code == BAD_PACKAGE
                    else ()
                )
                self.respond(self.received_requests.pop(command.request), command.code, command.phrase, taken)
            case _:
                return False
        return True

    def _accept(self, request: Request | None, answer: bytes) -> bool:
        self.bodies[200] = self.local = answer
        self.answered = request
        return self.stack.answer(self.call, 200)

    def _refuse(self, command: RejectLeg) -> bool:
        code = command.code if 300 <= command.code <= 699 else 500
        later = (f"Retry-After: {command.retry_after}",) if command.retry_after else ()
        self.lines[code] = (*later, *self.crossing_lines(MessageClass.FAILURE, command.carried, code))
        return self.stack.hang_up(self.call, code, reason_phrase(code, command.phrase))

    def _hang_up(self, command: HangUpLeg) -> bool:
        self.hung_up = True
        if self.state is PjsuaLegState.INVITED:
            return self.stack.hang_up(self.call, 487, reason_phrase(487))
        self.lines[0] = self.crossing_lines(
            MessageClass.BYE if self.state is PjsuaLegState.UP else MessageClass.CANCEL, command.carried
        )
        return self.stack.hang_up(self.call)

    def _reinvite(self, offer: bytes) -> None:
        if not offer:
            self.emit(ReinviteFailed(488, reason_phrase(488)))
            return
        if self.offering is not None:
            self.emit(ReinviteFailed(491, reason_phrase(491)))
            return
        self.offering = offer
        if not self.stack.reinvite(self.call):
            self.offering = None
            self.emit(ReinviteFailed(491, reason_phrase(491)))

    def crossing_lines(self, moment: MessageClass, carried: Carried, code: int = 0) -> tuple[str, ...]:
        """The headers of the other leg that this peer is to see."""
        trunk = self.peer.trunk
        return headers.crossing_lines(
            moment, carried.headers, trunk, trunk.domain or self.own, signed=None, code=code
        )
