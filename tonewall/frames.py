"""Length-prefixed frames of typed messages on a stream socket: the one wire format between
Tonewall's processes.

A frame is a 4-byte big-endian length and that many bytes of MessagePack. What does not parse ends
the connection: both ends are ours, so a bad frame is a bug or an intruder, never noise.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, cast

import msgspec

from tonewall.wiped_buffer import WipedProtocol

LIMIT = 256 * 1024
_LENGTH = struct.Struct(">I")
_COMPANY = 0.05  # seconds that a message which is not urgent waits for another to leave with
T = TypeVar("T")


class BadFrame(Exception):
    """The other end sent what is not a frame of the expected type. The text carries no content of
    the frame."""


def pack(message: msgspec.Struct) -> bytes:
    """One frame, ready to write."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unpacker(Generic[T]):
    """Takes frames of `kind` (a struct or a union of tagged structs) out of the bytes of a
    stream."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[T]:
        """The messages that are complete with these bytes; the caller takes them all. Raises
        BadFrame."""
        data, self._rest = self._rest + data, b""
        start = 0
        while len(data) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, start)
            if length > LIMIT:
                raise BadFrame(f"a frame of {length} bytes, limit {LIMIT}")
            end = start + _LENGTH.size + length
            if end > len(data):
                break
            yield self.decode(data[start + _LENGTH.size : end])
            start = end
        self._rest = data[start:]

    def decode(self, body: bytes) -> T:
        """One frame's body. Raises BadFrame."""
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError:
            # msgspec's text may quote the input; it stays out of the exception.
            raise BadFrame("a frame that does not fit its type") from None


class FrameConnection(WipedProtocol, Generic[T]):
    """One connection: what it brings goes to `received`, its end to `lost`, with what was wrong, if
    anything was.

    What is sent within one turn of the loop leaves in one piece, and with it what was not urgent:
    to wake the other end costs it more than to read a message.
    """

    def __init__(
        self,
        kind: type[T],
        received: Callable[[T], None],
        lost: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self.lost = lost
        self.made: Callable[[socket.socket], bool] | None = None  # whether its other end may stay
        self._received = received
        self._unpacker = Unpacker(kind)
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._leaves = False  # whether what waits does so in this turn of the loop
        self._later: asyncio.TimerHandle | None = None
        self._error: Exception | None = None

    def send(self, message: msgspec.Struct, *, urgent: bool = True) -> None:
        """Send one message, after those that were sent before it; for nothing once the connection
        is closed."""
        self._waiting.append(pack(message))
        loop = asyncio.get_running_loop()
        if urgent and not self._leaves:
            self._leaves = True
            loop.call_soon(self._flush)
        elif not urgent and len(self._waiting) == 1:
            self._later = loop.call_later(_COMPANY, self._flush)

    def close(self) -> None:
        """Close, after what was sent has left; `lost` is called for it too."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._waiting and self._transport is not None:
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()
        self._leaves = False
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # --- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.made is not None and not self.made(transport.get_extra_info("socket")):
            self.lost = None
            cast("asyncio.Transport", transport).abort()
            return
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            for message in self._unpacker.feed(data):
                self._received(message)
        except BadFrame as error:
            self._error = error
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.lost is not None:
            self.lost(self._error or exc)
