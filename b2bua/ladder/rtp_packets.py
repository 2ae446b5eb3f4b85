"""Writes what was recorded of RTP as packets of a capture file: the header that there was, and
octets that are made up in the place of the payload.

Rule 1: nothing of a payload is known here (media/tapped.py): what stands there is silence of G.711,
        or zeros.
Rule 2: our own end has an address for documentation, as in the messages of the same leg, and its
        own port.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from b2bua.ladder import pcapng
from media.tapped import TapFlag, TapKind, TapRecord

_VERSION: Final = 0x80
_MASKED_TYPE: Final = 127  # in the place of a payload type that was not recorded
_SILENCE: Final = {0: b"\xff", 8: b"\xd5"}  # of PCMU and PCMA
# Octets of the shortest packet of a type of RTCP (RFC 3550 section 6, RFC 4585 section 6.1).
_RTCP: Final = {200: 28, 201: 8, 202: 4, 203: 4, 204: 12, 205: 12, 206: 12, 207: 8}
_SHORTEST: Final = 4
MASKED: Final = (
    "the call was masked: the payload type, the marker, the timestamp, the length and the time within "
    "the second were not recorded"
)


def record_packet(record: TapRecord, own_port: int, leg: int, comments: list[str]) -> bytes:
    """A record as a packet. `own_port`: of ours, for RTP; `leg`: its number in the ladder."""
    theirs = record.host, record.port
    ours = pcapng.documentation(leg, record.host.version), own_port + record.socket % 2
    ends = (ours, theirs) if TapFlag.SENT in record.flags else (theirs, ours)
    return pcapng.packet(record.at_us, pcapng.udp(*ends, _payload(record)), [*comments, *_remarks(record)])


def _payload(record: TapRecord) -> bytes:
    if record.kind is TapKind.RTP:
        masked = TapFlag.MASKED in record.flags
        kind = _MASKED_TYPE if masked else record.payload_type
        marker = 0x80 if TapFlag.MARKER in record.flags else 0
        header = struct.pack(
            "!BBHII", _VERSION, marker | kind, record.sequence_number, record.rtp_timestamp, record.ssrc
        )
        return header + _SILENCE.get(kind, b"\0") * record.length
    if record.kind is TapKind.RTCP and record.payload_type:
        size = _RTCP.get(record.payload_type, _SHORTEST)
        return struct.pack("!BBH", _VERSION, record.payload_type, size // 4 - 1) + bytes(size - 4)
    return b""


def _remarks(record: TapRecord) -> Iterator[str]:
    if record.kind is TapKind.FOREIGN:
        yield "not from the peer of this leg: nothing of it was recorded"
    elif record.kind is TapKind.OTHER:
        yield "neither RTP nor RTCP, or not authentic: nothing of it was recorded"
    elif TapFlag.SEALED in record.flags:
        yield "SRTP" if record.kind is TapKind.RTP else "SRTCP"
    if TapFlag.MASKED in record.flags:
        yield MASKED
