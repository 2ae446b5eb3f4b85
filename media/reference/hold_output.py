"""Writes the audio that leaves the hold: as it came, faded, as noise or as the placeholder tone.

The reference of `media/core/mask/hold_output.c` and `media/core/audio/placeholder.c`.

Rule 1: a block that was not looked at yet leaves as noise.
Rule 2: noise depends on rtp_timestamps and the background's level, on no digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from media.formats.coding import Coding
from media.formats.g711 import decode_sample, encode
from media.formats.g722 import PLACEHOLDER as PLACEHOLDER_G722
from media.formats.g722 import quiet
from media.formats.rtp import Rtp, serialise
from media.reference.inband import BLOCK

BLOCKS = 160  # of which it is known whether they are shut
# Samples that are kept: more than the hold's WAITING and MAX_FRAME and the tones' SILENCE together.
RING = BLOCKS * BLOCK
MAX_LEVEL = 90  # of the noise: -50 dBm0
PLACEHOLDER_TONE = (
    0,
    689,
    1311,
    1804,
    2121,
    2230,
    2121,
    1804,
    1311,
    689,
    0,
    -689,
    -1311,
    -1804,
    -2121,
    -2230,
    -2121,
    -1804,
    -1311,
    -689,
)
_WRAP = 1 << 32


OPEN, NOISY, PLACEHOLDER = 0, 1, 2  # a block leaves as it came, as noise, as the placeholder tone


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet that waits: its samples are the ring's from `start` on."""

    header: Rtp  # with the sequence number that it leaves as
    coding: Coding
    start: int
    size: int


@dataclass(slots=True)
class HeldAudio:
    """The octets that wait, and how each block of them leaves. `placeholder`: one tone, the same
    for all keys, stands where a press was; else noise does."""

    placeholder: bool
    blocks: int = 0  # that were looked at
    background: int = -1  # mean square of a quiet block; -1: nothing was heard yet
    _codes: bytearray = field(default_factory=lambda: bytearray(RING), repr=False)
    _shut: bytearray = field(default_factory=lambda: bytearray(BLOCKS))

    def keep_octet(self, sample: int, code: int) -> None:
        """The octet of a sample, counted from the first."""
        self._codes[sample % RING] = code

    def open(self, block: int) -> None:
        """The block leaves as it came, unless it is closed."""
        self._shut[block % BLOCKS] = OPEN

    def close(self, first: int, end: int, leaves_as: int = NOISY) -> None:
        """These blocks do not leave as they came."""
        for block in range(max(first, 0), end):
            self._shut[block % BLOCKS] = max(self._shut[block % BLOCKS], leaves_as)

    def leaves_as(self, block: int) -> int:
        """OPEN, NOISY or PLACEHOLDER."""
        return self._shut[block % BLOCKS] if block < self.blocks else NOISY

    def learn(self, quiet_energy: int) -> None:
        """The background is the least that was heard lately."""
        if self.background < 0 or quiet_energy < self.background:
            self.background = quiet_energy
        else:
            self.background += (self.background >> 8) + 1

    def packet(self, frame: Frame) -> bytes:
        """The packet of a frame, its blocks as they leave."""
        payload = bytearray(frame.size)
        for at in range(frame.size):
            payload[at] = self._code(frame, at)
        header = frame.header
        return serialise(
            Rtp(
                header.payload_type,
                header.marker,
                header.sequence_number,
                header.rtp_timestamp,
                header.ssrc,
                bytes(payload),
            )
        )

    def _code(self, frame: Frame, at: int) -> int:
        sample = frame.start + at
        block, place = divmod(sample, BLOCK)
        leaves_as = self.leaves_as(block)
        if leaves_as == PLACEHOLDER and self.placeholder:
            return (
                PLACEHOLDER_G722[place]
                if frame.coding is Coding.G722
                else encode(frame.coding, PLACEHOLDER_TONE[place % len(PLACEHOLDER_TONE)])
            )
        if leaves_as != OPEN:
            return self._noise(frame.coding, (frame.header.rtp_timestamp + at) % _WRAP)
        code = self._codes[sample % RING]
        weight = BLOCK
        if block + 1 < self.blocks and self.leaves_as(block + 1) != OPEN:
            weight = BLOCK - place
        if block and self.leaves_as(block - 1) != OPEN:
            weight = min(weight, place)
        if weight == BLOCK or frame.coding is Coding.G722:
            return code
        value = decode_sample(frame.coding, code)
        faded = abs(value) * weight // BLOCK
        return encode(frame.coding, faded if value >= 0 else -faded)

    def _noise(self, coding: Coding, rtp_timestamp: int) -> int:
        level = min(math.isqrt(3 * max(self.background, 0)), MAX_LEVEL)
        mixed = rtp_timestamp * 2654435761 % _WRAP
        mixed = (mixed ^ mixed >> 15) * 2246822519 % _WRAP
        mixed ^= mixed >> 13
        if coding is Coding.G722:
            return quiet(mixed >> 16, level)
        return encode(coding, ((mixed >> 16) - 32768) * level >> 15)
