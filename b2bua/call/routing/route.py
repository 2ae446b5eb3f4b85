"""Where a call goes, and which trunks its two legs are on by now: what holds for them holds for the
call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from b2bua.call.routing.router import Destination
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.sdp.description import MAX_MEDIA
from b2bua.call.sdp.offer_answer import OTHER, OfferAnswer
from media.events import Masking, Side
from media.stream_description import Interface

# What another trunk may do better: it answered nothing, or said that it cannot now.
_ELSEWHERE = frozenset({408, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call of the trunk `source` goes: the destinations are tried one after another; where
    there is none it is refused with `code`.

    `latch`: the trunks that sit behind NAT; `encrypted`: those with SRTP; `media`: the kinds of
    m-lines that a trunk may have, where not all; `interfaces`: where RTP of a trunk is received,
    where not as usual.
    """

    near: Side
    source: str
    destinations: tuple[Destination, ...]
    latch: frozenset[str] = frozenset()
    encrypted: frozenset[str] = frozenset()
    media: Mapping[str, frozenset[str]] = field(default_factory=dict)
    masks: Mapping[str, Masking] = field(
        default_factory=dict
    )  # how the trunks' customers are masked, where not as usual
    info: frozenset[str] = frozenset()  # the trunks whose customers' keys come as SIP INFO
    events: frozenset[str] = (
        frozenset()
    )  # the trunks that want keys as telephone-event, where they come as SIP INFO
    other_audio: OtherAudio = OtherAudio.REFUSE
    max_media: int = MAX_MEDIA  # m-lines of a call that get ports
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    code: int = 404
    ring_time: float = (
        # Seconds; RFC 3261 section 16.6 (timer C) asks for more than three minutes of a proxy.
        180.0
    )


@dataclass(slots=True)
class LegTrunks:
    """The trunks of a call's legs."""

    route: Route
    tried: int = 0  # destinations that took no call
    # The trunks of legs that came from another call.
    moved: dict[Side, str] = field(default_factory=dict)

    @property
    def destination(self) -> Destination:
        """The one that is tried, or took the call."""
        return self.route.destinations[self.tried]

    def of(self, side: Side) -> str:
        """The trunk that a side's leg is on."""
        if side in self.moved:
            return self.moved[side]
        return self.route.source if side is self.route.near else self.destination.trunk

    def others(self, code: int) -> bool:
        """Whether there is another destination, which may do better than one that failed so."""
        return self.tried + 1 < len(self.route.destinations) and code in _ELSEWHERE

    def interface(self, side: Side) -> Interface:
        """Where packets of a side's trunk are received."""
        return self.route.interfaces.get(self.of(side), Interface())

    def interfaces(self) -> tuple[Interface, Interface]:
        """Where packets of the caller's trunk and of the agent's are received."""
        return self.interface(Side.CALLER), self.interface(Side.AGENT)

    def masking(self) -> Masking:
        """How the customer's trunk is masked."""
        return self.route.masks.get(self.of(Side.CALLER), Masking())

    def by_info(self) -> bool:
        """Whether the customer's trunk sends keys as SIP INFO."""
        return self.of(Side.CALLER) in self.route.info

    def note(self, offer_answer: OfferAnswer) -> None:
        """What holds for the two that this call is on now."""
        trunks = [(side, self.of(side)) for side in OTHER]
        limits = [self.route.media[trunk] for _, trunk in trunks if trunk in self.route.media]
        offer_answer.kinds = frozenset.intersection(*limits) if limits else None
        offer_answer.wants_events = self.of(Side.AGENT) in self.route.events
        offer_answer.latch = frozenset([side for side, trunk in trunks if trunk in self.route.latch])
        offer_answer.encrypted = frozenset([side for side, trunk in trunks if trunk in self.route.encrypted])
