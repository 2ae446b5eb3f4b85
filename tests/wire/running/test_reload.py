"""`tonewall reload` and SIGHUP: settings change without touching a call, or nothing changes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import httpx

from tests.complaints import expect_error
from tests.everybody import ROLES as EVERY_ROLE
from tests.stack import PATIENCE, TOKEN, Stack, until
from tests.wire.handmade import offer
from tests.wire.running.signalled import (
    acknowledged,
    begin_to_drain,
    ended,
    keeper,
    logged,
    reload,
    write,
)
from tests.wire.scene import Scene, scene
from tests.wire.sip_peer import Heard, SipPeer

_OLD, _NEW = "desk-token-before-0001", "desk-token-after-00001"


def tokens(second: str) -> dict[str, dict[str, str]]:
    return {"api": {"tokens": f"test:{TOKEN}, desk:{second}", "roles": EVERY_ROLE}}


async def status_of(stack: Stack, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        answer = await client.get(f"{stack.api_url}/v1/calls", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code


@contextlib.asynccontextmanager
async def feed(stack: Stack, token: str):
    """A feed that is open: a task that ends with it."""
    began = asyncio.Event()

    async def read() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=None) as client,
            client.stream("GET", f"{stack.api_url}/v1/feed", headers=headers) as answer,
        ):
            async for _ in answer.aiter_bytes():
                began.set()

    reading = asyncio.create_task(read())
    try:
        await asyncio.wait_for(began.wait(), PATIENCE)
        yield reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def invite(peer: SipPeer, number: str) -> None:
    peer.send(
        peer.request("INVITE", body=offer(4000), From=f"<sip:{number}@{peer.host}>;tag={number}").replace(
            "sip:bob@", f"sip:{number}@"
        )
    )


async def refused(at: Scene, number: str, code: int) -> Heard:
    invite(at.carrier, number)
    answer = await at.carrier.hear(str(code), PATIENCE)
    at.carrier.send(acknowledged(at.carrier, answer))
    return answer


async def test_settings_change_under_a_call_that_is_up_and_a_wrong_file_changes_nothing(
    tmp_path: Path,
) -> None:
    more = {**tokens(_OLD), "route in": {"source": "carrier", "to": "pbx"}}
    async with scene(tmp_path, more=more, complaints=False) as at:
        stack = at.stack
        async with feed(stack, _OLD) as old, feed(stack, TOKEN) as same:
            write(
                stack,
                {
                    **tokens(_NEW),
                    "carrier": {"max_calls": "1"},
                    "general": {"drain_time": "600", "ladders": "7"},
                },
            )
            assert await reload(stack) == (
                1,
                [
                    "in force: [general] drain_time",
                    "in force: [api] tokens",
                    "in force: [carrier] max_calls",
                    "needs a restart: [general] ladders",
                ],
            )
            await asyncio.wait_for(old, PATIENCE)
            assert not same.done()
        assert [await status_of(stack, token) for token in (TOKEN, _OLD, _NEW)] == [200, 401, 200]
        assert (await refused(at, "700", 503)).one("Retry-After") == "5"  # of a trunk that is full

        good = stack.conf.read_text()
        stack.conf.write_text(good.replace("max_calls = 1", "max_calls = many"))
        expect_error("not_reloaded")
        os.kill(keeper(stack), signal.SIGHUP)
        await until(lambda: logged(stack, "not_reloaded"), "the log to have the fault")
        code, said = await reload(stack)
        assert code == 2
        assert any("[carrier] max_calls" in line for line in said)
        assert await status_of(stack, _NEW) == 200

        write(stack, {"carrier": {"max_calls": "9"}, "route in": {"to": "pbx"}})
        write(stack, {"route in": {"callee": "5"}})  # others have none
        before = len(logged(stack, "settings_read_again"))
        for _ in range(10):
            os.kill(keeper(stack), signal.SIGHUP)
        await until(lambda: len(logged(stack, "settings_read_again")) > before, "a reload")
        await refused(at, "701", 404)
        invite(at.carrier, "501")
        second = await at.pbx.hear("INVITE", PATIENCE)
        at.pbx.reply(second, 486)
        assert (await at.carrier.hear("486", PATIENCE)).one("From").startswith("<sip:501@")
        assert [call["id"] for call in await stack.calls_up()] == [at.call_id]

        await begin_to_drain(at)  # with the drain_time of the reload
        code, said = await reload(stack)
        assert (code, said[0]) == (2, "tonewall: nothing has changed:")
        await at.customer_says("BYE")
        at.pbx.reply(await at.pbx.hear("BYE", PATIENCE), 200)
        assert await ended(stack) == 0
