"""Our own address on the way to a peer, and how large a datagram to it may be."""

from __future__ import annotations

import socket
from typing import NamedTuple

_IP_MTU, _IPV6_MTU = 14, 24  # linux/in.h, linux/in6.h; the socket module has no names for them
_MOST = 1000
_FRESH = 60.0  # seconds


class Path(NamedTuple):
    """`address`: ours. `mtu`: bytes, of the path as far as the kernel knows it."""

    address: str
    mtu: int


class Paths:
    """Asks the kernel, and remembers for a minute."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Path]] = {}

    def to(self, host: str, now: float) -> Path:
        """The path to a numeric host."""
        known = self._known.get(host)
        if known is None or now - known[0] > _FRESH:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[host] = now, _ask(host)
        return known[1]


def _ask(host: str) -> Path:
    """Connecting a UDP socket sends nothing, and picks the route."""
    six = ":" in host
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
            level, option = (socket.IPPROTO_IPV6, _IPV6_MTU) if six else (socket.IPPROTO_IP, _IP_MTU)
            return Path(str(probe.getsockname()[0]), probe.getsockopt(level, option))
        except OSError:
            return Path("::1" if six else "127.0.0.1", 1500)
