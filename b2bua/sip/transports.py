"""All sockets of the engine: what is sent finds its way out, what comes in is handed on, and peers are told how to reach us.

Rule 1: an answer leaves by the socket or connection that its request came over, as long as that is there.
Rule 2: nothing waits here: `send` takes the message or says that it cannot be sent.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

from b2bua.sip.compose import hostport
from b2bua.sip.hop import Address, Bind, Hop, Transport
from b2bua.sip.udp import UdpSocket


class Transports:
    """One an engine; all of it on the loop that called `open`."""

    def __init__(self, receive: Callable[[bytes, Hop], None]) -> None:
        self._receive = receive
        self._flows = count(1)
        self._udp: dict[int, UdpSocket] = {}
        self._bound: dict[int, Bind] = {}  # by flow, with the port that was taken
        self._local: dict[str, str] = {}
        self._counters: Counter[str] = Counter()

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self, binds: Sequence[Bind]) -> list[Address]:
        """Bind all of them; returns the addresses. Raises OSError, and has then bound none."""
        try:
            for bind in binds:
                flow = next(self._flows)
                opened = self._udp[flow] = UdpSocket(flow, self._receive)
                opened.open(bind.host, bind.port)
                self._bound[flow] = bind._replace(port=opened.address[1])
        except OSError:
            self.close()
            raise
        return [(bind.host, bind.port) for bind in self._bound.values()]

    def close(self) -> None:
        for opened in self._udp.values():
            opened.close()
        self._udp.clear()

    # --- sending -----------------------------------------------------------------------------------------------------

    def send(self, message: bytes, hop: Hop) -> bool:
        """Send one message. False: there is no way to that hop, or the kernel refused."""
        opened = self._udp.get(hop.flow) or self._udp.get(self._fitting(hop))
        return opened is not None and opened.send(message, hop[:2])

    def route(self, hop: Hop, size: int) -> Hop:
        """The way that a request of so many bytes takes towards `hop`; Via names the transport of what is returned."""
        del size
        return hop

    # --- how peers reach us ------------------------------------------------------------------------------------------

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
        """The names in the verified certificate of a TLS connection's peer, lower case; none for any other flow."""
        del flow
        return frozenset()

    def counters(self) -> dict[str, int]:
        return dict(self._counters)

    def _seen(self, hop: Hop) -> tuple[str, int]:
        bind = self._bound.get(hop.flow) or self._bound.get(self._fitting(hop))
        if bind is None:
            return _any_of(hop.host), hop.transport.default_port
        host = bind.advertised or (self._towards(hop.host) if _is_any(bind.host) else bind.host)
        return host, bind.advertised_port or bind.port

    def _fitting(self, hop: Hop) -> int:
        """The flow of the first socket whose address family and transport fit; 0 where none does."""
        for flow, bind in self._bound.items():
            if bind.transport is hop.transport and (":" in bind.host) == (":" in hop.host):
                return flow
        return 0

    def _towards(self, host: str) -> str:
        """Our address on the way to a numeric host, looked up once."""
        if host not in self._local:
            self._local[host] = _local_address(host)
        return self._local[host]


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::"}  # noqa: S104 — compared, not bound


def _any_of(host: str) -> str:
    return "::1" if ":" in host else "127.0.0.1"


def _local_address(host: str) -> str:
    """Connecting a UDP socket sends nothing, and picks the route."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return _any_of(host)
        return str(probe.getsockname()[0])
