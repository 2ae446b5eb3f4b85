"""Signalling without sockets: the legs of an engine, commands to them and events of them.

Rule 1: nothing that the network sends raises out of here; it becomes an event, an answer, or a
        number in the counters.
Rule 2: events are delivered in order, after what caused them has been finished with, never from
        within `execute_command`.
Rule 3: every leg ends with exactly one LegFailed or LegHungUp, also where the call itself ended it.
Rule 4: all of it can be written out between two messages and read back into another, fresh one,
        which goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from b2bua.call.leg import LegEvent, LegFailed, LegId
from b2bua.call.leg_command import (
    AnswerLeg,
    AnswerReferral,
    AnswerReinvite,
    ConfirmLeg,
    HangUpLeg,
    InviteLeg,
    LegCommand,
    NotifyLeg,
    ReinviteLeg,
    RejectLeg,
    RejectReinvite,
    RequestLeg,
    RespondLeg,
    RingLeg,
)
from b2bua.sip.auth.challenger import DigestChallenger
from b2bua.sip.dispatch import Dispatcher
from b2bua.sip.event_queue import EventQueue
from b2bua.sip.hop import Hop
from b2bua.sip.leg.leg_base import Leg
from b2bua.sip.leg.leg_context import LegContext
from b2bua.sip.leg.uac import UacLeg
from b2bua.sip.leg.uas import UasLeg
from b2bua.sip.message.compose import reason_phrase
from b2bua.sip.snapshot import restore_engine, restore_legs, write_engine, write_legs
from b2bua.sip.transaction.layer import TransactionLayer
from b2bua.sip.transaction.scheduler import GRAIN_OF_T1, Loop, Scheduler
from b2bua.sip.transaction.tap import Tap
from b2bua.sip.transaction.transaction import Timers
from b2bua.sip.transport.framer import BrokenStream
from b2bua.sip.transport.interface import LostConnection
from b2bua.sip.transport.transports import Transports
from b2bua.sip.trunk.registrar import Registrar
from b2bua.sip.trunk.trunk_table import TrunkTable
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)


class Signalling:
    """The signalling of one engine. `context` has its legs and dialogs."""

    def __init__(
        self,
        loop: Loop,
        timers: Timers,
        transports: Transports,
        trunks: TrunkTable,
        count: Counter[str],
        tap: Tap,
        on_event: Callable[[LegId, LegEvent], None],
        *,
        user_agent: str = "Tonewall",
        realm: str = "tonewall",
        on_relocated: Callable[[], None] = lambda: None,
        on_settled: Callable[[], None] = lambda: None,
        bindings: Path | None = None,
    ) -> None:
        """`on_relocated`: a trunk registered from somewhere else; `on_settled`: all events were
        delivered; `bindings`: the file that keeps where trunks registered from."""
        self._trunks, self._count = trunks, count
        self._queue = EventQueue(loop.call_soon, count, on_event, on_settled)
        scheduler = Scheduler(loop, GRAIN_OF_T1 * timers.t1)
        layer = TransactionLayer(transports, self._queue.defer, scheduler, timers, tap)
        self.context = LegContext[Leg](
            layer, scheduler, timers, transports, user_agent, tap, count, self._queue.emit
        )
        challenger = DigestChallenger(realm)
        self._registrar = Registrar(self.context, trunks, challenger, on_relocated, bindings)
        self._dispatcher = Dispatcher(self.context, trunks, new_leg, challenger, self._registrar)

    # --- life -------------------------------------------------------------------------------------

    def restore_bindings(self) -> None:
        """Find the trunks again that registered with an earlier process."""
        self._registrar.restore()

    def deliver_events(self) -> None:
        """Empty the queue of events and deferred work."""
        self._queue.drain()

    def drain(self) -> None:
        """Answer OPTIONS with 503 from now on: peers send new calls elsewhere."""
        self._dispatcher.drain()

    def hang_up_all(self) -> None:
        """Hang up every leg, and take no new ones."""
        self._dispatcher.refuse_new_calls()
        for leg in list(self.context.legs):
            self.execute_command(leg, HangUpLeg("stopping"))

    def close(self) -> int:
        """Report the end of legs that are still there; returns how many."""
        left = list(self.context.legs.values())
        for unfinished in left:
            unfinished.report_end()
        self.context.scheduler.close()
        return len(left)

    def snapshot(self) -> bytes:
        """Deliver the events so far, then write all legs with their transactions and timers.

        INFO and MESSAGE under way are left out: they may hold a key. Raises SnapshotError.
        """
        self._queue.drain()
        return write_engine(self.context, self._trunks.peers)

    def restore(self, data: bytes) -> None:
        """Restore the legs of another engine before anything is received.

        Raises SnapshotError, and has then restored nothing.
        """
        restore_engine(data, self.context, self._trunks.peers)

    def write_legs(self, legs: Iterable[LegId]) -> bytes:
        """Write these legs alone, as they are between two events. Raises SnapshotError."""
        return write_legs(self.context, self._trunks.peers, legs)

    def restore_legs(self, data: bytes, *, acknowledged: bool = False) -> tuple[LegId, ...]:
        """Restore legs of an engine that died; their ids. `acknowledged`: the ACK of our 2xx has
        come since they were written. Raises SnapshotError, and has then restored nothing."""
        legs = restore_legs(data, self.context, self._trunks.peers, acknowledged=acknowledged)
        for leg in map(self.context.legs.__getitem__, legs):
            # The trunk may have been elsewhere, or be gone, while the process before knew it.
            self._trunks.add_former_address(leg.peer, leg.source.host)
        return legs

    # --- what the calls ask -----------------------------------------------------------------------

    def execute_command(self, leg: LegId, command: LegCommand) -> None:
        """Carry out a command. What goes wrong in the network comes back as an event; a leg that
        ended is ignored.
        """
        if isinstance(command, InviteLeg):
            self._invite(leg, command)
        else:
            known = self.context.legs.get(leg)
            if known is not None and not _apply_command(known, command):
                self._count["commands_out_of_place"] += 1
                log.warning("command_out_of_place", leg=leg, kind=type(command).__name__, state=known.state)

    def _invite(self, leg: LegId, command: InviteLeg) -> None:
        # One that is gone may still be the next place of a call that is being set up.
        context, peer = self.context, self._trunks.peers.get(command.trunk)
        if leg in context.legs:
            self._count["commands_out_of_place"] += 1
            return
        now = context.scheduler.now()
        hops = peer.hops(now) if peer is not None else []
        if peer is None or not hops or self._dispatcher.closing:
            later = 0 if peer is None or self._dispatcher.closing else peer.retry_after(now)
            context.tap.record_no_hop(leg)
            self._queue.emit(leg, LegFailed(503, reason_phrase(503), retry_after=later))
        else:
            context.legs[leg] = UacLeg(context, leg, peer, hops, command)
            self._count["legs_out"] += 1

    # --- what the network sends -------------------------------------------------------------------

    def receive_message(self, data: bytes, source: Hop) -> None:
        """Receive one message, and deliver the events that it causes."""
        self._count["received"] += 1
        self._queue.run(lambda: self._dispatcher.dispatch_message(data, source))

    def on_broken_stream(self, broken: BrokenStream, source: Hop) -> None:
        """Receive the end of a stream that cannot be framed any further."""
        self._queue.run(lambda: self._dispatcher.on_broken_stream(broken, source))

    def on_connection_lost(self, lost: LostConnection) -> None:
        """Defer the loss of a connection: it may be lost while a message is being sent over it."""
        self._queue.defer(lambda: self._dispatcher.on_connection_lost(lost))


def new_leg() -> LegId:
    """A fresh id, for an InviteLeg."""
    return LegId(token(8))


def _apply_command(leg: object, command: LegCommand) -> bool:
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
            leg.reinvite.send_offer(command.offer)
        case ((UacLeg() | UasLeg()), AnswerReinvite()):
            return leg.reinvite.answer_offer(command.answer)
        case ((UacLeg() | UasLeg()), RejectReinvite()):
            return leg.reinvite.reject_offer(command.code, command.phrase)
        case ((UacLeg() | UasLeg()), RequestLeg()):
            leg.mid_dialog.send_request(command)
        case ((UacLeg() | UasLeg()), RespondLeg()):
            return leg.mid_dialog.answer_request(
                command.request, command.code, command.phrase, command.packages
            )
        case ((UacLeg() | UasLeg()), AnswerReferral()):
            return leg.referrals.answer_refer(command.referral, command.code, command.phrase)
        case ((UacLeg() | UasLeg()), NotifyLeg()):
            # A peer that unsubscribed gets none.
            leg.referrals.notify_progress(command.referral, command.code, command.phrase)
        case _:
            return False
    return True
