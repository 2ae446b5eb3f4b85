"""Signs messages as Standard Webhooks 1.0.0 has it: HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

PREFIX: Final = "whsec_"
_LENGTHS: Final = range(24, 65)  # octets


def decode_secret(text: str) -> bytes:
    """The key of a secret. Raises ValueError, which quotes nothing of it."""
    expected = "expected whsec_ and 24 to 64 octets in base64: make one with openssl rand -base64 32"
    if not text.startswith(PREFIX):
        raise ValueError(expected)
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(expected) from None
    if len(key) not in _LENGTHS:
        raise ValueError(expected)
    return key


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message that is sent at `timestamp` (seconds since the epoch)."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
