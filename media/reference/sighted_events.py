"""Sights the telephone-events of a packet, whatever its type says. The reference of
`media/core/mask/events.c`.

Rule 1: events under another type count too, while masked: four octets with a key's code, a duration
        and no reserved bit, in two packets of one SSRC and rtp_timestamp, the second no more than
        NEXT sequence numbers and ALIVE_MS after the first. The first alone is withheld and no key:
        audio never is two such packets.
Rule 2: more events in a packet than there is room for, and redundancy that cannot be opened, may
        hold a key that nobody can tell: that is one that is LOST.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from media.formats import telephone_event
from media.formats.rtp import Rtp, Ssrc
from media.reference.audio_hold import Hold
from media.reference.reassembly import ALIVE_MS, LOST, NEXT, Arrival, Presses
from media.reference.red import Block
from media.reference.sequence import Tracks, difference


@dataclass(frozen=True, slots=True)
class Keyed:
    """A press that a packet begins, or that was heard."""

    ssrc: Ssrc
    rtp_timestamp: int
    code: int = field(repr=False)


@dataclass(slots=True)
class Seen:
    """The events of one packet. `withheld`: a part of one is kept from the agent; `primary`: of the
    primary block's; `until`: where the newest event of that ends."""

    keyed: list[Keyed] = field(default_factory=list)
    withheld: bool = False
    primary: bool = False
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """How events are looked at in one packet. `types`: of events; `is_red`: whether it is
    redundancy; `withheld`: whether events are kept from the agent, because of the mask or of what
    was agreed."""

    types: frozenset[int]
    is_red: bool
    masked: bool
    withheld: bool


@dataclass(slots=True)
class SightedEvents:
    """The presses of one direction, and the packet that may be the first of an event under another
    type."""

    count: int = 0  # presses that began while masked
    _presses: Presses = field(default_factory=Presses)
    _suspect: tuple[Rtp, int] | None = field(default=None, repr=False)  # and when it came

    def of_packet(
        self,
        whole: Rtp,
        blocks: Sequence[Block],
        now_ms: int,
        sight: Sight,
        hold: Hold | None,
        tracks: Tracks,
    ) -> Seen:
        """The events in all blocks of a packet. `hold`: which tells whether a press was heard as a
        tone before; `tracks`: which forget what a replayed press used."""
        seen = Seen()
        is_other = not sight.is_red and whole.payload_type not in sight.types
        is_stray = is_other and sight.masked and self._is_stray(whole, now_ms)
        if sight.masked and sight.is_red and not blocks and whole.payload:
            seen.keyed.append(Keyed(whole.ssrc, whole.rtp_timestamp, LOST))
        for block in blocks:
            events = (
                telephone_event.packed(block.payload) if block.payload_type in sight.types or is_stray else ()
            )
            for number, (began, event) in enumerate(events):
                begins = (block.rtp_timestamp + began) % (1 << 32)
                if number == telephone_event.EVENT_BLOCKS:
                    seen.keyed.append(Keyed(whole.ssrc, begins, LOST))
                    break
                if telephone_event.is_key(event):
                    arrival = Arrival(
                        ssrc=whole.ssrc,
                        rtp_timestamp=begins,
                        sequence_number=whole.sequence_number,
                        marker=whole.marker,
                        event=event,
                        masked=sight.withheld,
                        now_ms=now_ms,
                        copy=block.copy,
                        packed=number > 0,
                    )
                    self.count += self._sight_event(arrival, seen, hold, tracks) and sight.masked
        return seen

    def _sight_event(self, arrival: Arrival, seen: Seen, hold: Hold | None, tracks: Tracks) -> bool:
        """Whether it begins a press."""
        begins, event = arrival.rtp_timestamp, arrival.event
        sighting = self._presses.sight(arrival)
        if sighting.replayed:
            tracks.replay(arrival.ssrc, arrival.sequence_number)
        was_heard = hold is not None and hold.shut_key(arrival.ssrc, begins, event, is_new=sighting.is_new)
        if sighting.lost or (sighting.is_new and not was_heard):
            seen.keyed.append(Keyed(arrival.ssrc, begins, LOST if sighting.lost else event.code))
        seen.withheld |= sighting.withheld
        if not arrival.copy:
            seen.primary |= sighting.withheld
            seen.until = begins + event.duration
        return sighting.is_new

    def _is_stray(self, whole: Rtp, now_ms: int) -> bool:
        """Whether a packet of another type is the second of an event, or a later one."""
        event = telephone_event.parse(whole.payload)
        if event is None or len(whole.payload) != 4 or not telephone_event.is_key(event):
            return False
        if whole.payload[1] & 0x40 or not event.duration:
            return False
        before, self._suspect = self._suspect, (replace(whole, payload=b""), now_ms)
        if before is None or now_ms - before[1] > ALIVE_MS:
            return False
        next_one = 0 < difference(whole.sequence_number, before[0].sequence_number) <= NEXT
        return next_one and (before[0].ssrc, before[0].rtp_timestamp) == (whole.ssrc, whole.rtp_timestamp)
