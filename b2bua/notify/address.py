"""Checks to which URLs messages may be sent: HTTPS, and plain HTTP on loopback alone."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import urlsplit


def check_url(url: str) -> str:
    """The URL, where messages may be sent to it. Raises ValueError, which does not quote it."""
    expected = "expected https://HOST/PATH, or http:// of a loopback address"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(expected) from None
    is_loopback = host == "localhost"
    with contextlib.suppress(ValueError):  # a name
        is_loopback = is_loopback or ipaddress.ip_address(host).is_loopback
    allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback)
    if not host or not allowed or parts.username or parts.fragment or not url.isascii() or " " in url:
        raise ValueError(expected)
    return url
