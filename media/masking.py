"""The mask: what of the customer's RTP and RTCP the agent's side receives. The reference of `_core.Mask`.

Rule 1: while masked, what is not understood is not forwarded: only well-formed RTP of a negotiated audio type that
        cannot be an event, and of RTCP the leading sender and receiver reports, whose fields are numbers.
Rule 2: while masked, CSRCs, header extension and padding are left out: they may carry levels of a tone, or anything.
Rule 3: unmasked, every well-formed packet is relayed as it is, events too; only its sequence number may differ.
Rule 4: types that nobody negotiated are unknown; where no types are known at all, only an unmasked path relays.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from . import telephone_event
from .reassembly import Presses
from .rtp import Rtp, Ssrc, is_multiplexed_rtcp, is_rtcp, leading_reports, parse, serialise
from .sequence import Tracks


@dataclass(frozen=True, slots=True)
class Keyed:
    """A press that a packet begins."""

    ssrc: Ssrc
    rtp_timestamp: int
    code: int = field(repr=False)


@dataclass(slots=True)
class Mask:
    """One direction, from customer to agent. A payload type that is listed as both counts as an event's."""

    events: frozenset[int]
    audio: frozenset[int]
    on: bool = False
    _tracks: Tracks = field(default_factory=Tracks)
    _presses: Presses = field(default_factory=Presses)

    def rtp(self, packet: bytes, now_ms: int) -> tuple[bytes | None, Keyed | None]:
        """What leaves for the agent (None: nothing), and the press that this packet begins."""
        parsed = parse(packet)
        if parsed is None:
            return (None if self._is_strict else packet), None
        if is_multiplexed_rtcp(parsed):
            return (None if self.on else packet), None
        withhold, keyed = self.on and not self._is_audio(parsed), None
        event = telephone_event.parse(parsed.payload) if parsed.payload_type in self.events else None
        if event is not None and telephone_event.is_key(event):
            sighting = self._presses.sight(
                parsed.ssrc, parsed.rtp_timestamp, parsed.marker, event, masked=self.on, now_ms=now_ms
            )
            withhold = withhold or sighting.withheld
            if sighting.replayed:
                self._tracks.replay(parsed.ssrc, parsed.sequence_number)
            if sighting.is_new:
                keyed = Keyed(parsed.ssrc, parsed.rtp_timestamp, event.code)
        leaves_as = self._tracks.leaves_as(parsed.ssrc, parsed.sequence_number, withhold)
        if leaves_as is None:
            return None, keyed
        if self.on:
            return serialise(replace(parsed, sequence_number=leaves_as)), keyed
        return packet[:2] + leaves_as.to_bytes(2, "big") + packet[4:], keyed

    def rtcp(self, packet: bytes) -> bytes | None:
        """What leaves for the agent: unmasked the packet as it is, masked its leading reports (None: nothing)."""
        if not is_rtcp(packet):
            return None if self._is_strict else packet
        return (leading_reports(packet) or None) if self.on else packet

    @property
    def _is_strict(self) -> bool:
        return self.on or bool(self.events or self.audio)

    def _is_audio(self, parsed: Rtp) -> bool:
        is_negotiated = parsed.payload_type in self.audio and parsed.payload_type not in self.events
        return is_negotiated and not telephone_event.looks_like_event(parsed.payload)
