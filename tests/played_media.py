"""The media process with its core, its payers and its time played by a test: captures, vault, masks
and prompts are real.

Rule 1: time passes when a test says so (`PlayedLoop.pass_time`), and every timer that is due rings.
Rule 2: what must not happen is noted in `wrong`, because callers log what is raised.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from media._core import AGENT, CALLER, CODE, DONE, KEY, KEYED, PLAYED, STOPPED, SecretMemory
from media.capture.check import passes_luhn
from media.events import MaskTally, Side
from media.prompts.shelf import PromptShelf
from media.service import capture_driver
from media.service.payers import Payers
from media.service.service import MediaService
from media.settings import MaskTimes, MediaSettings
from provider_adapters.payer.pipe import PayerGone
from provider_adapters.payment import Approved, Charge, Failed, Outcome

_BEHIND = 0.1  # seconds after which the core announces a key
_PACKETS = 50  # a second
_LEGS = (CALLER, AGENT)
APPROVED = Approved(reference="r")


class PlayedLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes when a test says so, and other threads' work at once."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0
        self.alarms: list[asyncio.TimerHandle] = []
        super().__init__()
        self._clock_resolution = math.ulp(self.now)  # less is nothing beside it

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, *arguments: Any, **keywords: Any) -> asyncio.TimerHandle:
        handle = super().call_at(when, *arguments, **keywords)
        self.alarms.append(handle)
        return handle

    def run_in_executor(self, _executor: Any, work: Callable[..., Any], *arguments: Any) -> Any:
        answer = self.create_future()
        try:
            answer.set_result(work(*arguments))
        except Exception as error:
            answer.set_exception(error)
        return answer

    async def _settle(self) -> None:
        idle = 0
        while idle < 2:  # a timer that is due is ready one turn later
            await asyncio.sleep(0)
            idle = 0 if self._ready else idle + 1  # type: ignore[attr-defined]

    def settle(self) -> None:
        """Until nothing is left to do at this time."""
        self.run_until_complete(self._settle())

    async def _pass(self, end: float) -> None:
        await self._settle()
        while True:
            self.alarms = [each for each in self.alarms if not each.cancelled() and each.when() > self.now]
            due = min((each.when() for each in self.alarms), default=math.inf)
            if due > end:
                break
            self.now = due
            await self._settle()
        self.now = end
        await self._settle()

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass; what is due meanwhile happens, in its turn."""
        self.run_until_complete(self._pass(self.now + seconds))


@dataclass(slots=True)
class _Stream:
    masked: bool = False
    keeping: bool = False
    kept: bytearray = field(default_factory=bytearray)
    last_key: float = -math.inf
    pressed: int = 0
    codes: list[str] = field(default_factory=list)
    playing: dict[int, tuple[int, bool]] = field(default_factory=dict)  # by leg; whether a key ends it
    ended: dict[int, tuple[int, int]] = field(default_factory=dict)
    opened: float = 0.0
    fell_silent: float | None = None


