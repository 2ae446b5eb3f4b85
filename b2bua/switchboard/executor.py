"""The commands of calls, carried out: on their legs, in media, in what is shown and recorded.

Rule 1: an error in one call ends that call, never another.
Rule 2: what a command causes comes back as an event, in its turn; but what a call lends or borrows
        is told to the other at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.command import (
    CallCommand,
    Record,
    ReleaseLeg,
    ReplaceLeg,
    Show,
    ToBorrower,
    ToLeg,
    ToMedia,
    ToReplacement,
)
from b2bua.call.leg import HangUpLeg, InviteLeg, LegCommand, LegEvent, LegFailed, LegHungUp, LegId, RejectLeg
from b2bua.call.routing.limits import Limiter
from b2bua.call.view import CallState, CaptureStage
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.words import NoteKind
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.interfaces import Engine, Media
from b2bua.switchboard.payments import Payments
from b2bua.switchboard.registry import Registry
from b2bua.switchboard.run_queue import RunQueue
from b2bua.switchboard.view_feed import Feed
from media.events import CloseSession, Side
from tonewall.log import get_logger

log = get_logger(__name__)


class Executor:
    """What the calls of one switchboard ask for. `hear` takes what happens to a leg that the engine
    never saw."""

    def __init__(
        self,
        lines: Registry,
        limiter: Limiter,
        ladders: Ladders,
        feed: Feed,
        record: Callable[[CallRecord], None],
        clock: Callable[[], float],
        turns: RunQueue,
        hear: Callable[[LegId, LegEvent], None],
        payments: Payments,
    ) -> None:
        self._payments = payments
        self._lines, self._limiter, self._ladders, self._feed = lines, limiter, ladders, feed
        self._record, self._clock, self._turns, self._hear = record, clock, turns, hear
        self._engine: Engine | None = None
        self._media: Media | None = None

    def connect(self, engine: Engine, media: Media) -> None:
        """Before any command."""
        self._engine, self._media = engine, media

    def step(self, line: Entry, happen: Callable[[float], list[CallCommand]]) -> None:
        """Let something happen to a call, now, and carry out what it asks for; where that fails,
        the call ends."""
        if self._lines.get(line.call.id) is not line:
            return  # it was forgotten while this waited for its turn
        try:
            self._perform(line, happen(self._clock()))
        except Exception as error:
            self._fail(line, error)

    def carry_out(self, line: Entry, commands: list[CallCommand]) -> None:
        self.step(line, lambda _: commands)

    def to_engine(self, leg: LegId, command: LegCommand) -> None:
        assert self._engine is not None
        self._engine.execute_command(leg, command)

    def schedule(self, line: Entry) -> None:
        """Set the timer to the call's deadline."""
        due = line.call.deadline()
        if due == line.due:
            return
        line.stop()
        line.due = due
        if due is not None:
            delay = max(0.0, due - self._clock())
            line.timer = asyncio.get_running_loop().call_later(delay, self._expire, line)

    def _perform(self, line: Entry, commands: list[CallCommand]) -> None:
        for command in commands:
            match command:
                case ToLeg(side, InviteLeg() as invite):
                    self._invite(line, side, invite)
                case ToLeg(side, leg_command):
                    if side in line.legs:
                        self.to_engine(line.legs[side], leg_command)
                case ToMedia(media_command):
                    assert self._media is not None
                    self._media.send(media_command)
                case Show(view):
                    self._feed.publish(view)
                    self._payments.observe(view)
                    self._ladders.note_view(view)
                case Record(record):
                    self._record(record)
                    log.info(
                        "call", call=line.call.id, state="ended", reason=record.end[:80], code=record.code
                    )
                case ToReplacement(InviteLeg() as invite):
                    self._invite(line, None, invite)
                case ToReplacement(leg_command):
                    self._to_joining(line, leg_command)
                case ReplaceLeg(side):
                    self._seat(line, side)
                case ReleaseLeg():
                    self._give_back(line)
                case ToBorrower(event):
                    self._to_borrower(line, event)
        self.schedule(line)
        if line.call.over:
            self._forget(line)

    def _invite(self, line: Entry, side: Side | None, invite: InviteLeg) -> None:
        """A new leg. Where its trunk is full, it fails as if the peer had refused it."""
        assert self._engine is not None
        leg = self._engine.new_leg()
        self._lines.place(line, side, leg)
        self._ladders.add_leg(line.call.id, leg, side or line.call.transfer.side, invite.trunk)
        later = self._limiter.take(invite.trunk, leg, self._clock())
        if later:
            self._ladders.note_not_opened(leg, NoteKind.FULL)
            self._hear(leg, LegFailed(503, "Service Unavailable", retry_after=later))
        else:
            self.to_engine(leg, invite)

    def _to_joining(self, line: Entry, command: LegCommand) -> None:
        lender = line.lender
        if lender is not None:
            self.step(lender, lambda now: lender.call.asked(command, now))
        elif line.joining is not None:
            self.to_engine(line.joining, command)
            if isinstance(command, RejectLeg):
                self._lines.unjoin(line)

    def _to_borrower(self, line: Entry, event: LegEvent) -> None:
        """Not before all that this call has to do is done."""
        borrower = line.borrower
        if borrower is not None:
            if isinstance(event, LegHungUp):
                self._lines.give_back(borrower)
            self._turns.take(lambda: self.step(borrower, lambda now: borrower.call.joining_event(event, now)))

    def _give_back(self, line: Entry) -> None:
        lender = self._lines.give_back(line)
        if lender is not None:
            self.step(lender, lender.call.given_back)

    def _seat(self, line: Entry, side: Side) -> None:
        lender = self._lines.seat(line, side)
        log.info("call", call=line.call.id, side=side.value, state="transferred")
        if lender is not None:
            self.step(lender, lambda now: lender.call.kept(line.call.id, now))

    def _expire(self, line: Entry) -> None:
        line.timer = line.due = None
        self._turns.take(lambda: self.step(line, line.call.expire))

    def _fail(self, line: Entry, error: Exception) -> None:
        log.error("call_failed", call=line.call.id, exc_info=error)
        self._abandon(line)

    def _abandon(self, line: Entry) -> None:
        """A bug of ours: end this call's legs and show it no more; its mask, if any, stays on until
        media closes the session."""
        for leg in line.all_legs():
            self.to_engine(leg, HangUpLeg("internal error"))
        if self._media is not None:
            self._media.send(CloseSession(session=line.call.bridge.session))
        line.call.payment.call_ended()
        self.record_unfinished(line)
        self._forget(line)
        view = msgspec.structs.replace(line.call.view(), state=CallState.ENDED)
        self._payments.observe(view)
        charging = view.capture is not None and view.capture.stage is CaptureStage.CHARGING
        # Of a charge under way followers hear as of a payment: nothing more comes of this call.
        self._feed.publish(msgspec.structs.replace(view, capture=None) if charging else view)

    def record_unfinished(self, line: Entry) -> None:
        """Record a call that is forgotten before it is over; where it is being charged, once that
        is final."""
        payment, record = line.call.payment, line.call.record(self._clock())
        if line.call.recorded:
            return
        if payment.view is not None and payment.view.stage is CaptureStage.CHARGING:
            self._payments.leave_call(payment.view.id, record)
        else:
            self._record(record)

    def _forget(self, line: Entry) -> None:
        self._lines.forget(line)
        # Where it ended by a bug of ours, it may have borrowed a leg, or lent one.
        self._give_back(line)
        self._to_borrower(line, LegHungUp("internal error"))
