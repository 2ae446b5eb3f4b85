"""Lists the audio codecs that the decoder process hears: a new one is a row here and, unless its
frames are all of one size, a file of media/formats.

SDP, the decoder, silence and the ladder follow this table. The core has the same one, in the same
order (`enum codec`, media/core/audio/codec.c), and makes the same silence; tests compare both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from media.formats.amr import Amr
from media.formats.fixed_frames import G729_SILENCE, GSM_SILENCE, FixedFrames
from media.formats.opus import Opus
from media.formats.payload import PayloadFormat

# Encoding names of the payload types that need no rtpmap (RFC 3551 section 6); each at 8 kHz.
# G.722 has 8 kHz there by an old mistake.
STATIC_AUDIO = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 15: "G728", 18: "G729"}


class DecodedCodec(StrEnum):
    """A codec that the core cannot decode, and the decoder process can.

    `encoding`, `clock_rate` (Hz) and `channels` are those of its rtpmap; `ffmpeg` is the name of
    FFmpeg's decoder.
    """

    encoding: str
    clock_rate: int
    channels: int
    ffmpeg: str
    payload: PayloadFormat

    def __new__(
        cls, value: str, encoding: str, clock_rate: int, channels: int, ffmpeg: str, payload: PayloadFormat
    ) -> Self:
        codec = str.__new__(cls, value)
        codec._value_ = value
        codec.encoding, codec.clock_rate, codec.channels = encoding, clock_rate, channels
        codec.ffmpeg, codec.payload = ffmpeg, payload
        return codec

    OPUS = "opus", "opus", 48000, 2, "opus", Opus()
    G729 = "g729", "G729", 8000, 1, "g729", FixedFrames(80, G729_SILENCE)
    GSM = "gsm", "GSM", 8000, 1, "gsm", FixedFrames(160, GSM_SILENCE)
    AMR = "amr", "AMR", 8000, 1, "amrnb", Amr()
    AMR_OCTETS = "amr, octet-aligned", "AMR", 8000, 1, "amrnb", Amr(octets=True)
    AMR_WB = "amr-wb", "AMR-WB", 16000, 1, "amrwb", Amr(wideband=True)
    AMR_WB_OCTETS = "amr-wb, octet-aligned", "AMR-WB", 16000, 1, "amrwb", Amr(wideband=True, octets=True)

    @property
    def number(self) -> int:
        """The core's number, from 1."""
        return _NUMBERS[self]

    @classmethod
    def numbered(cls, number: int) -> Self | None:
        """The codec of the core's number; None where there is none."""
        return _BY_NUMBER.get(number)


_NUMBERS = {codec: number for number, codec in enumerate(DecodedCodec, start=1)}
_BY_NUMBER = {number: codec for codec, number in _NUMBERS.items()}


def find_codec(encoding: str, rate: str, parameters: dict[str, str]) -> DecodedCodec | None:
    """The codec of an rtpmap and its fmtp, all in lower case; None where none reads that form.

    `rate`: clock rate, and channels where more than one, as `48000/2`.
    """
    return next(
        (codec for codec in _BY_RTPMAP.get((encoding, rate), ()) if codec.payload.accepts(parameters)), None
    )


def _rtpmap(codec: DecodedCodec) -> tuple[str, str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    return codec.encoding.lower(), f"{codec.clock_rate}{channels}"


_BY_RTPMAP = {
    rtpmap: [codec for codec in DecodedCodec if _rtpmap(codec) == rtpmap]
    for rtpmap in map(_rtpmap, DecodedCodec)
}
