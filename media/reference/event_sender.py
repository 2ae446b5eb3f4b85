"""Keys sent to the agent's side as telephone-event, in the customer's running stream. The reference
of `media/core/dtmf/event_sender.c`.

Rule 1: one key after another, each as if a hand had pressed it: a packet every 20 ms with all of
        the duration so far, the end three times (RFC 4733 section 2.5.1), then a pause.
Rule 2: they are packets of the customer's audio: its SSRC, its rtp_timestamp at that moment,
        numbers that later packets make room for. Where no audio has come yet, they are a stream of
        our own.
Rule 3: what waits when a mask goes on never leaves; under a mask nothing is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media.formats.rtp import Rtp, Ssrc, serialise
from media.formats.telephone_event import SEGMENT, TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from media.reference.sequence import Tracks

WAITING = 8  # keys at most
INTERVAL_MS = 20
ENDS = 3
PAUSE_MS = 60  # after an end until the next key


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A key to send. `clock_rate` in Hz, that of the audio beside it (RFC 4733 section 2.1)."""

    code: int = field(repr=False)
    duration_ms: int
    payload_type: int
    clock_rate: int

    def lasting(self, ms: int) -> int:
        """In units of rtp_timestamp; one segment at most (section 2.5.1.3)."""
        return min(ms * self.clock_rate // 1000, SEGMENT)


@dataclass(slots=True)
class Sender:
    """Those of one direction. `own`: the SSRC of our own stream."""

    own: Ssrc | None = None
    _waiting: list[Outgoing] = field(default_factory=list)
    _stream: tuple[Ssrc, int, int] | None = None  # of the newest audio: SSRC, rtp_timestamp, when
    _event: tuple[Ssrc, int] | None = None  # of the key that is being sent
    _step: int = 0
    _ends: int = 0
    _due_ms: int = 0

    def follow(self, packet: Rtp, now_ms: int) -> None:
        """Audio of the customer's."""
        self._stream = packet.ssrc, packet.rtp_timestamp, now_ms

    def put(self, key: Outgoing, own: Ssrc, now_ms: int) -> bool:
        """Take a key; False where too many wait."""
        if len(self._waiting) == WAITING:
            return False
        self.own = self.own or own
        if not self._waiting:
            self._due_ms = max(self._due_ms, now_ms)
        self._waiting.append(key)
        return True

    def forget(self) -> None:
        """Nothing of what waits leaves."""
        self._waiting.clear()
        self._anew()

    def next(self, now_ms: int, tracks: Tracks) -> bytes | None:
        """The packet that leaves now."""
        if not self._waiting or now_ms < self._due_ms:
            return None
        key = self._waiting[0]
        ssrc, rtp_timestamp = self._event = self._event or self._begin_event(key, now_ms)
        sequence_number = tracks.insert(ssrc)
        if sequence_number is None:
            sequence_number = tracks.leaves_as(ssrc, 0, False)
        assert sequence_number is not None
        tracks.spare(ssrc, -1, -4)
        whole, duration = key.lasting(key.duration_ms), key.lasting(INTERVAL_MS * (self._step + 1))
        has_ended = duration >= whole
        event = TelephoneEvent(code=key.code, end=has_ended, duration=whole if has_ended else duration)
        packet = Rtp(
            payload_type=key.payload_type,
            marker=self._step == 0,
            sequence_number=sequence_number,
            rtp_timestamp=rtp_timestamp,
            ssrc=ssrc,
            payload=serialise_event(event),
        )
        self._advance(has_ended)
        return serialise(packet)

    def _begin_event(self, key: Outgoing, now_ms: int) -> tuple[Ssrc, int]:
        """Its SSRC and rtp_timestamp."""
        assert self.own is not None
        ssrc, rtp_timestamp, at_ms = self._stream or (self.own, 0, 0)
        return ssrc, (rtp_timestamp + (now_ms - at_ms) * key.clock_rate // 1000) % (1 << 32)

    def _advance(self, has_ended: bool) -> None:
        self._step += 1
        self._due_ms += INTERVAL_MS
        self._ends += has_ended
        if self._ends == ENDS:
            del self._waiting[0]
            self._anew()
            self._due_ms += PAUSE_MS - INTERVAL_MS

    def _anew(self) -> None:
        self._event, self._step, self._ends = None, 0, 0
