"""SRTP of one direction, in AES counter mode (RFC 3711, RFC 6188), with code that shares nothing
with the media process.

Rule 1: a packet whose tag is wrong gives nothing."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

# Octets of the key, of the tag.
SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": (16, 10),
    "AES_CM_128_HMAC_SHA1_32": (16, 4),
    "AES_256_CM_HMAC_SHA1_80": (32, 10),
}
_SALT: Final = 14
_ENCRYPTION, _AUTHENTICATION, _SALTING = 0, 1, 2  # labels, RFC 3711 section 4.3.2


class Srtp:
    """One direction; `master`: key and salt, as SDES has them."""

    def __init__(self, suite: str, master: bytes) -> None:
        size, self._tag = SUITES[suite]
        self._master, self._salt = master[:size], master[size:]
        self._key = self._derive(_ENCRYPTION, size)
        self._auth = self._derive(_AUTHENTICATION, 20)
        self._session_salt = int.from_bytes(self._derive(_SALTING, _SALT), "big")
        self._highest: dict[int, int] = {}  # by SSRC: roll-over counter and sequence number

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet with the fixed header alone, encrypted and with its tag."""
        index = self._index(packet)
        self._take(packet, index)
        sealed = packet[:12] + self._cipher(packet, index, packet[12:])
        return sealed + self._sign(sealed, index)

    def unprotect(self, packet: bytes) -> bytes | None:
        """The packet in clear, or None where it is not authentic."""
        sealed, tag = packet[: -self._tag], packet[-self._tag :]
        begin = _payload_at(sealed)
        if begin is None:
            return None
        index = self._index(sealed)
        if not hmac.compare_digest(self._sign(sealed, index), tag):
            return None
        self._take(sealed, index)
        return sealed[:begin] + self._cipher(sealed, index, sealed[begin:])

    def _index(self, packet: bytes) -> int:
        """The packet's index (RFC 3711 section 3.3.1)."""
        sequence, ssrc = int.from_bytes(packet[2:4], "big"), int.from_bytes(packet[8:12], "big")
        highest = self._highest.get(ssrc, sequence)
        around = (highest >> 16) - 1, highest >> 16, (highest >> 16) + 1
        places = [count << 16 | sequence for count in around if count >= 0]
        return min(places, key=lambda place: abs(place - highest))

    def _take(self, packet: bytes, index: int) -> None:
        ssrc = int.from_bytes(packet[8:12], "big")
        self._highest[ssrc] = max(index, self._highest.get(ssrc, 0))

    def _cipher(self, packet: bytes, index: int, payload: bytes) -> bytes:
        ssrc = int.from_bytes(packet[8:12], "big")
        counter = self._session_salt << 16 ^ ssrc << 64 ^ index << 16
        return _encrypt(self._key, counter, payload)

    def _sign(self, sealed: bytes, index: int) -> bytes:
        whole = sealed + (index >> 16).to_bytes(4, "big")
        return hmac.new(self._auth, whole, hashlib.sha1).digest()[: self._tag]

    def _derive(self, label: int, size: int) -> bytes:
        counter = (int.from_bytes(self._salt, "big") ^ label << 48) << 16
        return _encrypt(self._master, counter, bytes(size))


def _encrypt(key: bytes, counter: int, octets: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return cipher.update(octets) + cipher.finalize()


def _payload_at(packet: bytes) -> int | None:
    """Where the payload begins; None where the header does not fit."""
    if len(packet) < 12:
        return None
    at = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    return at if at <= len(packet) else None
