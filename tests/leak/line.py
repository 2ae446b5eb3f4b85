"""A line that loses and delays packets, and the sound of what a phone receives over it.

Rule 1: packets lie where their rtp_timestamp says. One that comes twice is heard once; where two
        overlap, the first is heard.
Rule 2: the phone's jitter buffer is as long as it takes: what arrives late is heard in its place.
Rule 3: what is missing is silence, or what spandsp's packet-loss concealment makes of the sound
        before it: the period of its pitch, again and again, fading out within 50 ms. Ten
        milliseconds of a tone become sixty.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.leak.codec import PACKET, Pcm, decoded
from tests.leak.decoders import RATE, library
from tests.leak.timeline import Packet

_MS = RATE // 1000
_CONCEALED = 80  # samples that a phone asks of its concealment at once


@dataclass(frozen=True, slots=True)
class Line:
    """The way of the customer's packets to the mask, and the phone behind it."""

    frame: int = PACKET  # octets in a packet, 8 a millisecond
    loss: float = 0.0  # share of packets that are lost
    burst: float = 1.0  # packets lost one after another, on average
    jitter: int = 0  # milliseconds of delay, at most; each packet has its own
    concealed: bool = True  # the phone conceals what is missing


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet, and the millisecond at which it comes."""

    ms: int
    packet: Packet


@dataclass(frozen=True, slots=True)
class Received:
    """A phone's stream: its octets, its samples, and which of them have come at all."""

    octets: NDArray[np.uint8]
    pcm: Pcm
    present: NDArray[np.bool_]


def arrivals(
    payloads: Sequence[bytes], payload_type: int, line: Line, seed: int | tuple[int, ...]
) -> list[Arrival]:
    """What of a stream comes at the mask, in the order in which it comes. The same seed loses the
    same packets.

    Loss is Gilbert's: a good and a bad state, in the bad one everything is lost."""
    random = np.random.default_rng((*(seed if isinstance(seed, tuple) else (seed,)), line.frame))
    wire, came, lost = b"".join(payloads), [], False
    ends, begins = 1 / line.burst, line.loss / (line.burst * (1 - line.loss))
    for number, at in enumerate(range(0, len(wire), line.frame)):
        lost = random.random() < (1 - ends if lost else begins)
        late = int(random.integers(line.jitter + 1))
        packet = Packet(payload_type, number & 0xFFFF, at, 1, wire[at : at + line.frame], marker=number == 0)
        if not lost:
            came.append(Arrival(at // _MS + late, packet))
    return sorted(came, key=lambda one: one.ms)


def received(packets: Sequence[Packet], payload_type: int, length: int) -> Received:
    """What lies in the first `length` samples. G.722's decoder goes on over what is missing."""
    octets, present = np.zeros(length, np.uint8), np.zeros(length, bool)
    for packet in packets:
        at, end = packet.rtp_timestamp, min(length, packet.rtp_timestamp + len(packet.payload))
        if at < end and not present[at:end].any():
            octets[at:end] = np.frombuffer(packet.payload, np.uint8)[: end - at]
            present[at:end] = True
    pcm = np.zeros(length, np.int16)
    pcm[present] = decoded([octets[present].tobytes()], payload_type)
    return Received(octets, pcm, present)


def played(pcm: Pcm, present: NDArray[np.bool_], line: Line) -> Pcm:
    """What the phone's ear hears of samples of which some are missing."""
    return concealed(pcm, present) if line.concealed else np.where(present, pcm, 0).astype(np.int16)


def concealed(pcm: Pcm, present: NDArray[np.bool_]) -> Pcm:
    """The sound with spandsp's `plc_fillin` in place of what is missing."""
    spandsp = library()
    sound = np.where(present, pcm, 0).astype(np.int16)
    start = sound.ctypes.data
    state = spandsp.plc_init(None)
    try:
        edges = np.flatnonzero(np.diff(present)) + 1
        for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(sound)], strict=True):
            work = spandsp.plc_rx if first < last and present[first] else spandsp.plc_fillin
            for at in range(first, last, _CONCEALED):
                work(state, ctypes.c_void_p(start + 2 * at), min(_CONCEALED, last - at))
    finally:
        spandsp.plc_free(state)
    return sound
