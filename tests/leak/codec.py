"""G.711 by its definition and G.722 through FFmpeg: payloads to PCM and back, and what 0 dBm0 is in
numbers.

PCM is 8 kHz, 16 bit, mono, as numpy int16, whatever the codec: tones of keys end at 1.7 kHz.

Levels are dBm0 of a sine (ITU-T G.711 section 5): the loudest that fits is +3.14 dBm0 in A-law
(peak 32256 here, 4032 of its 4096 steps) and +3.17 dBm0 in mu-law (peak 32124). One scale serves
both: a sine of 0 dBm0 has a peak of 22302."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Floats = NDArray[np.float64]

PCMU, PCMA, G722 = 0, 8, 9  # RFC 3551 section 6: static payload types
PACKET = 160  # bytes and units of rtp_timestamp in 20 ms, for all three
PEAK_0DBM0 = 32124 * 10 ** (-3.17 / 20)


def amplitude(dbm0: float) -> float:
    """The peak of a sine at `dbm0`, in units of 16-bit PCM."""
    return float(PEAK_0DBM0 * 10 ** (dbm0 / 20))


def dbm0(power: float) -> float:
    """The level of a mean square (16-bit PCM, squared)."""
    return float(10 * np.log10(max(power, 1e-9) / (PEAK_0DBM0**2 / 2)))


def _mu_law() -> Pcm:
    """G.711 table 2: sign, three bits of segment and four of step, all inverted on the wire."""
    code = ~np.arange(256) & 0xFF
    segment, step = (code >> 4) & 7, code & 15
    value = ((2 * step + 33) << segment) - 33
    return np.where(code & 0x80, -value * 4, value * 4).astype(np.int16)


def _a_law() -> Pcm:
    """G.711 table 1: even bits inverted on the wire, a set sign bit means positive."""
    code = np.arange(256) ^ 0x55
    segment, step = (code >> 4) & 7, code & 15
    value = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0)) * 8
    return np.where(code & 0x80, value, -value).astype(np.int16)


def _nearest(table: Pcm) -> NDArray[np.uint8]:
    """The code of each of the 65,536 values: G.711's decision values lie midway between what
    neighbours stand for."""
    order = np.argsort(table, kind="stable")
    levels = table[order].astype(np.int32)
    found = np.searchsorted((levels[1:] + levels[:-1]) / 2, np.arange(-32768, 32768))
    return order[found].astype(np.uint8)


_TABLES = {PCMU: _mu_law(), PCMA: _a_law()}
_CODES = {payload_type: _nearest(table) for payload_type, table in _TABLES.items()}


def decoded(payloads: Iterable[bytes], payload_type: int) -> Pcm:
    """All payloads of one stream, in order, as PCM."""
    if payload_type == G722:
        return halved(wide(payloads))
    return _TABLES[payload_type][np.frombuffer(b"".join(payloads), np.uint8)]


def encoded(pcm: Floats | Pcm, payload_type: int) -> list[bytes]:
    """PCM (clipped and rounded) as payloads of 20 ms; the last is filled up with silence."""
    whole = np.zeros(-(-len(pcm) // PACKET) * PACKET)
    whole[: len(pcm)] = pcm
    if payload_type == G722:
        wire = _g722(_resampled(whole, 2))
    else:
        wire = _CODES[payload_type][clipped(whole).astype(np.int32) + 32768].tobytes()
    return [wire[at : at + PACKET] for at in range(0, len(wire), PACKET)]


def transcoded(payloads: Sequence[bytes], payload_type: int, into: int) -> list[bytes]:
    """What a gateway between two laws makes of a stream."""
    return encoded(decoded(payloads, payload_type), into)


def clipped(samples: Floats) -> Pcm:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def wide(payloads: Iterable[bytes]) -> Pcm:
    """G.722 payloads of one stream, in order, at 16 kHz."""
    decoder = av.CodecContext.create("g722", "r")
    decoder.sample_rate = 16000
    decoder.layout = "mono"
    frames = [frame for payload in payloads if payload for frame in decoder.decode(av.Packet(payload))]
    return np.concatenate([np.zeros(0, np.int16), *(frame.to_ndarray()[0] for frame in frames)]).astype(
        np.int16
    )


def halved(pcm: Pcm) -> Pcm:
    """From 16 to 8 kHz, band-limited."""
    return clipped(_resampled(pcm.astype(np.float64), Fraction(1, 2)))


def _g722(samples: Floats) -> bytes:
    encoder = av.CodecContext.create("g722", "w")
    encoder.sample_rate = 16000
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.time_base = Fraction(1, 16000)
    frame = av.AudioFrame.from_ndarray(clipped(samples)[None, :], format="s16", layout="mono")
    frame.sample_rate = 16000
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _resampled(samples: Floats, factor: Fraction | int) -> Floats:
    """At `factor` times the rate, through one transform."""
    length = int(len(samples) * factor)
    return np.asarray(np.fft.irfft(np.fft.rfft(samples), length) * float(factor)) if length else np.zeros(0)
