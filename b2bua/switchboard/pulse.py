"""Pulse: b2bua tells the supervisor each second that it lives, and whether calls are taken.

Rule 1: it is sent by the loop that carries the calls. A loop that hangs is silent.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Protocol

import msgspec

from b2bua.call.service_view import Fault, takes_calls

INTERVAL: Final = 1.0  # seconds


class Pulse(msgspec.Struct, frozen=True, kw_only=True, tag="pulse"):
    """How b2bua is. `faults`: their names, the worst first."""

    takes_calls: bool
    calls: int
    faults: tuple[str, ...] = ()


class _Desk(Protocol):
    def faults(self) -> tuple[Fault, ...]: ...
    def health(self) -> dict[str, int | bool]: ...


def take_pulse(desk: _Desk) -> Pulse:
    """How the desk is now."""
    faults = desk.faults()
    return Pulse(
        takes_calls=takes_calls(faults),
        calls=int(desk.health()["calls"]),
        faults=tuple(fault.what for fault in faults),
    )


async def send_pulses(desk: _Desk, supervisor: socket.socket) -> None:
    """Send one each second on this socket, until nobody has its other end."""
    while True:
        try:
            supervisor.send(msgspec.json.encode(take_pulse(desk)))
        except BlockingIOError:
            pass  # the supervisor is late, and will have the next ones
        except OSError:
            return
        await asyncio.sleep(INTERVAL)
