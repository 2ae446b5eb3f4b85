"""Listening to one masked stream for the media thread: each packet may leave, or leaves as silence.

Rule 1: a packet is answered for when 40 ms after its end have been heard, as in
        media/reference/audio_hold.py, whose rules these are.
Rule 2: what cannot be decoded is shut, and so is all that waits where the codec changes.
Rule 3: an Opus packet may hold a copy of what the one before it said (RFC 6716 section 2.1.7), and
        is shut with it. (Where the one before did not come, the core shuts it.)
Rule 4: channels are heard one by one: a tone in one of them, or in both against each other, is a
        tone.
Rule 5: what was heard before a codec changed is not known to what is heard after it: a window
        opens.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from media._core import Hearing
from media.codecs import DecodedCodec
from media.decoder.ffmpeg import Decoder, NotSpeech

_AHEAD = 320  # samples at 8 kHz: 40 ms
_BESIDE = 40  # samples: what a codec's frames overlap


@dataclass(frozen=True, slots=True)
class _Waiting:
    serial: int
    start: int  # samples at 8 kHz
    end: int


@dataclass(slots=True)
class Listener:
    """One stream. `policy` and `guard` (blocks of 5 ms) as in media/reference/audio_hold.py."""

    policy: int
    guard: int
    _codec: DecodedCodec | None = None
    _decoder: Decoder | None = field(default=None, repr=False)
    _hearings: list[Hearing] = field(default_factory=list, repr=False)
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _end: int = 0
    _was_shut: bool = False
    in_window: bool = False  # when it begins to hear

    def event(self) -> None:
        """A press was sent as an event."""
        self.in_window |= not self._hearings
        for hearing in self._hearings:
            hearing.event()

    def hear_packet(self, serial: int, codec: DecodedCodec, payload: bytes) -> list[tuple[int, bool]]:
        """The packets that can be answered for now, by serial, and whether they may leave."""
        answers = [] if codec == self._codec else self._start_decoder(codec)
        assert self._decoder is not None
        try:
            length, heard = self._decoder.decode(payload)
        except NotSpeech:
            self._was_shut = True
            return [*answers, (serial, False)]
        self._waiting.append(_Waiting(serial, self._end, self._end + length))
        self._end += length
        looked = min(hearing.hear(channel) for hearing, channel in zip(self._hearings, heard, strict=True))
        while self._waiting and self._waiting[0].end + _AHEAD <= looked:
            answers.append(self._answer_packet(self._waiting.popleft()))
        return answers

    def take_tone(self) -> bool:
        """Whether the tone of a key has sounded since this was asked last."""
        sounded = [hearing.take_tone() for hearing in self._hearings]  # each of them forgets it
        return any(sounded)

    def _start_decoder(self, codec: DecodedCodec) -> list[tuple[int, bool]]:
        shut = [(waiting.serial, False) for waiting in self._waiting]
        self._waiting.clear()
        self.in_window |= self._codec is not None
        self._codec, self._decoder = codec, Decoder(codec)
        self._hearings = [Hearing(self.policy, self.guard) for _ in range(self._decoder.channels)]
        if self.in_window:
            for hearing in self._hearings:
                hearing.event()
        self._end, self._was_shut, self.in_window = 0, False, False
        return shut

    def _answer_packet(self, waiting: _Waiting) -> tuple[int, bool]:
        start, end = max(waiting.start - _BESIDE, 0), waiting.end + _BESIDE
        shut = any(hearing.is_shut(start, end) for hearing in self._hearings)
        is_open = not (shut or (self._was_shut and self._codec is not None and self._codec.payload.repeats))
        self._was_shut = shut
        return waiting.serial, is_open
