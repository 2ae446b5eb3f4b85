"""The b2bua that carries the calls, and the spare that waits to be the next.

Rule 1: the spare uses no socket, file or database before its turn comes.
Rule 2: there is a spare only while a b2bua has lasted for LASTED seconds: one message that ends
        each b2bua as soon as it is sent again meets the growing pause of the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from b2bua.config.settings import SignallingSettings
from b2bua.config.trunk_settings import CarrierSettings
from b2bua.supervise.child import Child, terminate_after
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.telemetry.choice import telemetry_environment
from tonewall.log import get_logger
from tonewall.process import card_environment, plain_environment
from tonewall.turn import NAME, give_turn

log = get_logger(__name__)
LASTED: Final = 2.0  # seconds


class Starter(Protocol):
    """Starts a process, as `start_child` does."""

    def __call__(
        self,
        module: list[str],
        environment: dict[str, str],
        handed: socket.socket | None = None,
        shared: Mapping[str, int] = ...,
    ) -> Awaitable[Child]:
        """Raises OSError."""
        ...


@dataclass(slots=True)
class Waiting:
    """A b2bua whose turn has not come. `turn`: where it learns of it; `pulse`: where it can be
    followed then."""

    child: Child
    turn: socket.socket
    pulse: socket.socket
    is_taken: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        self.turn.close()
        self.pulse.close()


class B2buaProcesses:
    """One b2bua after another. `settings`: those in force; `arguments`: those of its module;
    `sockets`: what all of them inherit; `name`: is given the process id of the one that carries
    calls, 0: none does."""

    def __init__(
        self,
        settings: Callable[[], SignallingSettings],
        arguments: list[str],
        start: Starter,
        sockets: Callable[[], Mapping[str, int]],
        channel: SignallingChannel,
        name: Callable[[int], None],
        stop: asyncio.Event,
    ) -> None:
        self._settings, self._arguments, self._start, self._sockets = settings, arguments, start, sockets
        self._channel, self._name, self._stop = channel, name, stop
        self._spare: Waiting | None = None
        self._lasts = asyncio.Event()

    @property
    def has_spare(self) -> bool:
        """Whether one waits for its turn."""
        return self._spare is not None

    async def run(self) -> int:
        """Have one carry the calls, and return its status: the spare where there is one. Raises
        OSError where none can be started."""
        loop = asyncio.get_running_loop()
        waiting = self._take_spare() or await self._begin()
        try:
            self._name(waiting.child.pid)
            with contextlib.suppress(OSError):  # it has just ended; its status has the reason
                await give_turn(waiting.turn, self._environment())
            lasts = loop.call_later(LASTED, self._lasts.set)
            try:
                with self._channel.following(waiting.pulse):
                    return await terminate_after(waiting.child, self._stop)
            finally:
                lasts.cancel()
                self._lasts.clear()
                self._name(0)  # its number may be another's soon
        finally:
            waiting.close()

    async def run_spare(self) -> int:
        """Have one wait, and return its status; 0 as soon as its turn has come. Raises OSError."""
        if not await self._wait(self._lasts):
            return 0
        spare = self._spare = await self._begin()
        log.info("spare_started", pid=spare.child.pid)
        taken = asyncio.create_task(spare.is_taken.wait())
        ended = asyncio.create_task(spare.child.process.wait())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({taken, ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if spare.is_taken.is_set():
                return 0
            self._spare = None
            spare.close()
            return await terminate_after(spare.child, self._stop)
        finally:
            for task in (taken, ended, stopping):
                task.cancel()

    async def _wait(self, event: asyncio.Event) -> bool:
        """Wait for an event. False: for the stop, which came first."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        return not self._stop.is_set()

    def _take_spare(self) -> Waiting | None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.is_taken.set()
            log.info("spare_taken", pid=spare.child.pid)
        return spare

    async def _begin(self) -> Waiting:
        with contextlib.ExitStack() as ends:
            turn, its_turn = (ends.enter_context(each) for each in socket.socketpair())
            pulse, its_pulse = (ends.enter_context(each) for each in self._channel.new_pair())
            turn.setblocking(False)
            module = ["b2bua.app", *self._arguments, "--pulse", str(its_pulse.fileno())]
            shared = {**self._sockets(), NAME: its_turn.fileno()}
            child = await self._start(module, self._environment(), its_pulse, shared)
            its_turn.close()
            ends.pop_all()
            return Waiting(child, turn, pulse)

    def _environment(self) -> dict[str, str]:
        # Keys that come as SIP INFO pass through it: then what it frees is overwritten as well.
        settings = self._settings()
        by_info = any(
            isinstance(each, CarrierSettings) and each.info_digits for each in settings.trunks.values()
        )
        make_environment = card_environment if by_info else plain_environment
        return make_environment(settings.environment() | telemetry_environment(os.environ))
