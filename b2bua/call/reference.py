"""Reads the reference of an order, or what agents are to see, out of a header that a PBX or carrier
sends with a call.

Rule 1: a reference is short, printable and no card number; what is anything else is no reference,
        and is not cut until it is one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from typing import Final

from tonewall.card_numbers import looks_like_card_number

MAX_LENGTH: Final = 64  # characters
MAX_SHOWN: Final = 128  # characters of what agents see
MAX_SHOWN_HEADERS: Final = 8  # of a leg
USER_TO_USER: Final = "user-to-user"
_MAX_VALUE = 1024  # characters of a header that are looked at
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
# The protocol discriminator of ISDN's information element (Q.931 section 4.5.30): user-specific or
# IA5 characters.
_DISCRIMINATORS = (b"\x00", b"\x04")


def read_references(
    headers: Iterable[tuple[str, str]], wanted: tuple[str, ...], most: int = MAX_LENGTH
) -> tuple[tuple[str, str], ...]:
    """The references in these headers, by the header's name in lower case; of each header the
    first. `wanted`: the names of headers that carry one, in lower case, the preferred first;
    `most`: characters of one."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key in wanted and key not in found:
            text = read_reference(key, value, most)
            if text:
                found[key] = text
    return tuple((name, found[name]) for name in wanted if name in found)


def read_reference(name: str, value: str, most: int = MAX_LENGTH) -> str:
    """The reference in the value of a header; "" where there is none. `name`: in lower case."""
    if len(value) > _MAX_VALUE:
        return ""
    text = _user_to_user(value) if name == USER_TO_USER else _unquoted(value.strip())
    return text if text is not None and _is_reference(text, most) else ""


def _is_reference(text: str, most: int) -> bool:
    return 0 < len(text) <= most and text.isprintable() and not looks_like_card_number(text)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1]).strip()
    return text


def _user_to_user(value: str) -> str | None:
    """RFC 7433 section 4.1: the data as a token or quoted, then parameters. Without `encoding` it
    is hex, unless it cannot be; data of the ISDN begins with a protocol discriminator (RFC 7434
    section 8)."""
    data, _, rest = _split(value.strip())
    pairs = (each.partition("=") for each in rest.split(";"))
    parameters = {key.strip().lower(): given.strip().lower() for key, _, given in pairs}
    plain = _unquoted(data.strip())
    if parameters.get("encoding", "hex") != "hex" or not _HEX.fullmatch(plain):
        return plain
    octets = binascii.unhexlify(plain)
    if octets[:1] in _DISCRIMINATORS:
        octets = octets[1:]
    try:
        text = octets.decode("utf-8").strip()
    except UnicodeDecodeError:
        return plain
    # Digits alone are hex, too: those that decode to nothing readable are as they stand.
    return text if text.isprintable() and text else plain


def _split(value: str) -> tuple[str, str, str]:
    """Data and parameters, where the data may be quoted."""
    if value.startswith('"'):
        end = 1
        while end < len(value) and value[end] != '"':
            end += 2 if value[end] == "\\" else 1
        return value[: end + 1], "", value[end + 1 :].lstrip().removeprefix(";")
    return value.partition(";")
