"""kill -9 of b2bua while calls are set up: its successor goes on with them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.running.kept_calls import answer, b2bua_killed, cancel, ring
from tests.wire.sip_peer import HOST, SipPeer


async def test_calls_that_ring_are_answered_cancelled_and_refused_after_b2bua_was_killed(
    tmp_path: Path,
) -> None:
    with contextlib.closing(SipPeer()) as carrier, contextlib.closing(SipPeer()) as pbx:
        stack = Stack(
            tmp_path, carrier.port, pbx.port, extra={"general": {"port": str(free_port()), "spare": "yes"}}
        )
        async with running(stack):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            answered, cancelled, refused = [await ring(carrier, pbx) for _ in range(3)]
            await b2bua_killed(stack, 3)
            states = [each["state"] for each in await stack.calls()]
            assert states == ["ringing"] * 3
            near, far = await answer(carrier, pbx, answered[0])
            cancel(carrier, cancelled[1])
            gone = await carrier.hear("487", PATIENCE)
            assert gone.one("Call-ID") == cancelled[1].one("Call-ID")
            ended = await pbx.hear("CANCEL", PATIENCE)
            assert ended.branch == cancelled[0].branch
            pbx.reply(ended, 200)
            pbx.reply(cancelled[0], 487)
            pbx.reply(refused[0], 486)
            busy = await carrier.hear("486", PATIENCE)
            assert busy.one("Call-ID") == refused[1].one("Call-ID")
            await stack.calls_up()
            pbx.send(pbx.request("BYE", call=far))
            bye = await carrier.hear("BYE", PATIENCE)
            assert bye.one("Call-ID") == near.call_id
            carrier.reply(bye, 200)
            records = await until(
                lambda: len(found := stack.records()) == 3 and found, "the records of the calls"
            )
            assert {record["end"] for record in records} == {
                "cancelled",
                "failed with 486",
                "far end hung up",
            }
            assert await stack.calls() == []
