"""Octets of a message as text, and back, without loss of an octet that is not UTF-8 (RFC 3261
section 25.1 asks for UTF-8; Latin-1 comes).

Rule 1: text of a message keeps an octet that is not UTF-8 as a lone surrogate (PEP 383);
        `encode_octets` gives it back as it came.
Rule 2: what leaves the SIP engine for people, logs, records or another protocol goes through
        `readable`.
"""

from __future__ import annotations

import re

_ALIEN = re.compile("[\udc80-\udcff]")


def decode_octets(data: bytes) -> str:
    """The text of octets."""
    return data.decode("utf-8", "surrogateescape")


def encode_octets(text: str) -> bytes:
    """The octets that `text` was decoded from."""
    return text.encode("utf-8", "surrogateescape")


def readable(text: str) -> str:
    """Text that any program can encode: an octet that was not UTF-8 is the character that it is in
    Latin-1."""
    return text if text.isascii() else _ALIEN.sub(lambda alien: chr(ord(alien[0]) - 0xDC00), text)


def printable(text: str) -> str:
    """What is left of a text when everything is gone that could end a line or hide in one."""
    text = readable(text)
    return text if text.isprintable() else "".join(char for char in text if char.isprintable())


def fits_a_line(text: str) -> bool:
    """Whether a header value may be sent as it is: printable, whatever its octets."""
    return text.isprintable() or _ALIEN.sub("", text).isprintable()
