"""One key press, one digit, whatever the network does to its packets (RFC 4733 section 2.5).

Rule 1: a press is known by SSRC and rtp_timestamp; its first packet to arrive counts, be it start, middle or end.
        Neither the marker bit nor the end is waited for.
Rule 2: the same press again is a new one if its durations begin anew after more than REPLAY_GAP: some senders replay
        a recorded event with the same rtp_timestamp. Held-up copies of the end do not begin anew, nor do redundant ones.
Rule 3: a long press is sent in segments (section 2.5.1.3): what follows on an unended segment is the same press.
Rule 4: keys are held for HOLD before anyone hears of them, so that a press that is overtaken on the way still comes
        before the later one. What is overtaken by more is reported when it comes: late, never lost.
Rule 5: what was pressed is in `KeyQueue` alone; `Presses` knows no codes. A press of which any part was withheld stays
        withheld to its end, even if the mask is lifted before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .rtp import Ssrc
from .telephone_event import KEYS, SEGMENT, TelephoneEvent

PRESSES = 8
REPLAY_GAP_MS = 250
LONG_SEGMENT = 0xF000
HOLD_MS = 100
ROOM = 32
REORDER_TICKS = 16000  # 2 s at 8 kHz: further apart, rtp_timestamps do not tell an order
_WRAP = 1 << 32


@dataclass(slots=True)
class Press:
    ssrc: Ssrc
    rtp_timestamp: int
    duration: int
    ended: bool
    withheld: bool
    last_ms: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one packet of an event means: whether it begins a press, whether that is a recording played again, and whether
    the press is kept from the agent."""

    is_new: bool
    withheld: bool
    replayed: bool = False


@dataclass(slots=True)
class Presses:
    """The newest presses of one direction."""

    _slots: list[Press] = field(default_factory=list)

    def sight(
        self,
        ssrc: Ssrc,
        rtp_timestamp: int,
        marker: bool,
        event: TelephoneEvent,
        masked: bool,
        now_ms: int,
        copy: bool = False,
    ) -> Sighting:
        """Take one packet of an event. `now_ms`: a monotonic clock's milliseconds; `copy`: it is redundant (RFC 2198)."""
        known = next((p for p in self._slots if p.ssrc == ssrc and p.rtp_timestamp == rtp_timestamp), None)
        if known is not None:
            begins_anew = event.duration < known.duration or (marker and event.duration == known.duration)
            if copy or not begins_anew or now_ms - known.last_ms <= REPLAY_GAP_MS:
                known.last_ms = now_ms
                known.ended |= event.end
                known.withheld |= masked
                known.duration = max(known.duration, event.duration)
                return Sighting(is_new=False, withheld=known.withheld)
        before = [] if known is not None else [p for p in self._slots if _follows(p, ssrc, rtp_timestamp, marker)]
        for segment in before:
            segment.ended = True
        press = Press(
            ssrc=ssrc,
            rtp_timestamp=rtp_timestamp,
            duration=event.duration,
            ended=event.end,
            withheld=masked or any(segment.withheld for segment in before),
            last_ms=now_ms,
        )
        self._keep(press, instead_of=known)
        return Sighting(is_new=not before, withheld=press.withheld, replayed=known is not None)

    def _keep(self, press: Press, instead_of: Press | None) -> None:
        if instead_of is None and len(self._slots) < PRESSES:
            self._slots.append(press)
            return
        oldest = instead_of or min(self._slots, key=lambda p: p.last_ms)
        self._slots[self._slots.index(oldest)] = press


def _follows(segment: Press, ssrc: Ssrc, rtp_timestamp: int, marker: bool) -> bool:
    if segment.ended or segment.ssrc != ssrc:
        return False
    step = (rtp_timestamp - segment.rtp_timestamp) % _WRAP
    by_duration = not marker and segment.duration >= LONG_SEGMENT and step == segment.duration
    return step == SEGMENT or by_duration


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

    def put(self, code: int, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
        """Keep one key. False: there is no room, and the capture that it belongs to must end."""
        if len(self._held) == ROOM:
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
        return bytes(KEYS[key.code] for key in taken)


def _overtook(held: _Held, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
    ahead = (held.rtp_timestamp - rtp_timestamp) % _WRAP
    return now_ms - held.seen_ms < HOLD_MS and held.ssrc == ssrc and 0 < ahead <= REORDER_TICKS
