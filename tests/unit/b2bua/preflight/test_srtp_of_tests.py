"""SRTP of the preflight against libsrtp, both ways."""

from __future__ import annotations

import pylibsrtp
import pytest

from b2bua.preflight.srtp import SUITES, Srtp

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


def packets() -> list[bytes]:
    """Whose sequence numbers wrap."""
    return [
        bytes([0x80, 8])
        + (65_530 + number & 0xFFFF).to_bytes(2, "big")
        + bytes(7)
        + b"\x09"
        + bytes([number]) * 160
        for number in range(20)
    ]


def session(suite: str, master: bytes, kind: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(key=master, ssrc_type=kind, srtp_profile=PROFILES[suite]))


@pytest.mark.parametrize("suite", PROFILES)
def test_libsrtp_reads_what_is_protected_and_the_other_way_round(suite: str) -> None:
    master = bytes(range(SUITES[suite][0] + 14))
    ours, theirs = Srtp(suite, master), session(suite, master, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    for packet in packets():
        sealed = ours.protect(packet)
        assert packet[12:] not in sealed
        assert theirs.unprotect(sealed) == packet
    sender, receiver = session(suite, master, pylibsrtp.Policy.SSRC_ANY_OUTBOUND), Srtp(suite, master)
    for packet in packets():
        assert receiver.unprotect(sender.protect(packet)) == packet


def test_the_longer_key_reads_what_it_wrote() -> None:
    master = bytes(46)
    ours, theirs = Srtp("AES_256_CM_HMAC_SHA1_80", master), Srtp("AES_256_CM_HMAC_SHA1_80", master)
    assert [theirs.unprotect(ours.protect(packet)) for packet in packets()] == packets()


@pytest.mark.parametrize("place", [2, 13, -1])
def test_a_changed_packet_gives_nothing(place: int) -> None:
    ours, theirs = (Srtp("AES_CM_128_HMAC_SHA1_80", bytes(30)) for _ in range(2))
    sealed = bytearray(ours.protect(packets()[0]))
    sealed[place] ^= 1
    assert theirs.unprotect(bytes(sealed)) is None
    for short in range(40):
        assert theirs.unprotect(bytes(sealed[:short])) is None
