"""The digit socket of the rtpengine engine: it belongs to the core; here it is bound, and
calls are named whose keys it keeps."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from media._core import KEYED, Feed
from media.events import Side

_ROOM = 1 << 20  # octets of the socket's buffer: some thousand keys, should this process be busy


class DigitSocket:
    """The socket and what waits for it. `happened` is called for keys and losses, stream by
    stream."""

    def __init__(
        self, address: tuple[str, int], servers: Sequence[str], happened: Callable[[int, int], None]
    ) -> None:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
            sock.bind(address)
            sock.setblocking(False)
            descriptor = sock.detach()
        self.feed = Feed(descriptor, servers)
        self._happened = happened
        self._proofs: dict[int, asyncio.Event] = {}

    def start(self) -> None:
        """Read the socket whenever something has come. Needs a running loop."""
        asyncio.get_running_loop().add_reader(self.feed.fileno(), self._read)

    def stop(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self.feed.fileno())

    def keep_keys(self, stream: int, call: str) -> None:
        """Keep the keys of this call's customer as `stream`'s. Raises OSError."""
        self.feed.open(stream, call.encode(), Side.CALLER.value.encode())

    def forget(self, stream: int) -> None:
        """Wipe them, and keep no more."""
        self.feed.close(stream)
        self._proofs.pop(stream, None)

    def awaited(self, stream: int, call: str) -> asyncio.Event:
        """Set once a key of this call has come. Raises OSError."""
        self.forget(stream)
        self.keep_keys(stream, call)
        self._proofs[stream] = came = asyncio.Event()
        return came

    def _read(self) -> None:
        for stream, kind in self.feed.receive():
            if stream not in self._proofs:
                self._happened(stream, kind)
            elif kind == KEYED:
                self._proofs[stream].set()
