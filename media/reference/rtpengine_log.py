"""rtpengine's log of keys (`dtmf-log-dest`): a datagram of JSON for each key it heard, in clear.
The reference of `media/core/dtmf/digit_socket.c`.

Rule 1: a record is one flat JSON object; what is not one, or goes on behind its end, is malformed.
Rule 2: under the recipe rtpengine logs each event twice: as it ends, and again when it hears its
        own tone of it. The same code again within `ECHO_MS`, once, is that echo and no press.
Rule 3: this is for tests: in the product only the core reads records, and no digit becomes an
        object of Python.
"""

from __future__ import annotations

from dataclasses import dataclass

ECHO_MS = 1000
MAX_DATAGRAM = 2000  # octets of a datagram
_SPACE = b" \t\r\n"
_NUMBER = b"+-.0123456789Ee"


class Malformed(Exception):
    """Not a record."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a record says. `event` None: no code of a key."""

    call: bytes
    tag: bytes
    event: int | None


@dataclass(slots=True)
class Presses:
    """Which records of one customer are presses."""

    _last: int | None = None
    _at_ms: int = 0
    _echoed: bool = False

    def is_new_press(self, event: int, now_ms: int) -> bool:
        """Whether this record is a key press of its own."""
        if event == self._last and not self._echoed and now_ms - self._at_ms < ECHO_MS:
            self._echoed = True
            return False
        self._last, self._at_ms, self._echoed = event, now_ms, False
        return True


class _Reader:
    def __init__(self, text: bytes) -> None:
        self.text, self.at = text, 0

    def skip(self) -> bytes:
        """The next octet that is no space; empty at the end."""
        while self.text[self.at : self.at + 1] and self.text[self.at] in _SPACE:
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take_octet(self, octet: bytes) -> bool:
        if self.skip() != octet:
            return False
        self.at += 1
        return True

    def need(self, octet: bytes) -> None:
        if not self.take_octet(octet):
            raise Malformed

    def string(self) -> bytes:
        """As it stands: what is escaped stays so, and is then nobody's name."""
        self.need(b'"')
        start = self.at
        while self.text[self.at : self.at + 1] not in (b'"', b""):
            self.at += 2 if self.text[self.at : self.at + 1] == b"\\" else 1
        if self.text[self.at : self.at + 1] != b'"':
            raise Malformed
        self.at += 1
        return self.text[start : self.at - 1]

    def plain(self) -> bytes:
        """A string or a number."""
        if self.skip() == b'"':
            return self.string()
        start = self.at
        while self.text[self.at : self.at + 1] and self.text[self.at] in _NUMBER:
            self.at += 1
        if start == self.at:
            raise Malformed
        return self.text[start : self.at]

    def array(self) -> None:
        self.need(b"[")
        if self.take_octet(b"]"):
            return
        self.plain()
        while self.take_octet(b","):
            self.plain()
        self.need(b"]")


def parse(datagram: bytes) -> Record:
    """Raises Malformed."""
    if len(datagram) > MAX_DATAGRAM:
        raise Malformed
    reader = _Reader(datagram)
    found: dict[bytes, bytes] = {}
    reader.need(b"{")
    while True:
        key = reader.string()
        reader.need(b":")
        if reader.skip() == b"[":
            reader.array()
        else:
            found[key] = reader.plain()
        if not reader.take_octet(b","):
            break
    reader.need(b"}")
    if reader.skip():
        raise Malformed
    if b"callid" not in found or b"source_tag" not in found or b"event" not in found:
        raise Malformed
    return Record(found[b"callid"], found[b"source_tag"], _code(found[b"event"]))


def _code(event: bytes) -> int | None:
    if not 1 <= len(event) <= 2 or not event.isdigit() or int(event) > 15:
        return None
    return int(event)
