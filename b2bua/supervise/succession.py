"""One process of a kind after another, and the spare that waits to be the next.

Rule 1: the spare uses no socket, file or database before its turn comes.
Rule 2: there is a spare only while a process has lasted for LASTED seconds: one message that ends
        each as soon as it is sent again meets the growing pause of the supervisor.
Rule 3: in an upgrade a process of the new code goes on, and the spare of the old code waits until
        that has answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from b2bua.supervise.child import Child, channel_pair, terminate_after
from tonewall.log import get_logger
from tonewall.turn import NAME, await_loaded, give_turn

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
    """A process whose turn has not come. `turn`: where it learns of it; `channel`: our end of its
    socket to us."""

    child: Child
    turn: socket.socket
    channel: socket.socket
    is_taken: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """Close our ends."""
        self.turn.close()
        self.channel.close()


@dataclass(slots=True)
class Kind:
    """What the processes of one kind have in common. `module`: with its arguments, for the child's
    end of its socket to us; `sockets`: what each inherits."""

    module: Callable[[int], list[str]]
    environment: Callable[[], dict[str, str]]
    sockets: Callable[[], Mapping[str, int]]


class Succession:
    """The processes of one kind. `carrying`: entered while one has its turn; `stop`: ends the
    spare, and `end` the one that has its turn."""

    def __init__(
        self,
        kind: Kind,
        start: Starter,
        carrying: Callable[[Waiting], AbstractContextManager[None]],
        stop: asyncio.Event,
        end: asyncio.Event,
    ) -> None:
        self._kind, self._start, self._carrying = kind, start, carrying
        self._stop, self._end = stop, end
        self._spare: Waiting | None = None
        self._next: Waiting | None = None
        self.current: Waiting | None = None  # the one that has its turn
        self._lasts = asyncio.Event()

    @property
    def has_spare(self) -> bool:
        """Whether one waits for its turn."""
        return self._spare is not None or self._next is not None

    # --- an upgrade -------------------------------------------------------------------------------

    async def load_next(self, patience: float) -> Waiting:
        """Start one from the code on disk, whose turn is not to come yet. Raises OSError,
        ValueError and TimeoutError where it does not load within so many seconds."""
        waiting = await self._begin()
        try:
            async with asyncio.timeout(patience):
                await await_loaded(waiting.turn)
        except BaseException:
            await end_unused(waiting)
            raise
        return waiting

    def put_first(self, waiting: Waiting | None) -> None:
        """Its turn is the next to come, before that of the spare; None: the spare's is."""
        self._next = waiting

    def renew_spare(self) -> None:
        """End the spare: the next is of the code on disk."""
        if (spare := self._spare) is not None:
            self._spare = None
            spare.is_taken.set()
            spare.close()

    # --- one after another ------------------------------------------------------------------------

    async def run(self) -> int:
        """Have one work, and return its status: the spare where there is one. Raises OSError where
        none can be started."""
        waiting = self._take_next() or self._take_spare() or await self._begin()
        self.current = waiting
        try:
            with self._carrying(waiting):
                with contextlib.suppress(OSError):  # it has just ended; its status has the reason
                    await give_turn(waiting.turn, self._kind.environment())
                lasts = asyncio.get_running_loop().call_later(LASTED, self._lasts.set)
                try:
                    return await terminate_after(waiting.child, self._end)
                finally:
                    lasts.cancel()
                    self._lasts.clear()
        finally:
            self.current = None
            waiting.close()

    async def run_spare(self) -> int:
        """Have one wait, and return its status; 0 as soon as its turn has come. Raises OSError."""
        if not await self._wait(self._lasts):
            return 0
        spare = self._spare = await self._begin()
        log.info("spare_started", child=spare.child.what, pid=spare.child.pid)
        loading = asyncio.create_task(_note_loaded(spare))
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
            for task in (loading, taken, ended, stopping):
                task.cancel()

    async def _wait(self, event: asyncio.Event) -> bool:
        """Wait for an event. False: for the stop, which came first."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
        return not self._stop.is_set()

    def _take_next(self) -> Waiting | None:
        waiting, self._next = self._next, None
        return waiting if waiting is not None and waiting.child.process.returncode is None else None

    def _take_spare(self) -> Waiting | None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.is_taken.set()
            log.info("spare_taken", child=spare.child.what, pid=spare.child.pid)
        return spare

    async def _begin(self) -> Waiting:
        with contextlib.ExitStack() as ends:
            turn, its_turn = (ends.enter_context(each) for each in socket.socketpair())
            channel, its_channel = (ends.enter_context(each) for each in channel_pair())
            turn.setblocking(False)
            shared = {**self._kind.sockets(), NAME: its_turn.fileno()}
            module = self._kind.module(its_channel.fileno())
            child = await self._start(module, self._kind.environment(), its_channel, shared)
            its_turn.close()
            ends.pop_all()
            return Waiting(child, turn, channel)


async def _note_loaded(spare: Waiting) -> None:
    """Log of which version it is, once it has loaded."""
    with contextlib.suppress(OSError, ValueError):  # it has ended, or its turn has come before
        loaded = await await_loaded(spare.turn)
        log.info("spare_loaded", child=spare.child.what, pid=spare.child.pid, version=loaded.version)


async def end_unused(waiting: Waiting) -> None:
    """End a process whose turn never came, and wait until it has ended."""
    waiting.close()
    with contextlib.suppress(ProcessLookupError):
        waiting.child.process.terminate()
    await waiting.child.process.wait()
