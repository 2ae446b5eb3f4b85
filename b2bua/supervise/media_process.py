"""The media process that relays, the spare that waits to be the next, and what both share: the
socket on which media takes commands.

Rule 1: that socket is bound once: while no media runs, a connection of b2bua's waits for the next.
Rule 2: media outlives b2bua, so that calls end in good order.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.succession import Kind, Starter, Succession, Waiting
from media.kept_streams import LISTENER
from media.settings import MaskTimes, MediaSettings
from tonewall.ini import to_environment
from tonewall.process import card_environment

_BACKLOG = 8  # connections: there is one b2bua


def bind_media_socket(path: Path) -> socket.socket:
    """A unix socket with mode 0600 that listens. Raises OSError."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def media_processes(
    settings: MediaSettings,
    times: MaskTimes,
    arguments: list[str],
    start: Starter,
    listener: socket.socket,
    channel: MediaChannel,
    stop: asyncio.Event,
    end: asyncio.Event,
) -> Succession:
    """One media process after another. `arguments`: those of its module; `stop`: ends the spare,
    and `end` the one that relays."""

    def inherited() -> Mapping[str, int]:
        return {LISTENER: listener.fileno()}

    def carrying(waiting: Waiting) -> AbstractContextManager[None]:
        return channel.opened(waiting.channel)

    module = ["media.process", *arguments]
    kind = Kind(
        lambda number: [*module, "--payers", str(number)],
        lambda: card_environment(to_environment(settings) | to_environment(times)),
        inherited,
    )
    return Succession(kind, start, carrying, stop, end)
