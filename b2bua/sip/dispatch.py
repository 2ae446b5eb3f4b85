"""What happens to a datagram: who sent it, what it is, which transaction, dialog or new leg it is
for.

Rule 1: strangers get 403 without state and without the parser, and so many a second at most; what
        they send that asks for no answer is dropped. Where a trunk may register, a REGISTER of
        theirs is read, and an INVITE or OPTIONS that could prove to be that trunk's: it is
        challenged, and no call hears of it until the proof is right. What exceeds these rates is
        dropped before anything in it is looked for.
Rule 2: everything that is dropped or refused here is counted under its own name.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

import msgspec

from b2bua.call.leg import LegId
from b2bua.call.routing.limits import Bucket
from b2bua.sip.auth.challenger import CredentialStatus, DigestChallenger
from b2bua.sip.hop import Hop
from b2bua.sip.leg import referral
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.mid_dialog import METHODS
from b2bua.sip.leg.provisional import has_100rel, parse_rack
from b2bua.sip.leg.reinvite import METHODS as REINVITES
from b2bua.sip.leg.replaces import ReplacesRefusedError, find_replaced
from b2bua.sip.leg.uac import UacLeg
from b2bua.sip.leg.uas import UasLeg
from b2bua.sip.message.bodies import unwrap_body
from b2bua.sip.message.compose import (
    ACCEPT_LINE,
    ALLOW_EVENTS_LINE,
    ALLOW_LINE,
    RELIABLE,
    SUPPORTED_LINE,
    compose_response,
    stateless_tag,
)
from b2bua.sip.message.message import (
    MAX_MESSAGE_BYTES,
    Head,
    MalformedError,
    Request,
    Response,
    parse_message,
    salvage_head,
)
from b2bua.sip.message.request_checks import check_request, max_forwards
from b2bua.sip.transaction.layer import ServerTransaction
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.trunk.peers import Peer, TrunkTable
from b2bua.sip.trunk.registrar import Registrar
from tonewall.log import get_logger

_MAX_REFUSALS = (
    # Answers a second; more would serve nobody but who floods us, or who is flooded with our
    # answers.
    50.0
)
_MAX_READ = 1_000_000.0  # bytes a second that are read of one source that is not known
_MAX_SOURCES = 1024
log = get_logger(__name__)
_PROVABLE = (b"INVITE ", b"OPTIONS ")
_CAPABILITY_LINES = (ALLOW_LINE, SUPPORTED_LINE, ACCEPT_LINE)


class Dispatcher:
    """One an engine. `closing`: new calls are refused with 503."""

    def __init__(
        self,
        context: LegContext[Leg],
        trunks: TrunkTable,
        counters: Counter[str],
        new_leg: Callable[[], LegId],
        challenger: DigestChallenger,
        registrar: Registrar,
    ) -> None:
        self._context = context
        self._trunks = trunks
        self._count = counters
        self._new_leg = new_leg
        self._challenger = challenger
        self._registrar = registrar
        self._refusal_rate = Bucket(_MAX_REFUSALS)
        self._read_rates: OrderedDict[str, Bucket] = OrderedDict()  # by source
        self.closing = False

    def dispatch_message(self, data: bytes, source: Hop) -> None:
        if not data.strip(b"\r\n\0"):
            # RFC 5626 section 3.5.1, and the zero bytes of some phones.
            self._count["keepalives"] += 1
            return
        known, registers = (
            self._trunks.is_known_source(source),
            self._registrar.is_active and data.startswith(b"REGISTER "),
        )
        may_prove = self._registrar.is_active and data.startswith(_PROVABLE)
        if not (known or registers or may_prove):
            self._refuse_foreign_source(data, source)
            return
        if not known and not self._may_read(source, len(data)):
            self._count["strangers"] += 1
            return
        try:
            message = parse_message(data, source)
        except MalformedError as error:
            self._count["malformed"] += 1
            log.debug("malformed", peer=source[0], port=source[1], why=error.why)
            if not known:
                self._refuse_foreign_source(data, source, error.code)
            elif error.head is not None:
                self._context.tap.record_unreadable(error.head, source)
                self._respond_stateless(error.head, source, error.code)
            return
        if registers and isinstance(message, Request):
            self._registrar.handle_register(message)
            return
        proved = None
        if not known:
            assert isinstance(message, Request)
            proved = self._authenticate_foreign_source(message)
            if proved is None:
                return
        if isinstance(message, Request) and not message.via.rport and self._trunks.behind_nat(source):
            message.via = msgspec.structs.replace(
                message.via, rport=True
            )  # answers go where it came from, asked to or not
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
        """A message of a stream that cannot be made out, or is too large."""
        self._count["malformed"] += 1
        log.debug("malformed", peer=source[0], port=source[1], why=broken.why)
        if not self._trunks.is_known_source(source):
            self._refuse_foreign_source(broken.head, source, broken.code)
            return
        head = salvage_head(broken.head)
        if head is not None:
            self._respond_stateless(head, source, broken.code)

    def on_connection_lost(self, lost: LostConnection) -> None:
        """A connection is over: what waits for it, and who was to be found over it."""
        self._registrar.on_connection_lost(lost)
        self._context.layer.on_connection_lost(lost)

    # --- refusals that keep no state --------------------------------------------------------------

    def _may_read(self, source: Hop, size: int) -> bool:
        """Whether so many bytes of a source that is not known are read now."""
        bucket = self._read_rates.setdefault(source.host, Bucket(_MAX_READ))
        self._read_rates.move_to_end(source.host)
        if len(self._read_rates) > _MAX_SOURCES:
            self._read_rates.popitem(last=False)
        return bucket.take(self._context.scheduler.now(), size)

    def _refuse_foreign_source(self, sent: bytes | Head, source: Hop, code: int = 403) -> None:
        self._count["strangers"] += 1
        if not self._refusal_rate.take(self._context.scheduler.now()):
            return
        log.debug("stranger", peer=source[0], port=source[1])
        head = (
            sent
            if isinstance(sent, Head)
            else salvage_head(sent[:MAX_MESSAGE_BYTES].partition(b"\r\n\r\n")[0])
        )
        # Past the tap: the Call-ID that a stranger writes may be that of a call.
        if head is not None:
            self._context.transports.send_message(
                compose_response(head, source, code, tag=stateless_tag(head)), source
            )

    def _respond_stateless(self, head: Head, source: Hop, code: int, lines: tuple[str, ...] = ()) -> None:
        # To the source, whatever Via says: an answer that may be unwanted goes to nobody else.
        self._context.send_response(
            compose_response(head, source, code, tag=stateless_tag(head), lines=lines), source
        )

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

    def _on_request(self, request: Request, proved: Peer | None = None) -> None:
        layer = self._context.layer
        known = layer.find_server(request, request.method)
        if known is not None:
            self._count["repeated_requests"] += 1
            layer.receive_repetition(known, request)
        elif request.method == "CANCEL":
            self._on_cancel(request)
        elif request.to_tag:
            self._on_request_in_dialog(request)
        elif (peer := proved or self._find_sender(request)) is not None:
            self._on_request_outside_dialog(request, peer)
        # Handed on, if at all; its transaction knows repetitions without it.
        if request.method in METHODS:
            request.body, request.parts = b"", ()

    def _find_sender(self, request: Request) -> Peer | None:
        """The trunk that a request outside of a dialog comes from. None: it was challenged, or
        refused."""
        peer = self._trunks.find_peer(request.source, request.uri.user or "")
        if peer is None:
            return self._authenticate_foreign_source(request)
        challenged = request.method == "INVITE" and peer.trunk.challenge
        return None if challenged and not self._authenticate(peer, request) else peer

    def _on_request_outside_dialog(self, request: Request, peer: Peer) -> None:
        layer = self._context.layer
        sent = self._context.outgoing.get((request.head.call_id, request.from_tag))
        if request.method == "INVITE" and isinstance(sent, UacLeg) and sent.is_for_same_user(request.uri):
            # An INVITE of ours came back: RFC 3261 section 16.3 item 4, in spirit.
            self._count["loops"] += 1
            self._refuse(layer.open_server(request), 482)
        elif layer.is_merged(request):
            self._refuse(layer.open_server(request), 482)
        else:
            self._on_opening_request(request, peer)

    def _authenticate_foreign_source(self, request: Request) -> Peer | None:
        """The trunk that registers here and whose password a request from elsewhere proves. None:
        it was challenged, or refused (RFC 3261 section 22.2: whoever could prove who it is, is
        asked to)."""
        now, source = self._context.scheduler.now(), request.source
        if request.to_tag or not (self._registrar.is_active and request.method in {"INVITE", "OPTIONS"}):
            self._refuse_foreign_source(request.head, source)
            return None
        peer = self._registrar.find_peer(request.headers.getlist("Proxy-Authorization"))
        allowed = (
            peer is not None
            and peer.accepts_transport(source.transport)
            and self._trunks.is_on_bind(peer, source)
        )
        trunk = peer.trunk if peer is not None and allowed else None
        verdict = self._challenger.check_credentials(request, "Proxy-Authorization", trunk, now)
        if (
            peer is not None
            and verdict is CredentialStatus.GOOD
            and self._context.transports.adopt_flow(source, peer.trunk)
        ):
            self._trunks.add_former_address(peer, source.host)
            return peer
        if not self._challenger.still_answers(source.host, now):
            self._refuse_foreign_source(request.head, source)
            return None
        self._count["challenges"] += 1
        if self._refusal_rate.take(now):
            lines = self._challenger.challenge_lines(
                now, source.host, "Proxy-Authenticate", stale=verdict.is_stale
            )
            answer = compose_response(request.head, source, 407, tag=stateless_tag(request.head), lines=lines)
            self._context.transports.send_message(answer, source)
        return None

    def _authenticate(self, peer: Peer, request: Request) -> bool:
        """Whether the trunk has proved that it knows its password. If not, it has been asked to;
        nothing is kept of it."""
        now, host = self._context.scheduler.now(), request.source.host
        verdict = self._challenger.check_credentials(request, "Proxy-Authorization", peer.trunk, now)
        if verdict is CredentialStatus.GOOD:
            return True
        self._count["challenges"] += 1
        lines = self._challenger.challenge_lines(now, host, "Proxy-Authenticate", stale=verdict.is_stale)
        if self._challenger.still_answers(host, now):
            self._respond_stateless(request.head, request.source, 407, lines)
        else:
            self._respond_stateless(request.head, request.source, 403)
        return False

    def _on_cancel(self, request: Request) -> None:
        layer = self._context.layer
        invite = layer.find_server(request, "INVITE")
        server = layer.open_server(request)
        if invite is None:
            self._refuse(server, 481)
            return
        leg = invite.user
        tag = leg.dialog.local_tag if isinstance(leg, Leg) and leg.dialog is not None else ""
        self._respond(server, 200, tag=tag)
        if not invite.answered and isinstance(leg, Leg):
            leg.on_cancel(invite, request)

    def _on_request_in_dialog(self, request: Request) -> None:
        server = self._context.layer.open_server(request)
        leg = self._find_leg(request)
        refusal = check_request(request)
        if refusal is not None and refusal.code == 405:
            self._count["methods_refused"] += 1
            self._respond(server, 405, refusal.lines)
        elif leg is None and request.method == "PRACK" and self._is_late_prack(request):
            self._respond(server, 200)
        elif leg is None or leg.dialog is None:
            self._refuse(server, 481)
        elif not leg.dialog.accepts(request.cseq):
            self._refuse(server, 500)  # RFC 3261 section 12.2.2
        elif refusal is not None:
            self._refuse(server, refusal.code, refusal.lines)
        else:
            leg.update_source(request.source)
            if request.method == "BYE":
                leg.on_bye(server)
            elif request.method == "PRACK":
                leg.on_prack(server)
            elif request.method in REINVITES:
                leg.reinvite.receive_request(server)
            elif request.method in METHODS:
                leg.mid_dialog.receive_request(server)
            elif request.method in referral.METHODS:
                leg.referrals.receive_request(server)
            else:
                self._respond(server, 200, _CAPABILITY_LINES)

    def _is_late_prack(self, request: Request) -> bool:
        dialog = request.head.call_id, request.to_tag, request.from_tag
        return self._context.late_pracks.accept(dialog, parse_rack(request), self._context.scheduler.now())

    def _on_opening_request(self, request: Request, peer: Peer) -> None:
        server = self._context.layer.open_server(request)
        refusal = check_request(request)
        if refusal is not None:
            self._count["methods_refused" if refusal.code == 405 else "requests_refused"] += 1
            self._respond(server, refusal.code, refusal.lines)
        elif peer.trunk.prack == "never" and has_100rel(request, "Require"):
            self._refuse(server, 420, (f"Unsupported: {RELIABLE}",))
        elif request.method == "OPTIONS":
            self._respond(server, 503 if self.closing else 200, _CAPABILITY_LINES)
        # There is no call to transfer, or to say something in.
        elif request.method in {"REFER", "MESSAGE"}:
            self._refuse(server, 403)
        elif request.method == "SUBSCRIBE":
            self._refuse(server, 489, (ALLOW_EVENTS_LINE,))
        elif request.method != "INVITE":
            self._refuse(server, 481)
        elif self.closing:
            self._refuse(server, 503)
        else:
            self._open_leg(server, peer)

    def _open_leg(self, server: ServerTransaction, peer: Peer) -> None:
        request = server.request
        try:
            replaced = find_replaced(self._context.dialogs, peer, request)
            leg = UasLeg(self._context, self._new_leg(), peer, server)
        except ReplacesRefusedError as refused:
            self._refuse(server, refused.code)
            return
        except ValueError:
            self._refuse(server, 400)
            return
        refusal = leg.session.check_timer(request)
        if refusal is not None:
            leg.discard()
            self._refuse(server, *refusal)
            return
        self._context.legs[leg.id] = leg
        self._context.tap.record_invite(leg.id, request)
        self._count["legs_in"] += 1
        leg.report_invite(max_forwards(request), replaced.id if replaced is not None else None)

    def _find_leg(self, request: Request) -> Leg | None:
        """The leg of a dialog, if the request comes from an address of the dialog's trunk, or from
        where it last did."""
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

    def _refuse(self, server: ServerTransaction, code: int, lines: tuple[str, ...] = ()) -> None:
        self._count["requests_refused"] += 1
        self._respond(server, code, lines)

    def _respond(
        self, server: ServerTransaction, code: int, lines: tuple[str, ...] = (), tag: str = ""
    ) -> None:
        request = server.request
        tag = tag or stateless_tag(request.head)
        self._context.layer.send_response(
            server, code, compose_response(request.head, request.source, code, tag=tag, lines=lines)
        )
