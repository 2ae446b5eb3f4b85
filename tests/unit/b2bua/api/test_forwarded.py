"""Where a request came from: X-Forwarded-For counts from our own proxies only."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from b2bua.access.cookies import set_cookie
from b2bua.api.forwarded import Forwarded

PROXIES = [ipaddress.ip_network("10.0.0.1"), ipaddress.ip_network("2001:db8::/64")]


async def source(peer: str, *headers: str) -> str:
    """What is behind the middleware takes for the source."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["client"][0])

    given = [(b"x-forwarded-for", each.encode("latin-1")) for each in headers]
    await Forwarded(app, PROXIES)({"type": "http", "client": (peer, 1), "headers": given}, None, None)  # type: ignore[arg-type]
    return str(seen[0])


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),  # a stranger says so
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.5, 198.51.100.1"], "198.51.100.1"),  # the first was the client's own word
        ("10.0.0.1", ["203.0.113.5", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 2001:db8::7"], "198.51.100.1"),  # over two proxies
        ("2001:db8::7", ["198.51.100.1:4711"], "198.51.100.1"),
        ("2001:db8::7", ["[2001:DB8:1::5]:4711"], "2001:db8:1::5"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 4111111111111111"], "10.0.0.1"),  # no address: not taken over
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("10.0.0.1", ["\xff, ,"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
    ],
)
async def test_the_source_is_the_address_next_to_our_proxies(
    peer: str, headers: list[str], expected: str
) -> None:
    assert await source(peer, *headers) == expected


@pytest.mark.parametrize(
    ("peer", "proto", "expected"),
    [
        ("10.0.0.1", b"https", "__Host-tonewall_session=x; Path=/; HttpOnly; SameSite=Strict; Secure"),
        ("10.0.0.1", b"http", "tonewall_session=x; Path=/; HttpOnly; SameSite=Strict"),
        (
            "192.0.2.9",
            b"https",
            "tonewall_session=x; Path=/; HttpOnly; SameSite=Strict",
        ),  # a stranger says so
    ],
)
async def test_a_cookie_is_secure_where_our_proxy_says_that_it_came_by_https(
    peer: str, proto: bytes, expected: str
) -> None:
    cookies: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        cookies.append(set_cookie(scope, "x"))

    scope = {
        "type": "http",
        "scheme": "http",
        "client": (peer, 1),
        "headers": [(b"x-forwarded-proto", proto)],
    }
    await Forwarded(app, PROXIES)(scope, None, None)  # type: ignore[arg-type]
    assert cookies == [expected]
