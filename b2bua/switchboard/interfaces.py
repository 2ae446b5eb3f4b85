"""What the switchboard works with: a plan of where calls go, an engine for their legs, and
media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from b2bua.call.leg import LegCommand, LegId
from b2bua.call.routing.limits import Limit
from b2bua.call.routing.route import Route
from b2bua.call.routing.router import Decision, Router
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import HopView
from media.events import AnyCommand, Side


class Engine(Protocol):
    """A SIP engine, whichever it is."""

    def new_leg(self) -> LegId: ...
    def execute_command(self, leg: LegId, command: LegCommand) -> None: ...
    def counters(self) -> dict[str, int]: ...
    def hops(self, trunk: str) -> tuple[HopView, ...]: ...
    def registration(self, trunk: str) -> str | None: ...


class RunningEngine(Engine, Protocol):
    """With its life: whoever starts it stops it."""

    @property
    def address(self) -> tuple[str, int]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Media(Protocol):
    """The media process, behind its façade."""

    @property
    def connected(self) -> bool: ...
    def send(self, command: AnyCommand) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Where calls go, and how they are treated. `limits`, `policies`: of each trunk, by name;
    `other_audio`, `max_media` and `ring_time`: as in Route; `guard_time`: as in Payment."""

    router: Router
    limits: Mapping[str, Limit]
    policies: Mapping[str, TrunkPolicy]
    other_audio: OtherAudio
    max_media: int
    ring_time: float
    guard_time: float

    def route(self, near: Side, source: str, decision: Decision) -> Route:
        """The route of a call from the trunk `source`, which is on the side `near`."""
        return Route(
            near,
            source,
            decision.destinations,
            policies=self.policies,
            other_audio=self.other_audio,
            max_media=self.max_media,
            code=decision.code,
            ring_time=self.ring_time,
        )
