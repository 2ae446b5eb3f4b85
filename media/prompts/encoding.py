"""Files of audio as the core plays them: decoded and resampled once, by PyAV.

Rule 1: a file is the company's own. It is bounded all the same: 20 MB, 120 s.
Rule 2: what is made depends on the file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import av
import av.error

from media.formats.coding import Coding

MOST_BYTES: Final = 20 << 20
LONGEST: Final = 120  # seconds
_PACKET = 160  # octets: 20 ms
# For each coding: FFmpeg's encoder, its samples a second, octets of silence.
_ENCODERS: Final = {
    Coding.MU: ("pcm_mulaw", 8000, 0xFF),
    Coding.A: ("pcm_alaw", 8000, 0xD5),
    Coding.G722: ("g722", 16000, 0xFA),
}


class BadAudio(Exception):
    """A file cannot be played; `str(error)` says why, fit for a terminal."""


def encode_file(path: Path) -> dict[Coding, bytes]:
    """The first stream of audio of a file (WAV, Opus, or what else FFmpeg reads), as the octets of
    each coding: 8 a millisecond, and whole packets of 20 ms. Raises BadAudio."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadAudio(error.strerror or "it cannot be read") from error
    if size > MOST_BYTES:
        raise BadAudio("it has more than 20 MB")
    try:
        encoded = {coding: _encode(path, coding) for coding in _ENCODERS}
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        raise BadAudio(f"no audio that FFmpeg reads: {error}") from error
    if not all(encoded.values()):
        raise BadAudio("it has no audio")
    return encoded


def _encode(path: Path, coding: Coding) -> bytes:
    name, rate, quiet = _ENCODERS[coding]
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
    encoder.open()
    octets = bytearray()
    for frame in _resampled(path, rate):
        for packet in encoder.encode(frame):
            octets += bytes(packet)
    for packet in encoder.encode(None):
        octets += bytes(packet)
    octets += bytes([quiet]) * (-len(octets) % _PACKET)
    return bytes(octets)


def _resampled(path: Path, rate: int) -> Iterator[Any]:
    """The file's audio as mono, in frames of 20 ms. Raises BadAudio where it is too long."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    frames = av.AudioFifo()
    samples = 0
    with av.open(str(path), mode="r") as container:
        stream = container.streams.audio[0]
        for frame in chain(container.decode(stream), (None,)):
            for each in resampler.resample(frame):
                samples += each.samples
                if samples > LONGEST * rate:
                    raise BadAudio(f"it is longer than {LONGEST} s")
                each.pts = None
                frames.write(each)
            yield from frames.read_many(rate // 50)
    rest = frames.read(partial=True)
    if rest is not None:
        yield rest
