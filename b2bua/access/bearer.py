"""Reads the credentials of a request (RFC 9110 section 11.6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def credentials(scope: Mapping[str, Any]) -> tuple[str, str]:
    """Scheme (lower case) and credentials of the one Authorization header; empty where there is
    none, or several."""
    headers = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(headers) != 1:
        return "", ""
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    return scheme.lower(), token.strip()
