"""Leaves the calls of this process to the next one, at a moment in which nothing is half done.

Rule 1: nothing is sent to a peer or to media: nobody notices.
Rule 2: what comes meanwhile waits in sockets that the supervisor holds.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol, runtime_checkable

from b2bua.api.server import Serving
from b2bua.switchboard.checkpoints import Checkpoints
from b2bua.switchboard.interfaces import RunningEngine
from b2bua.switchboard.switchboard import Switchboard
from media.client import MediaClient
from tonewall.log import get_logger

log = get_logger(__name__)
_PATIENCE: Final = 1.0  # seconds for answers of media that are under way
LOOK: Final = 0.002  # seconds between two looks


@runtime_checkable
class _Engine(Protocol):
    """An engine whose legs go on in another process."""

    def pause(self) -> None: ...
    async def abandon(self) -> None: ...


async def hand_over(
    api: Serving,
    engine: RunningEngine,
    board: Switchboard,
    media: MediaClient,
    checkpoints: Checkpoints | None,
) -> None:
    """End the answers of the API, stop to receive, and write every call."""
    await api.close()
    if checkpoints is None or not isinstance(engine, _Engine):
        return
    engine.pause()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await settled(board, media)
    calls = checkpoints.hand_over()
    await engine.abandon()
    board.abandon()
    log.info("calls_handed_over", calls=calls)


async def settled(board: Switchboard, media: MediaClient) -> None:
    """Until nothing is awaited of media."""
    while media.is_waiting or board.awaits_media():  # noqa: ASYNC110 - many places end a wait
        await asyncio.sleep(LOOK)