class PlayedRelay:
    """The core of one media process. `reached`: the customer's keys that the agent got; `opened`:
    is told of each stream whose mask goes off, before it does."""

    def __init__(self, loop: PlayedLoop, wrong: list[str]) -> None:
        self.loop, self.wrong = loop, wrong
        self.streams: dict[int, _Stream] = {}
        self.reached: dict[int, str] = {}
        self.events: list[tuple[int, int]] = []
        self.report: Callable[[], None] = lambda: None
        self.opens: Callable[[int], None] = lambda _: None

    # --- what customer and agent do ---------------------------------------------------------------

    def set_tap(self, number: int, on: bool) -> None:
        pass

    def press(self, number: int, key: str) -> None:
        stream = self.streams[number]
        if not stream.masked:
            self.reached[number] = self.reached.get(number, "") + key
            return
        stream.last_key, stream.pressed = self.loop.now, stream.pressed + 1
        if stream.keeping:
            stream.kept += key.encode()
            self.loop.call_later(_BEHIND, self._announce, number, KEYED)
        self.barge_in(number)

    def key_code(self, number: int, code: str) -> None:
        """The agent's telephone keys a feature code."""
        self.streams[number].codes.append(code)
        self._announce(number, CODE)

    def _announce(self, number: int, kind: int) -> None:
        if number in self.streams:
            self.events.append((number, kind))
            self.report()

    def finish_play(self, number: int, leg: int) -> None:
        """All of it was sent."""
        self._end_play(number, leg, DONE)

    def _end_play(self, number: int, leg: int, cause: int) -> bool:
        found = self.streams[number].playing.pop(leg, None)
        if found is not None:
            self.streams[number].ended[leg] = found[0], cause
            self.loop.call_soon(self._announce, number, PLAYED)
        return found is not None

    # --- as the service sees it -------------------------------------------------------------------

    def take_events(self) -> list[tuple[int, int]]:
        found, self.events = self.events, []
        return found

    def open_stream(self, number: int, *_sockets: int, **_kept: object) -> None:
        self.streams[number] = _Stream(opened=self.loop.now)

    def close_stream(self, number: int) -> dict[str, int]:
        stream = self.streams.pop(number)
        _wipe(stream.kept)
        return {}

    def set_mask(self, number: int, on: bool, *_options: Any) -> None:
        if not on and self.streams[number].masked:
            self.opens(number)
        self.streams[number].masked = on

    def is_quiet(self, number: int, quiet_ms: int) -> bool:
        return (self.loop.now - self.streams[number].last_key) * 1000 >= quiet_ms

    def set_capture(self, number: int, on: bool) -> None:
        if on and not self.streams[number].masked:
            self.wrong.append("keys are kept without a mask")
        _wipe(self.streams[number].kept)
        self.streams[number].keeping = on

    def take_digits(self, number: int, into: SecretMemory, offset: int) -> int:
        kept = self.streams[number].kept
        count = len(kept)
        with memoryview(into) as view:
            view[offset : offset + count] = kept
        _wipe(kept)
        return count

    def key_figures(self, number: int) -> tuple[int, int, int, bool, bool]:
        return self.streams[number].pressed, 0, 0, False, False

    def tally(self, number: int) -> dict[str, int]:
        now = round(self.loop.now * 1000)
        counted = dict.fromkeys(MaskTally.__struct_fields__, 0)
        return {"since": now, "until": now, **counted, "keys_as_events": self.streams[number].pressed}

    def counters(self, number: int) -> dict[str, int]:
        stream = self.streams[number]
        until = self.loop.now if stream.fell_silent is None else stream.fell_silent
        came = round((until - stream.opened) * _PACKETS)
        zero = ("caller_malformed", "caller_foreign_source")
        return {"caller_received": came, "agent_received": came, **dict.fromkeys(zero, 0)}

    def arrived(self, _number: int) -> tuple[tuple[int, None, dict[int, int]], ...]:
        return ((0, None, {}),) * 2

    def play(
        self, number: int, leg: int, play: int, _type: int, names: Sequence[str], _ducks: bool, barge_in: bool
    ) -> None:
        if any(name.startswith("code_") is (leg == CALLER) for name in names):
            self.wrong.append(f"{names} were played into the wrong leg")
        self.streams[number].playing[leg] = play, barge_in

    def stop_play(self, number: int, leg: int) -> bool:
        return self._end_play(number, leg, STOPPED)

    def played(self, number: int, leg: int) -> tuple[int, int] | None:
        return self.streams[number].ended.get(leg)

    def barge_in(self, number: int) -> None:
        for leg, (_, barge_in) in tuple(self.streams[number].playing.items()):
            if barge_in:
                self._end_play(number, leg, KEY)

    def take_code(self, number: int) -> str:
        codes = self.streams[number].codes
        return codes.pop(0) if codes else ""

    def departed_type(self, _number: int, _leg: int) -> int | None:
        return None

    def _nothing(self, *_arguments: Any, **_keywords: Any) -> None:
        pass

    set_peer = set_types = set_crypto = set_agent_keys = set_slow = _nothing


def _wipe(kept: bytearray) -> None:
    kept[:] = bytes(len(kept))
    kept.clear()


