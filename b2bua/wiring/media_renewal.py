"""Holds b2bua still while another media process takes the place of the one that relays.

Rule 1: nothing is received from the network meanwhile, and nothing is awaited of media: no command
        is lost, and no call refused. What comes waits in the sockets.
Rule 2: it lasts `_LONGEST` seconds at most, whatever becomes of media.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from b2bua.switchboard.interfaces import RunningEngine
from b2bua.switchboard.supervised import Answer, MediaMayGo
from b2bua.switchboard.switchboard import Switchboard
from b2bua.wiring.hand_over import LOOK, settled
from media.client import MediaClient
from tonewall.tasks import BackgroundTasks

_LONGEST: Final = 3.0
_PATIENCE: Final = 1.0  # seconds for answers of media that are under way


@runtime_checkable
class _Engine(Protocol):
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class MediaRenewal:
    """Of one process. `answer` reaches the supervisor."""

    def __init__(self, engine: RunningEngine, board: Switchboard, media: MediaClient) -> None:
        self._engine, self._board, self._media = engine, board, media
        self._tasks = BackgroundTasks()
        self._goes_on = asyncio.Event()

    def begin(self, answer: Callable[[Answer], None]) -> None:
        """Hold still, and then answer."""
        if isinstance(self._engine, _Engine):
            self._goes_on.clear()
            self._engine.pause()
            self._tasks.start(self._hold(answer), "renewal of media")

    def go_on(self) -> None:
        """Receive again: media was not renewed."""
        self._goes_on.set()

    async def _hold(self, answer: Callable[[Answer], None]) -> None:
        assert isinstance(self._engine, _Engine)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await settled(self._board, self._media)
            self._board.media_is_renewed = True
            answer(MediaMayGo())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST):
                    await self._until_back()
        finally:
            self._board.media_is_renewed = False
            self._engine.resume()

    async def _until_back(self) -> None:
        was_lost = False
        while not self._goes_on.is_set() and not (was_lost and self._media.connected):
            was_lost = was_lost or not self._media.connected
            await asyncio.sleep(LOOK)
