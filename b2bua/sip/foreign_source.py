"""Foreign sources: messages from an address of no trunk.

Rule 1: a foreign source gets 403, without state and without the parser, MAX_REFUSALS a second in
        all. A message of one that asks for no answer is dropped.
Rule 2: where a trunk may register, an INVITE or OPTIONS of a foreign source is challenged. No call
        is informed of it until its credentials are right.
Rule 3: a message beyond these rates is dropped before it is parsed.
"""

from __future__ import annotations

from collections import OrderedDict

from b2bua.call.routing.limits import Bucket
from b2bua.sip.auth.challenger import CredentialStatus, DigestChallenger
from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import compose_response, stateless_tag
from b2bua.sip.message.message import MAX_MESSAGE_BYTES, Head, Request, salvage_head
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.registrar import Registrar
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger

# Answers a second. More would only serve a flood of us, or one that is aimed at others through us.
MAX_REFUSALS = 50.0
_MAX_READ = 1_000_000.0  # bytes a second that are parsed of one source
_MAX_SOURCES = 1024
_PROVABLE = (b"INVITE ", b"OPTIONS ")
log = get_logger(__name__)


class ForeignSources:
    """One per engine."""

    def __init__(
        self,
        context: EngineContext,
        trunks: TrunkTable,
        challenger: DigestChallenger,
        registrar: Registrar,
    ) -> None:
        self._context = context
        self._trunks = trunks
        self._count = context.count
        self._challenger = challenger
        self._registrar = registrar
        self._refusal_rate = Bucket(MAX_REFUSALS)
        self._read_rates: OrderedDict[str, Bucket] = OrderedDict()  # by source

    def may_prove(self, data: bytes) -> bool:
        """Tell whether a message could prove, by its credentials, to be a trunk's."""
        return self._registrar.is_active and data.startswith(_PROVABLE)

    def may_read(self, source: Hop, size: int) -> bool:
        """Take `size` bytes from the rate of a source. False: it is used up."""
        bucket = self._read_rates.setdefault(source.host, Bucket(_MAX_READ))
        self._read_rates.move_to_end(source.host)
        if len(self._read_rates) > _MAX_SOURCES:
            self._read_rates.popitem(last=False)
        return bucket.take(self._context.scheduler.now(), size)

    def refuse(self, sent: bytes | Head, source: Hop, code: int = 403) -> None:
        """Answer a message, if the rate allows and its head can be made out."""
        self._count["strangers"] += 1
        if not self._refusal_rate.take(self._context.scheduler.now()):
            return
        log.debug("stranger", peer=source[0], port=source[1])
        if isinstance(sent, Head):
            self._send(sent, source, code)
            return
        head = salvage_head(sent[:MAX_MESSAGE_BYTES].partition(b"\r\n\r\n")[0])
        if head is not None:
            self._send(head, source, code)

    def _send(self, head: Head, source: Hop, code: int, lines: tuple[str, ...] = ()) -> None:
        # Past the tap: a foreign source may write the Call-ID of somebody's call.
        answer = compose_response(head, source, code, tag=stateless_tag(head), lines=lines)
        self._context.transports.send_message(answer, source)

    def authenticate(self, request: Request) -> Peer | None:
        """Find the trunk whose password a request proves. None: challenged, or refused.

        RFC 3261 section 22.2: whoever could prove who it is, is asked to.
        """
        now, source = self._context.scheduler.now(), request.source
        if request.to_tag or not (self._registrar.is_active and request.method in {"INVITE", "OPTIONS"}):
            self.refuse(request.head, source)
            return None
        peer = self._registrar.find_peer(request.headers.getlist("Proxy-Authorization"))
        allowed = (
            peer is not None
            and peer.accepts_transport(source.transport)
            and self._trunks.is_on_bind(peer, source)
        )
        trunk = peer.trunk if peer is not None and allowed else None
        status = self._challenger.check_credentials(request, "Proxy-Authorization", trunk, now)
        if (
            peer is not None
            and status is CredentialStatus.GOOD
            and self._context.transports.adopt_flow(source, peer.trunk)
        ):
            self._trunks.add_former_address(peer, source.host)
            return peer
        if not self._challenger.still_answers(source.host, now):
            self.refuse(request.head, source)
            return None
        self._count["challenges"] += 1
        if self._refusal_rate.take(now):
            lines = self._challenger.challenge_lines(
                now, source.host, "Proxy-Authenticate", stale=status.is_stale
            )
            self._send(request.head, source, 407, lines)
        return None
