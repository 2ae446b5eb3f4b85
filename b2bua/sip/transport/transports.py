"""All sockets of the engine: what is sent finds its way out, what comes in is handed on, and peers
are told how to reach us.

Rule 1: an answer leaves by the socket or connection that its request came over; where that is gone,
        by a new one to where its Via says (RFC 3261 section 18.2.2).
Rule 2: nothing waits here: `send` takes the message or says that it cannot be sent; a connection
        that fails later is `lost`.
Rule 3: a request too large for UDP goes by TCP, unless the peer has lately shown that it takes none
        (section 18.1.1).
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Address, Bind, Hop, Transport
from b2bua.sip.message.compose import hostport
from b2bua.sip.transport.connections import Callbacks, Connections, LostConnection
from b2bua.sip.transport.local_address import LocalAddresses
from b2bua.sip.transport.stream import Limits
from b2bua.sip.transport.tls import TlsContexts
from b2bua.sip.transport.udp import UdpSocket

_MAX_DATAGRAM = 1300  # bytes; and 200 below the path's MTU, where that is less
_WITHOUT_TCP = 600.0  # seconds for which a peer that took no TCP is not asked again
_MAX_WITHOUT_TCP = 1000
_TICK = 0.5  # seconds


class Transports:
    """One an engine; all of it on the loop that called `open`."""

    def __init__(
        self,
        callbacks: Callbacks,
        trunks: Mapping[str, Trunk],
        tls: TlsContexts,
        limits: Limits | None = None,
    ) -> None:
        self._callbacks = replace(callbacks, on_connection_lost=self._on_connection_lost)
        self._tell_lost = callbacks.on_connection_lost
        self._trunks = trunks
        self._tls = tls
        self._flows = count(1)
        self._udp: dict[int, UdpSocket] = {}
        self._bound: dict[int, Bind] = {}  # by flow, with the port that was taken
        self._paths = LocalAddresses()
        self._without_tcp: dict[Address, float] = {}
        self._connections = Connections(self._callbacks, trunks, tls, self._flows, limits or Limits())
        self._peers: Callable[[], Iterable[Hop]] = tuple
        self._kept: dict[Hop, float] = {}  # when each was last sent a keep-alive over UDP
        self._tick: asyncio.TimerHandle | None = None

    # --- life -------------------------------------------------------------------------------------

    async def open(self, binds: Sequence[Bind], peers: Callable[[], Iterable[Hop]] = tuple) -> list[Address]:
        """Bind all of them; returns the addresses. `peers`: the trunks' addresses, for keep-alives.

        Raises OSError, also for a certificate that cannot be read, and has then bound none.
        """
        self._peers = peers
        try:
            for bind in binds:
                self._open(bind)
            for trunk in self._trunks.values():
                if trunk.transport == Transport.TLS:
                    self._tls.client(trunk)
                    if any(bind.transport is Transport.TLS for bind in binds):
                        self._tls.server(trunk)
        except OSError:
            await self.close()
            raise
        self._on_tick()
        return [(bind.host, bind.port) for bind in self._bound.values()]

    def _open(self, bind: Bind) -> None:
        flow, asked = next(self._flows), bind.port
        if bind.transport is Transport.UDP:
            opened = self._udp[flow] = UdpSocket(flow, self._callbacks.on_message)
            opened.open(bind.host, bind.port)
            port = opened.address[1]
        else:
            if not bind.port and bind.transport is Transport.TCP:
                # UDP and TCP of one address share the port, also where any will do.
                same = (taken.port for taken in self._bound.values() if taken.host == bind.host)
                bind = bind._replace(port=next(same, 0))
            try:
                port = self._connections.listen(bind)
            except OSError:
                if asked:
                    raise
                port = self._connections.listen(bind._replace(port=0))
        self._bound[flow] = bind._replace(port=port)

    async def close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        await self._connections.close()
        for opened in self._udp.values():
            opened.close()
        self._udp.clear()

    # --- sending ----------------------------------------------------------------------------------

    def send_message(self, message: bytes, hop: Hop) -> bool:
        """Send one message, or queue it on a connection that is being opened. False: there is no
        way to that hop."""
        if hop.transport is Transport.UDP:
            opened = self._udp.get(hop.flow) or self._udp.get(self._fitting(hop))
            return opened is not None and opened.send_datagram(message, hop[:2])
        connection = self._connections.find(hop)
        if connection is None:
            connection = self._connections.connect(hop, self._bind_of(hop))
        return connection is not None and connection.send_message(message)

    def route(self, hop: Hop, size: int) -> Hop:
        """The way that a request of so many bytes takes towards `hop`; Via names the transport of
        what is returned."""
        trunk = self._trunks.get(hop.trunk)
        if hop.transport is not Transport.UDP or trunk is None or not trunk.tcp_switch or size <= 500:
            return hop
        now = asyncio.get_running_loop().time()
        if size <= min(_MAX_DATAGRAM, self._paths.find(hop.host, now).mtu - 200):
            return hop
        way = hop._replace(transport=Transport.TCP, flow=0)
        if self._without_tcp.get(hop[:2], now) > now or not self._fitting(way):
            return hop
        return way

    def add_alias(self, hop: Hop, port: int | None) -> None:
        """The request over this hop's connection had `alias` in its Via, with this port in sent-by
        (RFC 5923)."""
        self._connections.add_alias(hop.flow, port or hop.transport.default_port)

    def adopt_flow(self, hop: Hop, trunk: Trunk) -> bool:
        """That trunk has registered over this hop. False: it may not, over a connection not asked
        for its certificate."""
        return not hop.transport.reliable or self._connections.adopt_flow(hop.flow, trunk)

    def reaches(self, hop: Hop) -> bool:
        """Whether something can be sent to that hop without opening a connection."""
        return not hop.transport.reliable or self._connections.find(hop) is not None

    def _on_connection_lost(self, lost: LostConnection) -> None:
        if not lost.connected:
            until = asyncio.get_running_loop().time() + _WITHOUT_TCP
            if len(self._without_tcp) >= _MAX_WITHOUT_TCP:
                self._without_tcp.clear()
            self._without_tcp |= {way[:2]: until for way in lost.addresses if way[2] is Transport.TCP}
        self._tell_lost(lost)

    def _on_tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._tick = loop.call_later(_TICK, self._on_tick)
        self._connections.tick(loop.time())
        kept: dict[Hop, float] = {}
        for hop in self._peers():
            trunk = self._trunks.get(hop.trunk)
            every = trunk.keepalive if trunk is not None and hop.transport is Transport.UDP else 0.0
            if every:
                kept[hop] = self._kept.get(hop, -math.inf)
                if loop.time() - kept[hop] >= every:
                    kept[hop] = loop.time()
                    self.send_message(b"\r\n\r\n", hop)
        self._kept = kept

    # --- how peers reach us -----------------------------------------------------------------------

    def families(self) -> set[int]:
        """The address families that anything can be sent by."""
        return {socket.AF_INET6 if ":" in bind.host else socket.AF_INET for bind in self._bound.values()}

    def host(self, hop: Hop) -> str:
        """Our host as that hop sees it."""
        return self._seen(hop)[0]

    def sent_by(self, hop: Hop) -> str:
        """`host:port` for the Via of a request to that hop (RFC 3261 section 18.1.1)."""
        return hostport(*self._seen(hop))

    def contact(self, hop: Hop) -> str:
        """The URI by which that hop reaches us."""
        transport = "" if hop.transport is Transport.UDP else f";transport={hop.transport}"
        return f"sip:{self.sent_by(hop)}{transport}"

    def identity(self, flow: int) -> frozenset[str]:
        """The names in the verified certificate of a TLS connection's peer, lower case; none for
        any other flow."""
        connection = self._connections.get(flow)
        return connection.identities if connection is not None else frozenset()

    def bind_of(self, flow: int) -> Bind | None:
        """The address of ours that a socket is bound to; None for a connection, or where there is
        no such flow."""
        return self._bound.get(flow)

    def find_bind(self, hop: Hop) -> Bind | None:
        """The address of ours that a message came in on; None where its socket or connection is
        gone."""
        connection = self._connections.get(hop.flow)
        return connection.bind if connection is not None else self._bound.get(hop.flow)

    def flow_of(self, bind: Bind) -> int:
        """The flow of the socket that is bound to it; 0 where there is none."""
        return next((flow for flow, bound in self._bound.items() if bound == bind), 0)

    def counters(self) -> dict[str, int]:
        return dict(self._connections.counters) | {"connections": len(self._connections)}

    def _seen(self, hop: Hop) -> tuple[str, int]:
        bind = self._bind_of(hop)
        host = bind.advertised or bind.host
        if _is_any(host):
            host = self._paths.find(hop.host, asyncio.get_running_loop().time()).address
        return host, bind.advertised_port or bind.port

    def _bind_of(self, hop: Hop) -> Bind:
        """Which of our addresses a hop has to do with; where we do not listen for it, the one
        nearest to it."""
        connection = self._connections.get(hop.flow)
        if connection is not None:
            return connection.bind
        fitting = self._bound.get(hop.flow) or self._bound.get(self._fitting(hop))
        if fitting is not None:
            return fitting
        same = [bind for bind in self._bound.values() if (":" in bind.host) == (":" in hop.host)]
        if same:
            return same[0]._replace(transport=hop.transport)
        return Bind(hop.transport, "::" if ":" in hop.host else "0.0.0.0", hop.transport.default_port)  # noqa: S104

    def _fitting(self, hop: Hop) -> int:
        """The flow of the socket for that transport and family, the trunk's own or the first; 0
        where none fits."""
        trunk = self._trunks.get(hop.trunk)
        wanted = trunk.bind if trunk is not None else ""
        first = 0
        for flow, bind in self._bound.items():
            if bind.transport is hop.transport and (":" in bind.host) == (":" in hop.host):
                if not wanted or wanted in {bind.host, hostport(bind.host, bind.port)}:
                    return flow
                first = first or flow
        return first


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 — compared, not bound
