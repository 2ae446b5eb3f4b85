"""Dispatch of received messages to transactions, dialogs, and requests that open a leg.

Rule 1: every message that is dropped or refused is counted under its own name.
Rule 2: a message of a foreign source reaches a transaction or dialog only with right credentials.
Rule 3: the body of an INFO or MESSAGE, which may hold a key, is not kept in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from b2bua.call.leg import LegId
from b2bua.sip.auth.challenger import DigestChallenger
from b2bua.sip.foreign_source import ForeignSources
from b2bua.sip.hop import Hop
from b2bua.sip.leg import mid_dialog, referral, reinvite
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.provisional import parse_rack
from b2bua.sip.message.bodies import unwrap_body
from b2bua.sip.message.message import MalformedError, Request, Response, parse_message, salvage_head
from b2bua.sip.message.request_checks import check_request
from b2bua.sip.opening import CAPABILITY_LINES, OpeningRequests
from b2bua.sip.refusals import Refusals
from b2bua.sip.transaction.transactions import ServerTransaction
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.registrar import Registrar
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger

log = get_logger(__name__)


class Dispatcher:
    """One per engine."""

    def __init__(
        self,
        context: LegContext[Leg],
        trunks: TrunkTable,
        new_leg: Callable[[], LegId],
        challenger: DigestChallenger,
        registrar: Registrar,
    ) -> None:
        self._context = context
        self._trunks = trunks
        self._count = context.count
        self._registrar = registrar
        self._refusals = Refusals(context)
        self._foreign = ForeignSources(context, trunks, challenger, registrar)
        self._openings = OpeningRequests(context, trunks, new_leg, challenger, self._foreign, self._refusals)

    @property
    def closing(self) -> bool:
        """Whether new calls are refused with 503."""
        return self._openings.closing

    def refuse_new_calls(self) -> None:
        """Refuse new calls with 503 from now on."""
        self._openings.closing = True

    def drain(self) -> None:
        """Answer OPTIONS with 503 from now on."""
        self._openings.draining = True

    # --- received ---------------------------------------------------------------------------------

    def dispatch_message(self, data: bytes, source: Hop) -> None:
        """Parse a message and hand it on, or answer it here."""
        if not data.strip(b"\r\n\0"):
            # RFC 5626 section 3.5.1, and the zero bytes of some phones.
            self._count["keepalives"] += 1
            return
        is_known = self._trunks.is_known_source(source)
        is_register = self._registrar.is_active and data.startswith(b"REGISTER ")
        if not (is_known or is_register or self._foreign.may_prove(data)):
            self._foreign.refuse(data, source)
            return
        if not is_known and not self._foreign.may_read(source, len(data)):
            self._count["strangers"] += 1
            return
        message = self._parse(data, source, is_known=is_known)
        if message is None:
            return
        if is_register and isinstance(message, Request):
            self._registrar.handle_register(message)
            return
        proved = None
        if not is_known:
            assert isinstance(message, Request)
            proved = self._foreign.authenticate(message)
            if proved is None:
                return
        self._deliver(message, source, proved)

    def _parse(self, data: bytes, source: Hop, *, is_known: bool) -> Request | Response | None:
        """Parse a message; None where it is malformed, and answered as far as it can be."""
        try:
            return parse_message(data, source)
        except MalformedError as error:
            self._count["malformed"] += 1
            log.debug("malformed", peer=source[0], port=source[1], why=error.why)
            if not is_known:
                self._foreign.refuse(data, source, error.code)
            elif error.head is not None:
                self._context.tap.record_unreadable(error.head, source)
                self._refusals.respond_stateless(error.head, source, error.code)
        return None

    def _deliver(self, message: Request | Response, source: Hop, proved: Peer | None) -> None:
        if isinstance(message, Request) and not message.via.rport and self._trunks.behind_nat(source):
            # Answers go where it came from, whether it asked for that or not.
            message.via = msgspec.structs.replace(message.via, rport=True)
        unwrap_body(message)
        self._context.tap.record_received(message)
        if isinstance(message, Response):
            if not self._context.layer.receive_response(message):
                self._count["stray_responses"] += 1
            return
        if message.via.alias and source.transport.reliable:
            self._context.transports.add_alias(source, message.via.port)
        if message.method == "ACK":
            self._on_ack(message)
        else:
            self._on_request(message, proved)

    def on_broken_stream(self, broken: BrokenStream, source: Hop) -> None:
        """Answer a message that cannot be framed, or is too large."""
        self._count["malformed"] += 1
        log.debug("malformed", peer=source[0], port=source[1], why=broken.why)
        if not self._trunks.is_known_source(source):
            self._foreign.refuse(broken.head, source, broken.code)
            return
        head = salvage_head(broken.head)
        if head is not None:
            self._refusals.respond_stateless(head, source, broken.code)

    def on_connection_lost(self, lost: LostConnection) -> None:
        """Forget the bindings of a connection, and help on what waits for it."""
        self._registrar.on_connection_lost(lost)
        self._context.layer.on_connection_lost(lost)

    # --- requests ---------------------------------------------------------------------------------

    def _on_ack(self, request: Request) -> None:
        layer = self._context.layer
        server = layer.find_server(request, "INVITE")
        if server is not None:
            layer.receive_repetition(server, request)
            return
        leg = self._find_leg(request)
        if leg is None:
            self._count["stray_acks"] += 1
        else:
            leg.on_ack(request)

    def _on_request(self, request: Request, proved: Peer | None) -> None:
        layer = self._context.layer
        known = layer.find_server(request, request.method)
        if known is not None:
            self._count["repeated_requests"] += 1
            layer.receive_repetition(known, request)
        elif request.method == "CANCEL":
            self._on_cancel(request)
        elif request.to_tag:
            self._on_request_in_dialog(request)
        else:
            self._openings.receive_request(request, proved)
        # Handed on by now, if at all; its transaction knows repetitions without the body.
        if request.method in mid_dialog.METHODS:
            request.body, request.parts = b"", ()

    def _on_cancel(self, request: Request) -> None:
        layer = self._context.layer
        invite = layer.find_server(request, "INVITE")
        server = layer.open_server(request)
        if invite is None:
            self._refusals.refuse(server, 481)
            return
        leg = invite.user
        tag = leg.dialog.local_tag if isinstance(leg, Leg) and leg.dialog is not None else ""
        self._refusals.respond(server, 200, tag=tag)
        if not invite.answered and isinstance(leg, Leg):
            leg.on_cancel(invite, request)

    def _on_request_in_dialog(self, request: Request) -> None:
        server = self._context.layer.open_server(request)
        leg = self._find_leg(request)
        refusal = check_request(request)
        if refusal is not None and refusal.code == 405:
            self._count["methods_refused"] += 1
            self._refusals.respond(server, 405, refusal.lines)
        elif leg is None and request.method == "PRACK" and self._is_late_prack(request):
            self._refusals.respond(server, 200)
        elif leg is None or leg.dialog is None:
            self._refusals.refuse(server, 481)
        elif not leg.dialog.accepts(request.cseq):
            self._refusals.refuse(server, 500)  # RFC 3261 section 12.2.2
        elif refusal is not None:
            self._refusals.refuse(server, refusal.code, refusal.lines)
        else:
            leg.update_source(request.source)
            self._hand_to_leg(leg, server)

    def _hand_to_leg(self, leg: Leg, server: ServerTransaction) -> None:
        method = server.request.method
        if method == "BYE":
            leg.on_bye(server)
        elif method == "PRACK":
            leg.on_prack(server)
        elif method in reinvite.METHODS:
            leg.reinvite.receive_request(server)
        elif method in mid_dialog.METHODS:
            leg.mid_dialog.receive_request(server)
        elif method in referral.METHODS:
            leg.referrals.receive_request(server)
        else:
            self._refusals.respond(server, 200, CAPABILITY_LINES)
        self._context.changed(leg.id)

    def _is_late_prack(self, request: Request) -> bool:
        dialog = request.head.call_id, request.to_tag, request.from_tag
        return self._context.late_pracks.accept(dialog, parse_rack(request), self._context.scheduler.now())

    def _find_leg(self, request: Request) -> Leg | None:
        """Find the leg of a dialog, if the request comes from an address of the dialog's trunk, or
        from where its last request came."""
        leg = self._context.dialogs.get((request.head.call_id, request.to_tag, request.from_tag))
        source = request.source.host
        if leg is None:
            return None
        if not leg.peer.accepts_transport(request.source.transport) or (
            source != leg.source.host and not leg.peer.sends_from(source)
        ):
            self._count["strangers"] += 1
            return None
        return leg
