"""Front of PJSIP: the socket that peers see, the one that PJSIP sees, and the way between them.

Rule 1: who is no trunk gets 403 without the parser; what is malformed, too large or nothing for
        this engine is answered here.
Rule 2: a message within a leg comes from an address of the leg's trunk, and from a dialog of the
        leg.
Rule 3: what PJSIP is handed, it deals with at once: `poll` is called before anything else is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from b2bua.call.routing.limits import Bucket
from b2bua.pjsua import guard
from b2bua.pjsua.leg import PjsuaLeg, PjsuaLegState
from b2bua.pjsua.leg_requests import compose_request
from b2bua.pjsua.wording import ALLOW_LINE, branch_for, name_for, request_for_pjsip, response_for_pjsip
from b2bua.sip.hop import Bind, Hop
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.leg.mid_dialog import METHODS
from b2bua.sip.message.bodies import unwrap_body
from b2bua.sip.message.compose import compose_response, hostport, return_hop, stateless_tag
from b2bua.sip.message.message import Head, MalformedError, Request, Response, parse_message, salvage_head
from b2bua.sip.transport.bound_sockets import BoundSocket, bind_datagrams, open_sockets
from b2bua.sip.transport.udp import UdpSocket
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger

LOOPBACK = "127.0.0.1"
_MAX_REFUSALS = 50.0  # answers a second to who is no trunk
log = get_logger(__name__)
_MAX_REPLIES = 100  # to requests of one leg that are kept for their repetitions


class Front:
    """One per engine. `closing`: new calls are refused; `draining`: OPTIONS alone are."""

    def __init__(
        self,
        bind: Bind,
        trunks: TrunkTable,
        count: Counter[str],
        user_agent: str,
        clock: Callable[[], float],
        turn: Callable[[], None],
        room: Callable[[], bool],
        invited: Callable[[Peer, Request], PjsuaLeg],
    ) -> None:
        """`room`: whether PJSIP has places for another call; `invited`: makes the leg of an
        INVITE."""
        self._bind, self._trunks, self._count, self._user_agent = bind, trunks, count, user_agent
        self._clock, self._turn, self._room, self._invited = clock, turn, room, invited
        self._refusal_rate = Bucket(_MAX_REFUSALS)
        self._outer, self._inner = UdpSocket(0, self.receive_datagram), UdpSocket(1, self._from_pjsip)
        self._calls: dict[str, PjsuaLeg] = {}  # by PJSIP's Call-ID
        self._peers: dict[str, PjsuaLeg] = {}  # by the peer's
        self.pjsip_port = 0
        self.closing = self.draining = False

    def open(self, sockets: Sequence[BoundSocket] = ()) -> None:
        """Send by the first of these sockets, or by one that is bound here; peers are received from
        once `start` is called. Raises OSError where the address cannot be bound."""
        bound, *_ = sockets or open_sockets([self._bind])
        self._outer.adopt(bound.socket)
        self._inner.adopt(bind_datagrams(LOOPBACK, 0))
        self._inner.start()

    def start(self) -> None:
        """Receive from peers, beginning with what has waited."""
        self._outer.start()

    def close(self) -> None:
        """Close both sockets."""
        self._outer.close()
        self._inner.close()

    @property
    def address(self) -> tuple[str, int]:
        """Our address, as bound."""
        return self._outer.address

    @property
    def port(self) -> int:
        """Where PJSIP finds all its peers, on loopback."""
        return self._inner.address[1]

    @property
    def host(self) -> str:
        """Our own, as peers see it."""
        return self._bind.advertised or self.address[0]

    @property
    def _sent_by(self) -> str:
        return hostport(self.host, self._bind.advertised_port or self.address[1])

    @property
    def _own(self) -> tuple[str, ...]:
        return f"Contact: <sip:{self._sent_by}>", ALLOW_LINE, f"User-Agent: {self._user_agent}"

    def add(self, leg: PjsuaLeg, call_id: str) -> None:
        """`call_id`: the peer's."""
        self._calls[leg.call] = self._peers[call_id] = leg

    def forget(self, leg: PjsuaLeg) -> None:
        """Forget a leg and its Call-IDs."""
        self._calls.pop(leg.call, None)
        for call_id in [known for known, each in self._peers.items() if each is leg]:
            del self._peers[call_id]

    def find(self, call: str) -> PjsuaLeg | None:
        """Find a leg by PJSIP's Call-ID."""
        return self._calls.get(call)

    # --- from the peers ---------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, source: Hop) -> None:
        """Take one datagram. Nothing raises out of here."""
        self._count["received"] += 1
        try:
            self._receive(data, source)
        except Exception as error:
            # A bug of ours must not stop the calls; it is counted and logged, without the message.
            self._count["errors"] += 1
            log.error("sip_receive_failed", exc_info=error)

    def _receive(self, data: bytes, source: Hop) -> None:
        if not data.strip(b"\r\n\0"):
            self._count["keepalives"] += 1
            return
        if not self._trunks.is_known_source(source):
            self._refuse_foreign_source(data, source)
            return
        try:
            message = parse_message(data, source)
        except MalformedError as error:
            self._count["malformed"] += 1
            log.debug("malformed", peer=source.host, port=source.port, why=error.why)
            if error.head is not None:
                self._respond_stateless(error.head, source, error.code)
            return
        unwrap_body(message)
        leg = self._peers.get(message.head.call_id)
        if leg is None:
            self._on_unknown_call(message)
        elif source.host != leg.source.host and not leg.peer.sends_from(source.host):
            self._count["strangers"] += 1
        elif isinstance(message, Response):
            self._on_response(leg, message)
        else:
            self._on_request(leg, message)

    def _refuse_foreign_source(self, data: bytes, source: Hop) -> None:
        self._count["strangers"] += 1
        head = (
            salvage_head(data.partition(b"\r\n\r\n")[0]) if self._refusal_rate.take(self._clock()) else None
        )
        if head is not None:
            self._respond_stateless(head, source, 403)

    def _on_unknown_call(self, message: Request | Response) -> None:
        if isinstance(message, Response) or message.method == "ACK":
            self._count["stray"] += 1
            return
        peer = self._trunks.find_peer(message.source, message.uri.user or "")
        if peer is None:
            self._respond_stateless(message.head, message.source, 403)
        elif message.method == "CANCEL" or message.to_tag:
            self._respond_stateless(message.head, message.source, 481)
        elif (refusal := guard.check_opening(message, self._room(), self.closing, self.draining)) is not None:
            self._count["requests_refused"] += 1
            self._respond_stateless(message.head, message.source, refusal.code, refusal.lines)
        else:
            leg = self._invited(peer, message)
            self.add(leg, message.head.call_id)
            self._hand_over(leg, message)

    def _on_request(self, leg: PjsuaLeg, request: Request) -> None:
        key = (branch_for(request), request.method)
        if key in leg.replies:
            self._outer.send_datagram(leg.replies[key], return_hop(request)[:2])
        elif key in leg.without_pjsip:
            self._count["repeated_requests"] += 1  # its answer is to come
        elif key in leg.requests or request.method == "CANCEL":
            self._on_repetition_or_cancel(leg, request, new=key not in leg.requests)
        elif request.method == "ACK" and (key[0], "INVITE") in leg.requests:  # of an error
            self._hand_over(leg, request)
        elif not request.to_tag:
            # A Call-ID that is taken, or a call of ours that came back.
            self._respond_stateless(request.head, request.source, 482)
        elif request.to_tag != leg.tag or (dialog := leg.dialogs.get(name_for(request.from_tag))) is None:
            self._refuse(leg, request, 481)
        elif request.method == "ACK":
            self._hand_over(leg, request)
            leg.on_ack(request)
        else:
            self._on_request_in_dialog(leg, dialog, request)

    def _on_repetition_or_cancel(self, leg: PjsuaLeg, request: Request, *, new: bool) -> None:
        if new and leg.state is PjsuaLegState.INVITED:
            leg.ending = request
        self._hand_over(leg, request)
        if new and leg.state is PjsuaLegState.UP:
            leg.on_cancel()

    def _on_request_in_dialog(self, leg: PjsuaLeg, dialog: Dialog, request: Request) -> None:
        refusal = guard.check_in_dialog(request)
        if not dialog.accepts(request.cseq):
            self._refuse(leg, request, 500)  # RFC 3261 section 12.2.2
        elif refusal is not None:
            self._refuse(leg, request, refusal.code, refusal.lines)
        elif request.method in METHODS:
            leg.without_pjsip.add((branch_for(request), request.method))
            leg.receive_request(request)
        elif request.method == "INVITE" and leg.offering is not None:
            self._refuse(leg, request, 491)  # RFC 3261 section 14.2
        elif request.method == "INVITE" and leg.reinvited is not None:
            self._refuse(leg, request, 500, (guard.LATER,))
        else:
            leg.source = request.source
            if request.method == "BYE":
                leg.ending = request
            else:
                dialog.refresh(request)
                leg.reinvited = request
            self._hand_over(leg, request)

    def _hand_over(self, leg: PjsuaLeg, request: Request) -> None:
        if request.method != "ACK":
            leg.requests[branch_for(request), request.method] = request
        self._inner.send_datagram(
            request_for_pjsip(request, leg.call, self.port), (LOOPBACK, self.pjsip_port)
        )
        self._turn()

    def _on_response(self, leg: PjsuaLeg, response: Response) -> None:
        if response.method == "INVITE":
            opened = leg.sent.get(response.via.branch)
            if opened is None:
                self._count["stray"] += 1
                return
            if response.to_tag and response.code > 100:
                self._update_dialog(leg, response)
            if leg.state is PjsuaLegState.CALLING:
                leg.received[response.code] = response
        self._inner.send_datagram(
            response_for_pjsip(response, leg.call, self.port, self.pjsip_port), (LOOPBACK, self.pjsip_port)
        )
        self._turn()
        if response.code >= 200:
            leg.on_final_response(response)

    def _update_dialog(self, leg: PjsuaLeg, response: Response) -> None:
        """What a response to our INVITE tells of its dialog."""
        name = name_for(response.to_tag)
        dialog = leg.dialogs.get(name)
        if dialog is None:
            sent = leg.sent[response.via.branch]
            dialog = leg.dialogs[name] = Dialog.of_response(sent, response.from_tag, response)
        if 200 <= response.code < 300:
            if leg.state is PjsuaLegState.CALLING:
                dialog.confirm(response)
            else:
                dialog.refresh(response)

    # --- answers without PJSIP --------------------------------------------------------------------

    def respond(
        self, leg: PjsuaLeg, request: Request, code: int, text: str = "", lines: tuple[str, ...] = ()
    ) -> None:
        """Answer a request within a leg; the same again, if it comes again."""
        message = compose_response(request.head, request.source, code, text=text, tag=leg.tag, lines=lines)
        leg.replies[branch_for(request), request.method] = message
        if len(leg.replies) > _MAX_REPLIES:
            oldest = next((key for key in leg.replies if key[1] in METHODS), None)
            if oldest is not None:  # what comes again now has a CSeq that is out of order
                del leg.replies[oldest]
                leg.without_pjsip.discard(oldest)
        self._outer.send_datagram(message, return_hop(request)[:2])

    def _refuse(self, leg: PjsuaLeg, request: Request, code: int, lines: tuple[str, ...] = ()) -> None:
        self._count["requests_refused"] += 1
        if request.method != "ACK":
            self.respond(leg, request, code, lines=lines)

    def _respond_stateless(self, head: Head, source: Hop, code: int, lines: tuple[str, ...] = ()) -> None:
        self._outer.send_datagram(
            compose_response(head, source, code, tag=stateless_tag(head), lines=lines), source[:2]
        )

    # --- from PJSIP -------------------------------------------------------------------------------

    def _from_pjsip(self, data: bytes, source: Hop) -> None:
        if source[:2] != (LOOPBACK, self.pjsip_port):
            return
        try:
            message = parse_message(data, source)
        except MalformedError:  # its keep-alives
            return
        leg = self._calls.get(message.head.call_id)
        if leg is None:
            self._count["stray"] += 1
        elif isinstance(message, Request):
            self._send_request(leg, message)
        else:
            self._send_response(leg, message)

    def _send_request(self, leg: PjsuaLeg, request: Request) -> None:
        leg.tag = request.from_tag
        outgoing = compose_request(leg, request, self._own)
        if outgoing is not None:
            message, hop = outgoing
            self._outer.send_datagram(bytes(msgspec.structs.replace(message, sent_by=self._sent_by)), hop[:2])

    def _send_response(self, leg: PjsuaLeg, answer: Response) -> None:
        request = leg.requests.get((answer.via.branch, answer.method))
        if request is None:
            return
        code, lines, body = answer.code, leg.lines.get(answer.code, ()), b""
        if answer.method == "INVITE" and code > 100:
            leg.tag = leg.tag or answer.to_tag
            if request is leg.request and not leg.dialogs:
                leg.dialogs[name_for(request.from_tag)] = Dialog.of_request(request, answer.to_tag)
            if code < 300:
                routes = tuple(f"Record-Route: {value}" for value in request.headers.getlist("Record-Route"))
                lines, body = (*routes, *self._own, *lines), leg.bodies.get(code, b"")
            elif (
                request is leg.request and not leg.reported
            ):  # PJSIP has refused it by itself: it holds no more calls
                code, lines = 503, (guard.LATER,)
        tag = answer.to_tag if code > 100 else ""
        message = compose_response(
            request.head,
            request.source,
            code,
            text="" if code == 503 else answer.phrase,
            tag=tag,
            lines=lines,
            body=body,
        )
        self._outer.send_datagram(message, return_hop(request)[:2])
