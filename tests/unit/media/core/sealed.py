"""A peer that speaks SRTP."""

from __future__ import annotations

import pylibsrtp

from media._core import Relay

PROFILES = {
    "AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
LENGTHS = dict(zip(PROFILES, (44, 28, 30, 30), strict=True)) | {"AES_256_CM_HMAC_SHA1_80": 46}


class Sealed:
    """What a peer does with its own master key, and with ours."""

    def __init__(self, suite: str, own: int = 1, ours: int = 2) -> None:
        self.suite, self.own, self.ours = suite, bytes([own]) * LENGTHS[suite], bytes([ours]) * LENGTHS[suite]
        self.tx = self._session(self.own, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.rx = self._session(self.ours, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def _session(self, secret: bytes, kind: int) -> pylibsrtp.Session:
        return pylibsrtp.Session(
            pylibsrtp.Policy(key=secret, ssrc_type=kind, srtp_profile=PROFILES[self.suite])
        )

    def set(self, relay: Relay, leg: int) -> Sealed:
        relay.set_crypto(7, leg, self.suite, self.own, self.ours)
        return self
