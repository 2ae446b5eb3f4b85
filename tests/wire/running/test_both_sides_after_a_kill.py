"""kill -9 of b2bua, of media, and of both: afterwards either side holds, resumes, transfers and
hangs up, a customer pays again, and each call has its record."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.complaints import expect_error, permit_error
from tests.stack import until
from tests.wire.ending_calls import APPROVED, PaidCall, Rig, rig

_MORE_PACKETS = 10
# What each call does after the kill.
_DOES = (
    "customer holds",
    "agent holds",
    "customer transfers",
    "agent transfers",
    "agent joins",
    "customer hangs up",
    "agent hangs up",
    "pays again",
)


async def killed(at: Rig, kinds: tuple[str, ...]) -> None:
    """kill -9 of all of them at once; return when another of each carries the calls."""
    for spare in ("spare", "media spare"):
        await until(lambda kind=spare: at.stack.pids()[kind], f"a {spare}")
    pids = at.stack.pids()
    before = [pid for kind in kinds for pid in pids[kind]]
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for kind in kinds:
        expect_error("restarting", child=kind, signal="SIGKILL")
    for event in ("media_lost", "bad_frame_from_media", "gave_up", "restarting"):
        permit_error(event)

    def replaced() -> bool:
        now = at.stack.pids()
        return all(now[kind] and not set(now[kind]) & set(before) for kind in kinds)

    await until(replaced, "others to go on")
    if {"b2bua", "supervisor"} & set(kinds):
        await at.b2bua_back(pids["b2bua"][0])
    await at.stack.await_ready()


async def talking(call: PaidCall) -> None:
    """Each side hears the other."""
    agent, customer = call.agent, call.customer
    packets, heard = agent.packets, len(customer.media.rtp.heard)
    await until(
        lambda: (
            agent.packets > packets + _MORE_PACKETS and len(customer.media.rtp.heard) > heard + _MORE_PACKETS
        ),
        f"{customer.name} and {agent.name} to hear each other",
    )


async def holds(call: PaidCall, who: str) -> None:
    """That side holds the other, and takes it back."""
    phone, other = (call.customer, call.agent) if who == "customer" else (call.agent, call.customer)
    plain = phone.own
    for direction, theirs in (("sendonly", "sendonly"), ("sendrecv", "sendrecv")):
        assert await phone.change(replace(plain, direction=direction)) == 200
        await until(
            lambda wanted=theirs: other.theirs is not None and other.theirs.direction == wanted,
            f"{other.name} to be {direction}",
        )
    await talking(call)


async def customer_transfers(call: PaidCall) -> None:
    """Blind: REFER by the carrier, to somebody there who answers."""
    old, name = call.customer, f"{call.customer.name}-new"
    new = await call.rig.desk(name, call.rig.carrier)
    asked = old.say("REFER", Refer_To=f"<sip:{name}@{call.rig.carrier.host}>")
    assert asked is not None
    assert (await asked.final).what == "202"
    await until(lambda: new.up and old.ended, "the new customer")
    call.agent.hang_up()
    await until(lambda: new.ended, "the new customer to know that it is over")


async def pays(call: PaidCall, order: str) -> None:
    """A capture and its charge; no key gets to the agent."""
    stack = call.rig.stack
    await stack.start_capture(call.call_id, transaction=order)
    await call.keyed(APPROVED)
    await stack.stage(call.call_id, "ready")
    assert (await stack.submit(call.call_id))["type"] == "approved"
    await stack.unmasked(call.call_id)
    assert call.leaked == []


async def do(call: PaidCall) -> None:
    """What this call is for, and its end."""
    match call.stage:
        case "customer holds" | "agent holds":
            await holds(call, call.stage.partition(" ")[0])
        case "customer transfers":
            await customer_transfers(call)
            return
        case "agent transfers":
            await call.transfer()
            await talking(call)
        case "agent joins":
            assert await call.join() == "202"
        case "pays again":
            await pays(call, "second")
    ends, other = call.customer, call.agent
    if call.stage.startswith("agent"):
        ends, other = other, ends
    ends.hang_up()
    await until(lambda: other.ended, f"{other.name} to know that it is over")


def complete(record: dict[str, Any]) -> bool:
    """Whether a record has all that a call's record is read for."""
    return all(
        record[name] for name in ("call", "caller", "callee", "started_at", "answered_at", "ended_at", "end")
    )


@pytest.mark.parametrize(
    "kinds", [("b2bua",), ("media",), ("media", "b2bua"), ("supervisor",)], ids=" and ".join
)
async def test_either_side_goes_on(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    extra = {"general": {"spare": "yes"}, "carrier": {"refer": "yes"}}
    async with rig(tmp_path, extra, 1.0) as at:
        calls = [await at.dial("", does) for does in _DOES]
        by_name = {call.stage: call for call in calls}
        await pays(by_name["pays again"], "first")
        await by_name["agent joins"].consult()
        await killed(at, kinds)
        for call in calls:
            assert (await call.view())["state"] == "up"
            await talking(call)
        await asyncio.gather(*(do(call) for call in calls))
        records = await until(
            lambda: len(found := at.stack.records()) == len(calls) + 1 and found, "a record of each call"
        )
        assert [record for record in records if not complete(record)] == []
        paid = [record["captures"] for record in records if record["captures"]]
        assert [[each["outcome"] for each in captures] for captures in paid] == [["approved", "approved"]]
        assert [charge["charges"] for charge in await at.stack.charges()] == [1, 1]
        assert await at.stack.calls() == []

        async def closed() -> bool:
            return bool((await at.stack.api.get("/healthz")).json()["sessions"] == 0)

        await until(closed, "media to close every session")
