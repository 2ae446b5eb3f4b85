"""Connections by flow number, and by the address that they lead to.

Rule 1: a connection that a peer opened is used for requests to that peer too: to the address that
        it came from, and, where its Via has `;alias` (RFC 5923), to the port in that Via.
Rule 2: over TLS a connection belongs to the trunk whose certificate was asked for, and to no other.
"""

from __future__ import annotations

from collections.abc import Iterator

from b2bua.sip.hop import Hop, Transport
from b2bua.sip.transport.stream import Connection

ANY_TRUNK = ""  # the trunk of a connection that every trunk at its address may use
_MAX_NAMES = 8  # of one connection: a peer has a port or two, whatever it claims
_Name = tuple[str, int, Transport, str]


class ConnectionTable:
    """The open connections of one engine, and those being opened."""

    def __init__(self) -> None:
        self._by_flow: dict[int, Connection] = {}
        self._by_name: dict[_Name, Connection] = {}

    def __len__(self) -> int:
        return len(self._by_flow)

    def __iter__(self) -> Iterator[Connection]:
        """Iterate over a copy: a connection may be removed meanwhile."""
        return iter(list(self._by_flow.values()))

    def add(self, connection: Connection) -> None:
        """Add a connection under its flow number, without a name yet."""
        self._by_flow[connection.flow] = connection

    def remove(self, connection: Connection) -> None:
        """Remove a connection and its names."""
        del self._by_flow[connection.flow]
        for name in connection.names:
            del self._by_name[name]

    def get(self, flow: int) -> Connection | None:
        """Find a connection by its flow number."""
        return self._by_flow.get(flow)

    def find(self, hop: Hop, *, shared: bool) -> Connection | None:
        """Find the connection to `hop`: its flow, or any that may be used for its trunk."""
        by_flow = self._by_flow.get(hop.flow)
        if by_flow is not None:
            return by_flow
        named = self._by_name.get((*hop[:3], hop.trunk))
        if named is None and shared:
            named = self._by_name.get((*hop[:3], ANY_TRUNK))
        return named

    def name(self, connection: Connection, port: int, *, shared: bool, trunk: str = "") -> None:
        """Find a connection by its peer's host and this port from now on.

        `trunk`: whose connection it is; by default the one in its hop.
        """
        hop = connection.hop
        owner = trunk or hop.trunk
        for each in {owner, ANY_TRUNK} if shared else {owner}:
            name = (hop.host, port, hop.transport, each)
            if len(connection.names) >= _MAX_NAMES:
                return
            # The newest leads there: an older one may be a peer's that has gone.
            older = self._by_name.get(name)
            if older is not None:
                older.names.discard(name)
            self._by_name[name] = connection
            connection.names.add(name)
