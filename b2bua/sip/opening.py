"""Requests outside of a dialog: authenticated where the trunk asks for it, answered, or made a leg.

Rule 1: an INVITE that came back to us (482), and one that came twice by different ways (482), opens
        no leg.
Rule 2: a trunk with `challenge` proves its password before its INVITE has any effect.
"""

from __future__ import annotations

from collections.abc import Callable

from b2bua.call.leg import LegId
from b2bua.sip.auth.challenger import CredentialStatus, DigestChallenger
from b2bua.sip.foreign_source import ForeignSources
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.provisional import has_100rel
from b2bua.sip.leg.replaces import ReplacesRefusedError, find_replaced
from b2bua.sip.leg.uac import UacLeg
from b2bua.sip.leg.uas import UasLeg
from b2bua.sip.message.compose import (
    ACCEPT_LINE,
    ALLOW_EVENTS_LINE,
    ALLOW_LINE,
    RELIABLE,
    SUPPORTED_LINE,
)
from b2bua.sip.message.message import Request
from b2bua.sip.message.request_checks import check_request, max_forwards
from b2bua.sip.refusals import Refusals
from b2bua.sip.transaction.transactions import ServerTransaction
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.trunk_table import TrunkTable

CAPABILITY_LINES = (ALLOW_LINE, SUPPORTED_LINE, ACCEPT_LINE)


class OpeningRequests:
    """One per engine. `closing`: new calls are refused with 503; `draining`: so are OPTIONS
    alone."""

    def __init__(
        self,
        context: LegContext[Leg],
        trunks: TrunkTable,
        new_leg: Callable[[], LegId],
        challenger: DigestChallenger,
        foreign: ForeignSources,
        refusals: Refusals,
    ) -> None:
        self._context = context
        self._trunks = trunks
        self._count = context.count
        self._new_leg = new_leg
        self._challenger = challenger
        self._foreign = foreign
        self._refusals = refusals
        self.closing = self.draining = False

    def receive_request(self, request: Request, proved: Peer | None) -> None:
        """Handle a new request. `proved`: the trunk whose credentials it has, if it had to."""
        peer = proved or self._find_sender(request)
        if peer is None:
            return
        layer = self._context.layer
        sent = self._context.outgoing.get((request.head.call_id, request.from_tag))
        if request.method == "INVITE" and isinstance(sent, UacLeg) and sent.is_for_same_user(request.uri):
            # An INVITE of ours came back: RFC 3261 section 16.3 item 4, in spirit.
            self._count["loops"] += 1
            self._refusals.refuse(layer.open_server(request), 482)
        elif layer.is_merged(request):
            self._refusals.refuse(layer.open_server(request), 482)
        else:
            self._handle(layer.open_server(request), peer)

    # --- authentication ---------------------------------------------------------------------------

    def _find_sender(self, request: Request) -> Peer | None:
        """Find the trunk that a request comes from. None: it was challenged, or refused."""
        peer = self._trunks.find_peer(request.source, request.uri.user or "")
        if peer is None:
            return self._foreign.authenticate(request)
        challenged = request.method == "INVITE" and peer.trunk.challenge
        return None if challenged and not self._authenticate(peer, request) else peer

    def _authenticate(self, peer: Peer, request: Request) -> bool:
        """Check a trunk's credentials. False: it was challenged; nothing is kept of its request."""
        now, host = self._context.scheduler.now(), request.source.host
        status = self._challenger.check_credentials(request, "Proxy-Authorization", peer.trunk, now)
        if status is CredentialStatus.GOOD:
            return True
        self._count["challenges"] += 1
        lines = self._challenger.challenge_lines(now, host, "Proxy-Authenticate", stale=status.is_stale)
        if self._challenger.still_answers(host, now):
            self._refusals.respond_stateless(request.head, request.source, 407, lines)
        else:
            self._refusals.respond_stateless(request.head, request.source, 403)
        return False

    # --- answers ----------------------------------------------------------------------------------

    def _handle(self, server: ServerTransaction, peer: Peer) -> None:
        request, refuse = server.request, self._refusals.refuse
        refusal = check_request(request)
        if refusal is not None:
            self._count["methods_refused" if refusal.code == 405 else "requests_refused"] += 1
            self._refusals.respond(server, refusal.code, refusal.lines)
        elif peer.trunk.prack == "never" and has_100rel(request, "Require"):
            refuse(server, 420, (f"Unsupported: {RELIABLE}",))
        elif request.method == "OPTIONS":
            away = self.closing or self.draining
            self._refusals.respond(server, 503 if away else 200, CAPABILITY_LINES)
        elif request.method in {"REFER", "MESSAGE"}:  # they belong to a call
            refuse(server, 403)
        elif request.method == "SUBSCRIBE":
            refuse(server, 489, (ALLOW_EVENTS_LINE,))
        elif request.method != "INVITE":
            refuse(server, 481)
        elif self.closing:
            refuse(server, 503)
        else:
            self._open_leg(server, peer)

    def _open_leg(self, server: ServerTransaction, peer: Peer) -> None:
        request = server.request
        try:
            replaced = find_replaced(self._context.dialogs, peer, request)
            leg = UasLeg(self._context, self._new_leg(), peer, server)
        except ReplacesRefusedError as refused:
            self._refusals.refuse(server, refused.code)
            return
        except ValueError:
            self._refusals.refuse(server, 400)
            return
        refusal = leg.session.check_timer(request)
        if refusal is not None:
            leg.discard()
            self._refusals.refuse(server, *refusal)
            return
        self._context.legs[leg.id] = leg
        self._context.tap.record_invite(leg.id, request)
        self._count["legs_in"] += 1
        leg.report_invite(max_forwards(request), replaced.id if replaced is not None else None)
