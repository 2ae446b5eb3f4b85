"""The canary of codecs that the core cannot look into: what has left for the agent, decoded again
and listened to.

Rule 1: it has a decoder of its own, which hears what the agent's phone is sent, silence included,
        and not what the customer sent.
Rule 2: it shares nothing with what decides but FFmpeg: the canary's rule is its own
        (`media/core/audio/canary.c`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media._core import Canary
from media.codecs import DecodedCodec
from media.decoder.ffmpeg import HEARD_RATE, Decoder, NotSpeech


@dataclass(slots=True)
class LeakCheck:
    """One stream."""

    _codec: DecodedCodec | None = None
    _decoder: Decoder | None = field(default=None, repr=False)
    _canaries: list[Canary] = field(default_factory=list, repr=False)

    def hears(self, codec: DecodedCodec, payload: bytes) -> bool:
        """Whether this packet, after those before, lets a key be heard."""
        if codec is not self._codec or self._decoder is None:
            self._codec, self._decoder = codec, Decoder(codec)
            self._canaries = [Canary() for _ in range(self._decoder.channels)]
        try:
            heard = self._decoder.decode(payload)[1]
        except NotSpeech:  # a phone hears silence, or its own comfort noise
            samples = codec.payload.duration(payload) * HEARD_RATE // codec.clock_rate
            heard = [bytes(2 * samples)] * len(self._canaries)
        leaks = [canary.hears_samples(channel) for canary, channel in zip(self._canaries, heard, strict=True)]
        return any(leaks)  # not before each has heard its channel
