"""SIP over UDP: one bound socket.

Rule 1: a datagram that the kernel has no room for is lost, as the network loses others; SIP sends
        it again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from b2bua.sip.hop import Address, Hop, Transport
from b2bua.sip.message.message import MAX_MESSAGE_BYTES

_AT_ONCE = 64  # datagrams taken before the loop may do something else
_BUFFER = 4 << 20  # bytes of the kernel's queues, as far as it lets us


class UdpSocket:
    """Hands each datagram to `receive`, with where it came from. `flow`: the number by which
    answers find this socket."""

    def __init__(self, flow: int, receive: Callable[[bytes, Hop], None]) -> None:
        self.flow = flow
        self.address: Address = ("", 0)
        self._receive = receive
        self._socket: socket.socket | None = None

    def open(self, host: str, port: int) -> None:
        """Bind; port 0 takes a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family is socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for queue in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                bound.setsockopt(socket.SOL_SOCKET, queue, _BUFFER)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise OSError(error.errno, error.strerror, f"udp:{host}:{port}") from None
        self._socket = bound
        self.address = bound.getsockname()[:2]
        asyncio.get_running_loop().add_reader(bound, self._readable)

    def close(self) -> None:
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

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            if self._socket is None:  # closed by what the last datagram brought about
                return
            try:
                # One byte more than we take shows which messages are too large.
                data, source = self._socket.recvfrom(MAX_MESSAGE_BYTES + 1)
            except OSError:  # nothing more, or an error that belongs to something sent earlier
                return
            self._receive(data, Hop(source[0], source[1], Transport.UDP, self.flow))
