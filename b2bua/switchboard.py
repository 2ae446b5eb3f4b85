"""The switchboard: every call that there is, the events that move it, and the commands carried out. No policy of its own.

Rule 1: one event at a time: what a command causes at once waits until the event before it is done.
Rule 2: an error in one call ends that call, never another.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial

from b2bua.api.feed import Feed
from b2bua.call.call import Call
from b2bua.call.cdr import CallRecord
from b2bua.call.command import CallCommand, GiveBack, Record, Seat, Show, ToBorrower, ToJoining, ToLeg, ToMedia
from b2bua.call.joining import Half, choose
from b2bua.call.leg import (
    HangUpLeg,
    InviteLeg,
    LegCommand,
    LegEvent,
    LegFailed,
    LegHungUp,
    LegId,
    LegInvited,
    LegReferred,
    RejectLeg,
)
from b2bua.call.limits import Limiter
from b2bua.call.view import CallView, NoSuchCall, Order, TrunkView
from b2bua.ladder.book import Ladders
from b2bua.ladder.words import What
from b2bua.line import Line, read_back, written
from b2bua.lines import Lines
from b2bua.overview import health, trunks
from b2bua.plan import Engine, Media, Plan
from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    Field,
    SetRemote,
    Side,
)
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)


class Switchboard:
    """All calls. Implements `CallDesk` for the API; fed by the engine and by media. Lives on one event loop."""

    def __init__(
        self,
        plan: Plan,
        record: Callable[[CallRecord], None],
        clock: Callable[[], float],
        ladders: Ladders | None = None,
    ) -> None:
        """`clock` gives seconds since the epoch and never runs backwards."""
        self._plan, self._record, self._clock = plan, record, clock
        self._ladders = ladders or Ladders()
        self._engine: Engine | None = None
        self._media: Media | None = None
        self._feed = Feed()
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False
        self._limiter = Limiter(plan.limits)
        self._lines = Lines(self._limiter, self._ladders)
        self._idle = asyncio.Event()  # set when the last call was forgotten
        self._counted: Counted | None = None

    def connect(self, engine: Engine, media: Media) -> None:
        """Plug in what carries out the commands; before anything is received."""
        self._engine, self._media = engine, media

    # --- from the SIP engine --------------------------------------------------------------------------------------

    def on_leg_event(self, leg: LegId, event: LegEvent) -> None:
        self._do(lambda: self._invited(leg, event) if isinstance(event, LegInvited) else self._leg_event(leg, event))

    def _invited(self, leg: LegId, event: LegInvited) -> None:
        near = self._plan.router.side(event.trunk)
        if near is None or self._media is None or not self._media.connected:
            self._to_engine(leg, RejectLeg(503, "Service Unavailable"))
            return
        later = self._limiter.take(event.trunk, leg, self._clock())
        if later:
            self._to_engine(leg, RejectLeg(503, "Service Unavailable", retry_after=later))
            return
        if event.replaces is not None:
            self._replace(leg, event, event.replaces)
            return
        decision = self._plan.router.decide(event)
        route = self._plan.route(near, event.trunk, decision)
        call_id, origin, seed = token(8), int(token(7), 16), secrets.token_bytes(32)
        call, commands = Call.begin(call_id, event, route, origin, seed, self._plan.guard_time, self._clock())
        line = Line(call, {near: leg})
        self._lines.began(line)
        self._ladders.began(leg, near, event.trunk, call.view())
        self._idle.clear()
        log.info("call", call=call_id, trunk=event.trunk, route=decision.rule, state="invited")
        self._carry_out(line, commands)

    def _replace(self, leg: LegId, event: LegInvited, replaced: LegId) -> None:
        """A leg that wants the place of one of a call's."""
        line, side = self._lines.of(replaced) or (None, None)
        if line is None or side is None or line.call.transfer.active:
            self._limiter.release(leg)
            self._to_engine(leg, RejectLeg(481 if line is None else 491, ""))
            return
        self._lines.place(line, None, leg)
        self._ladders.joined(line.call.id, leg, side, event.trunk)
        log.info("leg", call=line.call.id, side=side.value, state="wants this place")
        self._step(line, lambda now: line.call.replaced(side, event, now))

    def _leg_event(self, leg: LegId, event: LegEvent) -> None:
        if isinstance(event, LegFailed | LegHungUp):
            self._limiter.release(leg)
        found = self._lines.of(leg)
        if found is not None:
            line, side = found
            name = side.value if side is not None else "joining"
            log.debug("leg", call=line.call.id, side=name, what=type(event).__name__)
            if side is None:
                self._step(line, lambda now: line.call.joining_event(event, now))
            elif isinstance(event, LegReferred) and event.replaces is not None:
                self._join_calls(line, side, event, event.replaces)
            else:
                self._step(line, lambda now: line.call.leg_event(side, event, now))

    def _join_calls(self, line: Line, side: Side, event: LegReferred, replaced: LegId) -> None:
        """A transfer whose target is another call of ours: one of the two lends its leg to the other."""
        chosen = choose(Half(line.call, side), self._lines.half(replaced), self._plan.router.side)
        if isinstance(chosen, int):
            self._step(line, lambda now: line.call.refuse_referral(side, event.referral, chosen, now))
            return
        host, lender = self._lines.borrow(line, replaced, lender_asked=chosen.lender_asked)
        log.info("call", call=lender.call.id, state="joins another call")
        lent, commands = lender.call.lend(chosen.lends, self._clock())
        self._carry_out(lender, commands)
        self._step(host, lambda now: host.call.joined(chosen, lent, event.referral, now))

    # --- from media -----------------------------------------------------------------------------------------------

    def on_media_answer(self, command: AnyCommand, answer: AnyAnswer) -> None:
        if isinstance(answer, Counted):
            self._counted = answer
            return
        if isinstance(answer, Done) and isinstance(command, SetRemote) and not command.mark:
            return  # as expected, and it moves no call
        self._ladders.media(command, answer)
        line = self._lines.get(command.session)
        if line is not None:
            self._do(lambda: self._step(line, lambda now: line.call.media_answered(command, answer, now)))

    def on_media_news(self, news: AnyNews) -> None:
        line = self._lines.get(news.session)
        if line is not None:
            self._do(lambda: self._step(line, lambda now: line.call.media_news(news, now)))

    def on_media_state(self, connected: bool) -> None:
        if connected:
            log.info("media connected")
            self.count()
            return
        self._counted = None
        log.error(
            "media lost", calls=len(self._lines), why="the media process ended; its calls end, new ones wait for it"
        )
        self._each(Call.media_lost)

    def count(self) -> None:
        """Ask media what it holds, for the health check."""
        if self._media is not None and self._media.connected:
            self._media.send(CountSessions())

    def shut_down(self) -> None:
        """End every call in good order."""
        self._each(Call.shut_down)

    async def settle(self, patience: float) -> None:
        """After `shut_down`: wait for the last answers and outcomes, at most so many seconds; then record what is left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience if self._lines else 0):
                await self._idle.wait()
        self._each(Call.media_lost)
        self._feed.close()

    # --- to be written out, and read back -------------------------------------------------------------------------

    def written(self, now: float) -> bytes:
        """Every call, between two events; the engine's legs are written first, for that delivers what has happened to them.

        `now`: on the monotonic clock. Raises WrittenError.
        """
        return written(self._lines.all(), self._limiter.places(), now)

    def take_up(self, data: bytes, now: float) -> None:
        """Go on with the calls that were written elsewhere, before any event. Raises WrittenError: then none was taken."""
        lines, places = read_back(data, now)
        self._limiter.take_up(places)
        for line in lines:
            self._idle.clear()
            self._lines.began(line)
            self._feed.publish(line.call.view())
            self._schedule(line)

    def abandon(self) -> None:
        """Stop, without a word to anybody: another goes on with what was `written`."""
        for line in self._lines.all():
            line.stop()
        self._feed.close()

    # --- CallDesk -------------------------------------------------------------------------------------------------

    def calls(self) -> list[CallView]:
        return self._feed.calls()

    async def start_capture(self, call_id: str, order: Order) -> CallView:
        capture = token(16)
        return self._ask(call_id, lambda call, now: call.start_capture(capture, order, now))

    async def reset_capture(self, call_id: str, field: Field | None = None) -> CallView:
        return self._ask(call_id, lambda call, now: call.reset_capture(field, now))

    async def submit_capture(self, call_id: str) -> CallView:
        return self._ask(call_id, lambda call, now: call.submit_capture(now))

    async def cancel_capture(self, call_id: str) -> CallView:
        return self._ask(call_id, lambda call, now: call.cancel_capture(now))

    def follow(self) -> AsyncIterator[CallView]:
        return self._feed.follow()

    def trunks(self) -> list[TrunkView]:
        return trunks(self._plan.router, self._limiter, self._engine)

    def health(self) -> dict[str, int | bool]:
        return health(len(self._lines), self._engine, self._media, self._counted)

    def _ask(self, call_id: str, request: Callable[[Call, float], list[CallCommand]]) -> CallView:
        line = self._lines.get(call_id)
        if line is None or line.call.ended_at is not None:
            raise NoSuchCall("There is no such call, or it has ended.")
        commands = request(line.call, self._clock())
        self._do(lambda: self._carry_out(line, commands))
        return line.call.view()

    # --- carrying out ---------------------------------------------------------------------------------------------

    def _do(self, work: Callable[[], None]) -> None:
        self._queue.append(work)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                try:
                    self._queue.popleft()()
                except Exception as error:  # whatever it was, the other calls' events are still to come
                    log.error("an event failed", exc_info=error)
        finally:
            self._busy = False

    def _each(self, happen: Callable[[Call, float], list[CallCommand]]) -> None:
        for line in self._lines.all():
            self._do(partial(self._step, line, partial(happen, line.call)))

    def _step(self, line: Line, happen: Callable[[float], list[CallCommand]]) -> None:
        try:
            self._perform(line, happen(self._clock()))
        except Exception as error:
            self._fail(line, error)

    def _fail(self, line: Line, error: Exception) -> None:
        log.error("call failed", call=line.call.id, exc_info=error)
        self._abandon(line)

    def _carry_out(self, line: Line, commands: list[CallCommand]) -> None:
        self._step(line, lambda _: commands)

    def _perform(self, line: Line, commands: list[CallCommand]) -> None:
        for command in commands:
            match command:
                case ToLeg(side, InviteLeg() as invite):
                    self._invite(line, side, invite)
                case ToLeg(side, leg_command):
                    if side in line.legs:
                        self._to_engine(line.legs[side], leg_command)
                case ToMedia(media_command):
                    assert self._media is not None
                    self._media.send(media_command)
                case Show(view):
                    self._feed.publish(view)
                    self._ladders.shown(view)
                case Record(record):
                    self._record(record)
                    log.info("call", call=line.call.id, state="ended", reason=record.end[:80], code=record.code)
                case ToJoining(InviteLeg() as invite):
                    self._invite(line, None, invite)
                case ToJoining(leg_command):
                    self._to_joining(line, leg_command)
                case Seat(side):
                    self._seat(line, side)
                case GiveBack():
                    self._give_back(line)
                case ToBorrower(event):
                    self._to_borrower(line, event)
        self._schedule(line)
        if line.call.over:
            self._forget(line)

    def _to_joining(self, line: Line, command: LegCommand) -> None:
        lender = line.lender
        if lender is not None:
            self._step(lender, lambda now: lender.call.asked(command, now))
        elif line.joining is not None:
            self._to_engine(line.joining, command)
            if isinstance(command, RejectLeg):
                self._lines.unjoin(line)

    def _to_borrower(self, line: Line, event: LegEvent) -> None:
        """Not before all that this call has to do is done."""
        borrower = line.borrower
        if borrower is not None:
            if isinstance(event, LegHungUp):
                self._lines.give_back(borrower)
            self._do(lambda: self._step(borrower, lambda now: borrower.call.joining_event(event, now)))

    def _give_back(self, line: Line) -> None:
        lender = self._lines.give_back(line)
        if lender is not None:
            self._step(lender, lender.call.given_back)

    def _invite(self, line: Line, side: Side | None, invite: InviteLeg) -> None:
        """A new leg. Where its trunk is full, it fails as if the peer had refused it."""
        assert self._engine is not None
        leg = self._engine.new_leg()
        self._lines.place(line, side, leg)
        self._ladders.inviting(line.call.id, leg, side or line.call.transfer.side, invite.trunk)
        later = self._limiter.take(invite.trunk, leg, self._clock())
        if later:
            self._ladders.not_opened(leg, What.FULL)
            full = LegFailed(503, "Service Unavailable", retry_after=later)
            self._do(lambda: self._leg_event(leg, full))
        else:
            self._to_engine(leg, invite)

    def _seat(self, line: Line, side: Side) -> None:
        lender = self._lines.seat(line, side)
        log.info("call", call=line.call.id, side=side.value, state="transferred")
        if lender is not None:
            self._step(lender, lambda now: lender.call.kept(line.call.id, now))

    def _to_engine(self, leg: LegId, command: LegCommand) -> None:
        assert self._engine is not None
        self._engine.execute(leg, command)

    def _schedule(self, line: Line) -> None:
        due = line.call.deadline()
        if due == line.due:
            return
        line.stop()
        line.due = due
        if due is not None:
            delay = max(0.0, due - self._clock())
            line.timer = asyncio.get_running_loop().call_later(delay, self._expire, line)

    def _expire(self, line: Line) -> None:
        line.timer = line.due = None
        self._do(lambda: self._step(line, line.call.expire))

    def _abandon(self, line: Line) -> None:
        """A bug of ours: end this call's legs; its mask, if any, stays on until media closes the session."""
        for leg in line.all_legs():
            self._to_engine(leg, HangUpLeg("internal error"))
        if self._media is not None:
            self._media.send(CloseSession(session=line.call.bridge.session))
        if not line.call.recorded:
            self._record(line.call.record(self._clock()))
        self._forget(line)

    def _forget(self, line: Line) -> None:
        self._lines.forget(line)
        self._give_back(line)  # where it ended by a bug of ours, it may have borrowed a leg, or lent one
        self._to_borrower(line, LegHungUp("internal error"))
        if not self._lines:
            self._idle.set()
