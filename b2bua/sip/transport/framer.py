"""Framer of a stream: messages by Content-Length (RFC 3261 section 18.3), and the CRLFs between
them (RFC 5626).

Rule 1: what waits for its rest is never more than MAX_MESSAGE_BYTES, and each byte is looked at a
        fixed number of times.
Rule 2: a stream whose next message cannot be separated from its body has ended: `BrokenStream` is
        the last that comes out of it. A message that is too large, and says where it ends, is left
        out: `OversizedMessage`, and the stream goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from b2bua.sip.message.message import MAX_MESSAGE_BYTES

_CRLF, _END = b"\r\n", b"\r\n\r\n"
_FOLD = re.compile(rb"\r\n[ \t]+")
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:([^\r\n]*)")
# A method or the SIP version, as far as it has come.
_START = re.compile(rb"[A-Za-z0-9.!%*_+`'~/-]+ ")
_MAX_WORD = 50


@dataclass(frozen=True, slots=True)
class Framed:
    """One whole message."""

    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ping:
    """A double CRLF, to be answered with one CRLF (RFC 5626 section 3.5.1)."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The CRLF that answers our ping."""


@dataclass(frozen=True, slots=True)
class BrokenStream:
    """The stream is of no use any more. `head`: of a request that can still be answered with
    `code`, or empty."""

    why: str
    code: int = 400
    head: bytes = field(default=b"", repr=False)


class OversizedMessage(BrokenStream):
    """A message that is not taken, but ends where it says; the stream goes on behind it."""


Item = Framed | Ping | Pong | BrokenStream
PING, PONG = Ping(), Pong()


class Framer:
    """Takes what a stream delivers, in whatever pieces."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._searched = 0  # how far the end of the header has been looked for
        self._whole = 0  # how long the message is, once its header is there
        self._left_out = 0  # how many bytes of a message that is too large are yet to come
        self._half = False  # a CRLF came that may be the first half of a ping
        self._pinged = False
        self._broken = False

    @property
    def waiting(self) -> int:
        """How many bytes wait for the rest of their message, or are yet to come and to be left
        out."""
        return len(self._waiting) or self._left_out

    def pinged(self) -> None:
        """We have sent a ping: the next CRLF is its answer."""
        self._pinged = True

    def feed(self, data: bytes) -> list[Item]:
        """What is complete with these bytes, in order."""
        items: list[Item] = []
        if self._broken:
            return items
        if self._left_out:
            taken = min(self._left_out, len(data))
            self._left_out, data = self._left_out - taken, data[taken:]
        self._waiting += data
        while (item := self._next()) is not None:
            items.append(item)
            if isinstance(item, BrokenStream) and not isinstance(item, OversizedMessage):
                self._broken = True
                self._waiting.clear()
                break
        return items

    def _next(self) -> Item | None:
        if not self._whole:
            between = self._between()
            if between is not None:
                return between
            if not self._waiting or self._waiting == b"\r":
                return None
            fault = self._header()
            if fault is not None:
                return fault
        if not self._whole or len(self._waiting) < self._whole:
            return None
        message = bytes(self._waiting[: self._whole])
        # What is deleted stays in memory for a while.
        self._waiting[: self._whole] = bytes(self._whole)
        del self._waiting[: self._whole]
        self._searched = self._whole = 0
        return Framed(message)

    def _between(self) -> Item | None:
        """Take the CRLFs in front of a message."""
        taken = 0
        item: Item | None = None
        while item is None and self._waiting.startswith(_CRLF, taken):
            taken += 2
            if self._pinged:
                self._pinged, item = False, PONG
            elif self._half:
                self._half, item = False, PING
            else:
                self._half = True
        if taken:
            del self._waiting[:taken]
        return item

    def _header(self) -> BrokenStream | None:
        """Find the header's end and from it the message's."""
        self._half = False
        if self._searched <= _MAX_WORD:  # until it has come in full, in however many pieces
            start = bytes(self._waiting[: _MAX_WORD + 1])
            if _START.match(start if b" " in start or len(start) > _MAX_WORD else start + b" ") is None:
                return BrokenStream("not SIP")
        end = self._waiting.find(_END, max(0, self._searched - len(_END)))
        self._searched = len(self._waiting)
        if end < 0 or end > MAX_MESSAGE_BYTES:
            is_whole = len(self._waiting) <= MAX_MESSAGE_BYTES
            return (
                None
                if is_whole
                else BrokenStream("header too large", 513, bytes(self._waiting[:MAX_MESSAGE_BYTES]))
            )
        head = bytes(self._waiting[:end])
        lengths = {value.strip(b" \t") for value in _LENGTH.findall(_FOLD.sub(b" ", head))}
        # RFC 3261 section 20.14: over a stream it is mandatory. Two that differ would be framed by
        # others in another way.
        if len(lengths) != 1:
            return BrokenStream("Content-Length", 400, head)
        (length,) = lengths
        if not length.isdigit() or len(length) > 40 or len(length.lstrip(b"0")) > 6:
            return BrokenStream("Content-Length", 400, head)
        self._whole = end + len(_END) + int(length)
        if self._whole <= MAX_MESSAGE_BYTES:
            return None
        self._left_out = max(0, self._whole - len(self._waiting))
        del self._waiting[: self._whole]
        self._searched = self._whole = 0
        return OversizedMessage("too large", 513, head)
