"""RTP and RTCP packets: what is well-formed, and where its parts are (RFC 3550 sections 5.1 and 6).

Rule 1: nothing raises on a packet; what does not parse is None or False.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Ssrc = NewType("Ssrc", int)

HEADER = 12
_SENDER_REPORT, _RECEIVER_REPORT, _SOURCE_DESCRIPTION, _GOODBYE = 200, 201, 202, 203


@dataclass(frozen=True, slots=True)
class Rtp:
    """A well-formed packet. `payload` is without padding; CSRCs and header extension are passed over."""

    payload_type: int
    marker: bool
    sequence_number: int
    rtp_timestamp: int
    ssrc: Ssrc
    payload: bytes


def parse(packet: bytes) -> Rtp | None:
    """The packet, or None where version, CSRC count, extension length or padding do not fit its size."""
    end = len(packet)
    if end < HEADER or packet[0] >> 6 != 2:
        return None
    start = HEADER + 4 * (packet[0] & 0x0F)
    if start > end:
        return None
    if packet[0] & 0x10:  # header extension, section 5.3.1
        if end - start < 4:
            return None
        start += 4 + 4 * _number(packet, start + 2, 2)
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
        sequence_number=_number(packet, 2, 2),
        rtp_timestamp=_number(packet, 4, 4),
        ssrc=Ssrc(_number(packet, 8, 4)),
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
    """Whether this is RTCP on the RTP port: those payload types are never RTP's there (RFC 5761 section 4)."""
    return 64 <= rtp.payload_type <= 95


def is_rtcp(packet: bytes) -> bool:
    """Whether it has the version and a packet type of RTCP (RFC 5761 section 4: 192 to 223)."""
    return len(packet) >= 4 and packet[0] >> 6 == 2 and 192 <= packet[1] <= 223


def carries_no_text(packet: bytes) -> bool:
    """Whether a compound RTCP packet has reports, SDES and BYE only, with no room for anything else in it.

    Refused: APP, XR, feedback and unknown types; padding; a profile's extension of a report; a reason for leaving.
    """
    at = 0
    while at < len(packet):
        if len(packet) - at < 4 or packet[at] >> 5 != 0b100:  # version 2, no padding
            return False
        count, kind = packet[at] & 0x1F, packet[at + 1]
        size = 4 + 4 * _number(packet, at + 2, 2)
        if size > len(packet) - at:
            return False
        if at == 0 and kind not in (_SENDER_REPORT, _RECEIVER_REPORT):
            return False
        expected = {
            _SENDER_REPORT: 28 + 24 * count,
            _RECEIVER_REPORT: 8 + 24 * count,
            _SOURCE_DESCRIPTION: size,
            _GOODBYE: 4 + 4 * count,
        }
        if size != expected.get(kind):
            return False
        at += size
    return at > 0


def _number(packet: bytes, at: int, size: int) -> int:
    return int.from_bytes(packet[at : at + size], "big")
