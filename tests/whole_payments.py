"""Calls with their payments, in one process and a test's own time: switchboard, calls, guide, media
service, captures and vaults are real; SIP engine, core, payers and provider are played.

Rule 1: what must not happen is noted in `wrong`, with the moment at which it did.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from structlog.testing import capture_logs

from b2bua.call import leg, leg_command
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.leg import LegId
from b2bua.call.state import CAPTURE_TRANSITIONS
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import (
    CallView,
    CaptureStage,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotWell,
    NotYours,
    PaymentView,
)
from b2bua.config.feature_settings import FeatureCodeSettings
from b2bua.switchboard.view_feed import Follower
from media._core import SecretMemory
from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureChanged,
    CaptureForm,
    CaptureState,
    ClaimSession,
    OpenSession,
    Refused,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    SubmitCapture,
    Unanswered,
)
from media.messages.forms import card_fields
from media.settings import MaskTimes, MediaSettings
from provider_adapters.payment import Approved
from tests.call_script import THEIRS
from tests.canary import find_in_text
from tests.played_media import PlayedLoop, PlayedMedia, PlayedProvider, note_memories
from tests.unit.b2bua.switchboard.exchange import Exchange
from tonewall.ini import load

GUARD, RELEASE = 0.5, 5.0  # seconds
SETTINGS = {"key_timeout": "10", "capture_timeout": "40", "ready_timeout": "15", "media_timeout": "12"}
FORM = CaptureForm(fields=card_fields("optional"), prompts="house")
POLICIES = {
    "carrier": TrunkPolicy(charging=ChargeDefaults(form=FORM), pre_mask_time=4.0),
    "pbx": TrunkPolicy(feature_codes=True),
}
REFUSALS = (NotNow, NotYours, NotWell, NoSuchCall, NoSuchPayment)
# Media dies, payers die: both are logged, and the calls end in order.
PERMITTED = ("media_lost", "charge_failed", "payment_outcome_not_found")
_JUST = 1e-6  # seconds
T = TypeVar("T")


class Link:
    """The socket between b2bua and media. While it is `stalled`, what is sent waits on both
    sides."""

    def __init__(self, world: Payments) -> None:
        self._world = world
        self.connected, self.stalled = True, False
        self._serials = itertools.count(1)
        self._down: deque[AnyCommand] = deque()
        self._up: deque[AnyAnswer | AnyNews] = deque()
        self._waiting: dict[int, AnyCommand] = {}
        self._crossing: set[int] = set()  # commands that news may have crossed

    # --- b2bua's side -----------------------------------------------------------------------------

    def send(self, command: AnyCommand) -> None:
        numbered = msgspec.structs.replace(command, serial=next(self._serials))
        if not self.connected:
            self._unanswered(numbered)
            return
        self._waiting[numbered.serial] = numbered
        if self.stalled or self._up:
            self._crossing.add(numbered.serial)
        self._down.append(numbered)
        self._world.loop.call_soon(self.pump)

    def pump(self) -> None:
        while self._down and not self.stalled:
            command = self._down.popleft()
            self._world.to_media(command)
            if isinstance(command, ClaimSession) and self._world.restores:
                self._world.restore(command)
            self._world.media._on_command(self._world.end, command)  # type: ignore[arg-type]
        while self._up and not self.stalled:
            message = self._up.popleft()
            if isinstance(message, AnyNews):
                self._world.exchange.board.on_media_news(message)
            else:
                self._answered(self._waiting.pop(message.serial), message)

    def _answered(self, command: AnyCommand, answer: AnyAnswer) -> None:
        self._world.from_media(command, answer, crossed=command.serial in self._crossing)
        self._world.exchange.board.on_media_answer(command, answer)

    def lose(self) -> None:
        """Media is gone, and what was on its way."""
        self.connected = self.stalled = False
        waiting, self._waiting = self._waiting, {}
        for each in (self._down, self._up, self._crossing):
            each.clear()
        self._world.exchange.board.on_media_state(False)
        for command in waiting.values():
            self._unanswered(command)

    def _unanswered(self, command: AnyCommand) -> None:
        unanswered = Unanswered(serial=command.serial, reason="the media process is not reachable")
        self._world.exchange.board.on_media_answer(command, unanswered)

    def take_up(self, message: AnyAnswer | AnyNews) -> None:
        self._up.append(message)
        self._world.loop.call_soon(self.pump)


class Nobody:
    """Who reads the answers to what b2bua has not asked for."""

    def send(self, message: AnyAnswer | AnyNews, urgent: bool = True) -> None:
        pass


class MediaEnd:
    """Media's side of it, of one process."""

    def __init__(self, link: Link) -> None:
        self._link, self.alive = link, True

    def send(self, message: AnyAnswer | AnyNews, urgent: bool = True) -> None:
        del urgent
        if not self.alive:
            return
        if isinstance(message, CaptureChanged):
            self._link._world.told(message)
        self._link.take_up(message)

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Keying:
    """What is known of the end of keying in one session."""

    since: float  # when the mask went on, or the newest capture ended
    approved: bool = False
    released: float | None = None  # when somebody said so


