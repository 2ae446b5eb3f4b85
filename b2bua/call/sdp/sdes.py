"""Keys of SRTP in session descriptions: `a=crypto` (RFC 4568), of either leg by itself.

Rule 1: a line is usable whole or not at all: one with an MKI, or with session parameters that media
        does not do, is not.
Rule 2: our keys follow from the call's seed: what has not changed is said again as it was, and no
        two legs have the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

ATTRIBUTE = "a=crypto:"
# By preference: bytes of a master key with its salt (RFC 4568 section 6.2, RFC 6188, RFC 7714).
# Authenticated encryption costs the least CPU and comes first.
SUITES = {
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
_MIN_LIFETIME = 1 << 20  # packets: four hours of speech


@dataclass(frozen=True, slots=True)
class Crypto:
    """One usable line. `key`: a master key and its salt."""

    tag: str
    suite: str
    key: bytes = field(repr=False)


def choose_crypto(values: Sequence[str]) -> Crypto | None:
    """Of the values of `a=crypto` the one that we take; None where none is usable."""
    usable = [crypto for crypto in map(parse_crypto, values) if crypto is not None]
    return min(usable, key=lambda crypto: list(SUITES).index(crypto.suite), default=None)


def parse_crypto(value: str) -> Crypto | None:
    """`tag suite inline:key[|lifetime][|MKI:length] [parameters]`; None where it is not usable."""
    parts = value.split()
    if len(parts) < 3 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 9):
        return None
    suite, (method, _, inline) = parts[1], parts[2].partition(":")
    if (
        suite not in SUITES
        or method.lower() != "inline"
        or any(not part.startswith("WSH=") for part in parts[3:])
    ):
        return None
    text, *limits = inline.split("|")
    if len(limits) > 1 or not all(_is_long_enough(limit) for limit in limits):
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(parts[0], suite, key) if len(key) == SUITES[suite] else None


def _is_long_enough(lifetime: str) -> bool:
    """Whether a key lives long enough that no call gets to its end: `2^31`, or a number."""
    power = lifetime.removeprefix("2^")
    if not (power.isascii() and power.isdigit() and len(power) <= 15):
        return False
    return int(power) >= 20 if power != lifetime else int(power) >= _MIN_LIFETIME


def crypto_line(tag: str, suite: str, key: bytes) -> str:
    return f"{ATTRIBUTE}{tag} {suite} inline:{base64.b64encode(key).decode()}"


def crypto_lines(keys: dict[str, bytes]) -> tuple[str, ...]:
    """All our suites, the best first."""
    return tuple(crypto_line(str(tag), suite, key) for tag, (suite, key) in enumerate(keys.items(), 1))


def derive_key(seed: bytes, place: str, suite: str) -> bytes:
    """Our master key and salt for one suite at one place of a call. `seed`: 32 bytes that nobody
    else knows."""
    label = f"tonewall SRTP {place} {suite}".encode()
    return hashlib.blake2b(label, key=seed, digest_size=SUITES[suite]).digest()
