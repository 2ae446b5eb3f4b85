"""Choice of transport by size: a request too large for UDP goes by TCP (RFC 3261 section 18.1.1).

Rule 1: a peer that accepted no TCP connection is sent datagrams again, for ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Address, Hop, Transport
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.transport.local_address import LocalAddresses

_MAX_DATAGRAM = 1300  # bytes; and 200 below the path's MTU, where that is less
_ALWAYS_FITS = 500  # bytes: less than any MTU
_WITHOUT_TCP = 600.0  # seconds
_MAX_WITHOUT_TCP = 1000


class DatagramSize:
    """One per engine. `has_socket`: whether a listening socket of ours fits a hop."""

    def __init__(
        self, trunks: Mapping[str, Trunk], paths: LocalAddresses, has_socket: Callable[[Hop], bool]
    ) -> None:
        self._trunks = trunks
        self._paths = paths
        self._has_socket = has_socket
        self._without_tcp: dict[Address, float] = {}  # until when

    def route(self, hop: Hop, size: int, now: float) -> Hop:
        """Return the way that a request of `size` bytes takes to `hop`."""
        trunk = self._trunks.get(hop.trunk)
        if (
            hop.transport is not Transport.UDP
            or trunk is None
            or not trunk.tcp_switch
            or size <= _ALWAYS_FITS
        ):
            return hop
        if size <= min(_MAX_DATAGRAM, self._paths.find(hop.host, now).mtu - 200):
            return hop
        way = hop._replace(transport=Transport.TCP, flow=0)
        if self._without_tcp.get(hop[:2], now) > now or not self._has_socket(way):
            return hop
        return way

    def on_connection_lost(self, lost: LostConnection, now: float) -> None:
        """Note a peer that accepted no connection."""
        if lost.connected:
            return
        if len(self._without_tcp) >= _MAX_WITHOUT_TCP:
            self._without_tcp.clear()
        until = now + _WITHOUT_TCP
        self._without_tcp |= {each[:2]: until for each in lost.addresses if each[2] is Transport.TCP}
