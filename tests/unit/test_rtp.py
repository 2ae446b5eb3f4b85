"""RTP and RTCP: what is well-formed, at every length."""

from __future__ import annotations

import pytest

from media import rtp

PLAIN = bytes.fromhex("80e41f30 000033e0 0e05384e 010a0000")
FULL = bytes.fromhex("b2001f31 000033e0 0e05384e 01010101 02020202 bede0001 10aa0000 11223344 00000003")


def test_a_plain_packet_parses_and_serialises_to_the_same_bytes():
    packet = rtp.parse(PLAIN)
    assert packet == rtp.Rtp(100, True, 0x1F30, 0x33E0, rtp.Ssrc(0x0E05384E), bytes.fromhex("010a0000"))
    assert rtp.serialise(packet) == PLAIN


def test_csrcs_extension_and_padding_are_no_payload():
    packet = rtp.parse(FULL)
    assert packet.payload == bytes.fromhex("1122334400")
    assert rtp.serialise(packet) == bytes.fromhex("80001f31 000033e0 0e05384e 1122334400")


def test_a_truncated_packet_is_none_until_its_header_is_whole():
    header_end = 28
    for length in range(len(FULL)):
        # The last byte of what is left counts the padding.
        is_whole = length > header_end and 0 < FULL[length - 1] <= length - header_end
        assert (rtp.parse(FULL[:length]) is not None) == is_whole, length


@pytest.mark.parametrize("version", [0, 1, 3])
def test_another_version_is_not_rtp(version):
    assert rtp.parse(bytes([version << 6]) + PLAIN[1:]) is None


def test_lengths_that_point_outside_are_refused():
    assert rtp.parse(b"\x8f" + PLAIN[1:]) is None  # fifteen CSRCs in four bytes
    assert rtp.parse(b"\x90" + PLAIN[1:12] + b"\xbe\xde\xff\xff") is None
    assert rtp.parse(b"\xa0" + PLAIN[1:12]) is None  # padding of a packet with no payload
    for count in (0, 5, 255):
        assert rtp.parse(b"\xa0" + PLAIN[1:12] + bytes([1, 2, 3, count])) is None


REPORT = bytes.fromhex("80c90001 12345678")
SENDER_REPORT = bytes.fromhex("81c8000c") + bytes(48)
SDES = bytes.fromhex("81ca0002 12345678 0100 0000")
BYE = bytes.fromhex("81cb0001 12345678")
TEXT = [
    ("APP", REPORT + bytes.fromhex("80cc0002 12345678 41424344")),
    ("XR", REPORT + bytes.fromhex("80cf0001 12345678")),
    ("feedback", REPORT + bytes.fromhex("81cd0002 12345678 12345678")),
    ("BYE with a reason", REPORT + bytes.fromhex("81cb0003 12345678 0534313131310000")),
    ("a profile's extension", bytes.fromhex("80c90002 12345678 04010101")),
    ("padding", REPORT + bytes.fromhex("a1cb0002 12345678 00000004")),
    ("SDES first", SDES + REPORT),
    ("cut", (REPORT + SDES)[:-1]),
    ("nothing", b""),
    ("count beyond its size", bytes.fromhex("82c90001 12345678")),
]


def test_reports_descriptions_and_goodbyes_have_no_room_for_text():
    for compound in (REPORT, SENDER_REPORT, REPORT + SDES, SENDER_REPORT + SDES + BYE, REPORT + BYE):
        assert rtp.is_rtcp(compound)
        assert rtp.carries_no_text(compound)


@pytest.mark.parametrize(("name", "compound"), TEXT, ids=[name for name, _ in TEXT])
def test_everything_else_in_rtcp_may_carry_text(name, compound):
    assert not rtp.carries_no_text(compound)


def test_rtcp_on_the_rtp_port_is_told_by_its_type():
    """200 to 223 without the marker bit are 72 to 95 (RFC 5761 section 4)."""
    assert rtp.is_multiplexed_rtcp(rtp.parse(SENDER_REPORT))
    assert not rtp.is_multiplexed_rtcp(rtp.parse(PLAIN))
