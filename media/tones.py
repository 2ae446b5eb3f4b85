"""Keys that are heard: a press that is only a tone is a digit, and one that is an event as well is one digit. The reference of
`_tones.c`. Positions are rtp_timestamps of the audio.

Rule 1: what counts is surer than what is masked: CAPTURES of the energy in HITS looks, one after another.
Rule 2: a press lasts until another key is heard, or PARTED blocks without it, or nothing came for SILENCE. Speech may hide a
        tone for long; a block is without it where one of its lines is GONE. A frame that was lost parts nothing: it is not heard.
Rule 3: a tone and an event of one key that are no further than NEAR apart are one press. An event may have several tones: before
        it, beside it and a tail; a tone belongs to one event.
Rule 4: which keys these are stays in secret memory, and in no repr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .inband import BLOCK, Found, Measured

CAPTURES = 0.70  # the share of the newest 20 ms
HITS = 5
PARTED = 5  # blocks: 25 ms
GONE = 0.125  # of the power that the line had when it was heard last: 9 dB less
SILENCE = 480  # units: 60 ms
NEAR = 960  # units: 120 ms
LOOK = 4 * BLOCK
CODES = (
    1,
    2,
    3,
    12,
    4,
    5,
    6,
    13,
    7,
    8,
    9,
    14,
    10,
    0,
    11,
    15,
)  # of events (RFC 4733 section 3.2), row by row of the keypad
NONE = -1
_WRAP = 1 << 32


def ahead(a: int, b: int) -> int:
    """How far rtp_timestamp `a` is ahead of `b`."""
    return (a - b + _WRAP // 2) % _WRAP - _WRAP // 2


@dataclass(slots=True)
class _Span:
    """The newest press in one form, from its first to its last sample."""

    code: int = field(default=NONE, repr=False)
    first: int = 0
    last: int = 0


@dataclass(slots=True)
class Tones:
    """What one stream's tones say, beside its events."""

    _key: int = field(default=NONE, repr=False)  # that the newest looks have, and how many of them
    _hits: int = 0
    _apart: int = PARTED  # blocks without the newest press since it was heard last
    _lines: tuple[int, int] = field(default=(0, 4), repr=False)  # of it, and their power then
    _power: tuple[float, float] = field(default=(0.0, 0.0), repr=False)
    _tone: _Span = field(default_factory=_Span)
    _is_free: bool = False  # no event was found to be that press
    _event: _Span = field(default_factory=_Span)

    def hear(self, found: Found, looked_at: Sequence[Measured], at: int) -> tuple[int, int] | None:
        """Another block, the last of these; it ends at `at`. Where it makes a press: its event code, and where it began."""
        key = CODES[found.now_key] if found.now >= CAPTURES else NONE
        self._hits = self._hits + 1 if key == self._key else 1
        self._key = key
        goes_on = key == self._tone.code and self._apart < PARTED
        if key == NONE or not (goes_on or self._hits >= HITS):
            is_gone = any(
                looked_at[-1].power[line] < GONE * had for line, had in zip(self._lines, self._power, strict=True)
            )
            self._apart = min(self._apart + is_gone, PARTED)
            return None
        self._apart = 0
        self._lines = found.now_key // 4, found.now_key % 4 + 4
        row, column = (max(block.power[line] for block in looked_at) for line in self._lines)
        self._power = row, column
        if goes_on:
            self._tone.last = at
            return None
        self._tone = _Span(key, (at - LOOK - (HITS - 1) * BLOCK) % _WRAP, at)
        self._is_free = not _is_near(self._event, self._tone)
        return (key, self._tone.first) if self._is_free else None

    def pause(self) -> None:
        """The sender was silent, or is another."""
        self._apart = PARTED
        self._key, self._hits = NONE, 0

    def event(self, code: int, first: int, duration: int, *, is_new: bool) -> bool:
        """A packet of an event. Whether it begins a press that was heard as a tone, and counted, before."""
        last = (first + duration) % _WRAP
        if is_new:
            self._event = _Span(code, first, last)
            was_heard = self._is_free and _is_near(self._event, self._tone)
            self._is_free = self._is_free and not was_heard
            return was_heard
        if code == self._event.code and ahead(last, self._event.last) > 0:
            self._event.last = last
        return False


def _is_near(one: _Span, other: _Span) -> bool:
    before, after = ahead(one.first, other.last), ahead(other.first, one.last)
    return one.code == other.code != NONE and before <= NEAR and after <= NEAR
