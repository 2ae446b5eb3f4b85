"""How the audio came: codec, packet time, loss, order, gaps, and from where.

Rule 1: pure.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec

from b2bua.preflight.observation import Leg, Packet
from b2bua.preflight.presses import is_audio

_NOISE: Final = 13
_SPAN: Final = 1 << 16


class AudioFacts(msgspec.Struct, kw_only=True):
    """The audio of a leg. Times in ms. `early`: packets before the answer; `restarts`: how often
    the stream began anew (another SSRC); `is_elsewhere`: it comes from another address than
    described."""

    packets: int = 0
    payload_type: int = -1
    codec: str = ""
    ptime: float = 0.0
    said_ptime: int = 0
    early: int = 0
    first_after: float = 0.0  # from the answer to the first packet, where none was early
    lost: int = 0
    late: int = 0
    copies: int = 0
    jitter: float = 0.0  # RFC 3550 section 6.4.1, the last value
    longest_gap: float = 0.0
    noise: int = 0  # packets of comfort noise
    pauses: int = 0  # gaps in the clock without a packet lost: silence is not sent
    restarts: int = 0
    rtcp: int = 0
    refused: int = 0  # packets of SRTP that were not authentic
    is_elsewhere: bool = False
    source: str = ""

    @property
    def loss(self) -> float:
        """The share of the packets that did not arrive."""
        whole = self.packets + self.lost
        return self.lost / whole if whole else 0.0


def measure_audio(leg: Leg) -> AudioFacts:
    """How the audio of a leg came."""
    types = [each.kind for each in leg.remote.events]
    audio = [packet for packet in leg.packets if is_audio(packet, types)]
    facts = AudioFacts(
        packets=len(leg.packets),
        noise=sum(packet.payload_type == _NOISE for packet in leg.packets),
        rtcp=leg.rtcp,
        refused=leg.refused,
        said_ptime=leg.remote.ptime,
    )
    if not leg.packets:
        return facts
    first = leg.packets[0]
    if leg.answered_at:
        facts.early = sum(packet.at < leg.answered_at for packet in leg.packets)
        facts.first_after = max(_ms(first.at - leg.answered_at), 0.0)
    source = Counter(packet.source for packet in leg.packets).most_common(1)[0][0]
    host, port = source
    facts.source = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    facts.is_elsewhere = bool(leg.remote.port) and source != (leg.remote.host, leg.remote.port)
    streams: dict[int, list[Packet]] = {}
    for packet in leg.packets:
        streams.setdefault(packet.ssrc, []).append(packet)
    for stream in streams.values():
        _add_order(facts, stream)
    facts.longest_gap = _ms(
        max((later.at - earlier.at for earlier, later in pairwise(leg.packets)), default=0)
    )
    if audio:
        facts.restarts = len({packet.ssrc for packet in audio}) - 1
        kind = Counter(packet.payload_type for packet in audio).most_common(1)[0][0]
        found = next((each for each in leg.remote.formats if each.kind == kind), None)
        facts.payload_type, facts.codec = kind, found.encoding if found else ""
        _add_clock(facts, [packet for packet in audio if packet.payload_type == kind], _clock_of(leg, kind))
    return facts


def _add_order(facts: AudioFacts, stream: list[Packet]) -> None:
    """Loss, order and copies of one stream, by its sequence numbers."""
    highest, seen = stream[0].sequence, {stream[0].sequence}
    begin = highest
    for packet in stream[1:]:
        step = (packet.sequence - highest + _SPAN // 2) % _SPAN - _SPAN // 2
        number = highest + step
        if number in seen:
            facts.copies += 1
            continue
        facts.late += step < 0
        seen.add(number)
        highest, begin = max(highest, number), min(begin, number)
    facts.lost += highest - begin + 1 - len(seen)


def _add_clock(facts: AudioFacts, audio: list[Packet], clock: int) -> None:
    """Packet time, pauses and jitter of the audio, by its timestamps."""
    steps, jitter = [], 0.0
    for earlier, later in pairwise(audio):
        if later.ssrc != earlier.ssrc:
            continue
        ticks = (later.timestamp - earlier.timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        if later.sequence == (earlier.sequence + 1) % _SPAN and ticks > 0:
            steps.append(ticks)
        late = abs(later.at - earlier.at - ticks / clock)
        jitter += (late - jitter) / 16
    if steps:
        usual = median(steps)
        facts.ptime = _ms(usual / clock)
        facts.pauses = sum(step > 2 * usual for step in steps)
    facts.jitter = _ms(jitter)


def _clock_of(leg: Leg, kind: int) -> int:
    return next((each.clock for each in leg.remote.formats if each.kind == kind), 8000)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
