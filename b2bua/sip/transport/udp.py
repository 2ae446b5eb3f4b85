"""SIP over UDP: bound sockets, and the keep-alives that hold a NAT's binding open.

Rule 1: a datagram that the kernel has no room for is lost, as the network loses others; SIP sends
        it again.
Rule 2: one that waited in an inherited socket until its sender had given up is dropped: its call
        would ring for nobody.
"""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Address, Bind, Hop, Transport
from b2bua.sip.message.message import MAX_MESSAGE_BYTES
from b2bua.sip.transport.bound_sockets import SO_TIMESTAMPNS, BoundSocket

_AT_ONCE = 64  # datagrams received before the loop may do something else
_MAX_WAIT = 32.0  # seconds, 64*T1: timers B and F (RFC 3261 section 17.1)
_STAMP = struct.Struct("@qq")  # seconds, nanoseconds: struct timespec
_KEEPALIVE = b"\r\n\r\n"


class UdpTransport:
    """UDP of one engine. `peers`: every hop of every trunk; `choose_bind`: which address of ours
    leads to a hop."""

    def __init__(
        self,
        on_message: Callable[[bytes, Hop], None],
        trunks: Mapping[str, Trunk],
        peers: Callable[[], Iterable[Hop]],
        choose_bind: Callable[[Hop], Bind],
    ) -> None:
        self._on_message = on_message
        self._trunks = trunks
        self._peers = peers
        self._choose_bind = choose_bind
        self._by_flow: dict[int, UdpSocket] = {}
        self._by_bind: dict[Bind, UdpSocket] = {}
        self._kept: dict[Hop, float] = {}  # when each was last sent a keep-alive

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Nothing to load."""

    def adopt_socket(self, bound: BoundSocket, flow: int) -> None:
        """Send by a socket, under that flow number."""
        opened = UdpSocket(flow, self._on_message)
        opened.adopt(bound.socket)
        self._by_flow[flow] = self._by_bind[bound.bind] = opened

    def start(self) -> None:
        """Receive, beginning with what has waited."""
        for opened in self._by_flow.values():
            opened.start()

    def send_message(self, message: bytes, hop: Hop) -> bool:
        """Send one datagram. False: no socket fits, or the kernel refused."""
        opened = self._by_flow.get(hop.flow) or self._by_bind.get(self._choose_bind(hop))
        return opened is not None and opened.send_datagram(message, hop[:2])

    def reaches(self, hop: Hop) -> bool:
        """There is no connection to open."""
        return True

    def find_bind(self, flow: int) -> None:
        """A socket is no connection."""

    def add_alias(self, flow: int, port: int) -> None:
        """There is no connection to reuse."""

    def adopt_flow(self, flow: int, trunk: Trunk) -> bool:
        """Every trunk may be called back over a socket."""
        return True

    def tick(self, now: float) -> None:
        """Send the keep-alives that are due (RFC 5626 section 3.5.1)."""
        kept: dict[Hop, float] = {}
        for hop in self._peers():
            trunk = self._trunks.get(hop.trunk)
            every = trunk.keepalive if trunk is not None and hop.transport is Transport.UDP else 0.0
            if every:
                kept[hop] = self._kept.get(hop, -math.inf)
                if now - kept[hop] >= every:
                    kept[hop] = now
                    self.send_message(_KEEPALIVE, hop)
        self._kept = kept

    def pause(self) -> None:
        """Leave what comes in the sockets."""
        for opened in self._by_flow.values():
            opened.pause()

    async def close(self) -> None:
        """Close the sockets."""
        for opened in self._by_flow.values():
            opened.close()
        self._by_flow.clear()
        self._by_bind.clear()

    def counts(self) -> Mapping[str, int]:
        """Return how many datagrams waited for too long."""
        return {"datagrams_too_late": sum(opened.dropped for opened in self._by_flow.values())}


class UdpSocket:
    """One bound socket. Hands each datagram to `receive`, with its source; `flow`: the number by
    which answers find this socket."""

    def __init__(
        self, flow: int, receive: Callable[[bytes, Hop], None], clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: seconds since the epoch, as the kernel stamps datagrams."""
        self.flow = flow
        self._clock = clock
        self._has_waited = True  # what is read next, perhaps
        self.dropped = 0  # datagrams that waited too long
        self.address: Address = ("", 0)
        self._receive = receive
        self._socket: socket.socket | None = None

    def adopt(self, bound: socket.socket) -> None:
        """Send by this socket, which is ours now."""
        self._socket = bound
        self.address = bound.getsockname()[:2]

    def start(self) -> None:
        """Receive on the running loop."""
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._on_readable)

    def pause(self) -> None:
        """Leave what comes in the socket."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)

    def close(self) -> None:
        """Close the socket; once more changes nothing."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def send_datagram(self, message: bytes, to: Address) -> bool:
        """Send one datagram. False: the socket is closed or the kernel refused (no route, bad
        address, too long)."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(message, to)
        except BlockingIOError:
            return True
        except (OSError, ValueError, OverflowError, UnicodeError):
            return False
        return True

    def _on_readable(self) -> None:
        for _ in range(_AT_ONCE):
            if self._socket is None:  # closed by what the last datagram brought about
                return
            try:
                # One byte more than we accept shows which messages are too large.
                if self._has_waited:
                    data, source = self._receive_stamped(self._socket)
                else:
                    data, source = self._socket.recvfrom(MAX_MESSAGE_BYTES + 1)
            except BlockingIOError:
                self._has_waited = False  # all that waited is read
                return
            except OSError:  # an error that belongs to something sent earlier
                return
            if source is not None:
                self._receive(data, Hop(source[0], source[1], Transport.UDP, self.flow))

    def _receive_stamped(self, bound: socket.socket) -> tuple[bytes, tuple[str, int] | None]:
        """The next datagram; None instead of its source where it waited for too long."""
        data, stamps, _, source = bound.recvmsg(MAX_MESSAGE_BYTES + 1, socket.CMSG_SPACE(_STAMP.size))
        for level, kind, stamp in stamps:
            if (level, kind, len(stamp)) == (socket.SOL_SOCKET, SO_TIMESTAMPNS, _STAMP.size):
                seconds, nanoseconds = _STAMP.unpack(stamp)
                if self._clock() - seconds - nanoseconds / 1e9 > _MAX_WAIT:
                    self.dropped += 1
                    return data, None
        return data, source[:2]
