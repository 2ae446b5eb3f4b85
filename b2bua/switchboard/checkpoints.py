"""Keeps each call that is up in a slot, and takes the calls of a process that died up.

Rule 1: a call is written `SOON` after an INVITE of it has left and after it rings, when it is
        answered, before media gets a command that changes what its session does, once another leg
        has replaced one of its legs, and otherwise `DELAY` after it has moved; of its ACK there is
        a mark. It is dropped once it is recorded: until then its successor finds that media has
        closed its session.
Rule 2: what lends a leg and what borrows it are one line, and have one slot.
Rule 3: a call that cannot be read costs no other. One whose legs are not all there is ended, and
        so is one that waited for media's answer: towards both of its peers, with a reason.
Rule 4: a call in whose turn two processes in a row ended is dropped. Its turn is when it is read,
        and when an event moves it.
Rule 5: calls that killed `_TRIES` processes in a row, each as it began, are dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

import msgspec

from b2bua.call.command import CallCommand, ReleaseLeg, ReplaceLeg, Show, ToLeg, ToMedia, ToReplacement
from b2bua.call.leg import LegEvent, LegHungUp, LegId
from b2bua.call.leg_command import AnswerLeg, InviteLeg
from b2bua.call.own_leg import is_own_leg
from b2bua.call.state import WAITS_FOR_MEDIA, BridgeState
from b2bua.switchboard.call_slots import CallSlots, TooLarge
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.interfaces import RunningEngine
from media.events import CancelCapture, SetMask, SetRemote, StartCapture, SubmitCapture, WidenSession
from tonewall.log import get_logger
from tonewall.snapshot import SnapshotError

log = get_logger(__name__)
DELAY: Final = 0.5
"""Seconds until a change is written that costs nothing where it is lost: the next request within
the dialog brings it back."""
SOON: Final = 0.05
"""The same for a call that is set up: one that is answered meanwhile is written once."""
_BATCH: Final = 8  # calls that are written without a look at the network
_TRIES: Final = 4
_LONG_ENOUGH: Final = 20.0  # seconds that a process lives which its calls do not kill
_SETTING_UP: Final = (BridgeState.INVITING, BridgeState.RINGING)
_CHANGES_SESSION: Final = (SetMask, StartCapture, SubmitCapture, CancelCapture, SetRemote, WidenSession)


@runtime_checkable
class LegWriter(Protocol):
    """A SIP engine whose legs can be written one by one."""

    async def start(self, *, opened: Callable[[], None], leg_changed: Callable[[LegId], None]) -> None: ...

    def write_legs(self, legs: Iterable[LegId]) -> bytes:
        """Raises SnapshotError."""
        ...

    def restore_legs(self, data: bytes, *, acknowledged: bool = False) -> tuple[LegId, ...]:
        """Raises SnapshotError, and has then restored nothing."""
        ...

    def has_leg(self, leg: LegId) -> bool:
        """Whether a leg is not over."""
        ...


class CallWriter(Protocol):
    """The switchboard, as far as it is written."""

    @property
    def context(self) -> SwitchboardContext: ...

    def write_calls(self, entries: tuple[Entry, ...], now: float) -> bytes:
        """Raises SnapshotError."""
        ...

    def restore(self, data: bytes, now: float) -> tuple[Entry, ...]:
        """Raises SnapshotError, and has then restored nothing."""
        ...

    def on_leg_event(self, leg: LegId, event: LegEvent) -> None: ...
    def claim_sessions(self, calls: Iterable[str]) -> None: ...
    def give_up(self, entry: Entry) -> None:
        """End a call that cannot go on in another process."""
        ...


class Checkpoints:
    """The slots of one process's calls."""

    def __init__(self, slots: CallSlots, engine: LegWriter, board: CallWriter) -> None:
        context = board.context
        self._slots, self._engine, self._board, self._context = slots, engine, board, context
        self._loop = asyncio.get_running_loop()
        # Calls that have a slot, or are part of a line that has one; how they were then.
        self._written: dict[str, BridgeState] = {}
        self._changed: dict[str, Entry] = {}
        self._soon: dict[str, Entry] = {}  # those that are set up
        self._acknowledged: Entry | None = None  # one whose ACK is moving it
        self._replacing: set[str] = set()  # calls of which a leg is being replaced
        self._answering: set[str] = set()  # calls whose near leg is being answered
        self._timer: asyncio.Handle | None = None
        self._soon_timer: asyncio.Handle | None = None
        self._legs: list[tuple[tuple[Entry, ...], bytes, bool]] = []  # of calls that were read
        context.keep, context.kept, context.forget = self._keep, self._kept, self._forget
        context.acknowledged, context.turn = self._acknowledge, self._take_turn

    # --- the calls of the process before ----------------------------------------------------------

    def restore_calls(self) -> int:
        """Read the calls; how many there are. Their legs wait for `start_engine`."""
        try:
            tries = self._slots.begin()
            if tries > _TRIES:
                log.error("calls_dropped", count=tries - 1, why="each process that took them up has ended")
                self._slots.clear()
            found = list(self._slots.read())
            blamed = self._slots.blame()
            if not found:
                self._slots.settle()
        except OSError as error:
            log.error("calls_not_read", exc_info=error)
            return 0
        for call, data, acknowledged in found:
            if call == blamed:
                log.error(
                    "call_dropped", call=call, why="processes have ended in its turn, one after another"
                )
                self._drop(call)
                continue
            self._take_turn(call)
            try:
                legs, calls = msgspec.msgpack.decode(data, type=tuple[bytes, bytes])
                entries = self._board.restore(calls, self._loop.time())
            except (msgspec.DecodeError, SnapshotError) as error:
                log.error("call_not_restored", call=call, exc_info=error)
                self._drop(call)
            else:
                self._written.update(_states(entries))
                self._legs.append((entries, legs, acknowledged))
        self._take_turn("")
        self._loop.call_later(_LONG_ENOUGH, self._settle)
        return sum(len(entries) for entries, *_ in self._legs)

    async def start_engine(self) -> None:
        """Start the engine, with the legs of the calls that were read. Raises OSError."""
        await self._engine.start(opened=self._restore_legs, leg_changed=self._leg_changed)

    def _restore_legs(self) -> None:
        waiting, self._legs = self._legs, []
        for entries, legs, acknowledged in waiting:
            self._take_turn(entries[0].call.id)
            try:
                self._engine.restore_legs(legs, acknowledged=acknowledged)
            except SnapshotError as error:
                log.error("legs_not_restored", call=entries[0].call.id, exc_info=error)
        self._take_turn("")
        calls = [entry for entries, *_ in waiting for entry in entries]
        for entry in calls:
            if entry.call.bridge.state in WAITS_FOR_MEDIA:
                self._board.give_up(entry)
        self._board.claim_sessions(entry.call.id for entry in calls if entry.call.bridge.opened)
        for entry in calls:
            for leg in entry.all_legs():
                if not is_own_leg(leg) and not self._engine.has_leg(leg):
                    self._board.on_leg_event(leg, LegHungUp("lost with its process"))
        for entry in calls:  # one that dies again must not use the same numbers again
            self._kept(entry)
        if calls:
            log.warning("calls_restored", calls=len(self._context.registry))

    def hand_over(self) -> int:
        """Write every call as it is now, and nothing from then on: they are the next process's. How
        many there are."""
        for timer in (self._timer, self._soon_timer):
            if timer is not None:
                timer.cancel()
        for entry in self._context.registry.all():
            self._write(entry)
        self._take_turn("")
        self._settle()
        kept = len(self._written)
        context = self._context
        context.keep, context.kept, context.forget = _nothing, _nothing, _nothing
        context.acknowledged, context.turn = _nothing, _nothing
        return kept

    # --- the calls of this process ----------------------------------------------------------------

    def _leg_changed(self, leg: LegId) -> None:
        """A leg has moved without an event of it."""
        found = self._context.registry.find_leg(leg)
        if found is not None:
            self._kept(found[0])

    def _acknowledge(self, entry: Entry) -> None:
        """Its ACK has come, and is about to move it."""
        if entry.call.id in self._written and entry.call.id not in self._changed and len(_line(entry)) == 1:
            self._acknowledged = entry

    def _keep(self, entry: Entry, commands: Sequence[CallCommand]) -> None:
        if not all(isinstance(each, Show) for each in commands):
            self._acknowledged = None
        if entry.call.id not in self._written or entry.call.bridge.state in _SETTING_UP:
            return
        if any(isinstance(each, ReplaceLeg | ReleaseLeg) for each in commands):
            self._replacing.add(entry.call.id)  # until then its legs are not those that it knows of
            return
        if any(isinstance(each, ToLeg) and isinstance(each.command, AnswerLeg) for each in commands):
            self._answering.add(entry.call.id)  # who is answered must not be refused by the next process
        if any(isinstance(each, ToReplacement) and isinstance(each.command, InviteLeg) for each in commands):
            self._wait_soon(entry)
        if any(isinstance(each, ToMedia) and isinstance(each.command, _CHANGES_SESSION) for each in commands):
            self._write(entry)

    def _kept(self, entry: Entry) -> None:
        acknowledged, self._acknowledged = self._acknowledged, None
        written, state = self._written.get(entry.call.id), entry.call.bridge.state
        if entry.call.id in self._replacing | self._answering:
            self._replacing.discard(entry.call.id)
            self._answering.discard(entry.call.id)
            self._write(entry)
        elif acknowledged is entry:
            self._mark(entry.call.id)
        elif state in _SETTING_UP and written is not state:
            self._wait_soon(entry)
        elif state is BridgeState.UP and written in (None, *_SETTING_UP):
            self._write(entry)
        elif written is not None:
            self._changed[entry.call.id] = entry
            if self._timer is None:
                self._timer = self._loop.call_later(DELAY, self._write_changed)

    def _forget(self, call: str) -> None:
        self._changed.pop(call, None)
        self._soon.pop(call, None)
        self._replacing.discard(call)
        self._answering.discard(call)
        if call in self._written:
            del self._written[call]
            self._drop(call)
            if not self._written:
                self._settle()  # they have ended, and this process has not

    def _write_changed(self) -> None:
        self._timer = None
        for _ in range(min(_BATCH, len(self._changed))):
            self._write(self._changed.pop(next(iter(self._changed))))
        if self._changed:
            self._timer = self._loop.call_soon(self._write_changed)

    def _wait_soon(self, entry: Entry) -> None:
        self._soon[entry.call.id] = entry
        if self._soon_timer is None:
            self._soon_timer = self._loop.call_later(SOON, self._write_soon)

    def _write_soon(self) -> None:
        self._soon_timer = None
        waiting, self._soon = self._soon, {}
        for entry in waiting.values():
            self._write(entry)

    def _write(self, entry: Entry) -> None:
        line = _line(entry)
        first, *others = sorted(line, key=lambda each: each.call.id)
        for each in line:
            self._changed.pop(each.call.id, None)
            self._soon.pop(each.call.id, None)
        name, wanted = first.call.id, [leg for each in line for leg in each.all_legs()]
        if not any(map(self._engine.has_leg, wanted)):
            self._drop(name)  # its legs are over, or the engine has stopped
            return
        try:
            legs = self._engine.write_legs(wanted)
            calls = self._board.write_calls(line, self._loop.time())
            self._slots.write(name, msgspec.msgpack.encode((legs, calls)))
        except (SnapshotError, TooLarge, OSError) as error:
            log.error("call_not_written", call=name, exc_info=error)
            self._drop(name)  # rather none than one that is out of date
        for each in others:
            self._drop(each.call.id)
        self._written.update(_states(line))

    def _take_turn(self, call: str) -> None:
        try:
            self._slots.take_turn(call)
        except OSError as error:
            log.error("call_not_written", call=call, exc_info=error)

    def _mark(self, call: str) -> None:
        try:
            self._slots.mark(call)
        except OSError as error:
            log.error("call_not_written", call=call, exc_info=error)
            self._drop(call)

    def _drop(self, call: str) -> None:
        try:
            self._slots.drop(call)
        except OSError as error:
            log.error("call_not_dropped", call=call, exc_info=error)

    def _settle(self) -> None:
        try:
            self._slots.settle()
        except OSError as error:
            log.error("calls_not_settled", exc_info=error)


def take_calls_up(calls: int | None, engine: RunningEngine, board: CallWriter) -> Checkpoints | None:
    """Read the calls of the process before from the file of this descriptor; who keeps those of
    this process, and starts the engine. None where there is no file, or the engine cannot go on
    with legs of another."""
    if calls is None or not isinstance(engine, LegWriter):
        return None
    checkpoints = Checkpoints(CallSlots(calls), engine, board)
    checkpoints.restore_calls()
    return checkpoints


def _nothing(*_: object) -> None:
    """The calls are another process's."""


def _states(entries: Iterable[Entry]) -> dict[str, BridgeState]:
    return {each.call.id: each.call.bridge.state for each in entries}


def _line(entry: Entry) -> tuple[Entry, ...]:
    """The call, and what it lends to or borrows from, and so on."""
    found, waiting = [entry], [entry]
    while waiting:
        each = waiting.pop()
        for other in (each.lender, each.borrower):
            if other is not None and other not in found:
                found.append(other)
                waiting.append(other)
    return tuple(found)
