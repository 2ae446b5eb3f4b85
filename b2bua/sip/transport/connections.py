"""The connections over TCP and TLS: accepted, opened, found again by whom they lead to, and bounded
in number.

Rule 1: a connection is taken from addresses of trunks only, and from a trunk with TLS over TLS
        only; others are cut at accept. Where a trunk registers here, GUESTS from elsewhere are let
        in for the time that a REGISTER takes, until `adopt`.
Rule 2: one that a peer opened is used for requests to that peer too: towards the address that it
        came from, and, where its Via has `alias` (RFC 5923), towards the port in that Via.
Rule 3: who waits for a connection that fails hears of it through `lost`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.stream import Connection, Limits, set_keepalive
from b2bua.sip.transport.tls import TlsContexts, matches, names, server_name
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST and leaves nothing behind
_MAX_NAMES = 8  # a peer has a port or two, whatever it claims
_MAX_GUESTS = 100  # connections at once of whoever may be about to register
_MAX_GUESTS_PER_SOURCE = 8
_ANY = ""  # the trunk of a connection that may be used for every trunk at its address
Name = tuple[str, int, Transport, str]
_COUNTED = {
    "slow sender": "connections_slow", "peer does not read": "connections_unread", "idle": "connections_idle",
    "no answer to a ping": "connections_dead", "nobody registered": "connections_unregistered",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LostConnection:
    """A connection that is over. `connected`: whether it ever was, so that something may have
    arrived."""

    flow: int
    addresses: frozenset[tuple[str, int, Transport]]
    connected: bool

    def carries(self, hop: Hop) -> bool:
        """Whether what was sent to `hop` went over it, or would have."""
        return hop.flow == self.flow or hop[:3] in self.addresses


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the connections hand on, and what they ask. `trunks_at`: the names of the trunks at an
    address."""

    on_message: Callable[[bytes, Hop], None]
    on_broken_stream: Callable[[BrokenStream, Hop], None]
    on_connection_lost: Callable[[LostConnection], None]
    trunks_at: Callable[[str], Sequence[str]]


