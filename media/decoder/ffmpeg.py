"""Codecs that the core does not know, decoded by PyAV to what a detector of tones hears: 8 kHz,
channel by channel.

Rule 1: what is not plain speech (comfort noise, frames that are empty or do not fit) is not
        decoded, and so does not pass a mask.
"""

from __future__ import annotations

from typing import cast

import av

from media.codecs import DecodedCodec

HEARD_RATE = 8000  # Hz


class NotSpeech(Exception):
    """A payload that cannot be decoded, or says nothing."""


class Decoder:
    """One stream of one codec. Keeps the decoder's memory of what came before."""

    def __init__(self, codec: DecodedCodec) -> None:
        self._codec, self.channels = codec, codec.channels
        layout = "stereo" if self.channels == 2 else "mono"
        self._context = cast("av.AudioCodecContext", av.CodecContext.create(codec.ffmpeg, "r"))
        self._context.sample_rate, self._context.layout = codec.clock_rate, layout
        self._context.thread_count = 1
        self._resampler = av.AudioResampler("s16p", layout, HEARD_RATE)

    def decode(self, payload: bytes) -> tuple[int, list[bytes]]:
        """How long the payload is, in samples at 8 kHz, and what can be heard of it so far: 16-bit
        samples, a channel each.

        What is heard may lag behind by what the resampler keeps. Raises NotSpeech."""
        try:
            frames = self._codec.payload.frames(payload)
            decoded = [frame for data in frames for frame in self._context.decode(av.Packet(data))]
            if not decoded:
                raise NotSpeech("nothing came of it")
            length = sum(frame.samples for frame in decoded) * HEARD_RATE // self._codec.clock_rate
            heard = [bytearray() for _ in range(self.channels)]
            for frame in decoded:
                for part in self._resampler.resample(frame):
                    for channel, plane in enumerate(part.planes):
                        heard[channel] += bytes(plane)[: 2 * part.samples]
        except (av.FFmpegError, ValueError) as error:
            raise NotSpeech(type(error).__name__) from None
        return length, [bytes(channel) for channel in heard]
