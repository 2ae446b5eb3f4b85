"""Who may speak for a leg: the address from SDP and nobody else. The reference of the core's
`media/core/rtp/source.c`.

Rule 1: without `latch`, only the exact address and port from SDP are heard.
Rule 2: with `latch` (trunks with `nat = yes`), the first well-formed RTP packet from the SDP
        address's network (IPv4 /24, IPv6 /64) is locked as source and destination, until SDP names
        another address. Of what is not RTP (T.38 over UDPTL) any datagram from there is. The SDP's
        own address and port take the place of another of that network for `EXACT_GRACE` seconds
        after that was locked: who races the peer from next door has not won.
Rule 3: an SDP address that is private (RFC 1918, RFC 6598, link-local, RFC 4193) says nothing about
        where the packets will come from: there any network may be the first. This is the price of
        NAT; first come is trusted.
Rule 4: RTCP is locked to the host of the locked RTP, so after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Host = IPv4Address | IPv6Address
Address = tuple[str, int]

_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7",
        "fe80::/10",
    )
)  # fmt: skip


EXACT_GRACE = 2.0


@dataclass(slots=True)
class Source:
    """One socket's peer. `signalled` None: no peer, nothing is admitted."""

    signalled: Address | None = None
    latch: bool = False
    locked: bool = False
    current: Address | None = None
    locked_at: float = 0.0

    def set(self, signalled: Address | None, latch: bool) -> None:
        """What SDP says. The same address again keeps what was locked."""
        if signalled is not None and (signalled, latch) == (self.signalled, self.latch):
            return
        self.signalled = self.current = signalled
        self.latch, self.locked = latch, False

    def admits(self, origin: Address, valid: bool, paired: Source | None = None, now: float = 0.0) -> bool:
        """Whether a packet from `origin` is the peer's. `paired`: the RTP source, where this one is
        its RTCP source. `now` in seconds of a steady clock."""
        if self.signalled is None:
            return False
        if not self.waits(origin, now):
            return origin == self.current
        host = ip_address(origin[0])
        if not valid or host.version != ip_address(self.signalled[0]).version:
            return False
        if not (
            _is_near(host, ip_address(self.signalled[0]))
            if paired is None
            else paired.is_locked_to(origin[0])
        ):
            return False
        self.current, self.locked, self.locked_at = origin, True, now
        return True

    def waits(self, origin: Address, now: float) -> bool:
        """Whether only a good packet from there would be admitted, and be locked."""
        better = now < self.locked_at + EXACT_GRACE and origin == self.signalled != self.current
        return self.latch and (not self.locked or better)

    def is_locked_to(self, host: str) -> bool:
        """Whether the source is locked, and to this host."""
        return self.locked and self.current is not None and self.current[0] == host


def _is_near(host: Host, signalled: Host) -> bool:
    if any(signalled in network for network in _PRIVATE if network.version == signalled.version):
        return True
    return host in ip_network(f"{signalled}/{24 if signalled.version == 4 else 64}", strict=False)
