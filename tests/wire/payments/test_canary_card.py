"""A card is paid over a real call, at debug level, and nowhere in Tonewall is its number or its
code found afterwards.

What is searched: every answer of the API, the feed, the agent's page, all files of the installation
(logs, call records, the journal, ready.json, sip.conf), and the memory of every process of
Tonewall. What must be found proves that a search that finds nothing means something: the card in
the payer that is charging it, and in a media process that leaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from b2bua.api import pages
from tests.canary import CANARY, Finding, TextFinding, find_in_text, scan_process
from tests.complaints import expect_error
from tests.single_keys import find_orders
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Feed, Line, line

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of media and payers")
LEAKY = Path(__file__).parents[1] / "leaky"
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
        for path in (*pages.load(), "/openapi.json", "/healthz", "/v1/calls", f"/v1/calls/{call_id}",
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
        assert len(running["media"]) == len(running["b2bua"]) == len(running["supervisor"]) == 1, running
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


# --- the ways on which a card leaves --------------------------------------------------------------


async def approved(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "approved-1")
    await witness.ask_everything(call_id)
    assert await witness.memory("supervisor", "b2bua", "payer") == []
    assert (await submit(witness, call_id))["type"] == "approved"


async def declined_quoting_the_card(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "quoting-1")
    outcome = await submit(witness, call_id)
    assert outcome["type"] == "declined"
    assert outcome["reason"]


async def answered_with_garbage_that_holds_the_card(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "echo-1")
    outcome = await submit(witness, call_id)
    assert (outcome["type"], outcome["reason"]) == ("unknown", "answer_not_understood")


async def not_answered_in_time(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "late_charged-1")
    outcome = await submit(witness, call_id)
    assert (outcome["type"], outcome["reason"]) == ("unknown", "no_answer_in_time")


async def hung_up_while_keying(witness: Witness, call_id: str) -> None:
    await witness.line.stack.start_capture(call_id)
    await witness.line.key(CANARY.keys[:-2])  # all but the last digit of the code
    await witness.line.stack.stage(call_id, "collecting")


async def cancelled_when_ready(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys)
    answer = await witness.line.stack.api.delete(f"/v1/calls/{call_id}/capture")
    assert answer.json()["capture"]["stage"] == "cancelled"


async def cleared_and_keyed_again(witness: Witness, call_id: str) -> None:
    await witness.line.stack.start_capture(call_id)
    await witness.line.key(f"{CANARY.number}*")
    await witness.line.key(CANARY.number[:15] + "5#")  # fails its check digit
    [*_, last] = [capture for capture in witness.feed.captures(call_id) if capture["reason"]]
    assert "check digit" in last["reason"]
    answer = await witness.line.stack.api.post(f"/v1/calls/{call_id}/capture/reset")
    assert answer.status_code == 200


async def not_submitted_in_time(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys)
    assert (await witness.line.stack.stage(call_id, "aborted"))["reason"] == "not submitted in time"


WAYS: tuple[Callable[[Witness, str], Awaitable[None]], ...] = (
    approved,
    declined_quoting_the_card,
    answered_with_garbage_that_holds_the_card,
    not_answered_in_time,
    hung_up_while_keying,
    cancelled_when_ready,
    cleared_and_keyed_again,
    not_submitted_in_time,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_nothing_of_the_card_is_left_however_the_payment_ends(
    peers: Peers, way: Callable[[Witness, str], Awaitable[None]]
) -> None:
    hasty = {"provider": {"inquiry_time": "1"}}
    if way is not_submitted_in_time:
        hasty["media"] = {"ready_timeout": "1"}
    async with witnessed(peers, extra=hasty) as (witness, call_id):
        payers = set(witness.line.stack.pids()["payer"])
        await way(witness, call_id)
        await witness.ask_everything(call_id)
        await witness.line.hang_up()
        await settled(witness, payers, len(await witness.line.stack.charges()))
        assert await witness.memory() == []
        if way in (approved, hung_up_while_keying):
            assert await witness.orders() == {}
    assert witness.texts() == []


async def test_while_it_is_charged_the_card_is_in_its_payer_alone_and_goes_with_it_when_it_is_killed(
    peers: Peers,
) -> None:
    patient = {"provider": {"timeout": "60"}}
    async with witnessed(peers, extra=patient) as (witness, call_id):
        stack = witness.line.stack
        payers = set(stack.pids()["payer"])
        await witness.line.keyed(call_id, CANARY.keys, "late_charged-1")
        await stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        await until(stack.charges, "the charge at the provider")
        found = await witness.memory()
        assert len({finding.pid for finding in found}) == 1, Counter(finding.pid for finding in found)
        charging = found[0].pid
        assert charging in payers
        os.kill(charging, signal.SIGKILL)
        outcome = (await stack.stage(call_id, "finished"))["outcome"]
        assert (outcome["type"], outcome["reason"]) == ("unknown", "payer_gone")
        await witness.ask_everything(call_id)
        await witness.line.hang_up()
        await settled(witness, payers, 1)
        assert await witness.memory() == []
    assert witness.texts() == []


async def test_the_searches_find_the_card_in_a_media_process_that_leaks(peers: Peers) -> None:
    expect_error("card 4929580173642084")  # the line that it writes to its log
    async with witnessed(peers, environment={"PYTHONPATH": str(LEAKY)}) as (witness, call_id):
        await witness.line.keyed(call_id, CANARY.keys)
        assert (await submit(witness, call_id))["type"] == "approved"
        await witness.line.hang_up()
        await witness.line.no_sessions()
        found = await witness.memory()
        assert {finding.pid for finding in found} == set(witness.line.stack.pids()["media"])
        assert {"ascii head", "ascii tail"} <= {finding.encoding for finding in found}
    assert {finding.where for finding in witness.texts()} == {str(witness.line.stack.log)}
