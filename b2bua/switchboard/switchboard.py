"""The switchboard: every call that there is, and the events that move it. No policy of its own.

Rule 1: one event at a time (`turns.py`); what a call then asks for is carried out (`execution.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial

from b2bua.call.attended_join import JoinCandidate, plan_join
from b2bua.call.call import Call
from b2bua.call.cdr import CallRecord
from b2bua.call.command import CallCommand
from b2bua.call.leg import (
    LegEvent,
    LegFailed,
    LegHungUp,
    LegId,
    LegInvited,
    LegReferred,
    RejectLeg,
)
from b2bua.call.routing.limits import Limiter
from b2bua.call.view import CallView, Fault, PaymentView, ServiceView, TrunkView
from b2bua.ladder.ladders import Ladders
from b2bua.records.payments import PaymentTable
from b2bua.records.store import RecordsFault
from b2bua.switchboard.entry import Entry, restore_entries, snapshot_entries
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.faults import Faults
from b2bua.switchboard.interfaces import Engine, Media, Plan
from b2bua.switchboard.payment_requests import PaymentRequests
from b2bua.switchboard.payments import Payments
from b2bua.switchboard.registry import Registry
from b2bua.switchboard.run_queue import RunQueue
from b2bua.switchboard.status import health, trunks
from b2bua.switchboard.view_feed import Feed
from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureChanged,
    ChargeResolved,
    Counted,
    CountSessions,
    Done,
    ResolveCharge,
    SetRemote,
    Side,
)
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)


class Switchboard(PaymentRequests):
    """All calls. Implements `CallDesk` for the API; fed by the engine and by media. Lives on one
    event loop."""

    def __init__(
        self,
        plan: Plan,
        record: Callable[[CallRecord], None],
        clock: Callable[[], float],
        ladders: Ladders | None = None,
        records: Callable[[], RecordsFault | None] = lambda: None,
        payments: PaymentTable | None = None,
    ) -> None:
        """`clock` gives seconds since the epoch and never runs backwards; `records`: what is wrong
        with the call records."""
        self._plan, self._clock = plan, clock
        self._ladders = ladders or Ladders()
        self._engine: Engine | None = None
        self._media: Media | None = None
        self._feed = Feed()
        self._turns = RunQueue()
        self._limiter = Limiter(plan.limits)
        self._lines = Registry(self._limiter, self._ladders)
        self._counted: Counted | None = None
        self._payments = Payments(payments or PaymentTable(), clock, self._feed.publish_payment, record)
        self._faults = Faults(
            lambda: self._media is not None and self._media.connected, records, clock, self._payments.fault
        )
        self._execution = Executor(
            self._lines,
            self._limiter,
            self._ladders,
            self._feed,
            self._payments.record_call,
            clock,
            self._turns,
            self.on_leg_event,
            self._payments,
        )

    def connect(self, engine: Engine, media: Media) -> None:
        """Plug in what carries out the commands; before anything is received."""
        self._engine, self._media = engine, media
        self._execution.connect(engine, media)

    # --- from the SIP engine ----------------------------------------------------------------------

    def on_leg_event(self, leg: LegId, event: LegEvent) -> None:
        self._turns.take(
            lambda: (
                self._invited(leg, event) if isinstance(event, LegInvited) else self._leg_event(leg, event)
            )
        )

    def _invited(self, leg: LegId, event: LegInvited) -> None:
        near = self._plan.router.side(event.trunk)
        if near is None or self._media is None or not self._media.connected:
            self._execution.to_engine(leg, RejectLeg(503, "Service Unavailable"))
            return
        later = self._limiter.take(event.trunk, leg, self._clock())
        if later:
            self._execution.to_engine(leg, RejectLeg(503, "Service Unavailable", retry_after=later))
            return
        if event.replaces is not None:
            self._replace(leg, event, event.replaces)
            return
        decision = self._plan.router.decide(event)
        route = self._plan.route(near, event.trunk, decision)
        call_id, origin, seed = token(8), int(token(7), 16), secrets.token_bytes(32)
        call, commands = Call.begin(call_id, event, route, origin, seed, self._plan.guard_time, self._clock())
        line = Entry(call, {near: leg})
        self._lines.began(line)
        self._ladders.begin_call(leg, near, event.trunk, call.view())
        log.info("call", call=call_id, trunk=event.trunk, route=decision.rule, state="invited")
        self._execution.carry_out(line, commands)

    def _replace(self, leg: LegId, event: LegInvited, replaced: LegId) -> None:
        """A leg that wants the place of one of a call's."""
        line, side = self._lines.of(replaced) or (None, None)
        if line is None or side is None or line.call.transfer.active:
            self._limiter.release(leg)
            self._execution.to_engine(leg, RejectLeg(481 if line is None else 491, ""))
            return
        self._lines.place(line, None, leg)
        self._ladders.join_leg(line.call.id, leg, side, event.trunk)
        log.info("leg", call=line.call.id, side=side.value, state="wants this place")
        self._execution.step(line, lambda now: line.call.replaced(side, event, now))

    def _leg_event(self, leg: LegId, event: LegEvent) -> None:
        if isinstance(event, LegFailed | LegHungUp):
            self._limiter.release(leg)
        found = self._lines.of(leg)
        if found is not None:
            line, side = found
            name = side.value if side is not None else "joining"
            log.debug("leg", call=line.call.id, side=name, what=type(event).__name__)
            if side is None:
                self._execution.step(line, lambda now: line.call.joining_event(event, now))
            elif isinstance(event, LegReferred) and event.replaces is not None:
                self._join_calls(line, side, event, event.replaces)
            else:
                self._execution.step(line, lambda now: line.call.leg_event(side, event, now))

    def _join_calls(self, line: Entry, side: Side, event: LegReferred, replaced: LegId) -> None:
        """A transfer whose target is another call of ours: one of the two lends its leg to the
        other."""
        chosen = plan_join(JoinCandidate(line.call, side), self._lines.half(replaced), self._plan.router.side)
        if isinstance(chosen, int):
            self._execution.step(
                line, lambda now: line.call.refuse_referral(side, event.referral, chosen, now)
            )
            return
        host, lender = self._lines.borrow(line, replaced, lender_asked=chosen.lender_asked)
        log.info("call", call=lender.call.id, state="joins another call")
        lent, commands = lender.call.lend(chosen.lends, self._clock())
        self._execution.carry_out(lender, commands)
        self._execution.step(host, lambda now: host.call.joined(chosen, lent, event.referral, now))

    # --- from media -------------------------------------------------------------------------------

    def on_media_answer(self, command: AnyCommand, answer: AnyAnswer) -> None:
        if isinstance(answer, Counted):
            self._counted = answer
            self._faults.counted(answer)
            self._feed.publish_service(ServiceView(faults=self.faults()))
            return
        if isinstance(command, ResolveCharge):
            if isinstance(answer, ChargeResolved) and answer.outcome is not None:
                self._found(self._payments.news(command.charge.idempotency_key, answer.outcome))
            return
        if isinstance(answer, Done) and isinstance(command, SetRemote) and not command.mark:
            return  # as expected, and it moves no call
        self._ladders.note_media(command, answer)
        line = self._lines.get(command.session)
        if line is not None:
            self._turns.take(
                lambda: self._execution.step(line, lambda now: line.call.media_answered(command, answer, now))
            )

    def on_media_news(self, news: AnyNews) -> None:
        line = self._lines.get(news.session)
        if line is not None:
            self._turns.take(lambda: self._execution.step(line, lambda now: line.call.media_news(news, now)))
        elif isinstance(news, CaptureChanged):
            self._payments.settle(news)

    def _found(self, news: CaptureChanged | None) -> None:
        """An outcome that was asked for."""
        if news is not None:
            log.info("payment_outcome_found", idempotency_key=news.capture)
            self.on_media_news(news)

    def on_media_state(self, connected: bool) -> None:
        self._faults.new_media()
        if connected:
            log.info("media_connected")
            self.count()
            return
        self._counted = None
        self._feed.publish_service(ServiceView(faults=self.faults()))
        log.error(
            "media_lost",
            calls=len(self._lines),
            why="the media process ended; its calls end, new ones wait for it",
        )
        self._each(Call.media_lost)
        self._payments.lose_media()

    def count(self) -> None:
        """Ask media what it holds, for the health check; followers are told what is wrong once it
        has answered."""
        self._payments.look()
        if self._media is not None and self._media.connected:
            self._media.send(CountSessions())
            for question in self._payments.questions():
                self._media.send(question)
        for late in self._payments.given_up():
            log.error("payment_outcome_not_found", idempotency_key=late.capture)
            self._found(late)

    def shut_down(self) -> None:
        """End every call in good order."""
        self._each(Call.shut_down)

    async def settle(self, patience: float) -> None:
        """After `shut_down`: wait for the last answers and outcomes, at most so many seconds; then
        record what is left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience if self._lines else 0):
                await self._lines.idle.wait()
        self._each(Call.media_lost)
        for line in self._lines.all():
            self._execution.record_unfinished(line)
        self._feed.close()
        await self._payments.close()

    async def resume_payments(self) -> None:
        """Go on with payments that an earlier process left open. Raises sqlite3.Error."""
        await self._payments.resume()

    async def prune_payments(self, before: float) -> None:
        """Forget payments that started before this time. Raises sqlite3.Error."""
        await self._payments.prune(before)

    # --- to be written out, and read back ---------------------------------------------------------

    def snapshot(self, now: float) -> bytes:
        """Every call, between two events; the engine's legs are written first, for that delivers
        what has happened to them.

        `now`: on the monotonic clock. Raises SnapshotError.
        """
        return snapshot_entries(self._lines.all(), self._limiter.places(), now)

    def restore(self, data: bytes, now: float) -> None:
        """Go on with the calls that were written elsewhere, before any event. Raises SnapshotError:
        then none was taken."""
        lines, places = restore_entries(data, now)
        self._limiter.restore(places)
        for line in lines:
            self._lines.began(line)
            self._feed.publish(line.call.view())
            self._payments.adopt(line.call.view())
            self._execution.schedule(line)

    def abandon(self) -> None:
        """Stop, without a word to anybody: another goes on with what was `snapshot_entries`."""
        for line in self._lines.all():
            line.stop()
        self._feed.close()

    # --- CallDesk ---------------------------------------------------------------------------------

    def calls(self) -> list[CallView]:
        return self._feed.calls()

    def follow(self) -> AsyncIterator[CallView | PaymentView | ServiceView]:
        return self._feed.follow()

    def trunks(self) -> list[TrunkView]:
        return trunks(self._plan.router, self._limiter, self._engine)

    def health(self) -> dict[str, int | bool]:
        return health(len(self._lines), self._engine, self._media, self._counted)

    def faults(self) -> tuple[Fault, ...]:
        return self._faults.all()

    def _each(self, happen: Callable[[Call, float], list[CallCommand]]) -> None:
        for line in self._lines.all():
            self._turns.take(partial(self._execution.step, line, partial(happen, line.call)))
