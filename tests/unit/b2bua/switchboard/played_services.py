"""Services of the company's, as a test plays them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from b2bua.notify.message import Message


class Service:
    """What it got, and what it answers: `refuses`, to all or to the kinds in `only`; `held`: not
    before."""

    host, public_key = "crm.example", ""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuses = ""
        self.only: set[str] = set()
        self.held: asyncio.Event | None = None
        self.at_once = self.most_at_once = 0

    async def send(self, message: Message, now: float) -> str:
        self.got.append(message)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.held is not None:
            await self.held.wait()
        self.at_once -= 1
        return self.refuses if not self.only or message.kind in self.only else ""

    async def close(self) -> None:
        """There is nothing to close."""

    def said(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(each.body) for each in self.got]

    def kinds(self) -> list[str]:
        return [each.kind.removeprefix("payment.") for each in self.got]
