"""Length-prefixed frames of typed messages on a stream socket: the one wire format between Tonewall's processes.

A frame is a 4-byte big-endian length and that many bytes of MessagePack. What does not parse ends the connection:
both ends are ours, so a bad frame is a bug or an intruder, never noise.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Generic, TypeVar

import msgspec

LIMIT = 256 * 1024
_LENGTH = struct.Struct(">I")
T = TypeVar("T")


class BadFrame(Exception):
    """The other end sent what is not a frame of the expected type. The text carries no content of the frame."""


def pack(message: msgspec.Struct) -> bytes:
    """One frame, ready to write."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unpacker(Generic[T]):
    """Reads frames of `kind` (a struct or a union of tagged structs) from an asyncio stream."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    async def read(self, reader: asyncio.StreamReader) -> T | None:
        """The next message, or None when the other end closed between frames. Raises BadFrame."""
        try:
            head = await reader.readexactly(_LENGTH.size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        (length,) = _LENGTH.unpack(head)
        if length > LIMIT:
            raise BadFrame(f"a frame of {length} bytes, limit {LIMIT}")
        try:
            return self.decode(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def decode(self, body: bytes) -> T:
        """One frame's body. Raises BadFrame."""
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError:
            # msgspec's text may quote the input; it stays out of the exception.
            raise BadFrame("a frame that does not fit its type") from None
