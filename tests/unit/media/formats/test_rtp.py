"""RTP and RTCP: what is well-formed, at every length."""

from __future__ import annotations

import pytest

from media.formats import rtp

PLAIN = bytes.fromhex("80e41f30 000033e0 0e05384e 010a0000")
FULL = bytes.fromhex("b2001f31 000033e0 0e05384e 01010101 02020202 bede0001 10aa0000 11223344 00000003")


def test_a_plain_packet_parses_and_serialises_to_the_same_bytes():
    packet = rtp.parse(PLAIN)
    assert packet == rtp.Rtp(100, True, 0x1F30, 0x33E0, rtp.Ssrc(0x0E05384E), bytes.fromhex("010a0000"))
    assert rtp.serialise(packet) == PLAIN


def test_the_first_report_block_tells_loss_and_jitter():
    block = bytes.fromhex("0e05384e 19000007 00001f30 00000028 00000000 00000000")
    assert rtp.reception(bytes.fromhex("81c90007 12345678") + block) == rtp.Reception(lost=7, jitter=40)
    sender = bytes.fromhex("81c8000c 12345678") + bytes(20) + block
    description = bytes.fromhex("81ca0002 12345678 00000000")
    assert rtp.reception(sender + description) == rtp.Reception(lost=7, jitter=40)
    assert rtp.reception(bytes.fromhex("80c90001 12345678") + description) is None
    more_duplicates = block[:5] + b"\xff\xff\xff" + block[8:]
    assert rtp.reception(bytes.fromhex("81c90007 12345678") + more_duplicates) == rtp.Reception(
        lost=0, jitter=40
    )


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
NOTE = bytes.fromhex("81ca0006 12345678 0710") + b"4111111111111111\0\0"  # section 6.5.7
BYE = bytes.fromhex("81cb0001 12345678")
REASON = bytes.fromhex("81cb0003 12345678 0534313131310000")  # section 6.6
APP = bytes.fromhex("80cc0002 12345678 41424344")
AFTER = [
    ("SDES", SDES),
    ("SDES with a NOTE", NOTE),
    ("BYE", BYE),
    ("BYE with a reason", REASON),
    ("APP", APP),
    ("XR", bytes.fromhex("80cf0001 12345678")),
    ("feedback", bytes.fromhex("81cd0002 12345678 12345678")),
    ("unknown", bytes.fromhex("80df0001 34313131")),
    ("SDES, then a report", NOTE + REPORT),
    ("SDES, then a report with an extension", NOTE + bytes.fromhex("80c90002 12345678 04010101")),
]
WITHHELD = [
    ("a profile's extension", bytes.fromhex("80c90002 12345678 04010101")),
    ("a profile's extension of the second report", REPORT + bytes.fromhex("80c90002 12345678 04010101")),
    ("padding", REPORT + bytes.fromhex("a1cb0002 12345678 00000004")),
    ("a padded report", bytes.fromhex("a0c90002 12345678 00000004")),
    ("SDES first", SDES + REPORT),
    ("BYE alone", BYE),
    ("APP alone", APP),
    ("cut", (REPORT + SDES)[:-1]),
    ("another version behind", REPORT + b"\x40" + SDES[1:]),
    ("nothing", b""),
    ("count beyond its size", bytes.fromhex("82c90001 12345678")),
    ("count below its size", b"\x80" + SENDER_REPORT[1:]),
]


@pytest.mark.parametrize("reports", [REPORT, SENDER_REPORT, SENDER_REPORT + REPORT, REPORT * 3])
@pytest.mark.parametrize(
    ("name", "after"), [("nothing", b""), *AFTER], ids=["nothing", *(name for name, _ in AFTER)]
)
def test_of_a_compound_the_leading_reports_are_kept_and_all_from_the_first_other_packet_on_is_cut(
    reports, name, after
):
    assert rtp.is_rtcp(reports + after)
    assert rtp.leading_reports(reports + after) == reports


@pytest.mark.parametrize(("name", "compound"), WITHHELD, ids=[name for name, _ in WITHHELD])
def test_a_compound_without_a_leading_report_or_with_a_malformed_packet_keeps_nothing(name, compound):
    assert rtp.leading_reports(compound) == b""


def test_rtcp_on_the_rtp_port_is_told_by_its_type():
    """200 to 223 without the marker bit are 72 to 95 (RFC 5761 section 4)."""
    assert rtp.is_multiplexed_rtcp(rtp.parse(SENDER_REPORT))
    assert not rtp.is_multiplexed_rtcp(rtp.parse(PLAIN))
