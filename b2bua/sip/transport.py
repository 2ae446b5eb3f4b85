"""SIP over UDP: one socket on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from b2bua.sip.hop import Address, Hop
from b2bua.sip.message import LARGEST

# asyncio allocates this much for every datagram it receives: its own 256 KiB cost more than the parsing. One byte more
# than we take shows which messages are too large.
_RECEIVE = LARGEST + 1


class UdpTransport(asyncio.DatagramProtocol):
    """Hands datagrams to `receive`, and says of each one sent whether the kernel took it."""

    def __init__(self, receive: Callable[[bytes, Hop], None]) -> None:
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._refused = False

    async def open(self, host: str, port: int) -> Address:
        """Bind; port 0 takes a free one. Returns the address bound. Raises OSError."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        transport.max_size = _RECEIVE  # type: ignore[attr-defined]
        self._transport = transport
        bound: tuple[str, int] = transport.get_extra_info("sockname")[:2]
        return bound

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def send(self, message: bytes, to: Hop) -> bool:
        """Send one datagram. False: the transport is closed or the kernel refused (no route, bad address)."""
        if self._transport is None:
            return False
        self._refused = False
        try:
            self._transport.sendto(message, to[:2])
        except (OSError, ValueError, OverflowError, UnicodeError):
            return False
        return not self._refused

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receive(data, Hop(addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        # asyncio reports a refused sendto() here, before sendto() returns.
        del exc
        self._refused = True
