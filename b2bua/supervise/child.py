"""Starts a process of Tonewall's, and waits for its end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from tonewall.log import get_logger
from tonewall.process import SUPERVISOR

log = get_logger(__name__)
GRACE = 5.0  # seconds that a process may take to stop


async def start_child(
    module: Sequence[str],
    environment: Mapping[str, str],
    *,
    handed: socket.socket | None = None,
    logs: int | None = None,
) -> asyncio.subprocess.Process:
    """Start `python -m` with this module and its arguments, in a session of its own.

    `handed`: a socket that becomes the child's and is closed here; `logs`: the file descriptor for
    its log, where it is not our standard error. Raises OSError.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *module,
            env={**environment, SUPERVISOR: str(os.getpid())},
            # Ctrl-C is for the supervisor, which ends the others in good order.
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=logs,
            pass_fds=(handed.fileno(),) if handed else (),
        )
    finally:
        if handed is not None:
            handed.close()
    log.debug("started", what=module[0], pid=process.pid)
    return process


async def terminate_after(process: asyncio.subprocess.Process, stop: asyncio.Event) -> int:
    """The status of a process, which is terminated once `stop` is set."""
    return await _wait(process, stop, GRACE, terminate=True)


async def await_end(process: asyncio.subprocess.Process, stop: asyncio.Event, patience: float) -> int:
    """The status of a process that ends by itself: at the latest `patience` seconds after `stop`,
    then it is killed."""
    return await _wait(process, stop, patience, terminate=False)


async def _wait(
    process: asyncio.subprocess.Process, stop: asyncio.Event, seconds: float, *, terminate: bool
) -> int:
    stopping = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(process.wait())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not ended.done():
        if terminate:
            process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(ended), seconds)
        except TimeoutError:
            log.error("process_killed", why="it did not stop", pid=process.pid)
            process.kill()
    return await ended
