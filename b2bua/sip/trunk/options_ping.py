"""Health checks: OPTIONS to every hop of the trunks that want them (RFC 3261 section 11).

Rule 1: a hop has one OPTIONS under way at most.
Rule 2: any answer but 408 and 503 shows life; what is not answered within HOP_TIMEOUT_OF_T1 of T1
        is a failure.
"""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import ACCEPT_LINE, Outgoing, hostport, new_branch, new_tag
from b2bua.sip.message.message import Response
from b2bua.sip.message.retry_after import read_retry_after
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transaction.transactions import ClientTransaction
from b2bua.sip.trunk.health import HOP_TIMEOUT_OF_T1
from b2bua.sip.trunk.peers import Peer


class OptionsPing:
    """The checks of one hop, from the first on until the hop is gone."""

    def __init__(self, context: EngineContext, peer: Peer, hop: Hop) -> None:
        self._context = context
        self._peer = peer
        self._hop = hop
        self._call_id = f"{new_tag()}@{hostport(context.transports.host(hop), None)}"
        self._cseq = 0
        self._client: ClientTransaction | None = None
        self._due = context.scheduler.now()
        self.scheduled: Slot | None = None

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        is_wanted = self._hop in self._peer.health and self._peer.trunk.probe and not self._peer.is_retired
        return self._due if is_wanted else None

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        if self._client is not None:
            self._context.layer.abandon(self._client)
            self._client = None
            self._peer.record_failure(self._hop, now)
            self._due = now + self._rest_of_interval()
        else:
            self._due = now + HOP_TIMEOUT_OF_T1 * self._context.timers.t1
            self._send()

    def on_response(self, client: ClientTransaction, response: Response) -> None:
        """Handle a response to a request of ours."""
        if client is not self._client or response.code < 200:
            return
        self._schedule_next()
        if response.code not in {408, 503}:
            self._peer.record_success(self._hop)
            return
        now = self._context.scheduler.now()
        seconds = read_retry_after(response) if response.code == 503 else 0
        if seconds:
            self._peer.start_rest(self._hop, now, seconds)
        else:
            self._peer.record_failure(self._hop, now)

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        if client is self._client:
            self._schedule_next()
            self._peer.record_failure(self._hop, self._context.scheduler.now())

    def _schedule_next(self) -> None:
        self._client = None
        # A deadline that moved later needs no new watch: the scheduler asks when the earlier one is
        # due.
        self._due = self._context.scheduler.now() + self._peer.trunk.probe

    def _rest_of_interval(self) -> float:
        return max(
            self._peer.trunk.probe - HOP_TIMEOUT_OF_T1 * self._context.timers.t1, self._context.timers.t1
        )

    def _send(self) -> None:
        trunk = self._peer.trunk
        own = self._context.transports.host(self._hop)
        at = hostport(*self._peer.uri_host(self._hop))
        self._cseq += 1
        request = Outgoing(
            method="OPTIONS",
            uri=f"sip:{at}",
            branch=new_branch(),
            from_=f"<sip:{hostport(trunk.domain or own, None)}>;tag={new_tag()}",
            to=f"<sip:{hostport(trunk.domain, None) if trunk.domain else at}>",
            call_id=self._call_id,
            cseq=self._cseq,
            lines=(
                f"Contact: <{self._context.transports.contact(self._hop, trunk.contact_host)}>",
                ACCEPT_LINE,
                f"User-Agent: {self._context.user_agent}",
            ),
        )
        self._client = self._context.layer.open_client(request, self._hop, self)


class OptionsPings:
    """The health checks of one engine."""

    def __init__(self, context: EngineContext, peers: Callable[[], list[Peer]]) -> None:
        self._context = context
        self._peers = peers
        self._running: dict[Hop, OptionsPing] = {}

    def refresh(self) -> None:
        """Check the hops that there are now. Probes of hops that went end by themselves."""
        checked = [peer for peer in self._peers() if peer.trunk.probe and not peer.is_retired]
        wanted = {hop: peer for peer in checked for hop in peer.health}
        for hop, peer in wanted.items():
            if hop not in self._running:
                self._running[hop] = OptionsPing(self._context, peer, hop)
                self._context.scheduler.watch(self._running[hop])
        self._running = {hop: self._running[hop] for hop in wanted}
