"""What a mask does to speech: alone, and between keys that are pressed now and then.

Speech is compared octet by octet with what left, at the delay at which most of it is the same.
Where keys are pressed, nobody speaks for 100 ms before each and 100 ms after it; what changes from
100 ms before to 200 ms after it is the key's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.leak.codec import G722, PCMA, Floats, encoded
from tests.leak.decoders import KEYS, RATE
from tests.leak.judge import delay_of, octets
from tests.leak.masking import Masker
from tests.leak.presses import dual_tone
from tests.leak.speech import ALL, ASTERISK, HELD_OUT, VOICES, talk, voice

EVERY = 8.0  # seconds from one key to the next, where there are any
_LEVEL = -16.0  # dBm0 of active speech
_APART = int(0.05 * RATE)  # two changes of the audio with less between them are one
_SOON = 5 * RATE  # after a key
_BEFORE, _AFTER, _OWN = RATE // 10, RATE // 10, RATE // 5


@dataclass(frozen=True, slots=True)
class Talk:
    """So many minutes of these voices at random or, for 0, all that one of them says, once."""

    name: str
    voices: tuple[str, ...] = VOICES
    minutes: float = 0.0
    payload_type: int = PCMA
    held_out: bool = False

    def samples(self, seed: int) -> Floats:
        if self.minutes:
            said = talk(np.random.default_rng(seed), int(self.minutes * 60 * RATE), self.voices)
        else:
            said = np.concatenate([voice(one, ALL) for one in self.voices])
        return said * 10 ** (_LEVEL / 20)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a mask did to speech outside of keys: how long it was (s), how often and how long (ms,
    each) it was changed.

    `soon`: how many of these changes began less than five seconds after a key."""

    name: str
    seconds: float
    delay_ms: float
    changed: tuple[float, ...]
    keys: int = 0
    soon: int = 0

    @property
    def in_10_minutes(self) -> float:
        return len(self.changed) / self.seconds * 600


def talks(minutes: float) -> list[Talk]:
    """What the report listens to: its presses' speech for so long, all prompts that thresholds were
    chosen on, and others."""
    language = {"asterisk:en_US_f_Allison": "English", "asterisk:es_MX_f_Allison": "Spanish"}
    other = dict(zip(HELD_OUT, ("French", "Italian", "Russian"), strict=True))
    return [
        Talk("speech of the presses", minutes=minutes),
        Talk("the same in G.722", minutes=minutes, payload_type=G722),
        *[Talk(f"Asterisk, all prompts in {language[one]}", (one,)) for one in ASTERISK],
        *[
            Talk(f"held out: Asterisk, all prompts in {other[one]}", (one,), held_out=True)
            for one in HELD_OUT
        ],
    ]


def false_masks(mask: Callable[[], Masker], said: Talk, seed: int = 1, *, keys: bool = False) -> Voice:
    """One speaker through a mask; with `keys`, a clean one every eight seconds."""
    spoken = said.samples(seed)
    pressed = _keyed(spoken, seed) if keys else []
    payloads = encoded(spoken, said.payload_type)
    before = octets(payloads)
    after = octets(mask().through(payloads, payload_type=said.payload_type))
    delay = delay_of(before, after)
    length = min(len(before), len(after) - delay)
    changed = before[:length] != after[delay : delay + length]
    for first, last in pressed:
        changed[first - _BEFORE : last + _OWN] = False
    runs = _runs(np.flatnonzero(changed))
    return Voice(
        said.name,
        length / RATE,
        delay * 1000 / RATE,
        tuple(float(last - first + 1) * 1000 / RATE for first, last in runs),
        len(pressed),
        sum(any(0 <= first - key < _SOON for _, key in pressed) for first, _ in runs),
    )


def _keyed(spoken: Floats, seed: int) -> list[tuple[int, int]]:
    """Press keys in place of pieces of it; the first and the last sample of each."""
    random = np.random.default_rng((seed, 8))
    pressed: list[tuple[int, int]] = []
    at = int(EVERY / 2 * RATE)
    while at + RATE < len(spoken):
        samples = int(random.uniform(0.06, 0.25) * RATE)
        spoken[at - _BEFORE : at + samples + _AFTER] = 0
        levels = random.uniform(-16, -6), random.uniform(-16, -6)
        spoken[at : at + samples] = dual_tone(KEYS[random.integers(len(KEYS))], samples, levels)
        pressed.append((at, at + samples - 1))
        at += int(EVERY * RATE + random.uniform(-0.5, 0.5) * RATE)
    return pressed


def _runs(differs: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[tuple[int, int]]:
    if not len(differs):
        return []
    pieces: Sequence[np.ndarray[tuple[int], np.dtype[np.intp]]]
    pieces = np.split(differs, np.flatnonzero(np.diff(differs) > _APART) + 1)
    return [(int(piece[0]), int(piece[-1])) for piece in pieces]
