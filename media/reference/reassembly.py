"""One key press, one digit, whatever the network does to its packets (RFC 4733 section 2.5).

Rule 1: a press is known by SSRC and rtp_timestamp; its first packet to arrive counts, be it start,
        middle or end. Neither the marker bit nor the end is waited for.
Rule 2: the same press again is a new one where it began anew: by sequence number it comes later,
        and either its key is another, or it had ended and a marker and small durations come. Copies
        and updates that were held up are none. A recording repeats its sequence numbers too: it is
        a new press when its second packet has come, after REPLAY_GAP_MS.
Rule 3: a long press is sent in segments (section 2.5.1.3): what follows on an unended segment is
        the same press. So is what begins before an unended event of the packets just before it is
        over (some senders let rtp_timestamp go on with each packet), an end whose sequence number
        follows an end of the same key and duration, and what comes from another SSRC while a press
        goes on. By sequence numbers and rtp_timestamps, not by when packets come.
Rule 4: keys are held for HOLD_MS before anyone hears of them, so that a press that is overtaken on
        the way still comes before the later one. What would come behind one that was taken less
        than ORDER_MS ago is refused; by still more, it is a press like another.
Rule 5: what was pressed is in secret memory alone: of what waits, and of each press, since another
        key is another press. A press of which any part was withheld stays withheld to its end, even
        if the mask is lifted before.
Rule 6: in slow mode two equal keys that come within SLOW_MS are one press: those that a gateway
        sends twice, or a worn key. Whoever keys has to take longer over two equal digits.
Rule 7: what may be the same press or another, and nothing tells which, is LOST: no queue takes it,
        and the capture ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from media.formats.rtp import Ssrc
from media.formats.telephone_event import KEYS, SEGMENT, TelephoneEvent
from media.reference.doubled import Doubled
from media.reference.sequence import difference

PRESSES = 8
REPLAY_GAP_MS = 250
ALIVE_MS = 100  # between two packets of a press
NEXT = 3  # what a sequence number is ahead, at most, of the packet before it
FAR = 12  # beyond NEXT, and up to here, nobody knows
LONG_SEGMENT = 0xF000
HOLD_MS = 100
SLOW_MS = 400
ORDER_MS = 250
ROOM = 32
REORDER_TICKS = 96000  # 2 s at 48 kHz: further apart, rtp_timestamps do not tell an order
LOST = 16  # in place of an event code: a key that nobody can tell
_WRAP = 1 << 32


class _Is(Enum):
    """What another packet of a known press, or one that may be of one, is."""

    MORE = 0
    NEW = 1
    LOST = 2


@dataclass(slots=True)
class Press:
    """`span`: how far the rtp_timestamps of its packets go. `first`, `newest`: sequence numbers.
    `doubt`: the sequence number of what may begin a recording again."""

    ssrc: Ssrc
    rtp_timestamp: int
    first: int
    duration: int
    ended: bool
    withheld: bool
    last_ms: int
    code: int = field(repr=False)
    newest: int = 0
    span: int = 0
    doubt: int | None = None

    def add(self, arrival: Arrival) -> None:
        """Add another packet of the same press."""
        self.last_ms = arrival.now_ms
        self.ended |= arrival.event.end
        self.withheld |= arrival.masked
        self.duration = max(self.duration, arrival.event.duration)
        if not arrival.copy:
            if difference(arrival.sequence_number, self.newest) > 0:
                self.newest = arrival.sequence_number
            if self.doubt is None and difference(arrival.sequence_number, self.first) < 0:
                self.first = arrival.sequence_number

    def again(self, arrival: Arrival) -> _Is:
        """What a packet is that has this press's rtp_timestamp."""
        event, marker = arrival.event, arrival.marker
        lower = event.duration < self.duration
        begins = not event.end and (lower or (marker and event.duration == self.duration))
        rested = arrival.now_ms - self.last_ms > REPLAY_GAP_MS
        if arrival.copy:
            return _Is.MORE
        next_one = difference(arrival.sequence_number, self.newest)
        if next_one <= 0:
            return self._repeated(arrival.sequence_number, begins and rested, rested)
        self.doubt = None
        if self.code != event.code:
            return _Is.NEW
        if not begins:
            is_new = lower or (marker and (rested or next_one > NEXT))
            return _Is.LOST if event.end and self.ended and is_new else _Is.MORE
        if self.ended:
            return _Is.NEW if marker else _Is.LOST
        return _Is.LOST if lower or rested else _Is.MORE

    def _repeated(self, sequence_number: int, begins: bool, rested: bool) -> _Is:
        """Late, a copy, or a recording that is played again."""
        if begins:
            self.doubt = sequence_number
        elif rested:
            self.doubt = None
        elif self.doubt is not None and difference(sequence_number, self.doubt) > 0:
            return _Is.NEW if difference(self.doubt, self.first) <= 0 else _Is.LOST
        return _Is.MORE

    def goes_on(self, arrival: Arrival) -> _Is | None:
        """The same for another rtp_timestamp; None: it is another press. Nothing is decided by when
        it came."""
        if not self._may_be(arrival):
            return None
        event, next_one = arrival.event, difference(arrival.sequence_number, self.newest)
        step = (arrival.rtp_timestamp - self.rtp_timestamp - self.span) % _WRAP
        if next_one < 0:
            return self._goes_back(arrival)
        if next_one > FAR or (self.ended and not event.end):
            return None
        is_again = self.ended and event.duration == self.duration
        if event.duration < self.duration and next_one > 0:
            return _Is.LOST if self.ended and step < self.duration else None
        fits = step <= max(self.duration, event.duration) or next_one == 0 or (is_again and next_one == 1)
        if fits:
            is_sure = next_one <= (NEXT if not arrival.marker else 0 if self.ended else 1)
            return _Is.MORE if is_sure else _Is.LOST
        near = next_one <= NEXT or step <= 3 * event.duration
        return _Is.LOST if event.end and near and (is_again or not self.ended) else None

    def _goes_back(self, arrival: Arrival) -> _Is | None:
        """The same for what was overtaken by the first packet that came."""
        back = (self.rtp_timestamp - arrival.rtp_timestamp) % _WRAP
        if not 0 < difference(self.first, arrival.sequence_number) <= FAR or back > 3 * self.duration:
            return None
        return _Is.MORE if back <= arrival.event.duration and not arrival.event.end else _Is.LOST

    def _may_be(self, arrival: Arrival) -> bool:
        return self.ssrc == arrival.ssrc and self.code == arrival.event.code

    def stretch(self, arrival: Arrival) -> None:
        """Let its rtp_timestamps reach to this one."""
        back = (self.rtp_timestamp - arrival.rtp_timestamp) % _WRAP
        if back < _WRAP // 2:
            self.rtp_timestamp, self.span = arrival.rtp_timestamp, self.span + back
        else:
            self.span = max(self.span, _WRAP - back)

    def is_beside(self, arrival: Arrival) -> bool:
        """Whether it goes on while another SSRC sends a press."""
        event = arrival.event
        same_end = (
            event.end and self.rtp_timestamp == arrival.rtp_timestamp and self.duration == event.duration
        )
        return self.ssrc != arrival.ssrc and self.code == event.code and (not self.ended or same_end)

    def is_followed(self, arrival: Arrival) -> bool:
        """Whether a further segment of it comes."""
        if self.ended or not self._may_be(arrival):
            return False
        step = (arrival.rtp_timestamp - self.rtp_timestamp - self.span) % _WRAP
        by_duration = not arrival.marker and self.duration >= LONG_SEGMENT and step == self.duration
        return step == SEGMENT or by_duration


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet of an event. `now_ms`: a monotonic clock's milliseconds; `copy`: it is redundant
    (RFC 2198); `packed`: it stands behind another in its packet."""

    ssrc: Ssrc
    rtp_timestamp: int
    sequence_number: int
    marker: bool
    event: TelephoneEvent
    masked: bool
    now_ms: int
    copy: bool = False
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one packet of an event means: whether it begins a press, whether that is a recording
    played again, whether the press is kept from the agent, and whether a press may be missed by
    it."""

    is_new: bool
    withheld: bool
    replayed: bool = False
    lost: bool = False


