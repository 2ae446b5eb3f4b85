"""Verifies signatures that minisign made: Ed25519 (RFC 8032), over a file or its BLAKE2b digest.

A signature file has four lines: an untrusted comment; algorithm, key id and signature; a trusted
comment; and a second signature over the first one and that comment. A public key is 56 characters
of base64, as `minisign -G` prints it.

Rule 1: what is not exactly of this form is no signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_KEY: Final = 42  # bytes: algorithm, key id, key
_SIGNATURE: Final = 74  # bytes: algorithm, key id, signature
_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
_OF_FILE, _OF_DIGEST = b"Ed", b"ED"


class BadSignature(ValueError):
    """The signature is not of this key and file; the text says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key of whoever signs. `number`: the id that its signatures name."""

    number: bytes
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """The key of 56 characters. Raises ValueError for what is none."""
        octets = _decode(text.strip(), _KEY)
        if octets is None or octets[:2] != _OF_FILE:
            raise ValueError("expected a public key of minisign: 56 characters, beginning with RW")
        return cls(octets[2:10], Ed25519PublicKey.from_public_bytes(octets[10:]))

    @property
    def text(self) -> str:
        """The 56 characters."""
        return base64.b64encode(_OF_FILE + self.number + self.key.public_bytes_raw()).decode()

    def verify(self, content: bytes, signature: str) -> str:
        """The trusted comment. Raises BadSignature."""
        lines = signature.removesuffix("\n").split("\n")
        whole = len(lines) == 4 and lines[0].startswith(_UNTRUSTED) and lines[2].startswith(_TRUSTED)
        first = _decode(lines[1], _SIGNATURE) if whole else None
        second = _decode(lines[3], 64) if whole else None
        if first is None or second is None or first[:2] not in (_OF_FILE, _OF_DIGEST):
            raise BadSignature("it is no signature of minisign")
        if first[2:10] != self.number:
            raise BadSignature("it was made with another key")
        signed = content if first[:2] == _OF_FILE else hashlib.blake2b(content).digest()
        comment = lines[2].removeprefix(_TRUSTED)
        try:
            self.key.verify(first[10:], signed)
            self.key.verify(second, first[10:] + comment.encode())
        except InvalidSignature:
            raise BadSignature("the content is not what was signed") from None
        return comment


def _decode(text: str, length: int) -> bytes | None:
    """Octets of base64, exactly so many; None for anything else."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(octets) != length or base64.b64encode(octets).decode() != text:
        return None
    return octets
