"""RTP and RTCP packets: what is well-formed, and where its parts are (RFC 3550 sections 5.1 and 6).

Rule 1: nothing raises on a packet; what does not parse is None or False.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Ssrc = NewType("Ssrc", int)

HEADER = 12
_REPORT_SIZE = {200: 28, 201: 8}  # of SR and RR without report blocks, section 6.4


@dataclass(frozen=True, slots=True)
class Rtp:
    """A well-formed packet. `payload` is without padding; CSRCs and header extension are passed
    over."""

    payload_type: int
    marker: bool
    sequence_number: int
    rtp_timestamp: int
    ssrc: Ssrc
    payload: bytes


def parse(packet: bytes) -> Rtp | None:
    """The packet, or None where version, CSRC count, extension length or padding do not fit its
    size."""
    end = len(packet)
    if end < HEADER or packet[0] >> 6 != 2:
        return None
    start = HEADER + 4 * (packet[0] & 0x0F)
    if start > end:
        return None
    if packet[0] & 0x10:  # header extension, section 5.3.1
        if end - start < 4:
            return None
        start += 4 + 4 * _read_number(packet, start + 2, 2)
        if start > end:
            return None
    if packet[0] & 0x20:  # padding: the last byte counts itself
        padding = packet[-1] if end > start else 0
        if not 0 < padding <= end - start:
            return None
        end -= padding
    return Rtp(
        payload_type=packet[1] & 0x7F,
        marker=bool(packet[1] >> 7),
        sequence_number=_read_number(packet, 2, 2),
        rtp_timestamp=_read_number(packet, 4, 4),
        ssrc=Ssrc(_read_number(packet, 8, 4)),
        payload=packet[start:end],
    )


def serialise(rtp: Rtp) -> bytes:
    """The packet with the fixed header only: no CSRC, no extension, no padding."""
    return (
        bytes((0x80, rtp.marker << 7 | rtp.payload_type))
        + rtp.sequence_number.to_bytes(2, "big")
        + rtp.rtp_timestamp.to_bytes(4, "big")
        + rtp.ssrc.to_bytes(4, "big")
        + rtp.payload
    )


def is_multiplexed_rtcp(rtp: Rtp) -> bool:
    """Whether this is RTCP on the RTP port: those payload types are never RTP's there (RFC 5761
    section 4)."""
    return 64 <= rtp.payload_type <= 95


def is_rtcp(packet: bytes) -> bool:
    """Whether it has the version and a packet type of RTCP (RFC 5761 section 4: 192 to 223)."""
    return len(packet) >= 4 and packet[0] >> 6 == 2 and 192 <= packet[1] <= 223


def leading_reports(packet: bytes) -> bytes:
    """The sender and receiver reports that a compound RTCP packet begins with, which hold counts
    and times only.

    What follows the last of them is cut off: SDES and BYE carry any text, APP and unknown types
    anything. Empty where no report leads, where a report has a profile-specific extension, where a
    packet is padded or longer than what is left, wherever in the compound that is.
    """
    at = reports = 0
    while at < len(packet):
        if len(packet) - at < 4 or packet[at] >> 5 != 0b100:  # version 2, no padding
            return b""
        count, kind = packet[at] & 0x1F, packet[at + 1]
        size = 4 + 4 * _read_number(packet, at + 2, 2)
        if size > len(packet) - at:
            return b""
        if reports == at and kind in _REPORT_SIZE:
            if size != _REPORT_SIZE[kind] + 24 * count:
                return b""
            reports += size
        at += size
    return packet[:reports]


@dataclass(frozen=True, slots=True)
class Reception:
    """What the sender of an RTCP packet says of the stream that it receives (RFC 3550 section
    6.4.1).

    `lost`: packets since it began, 0 where duplicates outnumber them; `jitter` in units of
    rtp_timestamp.
    """

    lost: int
    jitter: int


def reception(packet: bytes) -> Reception | None:
    """The first report block of a compound RTCP packet; None where it has none, or is not
    well-formed throughout."""
    reports, at = leading_reports(packet), 0
    while at < len(reports):
        if packet[at] & 0x1F:
            block = at + _REPORT_SIZE[packet[at + 1]]
            lost = _read_number(packet, block + 5, 3)
            return Reception(0 if lost & 0x800000 else lost, _read_number(packet, block + 12, 4))
        at += 4 + 4 * _read_number(packet, at + 2, 2)
    return None


def _read_number(packet: bytes, at: int, size: int) -> int:
    return int.from_bytes(packet[at : at + size], "big")
