"""Synthesises the speech of the demo: WAV files of 8 kHz, 16 bit, mono, for telephones.

Where espeak-ng is installed it speaks, and PyAV resamples its voice to 8 kHz. Elsewhere there is a
voice-like hum: buzzing vowels in the rhythm of the text. It is audible, never has a DTMF tone, and
needs nothing but the demo's packages.
"""

from __future__ import annotations

import array
import math
import shutil
import subprocess
import sys
import tempfile
import wave
from functools import cache
from pathlib import Path

import av

RATE = 8000
_PAUSE_SECONDS = 0.6  # at the end, as the phones play it in a loop
_FULL_SCALE = 32768
_ESPEAK_SECONDS = 30
# Two formants in hertz for a vowel: enough to sound like somebody in the next room.
_VOWELS = {
    "a": (730, 1090),
    "e": (530, 1840),
    "i": (270, 2290),
    "o": (570, 840),
    "u": (300, 870),
    "y": (270, 2100),
}
_PITCH = 118


def speak(text: str, file: Path) -> bool:
    """Write `text` as speech to a WAV file. Whether it is real speech, and not the hum."""
    spoken = _espeak(text)
    _write_wav(file, spoken if spoken is not None else _hum(text))
    return spoken is not None


def loudness(file: Path) -> float:
    """Root mean square of a WAV file's samples, from 0 (silence, or no samples) to 1 (full
    scale)."""
    with wave.open(str(file)) as source:
        samples = _native_samples(source.readframes(source.getnframes()))
    if not samples:
        return 0.0
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) / _FULL_SCALE


def _espeak(text: str) -> array.array[int] | None:
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        spoken = Path(directory) / "speech.wav"
        try:
            # The text goes in by standard input: it is then no option, whatever it begins with.
            subprocess.run(
                [program, "-v", "en", "-s", "160", "-w", str(spoken), "--stdin"],
                input=text.encode(),
                check=True,
                capture_output=True,
                timeout=_ESPEAK_SECONDS,
            )
            return _resample(spoken)
        except (OSError, subprocess.SubprocessError, av.FFmpegError):
            return None


def _resample(file: Path) -> array.array[int]:
    """Any audio file as 8 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    samples = array.array("h")
    with av.open(str(file)) as source:
        frames = [*source.decode(audio=0), None]  # None empties the resampler
        for frame in frames:
            for part in resampler.resample(frame):
                samples.frombytes(bytes(part.planes[0])[: part.samples * 2])
    return samples


def _hum(text: str) -> array.array[int]:
    samples = array.array("h")
    for letter in text.lower():
        if letter in _VOWELS:
            samples.extend(_vowel(*_VOWELS[letter], seconds=0.14))
        elif not letter.isalpha():
            samples.extend([0] * int(RATE * 0.06))
    return samples if samples else array.array("h", [0] * RATE)


@cache
def _vowel(first: int, second: int, seconds: float) -> array.array[int]:
    """Harmonics of a voice's pitch, strong near two formants, with soft ends."""
    harmonics = [
        (
            _PITCH * n,
            1 / (1 + ((_PITCH * n - first) / 120) ** 2) + 0.5 / (1 + ((_PITCH * n - second) / 160) ** 2),
        )
        for n in range(1, 26)
    ]
    loudest = sum(level for _, level in harmonics)
    count = int(RATE * seconds)
    samples = array.array("h")
    for index in range(count):
        fade = min(1.0, index / 160, (count - index) / 160)
        wave_ = sum(level * math.sin(2 * math.pi * pitch * index / RATE) for pitch, level in harmonics)
        samples.append(int(0.6 * _FULL_SCALE * fade * wave_ / loudest))
    return samples


def _write_wav(file: Path, samples: array.array[int]) -> None:
    samples = samples + array.array("h", [0] * int(RATE * _PAUSE_SECONDS))
    if sys.byteorder == "big":
        samples.byteswap()
    with wave.open(str(file), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(samples.tobytes())


def _native_samples(data: bytes) -> array.array[int]:
    samples = array.array("h", data[: len(data) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
