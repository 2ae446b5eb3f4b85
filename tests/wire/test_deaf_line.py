"""A customer who is not heard while a card is to be keyed: the API says so within 5 s, with why, until something is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from tests.stack import until
from tests.wire.test_transfer import Scene, scene


@contextlib.asynccontextmanager
async def from_elsewhere(at: Scene) -> AsyncIterator[str]:
    """Somebody else sends the customer's audio; their address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        async def send() -> None:
            while True:
                sock.sendto(at.customer.speech().serialize(), at.customer.far)
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send())
        try:
            yield "{}:{}".format(*sock.getsockname())
        finally:
            sending.cancel()


async def fault(at: Scene) -> dict[str, object] | None:
    found: dict[str, object] | None = (await at.stack.call(at.call_id))["line_fault"]
    return found


async def test_a_customer_of_whom_nothing_comes_is_told_and_no_more_as_soon_as_something_does(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await until(lambda: fault(at), "the fault to be told")
        assert loop.time() - began < 5.0
        assert found["code"] == "no_packet"
        await at.customer.play([at.customer.speech()])
        await until(lambda: _heard(at), "the fault to be gone")
        await at.end(at.agent)


async def _heard(at: Scene) -> bool:
    return await fault(at) is None


async def test_packets_from_another_address_are_named_as_the_cause(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        async with from_elsewhere(at) as address:
            await at.stack.start_capture(at.call_id)
            found = await until(lambda: fault(at), "the fault to be told")
            assert (found["code"], found["address"]) == ("other_source", address)
            assert isinstance(found["packets"], int)
            assert found["packets"] > 50
        await at.end(at.agent)


async def test_a_call_without_any_packet_ends_and_the_record_says_why(tmp_path: Path) -> None:
    async with scene(tmp_path, media={"media_timeout": "2"}) as at:
        bye = await at.carrier.hear("BYE", 15)
        assert "cause=102" in bye.one("Reason")
        at.carrier.reply(bye, 200)
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        [record] = await until(at.stack.records, "the call's record")
        assert record["end"] == "no media"
        assert record["caller_cause"] == 102
