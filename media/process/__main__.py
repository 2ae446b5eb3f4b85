"""Serves b2bua's commands on a unix socket: the entry point of the media process.

Started as `python -m media.process --socket PATH --payers FD`, its settings in the environment, by
`tonewall run`. It opens no connection of its own, but to rtpengine servers (media/rtpengine).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import uvloop

from media.kept_streams import LISTENER, PAGE
from media.prompts.shelf import PromptShelf
from media.rtpengine.service import DistributedMedia
from media.service.kept_sockets import KeptSockets
from media.service.payers import Payers
from media.service.service import MediaService
from media.settings import MaskTimes, MediaSettings
from tonewall.confinement import MEDIA, PLAIN, confine
from tonewall.descriptors import take_table
from tonewall.ini import ConfigError, load
from tonewall.log import configure_log, get_logger
from tonewall.process import allow_many_files, end_with_parent, harden, ignore_hangup, overwrites_freed_memory
from tonewall.tasks import BackgroundTasks
from tonewall.turn import NAME, wait_for_turn

log = get_logger(__name__)
_NONE: Mapping[str, int] = MappingProxyType({})


def engine(settings: MediaSettings) -> type[MediaService]:
    """What carries the commands out."""
    if settings.engine == "rtpengine":
        return DistributedMedia
    return MediaService


async def run(
    settings: MediaSettings,
    times: MaskTimes,
    path: Path,
    payers_channel: socket.socket | None,
    prompts: Path | None = None,
    inherited: Mapping[str, int] = _NONE,
) -> None:
    """Serve until SIGTERM or SIGINT. `inherited`: what the supervisor holds for one media process
    after another, by name. Raises OSError where the socket cannot be made."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    payers = Payers()
    listener = inherited.get(LISTENER)
    kept = KeptSockets(payers.tell_supervisor if listener is not None else None, inherited.get(PAGE, -1))
    service = engine(settings)(settings, payers, times, PromptShelf(prompts), kept)
    await service.start()
    tasks = BackgroundTasks()
    tasks.start(service.end_quiet_orphans(), "orphans")
    tasks.start(service.watch_lines(), "lines")
    if payers_channel is not None:
        receiving = payers.receive(
            payers_channel, service.take_decoder, service.peer, kept.receive, service.hand_over
        )
        tasks.start(receiving, "payers")
    if listener is not None:
        await kept.all_came.wait()  # before anybody may ask for a session of theirs
        server = await loop.create_unix_server(service.accept, sock=socket.socket(fileno=listener))
    else:
        server = await _bind(service, path)
    confine(MEDIA)  # all threads run, and all that is only opened once is open
    log.info("listening", path=str(path), address=settings.address)
    await stop.wait()
    server.close()
    await service.stop()
    payers.close()
    await tasks.cancel()


async def _bind(service: MediaService, path: Path) -> asyncio.Server:
    """A socket of our own, where nobody holds one for us."""
    path.unlink(missing_ok=True)  # noqa: ASYNC240  # before anything is served
    before = os.umask(0o177)
    try:
        return await asyncio.get_running_loop().create_unix_server(service.accept, path)
    finally:
        os.umask(before)


def main() -> None:
    """Run the media process: arguments, hardening, log, loop."""
    parser = argparse.ArgumentParser(
        prog="python -m media.process", description="The media process of Tonewall."
    )
    parser.add_argument(
        "--socket", type=Path, required=True, help="the unix socket for b2bua; made with mode 0600"
    )
    parser.add_argument(
        "--payers", type=int, help="the inherited channel on which the supervisor hands over payers"
    )
    parser.add_argument("--prompts", type=Path, help="the directory of prompts, as they are prepared")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args()
    inherited = take_table(os.environ)
    configure_log("media", arguments.log_level)
    ignore_hangup()
    end_with_parent()
    allow_many_files()
    if not overwrites_freed_memory():
        log.error(
            "refused_to_start", why="freed memory is not overwritten", hint="start with card_environment()"
        )
        raise SystemExit(78)
    if not harden():
        log.warning("memory_not_locked", hint="raise the memory lock limit; the vault itself is locked")
    confine(PLAIN)  # before the loop: a ring of the kernel's would pass by any later filter
    if (turn := inherited.pop(NAME, None)) is not None and not wait_for_turn(turn, gc.collect):
        return
    try:
        settings, times = load(MediaSettings, {}), load(MaskTimes, {})
        if faults := settings.faults():
            raise ConfigError("\n".join(faults))
        channel = socket.socket(fileno=arguments.payers) if arguments.payers is not None else None
        uvloop.run(run(settings, times, arguments.socket, channel, arguments.prompts, inherited))
    except ConfigError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
