"""Two Tonewalls at one Redis: the limit of a trunk holds over both, over a kill of one, and each
goes on alone while Redis is away."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.complaints import expect_error
from tests.redis_server import RedisServer
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.handmade import offer, trunk
from tests.wire.running.signalled import acknowledged
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer


async def place(near: SipPeer, far: SipPeer, stack: Stack) -> Call:
    """A call through it, up."""
    near.engine = far.engine = (HOST, stack.sip_port)
    near.send(near.request("INVITE", body=offer(4000)))
    far.reply(await far.hear("INVITE", PATIENCE), 200, body=offer(5000))
    call = Call.placed(await near.hear("200", PATIENCE))
    near.send(near.request("ACK", call=call))
    await far.hear("ACK", PATIENCE)
    return call


async def refused(near: SipPeer, stack: Stack) -> Heard:
    near.engine = (HOST, stack.sip_port)
    near.send(near.request("INVITE", body=offer(4000)))
    answer = await near.hear("503", PATIENCE)
    near.send(acknowledged(near, answer))
    return answer


async def warnings(stack: Stack) -> list[str]:
    answer = (await stack.api.get("/readyz")).json()
    assert answer["ready"], answer
    return answer["warnings"]


async def well(stack: Stack) -> bool:
    return await warnings(stack) == []


async def known_elsewhere(stack: Stack, calls: int) -> None:
    async def known() -> bool:
        views = (await stack.api.get("/v1/trunks")).json()
        return [each["calls_elsewhere"] for each in views if each["name"] == "carrier"] == [calls]

    await until(known, f"{calls} calls of the other")


async def test_the_limit_of_a_trunk_holds_over_two_tonewalls_and_each_goes_on_alone(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    await redis.start()
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(redis.stop)
        near, far = opened.enter_context(trunk()), opened.enter_context(trunk())
        stacks = []
        for name in ("a", "b"):
            (folder := tmp_path / name).mkdir()
            extra = {"carrier": {"max_calls": "1"}, "shared": {"redis": redis.url, "instance": name}}
            stacks.append(
                await opened.enter_async_context(
                    running(Stack(folder, near.port, far.port, pairs=60, extra=extra))
                )
            )
        a, b = stacks
        call = await place(near, far, a)
        await known_elsewhere(b, 1)
        assert int((await refused(near, b)).one("Retry-After")) > 0

        [before] = a.kill("b2bua")
        await a.await_restart(before)
        await refused(near, b)

        expect_error("instances_not_shared")
        await redis.stop()
        for stack in stacks:
            await until(lambda stack=stack: warnings(stack), "the warning")
            assert await warnings(stack) == ["shared"]
        second = await place(near, far, b)  # alone, it has room
        await redis.start()
        for stack in stacks:
            await until(lambda stack=stack: well(stack), "the end of the warning")
        await known_elsewhere(a, 1)

        for stack, each in ((a, call), (b, second)):
            near.engine = far.engine = (HOST, stack.sip_port)
            near.send(near.request("BYE", call=each, cseq=2))
            far.reply(await far.hear("BYE", PATIENCE), 200)
            await near.hear("200", PATIENCE)
        await known_elsewhere(a, 0)
        third = await place(near, far, a)
        await known_elsewhere(b, 1)
        await a.stop_tonewall()  # in good order: its call ends, and counts no more at once
        await near.hear("BYE", PATIENCE)
        await known_elsewhere(b, 0)
        assert third.call_id != call.call_id
