"""Defines what the switchboard works with: the plan of calls, the SIP engine, and media."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from b2bua.audit.recorder import Recorder
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.feature_codes import FeatureCodes
from b2bua.call.leg import LegId
from b2bua.call.leg_command import LegCommand
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.routing.limits import Elsewhere, Limit
from b2bua.call.routing.route import Route
from b2bua.call.routing.router import Decision, Router
from b2bua.call.routing.trunk import Trunk
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.service_view import Fault
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.trunk_view import HopView
from b2bua.switchboard.draining import Drain
from b2bua.switchboard.installed_files import InstalledFiles
from media.events import AnyCommand, CaptureForm, Side
from provider_adapters.payment import (
    Charge,
    FollowUp,
    FollowUpOutcome,
    LinkOutcome,
    LinkRequest,
    Operation,
    Outcome,
)
from provider_adapters.reconciler.messages import LaterResult, Settled


class Engine(Protocol):
    """A SIP engine, whichever it is."""

    def new_leg(self) -> LegId:
        """Name a leg that the next InviteLeg opens."""
        ...

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        """Execute a command on a leg; on one that is over, nothing."""
        ...

    def counters(self) -> dict[str, int]:
        """What there is now: legs, dialogs, transactions and more, by name."""
        ...

    def call_id(self, leg: LegId) -> str:
        """The SIP Call-ID of a leg; "" where it is over."""
        ...

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        """The addresses of a trunk."""
        ...

    def registration(self, trunk: str) -> str | None:
        """The state of our registration at a trunk; None where there is to be none."""
        ...


class RunningEngine(Engine, Protocol):
    """A SIP engine with its sockets. Whoever starts it stops it."""

    @property
    def address(self) -> tuple[str, int]:
        """Its first listening address."""
        ...

    async def start(self) -> None:
        """Open its sockets."""
        ...

    def check_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Load what these trunks need, and change nothing. Raises OSError, ValueError."""
        ...

    def change_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Have these trunks from now on; legs of others go on to their end."""
        ...

    def drain(self) -> None:
        """Have peers send new calls elsewhere, by the answers to their OPTIONS."""
        ...

    async def stop(self) -> None:
        """End its legs and close its sockets."""
        ...


class Media(Protocol):
    """The media process."""

    @property
    def connected(self) -> bool:
        """Whether it is connected."""
        ...

    def send(self, command: AnyCommand) -> None:
        """Send a command. Its answer comes to `Switchboard.on_media_answer`."""
        ...


class Reconciler(Protocol):
    """The reconciler process."""

    @property
    def connected(self) -> bool:
        """Whether it is connected."""
        ...

    def names(self) -> tuple[str, ...]:
        """The providers, the default one first; none while they are not known."""
        ...

    def operations(self, provider: str = "") -> frozenset[Operation] | None:
        """What a provider can do, the default one where none is named; None while that is not
        known."""
        ...

    def inquire(self, keys: tuple[str, ...], *, now: bool = False) -> bool:
        """Ask what became of these charges. The answer comes to `Switchboard.on_findings`."""
        ...

    async def follow_up(self, request: FollowUp, provider: str = "") -> FollowUpOutcome:
        """Capture, void or refund."""
        ...

    async def charge_saved(
        self, charge: Charge, token: str, provider: str = "", saved_from: str = ""
    ) -> Outcome:
        """Charge a card that the provider saved, by the payment `saved_from` where that is of
        ours."""
        ...

    async def open_link(self, request: LinkRequest, provider: str = "") -> LinkOutcome:
        """Open a payment link."""
        ...

    async def close_link(self, key: str, provider: str = "") -> Outcome:
        """Close a payment link; what was paid before it closed."""
        ...

    async def resolve(
        self, request: FollowUp, handed_at: float | None, provider: str = ""
    ) -> LaterResult | None:
        """What became of a request; where it was handed over then (seconds since the epoch) and
        never noted, it never will be sent. None where the reconciler is away."""
        ...

    async def settle(
        self,
        charge: Charge,
        follow_up: FollowUp | None,
        outcome: FollowUpOutcome | Outcome,
        who: str,
        provider: str = "",
    ) -> Settled | None:
        """Note what the person `who` says of a charge, or of what was done about it. None where the
        reconciler is away, or went."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Where calls go, and how they are treated. `limits`, `policies`: of each trunk, by name;
    `other_audio`, `max_media` and `ring_time`: as in Route; `guard_time`: as in Payment;
    `agent_charging`: what the agents' groups say of their charges, by the agent's name; `forms`: by
    their names, the usual one first; `extensions`: of which agent each is; `feature_codes`: of
    agents' telephones; `audit`: what is wrong with the audit log; `certificate`: with that of the
    API; `sign_ins`: that many wrong ones come; `identity`: with the identity provider; `recorder`:
    that log; `pseudonyms`: what stands for customers' numbers; `installed`: the files of this
    installation; `webhooks`: what is wrong with the services of `[webhook NAME]`, and
    `webhook_health` what waits for them; `drain`: whether new calls are accepted; `elsewhere`: the
    other instances on the same trunks, and `shared` what is wrong with the way to them."""

    router: Router
    limits: Mapping[str, Limit]
    policies: Mapping[str, TrunkPolicy]
    other_audio: OtherAudio
    max_media: int
    ring_time: float
    guard_time: float
    agent_charging: Mapping[str, ChargeDefaults] = field(default_factory=dict)
    forms: Mapping[str, CaptureForm] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)
    feature_codes: FeatureCodes = field(default_factory=FeatureCodes)
    audit: Callable[[], Fault | None] = lambda: None
    certificate: Callable[[], Fault | None] = lambda: None
    installed: InstalledFiles = field(default_factory=InstalledFiles)
    sign_ins: Callable[[], Fault | None] = lambda: None
    identity: Callable[[], Fault | None] = lambda: None
    webhooks: Callable[[], Fault | None] = lambda: None
    webhook_health: Callable[[], dict[str, int | bool]] = dict
    recorder: Recorder | None = None
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    drain: Drain = field(default_factory=Drain)
    elsewhere: Elsewhere | None = None
    shared: Callable[[], Fault | None] = lambda: None

    def health(self) -> dict[str, int | bool]:
        """The numbers of what has no call, for the health check."""
        copies = self.recorder.copies.health() if self.recorder is not None else {}
        return self.installed.health() | self.webhook_health() | copies

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
            charging=decision.charging,
            mask=decision.mask,
            extensions=self.extensions,
            ends=decision.ends,
            left=decision.left,
        )
