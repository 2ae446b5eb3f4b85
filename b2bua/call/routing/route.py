"""Describes where a call goes, and the trunks that its two legs are on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.own_leg import is_own_trunk
from b2bua.call.routing.form_end import Destination, FormEnd
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.sdp.description import MAX_MEDIA
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Masking, Side
from media.mask_policy import MaskPolicy
from media.stream_description import Interface

# Another trunk may do better after these: no answer, or no answer now.
_NEXT_TRUNK = frozenset({408, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a call from the trunk `source`.

    `destinations`: tried one after another; where there is none the call is refused with `code`.
    `policies`: of all trunks, by name, because a leg of another trunk may join the call.
    `extensions`: of which agent each is. `max_media`: m-lines that get ports. `ring_time`: seconds;
    RFC 3261 section 16.6 (timer C) asks for more than three minutes of a proxy. `mask`: how its
    customer is masked; None: as the customer's trunk says. `ends`: the call ends in a form;
    then the one destination is our end. `left`: what becomes of a payment whose agent hangs up;
    None: the call ends.
    """

    near: Side
    source: str
    destinations: tuple[Destination, ...]
    policies: Mapping[str, TrunkPolicy] = field(default_factory=dict)
    other_audio: OtherAudio = OtherAudio.REFUSE
    max_media: int = MAX_MEDIA
    code: int = 404
    ring_time: float = 180.0
    charging: ChargeDefaults = field(default_factory=ChargeDefaults)
    mask: MaskPolicy | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    ends: FormEnd | None = None
    left: FormEnd | None = None


@dataclass(slots=True)
class LegTrunks:
    """The trunks of a call's legs. `tried`: destinations that refused the call. `moved`: the trunks
    of legs that replaced the first ones."""

    route: Route
    tried: int = 0
    moved: dict[Side, str] = field(default_factory=dict)

    @property
    def destination(self) -> Destination:
        """The destination that is tried now, or accepted the call."""
        return self.route.destinations[self.tried]

    def has_next(self, code: int) -> bool:
        """Whether another destination may do better than one that failed with this code."""
        return self.tried + 1 < len(self.route.destinations) and code in _NEXT_TRUNK

    def trunk(self, side: Side) -> str:
        """The trunk of a side's leg."""
        if side in self.moved:
            return self.moved[side]
        return self.first_trunk(side)

    def policy(self, side: Side) -> TrunkPolicy:
        """How calls of a side's trunk are treated. Our end waits where RTP of its next place will
        be received."""
        name, ends = self.trunk(side), self.route.ends
        if not is_own_trunk(name):
            return self.policy_of(name)
        # A call that was transferred to our end has the interface of the end before.
        waits = ends.first_trunk if ends is not None else self.first_trunk(side)
        return TrunkPolicy(interface=self.policy_of(waits).interface)

    def policy_of(self, trunk: str) -> TrunkPolicy:
        """How calls of this trunk are treated."""
        return self.route.policies.get(trunk, TrunkPolicy())

    def first_trunk(self, side: Side) -> str:
        """The trunk of a side's first leg, on whose interface RTP is received."""
        return self.route.source if side is self.route.near else self.destination.trunk

    def masking(self) -> Masking:
        """How the customer is masked."""
        of_trunk = self.policy(Side.CALLER).masking
        wanted = self.route.mask
        return of_trunk if wanted is None else msgspec.structs.replace(of_trunk, policy=wanted)

    def interfaces(self) -> tuple[Interface, Interface]:
        """Where RTP of the caller's trunk and of the agent's is received."""
        return self.policy(Side.CALLER).interface, self.policy(Side.AGENT).interface

    def first_interfaces(self) -> tuple[Interface, Interface]:
        """The same, as the session was opened: before another leg took a place."""
        return replace(self, moved={}).interfaces()
