"""The mask: what of the customer's RTP and RTCP the agent's side receives. The reference of `_core.Mask`.

Rule 1: while masked, what is not understood is not forwarded: only well-formed RTP of a negotiated audio type that
        cannot be an event, and of RTCP the leading sender and receiver reports, whose fields are numbers.
Rule 2: while masked, CSRCs, header extension and padding are left out: they may carry levels of a tone, or anything.
Rule 3: unmasked, every well-formed packet is relayed as it is, events too; only its sequence number may differ.
Rule 4: while masked, G.711 and G.722 are held (media/hold.py) and leave without their tones; audio that cannot be looked
        into does not leave.
Rule 5: types that nobody negotiated are unknown; where no types are known at all, only an unmasked path relays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from . import telephone_event
from .coding import Coding
from .hold import Hold, Manner
from .reassembly import Presses
from .rtp import Rtp, Ssrc, is_multiplexed_rtcp, is_rtcp, leading_reports, parse, serialise
from .sequence import Tracks

DEFAULT = Manner()


@dataclass(frozen=True, slots=True)
class Keyed:
    """A press that a packet begins, or that was heard."""

    ssrc: Ssrc
    rtp_timestamp: int
    code: int = field(repr=False)


@dataclass(slots=True)
class Mask:
    """One direction, from customer to agent. A payload type that is listed as both counts as an event's.

    `audio`: the types that are neither events nor a telephone's audio, and what is not looked into; `codings`: what is;
    `opaque`: audio that the core cannot look into.
    """

    events: frozenset[int]
    audio: frozenset[int]
    on: bool = False
    codings: Mapping[int, Coding] = field(default_factory=dict)
    opaque: frozenset[int] = frozenset()
    _hold: Hold | None = None
    _tracks: Tracks = field(default_factory=Tracks)
    _presses: Presses = field(default_factory=Presses)

    def switch(self, on: bool, manner: Manner = DEFAULT) -> list[bytes]:
        """Mask, or open; what leaves because of it."""
        left = list(self._hold.released(all_of_it=True)) if self._hold is not None else []
        self._hold = Hold(manner) if on else None
        self.on = on
        return left

    def rtp(self, packet: bytes, now_ms: int) -> tuple[bytes | None, Keyed | None]:
        """What leaves at once (None: nothing; see `released`), and the press that this packet begins."""
        parsed = parse(packet)
        if parsed is None:
            return (None if self._is_strict else packet), None
        if is_multiplexed_rtcp(parsed):
            return (None if self.on else packet), None
        keyed, withhold = None, self.on and not self._is_audio(parsed)
        event = telephone_event.parse(parsed.payload) if parsed.payload_type in self.events else None
        if event is not None and telephone_event.is_key(event):
            sighting = self._presses.sight(
                parsed.ssrc, parsed.rtp_timestamp, parsed.marker, event, masked=self.on, now_ms=now_ms
            )
            withhold = withhold or sighting.withheld
            if sighting.replayed:
                self._tracks.replay(parsed.ssrc, parsed.sequence_number)
            was_heard = self._hold is not None and self._hold.key(
                parsed.ssrc, parsed.rtp_timestamp, event, is_new=sighting.is_new
            )
            if sighting.is_new and not was_heard:
                keyed = Keyed(parsed.ssrc, parsed.rtp_timestamp, event.code)
        coding = self._coding(parsed) if self.on and not withhold else None
        if coding is not None and not self._holds(parsed, now_ms):
            withhold = True
        leaves_as = self._tracks.leaves_as(parsed.ssrc, parsed.sequence_number, withhold)
        if self._hold is not None and withhold and self._is_key(parsed):
            self._hold.event(now_ms)
            if event is not None and telephone_event.is_key(event) and parsed.ssrc == self._hold.ssrc:
                self._fill(parsed.rtp_timestamp + event.duration, event=True)
        if leaves_as is None:
            return None, keyed
        if coding is not None and self._hold is not None:
            self._hold.audio(replace(parsed, sequence_number=leaves_as), coding, now_ms)
            return None, keyed
        if self.on:
            return serialise(replace(parsed, sequence_number=leaves_as)), keyed
        return packet[:2] + leaves_as.to_bytes(2, "big") + packet[4:], keyed

    def released(self) -> Iterator[bytes]:
        """What was held and leaves now; to be asked after every packet."""
        return self._hold.released() if self._hold is not None else iter(())

    def heard(self) -> list[Keyed]:
        """The presses that were tones alone so far; to be asked after every packet."""
        hold = self._hold
        return [Keyed(hold.ssrc, at, code) for code, at in hold.pressed()] if hold and hold.ssrc is not None else []

    def idle(self, now_ms: int) -> list[bytes]:
        """What was held and leaves because nothing has come for long."""
        due = self._hold.due_ms() if self._hold is not None else None
        if self._hold is None or due is None or now_ms < due:
            return []
        self._hold.end()
        return list(self._hold.released(all_of_it=True))

    def _holds(self, parsed: Rtp, now_ms: int) -> bool:
        """Whether a frame may wait; what is missing before it is filled."""
        if self._hold is None or not self._hold.takes(parsed.ssrc, parsed.rtp_timestamp, len(parsed.payload), now_ms):
            return False
        self._fill(parsed.rtp_timestamp, event=False)
        return True

    def _fill(self, rtp_timestamp: int, *, event: bool) -> None:
        assert self._hold is not None
        assert self._hold.ssrc is not None
        for at, size in self._hold.lacks(rtp_timestamp % (1 << 32), event=event):
            leaves_as = self._tracks.insert(self._hold.ssrc)
            if leaves_as is None:
                return
            self._hold.fill(at, size, leaves_as)

    def rtcp(self, packet: bytes) -> bytes | None:
        """What leaves for the agent: unmasked the packet as it is, masked its leading reports (None: nothing)."""
        if not is_rtcp(packet):
            return None if self._is_strict else packet
        return (leading_reports(packet) or None) if self.on else packet

    @property
    def _is_strict(self) -> bool:
        return self.on or bool(self.events or self.audio or self.codings or self.opaque)

    def _is_key(self, parsed: Rtp) -> bool:
        return parsed.payload_type in self.events or telephone_event.looks_like_event(parsed.payload)

    def _coding(self, parsed: Rtp) -> Coding | None:
        return self.codings.get(parsed.payload_type)

    def _is_audio(self, parsed: Rtp) -> bool:
        known = parsed.payload_type in self.audio or parsed.payload_type in self.codings
        closed = parsed.payload_type in self.events or parsed.payload_type in self.opaque
        return known and not closed and not telephone_event.looks_like_event(parsed.payload)
