"""Gaps that events leave in codecs that the core does not know. The reference of
`media/core/mask/gap.c`.

Rule 1: where events were, packets of silence fill the time until the next audio, so that numbers
        and rtp_timestamps go on; they are as long as the newest packet was, the last as long as
        what is left and frames last.
Rule 2: what fills depends on when events were, and on no key. More than a second is not filled, and
        not more than 30 packets at once; and no more before audio than the time that has passed: a
        sender's clock may jump.
Rule 3: audio that comes late, or of a time that was filled, does not leave: one decoder hears what
        leaves in the order in which a phone plays it.
Rule 4: one SSRC at a time, as in `hold`: a phone plays each by itself, and one decoder would hear
        neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from media.codecs import DecodedCodec
from media.formats.rtp import Ssrc
from media.reference.tones import ahead

MAX_FILLINGS = 30
# Bytes; no longer packet waits for the decoder process, and so none leaves, and no gap is filled
# with one.
MAX_PAYLOAD = 1388
TAKEN_OVER_MS = 100  # an SSRC that was silent for so long may be followed by another
_WRAP = 1 << 32


@dataclass(slots=True)
class Gap:
    """What is known of the newest packet of one masked stream."""

    payload_type: int
    codec: DecodedCodec
    ssrc: Ssrc
    next: int  # the rtp_timestamp that would follow
    step: int  # how long it was
    came_ms: int
    after_event: bool = False
    may_fill: int = 0  # beside one packet: the time that has passed, less what was filled
    passed_ms: int = 0

    def __post_init__(self) -> None:
        self.passed_ms = self.came_ms

    def takes(self, ssrc: Ssrc, rtp_timestamp: int, now_ms: int) -> bool:
        """False: it does not leave. What is late by more than a second begins anew."""
        left = ahead(rtp_timestamp, self.next)
        if self.ssrc != ssrc:
            return now_ms - self.came_ms >= TAKEN_OVER_MS
        return left >= 0 or left < -self.codec.clock_rate

    def let_pass(self, now_ms: int) -> None:
        """What may be filled grows with the time that passes; a packet that an event has begun may
        always be."""
        self.may_fill = max(0, self.may_fill + (now_ms - self.passed_ms) * self.codec.clock_rate // 1000)
        self.passed_ms = now_ms

    def lacks(self, rtp_timestamp: int, *, event: bool) -> Iterator[tuple[int, int]]:
        """The rtp_timestamps and lengths of what fills the time before; each counts as filled once
        the next is asked for."""
        if not self.after_event or ahead(rtp_timestamp, self.next) > self.codec.clock_rate:
            return
        for _ in range(MAX_FILLINGS):
            left = ahead(rtp_timestamp, self.next)
            length = self.step if left >= self.step else 0 if event else left - left % self.codec.payload.unit
            if length <= 0 or (not event and self.may_fill < 0):
                return
            yield self.next, length
            self.next = (self.next + length) % _WRAP
            self.may_fill -= length
