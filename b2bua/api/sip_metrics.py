"""Counts the answers to INVITEs of each trunk, and how long they took, for Prometheus.

Rule 1: as in metrics.py: a trunk is a section of sip.conf, a code one of the registry's, or its
        class.
Rule 2: a leg is kept from its INVITE to the final answer, and no longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from b2bua.call.leg import LegAnswered, LegEvent, LegFailed, LegHungUp, LegId, LegInvited, LegProgressed
from b2bua.call.leg_command import AnswerLeg, HangUpLeg, InviteLeg, LegCommand, RejectLeg, RingLeg
from b2bua.call.trunk_view import HopView
from b2bua.ladder.words import PHRASES
from b2bua.switchboard.interfaces import Engine

OnEvent = Callable[[LegId, LegEvent], None]
_RINGING: Final = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
_ANSWER: Final = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 45.0, 60.0, 120.0)


@dataclass(slots=True)
class _Invite:
    """An INVITE without its final answer. `way`: received or sent; `at`: seconds of the clock."""

    trunk: str
    way: str
    at: float
    is_ringing: bool = False


class SipMetrics:
    """Watches the events and commands of all legs of one engine."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        labels = ["trunk", "invite"]
        self._clock = clock
        self._invites: dict[LegId, _Invite] = {}
        self._answers = Counter(
            "tonewall_sip_responses",
            "Final answers to INVITEs that a trunk sent us (received), or got from us (sent).",
            [*labels, "code"],
            registry=registry,
        )
        self._ringing = Histogram(
            "tonewall_ringing_seconds",
            "From an INVITE to its first answer above 100 that is not final.",
            labels,
            buckets=_RINGING,
            registry=registry,
        )
        self._answered = Histogram(
            "tonewall_answer_seconds",
            "From an INVITE to its 200.",
            labels,
            buckets=_ANSWER,
            registry=registry,
        )

    def watch(self, on_event: OnEvent) -> OnEvent:
        """As `on_event`, watched."""

        def take(leg: LegId, event: LegEvent) -> None:
            self.on_event(leg, event)
            on_event(leg, event)

        return take

    def on_event(self, leg: LegId, event: LegEvent) -> None:
        """Take note of what an engine reports."""
        match event:
            case LegInvited():
                self._invites[leg] = _Invite(event.trunk, "received", self._clock())
            case LegProgressed():
                self._ring(leg)
            case LegAnswered():
                self._end(leg, 200)
            case LegFailed():
                self._end(leg, event.code)
            case LegHungUp():
                self._invites.pop(leg, None)

    def on_command(self, leg: LegId, command: LegCommand) -> None:
        """Take note of what an engine is to do."""
        match command:
            case InviteLeg():
                self._invites[leg] = _Invite(command.trunk, "sent", self._clock())
            case RingLeg():
                self._ring(leg)
            case AnswerLeg():
                self._end(leg, 200)
            case RejectLeg():
                self._end(leg, command.code if 300 <= command.code <= 699 else 500)
            case HangUpLeg():  # CANCEL, or 487 to theirs
                self._end(leg, 487)

    def _ring(self, leg: LegId) -> None:
        invite = self._invites.get(leg)
        if invite is not None and not invite.is_ringing:
            invite.is_ringing = True
            self._ringing.labels(invite.trunk, invite.way).observe(self._clock() - invite.at)

    def _end(self, leg: LegId, code: int) -> None:
        invite = self._invites.pop(leg, None)
        if invite is None:
            return
        shown = str(code) if code in PHRASES else f"{code // 100}xx"
        self._answers.labels(invite.trunk, invite.way, shown).inc()
        if code == 200:
            self._answered.labels(invite.trunk, invite.way).observe(self._clock() - invite.at)

    @property
    def pending(self) -> int:
        """The INVITEs without a final answer."""
        return len(self._invites)


class WatchedEngine:
    """An engine whose commands are watched. Implements `Engine`."""

    def __init__(self, engine: Engine, metrics: SipMetrics) -> None:
        self._engine, self._metrics = engine, metrics

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        """See Engine."""
        self._metrics.on_command(leg, command)
        self._engine.execute_command(leg, command)

    def new_leg(self) -> LegId:
        """See Engine."""
        return self._engine.new_leg()

    def counters(self) -> dict[str, int]:
        """See Engine."""
        return self._engine.counters()

    def call_id(self, leg: LegId) -> str:
        """See Engine."""
        return self._engine.call_id(leg)

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        """See Engine."""
        return self._engine.hops(trunk)

    def registration(self, trunk: str) -> str | None:
        """See Engine."""
        return self._engine.registration(trunk)
