"""RTP as it was captured, back into the audio that somebody would hear: a timeline built from
rtp_timestamps.

Rule 1: packets lie where their rtp_timestamp says, with silence where there are none; the order of
        arrival does not matter.
Rule 2: nothing that was received is left unheard: audio that another packet's place already holds
        (a second stream, a restarted clock) goes on a layer of its own, and all layers are heard
        one after another.
Rule 3: a packet that comes twice is heard once.

Gaps longer than ten seconds are heard as ten: one wild timestamp makes no hours of silence."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tests.leak.codec import G722, PCMA, PCMU, Pcm, decoded

STATIC = {PCMU: PCMU, PCMA: PCMA, G722: G722}
_MAX_GAP = 80000  # units of rtp_timestamp (8 kHz): ten seconds
_HALF_RANGE = 1 << 31
_BETWEEN = 8000  # samples of silence between layers


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet (RFC 3550 section 5.1), without its CSRCs, extension and padding."""

    payload_type: int
    sequence: int
    rtp_timestamp: int
    ssrc: int
    payload: bytes = field(repr=False)
    marker: bool = False

    def __bytes__(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        return (
            struct.pack("!BBHII", 0x80, second, self.sequence, self.rtp_timestamp, self.ssrc) + self.payload
        )


def parse(datagram: bytes) -> Packet | None:
    """None if it is no RTP (RTCP's types are 200 and up, RFC 5761 section 4) or ends before its
    header does."""
    if len(datagram) < 12 or datagram[0] >> 6 != 2 or 192 <= datagram[1] <= 223:
        return None
    first, second, sequence, rtp_timestamp, ssrc = struct.unpack_from("!BBHII", datagram)
    start, end = 12 + 4 * (first & 15), len(datagram)
    if first & 0x10:
        if len(datagram) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= datagram[-1]
    if start > end:
        return None
    return Packet(second & 0x7F, sequence, rtp_timestamp, ssrc, datagram[start:end], bool(second & 0x80))


def heard(packets: Iterable[Packet], types: Mapping[int, int] = STATIC) -> Pcm:
    """What these packets sound like, 8 kHz. `types`: the static payload type that each payload type
    on the wire stands for; packets of others (events, comfort noise) are silence."""
    layers: list[list[tuple[int, Packet]]] = []
    for stream in _streams(packet for packet in packets if packet.payload_type in types and packet.payload):
        free: list[list[tuple[int, Packet]]] = []
        for at, packet in stream:
            for layer in free:
                there, last = layer[-1]
                if at >= there + len(last.payload):
                    layer.append((at, packet))
                    break
            else:
                free.append([(at, packet)])
        layers += free
    silence = np.zeros(_BETWEEN, np.int16)
    parts = [part for layer in layers for part in (_layer(layer, types), silence)]
    return np.concatenate(parts[:-1]) if parts else np.zeros(0, np.int16)


def _streams(packets: Iterable[Packet]) -> list[list[tuple[int, Packet]]]:
    """The packets of each SSRC in order of time, each once, with an rtp_timestamp that does not
    wrap."""
    streams: dict[int, list[tuple[int, Packet]]] = {}
    seen: set[Packet] = set()
    for packet in packets:
        if packet in seen:
            continue
        seen.add(packet)
        stream = streams.setdefault(packet.ssrc, [])
        before = stream[-1][0] if stream else packet.rtp_timestamp
        away = (packet.rtp_timestamp - before + _HALF_RANGE) % (2 * _HALF_RANGE) - _HALF_RANGE
        stream.append((before + away, packet))
    return [sorted(stream, key=lambda one: one[0]) for stream in streams.values()]


def _layer(placed: list[tuple[int, Packet]], types: Mapping[int, int]) -> Pcm:
    """Audio of packets that do not overlap. A decoder begins anew after each gap."""
    parts: list[Pcm] = []
    run: list[bytes] = []
    end, codec = placed[0][0], types[placed[0][1].payload_type]
    for at, packet in placed:
        if at != end or types[packet.payload_type] != codec:
            parts += [decoded(run, codec), np.zeros(min(at - end, _MAX_GAP), np.int16)]
            run = []
        codec = types[packet.payload_type]
        run.append(packet.payload)
        end = at + len(packet.payload)
    return np.concatenate([*parts, decoded(run, codec)])
