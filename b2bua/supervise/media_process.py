"""The media process that relays, the spare that waits to be the next, and what both share: the
socket on which media takes commands, and the recovery page.

Rule 1: that socket is bound once: while no media runs, a connection of b2bua's waits for the next.
Rule 2: media outlives b2bua, so that calls end in good order.
Rule 3: media alone inherits the page; it is in memory, has one size for ever, and is not read here.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from b2bua.supervise.kept import KEPT_PAGE, Kept
from b2bua.supervise.media_channel import MediaChannel
from b2bua.supervise.service_manager import ServiceManager
from b2bua.supervise.succession import Kind, Starter, Succession, Waiting
from media.kept_streams import LISTENER, PAGE, SLOT_OCTETS, SLOTS
from media.settings import MaskTimes, MediaSettings
from tonewall.ini import to_environment
from tonewall.process import card_environment

_BACKLOG = 8  # connections: there is one b2bua


@dataclass(slots=True)
class HeldForMedia:
    """What one media process after another inherits, by name."""

    _listener: socket.socket
    _page: int
    _manager: ServiceManager

    @classmethod
    def open(
        cls, path: Path, manager: ServiceManager | None = None, kept: Kept | None = None
    ) -> HeldForMedia:
        """`path`: of the socket on which media takes commands; `kept`: what is there of the
        supervisor before us, whose b2bua has ended with it. Raises OSError; then nothing stays
        open."""
        manager, kept = manager or ServiceManager(), kept or Kept()
        page = kept.page if kept.page >= 0 else make_recovery_page()
        try:
            held = cls(bind_media_socket(path), page, manager)
        except OSError:
            os.close(page)
            raise
        if kept.page < 0:
            manager.keep(KEPT_PAGE, page, note=b"")
        return held

    def descriptors(self) -> Mapping[str, int]:
        """The descriptor of each."""
        return {LISTENER: self._listener.fileno(), PAGE: self._page}

    def close(self) -> None:
        """Close them; once more changes nothing."""
        self._listener.close()
        if self._page >= 0:
            self._manager.forget(KEPT_PAGE, here=True)
            os.close(self._page)
        self._page = -1


def make_recovery_page() -> int:
    """A file in memory with a slot for each stream that can be kept. What no stream has used takes
    no memory. Raises OSError."""
    page = os.memfd_create("tonewall-streams", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(page, SLOTS * SLOT_OCTETS)
        # Nobody can cut it short under a process that has mapped it, which would end (mmap(2)).
        fcntl.fcntl(page, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(page)
        raise
    return page


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
    held: HeldForMedia,
    channel: MediaChannel,
    stop: asyncio.Event,
    end: asyncio.Event,
) -> Succession:
    """One media process after another. `arguments`: those of its module; `stop`: ends the spare,
    and `end` the one that relays."""

    def carrying(waiting: Waiting) -> AbstractContextManager[None]:
        return channel.opened(waiting.channel)

    module = ["media.process", *arguments]
    kind = Kind(
        lambda number: [*module, "--payers", str(number)],
        lambda: card_environment(to_environment(settings) | to_environment(times)),
        held.descriptors,
    )
    return Succession(kind, start, carrying, stop, end)
