"""What the switchboard works with: a plan of where calls go, an engine for their legs, and
media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from b2bua.call.leg import LegCommand, LegId
from b2bua.call.routing.limits import Limit
from b2bua.call.routing.route import Route
from b2bua.call.routing.router import Decision, Router
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.view import HopView
from media.events import AnyCommand, Masking, Side
from media.stream_description import Interface


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
    """Where calls go, what trunks carry, and how calls are treated.

    `latch`, `encrypted`, `media`, `masks`, `info`, `events`, `interfaces`, `other_audio` and
    `max_media`: as in Route. Times in seconds.
    """

    router: Router
    limits: Mapping[str, Limit]
    latch: frozenset[str]
    encrypted: frozenset[str]
    media: Mapping[str, frozenset[str]]
    masks: Mapping[str, Masking]
    other_audio: OtherAudio
    max_media: int
    ring_time: float
    guard_time: float
    info: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    interfaces: Mapping[str, Interface] = field(default_factory=dict)

    def route(self, near: Side, source: str, decision: Decision) -> Route:
        """Where a call of the trunk `source` goes, and how it is treated."""
        return Route(
            near,
            source,
            decision.destinations,
            latch=self.latch,
            encrypted=self.encrypted,
            media=self.media,
            masks=self.masks,
            info=self.info,
            events=self.events,
            other_audio=self.other_audio,
            max_media=self.max_media,
            interfaces=self.interfaces,
            code=decision.code,
            ring_time=self.ring_time,
        )
