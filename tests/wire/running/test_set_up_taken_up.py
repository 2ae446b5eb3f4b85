"""kill -9 of b2bua while calls are set up: its successor goes on with them."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from tests.complaints import permit_error
from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.running.kept_calls import OFFER, answer, b2bua_killed, cancel, ring
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


async def test_an_invite_that_was_not_read_or_not_written_makes_one_call(tmp_path: Path) -> None:
    """One waits in the socket; the other is repeated by a peer that got no answer to it."""
    general = {"port": str(free_port()), "spare": "yes"}
    with contextlib.closing(SipPeer()) as carrier, contextlib.closing(SipPeer()) as pbx:
        extra = {"general": general, "media": {"quiet_time": "1.5"}}
        stack = Stack(tmp_path, carrier.port, pbx.port, extra=extra)
        async with running(stack):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            pids = stack.pids()
            [media], [b2bua] = pids["media"], pids["b2bua"]
            not_written, not_read = [carrier.request("INVITE", body=OFFER) for _ in range(2)]
            os.kill(media, signal.SIGSTOP)  # the call waits for its ports
            carrier.send(not_written)
            await carrier.hear("100", PATIENCE)
            os.kill(b2bua, signal.SIGSTOP)
            carrier.send(not_read)
            permit_error("bad_frame_from_media")
            stack.kill("b2bua")
            os.kill(media, signal.SIGCONT)
            await stack.await_restart(b2bua)
            calls = [await answer(carrier, pbx, await pbx.hear("INVITE", PATIENCE))]
            carrier.send(not_written)
            calls.append(await answer(carrier, pbx, await pbx.hear("INVITE", PATIENCE)))
            await stack.calls_up(2)
            for _, far in calls:
                pbx.send(pbx.request("BYE", call=far))
                carrier.reply(await carrier.hear("BYE", PATIENCE), 200)
            await until(lambda: len(stack.records()) == 2, "a record of each call")
            assert [each.what for each in pbx.heard if each.what == "INVITE"] == ["INVITE"] * 2

            async def nothing_left() -> bool:
                health = (await stack.api.get("/healthz")).json()
                return not any(health[name] for name in ("calls", "sessions", "legs", "dialogs"))

            await until(nothing_left, "nothing to be left")
