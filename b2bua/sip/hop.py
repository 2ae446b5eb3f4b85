"""Where a SIP message goes to, or came from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

Address = tuple[str, int]  # a numeric host and a port of ours


class Transport(StrEnum):
    """The transports of RFC 3261 section 18, by the name that a URI's transport parameter has; Via
    has it in capitals."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def reliable(self) -> bool:
        """Whether nothing need be sent again, and messages have to be framed."""
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        return 5061 if self is Transport.TLS else 5060


class Hop(NamedTuple):
    """One way to a peer. `host` is numeric.

    `flow`: the socket or connection of ours that it came over and that answers go back on; 0:
    whichever fits. `trunk`: whose settings hold for a connection that has to be opened
    (certificates, local address); "" for none.
    """

    host: str
    port: int
    transport: Transport = Transport.UDP
    flow: int = 0
    trunk: str = ""


class Bind(NamedTuple):
    """An address that we listen on. `host` is numeric, perhaps the wildcard; port 0 takes a free
    one.

    `advertised`, `advertised_port`: what peers see instead, behind NAT; "" and 0 where they see
    what is bound.
    """

    transport: Transport
    host: str
    port: int
    advertised: str = ""
    advertised_port: int = 0
