"""A switchboard whose engine and media are played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from b2bua.call import leg, leg_command
from b2bua.call.call_session import PATIENCE
from b2bua.call.cdr import CallRecord
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.feature_codes import FeatureCodes
from b2bua.call.leg import LegId
from b2bua.call.routing.limits import Limit
from b2bua.call.routing.router import Place, Router, Rule
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.interfaces import Plan
from b2bua.switchboard.link_service import LinkPolicy
from b2bua.switchboard.payment_notices import NoticePolicy
from b2bua.switchboard.switchboard import Switchboard
from media.events import (
    AnyAnswer,
    AnyCommand,
    CaptureChanged,
    CaptureId,
    CaptureState,
    ClaimSession,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    LegCounters,
    OpenSession,
    Refused,
    SessionClaimed,
    SessionClosed,
    SessionId,
    SessionOpened,
    Side,
    Unanswered,
)
from media.stream_description import LocalStream
from provider_adapters.payment import (
    Charge,
    FollowUp,
    FollowUpOutcome,
    LinkOutcome,
    LinkRequest,
    Operation,
    Outcome,
)
from provider_adapters.reconciler.messages import LaterResult, Settle, Settled
from tests.call_script import THEIRS

CALLER, AGENT = Side.CALLER, Side.AGENT
COUNTED = Counted(serial=0, sessions=2, captures=0, payers=3, descriptors=40)


@dataclass
class Wire:
    """What stands on the other side of the switchboard's two sockets: a SIP stack that notes, and
    media that obeys. `restores`: its sessions outlive it."""

    sent: list[tuple[str, leg_command.LegCommand]] = field(default_factory=list)
    commands: list[AnyCommand] = field(default_factory=list)
    connected: bool = True
    obeys: bool = True
    restores: bool = True
    on_answer: Callable[[AnyCommand, AnyAnswer], None] | None = None
    on_execute: Callable[[LegId, leg_command.LegCommand], None] | None = None

    def new_leg(self) -> LegId:
        return LegId(f"far-{sum(isinstance(command, leg_command.InviteLeg) for _, command in self.sent)}")

    def call_id(self, leg: LegId) -> str:
        return f"{leg}@sip"

    def counters(self) -> dict[str, int]:
        return {"legs": 3, "dialogs": 2, "transactions": 1}

    def execute_command(self, leg_id: LegId, command: leg_command.LegCommand) -> None:
        self.sent.append((leg_id, command))
        if self.on_execute is not None:
            self.on_execute(leg_id, command)

    def send(self, command: AnyCommand) -> None:
        self.commands.append(command)
        if self.on_answer is not None and self.obeys:
            self.on_answer(command, self.answer(command))

    def answer(self, command: AnyCommand) -> AnyAnswer:
        if not self.connected:
            return Unanswered(serial=0, reason="the media process is not reachable")
        match command:
            case OpenSession():
                streams = (LocalStream("127.0.0.1", 20000),)
                return SessionOpened(serial=0, caller=streams, agent=streams)
            case CloseSession():
                return SessionClosed(serial=0, caller=LegCounters(), agent=LegCounters())
            case CountSessions():
                return COUNTED
            case ClaimSession() if not self.restores:
                return Refused(serial=0, reason="no such session")
            case ClaimSession(masking=masking):
                return SessionClaimed(serial=0, masked=masking is not None, restored=True)
            case _:
                return Done(serial=0)

    def to(self, leg_id: str) -> list[leg_command.LegCommand]:
        return [command for name, command in self.sent if name == leg_id]


@dataclass
class PlayedReconciler:
    """The reconciler as a switchboard sees it. `offered`: what it has said of the provider;
    `handed`, `saved`, `opening` and `closing`: each request that it got, with its answer to come;
    `found`: what it says of their keys, None where it does not know; `asked_for`: the keys that it
    was asked for, each with when it was handed over."""

    offered: frozenset[Operation] | None = frozenset(Operation)
    offers: dict[str, frozenset[Operation]] = field(default_factory=dict)  # of named providers
    providers: list[str] = field(default_factory=list)  # to whom each request was to go
    saved_from: list[str] = field(default_factory=list)  # the payments that saved the cards
    connected: bool = True
    asked: list[tuple[str, ...]] = field(default_factory=list)
    handed: list[tuple[FollowUp, asyncio.Future[FollowUpOutcome]]] = field(default_factory=list)
    saved: list[tuple[Charge, str, asyncio.Future[Outcome]]] = field(default_factory=list)
    found: dict[str, LaterResult] = field(default_factory=dict)
    asked_for: list[tuple[str, float | None]] = field(default_factory=list)
    settles: Callable[[Settle], Settled] | None = None  # what it answers to a person's word
    opening: list[tuple[LinkRequest, asyncio.Future[LinkOutcome]]] = field(default_factory=list)
    closing: list[tuple[str, asyncio.Future[Outcome]]] = field(default_factory=list)

    async def open_link(self, request: LinkRequest, provider: str = "") -> LinkOutcome:
        self.providers.append(provider)
        answer: asyncio.Future[LinkOutcome] = asyncio.get_running_loop().create_future()
        self.opening.append((request, answer))
        return await answer

    async def close_link(self, key: str, provider: str = "") -> Outcome:
        self.providers.append(provider)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.closing.append((key, answer))
        return await answer

    async def follow_up(self, request: FollowUp, provider: str = "") -> FollowUpOutcome:
        self.providers.append(provider)
        answer: asyncio.Future[FollowUpOutcome] = asyncio.get_running_loop().create_future()
        self.handed.append((request, answer))
        return await answer

    async def charge_saved(
        self, charge: Charge, token: str, provider: str = "", saved_from: str = ""
    ) -> Outcome:
        self.saved_from.append(saved_from)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.providers.append(provider)
        self.saved.append((charge, token, answer))
        return await answer

    async def resolve(
        self, request: FollowUp, handed_at: float | None, provider: str = ""
    ) -> LaterResult | None:
        self.providers.append(provider)
        self.asked_for.append((request.key, handed_at))
        return self.found.get(request.key)

    def names(self) -> tuple[str, ...]:
        return tuple(self.offers)

    async def settle(
        self,
        charge: Charge,
        follow_up: FollowUp | None,
        outcome: FollowUpOutcome | Outcome,
        who: str,
        provider: str = "",
    ) -> Settled | None:
        if self.settles is None:
            return None
        return self.settles(
            Settle(number=1, charge=charge, follow_up=follow_up, outcome=outcome, who=who, provider=provider)
        )

    def operations(self, provider: str = "") -> frozenset[Operation] | None:
        return self.offers.get(provider, self.offered)

    def inquire(self, keys: tuple[str, ...], *, now: bool = False) -> bool:
        self.asked.append(keys)
        return self.connected


ONE_EACH = {"carrier": Place(CALLER), "pbx": Place(AGENT)}


class Exchange:
    """A switchboard with both its sockets played."""

    def __init__(
        self,
        *,
        ring_time: float = 180.0,
        guard_time: float = 0.02,
        places: Mapping[str, Place] = ONE_EACH,
        rules: Sequence[Rule] = (),
        limits: Mapping[str, tuple[int, float]] | None = None,
        payments: PaymentTable | None = None,
        agent_charging: Mapping[str, ChargeDefaults] | None = None,
        links: LinkPolicy | None = None,
        policies: Mapping[str, TrunkPolicy] | None = None,
        extensions: Mapping[str, str] | None = None,
        notices: NoticePolicy | None = None,
        feature_codes: FeatureCodes | None = None,
        recorder: Any = None,
    ) -> None:
        self.wire = Wire()
        self.records: list[CallRecord] = []
        self.plan = plan = Plan(
            router=Router(places, rules),
            limits={name: Limit(*(limits or {}).get(name, ())) for name in places},
            policies=policies or {},
            other_audio=OtherAudio.DECODE,
            max_media=16,
            ring_time=ring_time,
            guard_time=guard_time,
            agent_charging=agent_charging or {},
            extensions=extensions or {},
            feature_codes=feature_codes or FeatureCodes(),
            recorder=recorder,
        )
        self.passed = 0.0  # seconds that a test lets pass at once
        loop = asyncio.get_running_loop()
        self.board = Switchboard(
            plan, self.records.append, lambda: loop.time() + self.passed, payments=payments, links=links,
            notices=notices,
        )  # fmt: skip
        self.reconciler = PlayedReconciler()
        self.board.connect(self.wire, self.wire, self.reconciler)
        self.wire.on_answer = self.board.on_media_answer

    def invite(
        self,
        near: str = "near-0",
        trunk: str = "carrier",
        callee: str = "500",
        caller: str = "anna",
        headers: tuple[tuple[str, str], ...] = (),
        replaces: LegId | None = None,
    ) -> None:
        side = AGENT if trunk == "pbx" else CALLER
        invited = leg.LegInvited(
            trunk, leg.Party(caller), leg.Party(callee), THEIRS[side], carried=leg.Carried(headers),
            replaces=replaces,
        )  # fmt: skip
        self.board.on_leg_event(LegId(near), invited)

    def up(
        self,
        near: str = "near-0",
        caller: str = "anna",
        callee: str = "500",
        headers: tuple[tuple[str, str], ...] = (),
        answered: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """A call that is answered; its id. `headers`: of its INVITE; `answered`: of the answer."""
        far = self.wire.new_leg()
        self.invite(near, callee=callee, caller=caller, headers=headers)
        self.board.on_leg_event(far, leg.LegAnswered(THEIRS[AGENT], leg.Carried(answered)))
        return self.board.calls()[-1].id

    def kill_media(self, *, restores: bool = True) -> None:
        """Another media process follows at once, which has the sessions or not."""
        self.media_dies()
        self.media_follows(restores=restores)

    def media_follows(self, *, restores: bool = True) -> None:
        self.wire.connected, self.wire.restores = True, restores
        self.board.on_media_state(True)

    def media_dies(self) -> None:
        self.wire.connected = False
        self.board.on_media_state(False)

    def lose_media(self) -> None:
        """No other media process follows, for longer than calls wait."""
        self.media_dies()
        self.passed += PATIENCE
        for entry in self.board.context.registry.all():
            self.board._executor.step(entry, entry.call.expire)

    def tell(self, call_id: str, state: CaptureState, **more: object) -> None:
        capture = next(call.capture for call in self.board.calls() if call.id == call_id)
        assert capture is not None
        news = CaptureChanged(session=SessionId(call_id), capture=CaptureId(capture.id), state=state, **more)  # type: ignore[arg-type]
        self.board.on_media_news(news)
