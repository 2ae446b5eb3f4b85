"""Goes over to the code that is installed by now, without ending a call.

The code is tried first (`b2bua.commands.trial`): settings, and the calls that are kept. Then a
b2bua and a media of it are loaded beside those that work. Only then does b2bua leave its calls to
the new one, at a moment without a payment; then media.

Rule 1: until b2bua leaves its calls, nothing has changed. Whatever is wrong before is a refusal.
Rule 2: the spares of the old code wait until the new processes have answered: where one does not,
        it is killed, and the spare goes on.
Rule 3: one upgrade at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.supervise.succession import Starter, Succession, Waiting, end_unused
from b2bua.supervise.trial_report import TrialReport, objections
from tonewall.log import get_logger

log = get_logger(__name__)
_LOADING: Final = 60.0  # seconds to load, and to try the code, on a busy machine
_ENDING: Final = 20.0  # seconds in which a process ends that has agreed to it
_ANSWERING: Final = 15.0  # seconds until the new b2bua answers, before it is killed
# The same for media: calls wait ten seconds for it (b2bua/call/call_session.py), and its spare
# needs some of them.
_RELAYING: Final = 7.0
_LOOK: Final = 0.1  # seconds between two looks
_ASK_AGAIN: Final = 0.5  # seconds between two questions whether payments are under way
_MAX_REPORT: Final = 65_536  # octets
_TRIAL: Final = "b2bua.commands.trial"


class UpgradeResult(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """What became of an upgrade. `faults`: why it went no further, a line each; `version`: of the
    installed code, "" where it could not say; `renewed`: what is of it by now."""

    version: str = ""
    faults: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()


class Refused(Exception):
    """The upgrade goes no further. The text is for a person."""


@dataclass(slots=True)
class Installation:
    """What an upgrade works with. `config`: of sip.conf; `calls`: the file of kept calls; `name`:
    of the descriptors that the trial inherits."""

    config: Path | None
    start: Starter
    shared: Callable[[], Mapping[str, int]]
    channel: SignallingChannel
    media: MediaChannel
    successions: Mapping[str, Succession]
    obstacle: Callable[[], str]


Progress = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class Upgrades:
    """Those of one supervisor."""

    of: Installation
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def upgrade(self, by: str, patience: float, progress: Progress) -> UpgradeResult:
        """Go over to the installed code. `by`: who asks; `patience`: seconds for a moment without a
        payment; `progress`: is told each step."""
        if self._one.locked():
            return UpgradeResult(faults=("another upgrade is under way",))
        async with self._one:
            renewed: list[str] = []
            version = ""
            log.info("upgrade_begins", agent=by)
            try:
                if obstacle := self.of.obstacle():
                    raise Refused(obstacle)
                report = await self._try_code()
                version = report.version
                await progress(f"version {version} is installed, and reads all {report.calls} calls")
                wait = _Wait(patience, progress)
                async with self._loaded("b2bua") as b2bua, self._loaded("media") as media:
                    await progress("its processes have loaded")
                    for name, waiting, renew in (
                        ("b2bua", b2bua, self._renew_b2bua),
                        ("media", media, self._renew_media),
                    ):
                        await renew(waiting, wait)
                        renewed.append(name)
                        await progress(f"{name} is of version {version}")
            except Refused as error:
                faults = tuple(str(error).splitlines())
                log.error("not_upgraded", agent=by, version=version, why="; ".join(faults)[:1000])
                return UpgradeResult(version=version, faults=faults, renewed=tuple(renewed))
        log.info("upgraded", agent=by, version=version)
        return UpgradeResult(version=version, renewed=tuple(renewed))

    # --- before anything changes ------------------------------------------------------------------

    async def _try_code(self) -> TrialReport:
        """What the installed code says. Raises Refused."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        module = [_TRIAL, "--fd", str(theirs.fileno())]
        if self.of.config is not None:
            module += ["-c", str(self.of.config)]
        with ours:
            try:
                environment = dict(os.environ) | {"PYTHONSAFEPATH": "1"}
                child = await self.of.start(module, environment, theirs, self.of.shared())
                async with asyncio.timeout(_LOADING):
                    text = await _read_all(ours)
                    await child.process.wait()
                report = msgspec.json.decode(text, type=TrialReport)
            except (OSError, TimeoutError, msgspec.DecodeError) as error:
                raise Refused(
                    f"the installed code does not start ({type(error).__name__}): see the log"
                ) from None
        if found := objections(report):
            raise Refused("\n".join((f"version {report.version} cannot go on:", *found)))
        return report

    @contextlib.asynccontextmanager
    async def _loaded(self, name: str) -> AsyncIterator[Waiting]:
        """A process of the installed code that has loaded; ended where its turn never comes."""
        try:
            waiting = await self.of.successions[name].load_next(_LOADING)
        except (OSError, ValueError, TimeoutError) as error:
            raise Refused(
                f"{name} of the installed code does not load ({type(error).__name__}): see the log"
            ) from None
        try:
            yield waiting
        finally:
            if self.of.successions[name].current is not waiting:
                self.of.successions[name].put_first(None)
                await end_unused(waiting)

    # --- one process in the place of another ------------------------------------------------------

    async def _renew_b2bua(self, waiting: Waiting, wait: _Wait) -> None:
        """Have it go on with the calls. Raises Refused."""
        succession = self.of.successions["b2bua"]
        while True:
            before = self._put_first("b2bua", waiting)
            async with _killed_late(before):
                payments = await self.of.channel.hand_over()
            if not payments:
                break
            succession.put_first(None)
            await wait.again(_words(payments=payments))
        await self._await_answer("b2bua", waiting, lambda: self.of.channel.lives, _ANSWERING)

    async def _renew_media(self, waiting: Waiting, wait: _Wait) -> None:
        """Have it relay. Raises Refused."""
        while True:
            try:
                refusal = await self._ask_media(waiting)
            except OSError as error:
                raise Refused(f"a process has ended meanwhile ({error})") from None
            if not refusal:
                break
            await wait.again(refusal)
        channel = self.of.channel
        first = channel.pulses + 2  # the next may have been on its way

        def relays() -> bool:
            return channel.pulses >= first and "media" not in channel.faults

        await self._await_answer("media", waiting, relays, _RELAYING)

    async def _ask_media(self, waiting: Waiting) -> str:
        """Why media does not end now; "": it has. Raises OSError."""
        payments = await self.of.channel.renew_media()
        if payments:
            return _words(payments=payments)
        before = self._put_first("media", waiting)
        async with _killed_late(before):
            refused = await self.of.media.ask_to_leave()
        if refused is None:
            return ""
        self.of.channel.go_on()
        self.of.successions["media"].put_first(None)
        return _words(payments=refused.captures, sessions=refused.sessions)

    def _put_first(self, name: str, waiting: Waiting) -> Waiting:
        """Its turn is the next: that which has its turn now."""
        before = self.of.successions[name].current
        if before is None:
            raise Refused(f"{name} has just ended: try again")
        self.of.successions[name].put_first(waiting)
        return before

    async def _await_answer(
        self, name: str, waiting: Waiting, answers: Callable[[], bool], seconds: float
    ) -> None:
        """Wait until the new process is at work. Raises Refused where the spare has to go on."""
        succession, loop = self.of.successions[name], asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until and waiting.child.process.returncode is None:
            if succession.current is waiting and answers():
                succession.renew_spare()
                return
            await asyncio.sleep(_LOOK)
        with contextlib.suppress(ProcessLookupError):
            waiting.child.process.kill()
        await waiting.child.process.wait()
        raise Refused(f"the new {name} did not answer: a process of the version before goes on")


