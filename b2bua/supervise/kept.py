"""What the supervisor before us had kept, as the keeper hands it to us.

Rule 1: what another version has kept in a form of its own is closed: its name has the number of its
        interface.
Rule 2: sockets of streams without the page that has their state, or without the calls, are closed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from b2bua.supervise.service_manager import NOTE, ServiceManager
from media.kept_streams import SLOT_OCTETS, SLOTS, SOCKETS, KeepStream, decode
from tonewall import keeper
from tonewall.descriptor_sender import close_all
from tonewall.interface import INTERFACE
from tonewall.log import get_logger

log = get_logger(__name__)
KEPT_CALLS: Final = "kept_calls"
KEPT_PAGE: Final = f"kept_page.{INTERFACE}"
_STREAM: Final = f"kept_stream.{INTERFACE}."
_OURS: Final = "kept_"
_PATIENCE: Final = 10.0  # seconds without a message of the keeper
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


def stream_name(slot: int) -> str:
    """Of a stream's sockets."""
    return f"{_STREAM}{slot}"


@dataclass(slots=True)
class Kept:
    """Descriptors. `sockets`: of SIP and of the API, by name; `calls` and `page`: -1 where there
    is none; `streams`: what media said of each, with its sockets; `killed_by`: the signal that
    ended the supervisor before us, 0 for none; `deaths`: how many in a row."""

    sockets: dict[str, int] = field(default_factory=dict)
    calls: int = -1
    page: int = -1
    streams: list[tuple[KeepStream, Sequence[int]]] = field(default_factory=list)
    killed_by: int = 0
    deaths: int = 0
    is_emptied: bool = False


def take_kept(manager: ServiceManager) -> Kept:
    """All that is kept, once it has come; what does not fit is closed, and forgotten. To be called
    once, before the manager is followed."""
    kept = Kept()
    if manager.end is None:
        return kept
    for message, descriptors in _messages(manager.end):
        lines = message.split(b"\n")
        if lines[0] == keeper.ALL:
            _read_news(kept, lines)
            break
        _take(kept, manager, lines, descriptors)
    else:
        log.error("kept_not_read", why="the keeper does not answer")
    _drop_what_does_not_fit(kept, manager)
    return kept


def log_death(kept: Kept) -> None:
    """Log that a supervisor was killed, and what is there of it."""
    if kept.killed_by:
        log.error(
            "restarting", child="supervisor", signal=_signal_name(kept.killed_by), count=kept.deaths,
            sessions=len(kept.streams),
        )  # fmt: skip
    if kept.is_emptied:
        log.error("calls_dropped", count=0, why="each supervisor that had what was kept has been killed")


def _messages(end: socket.socket) -> Iterator[tuple[bytes, list[int]]]:
    end.setblocking(True)
    waiting = select.poll()  # select() knows no descriptor above 1,023
    waiting.register(end, select.POLLIN)
    with contextlib.suppress(OSError):
        while waiting.poll(1000 * _PATIENCE):
            message, descriptors, _, _ = socket.recv_fds(
                end, keeper.LONGEST, keeper.TOGETHER, socket.MSG_CMSG_CLOEXEC
            )
            if not message:
                return
            yield message, descriptors


def _take(kept: Kept, manager: ServiceManager, lines: list[bytes], descriptors: list[int]) -> None:
    name = _word(lines, keeper.NAME)
    if not name.startswith(_OURS) and len(descriptors) == 1:
        kept.sockets[name] = descriptors[0]
    elif name == KEPT_CALLS and len(descriptors) == 1 and kept.calls < 0 and _is_file(descriptors[0]):
        kept.calls = descriptors[0]
    elif name == KEPT_PAGE and len(descriptors) == 1 and kept.page < 0 and _is_page(descriptors[0]):
        kept.page = descriptors[0]
    elif (
        isinstance(said := decode(_word(lines, NOTE.encode()).encode()), KeepStream)
        and name == stream_name(said.slot)
        and len(descriptors) == SOCKETS
    ):
        kept.streams.append((said, descriptors))
    else:
        log.warning("kept_dropped", what=name, why="it is of another form or version")
        close_all(descriptors)
        manager.forget(name, here=name.startswith(_OURS))


def _drop_what_does_not_fit(kept: Kept, manager: ServiceManager) -> None:
    if kept.streams and min(kept.calls, kept.page) < 0:
        log.error(
            "kept_dropped", what="streams", count=len(kept.streams), why="their calls or states are missing"
        )
        for said, descriptors in kept.streams:
            close_all(descriptors)
            manager.forget(stream_name(said.slot), here=True)
        kept.streams.clear()


def _word(lines: list[bytes], begins: bytes) -> str:
    return next((line.removeprefix(begins) for line in lines if line.startswith(begins)), b"").decode(
        errors="replace"
    )


def _read_news(kept: Kept, lines: list[bytes]) -> None:
    for word, name in ((keeper.SIGNAL, "killed_by"), (keeper.DEATHS, "deaths")):
        text = _word(lines, word)
        setattr(kept, name, int(text) if text.isdecimal() else 0)
    kept.is_emptied = keeper.EMPTIED in lines


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _is_page(descriptor: int) -> bool:
    """Whether it is one of ours, which nobody can cut short."""
    if not _is_file(descriptor) or os.fstat(descriptor).st_size != SLOTS * SLOT_OCTETS:
        return False
    return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
