"""All transports of the engine: addresses that we listen on, ways out, and how peers reach us.

Rule 1: an answer leaves by the socket or connection that its request came over; where that is gone,
        by a new one to where its Via says (RFC 3261 section 18.2.2).
Rule 2: a transport is a row in `_new_carriers`; no other line here names one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Address, Bind, Hop, Transport
from b2bua.sip.message.compose import hostport
from b2bua.sip.transport.bound_sockets import BoundSocket
from b2bua.sip.transport.connections import Connections
from b2bua.sip.transport.datagram_size import DatagramSize
from b2bua.sip.transport.interface import Callbacks, LostConnection, SipTransport, StreamKind
from b2bua.sip.transport.local_address import LocalAddresses
from b2bua.sip.transport.stream import Limits
from b2bua.sip.transport.tcp import TcpStreams
from b2bua.sip.transport.tls import TlsContexts, TlsStreams
from b2bua.sip.transport.udp import UdpTransport

_TICK = 0.5  # seconds


class Transports:
    """One per engine; all of it on the loop that called `open`."""

    def __init__(
        self,
        callbacks: Callbacks,
        trunks: Mapping[str, Trunk],
        tls: TlsContexts,
        limits: Limits | None = None,
    ) -> None:
        self._callbacks = replace(callbacks, on_connection_lost=self._on_connection_lost)
        self._report_lost = callbacks.on_connection_lost
        self._trunks = trunks
        self._flows = count(1)
        self._bound: dict[int, Bind] = {}  # by flow, with the port that was taken
        self._paths = LocalAddresses()
        self._sizes = DatagramSize(trunks, self._paths, lambda hop: bool(self._fitting_flow(hop)))
        self._peers: Callable[[], Iterable[Hop]] = tuple
        self._tick: asyncio.TimerHandle | None = None
        self._has_started = False
        self._carriers = self._new_carriers(tls, limits or Limits())

    def _new_carriers(self, tls: TlsContexts, limits: Limits) -> dict[Transport, SipTransport]:
        """The object that carries each transport; TCP and TLS share one, and its limits."""
        kinds: dict[Transport, StreamKind] = {Transport.TCP: TcpStreams(), Transport.TLS: TlsStreams(tls)}
        streams = Connections(kinds, self._callbacks, self._trunks, self._flows, self._choose_bind, limits)
        datagrams = UdpTransport(
            self._callbacks.on_message, self._trunks, self._list_peers, self._choose_bind
        )
        return {Transport.UDP: datagrams, **dict.fromkeys(kinds, streams)}

    def _list_peers(self) -> Iterable[Hop]:
        return self._peers()

    @property
    def _all(self) -> tuple[SipTransport, ...]:
        """Each carrier once, streams first: what they still have to send goes out over UDP too."""
        return tuple(dict.fromkeys(reversed(self._carriers.values())))

    # --- life -------------------------------------------------------------------------------------

    async def open(
        self, sockets: Sequence[BoundSocket], peers: Callable[[], Iterable[Hop]] = tuple
    ) -> list[Address]:
        """Send by these sockets, which are ours now; return their addresses. Nothing is received
        before `start`. `peers`: the trunks' addresses, for keep-alives.

        Raises OSError for a certificate that cannot be read, and has then closed them.
        """
        self._peers = peers
        listening = {each.bind.transport for each in sockets}
        for each in sockets:
            flow = next(self._flows)
            self._carriers[each.bind.transport].adopt_socket(each, flow)
            self._bound[flow] = each.bind
        try:
            for trunk in self._trunks.values():
                if trunk.transport:
                    transport = Transport(trunk.transport)
                    self._carriers[transport].prepare(trunk, listens=transport in listening)
        except OSError:
            await self.close()
            raise
        self._on_tick()
        return [(bind.host, bind.port) for bind in self._bound.values()]

    def start(self) -> None:
        """Receive, beginning with what has waited; once more changes nothing."""
        if not self._has_started:
            self._has_started = True
            for carrier in self._all:
                carrier.start()

    def pause(self) -> None:
        """Receive nothing more from the sockets that others hold, too; accept no connection."""
        for carrier in self._all:
            carrier.pause()

    def resume(self) -> None:
        """Receive again."""
        for carrier in self._all:
            carrier.start()

    async def close(self) -> None:
        """Close every socket, after a moment for queued messages to leave."""
        if self._tick is not None:
            self._tick.cancel()
        for carrier in self._all:
            await carrier.close()

    def _on_tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._tick = loop.call_later(_TICK, self._on_tick)
        for carrier in self._all:
            carrier.tick(loop.time())

    # --- sending ----------------------------------------------------------------------------------

    def send_message(self, message: bytes, hop: Hop) -> bool:
        """Send one message, or queue it on a connection that is being opened. False: there is no
        way to that hop."""
        return self._carriers[hop.transport].send_message(message, hop)

    def route(self, hop: Hop, size: int) -> Hop:
        """Return the way of a request of `size` bytes towards `hop`; Via names its transport."""
        return self._sizes.route(hop, size, asyncio.get_running_loop().time())

    def reaches(self, hop: Hop) -> bool:
        """Tell whether a message can be sent to that hop without opening a connection."""
        return self._carriers[hop.transport].reaches(hop)

    def add_alias(self, hop: Hop, port: int | None) -> None:
        """Use this hop's connection for requests to the port in sent-by, too: its Via had `alias`
        (RFC 5923)."""
        self._carriers[hop.transport].add_alias(hop.flow, port or hop.transport.default_port)

    def adopt_flow(self, hop: Hop, trunk: Trunk) -> bool:
        """Call a trunk back over the hop that it registered from. False: it may not be, over a
        connection that was not asked for its certificate."""
        return self._carriers[hop.transport].adopt_flow(hop.flow, trunk)

    def _on_connection_lost(self, lost: LostConnection) -> None:
        self._sizes.on_connection_lost(lost, asyncio.get_running_loop().time())
        self._report_lost(lost)

    def counters(self) -> dict[str, int]:
        """Return totals by name, and the number of connections."""
        return {name: value for carrier in self._all for name, value in carrier.counts().items()}

    # --- how peers reach us -----------------------------------------------------------------------

    def families(self) -> set[int]:
        """Return the address families that a message can be sent by."""
        return {socket.AF_INET6 if ":" in bind.host else socket.AF_INET for bind in self._bound.values()}

    def host(self, hop: Hop) -> str:
        """Return our host as that hop sees it."""
        return self._advertised(hop)[0]

    def sent_by(self, hop: Hop) -> str:
        """Return `host:port` for the Via of a request to that hop (RFC 3261 section 18.1.1)."""
        return hostport(*self._advertised(hop))

    def contact(self, hop: Hop, name: str = "") -> str:
        """Return the URI by which that hop reaches us; by our `name`, where it is to use that."""
        host, port = self._advertised(hop)
        return f"sip:{hostport(name or host, port)}{hop.transport.uri_parameter}"

    def bind_of(self, flow: int) -> Bind | None:
        """Find the address that a listening socket is bound to; None for a connection."""
        return self._bound.get(flow)

    def flow_of(self, bind: Bind) -> int:
        """Find the flow of the socket that is bound to an address; 0 where there is none."""
        return next((flow for flow, bound in self._bound.items() if bound == bind), 0)

    def find_bind(self, hop: Hop) -> Bind | None:
        """Find the address of ours that a message came in on; None where its socket is gone."""
        return self._carriers[hop.transport].find_bind(hop.flow) or self._bound.get(hop.flow)

    def _advertised(self, hop: Hop) -> tuple[str, int]:
        bind = self._choose_bind(hop)
        host = bind.advertised or bind.host
        if _is_any(host):
            host = self._paths.find(hop.host, asyncio.get_running_loop().time()).address
        return host, bind.advertised_port or bind.port

    def _choose_bind(self, hop: Hop) -> Bind:
        """Choose the address of ours for a hop; where none listens for it, the nearest to it."""
        found = self.find_bind(hop) or self._bound.get(self._fitting_flow(hop))
        if found is not None:
            return found
        same = [bind for bind in self._bound.values() if (":" in bind.host) == (":" in hop.host)]
        if same:
            return same[0]._replace(transport=hop.transport)
        return Bind(hop.transport, "::" if ":" in hop.host else "0.0.0.0", hop.transport.default_port)  # noqa: S104

    def _fitting_flow(self, hop: Hop) -> int:
        """Find the socket of a hop's transport and family: the trunk's own, or the first; 0 where
        none fits."""
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
