"""Decides when this process ends: at once, after a drain, or as it hands its calls over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from b2bua.switchboard.draining import Drain, DrainEvent, DrainState
from tonewall.log import get_logger
from tonewall.turn import HANDED_OVER

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
        self._hands_over = False

    def at_once(self) -> None:
        """End now, whatever is left."""
        self._at_once.set()
        self._wanted.set()

    def after_drain(self) -> None:
        """End once nothing is left, or `drain_time` is over."""
        self._wanted.set()

    def hand_over(self) -> None:
        """End now, and leave the calls to the next process."""
        self._hands_over = True
        self._wanted.set()

    @property
    def hands_over(self) -> bool:
        """Whether the calls are the next process's. One that is to end at once ends them."""
        return self._hands_over and not self._at_once.is_set()

    @property
    def status(self) -> int:
        """Of the process, where it ends as it was asked to."""
        return HANDED_OVER if self.hands_over else 0

    async def wait(self, board: _Board, engine: _Engine) -> None:
        """Return when the process is to end. A drain that is wanted begins here."""
        await self._wanted.wait()
        if self.hands_over:
            return
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
