"""Addresses in session descriptions: what is one, where RTCP is expected, and the lines that name
ours."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from b2bua.call.sdp.codecs import is_uint16

NOWHERE = ("0.0.0.0", "::")  # noqa: S104  # the old form of hold (RFC 3264 section 8.4)


@lru_cache(maxsize=1024)
def is_numeric(text: str) -> bool:
    """Whether media could send there: it resolves no names and knows no scopes."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def rtcp_address(named: Sequence[str], address: str, port: int, *, muxed: bool) -> tuple[str, int]:
    """Where RTCP is expected beside RTP at `port`: there too, if `muxed` (RFC 5761), else as one of
    `named` says (`a=rtcp:port [IN IP4 address]`, RFC 3605), else at the next port; 0 where there is
    none."""
    if muxed:
        return address, port
    for value in named:
        parts = value.split()
        if parts and is_uint16(parts[0]):
            return (parts[3] if len(parts) == 4 and is_numeric(parts[3]) else address), int(parts[0])
    return address, port + 1 if port < 65535 else 0


def connection_line(line: str, address: str) -> str:
    """The c= line that names our address in place of `line`; a hold stays one."""
    if line.rsplit(maxsplit=1)[-1] in NOWHERE:
        address = NOWHERE[":" in address]
    return f"c=IN {address_family(address)} {address}"


def address_family(address: str) -> str:
    return "IP6" if ":" in address else "IP4"
