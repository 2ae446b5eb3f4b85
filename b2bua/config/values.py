"""Reads and checks values that several sections of sip.conf have: names, lists, hosts, files."""

from __future__ import annotations

import ipaddress
import os

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def trunk_name(header: str) -> str:
    """The name of a trunk or route, from the header of its section: `[carrier north]` is north."""
    section, _, name = header.partition(" ")
    return name or section


def form_name(header: str) -> str:
    """The name of a form: `[form shop]` is shop, `[form]` is card."""
    return header.partition(" ")[2] or "card"


def split_list(value: str) -> tuple[str, ...]:
    """The entries of a list separated by commas, without spaces around them."""
    return tuple(each.strip() for each in value.split(",") if each.strip())


def check_readable(value: str) -> str:
    """A path, or "", as it is. Raises ValueError where the file cannot be read."""
    if value and not os.access(value, os.R_OK):
        raise ValueError("expected a file that can be read")
    return value


def check_numeric(value: str) -> str:
    """An address as it is. Raises ValueError where it is not numeric."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("expected a numeric IP address") from None
    return value


def parse_networks(value: str) -> list[IpNetwork]:
    """Addresses and networks, separated by commas. Raises ValueError."""
    try:
        return [ipaddress.ip_network(each) for each in split_list(value)]
    except ValueError:
        raise ValueError(
            "expected addresses or networks, separated by commas, such as 192.0.2.1, 2001:db8::/64"
        ) from None


def check_host(value: str) -> str:
    """A host name or address as it is. Raises ValueError where it can be neither."""
    if not value or any(character.isspace() or character in "<>;,@\"'" for character in value):
        raise ValueError("expected a host name or a numeric IP address")
    return value