@dataclass(slots=True)
class Presses:
    """The newest presses of one direction."""

    _slots: list[Press] = field(default_factory=list)

    def sight(self, arrival: Arrival) -> Sighting:
        """Take one packet of an event."""
        sighting = self._sight(arrival)
        if arrival.event.end:  # nobody presses two keys at once
            for press in self._slots:
                press.ended |= press.ssrc != arrival.ssrc
        return sighting

    def _sight(self, arrival: Arrival) -> Sighting:
        known = next((p for p in self._slots if _covers(p, arrival)), None)
        if known is not None:
            what = known.again(arrival)
            if what is not _Is.NEW:
                known.add(arrival)
                return Sighting(is_new=False, withheld=known.withheld, lost=what is _Is.LOST)
            self._keep_press(self._begun(arrival, arrival.masked, known.doubt), instead_of=known)
            return Sighting(is_new=True, withheld=arrival.masked, replayed=True)
        before = [p for p in self._slots if p.is_followed(arrival)]
        for segment in before:
            segment.ended = True
        alive = [p for p in self._slots if arrival.now_ms - p.last_ms <= ALIVE_MS]
        if not (before or arrival.copy or arrival.packed):
            same = [(found, press) for press in self._slots if (found := press.goes_on(arrival)) is not None]
            if same:
                verdict, press = min(same, key=lambda each: each[0].value)
                press.stretch(arrival)
                press.add(arrival)
                return Sighting(is_new=False, withheld=press.withheld, lost=verdict is _Is.LOST)
        before += [p for p in alive if p.is_beside(arrival)]
        press = self._begun(arrival, arrival.masked or any(each.withheld for each in before))
        self._keep_press(press)
        return Sighting(is_new=not before, withheld=press.withheld)

    @staticmethod
    def _begun(arrival: Arrival, withheld: bool, first: int | None = None) -> Press:
        return Press(
            ssrc=arrival.ssrc,
            rtp_timestamp=arrival.rtp_timestamp,
            first=arrival.sequence_number if first is None else first,
            newest=arrival.sequence_number,
            duration=arrival.event.duration,
            ended=arrival.event.end,
            withheld=withheld,
            last_ms=arrival.now_ms,
            code=arrival.event.code,
        )

    def _keep_press(self, press: Press, instead_of: Press | None = None) -> None:
        if instead_of is None and len(self._slots) < PRESSES:
            self._slots.append(press)
            return
        oldest = instead_of or min(self._slots, key=lambda p: p.last_ms)
        self._slots[self._slots.index(oldest)] = press


