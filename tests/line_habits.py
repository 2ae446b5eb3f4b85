"""Ways in which a carrier sends keys, written as RTP packets with the times at which they leave."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from b2bua.self_test.tones import CODECS, make_tone

KEYS = "0123456789*#ABCD"
FRAME = 160
PACE = 0.02  # seconds
PCMU, PCMA = 0, 8


@dataclass(frozen=True)
class Habit:
    """A carrier's. Times in frames of 20 ms. `lead`, `tail`: tone before and after the event;
    `copies`: presses for each; `loses`: each so-manieth packet does not leave; `clock`: of events,
    Hz."""

    event_type: int = 101
    clock: int = 8000
    event: int = 5  # 0: none
    tone: int = 0  # in the place of an event
    lead: int = 0
    tail: int = 0
    ends: int = 3
    copies: int = 1
    apart: int = 6
    marks: bool = True
    own_ssrc: bool = False
    audio_between: bool = False
    codec: int = PCMA
    ptime: int = 1
    silent: bool = False  # between keys nothing is sent
    loses: int = 0


def write_keys(keys: str, habit: Habit, before: int = 10, after: int = 10) -> list[tuple[float, bytes]]:
    """The packets of a customer who presses these keys, each with the seconds at which it
    leaves."""
    stream = _Stream(habit)
    stream.audio(before)
    for key in keys:
        for _ in range(habit.copies):
            stream.press(key)
        stream.audio(habit.apart)
    stream.audio(after)
    sent = stream.sent
    return [each for number, each in enumerate(sent, 1) if not habit.loses or number % habit.loses]


class _Stream:
    """Packets so far. Sequence number and timestamp wrap soon."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit
        self.sent: list[tuple[float, bytes]] = []
        self._sequence, self._stamp, self._at, self._phase = 65_520, (1 << 32) - 4000, 0.0, 0

    def audio(self, frames: int, key: str = "") -> None:
        step = self.habit.ptime
        samples = make_tone(key, frames * FRAME) if key else self._hum(frames * FRAME)
        octets = CODECS[self.habit.codec].encode(samples)
        for at in range(0, frames * FRAME, step * FRAME):
            if key or not self.habit.silent:
                self._packet(self.habit.codec, octets[at : at + step * FRAME], self._stamp)
            self._stamp += step * FRAME
            self._at += step * PACE

    def press(self, key: str) -> None:
        habit = self.habit
        self.audio(habit.lead, key)
        self.audio(habit.tone, key)
        if habit.event:
            self._event(key)
        self.audio(habit.tail, key)

    def _event(self, key: str) -> None:
        habit, begin = self.habit, self._stamp
        ticks = FRAME * habit.clock // 8000
        for place in range(habit.event + habit.ends):
            done = place >= habit.event
            payload = struct.pack(
                "!BBH", KEYS.index(key), done << 7 | 10, min(place + 1, habit.event) * ticks
            )
            marker = habit.marks and place == 0
            self._packet(habit.event_type, payload, begin, marker=marker, own=habit.own_ssrc)
            if not done:
                if habit.audio_between:
                    self._packet(habit.codec, CODECS[habit.codec].encode(self._hum(FRAME)), self._stamp)
                self._stamp += FRAME
                self._at += PACE

    def _packet(
        self, kind: int, payload: bytes, stamp: int, *, marker: bool = False, own: bool = False
    ) -> None:
        header = struct.pack(
            "!BBHII", 0x80, marker << 7 | kind, self._sequence % 65536, stamp % (1 << 32), 77 + own
        )
        self._sequence += 1
        self.sent.append((self._at, header + payload))

    def _hum(self, samples: int) -> list[int]:
        """A voice that is none: two sines that are no key."""
        found = [
            int(900 * math.sin(0.19 * at) + 700 * math.sin(0.31 * at))
            for at in range(self._phase, self._phase + samples)
        ]
        self._phase += samples
        return found


def stream_ends(sent: list[tuple[float, bytes]]) -> Iterator[float]:
    """When the first and the last packet leave."""
    yield sent[0][0]
    yield sent[-1][0]