@dataclass
class Payments:
    """The whole. `wrong`: what must not have happened."""

    loop: PlayedLoop = field(default_factory=PlayedLoop)
    wrong: list[str] = field(default_factory=list)
    memories: list[SecretMemory] = field(default_factory=list)
    keying: dict[str, Keying] = field(default_factory=dict)
    stages: dict[str, CaptureStage] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    answers: bool = True  # whether a new agent answers
    restores: bool = True  # whether the sockets of a session outlive media

    def __post_init__(self) -> None:
        self._logging = capture_logs()
        self.logged = self._logging.__enter__()
        self.loop.set_exception_handler(lambda _, context: self.wrong.append(f"raised: {context}"))
        self.stop_noting = note_memories(self.memories)
        self.provider = PlayedProvider(self.loop, self.wrong)
        self.loop.run_until_complete(self._begin())
        self.loop.settle()

    async def _begin(self) -> None:
        self.exchange = Exchange(
            guard_time=GUARD, policies=POLICIES, feature_codes=load(FeatureCodeSettings, {}).codes()
        )
        self.link = Link(self)
        self.exchange.board.connect(self.exchange.wire, self.link, self.exchange.reconciler)
        self.exchange.wire.on_execute = self._engine_soon
        self.follower: Follower = self.exchange.board.follow()  # type: ignore[assignment]
        self.start_media()

    def start_media(self) -> None:
        """A new media process, and its connection."""
        settings = load(MediaSettings, {"media": SETTINGS})
        times = MaskTimes(guard_time=GUARD, release_time=RELEASE)
        self.media = PlayedMedia(self.loop, settings, times, self.provider)
        self.media.relay.opens = partial(self._mask_goes_off, self.media)
        self.end = MediaEnd(self.link)
        self.media._b2bua = self.end  # type: ignore[assignment]
        self.watching = self.loop.create_task(self.media.watch_lines())
        self.link.connected = True
        self.exchange.board.on_media_state(True)

    def kill_media(self) -> None:
        """The process, with what it held; what payers have goes on."""
        self.watching.cancel()
        self.end.alive = False
        for session in tuple(self.media._sessions):
            self.media._close(session)
        self.keying.clear()
        self.memories.clear()  # they went with the process
        self.link.lose()

    def restore(self, claim: ClaimSession) -> None:
        """Give a new media process what it has of a session whose sockets are there."""
        session, media = claim.session, self.media
        if session in media._sessions:
            return
        commands: list[AnyCommand] = [
            OpenSession(session=session, streams=claim.streams),
            SetRemote(session=session, side=Side.CALLER, streams=claim.caller.streams),
            SetRemote(session=session, side=Side.AGENT, streams=claim.agent.streams, codes=claim.codes),
        ]
        if claim.masking is not None:
            commands.append(SetMask(session=session, on=True, masking=claim.masking))
            self.keying[session] = Keying(self.loop.now)
        for command in commands:
            media._on_command(Nobody(), command)  # type: ignore[arg-type]

    # --- what tests do ----------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """An agent's request; None where it is refused."""
        try:
            return self.loop.run_until_complete(work)
        except REFUSALS:
            return None
        finally:
            self.look()

    def do(self, work: Callable[[], T]) -> T:
        """Something that happens within the process, and all that follows from it at once."""

        async def doing() -> T:
            return work()

        done = self.loop.run_until_complete(doing())
        self.loop.settle()
        self.look()
        return done

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.pass_time(seconds)
        self.look()

    def dial(self, trunk: str = "carrier") -> str:
        """A call that is answered; its id."""
        self.calls += 1
        before = {each.id for each in self.exchange.board.calls()}
        near, caller = f"near-{self.calls}", f"anna{self.calls}"
        self.do(lambda: self.exchange.invite(near, trunk, callee="500", caller=caller))
        return next((each.id for each in self.exchange.board.calls() if each.id not in before), "")

    def leg_of(self, call: str, side: Side) -> LegId | None:
        entry = self.exchange.board._context.registry.get(call)
        return entry.legs.get(side) if entry is not None else None

    def happens(self, call: str, side: Side, event: leg.LegEvent) -> None:
        """To a leg, where there is one."""
        leg_id = self.leg_of(call, side)
        if leg_id is not None:
            self.do(lambda: self.exchange.board.on_leg_event(leg_id, event))

    def press(self, call: str, keys: str, gap: float) -> None:
        for key in keys:
            stream = self.media.stream_of(call)
            if stream is None:
                return
            self.do(partial(self.media.relay.press, stream, key))
            self.wait(gap)

    # --- the engine -------------------------------------------------------------------------------

    def _engine_soon(self, leg_id: LegId, command: leg_command.LegCommand) -> None:
        self.loop.call_soon(self._engine, leg_id, command)

    def _engine(self, leg_id: LegId, command: leg_command.LegCommand) -> None:
        board = self.exchange.board
        found = board._context.registry.find_leg(leg_id)
        if found is None:
            return
        theirs = THEIRS[found[1] or Side.AGENT]
        match command:
            case leg_command.InviteLeg() if self.answers:
                board.on_leg_event(leg_id, leg.LegAnswered(theirs))
            case leg_command.InviteLeg():
                board.on_leg_event(leg_id, leg.LegFailed(486, "Busy Here"))
            case leg_command.ReinviteLeg():
                board.on_leg_event(leg_id, leg.ReinviteAnswered(theirs))
            case leg_command.AnswerLeg() | leg_command.AnswerReinvite():
                board.on_leg_event(leg_id, leg.LegConfirmed())

    # --- what is seen -----------------------------------------------------------------------------

    def to_media(self, command: AnyCommand) -> None:
        if isinstance(command, SetMask):
            keying = self.keying.setdefault(command.session, Keying(self.loop.now))
            if command.on:
                self.keying[command.session] = Keying(self.loop.now)
            elif command.released:
                keying.released = self.loop.now
        elif isinstance(command, StartCapture):
            stream = self.media.stream_of(command.session)
            if stream is not None and not self.media.relay.streams[stream].masked:
                self.wrong.append("a capture was asked for without a mask")

    def from_media(self, command: AnyCommand, answer: AnyAnswer, *, crossed: bool) -> None:
        if isinstance(command, SubmitCapture) and not isinstance(answer, Refused):
            self.submitted[command.capture] = self.submitted.get(command.capture, 0) + 1
        may = isinstance(command, ClaimSession) or (isinstance(command, SetMask) and not command.on)
        if isinstance(answer, Refused) and not crossed and not may:
            self.wrong.append(f"media refused {type(command).__name__}: {answer.reason}")

    def told(self, news: CaptureChanged) -> None:
        if news.state in (CaptureState.FINISHED, CaptureState.ABORTED):
            approved = isinstance(news.outcome, Approved)
            self.keying[news.session] = Keying(self.loop.now, approved)

    def _mask_goes_off(self, media: PlayedMedia, stream: int) -> None:
        session = media.session_of(stream)
        keying, now = self.keying[session], self.loop.now
        last = max(media.relay.streams[stream].last_key, keying.since)
        released = keying.released
        is_soon = keying.approved or (released is not None and released >= last)
        quiet = now - (max(last, released) if released is not None and not keying.approved else last)
        if media._captures.runs(session):  # type: ignore[arg-type]
            self.wrong.append("the mask went off while a capture ran")
        elif now - last < RELEASE - _JUST and not (is_soon and quiet >= GUARD - _JUST):
            self.wrong.append(f"the mask went off after {now - last} s; {keying}")

    def look(self) -> None:
        """At everything that was shown since the last look, and at the vaults."""
        views, self.follower._waiting = self.follower._waiting, deque()
        for view in views:
            if find_in_text(msgspec.json.encode(view).decode()):
                self.wrong.append("a view has digits")
            if isinstance(view, CallView) and view.capture is not None:
                self._note_stage(view.capture.id, view.capture.stage)
            elif isinstance(view, PaymentView):
                self._note_stage(view.id, view.stage)
        for entry in self.logged:
            if entry["log_level"] not in ("debug", "info", "warning") and entry["event"] not in PERMITTED:
                self.wrong.append(str(entry))
            if find_in_text(str(entry)):
                self.wrong.append("a log entry has digits")
        self.logged.clear()
        assert not self.wrong, self.wrong

    def _note_stage(self, payment: str, stage: CaptureStage) -> None:
        before = self.stages.setdefault(payment, stage)
        if stage is not before and stage not in CAPTURE_TRANSITIONS[before].values():
            self.wrong.append(f"{payment} went from {before} to {stage}")
        self.stages[payment] = stage

    def close(self) -> None:
        """End the process."""
        self.watching.cancel()
        self.loop.run_until_complete(self.exchange.board.settle(0))
        self.loop.settle()
        self.stop_noting()
        self._logging.__exit__(None, None, None)
        self.loop.close()
