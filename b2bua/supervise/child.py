"""Starts a process of Tonewall's, and waits for its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tonewall.descriptors import write_table
from tonewall.log import get_logger
from tonewall.log_settings import VARIABLE, LogPageOwner
from tonewall.process import ENDED_BY, SUPERVISOR

log = get_logger(__name__)
_NONE: Mapping[str, int] = MappingProxyType({})
# Seconds that a process may take to stop. The longest is b2bua: calls and charges under way have
# two, answers of its API three, and then its records are written.
GRACE = 15.0


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Our end, which does not block, and that of a process that is about to start."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours, and the module that it runs."""

    what: str
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid


async def start_child(
    module: Sequence[str],
    environment: Mapping[str, str],
    *,
    handed: socket.socket | None = None,
    shared: Mapping[str, int] = _NONE,
    logs: int | None = None,
    page: LogPageOwner | None = None,
    is_kept: bool = False,
) -> Child:
    """Start the process of this module with its arguments, in a session of its own.

    `handed`: a socket that becomes the child's and is closed here; `shared`: descriptors that stay
    ours too, by the names under which the child finds them (`take_table`); `logs`: the file
    descriptor for its log, where it is not our standard error; `page`: by which it logs, and which
    b2bua alone may write; `is_kept`: where we are killed, another of us goes on, and the child is
    killed, too. Raises OSError.
    """
    passed = [] if handed is None else [handed.fileno()]
    passed += shared.values()
    own = {**environment, **write_table(shared), SUPERVISOR: str(os.getpid())}
    if is_kept:
        own[ENDED_BY] = str(int(signal.SIGKILL))
    if page is not None:
        passed.append(page.descriptor(may_write=module[0] == "b2bua.app"))
        own[VARIABLE] = str(passed[-1])
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tonewall.start",
            *module,
            env=own,
            # Ctrl-C is for the supervisor, which ends the others in good order.
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=logs,
            pass_fds=passed,
        )
    finally:
        if handed is not None:
            handed.close()
    log.debug("started", child=module[0], pid=process.pid)
    return Child(module[0], process)


async def terminate_after(child: Child, stop: asyncio.Event) -> int:
    """The status of a process, which is terminated once `stop` is set."""
    return await _wait(child, stop, GRACE, terminate=True)


async def await_end(child: Child, stop: asyncio.Event, patience: float) -> int:
    """The status of a process that ends by itself: at the latest `patience` seconds after `stop`,
    then it is killed."""
    return await _wait(child, stop, patience, terminate=False)


async def _wait(child: Child, stop: asyncio.Event, seconds: float, *, terminate: bool) -> int:
    process = child.process
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
            log.error("process_killed", child=child.what, why="it did not stop", pid=process.pid)
            process.kill()
    return await ended
