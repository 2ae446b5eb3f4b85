"""Two trunks and nothing between them but the engine: each leg's events become the other leg's
commands, SDP untouched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Self

from b2bua.call import leg as vocabulary
from b2bua.call import leg_command
from b2bua.call.leg import LegEvent, LegId
from b2bua.call.leg_command import LegCommand
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.trunk.resolve import Resolver

HOST = "127.0.0.1"
QUICK = Timers(t1=0.05, t2=0.2, t4=0.2, d=0.5)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Bridge:
    """`carrier` calls `pbx`. `seen` keeps every event of every leg, in order."""

    dies = False
    """Whether its engine dies where another is to go on."""

    def __init__(
        self,
        carrier: int,
        pbx: int,
        timers: Timers | None = None,
        resolver: Resolver | None = None,
        near: dict[str, Any] | None = None,
        **pbx_trunk: Any,
    ) -> None:
        """`near`: more of the carrier's trunk; `pbx_trunk`: of the PBX's."""
        far = {"host": HOST, "port": pbx} | pbx_trunk
        trunks = [Trunk("carrier", HOST, carrier, **near or {}), Trunk("pbx", **far)]
        self._stand(timers, [Bind(Transport.UDP, HOST, 0)], trunks, resolver=resolver)

    @classmethod
    def between(
        cls, carrier: Trunk, pbx: Trunk, binds: Sequence[Bind], timers: Timers | None = None, **more: Any
    ) -> Self:
        """With trunks and addresses of the test's own; `more`: as of SipEngine."""
        made = cls.__new__(cls)
        made._stand(timers, binds, [carrier, pbx], **more)
        return made

    def _stand(self, timers: Timers | None, binds: Sequence[Bind], trunks: list[Trunk], **more: Any) -> None:
        self.engine = SipEngine(binds=binds, trunks=trunks, on_event=self.on_event, timers=timers, **more)
        self.other: dict[LegId, LegId] = {}
        self.near: set[LegId] = set()  # the legs that a trunk opened
        self.seen: list[tuple[LegId, LegEvent]] = []
        self.keep = True

    @property
    def port(self) -> int:
        return self.engine.address[1]

    def kinds(self, kind: type[LegEvent]) -> list[LegEvent]:
        return [event for _, event in self.seen if isinstance(event, kind)]

    def on_event(self, leg: LegId, event: LegEvent) -> None:
        if self.keep:
            self.seen.append((leg, event))
        if isinstance(event, vocabulary.LegInvited):
            far = self.engine.new_leg()
            self.other[leg], self.other[far] = far, leg
            self.near.add(leg)
            trunk = "pbx" if event.trunk == "carrier" else "carrier"
            invite = leg_command.InviteLeg(
                trunk, event.caller, event.callee, event.offer, event.max_forwards - 1
            )
            self.engine.execute_command(far, invite)
            return
        if isinstance(event, vocabulary.LegReinvited) and event.early:
            self.engine.execute_command(leg, leg_command.AnswerReinvite(event.offer))
            return
        far = self.other.get(leg)
        command = answer_to(event)
        if isinstance(event, vocabulary.LegFailed) and leg in self.near:
            command = leg_command.HangUpLeg()
        if far is not None and command is not None:
            self.engine.execute_command(far, command)
        if isinstance(event, vocabulary.LegHungUp | vocabulary.LegFailed):
            self.other.pop(leg, None)


def answer_to(event: LegEvent) -> LegCommand | None:
    match event:
        case vocabulary.LegProgressed():
            return leg_command.RingLeg(event.code, event.phrase, event.answer)
        case vocabulary.LegAnswered():
            return leg_command.AnswerLeg(event.answer)
        case vocabulary.LegConfirmed() if event.answer:
            return leg_command.ConfirmLeg(event.answer)
        case vocabulary.LegFailed():
            return leg_command.RejectLeg(
                event.code, event.phrase, contacts=event.contacts, retry_after=event.retry_after
            )
        case vocabulary.LegHungUp():
            return leg_command.HangUpLeg(event.reason)
        case vocabulary.LegReinvited():
            return leg_command.ReinviteLeg(event.offer)
        case vocabulary.ReinviteAnswered():
            return leg_command.AnswerReinvite(event.answer)
        case vocabulary.ReinviteFailed():
            return leg_command.RejectReinvite(event.code, event.phrase)
        case vocabulary.LegRequested():
            return leg_command.RequestLeg(
                event.request, event.method, event.content_type, event.body, event.info_package, event.carried
            )
        case vocabulary.LegResponded():
            return leg_command.RespondLeg(event.request, event.code, packages=event.packages)
    return None


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 — what is waited for may be another process's doing
            await asyncio.sleep(0.01)


async def nothing_left(made: Bridge) -> None:
    engine = made.engine
    await until(lambda: (engine.open_legs, engine.open_dialogs, engine.open_transactions) == (0, 0, 0))
    assert engine._signalling is not None
    watched = engine._signalling.context.scheduler.watched
    # No session's timer holds a leg that is over.
    assert not [each for each in watched if isinstance(each, Leg)]
