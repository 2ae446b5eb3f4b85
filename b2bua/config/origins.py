"""Reads the origins of web pages (RFC 6454) that may embed the form for payments."""

from __future__ import annotations

import re
from typing import Final

from b2bua.config.values import split_list

_EXPECTED: Final = (
    "expected origins as a browser writes them, separated by commas, such as https://crm.example or "
    "https://crm.example:8443: https, a host in lower case, no path and no *; http for localhost, "
    "127.0.0.1 and [::1] alone"
)
_ORIGIN: Final = re.compile(r"https://([a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?")
_LOOPBACK: Final = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_DEFAULT: Final = {"https": "443", "http": "80"}  # a browser leaves it out


def parse_origins(text: str) -> tuple[str, ...]:
    """The origins, each once. Raises ValueError with what was expected."""
    origins = split_list(text)
    for origin in origins:
        if not _is_origin(origin):
            raise ValueError(_EXPECTED)
    if len(set(origins)) < len(origins):
        raise ValueError("expected each origin once")
    return tuple(origins)


def _is_origin(text: str) -> bool:
    found = _LOOPBACK.fullmatch(text)
    if found is None:
        found = _ORIGIN.fullmatch(text)
        if found is None or not all(_LABEL.fullmatch(label) for label in found[1].split(".")):
            return False
    port = found[2]
    return port is None or (int(port) <= 65535 and port != _DEFAULT[text.partition(":")[0]])
