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
from typing import Final, Protocol

import msgspec

from b2bua.supervise.child import Child
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.supervise.succession import Succession, Waiting, end_unused
from b2bua.supervise.trial_report import TrialReport, objections
from tonewall.log import get_logger

log = get_logger(__name__)
_LOADING: Final = 60.0  # seconds to load, and to try the code, on a busy machine
_ENDING: Final = 20.0  # seconds in which b2bua ends that has agreed to it
_ANSWERING: Final = 15.0  # seconds until the new process answers, before it is killed
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


class _Starter(Protocol):
    def __call__(
        self,
        module: list[str],
        environment: dict[str, str],
        handed: socket.socket | None = None,
        shared: Mapping[str, int] = ...,
    ) -> Awaitable[Child]: ...


@dataclass(slots=True)
class Installation:
    """What an upgrade works with. `config`: of sip.conf; `calls`: the file of kept calls; `name`:
    of the descriptors that the trial inherits."""

    config: Path | None
    start: _Starter
    shared: Callable[[], Mapping[str, int]]
    channel: SignallingChannel
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
            version, renewed = "", []
            log.info("upgrade_begins", agent=by)
            try:
                if obstacle := self.of.obstacle():
                    raise Refused(obstacle)
                report = await self._try_code()
                version = report.version
                await progress(f"version {version} is installed, and reads all {report.calls} calls")
                async with self._loaded("b2bua") as b2bua:
                    await progress("its b2bua has loaded")
                    await self._renew_b2bua(b2bua, patience, progress)
                renewed.append("b2bua")
                await progress(f"b2bua is of version {version}, and has the calls")
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

    # --- b2bua ------------------------------------------------------------------------------------

    async def _renew_b2bua(self, waiting: Waiting, patience: float, progress: Progress) -> None:
        """Have it go on with the calls. Raises Refused."""
        succession, loop = self.of.successions["b2bua"], asyncio.get_running_loop()
        before, until, payments = succession.current, loop.time() + patience, 0
        if before is None:
            raise Refused("no b2bua carries calls")
        while True:
            succession.put_first(waiting)
            try:
                async with asyncio.timeout(_ENDING):
                    found = await self.of.channel.hand_over()
            except TimeoutError:
                log.error("process_killed", child="b2bua", why="it did not hand over", pid=before.child.pid)
                before.child.process.kill()
                break
            if not found:
                break
            succession.put_first(None)
            if loop.time() >= until:
                raise Refused(f"{found} payments were under way for {patience:.0f} s: nothing has changed")
            if found != payments:
                payments = found
                await progress(f"waits for {found} payments")
            await asyncio.sleep(_ASK_AGAIN)
        await self._await_answer(waiting)
        succession.renew_spare()

    async def _await_answer(self, waiting: Waiting) -> None:
        """Wait until the new b2bua lives. Raises Refused where the old spare had to go on."""
        succession, loop = self.of.successions["b2bua"], asyncio.get_running_loop()
        until = loop.time() + _ANSWERING
        while loop.time() < until and waiting.child.process.returncode is None:
            if succession.current is waiting and self.of.channel.lives:
                return
            await asyncio.sleep(_LOOK)
        with contextlib.suppress(ProcessLookupError):
            waiting.child.process.kill()
        await waiting.child.process.wait()
        raise Refused("the new b2bua did not answer: the one before, or its spare, goes on with the calls")


async def _read_all(end: socket.socket) -> bytes:
    loop, text = asyncio.get_running_loop(), bytearray()
    while part := await loop.sock_recv(end, _MAX_REPORT):
        text += part
        if len(text) > _MAX_REPORT:
            raise ConnectionError("a report without an end")
    return bytes(text)
