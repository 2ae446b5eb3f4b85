"""Reads and writes the cookie of a session (RFC 6265bis), and tells whose requests may carry it.

Rule 1: no script can read it, no other site's page can have it sent, and over HTTPS no other host
        can set it (`__Host-`).
Rule 2: a request that changes something counts with a cookie only where the browser says that it
        comes from our own page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE: Final = "tonewall_session"


def read_cookie(scope: Mapping[str, Any]) -> str:
    """What the cookie of a request holds; empty where there is none, or several, or an
    Authorization header too."""
    if _values(scope, b"authorization"):
        return ""
    pairs = [each.partition("=") for value in _values(scope, b"cookie") for each in value.split(";")]
    found = [value.strip() for name, _, value in pairs if name.strip() == _name(scope)]
    return found[0] if len(found) == 1 else ""


def set_cookie(scope: Mapping[str, Any], value: str) -> str:
    """The Set-Cookie header that keeps a session in the browser that sent this request, until it is
    closed; an empty value takes it away."""
    secure = "; Secure" if _is_secure(scope) else ""
    ended = "" if value else "; Max-Age=0"
    return f"{_name(scope)}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{ended}"


def is_from_own_page(scope: Mapping[str, Any]) -> bool:
    """Whether a browser says that a page of ours sent this request (Fetch Metadata; else RFC
    6454's Origin)."""
    sites = _values(scope, b"sec-fetch-site")
    if sites:
        return sites == ["same-origin"]
    origins, hosts = _values(scope, b"origin"), _values(scope, b"host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    try:
        return urlsplit(origins[0]).netloc.lower() == hosts[0].lower() != ""
    except ValueError:
        return False


def _values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


def _is_secure(scope: Mapping[str, Any]) -> bool:
    return bool(scope.get("scheme") == "https")


def _name(scope: Mapping[str, Any]) -> str:
    return f"__Host-{COOKIE}" if _is_secure(scope) else COOKIE