class Connections:
    """One an engine."""

    def __init__(
        self,
        callbacks: Callbacks,
        trunks: Mapping[str, Trunk],
        tls: TlsContexts,
        flows: Iterator[int],
        limits: Limits,
    ) -> None:
        self._callbacks = callbacks
        self._trunks = trunks
        self._tls = tls
        self._flows = flows
        self._limits = limits
        self._all: dict[int, Connection] = {}
        self._named: dict[Name, Connection] = {}
        self._dynamic = [trunk for trunk in trunks.values() if trunk.host == DYNAMIC]
        # The flows of connections that nobody has registered over yet.
        self._guests: set[int] = set()
        self._from: Counter[str] = Counter()  # connections that each source has opened
        self._emptied = asyncio.Event()
        self._listeners: list[socket.socket] = []
        self._tasks = BackgroundTasks()
        self.counters: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    # --- life -------------------------------------------------------------------------------------

    def listen(self, bind: Bind) -> int:
        """Listen; returns the port. Raises OSError."""
        family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((bind.host, bind.port))
            listener.listen(512)
        except OSError as error:
            listener.close()
            raise OSError(error.errno, error.strerror, f"{bind.transport}:{bind.host}:{bind.port}") from None
        self._listeners.append(listener)
        bind = bind._replace(port=listener.getsockname()[1])
        self._start(self._accept(listener, bind))
        return bind.port

    async def close(self, max_wait: float = 1.0) -> None:
        """Close everything, giving what was written a moment to leave."""
        await self._tasks.cancel()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._all.values()):
            connection.end("stopping")
        self._emptied.clear()
        if self._all:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), max_wait)
        for connection in list(self._all.values()):
            connection.end("stopping", abort=True)

    def tick(self, now: float) -> None:
        """To be called every second or so."""
        for connection in list(self._all.values()):
            connection.tick(now)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.start(work, "connection")

    # --- finding ----------------------------------------------------------------------------------

    def get(self, flow: int) -> Connection | None:
        return self._all.get(flow)

    def find(self, hop: Hop) -> Connection | None:
        """The connection that leads to `hop`: its flow, or else any that may be used for it."""
        by_flow = self._all.get(hop.flow)
        if by_flow is not None:
            return by_flow
        named = self._named.get((*hop[:3], hop.trunk))
        # Over TLS a connection belongs to the trunk whose certificate was asked for, and to nobody
        # else.
        if named is None and hop.transport is Transport.TCP:
            named = self._named.get((*hop[:3], _ANY))
        return named

    def add_alias(self, flow: int, port: int) -> None:
        """The peer says that it can be reached over this connection as if at `port` (RFC 5923)."""
        connection = self._all.get(flow)
        if connection is not None and connection.inbound and 0 < port < 65536:
            self._name(connection, port)

    def adopt_flow(self, flow: int, trunk: Trunk) -> bool:
        """A trunk has registered over this connection (RFC 5626 section 5.1): it is called back
        over it. False: it may not be, since that trunk shows a certificate and this connection was
        not asked for it."""
        connection = self._all.get(flow)
        if connection is None:
            return True
        if trunk.tls_verify_client and connection.hop.trunk != trunk.name:
            return False
        self._guests.discard(flow)
        connection.guest = False
        self._name(connection, connection.hop.port, trunk.name)
        return True

    def _name(self, connection: Connection, port: int, owner: str = _ANY) -> None:
        hop = connection.hop
        owners = {owner or hop.trunk}
        for trunk in owners | {_ANY} if hop.transport is Transport.TCP else owners:
            name = (hop.host, port, hop.transport, trunk)
            if len(connection.names) >= _MAX_NAMES:
                return
            older = self._named.get(name)
            if older is not None:
                older.names.discard(
                    name
                )  # the newest leads there: an older one may be a peer's that has gone
            self._named[name] = connection
            connection.names.add(name)

    # --- opening ----------------------------------------------------------------------------------

    def connect(self, hop: Hop, bind: Bind) -> Connection | None:
        """Begin to open a connection; what is sent meanwhile is queued. None: there are too
        many."""
        if len(self._all) >= self._limits.connections:
            self.counters["connections_refused_full"] += 1
            return None
        connection = self._new(hop._replace(flow=next(self._flows)), bind, inbound=False)
        trunk = self._trunks.get(hop.trunk)
        connection.keepalive = trunk.keepalive if trunk is not None else 0.0
        self._name(connection, hop.port)
        self.counters["connections_out"] += 1
        self._start(self._open(connection, trunk))
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
                if hop.transport is not Transport.TLS:
                    await loop.create_connection(lambda: connection, sock=stream)
                elif trunk is None:
                    raise OSError("no trunk to verify")
                else:
                    context = self._tls.client(trunk)
                    name = server_name(trunk)
                    await loop.create_connection(
                        lambda: connection, sock=stream, ssl=context, server_hostname=name
                    )
        except (OSError, TimeoutError, ValueError) as error:
            self._on_failure(connection, error)
            stream.close()
        except asyncio.CancelledError:
            stream.close()
            raise

    def _on_failure(self, connection: Connection, error: Exception) -> None:
        hop = connection.hop
        self.counters["connections_failed"] += 1
        log.warning(
            "connection_failed",
            peer=hop.host,
            port=hop.port,
            kind=hop.transport,
            trunk=hop.trunk,
            exc_info=error,
        )
        connection.end("failed")

    # --- accepting --------------------------------------------------------------------------------

    async def _accept(self, listener: socket.socket, bind: Bind) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                stream, source = await loop.sock_accept(listener)
            except OSError as error:  # the peer was faster, or there are no descriptors left
                self.counters["accept_failed"] += 1
                log.warning("accept_failed", exc_info=error)
                await asyncio.sleep(0.1)
                continue
            trunk = self._admit(source[0], bind.transport)
            if trunk is None:
                with contextlib.suppress(OSError):
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                stream.close()
                continue
            hop = Hop(source[0], source[1], bind.transport, next(self._flows), trunk)
            self._from[hop.host] += 1
            self.counters["connections_in"] += 1
            connection = self._new(hop, bind, inbound=True)
            if not self._callbacks.trunks_at(hop.host):
                connection.guest = True
                self._guests.add(connection.flow)
            self._start(self._start_accepted(stream, connection))

    def _admit(self, host: str, transport: Transport) -> str | None:
        """The trunk whose connection it is, `_ANY` where it may be one of several; None: it is to
        be cut."""
        found = [self._trunks[name] for name in self._callbacks.trunks_at(host) if name in self._trunks]
        if not found and self._room_for_guest(host):
            found = self._dynamic.copy()
        if transport is not Transport.TLS:
            found = [trunk for trunk in found if trunk.transport != Transport.TLS]
        if not found:
            self.counters["connections_refused_strangers"] += 1
            return None
        full = len(self._all) >= self._limits.connections
        if full or self._from[host] >= self._limits.connections_a_source:
            self.counters["connections_refused_full"] += 1
            return None
        # Of several the strictest: one that asks for a certificate is not got round by calling
        # oneself another.
        found.sort(key=lambda trunk: not trunk.tls_verify_client)
        return found[0].name if len(found) == 1 or transport is Transport.TLS else _ANY

    def _room_for_guest(self, host: str) -> bool:
        """Whether one more from there may be about to register: no source takes the places of
        all."""
        own = sum(self._all[flow].hop.host == host for flow in self._guests)
        return len(self._guests) < _MAX_GUESTS and own < _MAX_GUESTS_PER_SOURCE

    async def _start_accepted(self, stream: socket.socket, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            set_keepalive(stream)
            context = None
            if connection.hop.transport is Transport.TLS:
                context = self._tls.server(self._trunks[connection.hop.trunk])
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
        connection = Connection(self, hop, bind, inbound=inbound, limits=self._limits, clock=clock)
        self._all[hop.flow] = connection
        return connection

    # --- what connections report ------------------------------------------------------------------

    def on_open(self, connection: Connection) -> bool:
        trunk = self._trunks.get(connection.hop.trunk)
        if connection.hop.transport is Transport.TLS:
            connection.identities = names(connection.certificate())
            asked = trunk is not None and (not connection.inbound or trunk.tls_verify_client)
            if trunk is None or (asked and not matches(trunk, connection.identities)):
                self.counters["certificates_of_others"] += 1
                log.warning(
                    "certificate_of_somebody_else", peer=connection.hop.host, trunk=connection.hop.trunk
                )
                return False
        if connection.inbound:
            self._name(connection, connection.hop.port)
        return True

    def on_message(self, message: bytes, connection: Connection) -> None:
        self._callbacks.on_message(message, connection.hop)

    def on_broken(self, broken: BrokenStream, connection: Connection) -> None:
        self.counters["streams_broken"] += 1
        self._callbacks.on_broken_stream(broken, connection.hop)

    def on_close(self, connection: Connection, reason: str) -> None:
        hop = connection.hop
        del self._all[connection.flow]
        self._guests.discard(connection.flow)
        if not self._all:
            self._emptied.set()
        for name in connection.names:
            del self._named[name]
        if connection.inbound:
            self._from[hop.host] -= 1
            if not self._from[hop.host]:
                del self._from[hop.host]
        if reason in _COUNTED:
            self.counters[_COUNTED[reason]] += 1
        log.debug("connection_closed", peer=hop.host, port=hop.port, reason=reason)
        ways = frozenset(name[:3] for name in connection.names)
        self._callbacks.on_connection_lost(LostConnection(connection.flow, ways, connection.connected))
