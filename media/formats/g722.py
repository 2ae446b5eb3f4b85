"""G.722: of each byte the lower half band, one sample at 8 kHz, 16 bit (ITU-T G.722 section 4). The
reference of `media/core/audio/g722.c`.

RTP counts 8000 units of rtp_timestamp a second for it and has one byte for each (RFC 3551 section
4.5.2): the shape of G.711. A byte holds two samples in two half bands; keys lie in the lower one,
below 4 kHz, so the upper one need not be decoded.

Rule 1: nothing is encoded. What leaves is what came, or `quiet`: noise whose loudness follows from
        how often its steps are large, whatever a decoder has heard before: the scale of G.722
        follows the steps, and forgets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_MAX_VALUE = 16383
_STEPS = (136, 432, 728, 1040, 1360, 1688, 2032, 2400, 2776, 3168, 3576, 4008, 4464, 4944, 5456, 6000, 6576,
7192, 7856, 8576,
          9360, 10232, 11192, 12280, 13512, 14984, 16704, 19008, 21904, 24808)  # fmt: skip
# The same steps, four at a time: what the predictor learns from.
_COARSE = (
    0,
    1200,
    2584,
    4240,
    6288,
    8968,
    12896,
    20456,
)
# What each of those adds to the logarithm of the scale.
_SCALED = (-60, -30, 58, 172, 334, 538, 1198, 3042)
_MANTISSA = (2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
2896, 2960, 3025,
             3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008)  # fmt: skip


def _step(code: int) -> int:
    """What one of 64 codes stands for (table 15): 4 to 31 are below zero, then come those above;
    the last two are small again."""
    if code < 4 or code > 61:
        return -_STEPS[63 - code if code > 61 else 0]
    return -_STEPS[33 - code] if code < 32 else _STEPS[61 - code]


STEPS = tuple(_step(code) for code in range(64))
# Table 16.
COARSE = tuple(
    0 if code in (0, 15) else -_COARSE[8 - code] if code < 8 else _COARSE[15 - code] for code in range(16)
)
SCALED = tuple(_SCALED[0 if code in (0, 15) else 8 - code if code < 8 else 15 - code] for code in range(16))


def _bounded(value: int) -> int:
    return max(-32768, min(32767, value))


@dataclass(slots=True)
class Lower:
    """The lower half band of one stream; what it knows is what was said, and in no repr."""

    _scale: int = field(default=32, repr=False)
    _scale_log: int = field(default=0, repr=False)
    _poles: list[int] = field(default_factory=lambda: [0, 0], repr=False)
    _zeros: list[int] = field(default_factory=lambda: [0] * 6, repr=False)
    # The newest samples, as the predictor knows them; the same without what the poles add; and
    # without what it expected.
    _whole: list[int] = field(default_factory=lambda: [0, 0], repr=False)
    _partial: list[int] = field(default_factory=lambda: [0, 0], repr=False)
    _steps: list[int] = field(default_factory=lambda: [0] * 6, repr=False)
    _expected: int = field(default=0, repr=False)
    _from_zeros: int = field(default=0, repr=False)

    def decode_code(self, code: int) -> int:
        """The sample that one byte stands for."""
        fine, coarse = code & 63, (code & 63) >> 2
        value = max(-_MAX_VALUE - 1, min(_MAX_VALUE, self._expected + (self._scale * STEPS[fine] >> 15)))
        step = self._scale * COARSE[coarse] >> 15
        self._rescale(SCALED[coarse])
        self._adapt(step, _bounded(step + self._from_zeros))
        self._whole = [_bounded(self._expected + step), self._whole[0]]
        self._steps = [step, *self._steps[:5]]
        self._expect()
        return 2 * value

    def _rescale(self, by: int) -> None:
        self._scale_log = max(0, min(18432, (self._scale_log * 127 >> 7) + by))
        self._scale = (_MANTISSA[self._scale_log >> 6 & 31] << (self._scale_log >> 11) >> 8) << 2

    def _adapt(self, step: int, partial: int) -> None:
        """The poles and zeros follow signs alone (section 3.6)."""
        first, second = self._poles
        before, earlier = self._partial
        turn = _bounded(4 * first)
        turn = _bounded(-turn) if (partial < 0) == (before < 0) else turn
        second = (turn >> 7) + (128 if (partial < 0) == (earlier < 0) else -128) + (second * 32512 >> 15)
        second = max(-12288, min(12288, second))
        first = (192 if (partial < 0) == (before < 0) else -192) + (first * 32640 >> 15)
        most = 15360 - second
        self._poles = [max(-most, min(most, first)), second]
        self._partial = [partial, before]
        toward = 128 if step else 0
        self._zeros = [
            (zero * 32640 >> 15) + (toward if (old < 0) == (step < 0) else -toward)
            for zero, old in zip(self._zeros, self._steps, strict=True)
        ]

    def _expect(self) -> None:
        poles = sum(
            pole * _bounded(2 * old) >> 15 for pole, old in zip(self._poles, self._whole, strict=True)
        )
        self._from_zeros = _bounded(
            sum(zero * _bounded(2 * old) >> 15 for zero, old in zip(self._zeros, self._steps, strict=True))
        )
        self._expected = _bounded(_bounded(poles) + self._from_zeros)


# A block of 400 Hz at -20 dBm0, twice its period: one after another they make that tone in any
# decoder, within some 40 ms.
PLACEHOLDER = bytes.fromhex(
    "eef6fafdfcfed7fdd7d9d5d9dff9ddfbf7f4f0f1f6f8f1fadddcdbffd7d8d2ffdbf9defaf9f1f2f5"
)

LOUD = 90  # of `quiet`; no louder noise is made
# Codes: two either way, and the scale sinks or grows with them.
_SMALL, _LARGE = (
    (60, 61, 62, 63),
    (52, 54, 24, 26),
)


def quiet(chance: int, level: int) -> int:
    """A byte of noise with about the loudness of samples up to `level`, evenly spread. `chance`: 16
    bits."""
    share = 250
    while level < LOUD and share > 128:
        level, share = (level + 1) * 181 // 128, share - 16
    codes = _LARGE if chance & 255 < share else _SMALL
    return 0xC0 | codes[chance >> 8 & 3]  # and in the upper half band nothing
