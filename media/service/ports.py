"""Port pairs: an even port for RTP and the next for RTCP (RFC 3550 section 11), bound before they
are promised."""

from __future__ import annotations

import errno
import socket

from media.events import Side
from media.stream_description import Interface

# Bytes that may wait where the media thread has to: twelve seconds of audio, two of video.
_ROOM = 256 * 1024


class NoPorts(Exception):
    """The range is used up: raise `[media] ports`, or calls are not released."""


class PortPairs:
    """The range on one address, walked round so that a port that was just freed is the last to be
    used again.

    What is sent from it carries the DiffServ code point `dscp` (RFC 2474). A port is ours only once
    it is bound, so nothing is kept in a list that could disagree with the kernel.
    """

    def __init__(self, address: str, low: int, high: int, dscp: int = 0) -> None:
        self._address = address
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._traffic_class = dscp << 2  # the two bits below are ECN's (RFC 3168)
        self._pairs = [(port, port + 1) for port in range(low, high, 2)]
        self._next = 0

    def bind(self) -> tuple[socket.socket, socket.socket]:
        """A bound pair of UDP sockets, RTP first. Raises NoPorts."""
        for _ in range(len(self._pairs)):
            rtp, rtcp = self._pairs[self._next]
            self._next = (self._next + 1) % len(self._pairs)
            first = self._bind(rtp)
            if first is None:
                continue
            second = self._bind(rtcp)
            if second is not None:
                return first, second
            first.close()
        raise NoPorts(f"all {len(self._pairs)} port pairs are in use")

    def _bind(self, port: int) -> socket.socket | None:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
            if self._family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, self._traffic_class)
            else:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, self._traffic_class)
            sock.bind((self._address, port))
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                return None
            raise
        return sock


class OwnInterfaces:
    """Our addresses, each with its ports. `own`: where a command names none; `limits`: low, high
    and dscp as of PortPairs."""

    def __init__(self, own: Interface, limits: tuple[int, int, int]) -> None:
        self._own, self._limits = own, limits
        self._ports: dict[str, PortPairs] = {}  # by address

    def of_sides(self, caller: Interface, agent: Interface) -> dict[Side, tuple[PortPairs, str]]:
        """Of both sides."""
        return {Side.CALLER: self.find(caller), Side.AGENT: self.find(agent)}

    def find(self, wanted: Interface) -> tuple[PortPairs, str]:
        """The ports of an address, and the address that peers get in SDP."""
        address = wanted.address or self._own.address
        if address not in self._ports:
            self._ports[address] = PortPairs(address, *self._limits)
        return self._ports[address], wanted.advertised or wanted.address or self._own.advertised
