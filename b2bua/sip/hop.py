"""Hops: the address and transport that a SIP message goes to or came from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

Address = tuple[str, int]  # a numeric host and a port of ours


class Transport(StrEnum):
    """A transport of RFC 3261 section 18, as a URI's transport parameter names it.

    Via has the name in capitals. A new transport is a line here, a row in TRAITS, and a row in
    `Transports._new_carriers`.
    """

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits, and messages in it have to be framed."""
        return TRAITS[self].reliable

    @property
    def secure(self) -> bool:
        """Whether the peer may be known by a certificate."""
        return TRAITS[self].secure

    @property
    def default_port(self) -> int:
        """The port where a URI names none (RFC 3261 section 19.1.2)."""
        return TRAITS[self].default_port

    @property
    def uri_parameter(self) -> str:
        """The transport parameter of a SIP URI; "" for UDP, its default."""
        return f";transport={self}" if self.reliable else ""


class Traits(NamedTuple):
    """Constants of one transport. `naptr`: its service, `srv`: the label of its SRV names (RFC 3263
    section 4.1)."""

    reliable: bool
    secure: bool
    default_port: int
    naptr: str
    srv: str


TRAITS = {
    Transport.UDP: Traits(False, False, 5060, "SIP+D2U", "_sip._udp"),
    Transport.TCP: Traits(True, False, 5060, "SIP+D2T", "_sip._tcp"),
    Transport.TLS: Traits(True, True, 5061, "SIPS+D2T", "_sips._tcp"),
}
_SECURE = frozenset(transport.value for transport in Transport if transport.secure)


def is_secure(transport: str) -> bool:
    """Tell whether a transport, by its name in settings or in a URI, is secure; "" is not."""
    return transport in _SECURE


class Hop(NamedTuple):
    """One way to a peer. `host` is numeric.

    `flow`: the socket or connection of ours that a message came over, and that its answer leaves
    by; 0 for whichever fits. `trunk`: whose settings hold for a connection that has to be opened
    (certificates, local address); "" for none.
    """

    host: str
    port: int
    transport: Transport = Transport.UDP
    flow: int = 0
    trunk: str = ""


class Bind(NamedTuple):
    """An address to listen on. `host` is numeric, perhaps the wildcard; port 0 takes a free one.

    `advertised`, `advertised_port`: the address that peers see, behind NAT; "" and 0 where it is
    the bound one.
    """

    transport: Transport
    host: str
    port: int
    advertised: str = ""
    advertised_port: int = 0
