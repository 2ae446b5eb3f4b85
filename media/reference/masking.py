"""The mask: what of the customer's RTP and RTCP the agent's side receives. The reference of
`_core.Mask`.

Rule 1: while masked, what is not understood is not forwarded: only well-formed RTP of a negotiated
        audio type that cannot be an event, and of RTCP the leading sender and receiver reports,
        whose fields are numbers.
Rule 2: while masked, CSRCs, header extension and padding are left out: they may carry levels of a
        tone, or anything.
Rule 3: unmasked, every well-formed packet is relayed as it is, events too; only its sequence number
        may differ.
Rule 4: while masked, G.711 and G.722 are held (media/reference/audio_hold.py) and leave without
        their tones; audio that cannot be looked into does not leave. Frames of less than 40 octets
        do not either: nothing tells them from events.
Rule 5: types that nobody negotiated are unknown; where no types are known at all, only an unmasked
        path relays.
Rule 6: redundancy (RFC 2198) is opened: events in any block are keys, and while masked nothing
        leaves of a packet but its primary block, as a packet of its own; so it is after the mask
        with a packet that reaches back to what was masked.
Rule 7: events under another type count too, while masked (media/reference/sighted_events.py).
Rule 8: what may hold a key that nobody can tell is one that is LOST (the same).
Rule 9: where the agent's side has agreed on no telephone-event, none leaves, masked or not.
Rule 10: reports of RTCP are translated to what was changed, masked or not
        (media/reference/rtcp_report.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from media.codecs import DecodedCodec
from media.formats import telephone_event
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, is_multiplexed_rtcp, is_rtcp, leading_reports, parse, serialise
from media.reference import rtcp_report as report
from media.reference.audio_hold import Hold, MaskOptions
from media.reference.event_sender import Outgoing, Sender
from media.reference.gap_fill import MAX_PAYLOAD, Gap
from media.reference.red import Block, Reach, unwrap
from media.reference.sequence import Tracks
from media.reference.sighted_events import Keyed, Sight, SightedEvents

DEFAULT = MaskOptions()


@dataclass(slots=True)
class Mask:
    """One direction, from customer to agent. A payload type that is listed as both counts as an
    event's.

    `audio`: the types that are neither events nor a telephone's audio, and what is not looked into;
    `codings`: what is; `decoded`: what the decoder process looks into; `opaque`: audio that nobody
    can; `red`: redundancy.
    """

    events: frozenset[int]
    audio: frozenset[int]
    on: bool = False
    codings: Mapping[int, Coding] = field(default_factory=dict)
    opaque: frozenset[int] = frozenset()
    decoded: Mapping[int, DecodedCodec] = field(default_factory=dict)
    red: frozenset[int] = frozenset()
    drops_events: bool = False
    _hold: Hold | None = None
    _tracks: Tracks = field(default_factory=Tracks)
    _sighted: SightedEvents = field(default_factory=SightedEvents)
    _reach: Reach = field(default_factory=Reach)
    _sender: Sender = field(default_factory=Sender)
    _gap: Gap | None = None
    _keyed_ms: int | None = None  # when an event came last, while masked
    _asked: list[bytes] = field(default_factory=list, repr=False)

    def switch(self, on: bool, options: MaskOptions = DEFAULT) -> list[bytes]:
        """Mask, or open; what leaves because of it."""
        left: list[bytes] = []
        if self._hold is not None:
            self._hold.shut_rest()
            left = list(self._hold.released(all_of_it=True))
        self._hold = Hold(options) if on else None
        self.on = on
        if not on:
            self._keyed_ms = None
            self._sighted.count = 0
        if on:
            self._sender.forget()
            self._gap = None
        return left

    def rtp(self, packet: bytes, now_ms: int) -> tuple[bytes | None, tuple[Keyed, ...]]:
        """What leaves at once (None: nothing; see `released`), and the presses that this packet
        begins, or lets be heard."""
        out, keyed = self._pass(packet, now_ms)
        return out, (*keyed, *self._take_tone_presses())

    def _pass(self, packet: bytes, now_ms: int) -> tuple[bytes | None, tuple[Keyed, ...]]:
        whole = parse(packet)
        if whole is None:
            return (None if self._is_strict else packet), ()
        if is_multiplexed_rtcp(whole):
            return (None if self.on else packet), ()
        if self.on:
            self._reach.note_mask()
        is_red = whole.payload_type in self.red - self.events - self.opaque
        blocks = unwrap(whole) if is_red else (Block(whole.payload_type, whole.rtp_timestamp, whole.payload),)
        sight = Sight(self.events, is_red=is_red, masked=self.on, withheld=self.on or self.drops_events)
        seen = self._sighted.of_packet(whole, blocks, now_ms, sight, self._hold, self._tracks)
        if whole.payload_type not in self.events and seen.until is None:
            self._sender.follow(whole, now_ms)
        opened = is_red and (self.on or self._reach.is_back(whole, blocks) or seen.withheld)
        parsed = _primary(whole, blocks) if opened else whole
        is_short = (
            self.on and len(parsed.payload) < telephone_event.MIN_FRAME and self._coding(parsed) is not None
        )
        withhold = (
            is_short
            or seen.primary
            or (self.drops_events and parsed.payload_type in self.events)
            or (self.on and not self._is_audio(parsed))
            or (opened and not self._knows(parsed))
        )
        if is_red and seen.keyed and self._hold is not None:
            self._hold.event(now_ms)
        coding = self._coding(parsed) if self.on and not withhold else None
        if coding is not None and not self._holds(parsed, now_ms):
            withhold = True
        codec = self.decoded.get(parsed.payload_type) if self.on and not withhold and coding is None else None
        if codec is not None and not self._asks(parsed, codec, now_ms):
            withhold = True
        leaves_as = self._tracks.leaves_as(parsed.ssrc, parsed.sequence_number, withhold)
        if self._hold is not None and withhold and self._is_key(parsed):
            self._hold.event(now_ms)
            if seen.until is not None and parsed.ssrc == self._hold.ssrc:
                self._fill(seen.until, event=True)
        is_event = self.on and ((withhold and self._is_key(parsed)) or bool(seen.keyed))
        if is_event:
            self._keyed_ms = now_ms
        if is_event and self._gap is not None:
            self._gap.after_event = True
            if withhold and seen.until is not None:
                self._fill_decoded(parsed.ssrc, seen.until, now_ms, event=True)
        if leaves_as is None:
            self._tracks.spare(parsed.ssrc, 1, len(whole.payload))
            return None, tuple(seen.keyed)
        self._tracks.spare(parsed.ssrc, 0, len(whole.payload) - len(parsed.payload))
        passing = replace(parsed, sequence_number=leaves_as)
        if coding is not None and self._hold is not None:
            self._hold.audio(passing, coding, now_ms)
            return None, tuple(seen.keyed)
        if codec is not None:
            length = codec.payload.duration(parsed.payload)
            following = (parsed.rtp_timestamp + length) % (1 << 32)
            self._gap = Gap(parsed.payload_type, codec, parsed.ssrc, following, length, now_ms)
            self._asked.append(serialise(passing))
            return None, tuple(seen.keyed)
        if self.on or opened:
            return serialise(passing), tuple(seen.keyed)
        return packet[:2] + leaves_as.to_bytes(2, "big") + packet[4:], tuple(seen.keyed)

    def released(self) -> Iterator[bytes]:
        """What was held and leaves now; to be asked after every packet."""
        return self._hold.released() if self._hold is not None else iter(())

    def _take_tone_presses(self) -> list[Keyed]:
        """The presses that were tones alone."""
        hold = self._hold
        return (
            [Keyed(hold.ssrc, at, code) for code, at in hold.pressed()]
            if hold and hold.ssrc is not None
            else []
        )

    def is_quiet(self, now_ms: int, quiet_ms: int) -> bool:
        """Whether no key has come for so long while masked, as an event or a tone."""
        is_quiet = self._keyed_ms is None or now_ms - self._keyed_ms >= quiet_ms
        return is_quiet and (self._hold is None or self._hold.is_quiet(now_ms, quiet_ms))

    def key_figures(self) -> tuple[int, int, int, bool]:
        """Presses under the mask that came as events, as tones and as both; whether the customer
        has talked since the newest."""
        hold = self._hold
        if hold is None:
            return (self._sighted.count, 0, 0, False)
        return (self._sighted.count, hold.tones.presses, hold.tones.shared, hold.talk.goes_on)

    def idle(self, now_ms: int) -> list[bytes]:
        """What was held and leaves because nothing has come for long."""
        due = self._hold.due_ms() if self._hold is not None else None
        if self._hold is None or due is None or now_ms < due:
            return []
        self._hold.shut_rest()
        return list(self._hold.released(all_of_it=True))

    def send_key(self, key: Outgoing, own: Ssrc, now_ms: int) -> bool:
        """Have a key sent as telephone-event (media/reference/event_sender.py). False: not while
        masked, and not where too many wait."""
        return not self.on and self._sender.put(key, own, now_ms)

    def sent(self, now_ms: int) -> list[bytes]:
        """The packets of such keys that leave now."""
        return list(iter(lambda: self._sender.next(now_ms, self._tracks), None))

    def _holds(self, parsed: Rtp, now_ms: int) -> bool:
        """Whether a frame may wait; what is missing before it is filled."""
        if self._hold is None or not self._hold.takes(
            parsed.ssrc, parsed.rtp_timestamp, len(parsed.payload), now_ms
        ):
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
            self._tracks.spare(self._hold.ssrc, -1, -size)
            self._hold.fill(at, size, leaves_as)

    def asked(self) -> list[bytes]:
        """What goes to the decoder process since this was asked, as it would leave, and before it
        what fills a gap."""
        asked, self._asked = self._asked, []
        return asked

    def _asks(self, parsed: Rtp, codec: DecodedCodec, now_ms: int) -> bool:
        """Whether a packet may be asked of; what is missing before it is filled."""
        if len(parsed.payload) > MAX_PAYLOAD or not codec.payload.duration(parsed.payload):
            return False
        if self._gap is not None and not self._gap.takes(parsed.ssrc, parsed.rtp_timestamp, now_ms):
            return False
        self._fill_decoded(parsed.ssrc, parsed.rtp_timestamp, now_ms, event=False)
        return True

    def _fill_decoded(self, ssrc: Ssrc, rtp_timestamp: int, now_ms: int, *, event: bool) -> None:
        gap = self._gap
        if gap is None or gap.ssrc != ssrc or self.decoded.get(gap.payload_type) is not gap.codec:
            return
        gap.let_pass(now_ms)
        for at, length in gap.lacks(rtp_timestamp % (1 << 32), event=event):
            leaves_as = self._tracks.insert(ssrc)
            if leaves_as is None:
                return
            payload = gap.codec.payload.silence(length)
            self._tracks.spare(ssrc, -1, -len(payload))
            self._asked.append(serialise(Rtp(gap.payload_type, False, leaves_as, at, ssrc, payload)))

    def rtcp(self, packet: bytes) -> bytes | None:
        """What leaves for the agent: unmasked the packet as it is, masked its leading reports
        (None: nothing)."""
        if not is_rtcp(packet):
            return None if self._is_strict else packet
        passing = leading_reports(packet) if self.on else packet
        return report.as_sent(passing, self._tracks) or None

    def rtcp_back(self, packet: bytes) -> bytes | None:
        """What leaves for the customer of the agent's RTCP."""
        if not is_rtcp(packet):
            return None if self._is_strict else packet
        return report.as_heard(packet, self._tracks)

    @property
    def _is_strict(self) -> bool:
        return self.on or bool(
            self.events or self.audio or self.codings or self.opaque or self.decoded or self.red
        )

    def _is_key(self, parsed: Rtp) -> bool:
        return parsed.payload_type in self.events or telephone_event.looks_like_event(parsed.payload)

    def _knows(self, parsed: Rtp) -> bool:
        """Whether a primary block's type was negotiated."""
        number = parsed.payload_type
        return any(
            number in types for types in (self.events, self.audio, self.codings, self.decoded, self.opaque)
        )

    def _coding(self, parsed: Rtp) -> Coding | None:
        return self.codings.get(parsed.payload_type)

    def _is_audio(self, parsed: Rtp) -> bool:
        known = any(parsed.payload_type in types for types in (self.audio, self.codings, self.decoded))
        closed = parsed.payload_type in (self.events | self.opaque | self.red)
        return known and not closed and not telephone_event.looks_like_event(parsed.payload)


def _primary(whole: Rtp, blocks: Sequence[Block]) -> Rtp:
    """The primary block as a packet of its own; of a malformed packet nothing that anybody
    knows."""
    if not blocks:
        return whole
    return replace(whole, payload_type=blocks[-1].payload_type, payload=blocks[-1].payload)
