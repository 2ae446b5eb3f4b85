"""Declares what the payload format of a codec can do without decoding: measure, silence, cut.

A codec that the decoder process hears is a row of media/codecs.py; the row holds one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class PayloadFormat(Protocol):
    """One codec's payload in RTP. Durations are in units of the codec's rtp_timestamp."""

    @property
    def unit(self) -> int:
        """The shortest frame."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether a payload may hold a copy of the audio of the one before it."""
        ...

    def accepts(self, parameters: Mapping[str, str]) -> bool:
        """Whether payloads of this fmtp can be read. Names and values in lower case."""
        ...

    def duration(self, payload: bytes) -> int:
        """How long a payload plays; 0 where no silence could stand in its place.

        Frames are counted, not read: silence depends on nothing that was spoken.
        """
        ...

    def silence(self, duration: int) -> bytes:
        """A payload of whole frames of silence, no longer than `duration`; empty below one."""
        ...

    def frames(self, payload: bytes) -> list[bytes]:
        """The frames as FFmpeg's decoder reads them. Raises ValueError where one is no speech."""
        ...
