"""Phones that speak codecs which the core does not know: what they send of audio at 8 kHz, and what
their ears hear of payloads.

Encoders are whatever Debian and PyAV have: libopus, opencore's AMR, vo-amrwbenc, bcg729, sox for
GSM. PCM as in `codec`; a payload is 20 ms.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import av
import numpy as np

from media.codecs import DecodedCodec
from media.decoder.ffmpeg import Decoder, NotSpeech
from tests.leak.codec import PACKET, Floats, Pcm, clipped

_PAYLOAD_TYPE = {DecodedCodec.G729: 18, DecodedCodec.GSM: 3}
TICKS = {DecodedCodec.OPUS: 960, DecodedCodec.AMR_WB: 320, DecodedCodec.AMR_WB_OCTETS: 320}


def payload_type(codec: DecodedCodec) -> int:
    return _PAYLOAD_TYPE.get(codec, 96)


def sent(pcm: Floats, codec: DecodedCodec) -> list[bytes]:
    """What a phone sends of this audio, 20 ms a payload."""
    samples = clipped(pcm[: len(pcm) // PACKET * PACKET])
    match codec:
        case DecodedCodec.OPUS:
            return _encoded(samples, "libopus", 48000, 32000)
        case DecodedCodec.G729:
            return _g729(samples)
        case DecodedCodec.GSM:
            sox = [
                "sox",
                "-t",
                "raw",
                "-r",
                "8000",
                "-e",
                "signed",
                "-b",
                "16",
                "-c",
                "1",
                "-",
                "-t",
                "gsm",
                "-",
            ]
            wire = subprocess.run(sox, input=samples.tobytes(), capture_output=True, check=True).stdout
            return [wire[at : at + 33] for at in range(0, len(wire), 33)]
        case DecodedCodec.AMR | DecodedCodec.AMR_OCTETS:
            frames = _encoded(samples, "libopencore_amrnb", 8000, 12200)
            return [_payload(frame, 244, octets=codec is DecodedCodec.AMR_OCTETS) for frame in frames]
        case _:
            return [
                _payload(frame, 477, octets=codec is DecodedCodec.AMR_WB_OCTETS) for frame in _amr_wb(samples)
            ]


def heard(payloads: Iterable[bytes], codec: DecodedCodec) -> Pcm:
    """What an ear hears; a payload that says nothing is 20 ms of silence to it."""
    decoder = Decoder(codec)
    parts = []
    for payload in payloads:
        try:
            parts.append(np.frombuffer(decoder.decode(payload)[1][0], np.int16))
        except NotSpeech:
            parts.append(np.zeros(PACKET, np.int16))
    return np.concatenate(parts)


def _encoded(samples: Pcm, name: str, rate: int, bit_rate: int) -> list[bytes]:
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = rate, "mono", "s16", bit_rate
    resampler = av.AudioResampler("s16", "mono", rate, rate // 50)
    source = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    source.sample_rate = 8000
    frames = [*resampler.resample(source), *resampler.resample(None)]
    return [
        bytes(packet) for frame in frames if frame.samples == rate // 50 for packet in encoder.encode(frame)
    ]


def _payload(stored: bytes, bits: int, *, octets: bool) -> bytes:
    """One frame of the best mode of AMR as RFC 4867 sends it. `stored`: as files keep it."""
    if octets:
        return b"\xf0" + stored
    header = 0xF << 6 | stored[0] >> 2
    speech = int.from_bytes(stored[1:], "big") >> (8 * len(stored[1:]) - bits)
    size = -(-(10 + bits) // 8)
    return ((header << bits | speech) << (8 * size - 10 - bits)).to_bytes(size, "big")


def _g729(samples: Pcm) -> list[bytes]:
    library = ctypes.CDLL("libbcg729.so.0")
    library.initBcg729EncoderChannel.restype = ctypes.c_void_p
    library.initBcg729EncoderChannel.argtypes = [ctypes.c_uint8]
    library.bcg729Encoder.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_uint8),
    ]
    library.closeBcg729EncoderChannel.argtypes = [ctypes.c_void_p]
    channel = library.initBcg729EncoderChannel(0)
    frames = []
    for at in range(0, len(samples), 80):
        out, length = ctypes.create_string_buffer(10), ctypes.c_uint8()
        library.bcg729Encoder(channel, samples[at : at + 80].tobytes(), out, ctypes.byref(length))
        frames.append(out.raw[: length.value])
    library.closeBcg729EncoderChannel(channel)
    return [one + two for one, two in zip(frames[::2], frames[1::2], strict=True)]


def _amr_wb(samples: Pcm) -> Sequence[bytes]:
    library = ctypes.CDLL("libvo-amrwbenc.so.0")
    library.E_IF_init.restype = ctypes.c_void_p
    library.E_IF_encode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int16,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_int16,
    ]
    library.E_IF_exit.argtypes = [ctypes.c_void_p]
    state = library.E_IF_init()
    wide = np.repeat(samples, 2)  # images above 4 kHz do not matter to who looks for tones below
    frames = []
    for at in range(0, len(wide), 320):
        out = ctypes.create_string_buffer(64)
        length = library.E_IF_encode(state, 8, wide[at : at + 320].tobytes(), out, 0)
        frames.append(out.raw[:length])
    library.E_IF_exit(state)
    return frames