# --- payers ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the next charge. `dies`: the payer does, `before` it has taken the card or
    `after`; `waits`: seconds; `missing`: no payer comes."""

    outcome: Outcome = APPROVED
    waits: float = 0.5
    dies: str = ""
    missing: bool = False


@dataclass(slots=True)
class PlayedProvider:
    """The payers' journal, and the provider behind it. `charges`: how often each key was handed
    over; `journal`: the outcomes, None while it is under way."""

    loop: PlayedLoop
    wrong: list[str]
    fate: Fate = Fate()
    charges: dict[str, int] = field(default_factory=dict)
    journal: dict[str, Outcome | None] = field(default_factory=dict)

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        key, fate = charge.idempotency_key, self.fate
        if fate.dies == "before":
            raise PayerGone("the payer ended")
        number, expiry, code = digits.values()
        if not (passes_luhn(number) and len(expiry) == 4 and len(code) in (0, 3, 4)):
            self.wrong.append("what was submitted is no whole card")  # its code may be skipped
        self.charges[key] = self.charges.get(key, 0) + 1
        self.journal[key] = None
        # It goes on where media dies.
        self.loop.call_later(fate.waits, self.journal.__setitem__, key, fate.outcome)
        return self._answer(fate)

    async def _answer(self, fate: Fate) -> Outcome:
        await asyncio.sleep(fate.waits)
        if fate.dies == "after":
            raise PayerGone("the payer ended")
        return fate.outcome


class PlayedPayers(Payers):
    """Those of one media process."""

    def __init__(self, provider: PlayedProvider) -> None:
        super().__init__()
        self._provider = provider

    def __len__(self) -> int:
        return 1

    async def take_payer(self, patience: float) -> Any:
        if self._provider.fate.missing:
            await asyncio.sleep(patience)
            return None
        return self._provider

    async def resolve(self, charge: Charge, _submitted_at: float) -> Outcome | None:
        return self._provider.journal.get(charge.idempotency_key, Failed(reason="not_sent"))


# --- the process ----------------------------------------------------------------------------------


class _Port:
    def __enter__(self) -> _Port:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 20000

    def fileno(self) -> int:
        return -1

    def detach(self) -> int:
        return -1

    def bind(self) -> tuple[_Port, _Port]:
        return self, self


class _Interfaces:
    def of_sides(self, _caller: object, _agent: object) -> dict[Side, tuple[_Port, str]]:
        return {side: (_Port(), "127.0.0.1") for side in Side}


class _Threads:
    def __init__(self, relay: PlayedRelay) -> None:
        self._relay = relay

    def least_busy(self) -> PlayedRelay:
        return self._relay

    def add_session(self, _relay: object) -> None:
        pass

    remove_session = add_session


class _Shelf(PromptShelf):
    """Every prompt there may be: its recording is its name."""

    def recordings(self, names: Sequence[str], *_arguments: Any, **_keywords: Any) -> Any:
        return tuple(names)


class PlayedMedia(MediaService):
    """One media process. `memories`: the locked memory of each capture that it began."""

    def __init__(
        self, loop: PlayedLoop, settings: MediaSettings, times: MaskTimes, provider: PlayedProvider
    ) -> None:
        super().__init__(settings, PlayedPayers(provider), times, _Shelf())
        self.relay = PlayedRelay(loop, provider.wrong)
        self._threads = cast("Any", _Threads(self.relay))
        self._opening._threads = self._threads
        self._opening._interfaces = cast("Any", _Interfaces())
        self.relay.report = lambda: self._relay_reports(cast("Any", self.relay))

    def session_of(self, number: int) -> str:
        """The session of a stream."""
        return self._of_stream[number].id

    def stream_of(self, session: str) -> int | None:
        """The first stream of a session that is open."""
        found = self._sessions.get(cast("Any", session))
        return found.streams[0] if found is not None else None


def note_memories(memories: list[SecretMemory]) -> Callable[[], None]:
    """Note the memory of each capture from now on; returns how to stop."""
    before = capture_driver.SecretMemory

    def noted(size: int) -> SecretMemory:
        memories.append(before(size))
        return memories[-1]

    capture_driver.SecretMemory = noted  # type: ignore[misc, assignment]
    return lambda: setattr(capture_driver, "SecretMemory", before)


def leg_of(side: Side) -> int:
    """The core's number of a leg."""
    return _LEGS[side is Side.AGENT]
