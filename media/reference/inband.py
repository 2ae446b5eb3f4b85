"""Tones in the audio: where DTMF is, 5 ms at a time. The reference of `media/core/audio/inband.c`;
it reads no clock and keeps no digit.

A block of audio is compared with the eight frequencies of DTMF (ITU-T Q.23). A tone is a line: over
several blocks its phase advances evenly, and by how much says its frequency. So the blocks are
added up in step with that advance, and what a pair of lines holds of the energy in all is its
share. Speech seldom has a share that large in two lines so near to a key's, and where it has, the
pair is uneven, was there before, lies off, or has others beside it: each of these asks for a larger
share.

Rule 1: a short look needs a large share, a longer one a smaller: speech over a tone hides it for a
        while, never for long. What speaks for one key is added up too, and what is found then
        reaches back to where that began.
Rule 2: what was found lasts: until the share is small for HANG blocks, and the same key is known
        again soon after.
Rule 3: numbers are whole where they are measured and in double precision, in one order, where they
        are compared: so that the core decides the same, bit by bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

BLOCK = 40  # samples: 5 ms at 8 kHz
SCALE = 1024  # of the tables
FREQUENCIES = (697, 770, 852, 941, 1209, 1336, 1477, 1633)  # Hz, rows and columns
# Blocks that are looked at together, and the least share of their energy that two lines must hold.
SHARES = {4: 0.62, 6: 0.54, 8: 0.48, 12: 0.45}
NOW = 0.30  # and of it, in the newest four blocks, where more are looked at
# What makes a pair less like a key, and the share that it must hold for it beyond the least.
OFF, OFF_FREE = 0.056, 0.357  # how far both lines' advances are off, in parts of what is allowed
UNEVEN, EVEN = 0.1, 3.0  # how much stronger one of the two is
BESIDE = 0.15  # what another of four lines may have of the strongest's square, from 6 blocks on
MAX_LOOK, LENIENT = 12, 0.5  # the look in which these count for less, and how much
# The lines' amplitude before, over what it is now: a key begins at once, a sound of speech grows.
BEFORE = 0.15
# The share of a key that begins, and for how many blocks it counts how it began.
BEGINS, BEGUN = 0.50, 14
# Of a share, what does not speak for its key; what a block without the key takes away.
MIN_SHARE, MISS = (
    0.40,
    0.05,
)
# Of what speaks for a key, to be one; and the blocks that a find reaches back, at most.
ENOUGH, MAX_BACK = (
    1.0,
    14,
)
KEEPS, STAYS = 0.50, 0.25  # the shares that let a find, and a press that is sure, go on
LINGERS, NEAR = 12, 0.40  # blocks for which any find may go on, and the share that lets it
SURE = 5  # finds in a row that make a press
HANG, HANG_SURE = 1, 12  # blocks that a find and a press reach beyond their last
APART, RECENT = 8, 60  # blocks that part two finds, and until a key is forgotten
# How far a line may be from its key, for less and from 6 blocks on.
DEVIATION, DEVIATION_LONG = 0.028, 0.018
TWIST = 16.0  # how much stronger one of the two may be: 12 dB
FAINT = 15677  # mean square of a sample: -42 dBm0
KEPT = 16  # blocks: the longest look, one in which a press may rise, and three of what was before


def _table(frequency: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    turns = [2 * math.pi * frequency * n / 8000 for n in range(BLOCK)]
    return tuple(round(SCALE * math.cos(t)) for t in turns), tuple(round(-SCALE * math.sin(t)) for t in turns)


TABLES = tuple(_table(frequency) for frequency in FREQUENCIES)
# Radians a block.
_ADVANCE = tuple(2 * math.pi * frequency * BLOCK / 8000 for frequency in FREQUENCIES)
_EXPECTED = tuple((math.cos(angle), math.sin(angle)) for angle in _ADVANCE)


def _max_sines(deviation: float) -> tuple[float, ...]:
    """The sine of the angle that an advance may be off."""
    return tuple(math.sin(angle * deviation) for angle in _ADVANCE)


_MAX_SINE, _MAX_SINE_LONG = _max_sines(DEVIATION), _max_sines(DEVIATION_LONG)


@dataclass(frozen=True, slots=True)
class Measured:
    """One block: the real and imaginary part of each frequency, their squares' sum, and the energy
    of the samples."""

    real: tuple[int, ...]
    imaginary: tuple[int, ...]
    power: tuple[float, ...]
    energy: int


def measure(samples: Sequence[int]) -> Measured:
    """`samples`: one block."""
    real = tuple(sum(s * c for s, c in zip(samples, cosine, strict=True)) for cosine, _ in TABLES)
    imaginary = tuple(sum(s * c for s, c in zip(samples, sine, strict=True)) for _, sine in TABLES)
    power = tuple(float(r) * float(r) + float(i) * float(i) for r, i in zip(real, imaginary, strict=True))
    return Measured(real, imaginary, power, sum(s * s for s in samples))


@dataclass(frozen=True, slots=True)
class Found:
    """What ends with one block. `blocks`: how many hold the key, 0 where none was found. `now`: the
    share in the newest four blocks, of `now_key`, 0 where it is less than STAYS."""

    blocks: int
    now: float
    key: int = field(repr=False)
    now_key: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class Look:
    """Two lines over some blocks: the share that they hold (0: they are no key's), whose they are,
    and what makes them less like a key: how far they are off (0 to 2), how uneven they are (1:
    not), their power before (0 to 1)."""

    share: float
    key: int = field(default=0, repr=False)
    off: float = 0.0
    uneven: float = 1.0
    before: float = 1.0

    def needs(self, before: float) -> float:
        """What the share must be beyond the least."""
        return (
            OFF * max(self.off - OFF_FREE, 0.0)
            + UNEVEN * max(self.uneven - EVEN, 0.0)
            + BEFORE * math.sqrt(before)
        )


NOTHING = Look(0.0)


@dataclass(slots=True)
class Detector:
    """The newest blocks of one line, and the key that began of late."""

    _seen: deque[Measured] = field(default_factory=lambda: deque(maxlen=KEPT), repr=False)
    _begun: Look = field(default=NOTHING, repr=False)
    _left: int = 0  # blocks for which that counts
    _run: float = 0.0  # what has spoken for one key so far,
    _run_key: int = field(default=-1, repr=False)
    _run_blocks: int = 0  # and since when

    def hear_block(self, samples: Sequence[int]) -> Found:
        """Add one block of samples at 8 kHz; return what the newest blocks hold."""
        self._seen.append(measure(samples))
        now = self._look_at_newest(4, STAYS)
        self._begin_look(now)
        self._follow(now)
        found = self._find_key(now)
        if found.blocks and found.key == self._run_key:
            return replace(found, blocks=max(found.blocks, min(self._run_blocks + 3, MAX_BACK)))
        return found

    def _find_key(self, now: Look) -> Found:
        for blocks, least in SHARES.items():
            if blocks > 4 and now.share < NOW:
                break
            look = now if blocks == 4 else self._look_at_newest(blocks, least)
            needed = least + self._needs(look) * (LENIENT if blocks == MAX_LOOK else 1.0)
            if look.share >= needed and look.key == now.key:
                return Found(blocks, now.share, look.key, now.key)
        if self._run >= ENOUGH and now.share > 0 and now.key == self._run_key:
            return Found(4, now.share, now.key, now.key)
        return Found(0, now.share, 0, now.key)

    def newest(self, blocks: int = 4) -> list[Measured]:
        """The last of those that were heard; as many as the shortest look has by default."""
        return list(self._seen)[-blocks:]

    def _begin_look(self, now: Look) -> None:
        self._left = max(self._left - 1, 0)
        begun = self._begun
        if now.share >= BEGINS and (self._left == 0 or now.key != begun.key or now.before <= begun.before):
            self._begun, self._left = now, BEGUN

    def _needs(self, look: Look) -> float:
        begun = self._left > 0 and look.key == self._begun.key and self._begun.before < look.before
        return look.needs(self._begun.before if begun else look.before)

    def _follow(self, now: Look) -> None:
        """Adds up what speaks for one key, until nothing is left of it."""
        speaks = now.share - MIN_SHARE - self._needs(now) if now.share > 0 else 0.0
        self._run += speaks if now.share > 0 and now.key == self._run_key else -MISS
        self._run = min(self._run, ENOUGH)
        self._run_blocks += 1
        if self._run <= 0:
            self._run, self._run_key, self._run_blocks = max(speaks, 0.0), now.key if speaks > 0 else -1, 1

    def _look_at_newest(self, blocks: int, least: float) -> Look:
        """At the newest blocks. `least`: the share below which they hold nothing."""
        if len(self._seen) < blocks:
            return NOTHING
        seen = list(self._seen)[-blocks:]
        energy = float(sum(block.energy for block in seen))
        if energy < FAINT * blocks * BLOCK:
            return NOTHING
        powers = [0.0] * 8
        for block in seen:
            for at in range(8):
                powers[at] += block.power[at]
        rows, columns = _strongest(powers, 0), _strongest(powers, 4)
        whole = SCALE * SCALE * BLOCK * energy
        if 2 * (powers[rows[0]] + powers[columns[0]]) < least * whole:  # in step it cannot be more
            return NOTHING
        limits = _MAX_SINE if blocks < 6 else _MAX_SINE_LONG
        row, low, low_off = _line(seen, rows, limits)
        column, high, high_off = _line(seen, columns, limits)
        if low == 0 or high == 0 or low > TWIST * high or high > TWIST * low:
            return NOTHING
        share = 2 * (low + high) / (whole * blocks)
        if share < least:
            return NOTHING
        if blocks > 4 and not (_stands_out(seen, row, low) and _stands_out(seen, column, high)):
            return NOTHING
        past = list(self._seen)[-blocks - 4 : -blocks - 1]
        before = 0.0
        for block in past:
            before += block.power[row] + block.power[column]
        if past:
            before = before / len(past) / ((low + high) / blocks / blocks)
        uneven = low / high if low > high else high / low
        return Look(share, row * 4 + column - 4, low_off + high_off, uneven, min(before, 1.0))


def _strongest(powers: Sequence[float], first: int) -> tuple[int, int]:
    """The strongest of four lines, and the next."""
    best = max(range(first, first + 4), key=lambda at: powers[at])
    return best, max((at for at in range(first, first + 4) if at != best), key=lambda at: powers[at])


def _line(
    seen: Sequence[Measured], lines: tuple[int, int], limits: Sequence[float]
) -> tuple[int, float, float]:
    """The line that a tone is on, its square, and how far its advance is off. What a tone between
    two lines, or the other tone, adds may make the wrong one the stronger: its advance tells."""
    square, off = _in_step(seen, lines[0], limits[lines[0]])
    return (lines[0], square, off) if square else (lines[1], *_in_step(seen, lines[1], limits[lines[1]]))


def _in_step(seen: Sequence[Measured], at: int, most: float) -> tuple[float, float]:
    """The square of one line over these blocks, 0 where its advance is not that of the frequency;
    and how far that is off."""
    turn_re = turn_im = 0.0
    for before, after in pairwise(seen):
        a, b = float(before.real[at]), float(before.imaginary[at])
        c, d = float(after.real[at]), float(after.imaginary[at])
        turn_re += c * a + d * b
        turn_im += d * a - c * b
    size = math.sqrt(turn_re * turn_re + turn_im * turn_im)
    if size == 0:
        return 0.0, 0.0
    turn_re, turn_im = turn_re / size, turn_im / size
    cosine, sine = _EXPECTED[at]
    along = turn_re * cosine + turn_im * sine
    across = turn_im * cosine - turn_re * sine
    if along <= 0 or across > most or across < -most:
        return 0.0, 0.0
    return added_up(seen, at, turn_re, turn_im), abs(across) / _MAX_SINE[at]


def _stands_out(seen: Sequence[Measured], line: int, square: float) -> bool:
    """Whether no other of the four lines is nearly as strong: what lies between lines is on
    several."""
    first = line // 4 * 4
    return all(
        added_up(seen, at, *_EXPECTED[at]) <= BESIDE * square for at in range(first, first + 4) if at != line
    )


def added_up(seen: Sequence[Measured], at: int, turn_re: float, turn_im: float) -> float:
    """The square of one line over these blocks, each turned back by what it is to have advanced."""
    step_re, step_im, sum_re, sum_im = 1.0, 0.0, 0.0, 0.0
    for block in seen:
        a, b = float(block.real[at]), float(block.imaginary[at])
        sum_re += a * step_re - b * step_im
        sum_im += a * step_im + b * step_re
        step_re, step_im = step_re * turn_re + step_im * turn_im, step_im * turn_re - step_re * turn_im
    return sum_re * sum_re + sum_im * sum_im


@dataclass(slots=True)
class Gate:
    """Which blocks are shut, from what was found. Blocks are counted from 0."""

    until: int = -1  # the last block that is shut so far
    _key: int = field(default=-1, repr=False)
    _seen: int = -1000
    _count: int = 0
    sure: bool = False  # that it is a press

    def pass_by(self, block: int, found: Found) -> int | None:
        """How many blocks before this one are shut because of it; None: none is, nor itself."""
        blocks, key = found.blocks, found.key
        if not blocks:
            again = found.now_key == self._key and found.now >= STAYS
            goes_on = block <= self.until and (self.sure or found.now >= KEEPS)
            lingers = block - self._seen <= LINGERS and found.now >= NEAR
            if not again or not (goes_on or lingers or (self.sure and block - self._seen <= RECENT)):
                return None
            blocks, key = 4, found.now_key
        if block > self.until + APART or key != self._key:
            self._count = 0
        if block > self._seen + RECENT or key != self._key:
            self.sure = False
        self._count += found.now >= KEEPS
        self._key, self._seen = key, block
        self.sure = self.sure or self._count >= SURE
        self.until = max(self.until, block + (HANG_SURE if self._count >= SURE else HANG))
        return blocks
