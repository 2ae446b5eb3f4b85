"""Reads the feed: Server-Sent Events (WHATWG HTML section 9.2), without a socket.

Rule 1: an event counts once it is whole; what a lost connection cut off comes again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from tonewall.client.errors import TonewallError

MAX_EVENT: Final = 4_000_000  # octets
_Name = Literal["calls", "call", "payment", "service"]


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event. `name`: "calls" (`data["ids"]`: of all calls that there are), "call" (a CallView),
    "payment" (a PaymentView) or "service" (a ServiceView); `id`: by which one goes on behind it,
    empty where that is not possible yet."""

    name: _Name
    data: Any
    id: str = ""


class FeedReader:
    """The events of one connection after another. `last_id`: of the newest event that was read;
    `retry`: seconds to wait before the next connection."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry = 2.0
        self._buffer = bytearray()

    def begin(self) -> dict[str, str]:
        """A new connection: the headers of its request."""
        self._buffer.clear()
        headers = {"Accept": "text/event-stream"}
        return headers | ({"Last-Event-ID": self.last_id} if self.last_id else {})

    def read(self, octets: bytes) -> list[FeedEvent]:
        """The events that are whole with these octets. Raises TonewallError."""
        self._buffer += octets
        *blocks, rest = bytes(self._buffer).split(b"\n\n")
        if len(rest) > MAX_EVENT:
            raise TonewallError("An event of the feed has no end.")
        self._buffer[:] = rest
        return [event for block in blocks if (event := self._event(block)) is not None]

    def _event(self, block: bytes) -> FeedEvent | None:
        fields: dict[str, str] = {}
        for line in block.decode().split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        if fields.get("retry", "").isdecimal():
            self.retry = int(fields["retry"]) / 1000
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return None
        return FeedEvent(cast("_Name", fields.get("event", "")), json.loads(fields["data"]), self.last_id)
