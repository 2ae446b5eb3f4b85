"""Signs the messages of one service: by a secret that both know, or by a private key of ours.

Rule 1: signatures are those of Standard Webhooks 1.0.0: `v1`, HMAC-SHA256, and `v1a`, Ed25519.
Rule 2: no error quotes anything of a key.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.notify.signature import decode_secret, sign

PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
_SEED: Final = 32  # octets; some tools write the public key behind them


class Signer:
    """The key of one service. Raises ValueError where the text is none."""

    def __init__(self, text: str) -> None:
        self._private = _decode_private(text) if text.startswith(PRIVATE) else None
        self._secret = b"" if self._private is not None else decode_secret(text)

    @property
    def public_key(self) -> str:
        """What the service verifies signatures of Ed25519 by; empty where there is a secret."""
        if self._private is None:
            return ""
        return PUBLIC + base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    def sign(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The three headers of a message that is sent at `timestamp` (seconds since the epoch)."""
        if self._private is None:
            return sign(self._secret, message_id, timestamp, body)
        signature = self._private.sign(f"{message_id}.{timestamp}.".encode() + body)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1a,{base64.b64encode(signature).decode()}",
        }


def _decode_private(text: str) -> Ed25519PrivateKey:
    try:
        octets = base64.b64decode(text.removeprefix(PRIVATE), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if len(octets) not in (_SEED, 2 * _SEED):
        raise ValueError("expected whsk_ and 32 octets in base64: make one with openssl rand -base64 32")
    private = Ed25519PrivateKey.from_private_bytes(octets[:_SEED])
    if octets[_SEED:] not in (b"", private.public_key().public_bytes_raw()):
        raise ValueError("expected whsk_ and a private key that fits the public key behind it")
    return private
