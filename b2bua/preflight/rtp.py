"""RTP packets as they arrive (RFC 3550 section 5.1), read with code that shares nothing with the
media process."""

from __future__ import annotations

import struct
from typing import Final

from b2bua.preflight.observation import Packet, Place

HEADER: Final = struct.Struct("!BBHII")


def parse_packet(octets: bytes, at: float, source: Place) -> Packet | None:
    """One packet; None where it is no RTP, or does not fit its own lengths."""
    if len(octets) < HEADER.size or octets[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(octets)
    begin, end = HEADER.size + 4 * (first & 0x0F), len(octets)
    if first & 0x10:
        begin += 4 + 4 * int.from_bytes(octets[begin + 2 : begin + 4], "big")
    if first & 0x20:
        end -= octets[-1]
    if begin > end:
        return None
    payload = octets[begin:end]
    return Packet(at, source, second & 0x7F, bool(second >> 7), sequence, timestamp, ssrc, payload)


def is_rtcp(octets: bytes) -> bool:
    """Whether it is RTCP, also on the port of RTP (RFC 5761 section 4)."""
    return len(octets) >= 8 and octets[0] >> 6 == 2 and 192 <= octets[1] <= 223
