"""Media processes as `tonewall run` has them, one after another, for tests that kill them: with the
supervisor's channel and store, and no b2bua."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from b2bua.supervise.child import Child, start_child
from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.media_process import HeldForMedia, media_processes
from b2bua.supervise.stream_store import StreamStore
from b2bua.supervise.succession import Succession
from media.kept_streams import PAGE
from media.settings import MaskTimes, MediaSettings
from tests.stack import media_ports, until

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(slots=True)
class MediaProcesses:
    """The one that relays, and perhaps a spare. `pids`: of all, in the order in which they were
    started, and have their turns."""

    path: Path
    held: HeldForMedia
    channel: MediaChannel
    succession: Succession
    pids: list[int] = field(default_factory=list)
    turns: int = 0

    @property
    def page(self) -> int:
        """The descriptor of the recovery page."""
        return self.held.descriptors()[PAGE]

    async def kill(self) -> None:
        """kill -9 of the one that relays."""
        count = self.turns
        os.kill(self.pids[count - 1], signal.SIGKILL)
        await until(lambda: self.turns > count, "the turn of the next")

    async def has_spare(self) -> None:
        """Wait until one has been started."""
        await until(lambda: self.succession.has_spare, "a spare")


@asynccontextmanager
async def media_running(
    directory: Path, settings: MediaSettings | None = None
) -> AsyncIterator[MediaProcesses]:
    """Media processes, of which each has a spare. This process is its b2bua."""
    path, stop, channel = directory / "media.sock", asyncio.Event(), MediaChannel()
    channel.streams = StreamStore(4096)
    channel.name_b2bua(os.getpid())
    settings = settings or MediaSettings(address="127.0.0.1", ports=media_ports(500))
    times = MaskTimes(guard_time=0.2, release_time=1)
    held = HeldForMedia.open(path)
    with contextlib.closing(held), (directory / "media.log").open("ab") as log:

        async def start(
            module: list[str],
            environment: dict[str, str],
            handed: socket.socket | None = None,
            shared: Mapping[str, int] = _NONE,
        ) -> Child:
            child = await start_child(module, environment, handed=handed, shared=shared, logs=log.fileno())
            found.pids.append(child.pid)
            return child

        arguments = ["--socket", str(path), "--log-level", "info"]
        succession = media_processes(settings, times, arguments, start, held, channel, stop, stop)
        found = MediaProcesses(path, held, channel, succession)

        async def relay() -> None:
            while not stop.is_set():
                found.turns += 1
                await succession.run()

        async def wait() -> None:
            while not stop.is_set():
                await succession.run_spare()

        tasks = [asyncio.create_task(relay()), asyncio.create_task(wait())]
        try:
            yield found
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            channel.streams.close()
