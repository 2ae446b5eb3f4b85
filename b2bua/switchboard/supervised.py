"""The socket between b2bua and the supervisor: pulses go up, requests come down.

Rule 1: the supervisor alone has the other end, so that whatever comes by it is obeyed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

MAX_REQUEST: Final = 4096  # octets


class DrainCalls(msgspec.Struct, frozen=True, tag="drain"):
    """Refuse new calls, and end once none is left, or `[general] drain_time` is over."""


Request = DrainCalls


@contextlib.contextmanager
def connected(fd: int, on_request: Callable[[Request], None]) -> Iterator[socket.socket]:
    """The socket of this descriptor, whose requests are handed on meanwhile."""
    loop = asyncio.get_running_loop()
    with socket.socket(fileno=fd) as supervisor:
        supervisor.setblocking(False)

        def receive() -> None:
            try:
                packet = supervisor.recv(MAX_REQUEST)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:  # it was killed; the kernel has SIGTERM for us
                loop.remove_reader(supervisor)
                return
            on_request(msgspec.json.decode(packet, type=Request))

        loop.add_reader(supervisor, receive)
        try:
            yield supervisor
        finally:
            loop.remove_reader(supervisor)
