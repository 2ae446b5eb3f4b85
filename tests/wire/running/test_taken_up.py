"""kill -9 of b2bua while calls are up: its successor takes them up, and they go on as calls do."""

from __future__ import annotations

import asyncio

from tests.complaints import expect_error, permit_error
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

# Approved by the local provider; 15 digits need no end.
NUMBER, REST = "378282246310005", "11397391"


async def killed(wire: Line, call_id: str) -> None:
    """b2bua dies, and its successor has the call."""
    [before] = wire.stack.kill("b2bua")
    expect_error("restarting", child="b2bua")
    permit_error("bad_frame_from_media")
    await wire.stack.await_restart(before)
    await until(lambda: wire.log("calls_restored"), "the calls to be restored")
    await wire.stack.call(call_id)


def general() -> dict[str, dict[str, str]]:
    return {"general": {"port": str(free_port())}, "media": {"quiet_time": "1.5"}}


async def test_a_call_goes_on_and_is_paid_held_and_recorded_after_b2bua_was_killed(peers: Peers) -> None:
    async with line(peers, extra=general()) as wire:
        call_id = await wire.dial()
        await killed(wire, call_id)
        await wire.voice(50)
        assert wire.log("orphan_closed") == []  # though nobody says a word for longer than quiet_time
        async with wire.feed() as feed:
            await wire.keyed(call_id, NUMBER + REST, "after")
            assert (await wire.stack.submit(call_id))["type"] == "approved"
            await wire.unmasked(call_id)
            assert (await wire.agent.stats())["dtmf"] == 0
            await killed(wire, call_id)
            await wire.hang_up()
            del feed
        [record] = await until(wire.stack.records, "the record of the call")
        assert [each["outcome"] for each in record["captures"]] == ["approved"]
        assert (record["end"], bool(record["answered_at"])) == ("far end hung up", True)
        assert [charge["charges"] for charge in await wire.stack.charges()] == [1]
        await wire.no_sessions()


async def test_a_customer_who_keys_meanwhile_stays_unheard_and_the_payment_starts_again(peers: Peers) -> None:
    async with line(peers, extra=general()) as wire:
        call_id = await wire.dial()
        await wire.stack.start_capture(call_id, transaction="first")
        pressing = asyncio.create_task(wire.key(NUMBER + REST))

        async def counted() -> bool:
            fields = (await wire.stack.call(call_id))["capture"]["fields"]
            return sum(field["count"] for field in fields) >= 4

        await until(counted, "4 keys to be counted")
        await killed(wire, call_id)
        view = await wire.stack.call(call_id)
        assert view["masked"]
        capture = await wire.stack.stage(call_id, "aborted")
        assert capture["reason"].startswith("Tonewall was restarted while the customer keyed")
        await pressing
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.keyed(call_id, NUMBER + REST, "second")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert [each["stage"] for each in record["captures"]] == ["aborted", "finished"]
        assert (await wire.agent.stats())["dtmf"] == 0


async def test_a_charge_under_way_gets_its_outcome_in_the_call(peers: Peers) -> None:
    async with line(peers, extra=general(), provider_arguments=["--delay", "2.5"]) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, "4000000000010019#1139739", "slow")
        await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        await until(wire.stack.charges, "the charge at the provider")
        await killed(wire, call_id)
        assert (await wire.stack.stage(call_id, "finished"))["outcome"]["type"] == "approved"
        await wire.unmasked(call_id)
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert [each["outcome"] for each in record["captures"]] == ["approved"]
        assert [charge["charges"] for charge in await wire.stack.charges()] == [1]
