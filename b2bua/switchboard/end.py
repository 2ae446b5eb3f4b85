"""Decides when this process ends: at once, or after a drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from b2bua.switchboard.draining import Drain, DrainEvent, DrainState
from tonewall.log import get_logger

log = get_logger(__name__)
_LOOK: Final = 0.2  # seconds between two looks at what is left


class _Board(Protocol):
    def calls_left(self) -> int: ...
    def is_busy(self) -> bool: ...
    def publish_faults(self) -> None: ...


class _Engine(Protocol):
    def drain(self) -> None: ...


class End:
    """The end of one process. `drain` is the one that the switchboard looks at."""

    def __init__(self, drain: Drain, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never runs backwards."""
        self._drain, self._clock = drain, clock
        self._at_once, self._wanted = asyncio.Event(), asyncio.Event()

    def at_once(self) -> None:
        """End now, whatever is left."""
        self._at_once.set()
        self._wanted.set()

    def after_drain(self) -> None:
        """End once nothing is left, or `drain_time` is over."""
        self._wanted.set()

    async def wait(self, board: _Board, engine: _Engine) -> None:
        """Return when the process is to end. A drain that is wanted begins here."""
        await self._wanted.wait()
        if not self._at_once.is_set():
            self._drain.receive(DrainEvent.DRAIN, self._clock())
            engine.drain()
            board.publish_faults()
            log.info("draining", calls=board.calls_left(), seconds=self._drain.drain_time)
            await self._drained(board)
        self._drain.receive(DrainEvent.END, self._clock())

    async def _drained(self, board: _Board) -> None:
        while not self._at_once.is_set() and self._drain.state is DrainState.DRAINING:
            if not board.is_busy():
                self._drain.receive(DrainEvent.EMPTY, self._clock())
                log.info("drained")
                return
            if self._drain.expire(self._clock()):
                log.warning("drain_over", calls=board.calls_left(), hint="[general] drain_time")
                return
            await _sleep(self._at_once)


async def _sleep(event: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(event.wait(), _LOOK)
    except TimeoutError:
        return
