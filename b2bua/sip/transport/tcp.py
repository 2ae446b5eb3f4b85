"""SIP over TCP: streams without a certificate, which every trunk at an address may share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.transport.framer import Framer


class TcpStreams:
    """The stream kind of TCP."""

    is_shared = True

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Nothing to load."""

    def client_arguments(self, trunk: Trunk | None) -> dict[str, Any]:
        """No TLS."""
        return {}

    def server_context(self, trunk: Trunk | None) -> None:
        """No TLS."""

    def identities(self, certificate: Mapping[str, Any] | None) -> frozenset[str]:
        """No names: there is no certificate."""
        return frozenset()

    def accepts(self, identities: frozenset[str], trunk: Trunk | None, *, inbound: bool) -> bool:
        """Accept any peer that admission let in."""
        return True

    def new_framer(self) -> Framer:
        """Frame by Content-Length (RFC 3261 section 18.3)."""
        return Framer()
