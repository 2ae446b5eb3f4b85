"""Peers that send telephone-events with redundancy (RFC 2198)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from aiortc.rtp import RtpPacket

from tests.wire.handmade import offer

RED = 121
GENERATIONS = 2


def describe(port: int, who: str) -> str:
    return offer(port, who).replace("AVP 0 101", f"AVP {RED} 0 101") + (
        f"a=rtpmap:{RED} red/8000\r\na=fmtp:{RED} 0/101/101\r\n"
    )


class Redundant:
    """Wraps what a phone sends: each packet repeats the two before it."""

    def __init__(self) -> None:
        self._before: list[RtpPacket] = []

    def wrap(self, packets: Iterable[RtpPacket]) -> list[RtpPacket]:
        return [self._wrapped(packet) for packet in packets]

    def _wrapped(self, packet: RtpPacket) -> RtpPacket:
        older = [each for each in self._before if (packet.timestamp - each.timestamp) & 0xFFFFFFFF <= 0x3FFF]
        heads = b"".join(
            struct.pack(
                "!I",
                1 << 31
                | each.payload_type << 24
                | ((packet.timestamp - each.timestamp) & 0xFFFFFFFF) << 10
                | len(each.payload),
            )
            for each in older
        )
        payload = (
            heads + bytes([packet.payload_type]) + b"".join(each.payload for each in older) + packet.payload
        )
        self._before = [*self._before, packet][-GENERATIONS:]
        return RtpPacket(
            payload_type=RED, marker=packet.marker, sequence_number=packet.sequence_number,
            timestamp=packet.timestamp,
            ssrc=packet.ssrc, payload=payload,
        )  # fmt: skip
