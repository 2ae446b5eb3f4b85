"""Parses `[general] listen`: the addresses that SIP is received on.

An entry is `transport:host:port`, IPv6 hosts in brackets; behind NAT `/host` or `/host:port`
follows, as peers see it.
"""

from __future__ import annotations

import ipaddress
import re

from b2bua.sip.hop import Bind, Transport

_ENTRY = re.compile(
    r"(?P<transport>[a-z]{1,8}):(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<seen>\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::(?P<seen_port>[0-9]{1,5}))?)?"
)


def parse_binds(text: str, host: str, port: int, advertised: str) -> list[Bind]:
    """The addresses of `text`; where it is empty, UDP and TCP at `host` and `port`. Raises
    ValueError."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        return [Bind(transport, host, port, advertised) for transport in (Transport.UDP, Transport.TCP)]
    found = [_bind(entry) for entry in entries]
    if len({(bind.transport, bind.host, bind.port) for bind in found}) != len(found):
        raise ValueError("expected each address once")
    return found


def _bind(entry: str) -> Bind:
    match = _ENTRY.fullmatch(entry)
    if match is None or match["transport"] not in set(Transport):
        raise ValueError("expected transport:host:port, separated by commas, such as udp:192.0.2.10:5060")
    transport = Transport(match["transport"])
    port = int(match["port"]) if match["port"] else transport.default_port
    seen_port = int(match["seen_port"] or 0)
    if max(port, seen_port) > 65535:
        raise ValueError("expected ports of at most 65535")
    host, seen = _numeric(match["host"]), _numeric(match["seen"]) if match["seen"] else ""
    if ipaddress.ip_address(host).is_unspecified and not seen:
        raise ValueError("expected /HOST after a wildcard address: the address that peers reach us at")
    return Bind(transport, host, port, seen, seen_port)


def _numeric(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        raise ValueError("expected numeric addresses") from None
