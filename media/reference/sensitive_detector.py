"""What is enough of a key where keys are expected. The reference of
`media/core/audio/sensitive_detector.c`.

Keys come in rows: who has keyed one that is beyond doubt will key the next within seconds. There it
takes less to shut than in speech of which nothing is known: whatever a decoder might read, by the
rules that decoders have, and a little less than that.

Rule 1: two looks, as decoders have them: at 20 ms, twice in a row, each line with neighbours on
        either side, since keys are off; and at 40 ms, by share alone. Neither asks whether the
        lines advance as a key's do.
Rule 2: so it is beside packets that are missing, and for a while after them: a phone that conceals
        loss makes a whole press of one frame, or of the first 8 ms of a key at the end of one.
        There one short look is enough.
Rule 3: suspicion shuts, and says nothing else: it makes no press, and keys are not expected for
        longer because of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from media.reference.inband import BLOCK, FREQUENCIES, SCALE, Detector, Found, Measured, added_up

EXPECTED = 1000  # blocks for which keys are expected after one: 5 s
# The share, and for how many blocks, that put a key beyond doubt: as where it is captured.
CERTAIN, CERTAIN_FOR = (
    0.70,
    5,
)
AFTER_LOSS = 24  # blocks: 120 ms
SHORT, LONG = 4, 8  # blocks of the two looks,
# The share that is enough in each: decoders ask for 0.6 and 0.4.
MIN_SHORT, MIN_LONG = 0.40, 0.34
# In the short one after a loss: half of it may be silence that stands for what was lost.
MIN_LOSSY = 0.20
IN_A_ROW = 2  # short looks that agree; decoders ask for 4
# How much stronger each line is than the next of its four, in the short look: 4 dB.
STANDS_OUT = 2.5
# The same after a loss: what 8 ms of a key sound like reaches far into its neighbours.
STANDS_OUT_LOSSY = 1.4
UNEVEN = 40.0  # how much stronger one of the two may be: 16 dB
FAINT = 200.0  # mean square of a sample: -61 dBm0
_DETUNED = (-0.012, 0.0, 0.012)  # a tone that is 1.8 % off is near to one of these


def _turn(frequency: int, off: float) -> tuple[float, float]:
    advance = 2 * math.pi * frequency * (1 + off) * BLOCK / 8000
    return math.cos(advance), math.sin(advance)


_TURNS = tuple(tuple(_turn(frequency, off) for off in _DETUNED) for frequency in FREQUENCIES)


@dataclass(slots=True)
class SensitiveDetector:
    """Whether keys are expected, and what would be one. Blocks are counted from 0."""

    expected: int = -1  # the last block in which they are
    until: int = -1  # the last block that is shut because of it
    _lossy: int = -1  # the last block in which one short look is enough
    _certain: int = 0  # blocks in a row
    _certain_key: int = field(default=-1, repr=False)
    _row: int = 0
    _key: int = field(default=-1, repr=False)

    def expect(self, block: int) -> None:
        """A key is beyond doubt."""
        self.expected = max(self.expected, block + EXPECTED)

    def expect_after_loss(self, block: int) -> None:
        """Packets were lost before it."""
        self.expected = max(self.expected, block + AFTER_LOSS)
        self._lossy = block + AFTER_LOSS

    def hear_block(self, block: int, found: Found, detector: Detector, *, sure: bool) -> int:
        """How many blocks before this one are shut because of it; 0: none is, nor itself. `sure`:
        the gate has a press here."""
        goes_on = found.now >= CERTAIN and found.now_key == self._certain_key
        self._certain = self._certain + 1 if goes_on else int(found.now >= CERTAIN)
        self._certain_key = found.now_key
        if sure and self._certain >= CERTAIN_FOR:
            self.expect(block)
        if block > self.expected:
            return 0
        back = self._looks(detector, lossy=block <= self._lossy)
        if back:
            self.until = block + 1
        return back

    def _looks(self, detector: Detector, *, lossy: bool) -> int:
        least = MIN_LOSSY if lossy else MIN_SHORT
        short = _look_at(
            detector.newest(SHORT), SHORT, least, STANDS_OUT_LOSSY if lossy else STANDS_OUT, _DETUNED_ALL
        )
        key = short.key if short.share >= least and short.is_clear else -1
        self._row = self._row + 1 if key >= 0 and key == self._key else 1
        self._key = key
        if _look_at(detector.newest(LONG), LONG, MIN_LONG, STANDS_OUT, _DETUNED_NOT).share >= MIN_LONG:
            return LONG
        return SHORT + IN_A_ROW - 1 if key >= 0 and self._row >= (1 if lossy else IN_A_ROW) else 0


_DETUNED_ALL, _DETUNED_NOT = range(3), range(1, 2)


@dataclass(frozen=True, slots=True)
class _Look:
    share: float
    key: int = field(default=-1, repr=False)
    is_clear: bool = False  # both lines stand out, and neither is much the stronger


def _look_at(seen: Sequence[Measured], blocks: int, least: float, stands_out: float, ways: range) -> _Look:
    energy = 0.0
    sums = [0.0] * 8
    for block in seen:
        energy += float(block.energy)
        for line in range(8):
            sums[line] += block.power[line]
    whole = SCALE * SCALE * BLOCK * energy
    if (
        energy < FAINT * blocks * BLOCK or 2 * (max(sums[:4]) + max(sums[4:])) < least * whole
    ):  # in step it cannot be more
        return _Look(0.0)
    power = [max(added_up(seen, line, *_TURNS[line][way]) for way in ways) for line in range(8)]
    row, column = (max(range(first, first + 4), key=lambda at: power[at]) for first in (0, 4))
    low, high = power[row], power[column]
    next_row, next_column = (
        max(power[at] for at in range(first, first + 4) if at != best)
        for first, best in ((0, row), (4, column))
    )
    is_even = low <= UNEVEN * high and high <= UNEVEN * low
    is_clear = is_even and low >= stands_out * next_row and high >= stands_out * next_column
    return _Look(2 * (low + high) / (whole * blocks), row * 4 + column - 4, is_clear)
