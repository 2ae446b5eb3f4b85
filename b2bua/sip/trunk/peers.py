"""A trunk as the engine meets it: its hops, and their health.

Rule 1: no call waits for DNS or for a health check: what was last known is used.
"""

from __future__ import annotations

import ipaddress
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.auth.digest import Pin
from b2bua.sip.hop import Hop, Transport, is_secure
from b2bua.sip.message.uri import Uri
from b2bua.sip.trunk.health import Health
from b2bua.sip.trunk.targets import Located, numeric_host, order_hops
from tonewall.log import get_logger

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_REST = 30.0  # seconds that a hop which failed a call is spared, where no health check puts it back
MAX_FORMER = 64  # addresses that a trunk had before
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
        self.former_addresses = dict.fromkeys([*self.former_addresses, *sorted(gone)][-MAX_FORMER:])
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
