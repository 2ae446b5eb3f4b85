"""Accepts connections to the API over TLS: each shakes hands before a protocol of HTTP has it.

Rule 1: a connection counts from its begin, with those whose handshake is over; one over the limit
        is closed. One address has a quarter of the places at most for handshakes under way.
Rule 2: a handshake that is not over after HANDSHAKE_TIME seconds ends its connection.
Rule 3: failures are logged at their first, second, fourth, eighth time: a stranger fills no log.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final

from b2bua.api.tls import ServerTls
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
HANDSHAKE_TIME: Final = 10.0
_SHUTDOWN_TIME: Final = 5.0  # seconds that a peer has to say good-bye
_PAUSE: Final = 0.1  # seconds before the next try, where no connection can be accepted
_MIN_PLACES: Final = 4  # handshakes of one address


class TlsListener:
    """The connections of one listening socket. `new_protocol` makes what takes each behind its
    handshake; `is_open`: those that have it."""

    def __init__(
        self,
        tls: ServerTls,
        new_protocol: Callable[[], asyncio.Protocol],
        is_open: Collection[object],
        *,
        connections: int,
        handshake_time: float = HANDSHAKE_TIME,
    ) -> None:
        self._tls, self._new_protocol, self._open = tls, new_protocol, is_open
        self._connections, self._handshake_time = connections, handshake_time
        self._under_way: dict[asyncio.Protocol, str] = {}  # the address of each
        self._failures: Counter[str] = Counter()
        self._tasks = BackgroundTasks()

    def start(self, listening: socket.socket) -> None:
        """Accept from now on."""
        self._tasks.start(self._accept(listening), "api connections")

    async def close(self) -> None:
        """Accept no more, and end the handshakes under way."""
        await self._tasks.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # the peer was faster, or there are no descriptors left
                log.warning("accept_failed", exc_info=error)
                await asyncio.sleep(_PAUSE)
                continue
            peer = str(address[0])
            if not self._admits(peer):
                log.warning("too_many_api_connections", peer=peer, count=self._connections)
                accepted.close()
                continue
            protocol = self._new_protocol()
            self._under_way[protocol] = peer
            self._tasks.start(self._shake_hands(accepted, protocol), "api handshake")

    def _admits(self, peer: str) -> bool:
        # One whose handshake has just ended is open, and not away from here yet.
        shaking = [source for protocol, source in self._under_way.items() if protocol not in self._open]
        if len(self._open) + len(shaking) >= self._connections:
            return False
        return shaking.count(peer) < max(self._connections // 4, _MIN_PLACES)

    async def _shake_hands(self, accepted: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                accepted,
                ssl=self._tls.context(),
                ssl_handshake_timeout=self._handshake_time,
                ssl_shutdown_timeout=_SHUTDOWN_TIME,
            )
        except OSError as error:
            accepted.close()
            self._note_failure(error, self._under_way[protocol])
        except asyncio.CancelledError:
            accepted.close()
            raise
        finally:
            del self._under_way[protocol]

    def _note_failure(self, error: OSError, peer: str) -> None:
        why = _reason(error)
        self._failures[why] += 1
        count = self._failures[why]
        if count & (count - 1) == 0:
            log.info("api_handshake_failed", peer=peer, why=why, count=count)


def _reason(error: OSError) -> str:
    """What went wrong, in words of OpenSSL's or of ours."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client's certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "no TLS").replace("_", " ").lower()
    return "too slow, or gone"
