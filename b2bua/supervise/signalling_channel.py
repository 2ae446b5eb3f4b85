"""The supervisor's socket to b2bua: its pulses come up, requests go down.

Rule 1: a b2bua that has not sent a pulse yet carries no call, and one that sends none any more
        hangs: neither is asked for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import msgspec

from b2bua.switchboard.pulse import Pulse
from b2bua.switchboard.supervised import Request
from tonewall.log import get_logger

log = get_logger(__name__)
_MAX_PULSE = 4096
_SILENCE = 15.0  # seconds without a pulse after which it hangs


class SignallingChannel:
    """One channel for one b2bua after another; closed between them."""

    def __init__(self, on_pulse: Callable[[Pulse], None]) -> None:
        self._on_pulse = on_pulse
        self._end: socket.socket | None = None
        self._pulse_at: float | None = None

    @staticmethod
    def new_pair() -> tuple[socket.socket, socket.socket]:
        """Our end and that of a b2bua that is about to start."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        return ours, theirs

    @contextlib.contextmanager
    def following(self, ours: socket.socket) -> Iterator[None]:
        """Follow the b2bua at the other end of this socket meanwhile."""
        loop = asyncio.get_running_loop()
        self._end, self._pulse_at = ours, None
        loop.add_reader(ours, self._receive, ours)
        try:
            yield
        finally:
            loop.remove_reader(ours)
            if self._end is ours:
                self._end = None

    @property
    def lives(self) -> bool:
        """Whether there is a b2bua that carries calls."""
        now = asyncio.get_running_loop().time()
        return self._end is not None and self._pulse_at is not None and now - self._pulse_at <= _SILENCE

    def send(self, request: Request) -> bool:
        """Ask b2bua for something. Returns whether there is one that carries calls."""
        if self._end is None or not self.lives:
            return False
        try:
            self._end.send(msgspec.json.encode(request))
        except OSError as error:
            log.error("b2bua_not_asked", why=error.strerror or type(error).__name__)
            return False
        return True

    def _receive(self, ours: socket.socket) -> None:
        try:
            packet = ours.recv(_MAX_PULSE)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:  # b2bua has ended; the next one has a socket of its own
            asyncio.get_running_loop().remove_reader(ours)
            return
        self._pulse_at = asyncio.get_running_loop().time()
        self._on_pulse(msgspec.json.decode(packet, type=Pulse))
