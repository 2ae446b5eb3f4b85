"""Peers: the hops of each trunk and their health, and the trunk of each source.

Rule 1: a trunk is known by the IP addresses that its host resolves to, all SRV targets' included,
        and by its networks; by the port too where several trunks share an address.
Rule 2: a request outside of a dialog comes from where the trunk is now; one in a dialog also from
        where it was before, if the dialog's own last came from there.
Rule 3: no call waits for DNS or for a health check: what was last known is used.
"""

from __future__ import annotations

import ipaddress
import math
import random
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.auth.digest import Pin
from b2bua.sip.hop import Bind, Hop, Transport, is_secure
from b2bua.sip.message.compose import hostport
from b2bua.sip.message.uri import Uri
from b2bua.sip.trunk.health import Health
from b2bua.sip.trunk.targets import Located, numeric_host, order_hops
from tonewall.log import get_logger

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_REST = 30.0  # seconds that a hop which failed a call is spared, where no health check puts it back
_MAX_FORMER = 64  # addresses that a trunk had before
_MIN_RETRY_AFTER = 5  # the least seconds of our own Retry-After
# A URI as nearly all are: one user at most, nothing escaped, no parameter but the transport. Others
# are parsed.
_PLAIN = re.compile(
    r"sips?:(?:[A-Za-z0-9._+-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*)(?::([0-9]{1,5}))?(?:;transport=(udp|tcp|tls))?",
    re.IGNORECASE,
)
log = get_logger(__name__)


