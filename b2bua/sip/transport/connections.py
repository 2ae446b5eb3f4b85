"""Connections over stream transports: accepted, opened, used in both directions, and bounded.

Rule 1: whoever waits for a connection that fails is informed through `on_connection_lost`.
Rule 2: how a stream is secured and framed is its `StreamKind`'s to say; no other line here names a
        transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.transport.admission import Admission
from b2bua.sip.transport.bound_sockets import BoundSocket
from b2bua.sip.transport.connection_table import ConnectionTable
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.interface import Callbacks, LostConnection, StreamKind
from b2bua.sip.transport.stream import Connection, Limits, set_keepalive
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST and leaves nothing behind
_COUNTED = {
    "slow sender": "connections_slow", "peer does not read": "connections_unread", "idle": "connections_idle",
    "no answer to a ping": "connections_dead", "nobody registered": "connections_unregistered",
}  # fmt: skip


class Connections:
    """The stream transports of one engine. `choose_bind`: which address of ours leads to a hop."""

    def __init__(
        self,
        kinds: Mapping[Transport, StreamKind],
        callbacks: Callbacks,
        trunks: Mapping[str, Trunk],
        flows: Iterator[int],
        choose_bind: Callable[[Hop], Bind],
        limits: Limits,
    ) -> None:
        self._kinds = kinds
        self._callbacks = callbacks
        self._trunks = trunks
        self._flows = flows
        self._choose_bind = choose_bind
        self._limits = limits
        self._counters: Counter[str] = Counter()
        self._table = ConnectionTable()
        self._admission = Admission(trunks, callbacks.trunks_at, limits, self._counters)
        self._emptied = asyncio.Event()
        self._listeners: list[BoundSocket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks = BackgroundTasks()

    # --- life -------------------------------------------------------------------------------------

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Load the certificates of a trunk. Raises OSError for a file of no use."""
        self._kinds[Transport(trunk.transport)].prepare(trunk, listens=listens)

    def adopt_socket(self, bound: BoundSocket, flow: int) -> None:
        """Accept connections of a listening socket, once `start` is called."""
        self._listeners.append(bound)

    def start(self) -> None:
        """Accept, beginning with the connections that have waited."""
        for listener in self._listeners:
            accepting = self._tasks.start(self._accept(listener.socket, listener.bind), "connection")
            self._accepting.append(accepting)

    def pause(self) -> None:
        """Accept no more: connections wait in the listening sockets."""
        for each in self._accepting:
            each.cancel()
        self._accepting.clear()

    async def close(self, max_wait: float = 1.0) -> None:
        """Close every connection, after `max_wait` seconds at most for queued messages to leave."""
        await self._tasks.cancel()
        for listener in self._listeners:
            listener.socket.close()
        self._listeners.clear()
        for connection in self._table:
            connection.end("stopping")
        self._emptied.clear()
        if len(self._table):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), max_wait)
        for connection in self._table:
            connection.end("stopping", abort=True)

    def tick(self, now: float) -> None:
        """Let each connection send its ping, and end what has waited too long."""
        for connection in self._table:
            connection.tick(now)

    def counts(self) -> Mapping[str, int]:
        """Return totals by name, and the number of connections."""
        return dict(self._counters) | {"connections": len(self._table)}

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.start(work, "connection")

    # --- finding ----------------------------------------------------------------------------------

    def send_message(self, message: bytes, hop: Hop) -> bool:
        """Send a message, or queue it on a connection that is being opened. False: no way."""
        connection = self._find(hop) or self._connect(hop, self._choose_bind(hop))
        return connection is not None and connection.send_message(message)

    def reaches(self, hop: Hop) -> bool:
        """Tell whether there is a connection to that hop."""
        return self._find(hop) is not None

    def find_bind(self, flow: int) -> Bind | None:
        """Find the address of ours that a connection belongs to."""
        connection = self._table.get(flow)
        return connection.bind if connection is not None else None

    def add_alias(self, flow: int, port: int) -> None:
        """Use a connection of the peer's for requests to that port of it, too (RFC 5923)."""
        connection = self._table.get(flow)
        if connection is not None and connection.inbound and 0 < port < 65536:
            self._name(connection, port)

    def adopt_flow(self, flow: int, trunk: Trunk) -> bool:
        """Call a trunk back over the connection that it registered on (RFC 5626 section 5.1).

        False: that trunk shows a certificate, and this connection was not asked for it.
        """
        connection = self._table.get(flow)
        if connection is None:
            return True
        if trunk.tls_verify_client and connection.hop.trunk != trunk.name:
            return False
        self._admission.adopt(connection)
        self._name(connection, connection.hop.port, trunk.name)
        return True

    def _find(self, hop: Hop) -> Connection | None:
        return self._table.find(hop, shared=self._kinds[hop.transport].is_shared)

    def _name(self, connection: Connection, port: int, trunk: str = "") -> None:
        shared = self._kinds[connection.hop.transport].is_shared
        self._table.name(connection, port, shared=shared, trunk=trunk)

    # --- opening ----------------------------------------------------------------------------------

    def _connect(self, hop: Hop, bind: Bind) -> Connection | None:
        """Begin to open a connection; messages are queued meanwhile. None: there are too many."""
        if len(self._table) >= self._limits.connections:
            self._counters["connections_refused_full"] += 1
            return None
        connection = self._new(hop._replace(flow=next(self._flows)), bind, inbound=False)
        trunk = self._trunks.get(hop.trunk)
        connection.keepalive = trunk.keepalive if trunk is not None else 0.0
        self._name(connection, hop.port)
        self._counters["connections_out"] += 1
        self._start_task(self._open(connection, trunk))
        return connection

    async def _open(self, connection: Connection, trunk: Trunk | None) -> None:
        loop = asyncio.get_running_loop()
        hop = connection.hop
        stream = socket.socket(socket.AF_INET6 if ":" in hop.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            stream.setblocking(False)
            set_keepalive(stream)
            stream.bind((connection.bind.host, 0))
            async with asyncio.timeout(self._limits.connect_time):
                await loop.sock_connect(stream, (hop.host, hop.port))
                arguments = self._kinds[hop.transport].client_arguments(trunk)
                await loop.create_connection(lambda: connection, sock=stream, **arguments)
        except (OSError, TimeoutError, ValueError) as error:
            self._on_failure(connection, error)
            stream.close()
        except asyncio.CancelledError:
            stream.close()
            raise

    def _on_failure(self, connection: Connection, error: Exception) -> None:
        hop = connection.hop
        self._counters["connections_failed"] += 1
        log.warning(
            "connection_failed",
            peer=hop.host,
            port=hop.port,
            transport=hop.transport,
            trunk=hop.trunk,
            exc_info=error,
        )
        connection.end("failed")

    # --- accepting --------------------------------------------------------------------------------

    async def _accept(self, listener: socket.socket, bind: Bind) -> None:
        loop = asyncio.get_running_loop()
        shared = self._kinds[bind.transport].is_shared
        while True:
            try:
                stream, source = await loop.sock_accept(listener)
            except OSError as error:  # the peer was faster, or there are no descriptors left
                self._counters["accept_failed"] += 1
                log.warning("accept_failed", exc_info=error)
                await asyncio.sleep(0.1)
                continue
            trunk = self._admission.admit(
                source[0], bind.transport, shared=shared, open_connections=len(self._table)
            )
            if trunk is None:
                with contextlib.suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                stream.close()
                continue
            hop = Hop(source[0], source[1], bind.transport, next(self._flows), trunk)
            self._counters["connections_in"] += 1
            connection = self._new(hop, bind, inbound=True)
            self._admission.add(connection)
            self._start_task(self._start_accepted(stream, connection))

    async def _start_accepted(self, stream: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        hop = connection.hop
        try:
            set_keepalive(stream)
            context = self._kinds[hop.transport].server_context(self._trunks.get(hop.trunk))
            async with asyncio.timeout(self._limits.connect_time):
                await loop.connect_accepted_socket(lambda: connection, stream, ssl=context)
        except (OSError, TimeoutError, ValueError) as error:
            self._on_failure(connection, error)
            stream.close()
        except asyncio.CancelledError:
            stream.close()
            raise

    def _new(self, hop: Hop, bind: Bind, *, inbound: bool) -> Connection:
        clock = asyncio.get_running_loop().time
        framer = self._kinds[hop.transport].new_framer()
        connection = Connection(
            self, hop, bind, inbound=inbound, limits=self._limits, clock=clock, framer=framer
        )
        self._table.add(connection)
        return connection

    # --- reports of connections -------------------------------------------------------------------

    def on_open(self, connection: Connection) -> bool:
        """Verify whose connection it is. False: it is closed."""
        hop = connection.hop
        kind, trunk = self._kinds[hop.transport], self._trunks.get(hop.trunk)
        connection.identities = kind.identities(connection.certificate())
        if not kind.accepts(connection.identities, trunk, inbound=connection.inbound):
            self._counters["certificates_of_others"] += 1
            log.warning("certificate_of_somebody_else", peer=hop.host, trunk=hop.trunk)
            return False
        if connection.inbound:
            self._name(connection, hop.port)
        return True

    def on_message(self, message: bytes, connection: Connection) -> None:
        """Hand on a message."""
        self._callbacks.on_message(message, connection.hop)

    def on_broken(self, broken: BrokenStream, connection: Connection) -> None:
        """Hand on the end of a stream that cannot be framed any further."""
        self._counters["streams_broken"] += 1
        self._callbacks.on_broken_stream(broken, connection.hop)

    def on_close(self, connection: Connection, reason: str) -> None:
        """Forget a connection, and report what it led to."""
        hop = connection.hop
        self._table.remove(connection)
        self._admission.remove(connection)
        if not len(self._table):
            self._emptied.set()
        if reason in _COUNTED:
            self._counters[_COUNTED[reason]] += 1
        log.debug("connection_closed", peer=hop.host, port=hop.port, reason=reason)
        addresses = frozenset(name[:3] for name in connection.names)
        self._callbacks.on_connection_lost(LostConnection(connection.flow, addresses, connection.connected))
