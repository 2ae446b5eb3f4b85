"""The default SIP engine: legs on our own transactions, dialogs and transports.

Rule 1: nothing that the network sends raises out of here; it becomes an event, an answer, or a number in `counters`.
Rule 2: events are delivered in order, after the engine has finished with what caused them, never from within `execute`.
Rule 3: every leg ends with exactly one LegFailed or LegHungUp, also where the call itself ended it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

from b2bua.call.leg import (
    AnswerLeg,
    AnswerReferral,
    AnswerReinvite,
    ConfirmLeg,
    HangUpLeg,
    InviteLeg,
    LegCommand,
    LegEvent,
    LegFailed,
    LegId,
    NotifyLeg,
    ReinviteLeg,
    RejectLeg,
    RejectReinvite,
    RequestLeg,
    RespondLeg,
    RingLeg,
)
from b2bua.call.trunk import Trunk
from b2bua.call.view import HopView
from b2bua.ladder.book import Ladders
from b2bua.sip.compose import phrase
from b2bua.sip.connections import Duties, Lost
from b2bua.sip.framer import Broken
from b2bua.sip.guard import Guard
from b2bua.sip.hop import Address, Bind, Hop
from b2bua.sip.layer import TransactionLayer
from b2bua.sip.leg_base import Ground
from b2bua.sip.locator import Locator
from b2bua.sip.probe import Probes
from b2bua.sip.reception import Reception
from b2bua.sip.registrar import Registrar
from b2bua.sip.registration import Registrations
from b2bua.sip.resolve import Resolver
from b2bua.sip.scheduler import GRAIN_OF_T1, Scheduler
from b2bua.sip.stream import Limits
from b2bua.sip.tap import Tap
from b2bua.sip.tls import TlsContexts
from b2bua.sip.transaction import Timers
from b2bua.sip.transports import Transports
from b2bua.sip.trunk import TrunkTable
from b2bua.sip.uac import UacLeg
from b2bua.sip.uas import UasLeg
from tonewall.log import get_logger
from tonewall.tokens import token

_log = get_logger(__name__)


class SipEngine:
    """Legs towards trunks. Everything runs on the event loop that called `start`."""

    def __init__(
        self,
        *,
        binds: Sequence[Bind],
        trunks: Sequence[Trunk],
        on_event: Callable[[LegId, LegEvent], None],
        user_agent: str = "Tonewall",
        timers: Timers | None = None,
        resolver: Resolver | None = None,
        tls: TlsContexts | None = None,
        limits: Limits | None = None,
        ladders: Ladders | None = None,
        realm: str = "tonewall",
    ) -> None:
        """`binds`: where we listen. The first that fits a peer is the one that calls to it leave by. `realm`: of our own
        challenges."""
        self._binds = binds
        self._on_event = on_event
        self._user_agent = user_agent
        self._realm = realm
        self._tap = Tap(ladders or Ladders())
        self._timers = timers or Timers()
        self._counters: Counter[str] = Counter()
        self._trunks = TrunkTable(trunks)
        duties = Duties(self.receive, self._broken, self._lost, self._trunks.names_at)
        self._transports = Transports(duties, {trunk.name: trunk for trunk in trunks}, tls or TlsContexts(), limits)
        self._events: deque[tuple[LegId, LegEvent]] = deque()
        self._inside = False  # whether `_deliver` follows anyway
        self._wake: asyncio.Handle | None = None
        self._locator = Locator(resolver or Resolver(), self._trunks, self._relocated)
        self._probes: Probes | None = None
        self._registrations: Registrations | None = None
        self._idle = asyncio.Event()
        self._ground: Ground | None = None
        self.address: Address = ("", 0)  # the first of those bound

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind and resolve the trunks. Raises OSError where the address cannot be bound."""
        loop = asyncio.get_running_loop()
        scheduler = Scheduler(loop, GRAIN_OF_T1 * self._timers.t1)
        layer = TransactionLayer(self._transports, self._soon, scheduler, self._timers, self._tap)
        self._ground = Ground(
            layer,
            scheduler,
            self._timers,
            self._transports,
            self._emit,
            self._user_agent,
            self._tap,
            count=self._counters,
        )
        guard = Guard(self._realm)
        registrar = Registrar(self._ground, self._trunks, guard, self._counters, self._relocated)
        self._reception = Reception(self._ground, self._trunks, self._counters, self.new_leg, guard, registrar)
        self.address, *_ = await self._transports.open(self._binds, self._trunks.hops)
        families = self._transports.families()
        self._probes = Probes(self._ground, lambda: list(self._trunks.peers.values()))
        await self._locator.start([bind.transport for bind in self._binds], families)
        self._registrations = Registrations(self._ground, list(self._trunks.peers.values()))
        _log.info("sip_started", address=self.address[0], port=self.address[1])

    async def stop(self, patience: float = 2.0) -> None:
        """Hang up every leg, wait for their ends, `patience` seconds at most, and close."""
        ground = self._ground
        if ground is None:
            return
        self._reception.closing = True
        for leg in list(ground.legs):
            self.execute(leg, HangUpLeg("stopping"))
        deadline = ground.scheduler.now() + patience
        if self._registrations is not None:
            self._registrations.leave()
        while not self._finished and ground.scheduler.now() < deadline:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), max(0.0, deadline - ground.scheduler.now()))
            except TimeoutError:
                break
        left = list(ground.legs.values())
        for unfinished in left:
            unfinished.tell_end()
        self._locator.close()
        ground.scheduler.close()
        await self._transports.close()
        self._deliver()
        self._ground = None
        _log.info("sip_stopped", count=len(left))

    def _relocated(self) -> None:
        if self._probes is not None:
            self._probes.refresh()

    # --- what the calls ask ------------------------------------------------------------------------------------------

    def new_leg(self) -> LegId:
        """A fresh id, for an InviteLeg."""
        return LegId(token(8))

    def execute(self, leg: LegId, command: LegCommand) -> None:
        """Carry out a command. What goes wrong in the network comes back as an event; a leg that ended is ignored.

        Raises LookupError for an InviteLeg to a trunk that was never configured.
        """
        ground = self._ground
        if ground is None:
            return
        if isinstance(command, InviteLeg):
            self._invite(ground, leg, command)
        else:
            known = ground.legs.get(leg)
            if known is not None and not _carry_out(known, command):
                self._counters["commands_out_of_place"] += 1
                _log.warning("command_out_of_place", leg=leg, kind=type(command).__name__, state=known.state)
        self._schedule()

    def _invite(self, ground: Ground, leg: LegId, command: InviteLeg) -> None:
        peer = self._trunks.peers[command.trunk]
        if leg in ground.legs:
            self._counters["commands_out_of_place"] += 1
            return
        now = ground.scheduler.now()
        hops = peer.hops(now)
        if not hops or self._reception.closing:
            later = 0 if self._reception.closing else peer.retry_after(now)
            self._tap.no_way(leg)
            self._emit(leg, LegFailed(503, phrase(503), retry_after=later))
        else:
            ground.legs[leg] = UacLeg(ground, leg, peer, hops, command)
            self._counters["legs_out"] += 1

    # --- what the network sends --------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Hop) -> None:
        """Take one message."""
        self._counters["received"] += 1
        self._guarded(lambda: self._reception.receive(data, source))

    def _broken(self, broken: Broken, source: Hop) -> None:
        self._guarded(lambda: self._reception.broken(broken, source))

    def _lost(self, lost: Lost) -> None:
        """Not at once: a connection may be lost while something is being sent over it."""
        self._soon(lambda: self._guarded(lambda: self._reception.lost(lost)))

    def _guarded(self, work: Callable[[], None]) -> None:
        if self._ground is None:
            return
        self._inside = True
        try:
            work()
        except Exception as error:
            # A bug of ours must not stop the calls; it is counted and logged, without the message.
            self._counters["errors"] += 1
            _log.error("sip_receive_failed", exc_info=error)
        finally:
            self._inside = False
        self._deliver()

    # --- events ------------------------------------------------------------------------------------------------------

    def _emit(self, leg: LegId, event: LegEvent) -> None:
        self._events.append((leg, event))
        self._schedule()

    def _soon(self, function: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(function)

    def _schedule(self) -> None:
        if self._events and self._wake is None and not self._inside:
            self._wake = asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        """Hand out what has happened; what the calls do in return is carried out, and its events follow in the queue."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._inside = True
        try:
            while self._events:
                leg, event = self._events.popleft()
                try:
                    self._on_event(leg, event)
                except Exception as error:
                    self._counters["errors"] += 1
                    _log.error("leg_event_failed", leg=leg, kind=type(event).__name__, exc_info=error)
        finally:
            self._inside = False
        if self._finished:
            self._idle.set()

    @property
    def _finished(self) -> bool:
        """Whether no leg is left, and no registration to be given back."""
        legs = self._ground.legs if self._ground is not None else {}
        return not legs and (self._registrations is None or self._registrations.gone)

    # --- what can be counted -----------------------------------------------------------------------------------------

    @property
    def open_legs(self) -> int:
        return len(self._ground.legs) if self._ground is not None else 0

    @property
    def open_dialogs(self) -> int:
        return len(self._ground.dialogs) if self._ground is not None else 0

    @property
    def open_transactions(self) -> int:
        return len(self._ground.layer) if self._ground is not None else 0

    def registration(self, trunk: str) -> str | None:
        """How far our registration at a trunk is; None where there is to be none."""
        return self._registrations.states().get(trunk) if self._registrations is not None else None

    def hops(self, trunk: str) -> tuple[HopView, ...]:
        """The ways to a trunk, and whether each is well."""
        ground, peer = self._ground, self._trunks.peers[trunk]
        if ground is None:
            return ()
        now = ground.scheduler.now()
        return tuple(
            HopView(address=hop.host, port=hop.port, transport=hop.transport, usable=peer.usable(hop, now))
            for hop in list(peer.health)
        )

    def counters(self) -> dict[str, int]:
        """Totals since the start, and the present numbers of legs, dialogs and transactions."""
        now = {"legs": self.open_legs, "dialogs": self.open_dialogs, "transactions": self.open_transactions}
        if self._ground is not None:
            now |= self._trunks.counters(self._ground.scheduler.now())
        return dict(self._counters) | self._transports.counters() | now


def _carry_out(leg: object, command: LegCommand) -> bool:
    """Whether the command fitted the leg's state."""
    match leg, command:
        case ((UacLeg() | UasLeg()), HangUpLeg()):
            leg.hang_up(command.carried)
        case UasLeg(), RingLeg():
            return leg.ring(command)
        case UasLeg(), AnswerLeg():
            return leg.accept(command)
        case UacLeg(), ConfirmLeg():
            return leg.confirm(command.answer)
        case UasLeg(), RejectLeg():
            return leg.refuse(command)
        case ((UacLeg() | UasLeg()), ReinviteLeg()):
            leg.reinvite.send(command.offer)
        case ((UacLeg() | UasLeg()), AnswerReinvite()):
            return leg.reinvite.answer(command.answer)
        case ((UacLeg() | UasLeg()), RejectReinvite()):
            return leg.reinvite.reject(command.code, command.phrase)
        case ((UacLeg() | UasLeg()), RequestLeg()):
            leg.mid_dialog.send(command)
        case ((UacLeg() | UasLeg()), RespondLeg()):
            return leg.mid_dialog.respond(command.request, command.code, command.phrase)
        case ((UacLeg() | UasLeg()), AnswerReferral()):
            return leg.referrals.answer(command.referral, command.code, command.phrase)
        case ((UacLeg() | UasLeg()), NotifyLeg()):
            leg.referrals.notify(
                command.referral, command.code, command.phrase
            )  # whoever stopped listening is not told
        case _:
            return False
    return True