@dataclass(slots=True)
class Peer:
    """One trunk: what DNS said of it and what is heard of its hops."""

    trunk: Trunk
    networks: tuple[Network, ...] = ()
    located: Located = field(default_factory=lambda: Located((), 0.0))
    addresses: frozenset[str] = frozenset()
    former_addresses: dict[str, None] = field(default_factory=dict)
    health: dict[Hop, Health] = field(default_factory=dict)
    pin: Pin = field(default_factory=Pin)
    # The route of new calls, as the registrar wants it (RFC 3608).
    service_route: tuple[str, ...] = ()
    is_retired: bool = False  # no trunk of the settings any more: its calls go on, and none begins

    def __post_init__(self) -> None:
        self.pin.realm = self.trunk.realm or None

    def change(self, trunk: Trunk) -> None:
        """Be this trunk from now on. What is known of its addresses stays until DNS is asked."""
        if (trunk.realm, trunk.username, trunk.password) != (
            self.trunk.realm, self.trunk.username, self.trunk.password,
        ):  # fmt: skip
            self.pin = Pin(trunk.realm or None)
        self.trunk, self.networks, self.is_retired = trunk, networks_of(trunk), False

    # --- where it is ------------------------------------------------------------------------------

    def set_located(self, located: Located) -> None:
        """What DNS says from now on. Hops that stay keep their health."""
        gone = self.addresses - located.addresses
        self.former_addresses = dict.fromkeys([*self.former_addresses, *sorted(gone)][-_MAX_FORMER:])
        self.located, self.addresses = located, located.addresses
        hops = order_hops(located.targets, self.trunk.name, lambda: 0.0)
        self.health = {hop: self.health.get(hop) or Health() for hop in hops}

    def sends_from(self, ip: str) -> bool:
        """Whether new requests from this address are the trunk's."""
        return ip in self.addresses or self.prefix_length(ip) is not None

    def may_challenge(self, source: Hop, uri: str) -> bool:
        """Whether a challenge from this source to a request for this URI is the trunk's own: both
        are the trunk's, and not those of somebody whom it only puts us through to."""
        return (
            source.host in self.addresses
            and self.accepts_transport(source.transport)
            and self.find_hop(uri) is not None
        )

    def prefix_length(self, ip: str) -> int | None:
        """The prefix length of the narrowest of its networks that has this address."""
        if not self.networks:
            return None
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return None
        return max((network.prefixlen for network in self.networks if address in network), default=None)

    def find_hop(self, uri: str) -> Hop | None:
        """The way to a URI whose host is one of the trunk's own, by name or address; None for any
        other."""
        at = _parse_address(uri)
        if at is None:
            return None
        host, port, transport = at
        name = host.lower()
        for target in self.located.targets:
            if target.addresses and name == target.name.strip("[]").lower():
                port = port or target.port
                return Hop(
                    target.addresses[0],
                    port,
                    self._choose_transport(transport, target.transport),
                    trunk=self.trunk.name,
                )
        if name == self.trunk.host.lower() and self.located.targets:
            first = self.located.targets[0].hops(self.trunk.name)[0]
            return first._replace(
                port=port or first.port, transport=self._choose_transport(transport, first.transport)
            )
        return self._numeric_hop(host, port, transport) if numeric_host(host) in self.addresses else None

    @property
    def behind_nat(self) -> bool:
        """Whether its addresses are its own view of itself, so that it is reached where it came
        from."""
        return self.trunk.nat or self.trunk.host == DYNAMIC

    def has_hop(self, hop: Hop) -> bool:
        """Whether a hop is one that the trunk can be called at."""
        return any(hop[:3] == own[:3] for own in self.health)

    def next_hop(self, uri: str, fallback: Hop, *, stays: bool = False) -> Hop:
        """Where a request in a dialog goes whose next hop is `uri`.

        A name other than the trunk's own is not looked up in the middle of a call: such requests go
        to `fallback`, the address that the peer last sent from. There goes everything to one that
        registers here, and with `stays`: what its Contact names is its own view of itself, from
        behind whatever it came through.
        """
        if stays or self.trunk.host == DYNAMIC:
            return fallback
        own = self.find_hop(uri)
        if own is not None:
            return own
        at = _parse_address(uri)
        return fallback if at is None or numeric_host(at[0]) is None else self._numeric_hop(*at)

    def _numeric_hop(self, host: str, port: int, transport: Transport | None) -> Hop:
        transport = self._choose_transport(transport, Transport(self.trunk.transport or Transport.UDP))
        return Hop(
            numeric_host(host) or host, port or transport.default_port, transport, trunk=self.trunk.name
        )

    def _choose_transport(self, named: Transport | None, own: Transport) -> Transport:
        """Return the transport that a URI names, or else the trunk's own; with TLS nothing less."""
        return own if own.secure or named is None else named

    def accepts_transport(self, transport: Transport) -> bool:
        """Whether a message over this transport can be the trunk's. From one with TLS it comes over
        TLS: without, all that is known of it is its address, which anybody can write into a
        datagram."""
        return transport.secure or not is_secure(self.trunk.transport)

    # --- how it is --------------------------------------------------------------------------------

    def hops(self, now: float, draw: Callable[[], float] = random.random) -> list[Hop]:
        """Where a new call goes, in the order in which it tries them; none while all are out or no
        name is resolved."""
        return [
            hop for hop in order_hops(self.located.targets, self.trunk.name, draw) if self.usable(hop, now)
        ]

    def uri_host(self, hop: Hop) -> tuple[str, int | None]:
        """Host and port of the trunk in URIs of ours; of one that registers here, what it came
        from."""
        if self.trunk.host == DYNAMIC:
            return hop.host, hop.port
        return self.trunk.host, None if self.trunk.port in {0, 5060} else self.trunk.port

    def all_hops(self) -> list[Hop]:
        """Also those that are out."""
        return list(self.health)

    def usable(self, hop: Hop, now: float) -> bool:
        """Tell whether calls are sent to a hop now."""
        health = self.health.get(hop)
        if health is None:
            return False  # DNS took it away
        self._log_change(hop, lambda: health.expire(now))
        return health.usable

    def record_success(self, hop: Hop) -> None:
        """Something alive answered there."""
        health = self.health.get(hop)
        if health is not None:
            self._log_change(hop, health.record_success)

    def record_failure(self, hop: Hop, now: float) -> None:
        """Nothing answered, or a 503 to an OPTIONS.

        Without health checks nobody would find out that it is back: it rests instead, unless it is
        the only one.
        """
        health = self.health.get(hop)
        if health is not None and self.trunk.probe:
            self._log_change(hop, health.record_failure)
        elif health is not None and len(self.health) > 1:
            self._log_change(hop, lambda: health.start_rest(now, DEFAULT_REST))

    def start_rest(self, hop: Hop, now: float, seconds: float) -> None:
        """It said when to come back."""
        health = self.health.get(hop)
        if health is not None:
            self._log_change(hop, lambda: health.start_rest(now, seconds))

    def retry_after(self, now: float) -> int:
        """In how many seconds a hop may be back, for our own Retry-After: the end of the first
        rest, or a health check."""
        waits = [health.rest_until - now for health in self.health.values() if health.rest_until > now]
        return max(_MIN_RETRY_AFTER, math.ceil(min([*waits, self.trunk.probe or DEFAULT_REST])))

    def _log_change(self, hop: Hop, happen: Callable[[], None]) -> None:
        health = self.health[hop]
        was = health.state
        happen()
        if health.state is not was:
            report = log.info if health.usable else log.warning
            report("hop", trunk=self.trunk.name, peer=hop.host, port=hop.port, state=health.state.value)


def networks_of(trunk: Trunk) -> tuple[Network, ...]:
    """Where its requests may come from besides its addresses. Raises ValueError where one is not
    CIDR."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in trunk.networks)


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
        peer.former_addresses = dict.fromkeys([*peer.former_addresses, ip][-_MAX_FORMER:])
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


def _parse_address(uri: str) -> tuple[str, int, Transport | None] | None:
    """Host (without brackets), port (0: none) and transport (None: none named) of a SIP URI; None
    where it is not one."""
    plain = _PLAIN.fullmatch(uri)
    if plain is not None and int(plain[2] or 0) < 65536:
        return plain[1], int(plain[2] or 0), Transport(plain[3].lower()) if plain[3] else None
    try:
        parsed = Uri.parse(uri)
    except ValueError:
        return None
    if parsed.scheme not in {"sip", "sips"}:
        return None
    named = parsed.parameter_map.get("transport", "").lower()
    return parsed.host, parsed.port or 0, Transport(named) if named in set(Transport) else None
