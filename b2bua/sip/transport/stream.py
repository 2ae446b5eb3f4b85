"""Connection over a stream: its queue, its framing, its keep-alives, and its end.

Rule 1: a message is queued while the connection is being opened, and while its peer reads slowly,
        up to a bound.
Rule 2: it is closed where its stream makes no sense, where a message takes too long to come whole,
        where the peer does not read, and where a ping is not answered by a peer that has answered
        one.
Rule 3: its owner hears of its end exactly once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.transport.framer import BrokenStream, Framed, Framer, OversizedMessage, Ping, Pong
from tonewall.wiped_buffer import WipedProtocol

_PING, _PONG = b"\r\n\r\n", b"\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may cost. Times in seconds."""

    connections: int = 2000
    connections_a_source: int = 1000
    connect_time: float = 5.0  # the TLS handshake included
    message_time: float = (
        20.0  # from a message's first byte to its last, and for the first one of a connection to us
    )
    # Longer than most calls: a peer behind NAT can be reached in no other way.
    idle_time: float = 3600.0
    pong_time: float = 10.0  # RFC 5626 section 4.4.1
    queued: int = 65_536  # bytes, while it is being opened
    unsent: int = 262_144  # bytes that the peer has not taken


class Owner(Protocol):
    """Who has the connection."""

    def on_open(self, connection: Connection) -> bool:
        """It can be used; False: it must not be, and is closed."""
        ...

    def on_message(self, message: bytes, connection: Connection) -> None: ...
    def on_broken(self, broken: BrokenStream, connection: Connection) -> None: ...
    def on_close(self, connection: Connection, reason: str) -> None: ...


class Connection(WipedProtocol):
    """One connection. `flow`: its number. `hop`: its other end. `bind`: which of our addresses it
    belongs to."""

    def __init__(
        self,
        owner: Owner,
        hop: Hop,
        bind: Bind,
        *,
        inbound: bool,
        limits: Limits,
        clock: Callable[[], float],
        framer: Framer,
    ) -> None:
        self.hop = hop
        self.flow = hop.flow
        self.bind = bind
        self.inbound = inbound
        self.identities: frozenset[str] = frozenset()
        self.names: set[tuple[str, int, Transport, str]] = set()  # under which its owner finds it
        self.connected = False  # whether it ever was
        self.over = False
        self.guest = False  # whether somebody has yet to register over it
        self.keepalive = 0.0  # seconds between our pings; 0 for none
        self._owner = owner
        self._limits = limits
        self._clock = clock
        self._framer = framer
        self._wire: asyncio.Transport | None = None
        self._queue: list[bytes] = []
        self._queued = 0
        self._reason = "closed by the peer"
        self._since = clock()
        # Since when something is owed to us.
        self._begun: float | None = clock() if inbound else None
        self._heard = self._pinged_at = clock()
        self._pings = 0  # sent and not answered
        self._pongs = False  # whether the peer has ever answered one

    # --- sending ----------------------------------------------------------------------------------

    def send_message(self, message: bytes) -> bool:
        """Send or queue. False: the connection is over, or the peer does not read."""
        if self.over:
            return False
        if self._wire is None:
            if self._queued + len(message) > self._limits.queued:
                return False
            self._queue.append(message)
            self._queued += len(message)
            return True
        if self._wire.get_write_buffer_size() + len(message) > self._limits.unsent:
            self.end("peer does not read", abort=True)
            return False
        self._wire.write(message)
        return True

    def end(self, reason: str, *, abort: bool = False) -> None:
        """Close it; `abort`: without sending what is left."""
        if self.over:
            return
        self._reason = reason
        if self._wire is None:
            self._over()
        elif abort:
            self._wire.abort()
        else:
            self._wire.close()

    def _over(self) -> None:
        if not self.over:
            self.over = True
            self._queue.clear()
            self._owner.on_close(self, self._reason)

    # --- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Verify the peer, then send what was queued."""
        self._wire = wire = cast("asyncio.Transport", transport)  # uvloop's has no such base
        if self.over or not self._owner.on_open(self):
            self._reason = "certificate of somebody else"
            wire.abort()
            return
        self.connected = True
        for message in self._queue:
            wire.write(message)
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        """Frame the octets, and hand on each message."""
        for item in self._framer.feed(data):
            if self.over or (self._wire is not None and self._wire.is_closing()):
                return
            self._heard = self._clock()
            self._begun = None
            match item:
                case Framed(message):
                    self._owner.on_message(message, self)
                case Ping():
                    self.send_message(_PONG)
                case Pong():
                    self._pings, self._pongs = 0, True
                case OversizedMessage():
                    self._owner.on_broken(item, self)
                case BrokenStream():
                    self._owner.on_broken(item, self)
                    self.end("broken stream")
        if self._framer.waiting and self._begun is None:
            self._begun = self._clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        del exc
        self._over()

    def certificate(self) -> Mapping[str, Any] | None:
        """The peer's, verified; None over TCP, or where none was asked for."""
        found: Mapping[str, Any] | None = (
            self._wire.get_extra_info("peercert") if self._wire is not None else None
        )
        return found

    # --- time -------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Ping where it is time, and close what has waited too long."""
        if self._wire is None or self.over:
            return
        if self._begun is not None and now - self._begun > self._limits.message_time:
            self.end("slow sender", abort=True)
        elif self.guest and now - self._since > self._limits.message_time:
            self.end("nobody registered", abort=True)
        elif now - self._heard > self._limits.idle_time:
            self.end("idle")
        elif self._pings and self._pongs and now - self._pinged_at > self._limits.pong_time:
            self.end("no answer to a ping", abort=True)
        elif self.keepalive and now - self._pinged_at >= self.keepalive:
            self._pinged_at = now
            self._pings += 1
            self._framer.pinged()
            self.send_message(_PING)


def set_keepalive(stream: socket.socket) -> None:
    """Have the kernel notice a peer that is gone within the time that a transaction waits (RFC 3261
    timers B and F)."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_NODELAY, 1), (socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, 15_000),
    ):  # fmt: skip
        stream.setsockopt(socket.IPPROTO_TCP, option, value)
