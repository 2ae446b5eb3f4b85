"""kill -9 of each process of Tonewall in the middle of a payment: no digit passes, nothing is
charged twice, and it comes back.

The agent's phone has an address of its own, so that all that was ever sent to it can be looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.stack import free_port, until
from tests.wire.audited import AuditLog
from tests.wire.conftest import Peers
from tests.wire.line import Line, line
from tests.wire.peers import aiortc_view, tshark

pytestmark = pytest.mark.skipif(not tshark.available(), reason="tshark is not here")
# Of this test run's worker alone: others that run at the same time must not be in the picture.
_NETWORK = f"127.{random.randrange(100, 250)}.{random.randrange(256)}"
CUSTOMER, AGENT = f"{_NETWORK}.3", f"{_NETWORK}.2"
EVENTS = 120  # the payload type that pjsip offers for telephone-event
# Approved by the local provider; 15 digits need no end.
NUMBER, REST = "378282246310005", "11397391"


Sections = dict[str, dict[str, str]]


@pytest.fixture(params=[False, True], ids=["plain", "audited"])
async def audit(request: pytest.FixtureRequest, peers: Peers) -> AsyncIterator[Sections]:
    """More of sip.conf: without an audit log, and with one that is required; it verifies in the
    end."""
    if not request.param:
        yield {}
        return
    log = AuditLog(peers.directory)
    yield {"audit": log.settings}
    assert await log.verify() == "sound"
    assert await log.entries() != []


@asynccontextmanager
async def keying(wire: Line, keys: str, seen: int) -> AsyncIterator[str]:
    """A call in which the customer keys, for the block as soon as so many keys were counted. Leaves
    when all are pressed."""
    call_id = await wire.dial()
    await wire.stack.start_capture(call_id)
    pressing = asyncio.create_task(wire.key(keys))

    async def counted() -> bool:
        fields = (await wire.stack.call(call_id))["capture"]["fields"]
        return sum(field["count"] for field in fields) >= seen

    try:
        await until(counted, f"{seen} keys to be counted")
        yield call_id
        await pressing
    finally:
        pressing.cancel()


async def restarted(wire: Line, what: str) -> None:
    """Until `tonewall run` has said that it starts that process again, and what ended it."""
    said = await until(lambda: wire.log("restarting"), f"`tonewall run` to say that it restarts {what}")
    assert {entry["child"] for entry in said} == {what}
    assert {entry["signal"] for entry in said} == {"SIGKILL"}


def sent_to_agent(file: Path, wire: Line) -> list[aiortc_view.Flow]:
    """The agent's RTP and RTCP as they were on the wire; there is speech, and no key in any of
    it."""
    flows = aiortc_view.flows(file).values()
    towards = [
        flow for flow in flows if flow.destination[0] == AGENT and flow.destination[1] != wire.agent.port
    ]
    pressed = sum(flow.events(EVENTS) for flow in flows if flow.source[0] == CUSTOMER)
    assert pressed > 0  # the same eyes see the customer's keys
    assert sum(len(flow.rtp) for flow in towards) > 20
    for flow in towards:
        assert set(flow.payload_types()) <= {0, 8}  # PCMU, PCMA
        assert flow.neither == 0
    return towards


async def test_when_b2bua_is_killed_while_the_customer_keys_the_mask_stays_and_the_voice_goes_on(
    peers: Peers, audit: Sections
) -> None:
    extra = {"general": {"port": str(free_port())}, "media": {"quiet_time": "1.5"}, **audit}
    async with line(peers, CUSTOMER, AGENT, extra) as wire:
        async with (
            peers.capture("keys", f"udp and (host {AGENT} or host {CUSTOMER})") as file,
            keying(wire, NUMBER + REST, seen=4) as call_id,
        ):
            [before] = wire.stack.kill("b2bua")
            await wire.voice(50)
        assert (await wire.agent.stats())["dtmf"] == 0
        sent_to_agent(file, wire)
        await restarted(wire, "b2bua")
        await wire.stack.await_restart(before)
        view = await wire.stack.stage(call_id, "aborted")
        assert view["reason"].startswith("Tonewall was restarted while the customer keyed")
        assert (await wire.stack.call(call_id))["masked"]
        await wire.hang_up()
        await wire.no_sessions()
        assert wire.log("orphan_closed") == []
        assert await wire.stack.charges() == []
        await wire.dial()
        await wire.hang_up()


async def test_when_media_is_killed_while_the_customer_keys_the_call_goes_on_and_no_digit_passes(
    peers: Peers, audit: Sections
) -> None:
    async with line(peers, CUSTOMER, AGENT, audit) as wire:
        async with (
            peers.capture("keys", f"udp and (host {AGENT} or host {CUSTOMER})") as file,
            keying(wire, NUMBER + REST, seen=4) as call_id,
        ):
            wire.stack.kill("media")
            view = await wire.stack.stage(call_id, "aborted")
            assert view["reason"].startswith("What the customer keyed is gone with the media process")
            await restarted(wire, "media")
            await wire.stack.await_ready()
            await wire.voice(50)
        assert (await wire.agent.stats())["dtmf"] == 0
        sent_to_agent(file, wire)
        assert (await wire.stack.call(call_id))["masked"]

        await wire.keyed(call_id, NUMBER + REST, "after")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        assert [charge["transaction_id"] for charge in await wire.stack.charges()] == ["after"]
        await wire.unmasked(call_id)
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the call's record")
        assert record["end"] == "far end hung up"
        assert [capture["stage"] for capture in record["captures"]] == ["aborted", "finished"]
        await wire.no_sessions()


async def test_a_payer_that_is_killed_while_it_waits_is_replaced(peers: Peers) -> None:
    async with line(peers) as wire:
        call_id = await wire.dial()
        count = len(wire.stack.pids()["payer"])
        killed = set(wire.stack.kill("payer"))

        async def replaced() -> bool:
            payers = set(wire.stack.pids()["payer"])
            healthy = (await wire.stack.api.get("/healthz")).json()["payers"]
            return not payers & killed and len(payers) == healthy == count

        await until(replaced, "as many payers as before to be ready")
        await restarted(wire, "payer")
        await wire.keyed(call_id, NUMBER + REST)
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        assert [charge["charges"] for charge in await wire.stack.charges()] == [1]
        await wire.hang_up()


async def test_a_payer_that_is_killed_while_it_charges_leaves_an_unknown_and_the_charge_is_not_sent_again(
    peers: Peers, audit: Sections
) -> None:
    async with line(peers, extra=audit, provider_arguments=["--delay", "4"]) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, "4000000000010019#1139739", "late")
        await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        await until(wire.stack.charges, "the charge at the provider")
        wire.stack.kill("payer")
        outcome = (await wire.stack.stage(call_id, "finished"))["outcome"]
        assert outcome == {"type": "unknown", "reason": "payer_gone"}
        entries = [
            json.loads(row) for row in (wire.stack.directory / "journal.jsonl").read_text().splitlines()
        ]
        # For the reconciliation.
        assert [entry["state"] for entry in entries] == ["opened", "sending"]

        await wire.voice()
        await wire.unmasked(call_id)
        await wire.keyed(call_id, NUMBER + REST, "next")
        assert (await wire.stack.submit(call_id))["type"] == "approved"

        async def charged() -> bool:
            return [charge["charges"] for charge in await wire.stack.charges()] == [1, 1]

        await until(charged, "each to be charged, once")
        await wire.hang_up()
