"""Keys that are heard: a press that is only a tone is a digit, and one that is an event as well is
one digit. The reference of `media/core/audio/tones.c`. Positions are rtp_timestamps of the audio.

Rule 1: what counts is surer than what is masked: CAPTURES of the energy in HITS looks, one after
        another.
Rule 2: a press lasts until another key is heard, or PARTED blocks without it, or nothing came for
        SILENCE. Speech may hide a tone for long; a block is without it where one of its lines is
        GONE. A frame that was lost parts nothing: it is not heard.
Rule 3: a tone and an event of one key that are no further than NEAR apart are one press. An event
        may have several tones: before it, beside it and a tail; a tone belongs to one event.
Rule 4: a hole of HOLE or more that touches a tone may have parted one press or joined two: nobody
        knows, and the capture ends. Behind a shorter one that does, a press is found soon, or
        nobody knows. A LONG_HOLE may have held a whole key: it must not lie within KEYING of one.
Rule 5: which keys these are stays in secret memory, and in no repr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from media.reference.inband import BLOCK, SCALE, Found, Measured

CAPTURES = 0.70  # the share of the newest 20 ms
HITS = 5
PARTED = 5  # blocks: 25 ms
GONE = 0.125  # of the power that the line had when it was heard last: 9 dB less
SILENCE = 480  # units: 60 ms
NEAR = 960  # units: 120 ms; from where a tone first showed, however faintly
MIN_HOLE, HOLE, LONG_HOLE = 80, 200, 320  # units: 10, 25, 40 ms
TOUCHES = 3  # blocks before a hole, and behind it
OWED = 16  # blocks until a press is found behind a short hole: 80 ms
KEYING = 16000  # units: 2 s
SHOWS, WEAKER = 0.70, 0.03  # the share of a tone's two lines in a block, and of the weaker
FAINT = 200  # mean square of a sample: -61 dBm0
LOOK = 4 * BLOCK
# Of events (RFC 4733 section 3.2), row by row of the keypad.
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
)
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
    # The key that shows, and for how many blocks it has not.
    _shown: int = field(default=NONE, repr=False)
    _unseen: int = 0
    _since: int = 0  # when it showed first
    _watched: int = 0  # blocks in which a tone touches the hole before them
    _owed: int = 0  # blocks until a tone that touches a short hole is a press, or nobody knows
    _is_short: bool = False  # the newest hole; a long one may have held a whole key
    _is_long: bool = False
    _hole: int = 0
    presses: int = 0  # that came as tones
    shared: int = 0  # of those, as events too

    def hear_block(self, found: Found, looked_at: Sequence[Measured], at: int) -> tuple[int, int] | None:
        """Another block, the last of these; it ends at `at`. Where it makes a press: its event
        code, and where it began."""
        self._note_shown(found, at)
        key = CODES[found.now_key] if found.now >= CAPTURES else NONE
        self._hits = self._hits + 1 if key == self._key else 1
        self._key = key
        goes_on = key == self._tone.code and self._apart < PARTED
        if key == NONE or not (goes_on or self._hits >= HITS):
            is_gone = any(
                looked_at[-1].power[line] < GONE * had
                for line, had in zip(self._lines, self._power, strict=True)
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
        first = (at - LOOK - (HITS - 1) * BLOCK) % _WRAP
        if self._shown == key and ahead(first, self._since) > 0:
            first = self._since
        self._tone = _Span(key, first, at)
        self._is_free = not _is_near(self._event, self._tone)
        self.presses += 1
        self.shared += not self._is_free
        return (key, self._tone.first) if self._is_free else None

    def _note_shown(self, found: Found, at: int) -> None:
        """A press began where its key showed first, not where it was beyond doubt: a tail of an
        event may be long in coming."""
        key = CODES[found.now_key] if found.now > 0 else NONE
        # Away for longer, the same key is another press.
        is_same = key != NONE and key == self._shown and self._unseen * BLOCK <= NEAR
        self._unseen = 0 if is_same else self._unseen + 1
        if key == NONE or is_same or (self._shown != NONE and self._unseen < PARTED):
            return
        self._shown, self._since, self._unseen = key, (at - LOOK) % _WRAP, 0

    def hole(self, looked_at: Sequence[Measured], lost: int, at: int) -> bool:
        """So many samples were lost, before `at`. Whether nobody knows what was keyed."""
        if lost < MIN_HOLE:
            return False
        # Of the hole before.
        touches, is_owed = any(_is_tone(block) for block in looked_at), self._owed > 0
        self._watched, self._is_short, self._is_long, self._hole = TOUCHES, lost < HOLE, lost > LONG_HOLE, at
        is_keying = self._is_long and self._tone.code != NONE and ahead(at, self._tone.last) < KEYING
        is_unknown = (touches and self._touched()) or is_owed or is_keying
        return is_unknown and not self._is_known_as_event()

    def touch(self, block: Measured) -> bool:
        """The same of a tone behind the hole, with each block."""
        touches = self._watched > 0 and _is_tone(block)
        self._watched = max(self._watched - 1, 0)
        if touches and self._touched():
            return True
        begins_keying = self._is_long and self._hits >= HITS and ahead(self._tone.last, self._hole) < KEYING
        self._is_long = self._is_long and not begins_keying
        # Its press is counted.
        if self._tone.code != NONE and ahead(self._tone.last, self._hole) > -HOLE:
            self._owed = 0
        is_due = self._owed == 1
        self._owed = max(self._owed - 1, 0)
        return (begins_keying or is_due) and not self._is_known_as_event()

    def _touched(self) -> bool:
        self._watched, self._owed = 0, OWED if self._is_short else 0
        return not self._is_short and not self._is_known_as_event()

    def _is_known_as_event(self) -> bool:
        event = self._event
        near = ahead(self._hole, event.last) <= NEAR and ahead(event.first, self._hole) <= NEAR
        return event.code != NONE and near

    def pause(self) -> None:
        """The sender was silent, or is another."""
        self._apart = PARTED
        self._key, self._hits = NONE, 0

    def event(self, code: int, first: int, duration: int, *, is_new: bool) -> bool:
        """A packet of an event. Whether it begins a press that was heard as a tone, and counted,
        before."""
        last = (first + duration) % _WRAP
        if is_new:
            self._event = _Span(code, first, last)
            was_heard = self._is_free and _is_near(self._event, self._tone)
            self._is_free = self._is_free and not was_heard
            self.shared += was_heard
            return was_heard
        if code == self._event.code and ahead(last, self._event.last) > 0:
            self._event.last = last
        return False


def _is_tone(block: Measured) -> bool:
    """Whether a block has more of a tone than noise has."""
    whole = SCALE * SCALE * BLOCK * block.energy
    row, column = max(block.power[:4]), max(block.power[4:])
    return (
        block.energy >= FAINT * BLOCK
        and 2 * (row + column) >= SHOWS * whole
        and 2 * min(row, column) >= WEAKER * whole
    )


def _is_near(one: _Span, other: _Span) -> bool:
    before, after = ahead(one.first, other.last), ahead(other.first, one.last)
    return one.code == other.code != NONE and before <= NEAR and after <= NEAR
