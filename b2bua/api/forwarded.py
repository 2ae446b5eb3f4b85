"""Takes a request's source address from X-Forwarded-For, where a proxy of ours sent it, and from
X-Forwarded-Proto that it came by HTTPS.

Rule 1: the header counts only from an address that `trusted` has; read from its end, the first
        address that is no proxy of ours is the source. What stands before that, anybody wrote.
Rule 2: what is no address is not taken over: it would get into logs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Forwarded:
    """ASGI middleware that sets the client of a request; outside of all that look at it."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        """`trusted`: the proxies before us."""
        self._app, self._trusted = app, tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client") and self._is_proxy(scope["client"][0]):
            names = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
            source = self._source(b",".join(names).decode("latin-1"))
            if source:
                scope["client"] = (source, 0)
            if (b"x-forwarded-proto", b"https") in scope["headers"]:
                scope["scheme"] = "https"
        await self._app(scope, receive, send)

    def _source(self, header: str) -> str:
        """The address next to our proxies; "" where there is none."""
        for entry in reversed(header.split(",")):
            address = _parse(entry.strip())
            if address is None:
                return ""
            if not self._is_proxy(address):
                return address
        return ""

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _parse(entry: str) -> str | None:
    """An address, without a port and brackets; None for anything else."""
    host = entry.rpartition(":")[0] if entry.count(":") == 1 else entry
    if entry.startswith("["):
        host = entry[1:].partition("]")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
