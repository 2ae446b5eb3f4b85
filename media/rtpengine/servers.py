"""rtpengine servers over the network: asked by the ng protocol, watched by ping, taken by weight.

Rule 1: a question is repeated under its cookie, so that the server carries it out once; then it is
        `NoAnswer`.
Rule 2: a server that does not answer gets no new sessions; after `_MISSED` pings in a row its own
        are given up. Once it answers again it is as good as any.
Rule 3: new sessions go to the server that has the fewest for its weight, and to the next where that
        one fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from media.rtpengine.ng import Answer, NgError, Value, parse_answer, request
from media.settings import ServerAddress
from tonewall.log import get_logger

log = get_logger(__name__)
_REPEATS = (0.1, 0.2, 0.3, 0.4)  # seconds after which a question is asked again, or given up
_INTERVAL = 1.0  # seconds between two pings
_MISSED = 3  # voice may well go on while only we cannot reach a server


class NoAnswer(NgError):
    """The server is not there."""


class NoServer(Exception):
    """No rtpengine server could take the session."""


class Server(asyncio.DatagramProtocol):
    """One server. `sessions`: how many it has; `up`: it answered the last time it was asked."""

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self.up = False
        self.missed = 0
        self.sessions = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._serials = itertools.count(1)
        self._nonce = secrets.token_hex(6).encode()
        self._asked: dict[bytes, asyncio.Future[Answer]] = {}

    @property
    def load(self) -> float:
        """Sessions by weight: the server with the lowest gets the next one."""
        return self.sessions / self.address.weight

    async def connect(self) -> None:
        """Raises OSError."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, remote_addr=(self.address.host, self.address.port))

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, command: str, keys: dict[str, Value] | None = None) -> Answer:
        """The answer. Raises NoAnswer; NgRefused with the server's reason; NgError where it makes
        no sense."""
        cookie = b"%b-%d" % (self._nonce, next(self._serials))
        datagram = request(cookie, command, keys or {})
        came: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[cookie] = came
        try:
            for patience in _REPEATS:
                if self._transport is not None:
                    self._transport.sendto(datagram)
                done, _ = await asyncio.wait({came}, timeout=patience)
                if done:
                    return came.result()
        finally:
            del self._asked[cookie]
        raise NoAnswer(f"rtpengine at {self.address} does not answer")

    # --- asyncio.DatagramProtocol -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        cookie = data.partition(b" ")[0]
        came = self._asked.get(cookie)
        if came is None or came.done():
            return
        try:
            said = parse_answer(cookie, data)
        except NgError as error:
            came.set_exception(error)
        else:
            if said is not None:
                came.set_result(said)

    def error_received(self, _exc: Exception) -> None:
        """The port is closed; the question is repeated, as the server may just be starting."""


@dataclass(slots=True)
class Servers:
    """All servers. `lost` is called for each that is given up; `look` is asked, once a ping, what
    else a server should be asked."""

    servers: Sequence[Server]
    lost: Callable[[Server], None]
    look: Callable[[Server], Awaitable[None]]
    _watching: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Connect, ask each once, and watch them from then on. Raises OSError."""
        for server in self.servers:
            await server.connect()
        await asyncio.gather(*(self._ping(server) for server in self.servers))
        self._watching = [
            asyncio.create_task(self._watch(server), name="rtpengine") for server in self.servers
        ]

    async def stop(self) -> None:
        """End the pings and close all servers."""
        for task in self._watching:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for server in self.servers:
            server.close()

    def candidates(self) -> list[Server]:
        """Who may take a new session, the best first."""
        return sorted((server for server in self.servers if server.up), key=lambda server: server.load)

    def doubt(self, server: Server) -> None:
        """It did not answer: nothing new goes there."""
        if server.up:
            server.up = False
            log.warning("rtpengine_does_not_answer", peer=server.address.host, port=server.address.port)

    async def _watch(self, server: Server) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                await self._ping(server)
                if server.up:
                    await self.look(server)
            except Exception as error:  # nobody else watches this server
                log.error("rtpengine_watch_failed", peer=server.address.host, exc_info=error)

    async def _ping(self, server: Server) -> None:
        try:
            await server.ask("ping")
        except NgError:
            self.doubt(server)
            server.missed += 1
            if server.missed == _MISSED and server.sessions:
                log.error("rtpengine_lost", peer=server.address.host, sessions=server.sessions)
                self.lost(server)
            return
        server.missed = 0
        if not server.up:
            server.up = True
            log.info("rtpengine_answers", peer=server.address.host, port=server.address.port)
