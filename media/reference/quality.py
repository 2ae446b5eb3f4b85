"""How a stream arrives: what is missing of it, and how unevenly it comes (RFC 3550 appendices A.1,
A.3 and A.8).

Rule 1: one SSRC at a time; another one, or numbers that begin anew, are counted on from their first
        packet. Events in an SSRC of their own are left out.
Rule 2: what is missing is what was expected less what came. The newest packet again (ends of
        events) has not come twice.
Rule 3: jitter is that of audio. A packet with the rtp_timestamp of the one before it says nothing,
        nor does a clock that jumped.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.formats.rtp import Ssrc

MAX_DROPOUT, MAX_MISORDER = 3000, 100
_WRAP, _HALF = 1 << 32, 1 << 31


@dataclass(slots=True)
class Arrivals:
    """What comes from one peer. `expected` and `came` in packets; jitter in sixteenths of a unit of
    rtp_timestamp."""

    came: int = 0
    _ssrc: Ssrc | None = None
    _clock: int = 0
    _before: int = 0  # expected of the runs before this one
    _base: int = 0
    _highest: int = 0  # extended by wraps
    _bad: int | None = None
    _rtp_timestamp: int = 0
    _transit: int | None = None
    _jitter: int = 0

    def add_packet(
        self, ssrc: Ssrc, sequence_number: int, rtp_timestamp: int, clock: int, now_ms: int, *, audio: bool
    ) -> None:
        """One packet. `clock`: of its rtp_timestamps, in Hz; 0: it is not measured."""
        if not clock or (not audio and ssrc != self._ssrc):
            return
        if ssrc != self._ssrc:
            self._begin_stream(ssrc, sequence_number)
        elif not self._counts(sequence_number):
            return
        self.came += 1
        if audio:
            self._measure(rtp_timestamp, clock, now_ms)

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers so far stand for."""
        return self._before + (self._highest - self._base + 1 if self._ssrc is not None else 0)

    @property
    def missing(self) -> int:
        """Packets that were expected and have not come; 0 where duplicates outnumber them."""
        return max(self.expected - self.came, 0)

    @property
    def jitter_us(self) -> int:
        """The newest estimate, in microseconds."""
        return self._jitter * 1_000_000 // (16 * self._clock) if self._clock else 0

    def _begin_stream(self, ssrc: Ssrc, sequence_number: int) -> None:
        self._before = self.expected
        self._ssrc, self._base, self._highest = ssrc, sequence_number, sequence_number
        self._bad = self._transit = None

    def _counts(self, sequence_number: int) -> bool:
        """Appendix A.1; a jump is believed when a second packet follows it."""
        ahead = (sequence_number - self._highest) % 0x10000
        if ahead < MAX_DROPOUT:
            self._highest += ahead
            return ahead > 0
        if ahead > 0x10000 - MAX_MISORDER:
            return True
        if sequence_number == self._bad:
            assert self._ssrc is not None
            self._begin_stream(self._ssrc, sequence_number)
            return True
        self._bad = (sequence_number + 1) % 0x10000
        return False

    def _measure(self, rtp_timestamp: int, clock: int, now_ms: int) -> None:
        """Appendix A.8."""
        if clock != self._clock:
            self._clock, self._jitter, self._transit = clock, 0, None
        transit = (now_ms * clock // 1000 - rtp_timestamp) % _WRAP
        if self._transit is not None and rtp_timestamp != self._rtp_timestamp:
            moved = abs((transit - self._transit + _HALF) % _WRAP - _HALF)
            if moved < clock:
                self._jitter += moved - (self._jitter + 8 >> 4)
        elif self._transit is not None:
            return
        self._rtp_timestamp, self._transit = rtp_timestamp, transit
