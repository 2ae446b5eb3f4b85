"""One call through a whole Tonewall, between two pjsua2 phones: what a test of what goes wrong does
again and again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from b2bua.demo.phones import Phone
from tests.stack import PATIENCE, TOKEN, Stack, running, until
from tests.wire.conftest import Peers

GAP_MS = 20  # between two keys; the keys themselves last as long as PJMEDIA's


@dataclass
class Feed:
    """The live feed as the agent's page follows it, every octet kept; ends with the connection."""

    raw: bytearray = field(default_factory=bytearray)

    def views(self, call_id: str) -> list[dict[str, Any]]:
        """Every view of that call so far, in order."""
        return [view for view in self.all_views() if view["id"] == call_id]

    def all_views(self, event: str = "call") -> list[dict[str, Any]]:
        """The data of every event of that name so far, in order."""
        whole = bytes(self.raw).rpartition(b"\n\n")[0]
        events = [_fields(each) for each in whole.split(b"\n\n")]
        return [json.loads(each[b"data"]) for each in events if each.get(b"event") == event.encode()]

    def captures(self, call_id: str) -> list[dict[str, Any]]:
        """The capture in each of those views that has one."""
        return [view["capture"] for view in self.views(call_id) if view["capture"]]

    async def read(self, url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with contextlib.suppress(httpx.HTTPError):
            async with (
                httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
                client.stream("GET", f"{url}/v1/feed", headers=headers) as answer,
            ):
                async for chunk in answer.aiter_raw():
                    self.raw += chunk


def _fields(event: bytes) -> dict[bytes, bytes]:
    """The fields of one event, in whichever order they are sent."""
    return {name: value for name, _, value in (line.partition(b": ") for line in event.split(b"\n"))}


@dataclass
class Line:
    """A running Tonewall, the customer's phone and the agent's."""

    stack: Stack
    customer: Phone
    agent: Phone

    async def dial(self) -> str:
        """The customer calls, the agent answers, both hear each other. The call's id."""
        await self.customer.call(f"sip:100@127.0.0.1:{self.stack.sip_port}")
        for phone in (self.customer, self.agent):
            await phone.wait("answered", PATIENCE)
        [call] = await self.stack.calls_up()
        await self.voice()
        return str(call["id"])

    async def voice(self, packets: int = 15) -> None:
        """Until each phone has heard so many packets (20 ms each) more than now."""
        before = [(await phone.stats()).get("received", 0) for phone in (self.customer, self.agent)]
        for phone, heard in zip((self.customer, self.agent), before, strict=True):

            async def more(phone: Phone = phone, wanted: int = heard + packets) -> bool:
                return (await phone.stats()).get("received", 0) >= wanted

            await until(more, f"{packets} more packets at the {phone.role}'s phone")

    async def key(self, digits: str) -> None:
        """The customer presses keys; returns when all are pressed."""
        await self.customer.keys(digits, gap_ms=GAP_MS)

    async def keyed(self, call_id: str, digits: str, transaction: str = "order-1", **options: Any) -> None:
        """Start a payment, and let the customer key all of it. `options`: more of the order."""
        await self.stack.start_capture(call_id, transaction=transaction, **options)
        await self.key(digits)
        await self.stack.stage(call_id, "ready")

    async def unmasked(self, call_id: str) -> None:
        """Until the mask is off after a payment, released where it has to be."""
        await self.stack.unmasked(call_id)

    async def hang_up(self) -> None:
        """The customer hangs up; until both phones know it."""
        await self.customer.hangup()
        for phone in (self.customer, self.agent):
            await phone.wait("ended", PATIENCE)

    async def no_sessions(self) -> None:
        """Until media holds no session any more."""

        async def gone() -> bool:
            return (await self.stack.api.get("/healthz")).json()["sessions"] == 0

        await until(gone, "media to close every session")

    @contextlib.asynccontextmanager
    async def feed(self) -> AsyncIterator[Feed]:
        """Follow the live feed while the block runs; it is connected when the block begins."""
        feed = Feed()
        reading = asyncio.create_task(feed.read(self.stack.api_url))
        try:
            await until(lambda: feed.raw, "the feed")
            yield feed
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    def log(self, event: str) -> list[dict[str, Any]]:
        """The log entries of that name so far."""
        entries = []
        for line in self.stack.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                entries.append(json.loads(line))
        return [entry for entry in entries if entry.get("event") == event]


@contextlib.asynccontextmanager
async def line(
    peers: Peers,
    customer: str = "127.0.0.1",
    agent: str = "127.0.0.1",
    extra: dict[str, dict[str, str]] | None = None,
    **more: Any,
) -> AsyncIterator[Line]:
    """Two phones, on these addresses, and a Tonewall between them; `more` goes to the Stack."""
    caller = await peers.phone("customer", address=customer)
    callee = await peers.phone("agent", address=agent, ring_ms=100)
    hosts = {"carrier": {"host": customer}, "pbx": {"host": agent}}
    for name, keys in (extra or {}).items():
        hosts.setdefault(name, {}).update(keys)
    async with running(
        Stack(peers.directory, caller.port, callee.port, pairs=20, extra=hosts, **more)
    ) as stack:
        yield Line(stack, caller, callee)
