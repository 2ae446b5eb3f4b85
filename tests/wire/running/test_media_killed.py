"""kill -9 of media: the spare goes on, and calls with it."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.complaints import expect_error, permit_error
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import line

# Approved by the local provider; 15 digits need no end.
NUMBER, REST = "378282246310005", "11397391"


async def test_the_spare_goes_on_and_calls_are_paid_with_it(peers: Peers) -> None:
    async with line(peers, extra={"general": {"spare": "yes"}}) as wire:
        [spare] = await until(lambda: wire.stack.pids()["media spare"], "a spare")
        wire.stack.kill("media")
        permit_error("connection_refused")
        await until(lambda: wire.stack.pids()["media"] == [spare], "the spare to go on")
        [another] = await until(lambda: wire.stack.pids()["media spare"], "another spare")
        assert another != spare
        await wire.stack.await_ready()
        call_id = await wire.dial()
        await wire.keyed(call_id, NUMBER + REST)
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        wire.stack.kill("media spare")
        await until(lambda: wire.stack.pids()["media spare"] not in ([], [another]), "a third")
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.hang_up()


@pytest.mark.parametrize("both", [False, True], ids=["media", "media and b2bua"])
async def test_a_customer_who_keys_meanwhile_stays_unheard_and_the_call_is_paid_after_it(
    peers: Peers, both: bool
) -> None:
    async with line(peers, extra={"general": {"spare": "yes"}}) as wire:
        call_id = await wire.dial()
        await wire.stack.start_capture(call_id, transaction="first")
        pressing = asyncio.create_task(wire.key(NUMBER + REST))

        async def counted() -> bool:
            fields = (await wire.stack.call(call_id))["capture"]["fields"]
            return sum(field["count"] for field in fields) >= 4

        await until(counted, "4 keys to be counted")
        await until(lambda: wire.stack.pids()["media spare"], "a spare")
        pids = wire.stack.pids()
        [media], [before] = pids["media"], pids["b2bua"]
        if both:
            wire.stack.kill("b2bua")
        os.kill(media, signal.SIGKILL)
        expect_error("restarting", child="media")
        for each in ("media_lost", "bad_frame_from_media", "gave_up"):
            permit_error(each)
        if both:
            await wire.stack.await_restart(before)
        await wire.stack.stage(call_id, "aborted")
        assert (await wire.stack.call(call_id))["masked"]
        await pressing
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.stack.await_ready()  # a payer, which is started after media
        await wire.keyed(call_id, NUMBER + REST, "second")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert (record["end"], [each["stage"] for each in record["captures"]]) == (
            "far end hung up",
            ["aborted", "finished"],
        )
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.no_sessions()
