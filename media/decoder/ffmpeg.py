"""Codecs that the core does not know, decoded by PyAV to what a detector of tones hears: 8 kHz,
channel by channel.

Rule 1: what is not plain speech (comfort noise, frames that are empty or do not fit) is not
        decoded, and so does not pass a mask.
"""

from __future__ import annotations

from typing import cast

import av

from media.formats import amr
from media.mline import DecodedCodec

HEARD_RATE = 8000  # Hz
_G729_FRAME, _GSM_FRAME = 10, 33
_NAMES = {
    DecodedCodec.OPUS: ("opus", 48000, 2),
    DecodedCodec.G729: ("g729", 8000, 1),
    DecodedCodec.GSM: ("gsm", 8000, 1),
    DecodedCodec.AMR: ("amrnb", 8000, 1),
    DecodedCodec.AMR_OCTETS: ("amrnb", 8000, 1),
    DecodedCodec.AMR_WB: ("amrwb", 16000, 1),
    DecodedCodec.AMR_WB_OCTETS: ("amrwb", 16000, 1),
}


class NotSpeech(Exception):
    """A payload that cannot be decoded, or says nothing."""


class Decoder:
    """One stream of one codec. Keeps the decoder's memory of what came before."""

    def __init__(self, codec: DecodedCodec) -> None:
        name, self._rate, self.channels = _NAMES[codec]
        self._codec = codec
        layout = "stereo" if self.channels == 2 else "mono"
        self._context = cast("av.AudioCodecContext", av.CodecContext.create(name, "r"))
        self._context.sample_rate, self._context.layout = self._rate, layout
        self._context.thread_count = 1
        self._resampler = av.AudioResampler("s16p", layout, HEARD_RATE)

    def decode(self, payload: bytes) -> tuple[int, list[bytes]]:
        """How long the payload is, in samples at 8 kHz, and what can be heard of it so far: 16-bit
        samples, a channel each.

        What is heard may lag behind by what the resampler keeps. Raises NotSpeech."""
        try:
            frames = self._frames(payload)
            decoded = [frame for data in frames for frame in self._context.decode(av.Packet(data))]
            if not decoded:
                raise NotSpeech("nothing came of it")
            length = sum(frame.samples for frame in decoded) * HEARD_RATE // self._rate
            heard = [bytearray() for _ in range(self.channels)]
            for frame in decoded:
                for part in self._resampler.resample(frame):
                    for channel, plane in enumerate(part.planes):
                        heard[channel] += bytes(plane)[: 2 * part.samples]
        except (av.FFmpegError, ValueError) as error:
            raise NotSpeech(type(error).__name__) from None
        return length, [bytes(channel) for channel in heard]

    def _frames(self, payload: bytes) -> list[bytes]:
        match self._codec:
            case DecodedCodec.OPUS:
                return [payload]
            case DecodedCodec.G729:
                return _cut(payload, _G729_FRAME)
            case DecodedCodec.GSM:
                return _cut(payload, _GSM_FRAME)
            case _:
                wideband = self._codec in (DecodedCodec.AMR_WB, DecodedCodec.AMR_WB_OCTETS)
                octets = self._codec in (DecodedCodec.AMR_OCTETS, DecodedCodec.AMR_WB_OCTETS)
                frames = amr.frames(payload, wideband=wideband, octets=octets)
                if frames is None:
                    raise NotSpeech("a frame of it says nothing")
                return frames


def _cut(payload: bytes, size: int) -> list[bytes]:
    if not payload or len(payload) % size:
        raise NotSpeech("not whole frames")
    return [payload[at : at + size] for at in range(0, len(payload), size)]