class _Wait:
    """Waits for a moment in which nothing is in the way, `patience` seconds at most."""

    def __init__(self, patience: float, progress: Progress) -> None:
        self._patience, self._progress = patience, progress
        self._until = asyncio.get_running_loop().time() + patience
        self._last = ""

    async def again(self, why: str) -> None:
        """Wait a moment. Raises Refused where it has lasted for too long."""
        if asyncio.get_running_loop().time() >= self._until:
            raise Refused(f"{why} were in the way for {self._patience:.0f} s")
        if why != self._last:
            self._last = why
            await self._progress(f"waits: {why} are in the way")
        await asyncio.sleep(_ASK_AGAIN)


@contextlib.asynccontextmanager
async def _killed_late(process: Waiting) -> AsyncIterator[None]:
    """Kill a process that has agreed to end, and does not."""
    try:
        async with asyncio.timeout(_ENDING):
            yield
    except TimeoutError:
        child = process.child
        log.error("process_killed", child=child.what, why="it did not hand over", pid=child.pid)
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()


def _words(payments: int = 0, sessions: int = 0) -> str:
    """What is in the way."""
    if not payments and not sessions:
        return "messages to the supervisor"
    found = [f"{payments} payments"] if payments else []
    return " and ".join([*found, *([f"{sessions} calls that media cannot hand over"] if sessions else [])])


async def _read_all(end: socket.socket) -> bytes:
    loop, text = asyncio.get_running_loop(), bytearray()
    while part := await loop.sock_recv(end, _MAX_REPORT):
        text += part
        if len(text) > _MAX_REPORT:
            raise ConnectionError("a report without an end")
    return bytes(text)
