"""All trunks, and whose each source is.

Rule 1: a trunk is known by the IP addresses that its host resolves to, all SRV targets' included,
        and by its networks; by the port too where several trunks share an address.
Rule 2: a request outside of a dialog comes from where the trunk is now; one in a dialog also from
        where it was before, if the dialog's own last came from there.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Bind, Hop
from b2bua.sip.message.compose import hostport
from b2bua.sip.trunk.peers import MAX_FORMER, Peer, networks_of
from b2bua.sip.trunk.targets import Located


class TrunkTable:
    """All trunks, and who of them a source is."""

    def __init__(self, trunks: Sequence[Trunk], retired: Sequence[Trunk] = ()) -> None:
        """`retired`: they are gone, but may have legs. Raises ValueError where a network is not
        CIDR."""
        self.peers = {trunk.name: Peer(trunk, networks_of(trunk)) for trunk in (*trunks, *retired)}
        for trunk in retired:
            self.peers[trunk.name].is_retired = True
        # The address of ours that a message came in on.
        self.find_bind: Callable[[Hop], Bind | None] = lambda hop: None
        self._by_ip: dict[str, list[Peer]] = {}
        self._former: set[str] = set()
        self._with_networks = [peer for peer in self.peers.values() if peer.networks]

    def change(self, trunks: Sequence[Trunk]) -> None:
        """Have these trunks from now on. One that is gone stays known, retired, until
        `forget_retired`."""
        names = {trunk.name for trunk in trunks}
        for name, peer in self.peers.items():
            peer.is_retired = name not in names
        for trunk in trunks:
            if (known := self.peers.get(trunk.name)) is not None:
                known.change(trunk)
            else:
                self.peers[trunk.name] = Peer(trunk, networks_of(trunk))
        self._with_networks = [peer for peer in self.peers.values() if peer.networks]
        self._index()

    def forget_retired(self, in_use: Container[str]) -> None:
        """Know no retired trunk any more, but those in use."""
        for name in [each for each, peer in self.peers.items() if peer.is_retired and each not in in_use]:
            del self.peers[name]
        self._with_networks = [peer for peer in self.peers.values() if peer.networks]
        self._index()

    def set_located(self, peer: Peer, located: Located) -> None:
        """What DNS says of a peer from now on."""
        peer.set_located(located)
        self._index()

    def _index(self) -> None:
        self._by_ip = {}
        for each in self.peers.values():
            for ip in each.addresses:
                self._by_ip.setdefault(ip, []).append(each)
        self._former = {ip for each in self.peers.values() for ip in each.former_addresses}

    def add_former_address(self, peer: Peer, ip: str) -> None:
        """A trunk that registers here has proved from this address who it is, or has a leg there:
        its dialogs from there are read from now on."""
        peer.former_addresses.pop(ip, None)
        peer.former_addresses = dict.fromkeys([*peer.former_addresses, ip][-MAX_FORMER:])
        self._former = {ip for each in self.peers.values() for ip in each.former_addresses}

    def is_on_bind(self, peer: Peer, source: Hop) -> bool:
        """Whether what comes from there came in on the address of ours that the trunk is tied to
        (`bind`), if it is to any."""
        wanted, bind = peer.trunk.bind, self.find_bind(source) if peer.trunk.bind else None
        return bind is None or wanted in {bind.host, hostport(bind.host, bind.port)}

    def peers_at(self, ip: str) -> list[Peer]:
        """The trunks that are at an address, or were."""
        here = self._by_ip.get(ip)
        if here is not None:
            return here
        former = (
            [peer for peer in self.peers.values() if ip in peer.former_addresses]
            if ip in self._former
            else []
        )
        return former + [peer for peer in self._with_networks if peer.prefix_length(ip) is not None]

    def is_known_source(self, source: Hop) -> bool:
        """Whether what comes from there is worth reading."""
        return any(peer.accepts_transport(source.transport) for peer in self.peers_at(source.host))

    def behind_nat(self, source: Hop) -> bool:
        """Whether what comes from there is a trunk's behind NAT."""
        peer = self.find_peer(source)
        return (
            peer.behind_nat
            if peer is not None
            else any(each.behind_nat for each in self.peers_at(source.host))
        )

    def trunks_at(self, ip: str) -> list[str]:
        """Name the trunks at an address."""
        return [peer.trunk.name for peer in self.peers_at(ip)]

    def hops(self) -> list[Hop]:
        """All ways to all trunks."""
        return [hop for peer in self.peers.values() for hop in peer.health]

    def find_peer(self, source: Hop, user: str = "") -> Peer | None:
        """The trunk that this source is, or None for a stranger. `user`: of the Request-URI; where
        several trunks are at one address, it may be the one that we registered at."""
        here = self._by_ip.get(source.host, ())
        sharing = [
            peer
            for peer in here
            if not peer.is_retired
            and peer.accepts_transport(source.transport)
            and self.is_on_bind(peer, source)
        ]
        if len(sharing) == 1:
            return sharing[0]
        if sharing:
            return self._choose_sharing(sharing, source, user)
        wide = [
            peer
            for peer in self._with_networks
            if not peer.is_retired
            and peer.accepts_transport(source.transport)
            and self.is_on_bind(peer, source)
        ]
        around = [(width, peer) for peer in wide if (width := peer.prefix_length(source.host)) is not None]
        widest = max((width for width, _ in around), default=0)
        narrowest = [peer for width, peer in around if width == widest]
        return narrowest[0] if len(narrowest) == 1 else None

    def _choose_sharing(self, sharing: list[Peer], source: Hop, user: str) -> Peer | None:
        """Which of the trunks at one address: the one where we are registered as that user, the one
        with that port or connection, or else the only one with that transport."""
        registered = [peer for peer in sharing if user and peer.trunk.register and peer.trunk.user == user]
        if len(registered) == 1:
            return registered[0]
        exact = [peer for peer in sharing if any(source[:2] == hop[:2] for hop in peer.health)]
        alike = [peer for peer in sharing if any(source.transport is hop.transport for hop in peer.health)]
        return next((found[0] for found in (exact, alike) if len(found) == 1), exact[0] if exact else None)

    def counters(self, now: float) -> dict[str, int]:
        """How many hops there are now, and how many of them take no calls."""
        usable = [peer.usable(hop, now) for peer in self.peers.values() for hop in list(peer.health)]
        return {"hops": len(usable), "hops_out": usable.count(False)}
