"""Starts the carrying of calls: those of the process before, and new ones."""

from __future__ import annotations

import asyncio
from typing import Final

from b2bua.switchboard.checkpoints import Checkpoints, take_calls_up
from b2bua.switchboard.interfaces import RunningEngine
from b2bua.switchboard.switchboard import Switchboard
from media.client import MediaClient

_FIRST_MEDIA: Final = 1.0  # seconds that the start waits for media, which was started with us


async def start_calls(
    media: MediaClient, engine: RunningEngine, board: Switchboard, calls: int | None
) -> tuple[asyncio.Task[None], Checkpoints | None]:
    """Go on with the calls of the process before, whose file is `calls`, and receive new ones.
    Those that have waited in the sockets are carried, not refused: media, which is started with us,
    is connected first. Returns the task of the connection to media, and who keeps the calls."""
    checkpoints = take_calls_up(calls, engine, board)
    await board.resume_payments()
    relaying = asyncio.create_task(media.run(), name="media")
    await media.wait_connected(_FIRST_MEDIA)
    await (checkpoints.start_engine() if checkpoints is not None else engine.start())
    return relaying, checkpoints
