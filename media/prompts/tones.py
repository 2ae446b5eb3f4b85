"""The shipped tones, which an agent alone hears: what they say, and how they sound.

Rule 1: each moment has one frequency, below every frequency of DTMF (697 to 1633 Hz, ITU-T Q.23),
        so no decoder takes it for a key.
Rule 2: a tone stands for a state, never for a key. It is in no language.
"""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Final

_COMPLETE, _WRONG, _DONE = "tone-complete", "tone-wrong", "tone-done"
# Of each tone its notes one after another: Hz, and milliseconds.
TONES: Final[Mapping[str, tuple[tuple[float, int], ...]]] = {
    _COMPLETE: ((523.3, 90),),
    _WRONG: ((311.1, 140), (233.1, 200)),
    _DONE: ((392.0, 90), (466.2, 90), (587.3, 180)),
}
_RATE = 16000
_LEVEL = 4000  # of 32767: the peak, about -15 dBm0
_EDGE = _RATE * 12 // 1000  # samples in which a note comes and goes, without a click


def write_tone(name: str, into: Path) -> None:
    """Write a tone as WAV, mono, 16 kHz. Raises OSError."""
    samples = [sample for hertz, ms in TONES[name] for sample in _note(hertz, ms)]
    quiet = [0] * (_RATE // 50)
    with wave.open(str(into), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        every = chain(samples, quiet)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in every))


def _note(hertz: float, ms: int) -> list[int]:
    count = _RATE * ms // 1000
    turn = 2 * math.pi * hertz / _RATE
    return [round(_LEVEL * _swell(at, count) * math.sin(turn * at)) for at in range(count)]


def _swell(at: int, count: int) -> float:
    edge = min(at, count - 1 - at, _EDGE)
    return (1 - math.cos(math.pi * edge / _EDGE)) / 2
