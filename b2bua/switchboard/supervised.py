"""The socket between b2bua and the supervisor: pulses and answers go up, requests come down.

Rule 1: the supervisor alone has the other end, so that whatever comes by it is obeyed.
Rule 2: settings have secrets in them: they come as a file without a name (memfd_create(2)), which
        is closed once it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

MAX_REQUEST: Final = 65_536  # octets
_MAX_SETTINGS: Final = 16_000_000  # octets


class DrainCalls(msgspec.Struct, frozen=True, tag="drain"):
    """Refuse new calls, and end once none is left, or `[general] drain_time` is over."""


class ReloadSettings(msgspec.Struct, frozen=True, kw_only=True, tag="reload"):
    """Put the settings in force that come along. `by`: who asked, "SIGHUP" or a user of the
    machine; `reloaded`: what has changed, without values."""

    by: str
    reloaded: tuple[str, ...] = ()


class HandOver(msgspec.Struct, frozen=True, tag="hand_over"):
    """Write all calls, and end with the status HANDED_OVER: the next process goes on with them."""


class RenewMedia(msgspec.Struct, frozen=True, tag="renew_media"):
    """Hold still, for another media process is about to take the place of the one that relays."""


class GoOn(msgspec.Struct, frozen=True, tag="go_on"):
    """Media was not renewed after all."""


class MediaMayGo(msgspec.Struct, frozen=True, tag="media_may_go"):
    """The answer to RenewMedia: nothing is awaited of media."""


class PaymentsUnderWay(msgspec.Struct, frozen=True, kw_only=True, tag="payments"):
    """The answer to HandOver and RenewMedia where either would end payments: so many. HandOver has
    no other answer but the end."""

    count: int


class Reloaded(msgspec.Struct, frozen=True, kw_only=True, tag="reloaded"):
    """The answer: why the settings cannot be in force; "" where they are."""

    why: str = ""


Request = DrainCalls | ReloadSettings | HandOver | RenewMedia | GoOn
Answer = Reloaded | PaymentsUnderWay | MediaMayGo
OnRequest = Callable[[Request, Mapping[str, str]], Answer | None]


def send_request(end: socket.socket, request: Request, environment: Mapping[str, str] | None = None) -> None:
    """Send a request, with settings as variables where it has any. Raises OSError."""
    packet = msgspec.json.encode(request)
    if environment is None:
        end.send(packet)
        return
    fd = os.memfd_create("settings", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(msgspec.json.encode(dict(environment)))
        socket.send_fds(end, [packet], [fd])
    finally:
        os.close(fd)


@contextlib.contextmanager
def connected(fd: int, on_request: OnRequest) -> Iterator[socket.socket]:
    """The socket of this descriptor, whose requests are handed on meanwhile, with the variables
    that came along. What `on_request` returns is the answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(fileno=fd) as supervisor:
        supervisor.setblocking(False)

        def receive() -> None:
            try:
                packet, fds, _, _ = socket.recv_fds(supervisor, MAX_REQUEST, 1)
            except BlockingIOError:
                return
            except OSError:
                packet, fds = b"", []
            environment = _read(fds)
            if not packet:  # it was killed; the kernel has SIGTERM for us
                loop.remove_reader(supervisor)
                return
            answer = on_request(msgspec.json.decode(packet, type=Request), environment)
            if answer is not None:
                supervisor.send(msgspec.json.encode(answer))

        loop.add_reader(supervisor, receive)
        try:
            yield supervisor
        finally:
            loop.remove_reader(supervisor)


def _read(fds: list[int]) -> dict[str, str]:
    """The variables in the file that came along; none where none did."""
    found: dict[str, str] = {}
    for fd in fds:
        with open(fd, "rb") as file:
            file.seek(0)
            found = msgspec.json.decode(file.read(_MAX_SETTINGS), type=dict[str, str])
    return found
