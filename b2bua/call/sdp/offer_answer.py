"""Exchanges offers and answers between the two legs of one call (RFC 3264).

Rule 1: a leg's local description is the other leg's remote one, with our addresses, ports and keys.
Rule 2: of a redacted side only what is known of it passes: no line of a description carries a key.
Rule 3: a local description that changes has a higher version; one that does not is sent again as it
        was (RFC 3264 section 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import filters
from b2bua.call.sdp.answer_fit import fit_across_legs, fit_answer
from b2bua.call.sdp.codecs import Codec, OtherAudio
from b2bua.call.sdp.directions import narrow_directions
from b2bua.call.sdp.hold import is_hold, without_hold
from b2bua.call.sdp.leg_descriptions import LegDescriptions
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.local_description import adapt_events
from b2bua.call.sdp.negotiated import agreed_codec, agrees_on_events, agrees_on_tones, received_codec
from b2bua.call.sdp.own_answer import only_agreed
from b2bua.call.sdp.remote_description import parse_remote
from b2bua.call.sdp.telephone_event import EventStream, events_between
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import SessionId, SetRemote, Side
from media.stream_description import LocalStream

OTHER = {Side.CALLER: Side.AGENT, Side.AGENT: Side.CALLER}


@dataclass(slots=True)
class OfferAnswer:
    """The descriptions of one call's two legs.

    `redacted`: see rule 2. `masked`: the customer may key, so his side is not put on hold.
    `max_media`: m-lines that get ports; the rest are refused in place.
    """

    session: SessionId
    legs: dict[Side, LegDescriptions]
    other_audio: OtherAudio = OtherAudio.REFUSE
    max_media: int = sdp.MAX_MEDIA
    redacted: frozenset[Side] = frozenset()
    masked: bool = False

    @classmethod
    def begin_exchange(
        cls,
        session: SessionId,
        origin: int,
        seed: bytes,
        *,
        other_audio: OtherAudio = OtherAudio.REFUSE,
        max_media: int = sdp.MAX_MEDIA,
    ) -> OfferAnswer:
        """Begin without descriptions. `origin`, `seed`: as in LegDescriptions, of both legs."""
        legs = {side: LegDescriptions(side, origin, seed) for side in Side}
        return cls(session, legs, other_audio, max_media)

    def set_policies(self, caller: TrunkPolicy, agent: TrunkPolicy) -> None:
        """Follow the policies of the trunks that the legs are on."""
        self.legs[Side.CALLER].policy, self.legs[Side.AGENT].policy = caller, agent

    @property
    def has_updated(self) -> bool:
        """Whether an UPDATE before the answer has an offer that the other leg did not get."""
        return any(leg.updated for leg in self.legs.values())

    def clear_updated(self) -> None:
        """Both legs have the session as it is."""
        for leg in self.legs.values():
            leg.updated = False

    def set_streams(self, caller: tuple[LocalStream, ...], agent: tuple[LocalStream, ...]) -> None:
        """Use the ports that media opened, one an m-line."""
        self.legs[Side.CALLER].streams, self.legs[Side.AGENT].streams = caller, agent

    # --- the state of the session -----------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether both legs have a remote description."""
        return all(leg.remote is not None for leg in self.legs.values())

    def events_agreed(self) -> bool:
        """Whether the customer's side sends keys as telephone-event in audio that media can decode.
        The agent's side need not accept them: they end here."""
        if not self.complete:
            return False
        customer, agent = self._remote(Side.CALLER), self._remote(Side.AGENT)
        if agrees_on_events(customer, agent):
            return True
        return customer.allows_capture() and agrees_on_events(
            customer, sdp.parse_description(self._write(agent, Side.CALLER))
        )

    def event_stream(self) -> EventStream | None:
        """The stream in which the agent's side accepts telephone-event; None where it has none."""
        if not self.complete:
            return None
        sent = sdp.parse_description(self._write(self._remote(Side.CALLER), Side.AGENT))
        return events_between(sent, self._remote(Side.AGENT))

    def tones_agreed(self) -> bool:
        """Whether both legs agreed on audio in which media detects keys as tones."""
        return self.complete and agrees_on_tones(*map(self._remote, Side))

    def has_encrypted_audio(self) -> bool:
        """Whether a peer's audio is encrypted in a way that we take no part in."""
        remotes = [leg.remote for leg in self.legs.values() if leg.remote is not None]
        return any(each.kind == "audio" and not each.is_open for remote in remotes for each in remote.media)

    def used_codec(self, side: Side, types: Mapping[int, int]) -> Codec | None:
        """The audio codec that a side sent most of; where nothing came, the one last agreed on;
        None before that. `types`: the packets received, by payload type."""
        if not self.complete:
            return None
        # The local description comes first: the peer sends with its payload types.
        known = reversed(self.legs[side].list_known())
        received = next((codec for each in known if (codec := received_codec(each, types)) is not None), None)
        return received or agreed_codec(*map(self._remote, Side))

    def on_hold(self) -> bool:
        """Whether one leg has the other on hold."""
        return any(self.is_holding(side) for side in Side)

    def is_holding(self, side: Side) -> bool:
        """Whether this leg has the other on hold."""
        remote = self.legs[side].remote
        return remote is not None and is_hold(remote)

    def has_same_kinds(self, other: OfferAnswer) -> bool:
        """Whether another call has the same m-lines, so that a leg of it fits into this one."""
        legs = (*self.legs.values(), *other.legs.values())
        return len({_kinds(leg.remote) for leg in legs if leg.remote is not None}) == 1

    # --- remote descriptions ----------------------------------------------------------------------

    def set_remote(self, side: Side, offer: bytes) -> bool:
        """Store a peer's offer. False: it cannot be relayed, and nothing has changed."""
        described = self._parse(side, offer)
        if described is None:
            return False
        self.legs[side].set_offer(described)
        return True

    def set_remote_answer(self, side: Side, answer: bytes, offer: bytes = b"") -> bool:
        """Store a peer's answer to this offer, by default to the local description. False: it does
        not fit, and nothing has changed."""
        described, offer = self._parse(side, answer), offer or self.legs[side].local or b""
        if described is not None and offer:
            described = fit_answer(described, sdp.parse_description(offer))
        if described is None:
            return False
        self.legs[side].set_answer(described)
        return True

    def is_relayable(self, side: Side) -> bool:
        """Whether a leg's peer described an m-line that can be relayed."""
        remote = self.legs[side].remote
        return remote is not None and any(media.relayed for media in remote.media)

    def count_streams(self, side: Side) -> int:
        """How many m-lines of a leg's remote description get ports."""
        return min(len(self._remote(side).media), self.max_media)

    def remote_command(self, side: Side) -> SetRemote:
        """The command that gives media a leg's remote description."""
        leg = self.legs[side]
        codes = side is Side.AGENT and leg.policy.feature_codes
        return SetRemote(session=self.session, side=side, streams=leg.remote_streams(), codes=codes)

    # --- local descriptions -----------------------------------------------------------------------

    def local_for(self, side: Side) -> bytes:
        """The other leg's session, as this leg is to see it."""
        return self._set_local(side, self._remote(OTHER[side]))

    def local_answer(self, side: Side) -> bytes:
        """The answer to a leg's INVITE: as far as it fits what the leg has offered since."""
        return self._set_local(side, self._current(side))

    def local_reply(self, side: Side) -> bytes:
        """The answer to a leg's re-INVITE. While masked its direction follows the offer, not only
        the other leg."""
        source = self._remote(OTHER[side])
        if self.masked:
            source = narrow_directions(self._not_held(source, side), self._remote(side))
        return self.legs[side].set_local(self._with_events(source, side))

    def local_offer(self, side: Side) -> bytes:
        """The offer to a leg that asks for one: the session as it is, without a hold that this leg
        made, so that it can end it."""
        other = self._remote(OTHER[side])
        return self._set_local(side, without_hold(other) if self.is_holding(side) else other)

    def answer_update(self, side: Side, offer: bytes) -> bytes | None:
        """The answer to an offer that a leg makes after its session is agreed on, before the call
        is answered (RFC 3264 section 6.1, RFC 3311). The other leg keeps its session. None: there
        is no such answer, and nothing has changed."""
        described = self._parse(side, offer)
        fit = fit_across_legs(self._remote(OTHER[side]), described) if described is not None else None
        if described is None or fit is None or not any(media.relayed for media in fit.media):
            return None
        self.legs[side].set_offer(described)
        self.legs[side].updated = True
        return self._set_local(side, fit)

    def is_outdated(self, side: Side) -> bool:
        """Whether a leg's local description differs from the other leg's session by now."""
        leg = self.legs[side]
        return leg.local is not None and not leg.matches_local(self._adapt(self._current(side), side))

    def is_covered(self, side: Side) -> bool:
        """Whether a leg's local description allows all of the other leg's session, and its remote
        one needs no more than that."""
        current, remote = sdp.parse_description(self._write(self._current(side), side)), self._remote(side)
        local = self.legs[side].local
        return (
            local is not None
            and fit_answer(current, sdp.parse_description(local)) is current
            and fit_answer(remote, current) is remote
        )

    def offer_for(
        self, side: Side, other: sdp.SessionDescription | None = None, *, always: bool = False
    ) -> bytes | None:
        """The offer that connects this leg with `other`, by default the other leg's description.
        It is not stored. None where the local description says the same already, unless
        `always`."""
        leg, source = self.legs[side], self._adapt(other or self._remote(OTHER[side]), side)
        return None if not always and leg.matches_local(source) else leg.write_next(source)

    def restore_local(self, side: Side) -> bytes:
        """The offer that undoes an offer which came to nothing."""
        leg = self.legs[side]
        leg.local = leg.write_next(self._adapt(self._remote(OTHER[side]), side))
        return leg.local

    # --- replacing a leg --------------------------------------------------------------------------

    def offer_to_replacement(self, side: Side, policy: TrunkPolicy | None = None) -> bytes:
        """The offer to a new leg for this side: the other leg's session, without a hold, which was
        the old leg's. `policy`: of the new leg's trunk, where that is another one; then it is
        offered what was agreed on with the other leg."""
        source, other = without_hold(self._remote(OTHER[side])), self.legs[OTHER[side]]
        if policy is not None and other.local is not None:
            source = only_agreed(source, other.local)
            source = source if policy.kinds is None else filters.limit_kinds(source, policy.kinds)
        wants_events = self._wants_events if policy is None else policy.wants_events
        source = adapt_events(source, side, None, wants_events=wants_events)
        encrypted = None if policy is None else policy.encrypted
        return self.legs[side].write_for_replacement(source, encrypted=encrypted)

    def offer_to_loaned(self, side: Side, loaned: LoanedLeg) -> bytes:
        """As `offer_to_replacement`, for a leg that has a session in another call."""
        source = without_hold(self._remote(OTHER[side]))
        if loaned.policy.kinds is not None:
            source = filters.limit_kinds(source, loaned.policy.kinds)
        return self.legs[side].write_for_loaned(source, loaned)

    def parse_replacement(
        self, side: Side, body: bytes, loaned: LoanedLeg | None = None
    ) -> sdp.SessionDescription | None:
        """Parse the offer or answer of a leg that is to replace this side's; None where its m-lines
        are not those of the session."""
        described = self._restrict(side, body, loaned)
        if described is None or not any(media.relayed for media in described.media):
            return None
        remotes = [leg.remote for leg in self.legs.values() if leg.remote is not None]
        return described if all(_kinds(described) == _kinds(remote) for remote in remotes) else None

    def parse_replacement_answer(
        self, side: Side, body: bytes, offer: bytes, loaned: LoanedLeg | None, policy: TrunkPolicy | None
    ) -> sdp.SessionDescription | None:
        """Parse such a leg's answer to our offer; None where it does not fit. `policy`: as for
        `offer_to_replacement`."""
        if loaned is not None:
            described = self.parse_replacement(side, body, loaned)
        else:
            described = self._restrict(side, body, policy=policy)
        return fit_answer(described, sdp.parse_description(offer)) if described is not None else None

    def replace_leg(
        self, side: Side, remote: sdp.SessionDescription, loaned: LoanedLeg | None, *, ours: bool
    ) -> None:
        """Another leg has this side's place, with this remote description. `loaned`: it was another
        call's; `ours`: as in LegDescriptions."""
        self.legs[side].replace_peer(remote, loaned)
        self.legs[side].ours = ours
        other = OTHER[side]
        self.legs[other].local = self._write(remote, other)

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _wants_events(self) -> bool:
        return self.legs[Side.AGENT].policy.wants_events

    def _remote(self, side: Side) -> sdp.SessionDescription:
        remote = self.legs[side].remote
        assert remote is not None
        return remote

    def _restrict(
        self, side: Side, body: bytes, loaned: LoanedLeg | None = None, *, policy: TrunkPolicy | None = None
    ) -> sdp.SessionDescription | None:
        caller, agent = self.legs[Side.CALLER].policy, self.legs[Side.AGENT].policy
        policy = loaned.policy if loaned is not None else policy
        return parse_remote(
            body,
            kinds=caller.allowed_kinds(agent) if policy is None else policy.kinds,
            encrypted=(policy or self.legs[side].policy).encrypted,
            other_audio=self.other_audio,
            max_media=self.max_media,
        )

    def _parse(self, side: Side, body: bytes) -> sdp.SessionDescription | None:
        described = self._restrict(side, body)
        if described is None or side not in self.redacted:
            return described
        return filters.echo_known(described, self.legs[side].list_known())

    def _current(self, side: Side) -> sdp.SessionDescription:
        """The other leg's session, as a leg's local description is to have it now."""
        other = self._remote(OTHER[side])
        return (fit_across_legs(other, self._remote(side)) or other) if self.legs[side].updated else other

    def _not_held(self, source: sdp.SessionDescription, side: Side) -> sdp.SessionDescription:
        return without_hold(source) if side is Side.CALLER and self.masked else source

    def _with_events(self, source: sdp.SessionDescription, side: Side) -> sdp.SessionDescription:
        return adapt_events(source, side, self.legs[side].remote, wants_events=self._wants_events)

    def _adapt(self, source: sdp.SessionDescription, side: Side) -> sdp.SessionDescription:
        """The session as a leg is to see it, before our addresses and keys are in it."""
        return self._with_events(self._not_held(source, side), side)

    def _write(self, source: sdp.SessionDescription, side: Side) -> bytes:
        return self.legs[side].write_description(self._adapt(source, side))

    def _set_local(self, side: Side, source: sdp.SessionDescription) -> bytes:
        return self.legs[side].set_local(self._adapt(source, side))


def _kinds(described: sdp.SessionDescription) -> tuple[str, ...]:
    return tuple(media.kind for media in described.media)
