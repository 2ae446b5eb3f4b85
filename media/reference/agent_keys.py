"""The keys of the agent's own telephone: feature codes in them, and what of them the customer gets.
The reference of `media/core/dtmf/agent_keys.c` and `media/core/mask/agent_events.c`.

Rule 1: a code is `*`, one to MAX_DIGITS digits, `#`. From its `*` on nothing of it leaves for the
        customer; another `*` begins it anew. Other keys leave as they came, but none while masked.
Rule 2: what turns out to be no code is dropped: too many digits, a letter, a pause of PAUSE_MS, a
        key that may be lost, another sender, another order. What was keyed is wiped at once, and
        nothing leaves until its `#` or its pause. Presses are remembered for PAUSE_MS.
Rule 3: a telephone may send its keys in two ways, as event and as SIP INFO. The way of the `*`
        counts; what comes in the other is an echo, up to ECHO_MS after the `#`, and is dropped.
Rule 4: of a code that waits to be taken a later one takes no place: it is dropped.
Rule 5: a packet with redundancy (RFC 2198) is withheld whole, where it holds an event of a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from media.formats import telephone_event
from media.formats.rtp import Rtp, Ssrc
from media.reference.reassembly import Arrival, Presses
from media.reference.red import Block

MAX_DIGITS = 6
PAUSE_MS = 5000
ECHO_MS = 1000
_STAR, _HASH = 10, 11
_HALF = 1 << 31


class Way(Enum):
    """How a key came."""

    EVENT = 0
    INFO = 1


class _Phase(Enum):
    NONE = 0
    OPEN = 1
    SPOILT = 2


@dataclass(slots=True)
class AgentKeys:
    """Those of one leg. `events`: the payload types of telephone-event."""

    events: frozenset[int] = frozenset()
    _phase: _Phase = _Phase.NONE
    _way: Way = Way.EVENT
    _digits: bytearray = field(default_factory=bytearray, repr=False)
    _complete: bytes = field(default=b"", repr=False)
    _newest: tuple[Ssrc, int] = (Ssrc(0), 0)  # SSRC and rtp_timestamp of the newest press
    _last_ms: int = 0
    _ended_ms: int = 0
    _seen_ms: int = 0  # the newest packet of an event; 0: no press is remembered
    _presses: Presses = field(default_factory=Presses)

    def packet(self, whole: Rtp, blocks: Sequence[Block], now_ms: int, *, masked: bool) -> bool:
        """Whether a packet of the agent's leaves for the customer. `blocks`: of redundancy, or the
        packet's own."""
        withheld = False
        for block in blocks:
            if block.payload_type in self.events:
                withheld |= self._block(whole, block, now_ms, masked)
        return not withheld

    def info(self, code: int, now_ms: int, *, masked: bool) -> bool:
        """Whether a key that came as SIP INFO leaves."""
        return not (self._take_key(code, Way.INFO, now_ms) or masked)

    def take(self) -> bytes:
        """The digits of a complete code, in ASCII; none where there is no such code."""
        taken, self._complete = self._complete, b""
        return taken

    def _block(self, whole: Rtp, block: Block, now_ms: int, masked: bool) -> bool:
        event = telephone_event.parse(block.payload)
        if event is None or not telephone_event.is_key(event):
            return masked
        another = telephone_event.parse(block.payload[4:])
        self._expire(now_ms)
        known = self._phase is not _Phase.NONE or self._is_echo(Way.EVENT, now_ms)
        arrival = Arrival(
            whole.ssrc,
            block.rtp_timestamp,
            whole.sequence_number,
            whole.marker,
            event,
            masked=masked or known or event.code == _STAR,
            now_ms=now_ms,
            copy=block.copy,
        )
        sighting = self._presses.sight(arrival)
        self._seen_ms = now_ms
        if self._phase is not _Phase.NONE and self._way is Way.EVENT:
            self._last_ms = now_ms
        withheld = sighting.withheld
        if sighting.lost:
            self._spoil()
        elif sighting.is_new:
            self._check_order(arrival)
            withheld |= self._take_key(event.code, Way.EVENT, now_ms)
        if another is not None and another.duration:
            self._spoil()
        return withheld

    def _check_order(self, arrival: Arrival) -> None:
        ssrc, rtp_timestamp = self._newest
        ahead = (arrival.rtp_timestamp - rtp_timestamp) % (2 * _HALF) < _HALF
        if self._way is Way.EVENT and arrival.event.code != _STAR and (ssrc != arrival.ssrc or not ahead):
            self._spoil()
        self._newest = arrival.ssrc, arrival.rtp_timestamp

    def _take_key(self, code: int, way: Way, now_ms: int) -> bool:
        self._expire(now_ms)
        if self._is_echo(way, now_ms):
            return True
        if self._phase is _Phase.NONE and code != _STAR:
            return False
        self._way, self._last_ms = way, now_ms
        if code == _STAR:
            self._end()
            self._phase = _Phase.OPEN
        elif code == _HASH:
            if self._phase is _Phase.OPEN and not self._complete:
                self._complete = bytes(self._digits)
            self._end()
            self._ended_ms = now_ms
        elif self._phase is _Phase.OPEN:
            if code > 9 or len(self._digits) == MAX_DIGITS:
                self._spoil()
            else:
                self._digits.append(telephone_event.KEYS[code])
        return True

    def _is_echo(self, way: Way, now_ms: int) -> bool:
        recent = self._ended_ms != 0 and now_ms - self._ended_ms <= ECHO_MS
        return way is not self._way and (self._phase is not _Phase.NONE or recent)

    def _expire(self, now_ms: int) -> None:
        if self._phase is not _Phase.NONE and now_ms - self._last_ms > PAUSE_MS:
            self._end()
        if self._seen_ms and now_ms - self._seen_ms > PAUSE_MS:
            self._presses, self._seen_ms = Presses(), 0

    def _spoil(self) -> None:
        if self._phase is _Phase.OPEN:
            self._end()
            self._phase = _Phase.SPOILT

    def _end(self) -> None:
        self._phase = _Phase.NONE
        self._digits.clear()
