"""Random key presses as a carrier would send them in-band, and the truth about each of them.

Every draw comes from one seeded generator: the same seed and condition give the same bytes.

The level of a press is that of its louder tone, in dBm0 of a sine (see `codec`); twist is the high
tone over the low one, in dB: with a level of -3 dBm0 and a twist of 6 dB the tones have -9 and -3
dBm0. Background is measured against the power of both tones together: speech (its active level) and
noise "at 6 dB below" have a quarter of that power, in the telephone band for speech and over all 4
kHz for noise, and follow the level from one press to the next, a ramp in between.

A press that is alone has a stream, and so a mask, of its own: nothing before it has shown the mask
that keys are coming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.leak.codec import PACKET, PCMA, PCMU, PEAK_0DBM0, Floats, amplitude, encoded, transcoded
from tests.leak.decoders import COLUMNS, KEYS, RATE, ROWS
from tests.leak.line import Line
from tests.leak.speech import VOICES, talk

SILENCE, NOISE, SPEECH = "silence", "noise", "speech"
_STOPPED = 0.3  # seconds at most, between the end of speech and a press
_RAMP = 0.005  # seconds at most, where a press has no hard onset


@dataclass(frozen=True, slots=True)
class Condition:
    """What is drawn from. Ranges are uniform; `below` is how far the background lies under both
    tones, in dB."""

    name: str
    background: str = SILENCE
    below: float = 0.0
    level: tuple[float, float] = (-30.0, -3.0)  # dBm0 of the louder tone
    twist: tuple[float, float] = (-6.0, 6.0)  # dB
    deviation: float = 0.018  # of each tone's frequency, either way
    length: tuple[float, float] = (0.040, 0.500)  # seconds
    pause: tuple[float, float] = (0.040, 0.300)  # seconds
    payload_types: tuple[int, ...] = (PCMA, PCMU)
    transcode: bool = False
    voices: tuple[str, ...] = VOICES
    alone: tuple[float, float] | None = (
        None  # seconds of background before each press, which is the first that is heard
    )
    # The way to the mask; None: 20 ms a packet, none lost or late, and no phone that conceals.
    line: Line | None = None
    # Share of presses that has to be read without a mask, or the listener is deaf.
    readable: float = 0.95
    stops: bool = False  # the background ends, up to 0.3 s before a press that is alone


@dataclass(frozen=True, slots=True)
class Press:
    """One key press: the samples (8 kHz) from `first` to `last` hold its tones. Level in dBm0,
    twist in dB."""

    digit: str
    first: int
    last: int
    level: float
    twist: float


@dataclass(frozen=True, slots=True)
class Recording:
    """Payloads of 20 ms, one packet after another, and what was keyed in them.

    `unkeyed` is the same stream had nobody pressed a key: what a decoder reads in it says nothing
    about the presses."""

    payloads: list[bytes]
    unkeyed: list[bytes]
    payload_type: int
    presses: tuple[Press, ...]


def recordings(condition: Condition, presses: int, seed: int) -> list[Recording]:
    """`presses` random presses: in one recording, or each in its own where they are alone."""
    if condition.alone is None:
        return [recording(condition, presses, seed)]
    return [recording(condition, 1, (seed, number)) for number in range(presses)]


def recording(condition: Condition, presses: int, seed: int | tuple[int, int]) -> Recording:
    """`presses` random presses under one condition, between half a second of background before and
    after, or what the condition says before a press that is alone and a quarter after it."""
    random = np.random.default_rng(seed)
    keyed: list[Press] = []
    tones: list[tuple[int, Floats]] = []
    at = int(random.uniform(*condition.alone) * RATE) if condition.alone else RATE // 2
    for _ in range(presses):
        press, tone = _press(random, condition, at)
        keyed.append(press)
        tones.append((at, tone))
        at = press.last + 1 + int(random.uniform(*condition.pause) * RATE)
    audio = _background(
        random, condition, keyed, -(-(at + RATE // (4 if condition.alone else 2)) // PACKET) * PACKET
    )
    if condition.stops:
        audio[keyed[0].first - int(random.uniform(0, _STOPPED) * RATE) :] = 0
    unkeyed = audio.copy()
    for start, tone in tones:
        audio[start : start + len(tone)] += tone
    first = int(random.choice(condition.payload_types))
    payloads, without = encoded(audio, first), encoded(unkeyed, first)
    if condition.transcode:
        other = PCMU if first == PCMA else PCMA
        payloads, without = transcoded(payloads, first, other), transcoded(without, first, other)
        first = other
    return Recording(payloads, without, first, tuple(keyed))


def talking(seconds: float, seed: int, *, level: float = -16.0, payload_type: int = PCMA) -> Recording:
    """Speech alone, at an active level in dBm0: nobody keys anything."""
    random = np.random.default_rng(seed)
    payloads = encoded(talk(random, int(seconds * RATE)) * 10 ** (level / 20), payload_type)
    return Recording(payloads, payloads, payload_type, ())


def dual_tone(
    digit: str, samples: int, levels: tuple[float, float], *, detune: tuple[float, float] = (1.0, 1.0)
) -> Floats:
    """The two tones of a key: levels in dBm0 and factors on their frequencies, low tone first."""
    key = KEYS.index(digit)
    time = np.arange(samples) / RATE
    low, high = ROWS[key // 4] * detune[0], COLUMNS[key % 4] * detune[1]
    return np.asarray(
        amplitude(levels[0]) * np.sin(2 * np.pi * low * time)
        + amplitude(levels[1]) * np.sin(2 * np.pi * high * time)
    )


def _press(random: np.random.Generator, condition: Condition, at: int) -> tuple[Press, Floats]:
    digit = KEYS[random.integers(len(KEYS))]
    level, twist = random.uniform(*condition.level), random.uniform(*condition.twist)
    samples = int(random.uniform(*condition.length) * RATE)
    detune = 1 + random.uniform(-condition.deviation, condition.deviation, 2)
    levels = (level - max(twist, 0.0), level + min(twist, 0.0))
    skip = int(random.integers(RATE))  # the tones' phases at the onset
    tone = dual_tone(digit, skip + samples, levels, detune=(detune[0], detune[1]))[skip:]
    if random.random() < 0.5:
        ramp = np.linspace(0, 1, max(2, int(random.uniform(0.001, _RAMP) * RATE)))
        tone[: len(ramp)] *= ramp
        tone[-len(ramp) :] *= ramp[::-1]
    return Press(digit, at, at + samples - 1, level, twist), tone


def _background(
    random: np.random.Generator, condition: Condition, keyed: list[Press], samples: int
) -> Floats:
    if condition.background == SILENCE:
        return np.zeros(samples)
    # Both tones together: the louder one, and the other `twist` dB below it.
    power = [
        press.level + 10 * np.log10(1 + 10 ** (-abs(press.twist) / 10)) - condition.below for press in keyed
    ]
    ramp = [sample for press in keyed for sample in (press.first, press.last)]
    gain = 10 ** (np.interp(np.arange(samples), ramp, np.repeat(power, 2)) / 20)
    if condition.background == NOISE:
        return np.asarray(gain * random.normal(0, PEAK_0DBM0 / np.sqrt(2), samples))
    return np.asarray(gain * talk(random, samples, condition.voices))
