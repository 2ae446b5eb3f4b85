"""What carriers do with a key press, as RTP packets: events, events with a tail of tone, tone
alone, and captures of real ones.

The synthesised ones follow what real captures show: an event of 200 ms (RFC 4733, a packet each 20
ms, its end three times), no audio while it lasts, audio again 40 to 60 ms later with 100 to 160 ms
of the key's tone in it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.leak.codec import PACKET, PCMA, PEAK_0DBM0, Floats, encoded
from tests.leak.decoders import RATE
from tests.leak.presses import dual_tone
from tests.leak.timeline import Packet, parse

EVENT = 101  # the payload type of telephone-event, where nothing else is said
CAPTURES = "TONEWALL_CAPTURES"
_CODES = "0123456789*#ABCD"  # RFC 4733 table 3
# Link type: length, where its EtherType is.
_LINK_HEADERS = {
    1: (14, 12),
    113: (16, 14),
    276: (20, 0),
    101: (0, None),
}


@dataclass(frozen=True, slots=True)
class Habit:
    """How a carrier sends a press; times in ms, levels in dBm0 of each of the two tones."""

    name: str
    before: int = 0  # of tone that is heard until its detector has seen the key
    event: int = 200  # how long the event lasts; 0: none is sent
    apart: tuple[int, int] = (40, 60)  # from the event's end until the tail
    tail: tuple[int, int] = (0, 0)  # of tone after the event
    level: float = -10.0
    floor: float = -60.0  # of the line's noise


HABITS = (
    Habit("events alone"),
    Habit("events, then a tail of tone", tail=(100, 160)),
    Habit("tone until it is detected, then events", before=40),
    Habit("tone, events and a tail", before=60, tail=(100, 160)),
    Habit("tone alone", before=120, event=0),
)


def keyed(
    digits: str, habit: Habit, seed: int, *, payload_type: int = PCMA, event_type: int = EVENT
) -> list[Packet]:
    """The customer's stream while `digits` are pressed; sequence and rtp_timestamp both wrap in the
    course of it."""
    random = np.random.default_rng(seed)
    line = _Line(random, habit, payload_type, event_type)
    line.audio(400)
    for digit in digits:
        line.audio(habit.before, digit)
        line.event(digit)
        if habit.tail[1]:
            line.audio(int(random.integers(habit.apart[0], habit.apart[1] + 1)))
            line.audio(int(random.integers(habit.tail[0], habit.tail[1] + 1)), digit)
        line.audio(int(random.integers(100, 300)))
    line.audio(400)
    return line.packets()


class _Line:
    """A stream that is being written: samples until an event, then the event, then samples
    again."""

    def __init__(self, random: np.random.Generator, habit: Habit, payload_type: int, event_type: int) -> None:
        self._random, self._habit = random, habit
        self._types = (payload_type, event_type)
        self._ssrc = int(random.integers(1 << 32))
        self._sequence, self._at = 0xFFE0, (1 << 32) - 6000
        self._samples: list[Floats] = []
        self._sent: list[Packet] = []

    def audio(self, ms: int, digit: str = "") -> None:
        samples = ms * RATE // 1000
        tone = (
            dual_tone(digit, samples, (self._habit.level, self._habit.level)) if digit else np.zeros(samples)
        )
        self._samples.append(
            tone + self._random.normal(0, PEAK_0DBM0 / np.sqrt(2) * 10 ** (self._habit.floor / 20), samples)
        )

    def event(self, digit: str) -> None:
        if not self._habit.event:
            return
        self._flush()
        whole = self._habit.event * RATE // 1000
        steps = [(duration, 0) for duration in range(PACKET, whole, PACKET)] + [(whole, 0x80)] * 3
        for number, (duration, end) in enumerate(steps):
            payload = struct.pack("!BBH", _CODES.index(digit), end | 10, duration)
            self._send(self._types[1], payload, number == 0)
        self._at += whole

    def packets(self) -> list[Packet]:
        self._flush()
        return self._sent

    def _flush(self) -> None:
        for payload in encoded(np.concatenate([np.zeros(0), *self._samples]), self._types[0]):
            self._send(self._types[0], payload, False)
            self._at += PACKET
        self._samples.clear()

    def _send(self, payload_type: int, payload: bytes, marker: bool) -> None:
        packet = Packet(
            payload_type, self._sequence & 0xFFFF, self._at % (1 << 32), self._ssrc, payload, marker
        )
        self._sent.append(packet)
        self._sequence += 1


# --- captures -------------------------------------------------------------------------------------


def captures() -> list[Path]:
    """Captures of real carriers, which are not ours to distribute: in the folder that
    TONEWALL_CAPTURES names, or beside the checkout in `shared/captures`. The digits that were keyed
    are in a file's name: `ulaw-0123456789.pcap`."""
    named = os.environ.get(CAPTURES)
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "captures"
    return sorted(folder.glob("*-*.pcap"))


def replay(capture: Path) -> list[tuple[float, Packet]]:
    """All RTP of a capture (classic pcap; IPv4, UDP) in the order of arrival, with the time in
    seconds."""
    return [
        (time, packet) for time, datagram in _datagrams(capture.read_bytes()) if (packet := parse(datagram))
    ]


def _datagrams(file: bytes) -> Iterator[tuple[float, bytes]]:
    order, unit = {
        b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
        b"\xa1\xb2\xc3\xd4": (">", 1e-6),
        b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
        b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    }[file[:4]]
    header, kind = _LINK_HEADERS[struct.unpack_from(order + "I", file, 20)[0]]
    at = 24
    while at + 16 <= len(file):
        seconds, fraction, length, _ = struct.unpack_from(order + "IIII", file, at)
        frame = file[at + 16 : at + 16 + length]
        at += 16 + length
        if kind is not None and frame[kind : kind + 2] != b"\x08\x00":
            continue
        datagram = frame[header:]
        if len(datagram) >= 28 and datagram[0] >> 4 == 4 and datagram[9] == 17:
            udp = 4 * (datagram[0] & 15)
            size = int.from_bytes(datagram[udp + 4 : udp + 6], "big")
            yield seconds + fraction * unit, datagram[udp + 8 : udp + size]
