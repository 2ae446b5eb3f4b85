"""A process that is started ahead of its time, and waits until it is its turn.

What it has loaded by then costs nothing when another of its kind has just ended.

Rule 1: it begins with the settings of the moment in which its turn comes.
Rule 2: one whose starter has gone ends: its turn can come no more.
Rule 3: once it has loaded, it says of which version it is: its starter may be of an older one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from tonewall import log_settings
from tonewall.process import SUPERVISOR
from tonewall.version import VERSION

NAME: Final = "turn"  # of the descriptor, in the table of the child
HANDED_OVER: Final = 79
"""The status of a process that has left its work to the next: behind those of sysexits.h."""
_MAX_LINE: Final = 4096  # octets
# What a child is given at its start, whatever its settings are.
_OF_THE_START: Final = frozenset({SUPERVISOR, log_settings.VARIABLE})


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a process says that has loaded all of its code."""

    version: str


async def await_loaded(waiting: socket.socket) -> Loaded:
    """Wait until the process at the other end has loaded. Raises OSError where it ends before,
    ValueError for what is no such message."""
    loop, text = asyncio.get_running_loop(), bytearray()
    while not text.endswith(b"\n"):
        part = await loop.sock_recv(waiting, _MAX_LINE)
        if not part:
            raise ConnectionError("it has ended")
        text += part
        if len(text) > _MAX_LINE:
            raise ValueError("a line without an end")
    return msgspec.json.decode(text, type=Loaded)


async def give_turn(waiting: socket.socket, environment: Mapping[str, str]) -> None:
    """Have the process at the other end begin, in this environment. Raises OSError where it has
    ended."""
    await asyncio.get_running_loop().sock_sendall(waiting, msgspec.json.encode(dict(environment)))
    waiting.shutdown(socket.SHUT_WR)


def wait_for_turn(descriptor: int, meanwhile: Callable[[], object]) -> bool:
    """Wait, and take the environment over. False: the process that started us has gone.

    `meanwhile`: done first, unless the turn has come already. Raises ValueError for what is no
    environment."""
    with socket.socket(fileno=descriptor) as starter:
        starter.setblocking(True)
        waiting = select.poll()  # select() knows no descriptor above 1,023, and our starter has many
        waiting.register(starter, select.POLLIN)
        if not waiting.poll(0):
            meanwhile()
            with contextlib.suppress(OSError):  # its end is seen below
                starter.sendall(msgspec.json.encode(Loaded(version=VERSION)) + b"\n")
        text = bytearray()
        try:
            while part := starter.recv(1 << 16):
                text += part
        except ConnectionResetError:  # it has gone, and never read that we have loaded
            return False
    if not text:
        return False
    environment = msgspec.json.decode(bytes(text), type=dict[str, str])
    for name in set(os.environ) - set(environment) - _OF_THE_START:
        del os.environ[name]
    os.environ.update(environment)
    return True
