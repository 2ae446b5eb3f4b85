"""What each side's peer said of its session, and what we said to it: two descriptions of one call,
with our own addresses.

Rule 1: of a side that is muted only what was said before is heard: no line of a description may
        carry a key.
Rule 2: a description that changes has a higher version; one that does not is sent again as it was
        (RFC 3264 section 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from b2bua.call.command import ToMedia
from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import filters, sdes
from b2bua.call.sdp.answer_fit import fit_answer
from b2bua.call.sdp.codecs import Codec, OtherAudio
from b2bua.call.sdp.comparison import same_media
from b2bua.call.sdp.directions import narrow_directions
from b2bua.call.sdp.hold import is_hold, without_hold
from b2bua.call.sdp.negotiated import agreed_codec, agrees_on_events, agrees_on_tones, received_codec
from b2bua.call.sdp.remote_streams import remote_streams
from b2bua.call.sdp.rewrite import rewrite
from b2bua.call.sdp.telephone_event import EventStream, events_between, with_events, without_events
from media.events import SessionId, SetRemote, Side
from media.stream_description import LocalStream, StreamKeys

OTHER = {Side.CALLER: Side.AGENT, Side.AGENT: Side.CALLER}


@dataclass(frozen=True, slots=True)
class LoanedLeg:
    """What another call has to know of a leg that it may take over, so that its session goes on
    (RFC 3264 section 8).

    `said`: what its peer said last; `origin`, `version`: of the next offer to it; `encrypted`,
    `kinds`: as in OfferAnswer, of its trunk.
    """

    trunk: str
    said: sdp.SessionDescription
    origin: int
    version: int
    encrypted: bool
    kinds: frozenset[str] | None


@dataclass(slots=True)
class OfferAnswer:
    """Those of one call. `origin`: the SDP session id that we use on both legs (RFC 4566 section
    5.2). `seed`: what our keys of SRTP follow from."""

    session: SessionId
    origin: int
    seed: bytes = field(repr=False)
    redacted: frozenset[Side] = frozenset()
    masked: bool = False  # the customer may key: his side is not put on hold
    kinds: frozenset[str] | None = None  # of m-lines that both trunks may have; None: all
    other_audio: OtherAudio = OtherAudio.REFUSE
    latch: frozenset[Side] = frozenset()  # the sides that sit behind NAT
    encrypted: frozenset[Side] = frozenset()  # the sides on trunks with SRTP, and nothing else
    max_media: int = sdp.MAX_MEDIA  # m-lines that get ports; what is beyond is refused in place
    # The agent's trunk wants telephone-event, whatever the customer's side has.
    wants_events: bool = False
    local_streams: dict[Side, tuple[LocalStream, ...]] = field(default_factory=dict)
    # What each leg's peer said last.
    remote: dict[Side, sdp.SessionDescription] = field(default_factory=dict)
    local: dict[Side, bytes] = field(default_factory=dict)  # what we said last on each leg
    versions: dict[Side, int] = field(default_factory=lambda: {Side.CALLER: 0, Side.AGENT: 0})
    # Legs in its place so far.
    replacements: dict[Side, int] = field(default_factory=lambda: {Side.CALLER: 0, Side.AGENT: 0})
    # How many m-lines a leg's peer offered last.
    offered_lines: dict[Side, int] = field(default_factory=dict)
    # The sides whose newest offer came in an UPDATE before the answer.
    updated: set[Side] = field(default_factory=set)
    # Of a leg that came from another call: the session id there.
    origins: dict[Side, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether both ends have said something."""
        return len(self.remote) == 2

    def events_agreed(self) -> bool:
        """Whether the customer's side sends keys as telephone-event in audio that media looks into.
        The agent's side need not take them: they end here."""
        if not self.complete:
            return False
        customer, agent = self.remote[Side.CALLER], self.remote[Side.AGENT]
        if agrees_on_events(customer, agent):
            return True
        return customer.capturable() and agrees_on_events(
            customer, sdp.parse(self._rewritten(agent, Side.CALLER))
        )

    def event_stream(self) -> EventStream | None:
        """Where the agent's side takes telephone-event, as both ends have agreed; None: nowhere."""
        if not self.complete:
            return None
        told = sdp.parse(self._rewritten(self.remote[Side.CALLER], Side.AGENT))
        return events_between(told, self.remote[Side.AGENT])

    def tones_agreed(self) -> bool:
        """Whether both ends agreed on audio in which media hears keys as tones."""
        return self.complete and agrees_on_tones(*self.remote.values())

    def used_codec(self, side: Side, types: Mapping[int, int]) -> Codec | None:
        """The audio codec that a side sent most of, by what came (`types`: packets of each payload
        type); where nothing came, the one that the two ends last agreed on; None where they never
        did."""
        if not self.complete:
            return None
        known = reversed(self._known_descriptions(side))  # what it was told first: it sends by that
        came = next((codec for each in known if (codec := received_codec(each, types)) is not None), None)
        return came or agreed_codec(*self.remote.values())

    def on_hold(self) -> bool:
        """Whether one end keeps the other on hold."""
        return any(is_hold(described) for described in self.remote.values())

    def set_remote(self, side: Side, body: bytes) -> bool:
        """Take what a leg's peer offers. False: it cannot be relayed, and nothing has changed."""
        described = self._read_remote(side, body)
        if described is None:
            return False
        self._set_offered(side, described)
        return True

    def _set_offered(self, side: Side, described: sdp.SessionDescription) -> None:
        self.offered_lines[side] = len(described.media)
        self.remote[side] = filters.pad_media(described, self.remote.get(side))

    def set_remote_answer(self, side: Side, body: bytes, offer: bytes = b"") -> bool:
        """Take what a leg's peer answers to this offer; b"": to what it was told last. False: it
        does not fit, and nothing has changed."""
        described, offer = self._read_remote(side, body), offer or self.local.get(side, b"")
        if described is not None and offer:
            described = fit_answer(described, sdp.parse(offer))
        if described is None:
            return False
        self.remote[side] = filters.pad_media(described, self.remote.get(side))
        return True

    def _read_remote(self, side: Side, body: bytes) -> sdp.SessionDescription | None:
        described = self._read(side, body)
        return (
            filters.echo_known(described, self._known_descriptions(side))
            if described is not None and side in self.redacted
            else described
        )

    def _read(self, side: Side, body: bytes, lent: LoanedLeg | None = None) -> sdp.SessionDescription | None:
        """A description, and of it what these trunks may have; None where it is none. `lent`: it is
        of that leg."""
        try:
            described = sdp.parse(body)
        except sdp.SdpError:
            return None
        described = filters.limit_media(described, self.max_media)
        kinds = self.kinds if lent is None else lent.kinds
        if kinds is not None:
            described = filters.limit_kinds(described, kinds)
        if side in self.encrypted if lent is None else lent.encrypted:
            described = filters.refuse_clear_rtp(described)
        if self.other_audio is OtherAudio.MUTE:
            return described
        return filters.without_opaque_audio(described, decoded=self.other_audio is OtherAudio.DECODE)

    def _known_descriptions(self, side: Side) -> list[sdp.SessionDescription]:
        """What a side has said, and what it may repeat, because it was told so."""
        known = [self.remote[side]] if side in self.remote else []
        return [*known, sdp.parse(self.local[side])] if side in self.local else known

    def count_streams(self, side: Side) -> int:
        """How many m-lines of what a side has said are to have ports."""
        return min(len(self.remote[side].media), self.max_media)

    def needs_streams(self, side: Side) -> bool:
        """Whether a side has described m-lines that could be relayed, were there ports for them."""
        return any(media.relayed for media in self.remote[side].media[len(self.local_streams[side]) :])

    def remote_command(self, side: Side) -> ToMedia:
        """Tell media where that side receives."""
        said = self.remote[side]
        keys = [self._keys(side, index, media) for index, media in enumerate(said.media)]
        streams = remote_streams(said, latch=side in self.latch, keys=keys)
        return ToMedia(
            SetRemote(session=self.session, side=side, streams=streams[: len(self.local_streams[side])])
        )

    def local_for(self, side: Side) -> bytes:
        """The other leg's description, as this leg is to see it."""
        return self._local(side, self.remote[OTHER[side]])

    def local_answer(self, side: Side) -> bytes:
        """As `tell`, for an answer to the INVITE: as far as it fits what its leg has offered
        since."""
        return self._local(side, self._due_for(side))

    def local_reply(self, side: Side) -> bytes:
        """As `tell`, in answer to what a leg has offered: while masked its direction is not only
        the other leg's."""
        source, offer = self.remote[OTHER[side]], self.remote[side]
        if self.masked and side is Side.CALLER:
            source = without_hold(source)
        if self.masked:
            source = narrow_directions(source, offer)
        return self._local(side, source, in_answer=True)

    def answer_update(self, side: Side, body: bytes) -> bytes | None:
        """Take an offer of a leg that has agreed on a session before the call is answered. The
        answer to it (RFC 3264 section 6.1), which is for the other leg's peer to keep; None: it
        cannot be one, and nothing has changed."""
        described = self._read_remote(side, body)
        fit = self._fit_across_legs(self.remote[OTHER[side]], described) if described is not None else None
        if described is None or fit is None or not any(media.relayed for media in fit.media):
            return None
        self._set_offered(side, described)
        self.updated.add(side)
        return self._local(side, fit)

    def is_outdated(self, side: Side) -> bool:
        """Whether a leg has not been told what holds of its other end by now."""
        told = self.local.get(side)
        return told is not None and not same_media(
            sdp.parse(told), sdp.parse(self._rewritten(self._due_for(side), side))
        )

    def is_covered(self, side: Side) -> bool:
        """Whether what a leg was told allows all that holds by now, and what it said itself needs
        no more than that."""
        due, told = sdp.parse(self._rewritten(self._due_for(side), side)), sdp.parse(self.local[side])
        return fit_answer(due, told) is due and fit_answer(self.remote[side], due) is self.remote[side]

    def keep_local(self, side: Side, body: bytes) -> None:
        """A leg has this description still, not the newer one that it was to be told."""
        self.local[side] = body
        origin = next(line for line in sdp.parse(body).lines if line.startswith("o="))
        # The next one is one higher (RFC 3264 section 8).
        self.versions[side] = int(origin.split()[2])

    def _due_for(self, side: Side) -> sdp.SessionDescription:
        """What a leg is to be told of its other end."""
        other = self.remote[OTHER[side]]
        return (self._fit_across_legs(other, self.remote[side]) or other) if side in self.updated else other

    @staticmethod
    def _fit_across_legs(
        answer: sdp.SessionDescription, offer: sdp.SessionDescription
    ) -> sdp.SessionDescription | None:
        """What one end has said, as an answer to the other's offer: encryption ends at each leg,
        and makes no difference."""
        media = list(answer.media)
        for index, (each, offered) in enumerate(zip(answer.media, offer.media, strict=False)):
            if each.is_rtp and offered.is_rtp and each.is_open and offered.is_open:
                media[index] = replace(each, protocol=offered.protocol)
        fit = fit_answer(sdp.SessionDescription(answer.lines, tuple(media)), offer)
        if fit is None:
            return None
        own = [
            replace(each, protocol=was.protocol) if each.port and each.is_rtp else each
            for each, was in zip(fit.media, answer.media, strict=False)
        ]
        return sdp.SessionDescription(fit.lines, (*own, *fit.media[len(own) :]))

    def local_offer(self, side: Side) -> bytes:
        """What a leg is offered that asks for an offer: what runs, without a hold that it made, so
        that it may end it."""
        other = self.remote[OTHER[side]]
        return self._local(side, without_hold(other) if is_hold(self.remote[side]) else other)

    def _local(self, side: Side, source: sdp.SessionDescription, *, in_answer: bool = False) -> bytes:
        before = self.local.get(side)
        body = self._rewritten(source, side, in_answer=in_answer) if before is not None else None
        if body is None or body != before:
            self.versions[side] += 1
            body = self._rewritten(source, side, in_answer=in_answer)
        self.local[side] = body
        return body

    # --- another leg in a leg's place -------------------------------------------------------------

    def offer_to_replacement(self, side: Side) -> bytes:
        """What a new leg on `side` is offered: the other leg's session, not on hold, since the hold
        was the old leg's."""
        self.versions[side] += 1
        return self._rewritten(without_hold(self.remote[OTHER[side]]), side, anew=True)

    def loan_leg(self, side: Side, trunk: str, kinds: frozenset[str] | None) -> LoanedLeg:
        """This side's leg, for another call to make its next offer."""
        self.versions[side] += 1
        origin = self.origins.get(side, self.origin)
        return LoanedLeg(trunk, self.remote[side], origin, self.versions[side], side in self.encrypted, kinds)

    def offer_to_loaned(self, side: Side, lent: LoanedLeg) -> bytes:
        """As `tell_anew`, for a leg that has a session already: that of another call."""
        source = without_hold(self.remote[OTHER[side]])
        if lent.kinds is not None:
            source = filters.limit_kinds(source, lent.kinds)
        return self._rewritten(source, side, lent=lent)

    def has_same_kinds(self, other: OfferAnswer) -> bool:
        """Whether the two calls have the same m-lines, so that a leg of one fits into the other."""
        kinds = {
            tuple(media.kind for media in said.media)
            for told in (self, other)
            for said in told.remote.values()
        }
        return len(kinds) == 1

    def parse_replacement(
        self, side: Side, body: bytes, lent: LoanedLeg | None = None
    ) -> sdp.SessionDescription | None:
        """What a leg says that is to have another's place; None where its m-lines are not those
        that the session has."""
        described = self._read(side, body, lent)
        if described is None:
            return None
        kinds = [media.kind for media in described.media]
        fits = all(kinds == [media.kind for media in said.media] for said in self.remote.values())
        return described if fits and any(media.relayed for media in described.media) else None

    def parse_replacement_answer(
        self, side: Side, body: bytes, offer: bytes, lent: LoanedLeg | None = None
    ) -> sdp.SessionDescription | None:
        """What a leg that is to have this side's place answers to our offer; None where it does not
        fit."""
        described = self._read(side, body) if lent is None else self.parse_replacement(side, body, lent)
        return fit_answer(described, sdp.parse(offer)) if described is not None else None

    def offer_for(self, side: Side, other: sdp.SessionDescription, *, always: bool = False) -> bytes | None:
        """The offer that lets this leg talk to `other`; None where it was told the same already,
        unless `always`."""
        told = self.local.get(side)
        if (
            not always
            and told is not None
            and same_media(sdp.parse(told), sdp.parse(self._rewritten(other, side)))
        ):
            return None
        self.versions[side] += 1
        return self._rewritten(other, side)

    def restore_local(self, side: Side) -> bytes:
        """What this leg had before a change that came to nothing."""
        self.versions[side] += 1
        self.local[side] = self._rewritten(self.remote[OTHER[side]], side)
        return self.local[side]

    def replace_leg(
        self, side: Side, described: sdp.SessionDescription, lent: LoanedLeg | None = None
    ) -> None:
        """Another leg, with this session, is the side's from now on. `lent`: it was another
        call's."""
        if lent is not None:
            self.origins[side], self.versions[side] = lent.origin, lent.version
        self.remote[side] = described
        self.offered_lines.pop(side, None)
        self.replacements[side] += 1
        rest = OTHER[side]
        self.local[rest] = self._rewritten(described, rest)
        self.local.pop(side, None)

    # --- inside -----------------------------------------------------------------------------------

    def _rewritten(
        self,
        source: sdp.SessionDescription,
        side: Side,
        *,
        anew: bool = False,
        lent: LoanedLeg | None = None,
        in_answer: bool = False,
    ) -> bytes:
        """`anew`: for a leg that is not in its place yet; `lent`: for one that another call has
        still; `in_answer`: its direction stays as given."""
        said = lent.said if lent is not None else None if anew else self.remote.get(side)
        encrypted = side in self.encrypted if lent is None else lent.encrypted
        if self.wants_events and side is Side.AGENT and lent is None:
            source = with_events(source, said)
        elif side is Side.AGENT and lent is None and said is not None:
            source = without_events(source, said)
        elif side is Side.CALLER and lent is None:
            if self.masked and not in_answer:
                source = without_hold(source)
            if self.wants_events and said is not None:
                source = without_events(source, said)
            source = with_events(source, said)
        if said is not None and side in self.offered_lines and lent is None:
            source = filters.trim_media(source, self.offered_lines[side])
        seated = self.replacements[side] + (anew or lent is not None)
        cryptos = [
            self._cryptos(side, index, media, said, encrypted=encrypted, seated=seated)
            for index, media in enumerate(source.media)
        ]
        origin, version = self.origins.get(side, self.origin), self.versions[side]
        if lent is not None:
            origin, version = lent.origin, lent.version
        muxed = [media.muxed for media in said.media] if said is not None else []
        return rewrite(source, self.local_streams[side], origin, version, cryptos, muxed)

    def _cryptos(
        self,
        side: Side,
        index: int,
        media: sdp.MediaDescription,
        said: sdp.SessionDescription | None,
        *,
        encrypted: bool,
        seated: int,
    ) -> tuple[str, ...] | None:
        """The lines of our keys for what a side is told of an m-line: as it speaks itself, else as
        its trunk is."""
        if not (media.is_rtp and media.is_open):
            return None
        theirs = said.media[index] if said is not None and index < len(said.media) else None
        if theirs is None or not (theirs.is_rtp and theirs.is_open):
            if not encrypted:
                return ()
            return sdes.crypto_lines({suite: self._key(side, index, suite, seated) for suite in sdes.SUITES})
        crypto = theirs.crypto
        if crypto is None:
            return ()
        return (sdes.crypto_line(crypto.tag, crypto.suite, self._key(side, index, crypto.suite, seated)),)

    def _keys(self, side: Side, index: int, media: sdp.MediaDescription) -> StreamKeys | None:
        crypto = media.crypto
        if crypto is None:
            return None
        ours = self._key(side, index, crypto.suite, self.replacements[side])
        return StreamKeys(suite=crypto.suite, peer=crypto.key, ours=ours)

    def _key(self, side: Side, index: int, suite: str, seated: int) -> bytes:
        return sdes.derive_key(self.seed, f"{side.value} {index} {seated}", suite)