def _covers(press: Press, arrival: Arrival) -> bool:
    return press.ssrc == arrival.ssrc and (arrival.rtp_timestamp - press.rtp_timestamp) % _WRAP <= press.span


@dataclass(frozen=True, slots=True)
class _Held:
    seen_ms: int
    ssrc: Ssrc
    rtp_timestamp: int
    code: int = field(repr=False)


@dataclass(slots=True)
class KeyQueue:
    """Keys that were pressed and not yet taken, in the order of the presses."""

    _held: list[_Held] = field(default_factory=list, repr=False)
    # The newest; its code stays in slow mode alone.
    _taken: _Held | None = field(default=None, repr=False)
    slow: bool = False
    doubled: Doubled = field(default_factory=Doubled)

    def put(self, code: int, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
        """Keep one key. False: there is no room, or its place is not known; the capture that it
        belongs to must end."""
        is_late = self._taken is not None and _overtook(self._taken, ssrc, rtp_timestamp, now_ms)
        if code == LOST:
            return False
        self.doubled.add_key(code, now_ms)
        at = len(self._held)
        while at > 0 and _overtook(self._held[at - 1], ssrc, rtp_timestamp, now_ms):
            at -= 1
        if self._is_joined(at, code, now_ms):
            return True
        if is_late or len(self._held) == ROOM:
            return False
        seen_ms = self._held[at].seen_ms if at < len(self._held) else now_ms
        self._held.insert(at, _Held(seen_ms, ssrc, rtp_timestamp, code))
        return True

    def _is_joined(self, at: int, code: int, now_ms: int) -> bool:
        """Whether slow mode takes a key for the one before its place, or behind."""
        before = self._held[at - 1] if at > 0 else self._taken
        beside = (before, *self._held[at : at + 1])
        return self.slow and any(
            key is not None and key.code == code and now_ms - key.seen_ms <= SLOW_MS for key in beside
        )

    def ripe(self, now_ms: int) -> int:
        """How many keys have been held long enough."""
        return next(
            (i for i, key in enumerate(self._held) if now_ms - key.seen_ms < HOLD_MS), len(self._held)
        )

    def take_ripe(self, now_ms: int) -> bytes:
        """Move out the ripe keys, as ASCII."""
        count = self.ripe(now_ms)
        taken, self._held = self._held[:count], self._held[count:]
        if taken:
            self._taken = taken[-1] if self.slow else replace(taken[-1], code=LOST)
        return bytes(KEYS[key.code] for key in taken)


def _overtook(key: _Held, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
    ahead = (key.rtp_timestamp - rtp_timestamp) % _WRAP
    return now_ms - key.seen_ms < ORDER_MS and key.ssrc == ssrc and 0 < ahead <= REORDER_TICKS
