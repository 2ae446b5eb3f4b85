"""Local address on the way to a peer, and the MTU of the path."""

from __future__ import annotations

import socket
from typing import NamedTuple

_IP_MTU, _IPV6_MTU = 14, 24  # linux/in.h, linux/in6.h; the socket module has no names for them
_MAX_KNOWN = 1000
_LIFETIME = 60.0  # seconds


class LocalAddress(NamedTuple):
    """`address`: ours. `mtu`: bytes, of the path as far as the kernel knows it."""

    address: str
    mtu: int


class LocalAddresses:
    """Asks the kernel, and remembers for a minute."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, LocalAddress]] = {}

    def find(self, host: str, now: float) -> LocalAddress:
        """The path to a numeric host."""
        known = self._known.get(host)
        if known is None or now - known[0] > _LIFETIME:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[host] = now, _ask_kernel(host)
        return known[1]


def _ask_kernel(host: str) -> LocalAddress:
    """Connecting a UDP socket sends nothing, and picks the route."""
    six = ":" in host
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            level, option = (socket.IPPROTO_IPV6, _IPV6_MTU) if six else (socket.IPPROTO_IP, _IP_MTU)
            return LocalAddress(str(probe.getsockname()[0]), probe.getsockopt(level, option))
        except OSError:
            return LocalAddress("::1" if six else "127.0.0.1", 1500)
