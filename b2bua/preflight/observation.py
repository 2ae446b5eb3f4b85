"""What a test call saw: messages and packets with their times, nothing concluded from them.

Rule 1: times are seconds of one monotonic clock, of the arrival.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from b2bua.preflight.description import Description

Place = tuple[str, int]  # a numeric host and a port
_SHORT: Final = {
    "a": "accept-contact", "c": "content-type", "e": "content-encoding", "f": "from", "i": "call-id",
    "k": "supported", "l": "content-length", "m": "contact", "s": "subject", "t": "to", "v": "via",
    "x": "session-expires",
}  # fmt: skip  # RFC 3261 section 7.3.3, RFC 4028


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message of the peer's, as text."""

    at: float
    source: Place
    transport: str
    text: str = field(repr=False)

    @property
    def method(self) -> str:
        """Of the request, or of the one that the response answers."""
        if self.code:
            return self.one("cseq").rpartition(" ")[2].strip()
        return self.text.partition(" ")[0]

    @property
    def code(self) -> int:
        """Of a response; 0 for a request."""
        version, _, rest = self.text[:12].partition(" ")
        return int(rest[:3]) if version == "SIP/2.0" and rest[:3].isascii() and rest[:3].isdecimal() else 0

    @property
    def body(self) -> str:
        """What stands behind the headers."""
        return self.text.partition("\r\n\r\n")[2]

    def all(self, name: str) -> list[str]:
        """The values of a header, by its long name in lower case."""
        return [value for each, value in self._headers() if each == name]

    def one(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next(iter(self.all(name)), "")

    def tokens(self, name: str) -> set[str]:
        """The entries of a header that is a list, in lower case, without their parameters."""
        entries = ",".join(self.all(name)).split(",")
        return {each.partition(";")[0].strip().lower() for each in entries} - {""}

    def _headers(self) -> Iterator[tuple[str, str]]:
        for line in self.text.partition("\r\n\r\n")[0].split("\r\n")[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            yield _SHORT.get(name, name), value.strip()


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet; `payload` is decrypted, and without padding."""

    at: float
    source: Place
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Info:
    """A key in a SIP INFO."""

    at: float
    key: str = field(repr=False)


@dataclass(slots=True)
class Leg:
    """One leg of a test call. `is_ours`: we called; `began_at`: our INVITE left, or theirs came.

    `remote`: of the peer's last description. `refused`: packets of SRTP that are not authentic.
    """

    is_ours: bool
    began_at: float
    answered_at: float = 0.0
    messages: list[Message] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    infos: list[Info] = field(default_factory=list)
    remote: Description = field(default_factory=Description)
    rtcp: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key that was pressed, by us: `at` the first packet of it left; or by a person: 0."""

    key: str = field(repr=False)
    at: float = 0.0
