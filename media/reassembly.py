"""One key press, one digit, whatever the network does to its packets (RFC 4733 section 2.5).

Rule 1: a press is known by SSRC and rtp_timestamp; its first packet to arrive counts, be it start, middle or end.
        Neither the marker bit nor the end is waited for.
Rule 2: the same press again is a new one where it began anew: by sequence number it comes later, its durations are small
        again, and it had ended with a marker now or has rested for more than REPLAY_GAP. Copies and updates that were held up
        are none. A recording repeats its sequence numbers too: it is a new press when its second packet has come.
Rule 3: a long press is sent in segments (section 2.5.1.3): what follows on an unended segment is the same press. So is what
        begins before an unended event of the packets just before it is over (some senders let rtp_timestamp go on with each
        packet), and what comes from another SSRC while a press goes on.
Rule 4: keys are held for HOLD before anyone hears of them, so that a press that is overtaken on the way still comes
        before the later one. What would come behind one that was taken less than ORDER ago is refused; by still more, it is
        a press like another.
Rule 5: what was pressed is in `KeyQueue` alone; `Presses` knows no codes. A press of which any part was withheld stays
        withheld to its end, even if the mask is lifted before.
Rule 6: what may be the same press or another, and nothing tells which, is LOST: no queue takes it, and the capture ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from .rtp import Ssrc
from .sequence import difference
from .telephone_event import KEYS, SEGMENT, TelephoneEvent

PRESSES = 8
REPLAY_GAP_MS = 250
ALIVE_MS = 100  # between two packets of a press
NEXT = 3  # what a sequence number is ahead, at most, of the packet before it
LONG_SEGMENT = 0xF000
HOLD_MS = 100
ORDER_MS = 250
ROOM = 32
REORDER_TICKS = 16000  # 2 s at 8 kHz: further apart, rtp_timestamps do not tell an order
LOST = 16  # in place of an event code: a key that nobody can tell
_WRAP = 1 << 32


class _Is(Enum):
    """What another packet of a known press, or one that may be of one, is."""

    MORE = 0
    NEW = 1
    LOST = 2


@dataclass(slots=True)
class Press:
    """`span`: how far the rtp_timestamps of its packets go. `first`, `newest`: sequence numbers. `doubt`: the sequence number
    of what may begin a recording again."""

    ssrc: Ssrc
    rtp_timestamp: int
    first: int
    duration: int
    ended: bool
    withheld: bool
    last_ms: int
    newest: int = 0
    span: int = 0
    doubt: int | None = None

    def add(self, arrival: Arrival) -> None:
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
        if difference(arrival.sequence_number, self.newest) <= 0:
            return self._repeated(arrival.sequence_number, begins and rested, rested)
        self.doubt = None
        if not begins:
            return _Is.LOST if event.end and self.ended and rested and (marker or lower) else _Is.MORE
        if self.ended:
            return _Is.NEW if marker or rested else _Is.LOST
        if rested:
            return _Is.NEW if marker and lower else _Is.LOST
        return _Is.LOST if marker and lower else _Is.MORE

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
        """The same for another rtp_timestamp; None: it is another press."""
        event, step = arrival.event, (arrival.rtp_timestamp - self.rtp_timestamp - self.span) % _WRAP
        follows = 0 < difference(arrival.sequence_number, self.newest) <= NEXT
        if self.ssrc != arrival.ssrc or arrival.marker or not follows or not step:
            return None
        if step < self.duration:
            return _Is.MORE if event.end or not self.ended else None
        if self.ended:
            return _Is.LOST if event.end and step == self.duration else None
        return _Is.MORE if self.duration <= event.duration >= step else None

    def is_beside(self, arrival: Arrival) -> bool:
        """Whether it goes on while another SSRC sends a press."""
        event = arrival.event
        same_end = event.end and self.rtp_timestamp == arrival.rtp_timestamp and self.duration == event.duration
        return self.ssrc != arrival.ssrc and (not self.ended or same_end)

    def is_followed(self, arrival: Arrival) -> bool:
        """Whether a further segment of it comes."""
        if self.ended or self.ssrc != arrival.ssrc:
            return False
        step = (arrival.rtp_timestamp - self.rtp_timestamp - self.span) % _WRAP
        by_duration = not arrival.marker and self.duration >= LONG_SEGMENT and step == self.duration
        return step == SEGMENT or by_duration


@dataclass(frozen=True, slots=True)
class Arrival:
    """One packet of an event. `now_ms`: a monotonic clock's milliseconds; `copy`: it is redundant (RFC 2198); `packed`: it
    stands behind another in its packet."""

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
    """What one packet of an event means: whether it begins a press, whether that is a recording played again, whether
    the press is kept from the agent, and whether a press may be missed by it."""

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
            self._keep(self._begun(arrival, arrival.masked, known.doubt), instead_of=known)
            return Sighting(is_new=True, withheld=arrival.masked, replayed=True)
        before = [p for p in self._slots if p.is_followed(arrival)]
        for segment in before:
            segment.ended = True
        alive = [p for p in self._slots if arrival.now_ms - p.last_ms <= ALIVE_MS]
        if not (before or arrival.copy or arrival.packed):
            for press in alive:
                if (same := press.goes_on(arrival)) is not None:
                    press.span = (arrival.rtp_timestamp - press.rtp_timestamp) % _WRAP
                    press.add(arrival)
                    return Sighting(is_new=False, withheld=press.withheld, lost=same is _Is.LOST)
        before += [p for p in alive if p.is_beside(arrival)]
        press = self._begun(arrival, arrival.masked or any(each.withheld for each in before))
        self._keep(press)
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
        )

    def _keep(self, press: Press, instead_of: Press | None = None) -> None:
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
    _taken: _Held | None = field(default=None, repr=False)  # the newest, without its code

    def put(self, code: int, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
        """Keep one key. False: there is no room, or its place is not known; the capture that it belongs to must end."""
        is_late = self._taken is not None and _overtook(self._taken, ssrc, rtp_timestamp, now_ms)
        if code == LOST or is_late or len(self._held) == ROOM:
            return False
        at = len(self._held)
        while at > 0 and _overtook(self._held[at - 1], ssrc, rtp_timestamp, now_ms):
            at -= 1
        seen_ms = self._held[at].seen_ms if at < len(self._held) else now_ms
        self._held.insert(at, _Held(seen_ms, ssrc, rtp_timestamp, code))
        return True

    def ripe(self, now_ms: int) -> int:
        """How many keys have been held long enough."""
        return next((i for i, key in enumerate(self._held) if now_ms - key.seen_ms < HOLD_MS), len(self._held))

    def take(self, now_ms: int) -> bytes:
        """Move out the ripe keys, as ASCII."""
        count = self.ripe(now_ms)
        taken, self._held = self._held[:count], self._held[count:]
        if taken:
            self._taken = replace(taken[-1], code=LOST)
        return bytes(KEYS[key.code] for key in taken)


def _overtook(key: _Held, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
    ahead = (key.rtp_timestamp - rtp_timestamp) % _WRAP
    return now_ms - key.seen_ms < ORDER_MS and key.ssrc == ssrc and 0 < ahead <= REORDER_TICKS
