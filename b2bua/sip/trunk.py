"""The trunks as the network sees them: their addresses, and who of those that send to us they are.

Rule 1: a trunk is known by the IP address that its host resolves to; by the port too where several share the address.
Rule 2: names are resolved at the start and every five minutes; a name that fails keeps the addresses it had.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import sipmessage

from b2bua.call.leg import Trunk
from b2bua.sip.hop import Hop
from tonewall.log import get_logger

RESOLVE_EVERY = 300.0  # seconds
_log = get_logger(__name__)


@dataclass(slots=True)
class Peer:
    """One trunk, resolved."""

    trunk: Trunk
    addresses: frozenset[str] = field(default_factory=frozenset)
    first: str = ""

    @property
    def address(self) -> Hop | None:
        """Where new calls to the trunk go; None while its name cannot be resolved."""
        return Hop(self.first, self.trunk.port, trunk=self.trunk.name) if self.first else None

    def next_hop(self, uri: str, fallback: Hop) -> Hop:
        """Where a request in a dialog goes whose next hop is `uri`.

        A name other than the trunk's own is not looked up in the middle of a call: such requests go to `fallback`, the
        address that the peer last sent from.
        """
        try:
            parsed = sipmessage.URI.parse(uri)
            port = parsed.port or 5060
            host = parsed.host.strip("[]")
            if host.lower() == self.trunk.host.lower() and self.first:
                return Hop(self.first, parsed.port or self.trunk.port, trunk=self.trunk.name)
            return Hop(str(ipaddress.ip_address(host)), port, trunk=self.trunk.name) if 0 < port < 65536 else fallback
        except (ValueError, TypeError):
            return fallback


class TrunkTable:
    """All trunks. `resolve` must have run before the others are of use."""

    def __init__(self, trunks: Sequence[Trunk]) -> None:
        self.peers = {trunk.name: Peer(trunk) for trunk in trunks}
        self._by_ip: dict[str, list[Peer]] = {}

    def knows(self, ip: str) -> bool:
        return ip in self._by_ip

    def match(self, source: Hop) -> Peer | None:
        """The trunk that this source is, or None for a stranger."""
        sharing = self._by_ip.get(source[0], [])
        if len(sharing) == 1:
            return sharing[0]
        return next((peer for peer in sharing if peer.trunk.port == source[1]), None)

    async def resolve(self, families: Container[int]) -> None:
        """Look the names up, once; only addresses of these families are of use. A name that fails is logged."""
        loop = asyncio.get_running_loop()
        for peer in self.peers.values():
            trunk = peer.trunk
            try:
                found = await loop.getaddrinfo(trunk.host, trunk.port, type=socket.SOCK_DGRAM)
            except OSError:
                _log.warning("trunk_not_resolved", trunk=trunk.name)
                continue
            addresses = [str(info[4][0]) for info in found if info[0] in families]
            if not addresses:
                _log.warning("trunk_not_resolved", trunk=trunk.name)
                continue
            peer.addresses, peer.first = frozenset(addresses), addresses[0]
        by_ip: dict[str, list[Peer]] = {}
        for peer in self.peers.values():
            for ip in peer.addresses:
                by_ip.setdefault(ip, []).append(peer)
        self._by_ip = by_ip

    async def keep_resolved(self, families: Container[int]) -> None:
        """Resolve again and again, for ever; for nothing where all hosts are addresses."""
        while not all(_is_literal(peer.trunk.host) for peer in self.peers.values()):
            await asyncio.sleep(RESOLVE_EVERY)
            await self.resolve(families)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
