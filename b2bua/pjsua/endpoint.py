"""Engine on PJSIP: trunks, legs, and the events and commands between them and the calls.

Rule 1: events are delivered in order, after PJSIP has finished with what caused them, never from
        within `execute_command`.
Rule 2: no call waits for PJSIP to refuse it: where its places are taken, 503 says when to come
        back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from b2bua.call.leg import LegEvent, LegFailed, LegHungUp, LegId
from b2bua.call.leg_command import HangUpLeg, InviteLeg, LegCommand
from b2bua.call.routing.trunk import Trunk
from b2bua.call.trunk_view import HopView
from b2bua.pjsua.front import Front
from b2bua.pjsua.leg import PjsuaLeg, PjsuaLegState
from b2bua.pjsua.stack import SOCKETS, PjsipStack, StackEvent
from b2bua.sip.event_queue import EventQueue
from b2bua.sip.hop import Address, Bind, Hop, Transport
from b2bua.sip.leg.invitation import new_invite
from b2bua.sip.message.compose import reason_phrase
from b2bua.sip.message.header_policy import MessageClass
from b2bua.sip.message.message import Request
from b2bua.sip.transport.bound_sockets import BoundSocket
from b2bua.sip.trunk.locator import Locator
from b2bua.sip.trunk.peers import Peer
from b2bua.sip.trunk.resolve import Resolver
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger
from tonewall.tokens import token

_TICK = 0.02  # seconds between two looks at PJSIP's timers
# Seconds that a leg which ended is remembered, for what is sent again: more than 64*T1.
_LINGER = 40.0
_LATER = 5  # seconds, where PJSIP has no place
log = get_logger(__name__)


class PjsuaEngine:
    """Legs towards trunks over UDP. Everything runs on the event loop that called `start`; one a
    process."""

    def __init__(
        self,
        *,
        bind: Bind,
        trunks: Sequence[Trunk],
        on_event: Callable[[LegId, LegEvent], None],
        places: int,
        user_agent: str = "Tonewall",
        resolver: Resolver | None = None,
        sockets: Sequence[BoundSocket] = (),
    ) -> None:
        """`places`: how many legs this build of PJSIP holds, see build.py; `sockets`: that of
        `bind`, where it is bound already."""
        self._places, self._user_agent, self._sockets = places, user_agent, sockets
        self._count: Counter[str] = Counter()
        self._queue = EventQueue(
            lambda work: asyncio.get_running_loop().call_soon(work), self._count, on_event
        )
        self._trunks = TrunkTable(trunks)
        self._locator = Locator(resolver or Resolver(), self._trunks, lambda: None)
        self._stack = PjsipStack(self._on_stack_event)
        self._front = Front(
            bind,
            self._trunks,
            self._count,
            user_agent,
            self._now,
            self._stack.poll,
            self._room,
            self._invited,
        )
        self._family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        self._legs: dict[LegId, PjsuaLeg] = {}
        self._idle = asyncio.Event()  # set when PJSIP's last call is over, while stopping
        self._running = False

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind, start PJSIP and resolve the trunks. Raises OSError where the address cannot be
        bound."""
        self._front.open(self._sockets)
        self._front.pjsip_port = self._stack.start(self._user_agent)
        self._running = True
        await self._locator.start([Transport.UDP], {self._family})
        self._front.start()
        self._tick()
        log.info(
            "sip_started", address=self.address[0], port=self.address[1], kind="pjsua2", count=self._places
        )

    def check_trunks(self, trunks: Sequence[Trunk]) -> None:
        """See RunningEngine: `b2bua.config.reloading` changes none under this engine."""

    def change_trunks(self, trunks: Sequence[Trunk]) -> None:
        """See `check_trunks`."""

    def drain(self) -> None:
        """Answer OPTIONS with 503 from now on: peers send new calls elsewhere."""
        self._front.draining = True

    async def stop(self, max_wait: float = 2.0) -> None:
        """Hang up every leg, wait for their ends, `max_wait` seconds at most, and close."""
        if not self._running:
            return
        self._front.closing = True
        for leg_id in list(self._legs):
            self.execute_command(leg_id, HangUpLeg("stopping"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max_wait if self._stack.calls else 0):
                await self._idle.wait()
        left = list(self._legs.values())
        for leg in left:
            leg.on_stack_event(StackEvent(leg.call, "disconnected", 408))
        self._queue.drain()
        self._running = False
        await self._locator.close()
        self._front.close()
        self._stack.stop()
        log.info("sip_stopped", count=len(left))

    def _tick(self) -> None:
        if self._running:
            # First: what fails below is tried again.
            asyncio.get_running_loop().call_later(_TICK, self._tick)
            self._stack.poll()
            if self._front.closing and not self._stack.calls:
                self._idle.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def address(self) -> Address:
        """Where peers reach us."""
        return self._front.address

    # --- legs -------------------------------------------------------------------------------------

    def new_leg(self) -> LegId:
        """A fresh id, for an InviteLeg."""
        return LegId(token(8))

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        """Carry out a command. Raises LookupError for an InviteLeg to a trunk that was never
        configured."""
        if isinstance(command, InviteLeg):
            self._invite(leg, command)
            return
        known = self._legs.get(leg)
        if known is not None and not known.execute_command(command):
            self._count["commands_out_of_place"] += 1
            log.warning("command_out_of_place", leg=leg, kind=type(command).__name__, state=known.state.name)

    def _invite(self, leg_id: LegId, command: InviteLeg) -> None:
        peer = self._trunks.peers[command.trunk]
        hops = [hop for hop in peer.hops(self._now()) if hop.transport is Transport.UDP]
        if not command.offer or command.replaces:  # see docs/pjsua2.md
            self._emit(leg_id, LegFailed(488, reason_phrase(488)))
            return
        if not hops or self._front.closing or not self._fits(1):
            self._emit(leg_id, LegFailed(503, reason_phrase(503), retry_after=_LATER))
            return
        invite = new_invite(command, peer, hops[0], self._front.host, "")
        leg = self._leg(leg_id, peer, hops[0])
        leg.invite = msgspec.structs.replace(
            invite,
            from_=invite.from_.removesuffix(";tag="),
            lines=leg.crossing_lines(MessageClass.INVITE, command.carried),
        )
        leg.local = command.offer
        self._legs[leg_id] = leg
        self._front.add(leg, invite.call_id)
        self._count["legs_out"] += 1
        if not self._stack.dial(leg.call, self._front.port):
            leg.on_stack_event(StackEvent(leg.call, "disconnected", 503))

    def _invited(self, peer: Peer, request: Request) -> PjsuaLeg:
        leg = self._leg(self.new_leg(), peer, request.source)
        leg.request, leg.state = request, PjsuaLegState.INVITED
        asyncio.get_running_loop().call_later(_LINGER, self._drop, leg)
        return leg

    def _drop(self, leg: PjsuaLeg) -> None:
        """Forget it, where PJSIP would not have it."""
        if not leg.reported:
            self._front.forget(leg)

    def _leg(self, leg_id: LegId, peer: Peer, source: Hop) -> PjsuaLeg:
        def respond(request: Request, code: int, text: str, lines: tuple[str, ...]) -> None:
            self._front.respond(leg, request, code, text, lines)

        def emit(event: LegEvent) -> None:
            self._emit(leg_id, event)

        leg = PjsuaLeg(leg_id, token(16), peer, source, self._front.host, self._stack, emit, respond)
        return leg

    def _on_stack_event(self, event: StackEvent) -> None:
        leg = self._front.find(event.call)
        if leg is None:
            return
        if event.state == "invited":
            self._legs[leg.id] = leg
            self._count["legs_in"] += 1
        leg.on_stack_event(event)

    def _room(self) -> bool:
        """Whether another call of two legs has its places: those of calls that have not called out
        yet are promised."""
        incoming = sum(1 for leg in self._legs.values() if leg.request is not None)
        promised = max(0, 2 * incoming - self._stack.calls)
        return self._fits(2 + promised)

    def _fits(self, legs: int) -> bool:
        """Whether PJSIP has places and sockets for so many more; a quarter of the sockets is left
        to what it is cancelling."""
        sockets = max(SOCKETS, self._places * 3 // 4)
        return self._stack.calls + legs <= self._places and self._stack.held + legs <= sockets

    # --- events -----------------------------------------------------------------------------------

    def _emit(self, leg: LegId, event: LegEvent) -> None:
        self._queue.emit(leg, event)
        if isinstance(event, LegFailed | LegHungUp):
            over = self._legs.pop(leg, None)
            if over is not None:
                asyncio.get_running_loop().call_later(_LINGER, self._front.forget, over)

    # --- what can be counted ----------------------------------------------------------------------

    @property
    def open_legs(self) -> int:
        """Number of legs."""
        return len(self._legs)

    @property
    def free(self) -> bool:
        """Whether PJSIP holds no call."""
        return not self._stack.calls

    def registration(self, trunk: str) -> str | None:
        """This engine registers nowhere."""
        return None

    def call_id(self, leg: LegId) -> str:
        """The Call-ID of a leg, as its peer knows it; "" where it is over."""
        found = self._legs.get(leg)
        return found.call_id if found is not None else ""

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        """The ways to a trunk, and whether each is well."""
        peer, now = self._trunks.peers[trunk], self._now()
        return tuple(
            HopView(address=hop.host, port=hop.port, transport=hop.transport, usable=peer.usable(hop, now))
            for hop in list(peer.health)
        )

    def counters(self) -> dict[str, int]:
        """Totals since the start, and the present number of legs."""
        return dict(self._count) | {
            "legs": len(self._legs),
            "pjsip_calls": self._stack.calls,
            "places": self._places,
        }
