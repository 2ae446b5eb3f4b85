"""The supervisor's socket to b2bua: its pulses come up, requests go down.

Rule 1: a b2bua that has not sent a pulse yet carries no call, and one that sends none any more
        hangs: neither is asked for anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping

import msgspec

from b2bua.switchboard.pulse import Pulse
from b2bua.switchboard.supervised import (
    Answer,
    DrainCalls,
    GoOn,
    HandOver,
    PaymentsUnderWay,
    Reloaded,
    ReloadSettings,
    RenewMedia,
    Request,
    send_request,
)
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
        self.faults: tuple[str, ...] = ()  # of the newest pulse
        self.pulses = 0
        self._answer: asyncio.Future[Answer] | None = None

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
                self._answered(None)

    @property
    def lives(self) -> bool:
        """Whether there is a b2bua that carries calls."""
        now = asyncio.get_running_loop().time()
        return self._end is not None and self._pulse_at is not None and now - self._pulse_at <= _SILENCE

    def drain(self) -> bool:
        """Ask b2bua for a drain. Returns whether there is one that carries calls."""
        if self._end is None or not self.lives:
            return False
        try:
            send_request(self._end, DrainCalls())
        except OSError as error:
            log.error("b2bua_not_asked", why=error.strerror or type(error).__name__)
            return False
        return True

    async def reload(self, request: ReloadSettings, environment: Mapping[str, str]) -> Reloaded:
        """Have b2bua put these settings in force: its answer. One at a time. Raises OSError where
        it ends before."""
        answer = await self._ask(request, environment)
        if not isinstance(answer, Reloaded):
            raise OSError("b2bua has answered something else")
        return answer

    async def hand_over(self) -> int:
        """Have b2bua leave its calls to the next one, and wait for its end. Returns how many
        payments are in the way: where there are any, nothing has happened."""
        try:
            answer = await self._ask(HandOver(), None)
        except OSError:  # it has ended
            return 0
        return answer.count if isinstance(answer, PaymentsUnderWay) else 0

    async def renew_media(self) -> int:
        """Have b2bua hold still until media is renewed. Returns how many payments are in the way:
        where there are any, it goes on. Raises OSError where it ends before."""
        answer = await self._ask(RenewMedia(), None)
        return answer.count if isinstance(answer, PaymentsUnderWay) else 0

    def go_on(self) -> None:
        """Have it go on, for media was not renewed."""
        if self._end is not None:
            with contextlib.suppress(OSError):  # its end is seen elsewhere
                send_request(self._end, GoOn())

    async def _ask(self, request: Request, environment: Mapping[str, str] | None) -> Answer:
        if self._end is None:
            raise OSError("b2bua is away")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            send_request(self._end, request, environment)
            return await self._answer
        finally:
            self._answer = None

    def _answered(self, answer: Answer | None) -> None:
        if self._answer is None or self._answer.done():
            return
        if answer is None:
            self._answer.set_exception(OSError("b2bua has ended"))
        else:
            self._answer.set_result(answer)

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
        said = msgspec.json.decode(packet, type=Pulse | Answer)
        if isinstance(said, Pulse):
            self.faults, self.pulses = said.faults, self.pulses + 1
            self._on_pulse(said)
        else:
            self._answered(said)
