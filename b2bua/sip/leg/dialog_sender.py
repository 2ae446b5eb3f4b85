"""Requests of ours within a dialog: headers, next hop, ACK, credentials, headers that cross.

Rule 1: credentials go to the trunk that they are for, and to no other party (RFC 3261 section 22).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.leg import Carried
from b2bua.call.routing.trunk import DYNAMIC
from b2bua.sip.auth.digest import Digest
from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop
from b2bua.sip.leg.dialog import Dialog
from b2bua.sip.message import bodies
from b2bua.sip.message import header_policy as headers
from b2bua.sip.message.compose import (
    ALLOW_LINE,
    SDP,
    SUPPORTED_LINE,
    SUPPORTED_WITHOUT_100REL_LINE,
    Outgoing,
    hostport,
)
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.passport import SignedContent
from b2bua.sip.transaction.transactions import ClientTransaction
from b2bua.sip.trunk.peers import Peer
from tonewall.tokens import token

_KEPT_ACKS = 8  # only the newest can still be asked for again


@dataclass(init=False, repr=False, eq=False, kw_only=True)
class DialogSender:
    """The sending half of a leg."""

    context: EngineContext
    peer: Peer
    source: Hop  # where the peer last sent from
    dialog: Dialog | None
    digest: Digest
    acks: dict[tuple[str, int], tuple[Outgoing, Hop]]  # by remote tag and CSeq, to be sent again

    def on_response(self, client: ClientTransaction, response: Response) -> None:
        """Handle a response to a request of ours."""
        raise NotImplementedError

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """Handle the lack of one: `code` 408 after a timeout, 503 where it could not be sent."""
        raise NotImplementedError

    # --- what crosses -----------------------------------------------------------------------------

    def extract_carried(self, moment: MessageClass, message: Request | Response) -> Carried:
        """Extract from a message of the peer's what may cross to the other leg."""
        return Carried(headers.extract_headers(moment, message.headers, self.peer.trunk), message.parts)

    def compose_crossing(
        self,
        moment: MessageClass,
        carried: Carried,
        sdp: bytes = b"",
        signed: SignedContent | None = None,
        code: int = 0,
    ) -> tuple[tuple[str, ...], bytes, str]:
        """Compose for this peer what the other leg carries: lines, body and Content-Type."""
        if not (carried.headers or carried.parts):
            return (), sdp, SDP
        trunk = self.peer.trunk
        host = trunk.domain or hostport(self.context.transports.host(self.source), None)
        lines = headers.crossing_lines(moment, carried.headers, trunk, host, signed=signed, code=code)
        content_type, more, body = bodies.wrap_body(sdp, carried.parts, trunk, host)
        return (*lines, *more), body, content_type

    # --- requests of ours within the dialog -------------------------------------------------------

    def update_source(self, source: Hop) -> None:
        """Note where the peer sends from, unless it used another transport for a large request."""
        if source.transport is self.source.transport:
            self.source = source

    def own_lines(self) -> tuple[str, ...]:
        """Return our headers of messages that establish or refresh the dialog."""
        trunk = self.peer.trunk
        contact = f"Contact: <{self.context.transports.contact(self.source, trunk.contact_host)}>"
        supported = SUPPORTED_WITHOUT_100REL_LINE if trunk.prack == "never" else SUPPORTED_LINE
        return contact, ALLOW_LINE, supported, f"User-Agent: {self.context.user_agent}"

    def send_request(
        self, method: str, lines: tuple[str, ...] = (), body: bytes = b"", content_type: str = SDP
    ) -> ClientTransaction:
        """Send a request within the dialog; its responses come to `on_response`."""
        assert self.dialog is not None
        outgoing = msgspec.structs.replace(
            self.dialog.request(method, lines, body), content_type=content_type
        )
        return self.context.layer.open_client(outgoing, self.next_hop(self.dialog), self)

    def next_hop(self, dialog: Dialog) -> Hop:
        """Return the hop of the next request in a dialog."""
        return self.peer.next_hop(dialog.next_hop, self._last_place(), stays=self._stays_at_source(dialog))

    def _last_place(self) -> Hop:
        """Where the peer last sent from; where it has registered since, if that connection is gone
        (RFC 5626 section 5.3)."""
        source = self.source
        if (
            self.peer.trunk.host != DYNAMIC
            or not source.transport.reliable
            or self.context.transports.reaches(source)
        ):
            return source
        hops = self.peer.hops(self.context.scheduler.now())
        return next((hop for hop in hops if hop.transport is source.transport), source)

    def _stays_at_source(self, dialog: Dialog) -> bool:
        """Tell whether the peer is reached where it last sent from: behind NAT.

        Not so where a proxy asked to stay on the way (RFC 3261 section 16.6 item 4), or where the
        connection is gone.
        """
        if not self.peer.behind_nat or dialog.route_set:
            return False
        return self.peer.has_hop(self.source) or self.context.transports.reaches(self.source)

    def acknowledge(self, dialog: Dialog, invite: Outgoing, answer: bytes = b"") -> None:
        """Send the ACK for a 2xx to that INVITE, or send it again (RFC 3261 section 13.2.2.4).

        It has the INVITE's credentials only where it goes to the trunk itself, not to a party that
        the trunk puts us through to.
        """
        cseq = invite.cseq
        key = (dialog.remote_tag, cseq)
        if key not in self.acks:
            while len(self.acks) >= _KEPT_ACKS:
                del self.acks[next(iter(self.acks))]
            credentials = invite.credentials if self.peer.find_hop(dialog.next_hop) is not None else ()
            ack = dialog.request(
                "ACK", (f"User-Agent: {self.context.user_agent}", *credentials), answer, cseq
            )
            self.acks[key] = ack, self.next_hop(dialog)
        self.context.layer.send_ack(*self.acks[key])

    def answer_challenge(
        self, client: ClientTransaction, reply: Response, *, opening: bool = False
    ) -> ClientTransaction | None:
        """Send a request again with credentials; None where its 401 or 407 is not answered.

        `opening`: an INVITE that opens a call. Within a dialog its far end may challenge, too;
        there the request must be for the trunk itself.
        """
        if reply.code not in {401, 407} or not self.peer.may_challenge(reply.source, client.request.uri):
            return None
        was = client.request
        line = self.digest.answer_challenge(
            reply, was.method, was.uri, client.tries, token(8), opening=opening
        )
        if line is None:
            self.context.count["challenges_refused"] += 1
            return None
        cseq = was.cseq + 1
        if self.dialog is not None:
            self.dialog.local_cseq = cseq = max(cseq, self.dialog.local_cseq + 1)
        return self.context.layer.open_client(
            was.with_credentials(cseq, line), client.requested_hop, client.user, client.tries + 1
        )
