"""A call whose card is looked for everywhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from b2bua.api import pages
from tests.canary import CANARY, Finding, TextFinding, find_in_text, scan_process
from tests.single_keys import find_orders
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Feed, Line, line

PROVIDER = "tests.wire.peers.odd_provider"


@dataclass
class Witness:
    """Everything that Tonewall says while a card is paid."""

    line: Line
    feed: Feed
    answers: dict[str, None] = field(default_factory=dict)

    async def hear(self, answer: httpx.Response) -> None:
        """Every answer of the API, as a hook of its client."""
        await answer.aread()
        self.answers[f"{answer.url} {answer.status_code} {answer.headers.raw!r} {answer.text}"] = None

    async def ask_everything(self, call_id: str) -> None:
        """Whatever can be asked now, also what is refused."""
        api = self.line.stack.api
        for path in (*pages.load_pages(), "/openapi.json", "/healthz", "/v1/calls", f"/v1/calls/{call_id}",
        "/v1/calls/none",
                     "/v1/ladders", f"/v1/calls/{call_id}/ladder",
                     f"/v1/calls/{call_id}/ladder.svg"):  # fmt: skip
            await api.get(path)
        capture = f"/v1/calls/{call_id}/capture"
        order = {"transaction_id": "second", "amount": 1, "currency": "EUR"}
        for body in (order, {"amount": "much"}, []):
            await api.post(capture, json=body)
        await api.post(f"{capture}/reset", json={"field": "none"})

    def texts(self) -> list[TextFinding]:
        """What of the card stands in anything that was said or written."""
        said = [*self.answers, self.feed.raw.decode("latin-1")]
        assert len(said) > 5
        assert len(self.feed.raw) > 500
        found = [finding for text in said for finding in find_in_text(text)]
        return found + find_in_text([self.line.stack.directory])

    async def memory(self, *kinds: str) -> list[Finding]:
        """What of the card stands in the memory of the running processes of these kinds (all, where
        none is named)."""
        running = self.line.stack.pids()
        assert (
            len(running["media"])
            == len(running["b2bua"])
            == len(running["supervisor"])
            == len(running["keeper"])
            == 1
        ), running
        found = []
        for kind in kinds or running:
            for pid in running[kind]:
                found += await asyncio.to_thread(scan_process, pid)
        return found

    async def orders(self) -> dict[str, list[str]]:
        """By what the card can be put together out of its single keys, of each kind of process
        where it can."""
        found: dict[str, list[str]] = {}
        for kind, pids in self.line.stack.pids().items():
            for pid in pids:
                found[kind] = found.get(kind, []) + (await asyncio.to_thread(find_orders, pid))[0]
        return {kind: orders for kind, orders in found.items() if orders}


@contextlib.asynccontextmanager
async def witnessed(peers: Peers, **more: object) -> AsyncIterator[tuple[Witness, str]]:
    """A call that is up, and the witness of all that is said in it."""
    async with line(peers, provider_module=PROVIDER, **more) as wire, wire.feed() as feed:
        witness = Witness(wire, feed)
        wire.stack.api.event_hooks["response"].append(witness.hear)
        yield witness, await wire.dial()


async def settled(witness: Witness, before: set[int], charges: int) -> None:
    """Until the payers that charged are gone, others are ready, and media holds no session."""
    stack = witness.line.stack
    await until(
        lambda: len(before - set(stack.pids()["payer"])) >= charges, "the payer that charged to be gone"
    )
    await witness.line.no_sessions()
    await stack.await_ready()


async def submit(witness: Witness, call_id: str) -> dict[str, object]:
    return await witness.line.stack.submit(call_id)


async def approved(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "approved-1")
    await witness.ask_everything(call_id)
    assert await witness.memory("supervisor", "b2bua", "payer") == []
    assert (await submit(witness, call_id))["type"] == "approved"
