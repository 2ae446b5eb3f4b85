"""Cuts payloads of codecs whose frames are all of one size, and makes silent ones.

A new codec of this kind is a constant here, its frame of silence, and a row of media/codecs.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The frames of an encoder that is fed samples of 0.
G729_SILENCE = bytes.fromhex("785280a000fac20007d6")
GSM_SILENCE = bytes.fromhex("d820a2e15a") + bytes.fromhex("50004924924924") * 4  # GSM 06.10


@dataclass(frozen=True, slots=True)
class FixedFrames:
    """Frames of `unit` rtp_timestamp units, each as long as `silent_frame`."""

    unit: int
    silent_frame: bytes = field(repr=False)
    repeats: bool = False

    def accepts(self, parameters: Mapping[str, str]) -> bool:
        """No parameter of theirs changes the form of a frame."""
        del parameters
        return True

    def duration(self, payload: bytes) -> int:
        """Whole frames; a descriptor of silence at the end (G.729 annex B) plays for none."""
        return len(payload) // len(self.silent_frame) * self.unit

    def silence(self, duration: int) -> bytes:
        """The frame of silence, repeated."""
        return self.silent_frame * (duration // self.unit)

    def frames(self, payload: bytes) -> list[bytes]:
        """Raises ValueError where the payload is not of whole frames."""
        size = len(self.silent_frame)
        if not payload or len(payload) % size:
            raise ValueError("not whole frames")
        return [payload[at : at + size] for at in range(0, len(payload), size)]
