"""Sequence numbers without a gap: what the mask withholds is closed up, so that the agent's phone
sees no loss.

Rule 1: a packet leaves as its own number less the withheld packets before it; a late one gets the
        older count.
Rule 2: the count of an SSRC outlives the mask; where nothing was ever withheld, numbers are
        untouched.
Rule 3: the number of a withheld packet is given away: a copy of it never leaves, not even after the
        mask.
Rule 4: a jump is believed when a second packet follows it (RFC 3550 appendix A.1); until then it
        changes nothing.
Rule 5: what fills a gap in time takes the next number, and later packets leave one number later.
Rule 6: each SSRC knows by how much its sender counts more than what left: packets, and octets of
        payload.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media.formats.rtp import Ssrc

TRACKS = 4
WINDOW = 64
MAX_DROPOUT = 3000
_WRAP = 0x10000


def difference(a: int, b: int) -> int:
    """How far sequence number `a` is ahead of `b`, -32768 to 32767."""
    return (a - b + _WRAP // 2) % _WRAP - _WRAP // 2


@dataclass(slots=True)
class Track:
    """One SSRC. Bit i of `withheld`: the packet `highest - i` was withheld."""

    highest: int
    shift: int = 0
    withheld: int = 0
    probe: int | None = None
    probe_withheld: bool = False
    packets: int = 0
    octets: int = 0

    def leaves_as(self, sequence_number: int, withhold: bool) -> int | None:
        """The number under which the packet leaves, or None if it does not."""
        delta = difference(sequence_number, self.highest)
        shift = self.shift
        if 0 < delta <= MAX_DROPOUT:
            self._advance(delta, withhold)
            self.probe = None
            shift = self.shift
        elif -WINDOW < delta <= 0:
            withhold = withhold or bool(self.withheld >> -delta & 1)
            shift -= (self.withheld & ((1 << -delta) - 1)).bit_count()
        elif self.probe is not None and 0 < difference(sequence_number, self.probe) <= MAX_DROPOUT:
            self._restart(self.probe)
            self._advance(difference(sequence_number, self.highest), withhold)
            self.probe = None
            shift = self.shift
        else:
            self.probe, self.probe_withheld = sequence_number, withhold
        return None if withhold else (sequence_number - shift) % _WRAP

    def replay(self, sequence_number: int) -> None:
        """A recording begins again: what looks late or doubled is new."""
        if difference(sequence_number, self.highest) <= 0:
            self.highest, self.withheld, self.probe = (sequence_number - 1) % _WRAP, 0, None

    def insert(self) -> int:
        """The number of a packet of ours that leaves next. What is still on its way from before has
        no number any more."""
        self.shift -= 1
        self.withheld = (1 << WINDOW) - 1
        return (self.highest - self.shift) % _WRAP

    def numbered(self, extended: int) -> int:
        """The sender's own number for one that left, both extended by wraps (RFC 3550 section
        6.4.1); never past its newest."""
        own = (extended + self.shift) % (1 << 32)
        return (own - max(difference(own % _WRAP, self.highest), 0)) % (1 << 32) if self.shift else extended

    def _advance(self, step: int, withhold: bool) -> None:
        self.highest = (self.highest + step) % _WRAP
        self.withheld = (self.withheld << step) % (1 << WINDOW)
        if withhold:
            self.withheld |= 1
            self.shift += 1

    def _restart(self, at: int) -> None:
        self.highest, self.withheld = at, int(self.probe_withheld)
        self.shift += self.probe_withheld


@dataclass(slots=True)
class Tracks:
    """The SSRCs of one direction; the one that was silent longest makes room for a fifth."""

    _by_ssrc: dict[Ssrc, Track] = field(default_factory=dict)

    def replay(self, ssrc: Ssrc, sequence_number: int) -> None:
        """As `Track.replay`."""
        if ssrc in self._by_ssrc:
            self._by_ssrc[ssrc].replay(sequence_number)

    def insert(self, ssrc: Ssrc) -> int | None:
        """As `Track.insert`; None where the SSRC is forgotten."""
        track = self._by_ssrc.get(ssrc)
        return track.insert() if track is not None else None

    def spare(self, ssrc: Ssrc, packets: int, octets: int) -> None:
        """Note what the sender counts and what does not leave."""
        track = self._by_ssrc[ssrc]
        track.packets += packets
        track.octets += octets

    def spared(self, ssrc: Ssrc) -> tuple[int, int]:
        """How many packets and octets the sender counts that did not leave; negative where more
        left."""
        track = self._by_ssrc.get(ssrc)
        return (track.packets, track.octets) if track is not None else (0, 0)

    def numbered(self, ssrc: Ssrc, extended: int) -> int:
        """As `Track.numbered`."""
        track = self._by_ssrc.get(ssrc)
        return track.numbered(extended) if track is not None else extended

    def leaves_as(self, ssrc: Ssrc, sequence_number: int, withhold: bool) -> int | None:
        """As `Track.leaves_as`."""
        track = self._by_ssrc.pop(ssrc, None) or Track(highest=(sequence_number - 1) % _WRAP)
        if len(self._by_ssrc) == TRACKS:
            del self._by_ssrc[next(iter(self._by_ssrc))]
        self._by_ssrc[ssrc] = track
        return track.leaves_as(sequence_number, withhold)
