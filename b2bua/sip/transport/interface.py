"""Interfaces of the transports: a transport, the streams of one, and the engine's callbacks.

Rule 1: nothing waits in a transport: it accepts a message or refuses it; a connection that fails
        later is reported once, with `on_connection_lost`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Protocol

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Hop, Transport
from b2bua.sip.transport.bound_sockets import BoundSocket
from b2bua.sip.transport.framer import BrokenStream, Framer


@dataclass(frozen=True, slots=True)
class LostConnection:
    """A connection that has ended. `connected`: whether it was ever open, so that a message may
    have arrived."""

    flow: int
    addresses: frozenset[tuple[str, int, Transport]]
    connected: bool

    def carries(self, hop: Hop) -> bool:
        """Whether a message to `hop` went over it, or would have."""
        return hop.flow == self.flow or hop[:3] in self.addresses


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The engine, as its transports see it. `trunks_at`: the names of the trunks at an address."""

    on_message: Callable[[bytes, Hop], None]
    on_broken_stream: Callable[[BrokenStream, Hop], None]
    on_connection_lost: Callable[[LostConnection], None]
    trunks_at: Callable[[str], Sequence[str]]


class SipTransport(Protocol):
    """One transport of RFC 3261 section 18, over all our addresses; on one event loop."""

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Load what messages to a trunk need. Raises OSError for a file of no use."""
        ...

    def adopt_socket(self, bound: BoundSocket, flow: int) -> None:
        """Use a bound socket, under that flow number; nothing is received yet."""
        ...

    def start(self) -> None:
        """Receive and accept on the running loop, beginning with what has waited."""
        ...

    def send_message(self, message: bytes, hop: Hop) -> bool:
        """Send or queue one message. False: there is no way to that hop."""
        ...

    def reaches(self, hop: Hop) -> bool:
        """Tell whether a message can be sent to that hop without opening a connection."""
        ...

    def find_bind(self, flow: int) -> Bind | None:
        """Find the address of ours that a flow belongs to; None for a flow of no connection."""
        ...

    def add_alias(self, flow: int, port: int) -> None:
        """Use a connection of the peer's for requests to that port of it, too (RFC 5923)."""
        ...

    def adopt_flow(self, flow: int, trunk: Trunk) -> bool:
        """Call a trunk back over the flow that it registered on (RFC 5626). False: not allowed."""
        ...

    def tick(self, now: float) -> None:
        """Send keep-alives and close what is idle; called twice a second."""
        ...

    def pause(self) -> None:
        """Read no bound socket any more: what comes waits in it."""
        ...

    async def close(self) -> None:
        """Close every socket, after a moment for queued messages to leave."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return totals by name."""
        ...


class StreamKind(Protocol):
    """How the connections of one stream transport are secured and framed.

    `is_shared`: whether a connection serves every trunk at its address, or only the one whose
    certificate was verified.
    """

    is_shared: bool

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Load the files of a trunk. Raises OSError for one of no use."""
        ...

    def client_arguments(self, trunk: Trunk | None) -> dict[str, Any]:
        """Return asyncio's arguments for opening a connection. Raises OSError."""
        ...

    def server_context(self, trunk: Trunk | None) -> SSLContext | None:
        """Return the context for accepting a connection; None without TLS. Raises OSError."""
        ...

    def identities(self, certificate: Mapping[str, Any] | None) -> frozenset[str]:
        """Read the names of a verified certificate, as `getpeercert` gives it."""
        ...

    def accepts(self, identities: frozenset[str], trunk: Trunk | None, *, inbound: bool) -> bool:
        """Tell whether a peer of these names may use the connection as that trunk."""
        ...

    def new_framer(self) -> Framer:
        """Return a framer for one connection."""
        ...
