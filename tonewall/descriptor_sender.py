"""Sends messages with descriptors over a SOCK_SEQPACKET that must not block.

Rule 1: none is lost and none overtakes another: what finds no room waits, with copies of its
        descriptors.
Rule 2: the kernel bounds how many descriptors of a user are under way (ETOOMANYREFS, unix(7)):
        what is beyond that is sent again once the other end has received some.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Final

_RETRY: Final = 0.002  # seconds


class DescriptorSender:
    """One end's messages. `end`: non-blocking, and not ours to close."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._watches = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send it, or have it wait. Raises OSError where nobody reads any more, and where no copy
        of a descriptor is to be had."""
        if not self._waiting and self._try(message, descriptors):
            return
        copies: list[int] = []
        try:
            for each in descriptors:
                copies.append(os.dup(each))
        except OSError:
            close_all(copies)
            raise
        self._waiting.append((message, copies))

    def close(self) -> None:
        """Send no more."""
        self._rest()
        while self._waiting:
            close_all(self._waiting.popleft()[1])

    def _try(self, message: bytes, descriptors: Sequence[int]) -> bool:
        """Whether it was sent; if not, it is tried again later. Raises OSError."""
        try:
            if descriptors:
                socket.send_fds(self._end, [message], descriptors)
            else:
                self._end.send(message)
        except BlockingIOError:
            self._watch()
            return False
        except OSError as error:
            if error.errno not in (errno.ETOOMANYREFS, errno.ENOBUFS):
                raise
            self._wait()
            return False
        return True

    def _flush(self) -> None:
        self._rest()
        while self._waiting:
            message, copies = self._waiting[0]
            try:
                if not self._try(message, copies):
                    return
            except OSError:  # nobody reads any more: the end is seen by whoever reads here
                self.close()
                return
            self._waiting.popleft()
            close_all(copies)

    def _watch(self) -> None:
        if not self._watches:
            asyncio.get_running_loop().add_writer(self._end, self._flush)
            self._watches = True

    def _wait(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY, self._flush)

    def _rest(self) -> None:
        if self._watches:
            asyncio.get_running_loop().remove_writer(self._end)
            self._watches = False
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None


def close_all(descriptors: Sequence[int]) -> None:
    """Close each of them. Raises OSError for one that is not open."""
    for each in descriptors:
        os.close(each)
