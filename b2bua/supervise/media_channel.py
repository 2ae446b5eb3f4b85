"""The supervisor's channel to the media process.

Down: sockets of payers and decoders, the process that is b2bua, faults of payers; first of all what
the media process before it had open. Up: the process ids of payers that have received a charge, and
sockets that are to be kept (media/kept_streams.py).

Rule 1: media trusts this channel alone to tell its payers, decoders and b2bua from strangers.
Rule 2: what a media process has sent counts, also where it has ended since.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Literal

from b2bua.supervise.stream_store import StreamStore
from media.events import PayerFault
from media.kept_streams import HAND_OVER, LONGEST, SOCKETS, HandOverRefused, is_stream_message
from media.peer import naming
from tonewall.descriptor_sender import DescriptorSender
from tonewall.log import get_logger

log = get_logger(__name__)


class MediaChannel:
    """One channel for one media process after another; closed between them. `streams`: what is
    kept for the next."""

    def __init__(self) -> None:
        self.streams = StreamStore(0)
        self._end: DescriptorSender | None = None
        self._open = asyncio.Event()
        self._stopped = False
        self._b2bua = 0  # its process id
        self._charged: dict[int, asyncio.Event] = {}  # by process id
        self._leaves: asyncio.Future[HandOverRefused | None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a media process to send to."""
        return self._end is not None

    @contextlib.contextmanager
    def opened(self, end: socket.socket) -> Iterator[None]:
        """The channel over this socket, while a media process has its other end."""
        end.setblocking(False)
        sender = self._end = DescriptorSender(end)
        self._send_b2bua()
        with contextlib.suppress(OSError):  # it has just ended; the next one gets them
            self.streams.hand_over(sender.send)
        self._open.set()
        loop = asyncio.get_running_loop()
        loop.add_reader(end, self._receive, end)
        try:
            yield
        finally:
            loop.remove_reader(end)
            self._end = None
            sender.close()
            self._receive(end)
            self._answered(None)
            if not self._stopped:
                self._open.clear()

    async def wait_until_open(self) -> bool:
        """Wait for a media process. False where the supervisor stops."""
        while self._end is None and not self._stopped:
            await self._open.wait()
        return not self._stopped

    def stop(self) -> None:
        """Release everybody who waits for media."""
        self._stopped = True
        self._open.set()

    async def hand_over(self, what: Literal["payer", "decoder"], end: socket.socket) -> None:
        """Give media the end of a new process's socket: the next media, where one has ended."""
        while await self.wait_until_open() and self._end is not None:
            try:
                self._end.send(what.encode(), [end.fileno()])
            except (BrokenPipeError, ConnectionResetError):
                # `opened` sees its end in a moment.
                self._open.clear()
                await self._open.wait()
                continue
            except OSError as error:  # no descriptor is free: the process ends, and the next one is tried
                log.error("process_not_handed_over", child=what, exc_info=error)
            return

    async def ask_to_leave(self) -> HandOverRefused | None:
        """Have media end so that the next process goes on, and wait for that; or what is in the
        way. Raises OSError where there is no media process."""
        if self._end is None:
            raise OSError("media is away")
        self._leaves = asyncio.get_running_loop().create_future()
        try:
            self._end.send(HAND_OVER)
            return await self._leaves
        finally:
            self._leaves = None

    def _answered(self, answer: HandOverRefused | None) -> None:
        if self._leaves is not None and not self._leaves.done():
            self._leaves.set_result(answer)

    def report_fault(self, fault: PayerFault) -> None:
        """Tell media why a payer ended without a charge."""
        if self._end is not None and not self._stopped:
            with contextlib.suppress(OSError):  # media is about to end
                self._end.send(fault.value.encode())

    def name_b2bua(self, pid: int) -> None:
        """Tell media which process may command it; 0: none."""
        self._b2bua = pid
        self._send_b2bua()

    @contextlib.contextmanager
    def charge_of(self, pid: int) -> Iterator[asyncio.Event]:
        """An event that is set once media has given a charge to this payer."""
        charged = self._charged[pid] = asyncio.Event()
        try:
            yield charged
        finally:
            del self._charged[pid]

    def _send_b2bua(self) -> None:
        if self._end is not None and self._b2bua and (named := naming(self._b2bua)):
            with contextlib.suppress(OSError):  # media is about to end; the next one is told
                self._end.send(named)

    def _receive(self, end: socket.socket) -> None:
        """Read all that waits."""
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(end, LONGEST, SOCKETS, socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:  # it ended with unread messages: what it sent comes next
                continue
            except OSError:
                return
            if not message:  # media has ended; its own status has the reason
                asyncio.get_running_loop().remove_reader(end)
                return
            if is_stream_message(message):
                said = self.streams.receive(message, descriptors)
                if isinstance(said, HandOverRefused):
                    self._answered(said)
                continue
            for each in descriptors:
                os.close(each)
            if (charged := self._charged.get(int.from_bytes(message, "big"))) is not None:
                charged.set()
