"""Admission of connections that peers open: whose they are, and how many there may be.

Rule 1: a connection is accepted from addresses of trunks only, and from a trunk with TLS over TLS
        only; any other is cut at accept.
Rule 2: where a trunk registers here, MAX_GUESTS from elsewhere are let in for the time that a
        REGISTER takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.hop import Transport, is_secure
from b2bua.sip.transport.connection_table import ANY_TRUNK
from b2bua.sip.transport.stream import Connection, Limits

MAX_GUESTS = 100  # connections at once of peers that may be about to register
_MAX_GUESTS_PER_SOURCE = 8


class Admission:
    """One per engine. `trunks_at`: the names of the trunks at an address."""

    def __init__(
        self,
        trunks: Mapping[str, Trunk],
        trunks_at: Callable[[str], Sequence[str]],
        limits: Limits,
        counters: Counter[str],
    ) -> None:
        self._trunks = trunks
        self._trunks_at = trunks_at
        self._limits = limits
        self._counters = counters
        self._guests: dict[int, str] = {}  # sources by flow, until they register
        self._accepted: Counter[str] = Counter()  # open connections by source

    def admit(self, host: str, transport: Transport, *, shared: bool, open_connections: int) -> str | None:
        """Name the trunk whose connection it is; ANY_TRUNK for one of several; None: to be cut."""
        found = [self._trunks[name] for name in self._trunks_at(host) if name in self._trunks]
        if not found and self._has_room_for_guest(host):
            found = [trunk for trunk in self._trunks.values() if trunk.host == DYNAMIC]
        if not transport.secure:
            found = [trunk for trunk in found if not is_secure(trunk.transport)]
        if not found:
            self._counters["connections_refused_strangers"] += 1
            return None
        is_full = open_connections >= self._limits.connections
        if is_full or self._accepted[host] >= self._limits.connections_a_source:
            self._counters["connections_refused_full"] += 1
            return None
        # Of several the strictest: a peer does not get round a certificate by using another name.
        found.sort(key=lambda trunk: not trunk.tls_verify_client)
        return found[0].name if len(found) == 1 or not shared else ANY_TRUNK

    def _has_room_for_guest(self, host: str) -> bool:
        """Tell whether one more may be about to register: no source takes the places of all."""
        own = sum(source == host for source in self._guests.values())
        return len(self._guests) < MAX_GUESTS and own < _MAX_GUESTS_PER_SOURCE

    def add(self, connection: Connection) -> None:
        """Count a connection that was accepted; one from no trunk's address is a guest."""
        host = connection.hop.host
        self._accepted[host] += 1
        if not self._trunks_at(host):
            connection.guest = True
            self._guests[connection.flow] = host

    def adopt(self, connection: Connection) -> None:
        """Make a guest that has registered a trunk's connection."""
        self._guests.pop(connection.flow, None)
        connection.guest = False

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._guests.pop(connection.flow, None)
        host = connection.hop.host
        if connection.inbound:
            self._accepted[host] -= 1
            if not self._accepted[host]:
                del self._accepted[host]
