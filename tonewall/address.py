"""Address of this machine, as settings name it."""

from __future__ import annotations

import ipaddress


def own_address(value: str) -> str:
    """The value, where it may stand in SDP as ours, or is empty. Raises ValueError."""
    if not value:
        return value
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("expected a numeric IP address") from None
    if address.is_unspecified:
        raise ValueError("expected one address of this machine, not the wildcard: it is written into SDP")
    return value


def base_url(host: str, port: int, scheme: str = "http") -> str:
    """Base of the URLs at that address."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
