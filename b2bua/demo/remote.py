"""Connects the b2bua process with the demo's customer, over a unix socket.

A request is one JSON line, `{"call": id, "card": kind}`; the answer is one JSON line, `{"error":
null | text}`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from b2bua.call.view import NotNow
from tonewall.streams import drop

KINDS = ("approved", "declined", "mistyped")


class RemoteCustomer:
    """Implements `b2bua.api.demo.Demo` over the socket at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def kinds(self) -> Sequence[str]:
        """The customer's cards, by their outcome."""
        return KINDS

    async def key_card(self, call_id: str, kind: str) -> None:
        """Let the customer key this card. Raises NotNow where that is not possible now."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError:
            raise NotNow("The demo's customer is gone.") from None
        try:
            writer.write(json.dumps({"call": call_id, "card": kind}).encode() + b"\n")
            line = await reader.readline()
        finally:
            await drop(writer)
        error = json.loads(line)["error"] if line else "The demo's customer is gone."
        if error:
            raise NotNow(error)


async def serve_customer(path: Path, key: Callable[[str], Awaitable[str | None]]) -> asyncio.Server:
    """The demo's end of the socket. `key(kind)` lets the customer key a card, and returns None or
    the reason why not."""

    async def answer_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            error = await key(str(json.loads(await reader.readline())["card"]))
            writer.write(json.dumps({"error": error}).encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer_request, path)
