"""What a stranger at the API's port may cost: connections, time, guesses; and requests with two
ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from b2bua.api.hardening import Harden
from b2bua.api.http import create_app
from b2bua.api.refusals import Refusals
from b2bua.api.server import Serving, serve
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody

TOKEN = "0123456789abcdef0123"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@contextlib.asynccontextmanager
async def served(
    desk: FakeDesk | None = None, guarded: frozenset[str] = frozenset(), **options: Any
) -> AsyncIterator[Serving]:
    app = create_app(desk or FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"), guarded=guarded)
    serving = await serve(app, **options)
    try:
        yield serving
    finally:
        await serving.close()


async def everything(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        try:
            return await reader.read(-1)
        except ConnectionResetError:
            return b""


async def test_connections_beyond_the_limit_are_told_so_and_closed_and_the_others_go_on() -> None:
    async with served(connections=8) as serving:
        held = [await asyncio.open_connection(serving.host, serving.port) for _ in range(8)]
        reader, writer = await asyncio.open_connection(serving.host, serving.port)
        assert (await everything(reader)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        held[0][1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await everything(held[0][0])).startswith(b"HTTP/1.1 200 ")
        async with httpx.AsyncClient(
            base_url=serving.url, trust_env=False
        ) as client:  # one place is free again
            assert (await client.get("/healthz")).status_code == 200
        for _, each in held:
            each.close()


@pytest.mark.parametrize(
    "before", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"]
)
async def test_headers_that_trickle_end_the_connection_however_often_an_octet_comes(before: bytes) -> None:
    async with served(headers_time=0.5) as serving:
        reader, writer = await asyncio.open_connection(serving.host, serving.port)
        if before:
            writer.write(before)
            await reader.readuntil(b"}")
        began = time.monotonic()
        writer.write(b"GET /healthz HTTP/1.1\r\n")

        async def trickle() -> None:
            with contextlib.suppress(OSError):
                while True:
                    writer.write(b"X-Slow: 1\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)

        task = asyncio.create_task(trickle())
        await everything(reader)
        assert time.monotonic() - began < 5
        task.cancel()
        writer.close()


async def test_a_connection_that_says_nothing_is_closed_and_a_feed_is_not() -> None:
    async with (
        served(headers_time=0.3) as serving,
        httpx.AsyncClient(base_url=serving.url, headers=AUTH, trust_env=False) as agent,
        agent.stream("GET", "/v1/feed") as feed,
    ):
        reader, writer = await asyncio.open_connection(serving.host, serving.port)
        assert await everything(reader) == b""
        writer.close()
        chunks = feed.aiter_raw()
        assert b"calls" in await anext(chunks)
        with pytest.raises(TimeoutError):  # it goes on, with nothing to say
            await asyncio.wait_for(anext(chunks), 0.6)


async def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Harden.__init__, "__defaults__", (0.5,))
    desk = FakeDesk()
    desk.up("c-1")
    async with served(desk) as serving:
        reader, writer = await asyncio.open_connection(serving.host, serving.port)
        writer.write(
            b"POST /v1/calls/c-1/capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 900\r\n"
            b"Authorization: Bearer " + TOKEN.encode() + b'\r\n\r\n{"amount"'
        )
        answer = await everything(reader)
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()
        assert desk.asked == []


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/calls/c-1/capture/submit HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"POST /v1/calls/c-1/capture/submit HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        b"POST /v1/calls/c-1/capture/submit HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
        b"POST /v1/calls/c-1/capture/submit HTTP/1.1\r\nContent-Length: 6\r\nContent-Length: 7\r\n",
        b"POST /v1/calls/c-1/capture/submit HTTP/1.1\r\nTransfer-Encoding: gzip\r\n",
    ],
)
async def test_a_request_with_two_ends_is_refused_and_nothing_behind_it_is_read(head: bytes) -> None:
    async with served() as serving:
        reader, writer = await asyncio.open_connection(serving.host, serving.port)
        auth = b"Host: x\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
        writer.write(head + auth + b"0\r\n\r\n" + b"GET /v1/currencies HTTP/1.1\r\n" + auth)
        answer = await everything(reader)
        status = answer.split()[1]
        assert status in (b"400", b"501"), answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"EUR" not in answer
        writer.close()


async def test_wrong_tokens_wait_longer_and_longer_and_a_right_one_never() -> None:
    async with (
        served() as serving,
        httpx.AsyncClient(
            base_url=serving.url, trust_env=False, timeout=30, limits=httpx.Limits(max_connections=100)
        ) as client,
    ):
        wrong = {"Authorization": "Bearer 0000000000000000"}
        spans = []
        for _ in range(5):
            began = time.monotonic()
            assert (await client.get("/v1/calls", headers=wrong)).status_code == 401
            spans.append(time.monotonic() - began)
        assert max(spans[:3]) < 0.2
        assert spans[3] >= 0.25
        assert spans[4] >= 0.5
        flood = [asyncio.create_task(client.get("/v1/calls", headers=wrong)) for _ in range(40)]
        await asyncio.sleep(0)
        done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        assert {each.result().status_code for each in done} == {429}
        began = time.monotonic()
        assert (await client.get("/v1/calls", headers=AUTH)).status_code == 200
        assert time.monotonic() - began < 1
        for each in flood:
            each.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


def test_addresses_are_forgotten_and_their_number_is_bounded() -> None:
    refusals = Refusals()
    for number in range(5000):
        assert refusals.delay(f"10.{number >> 8 & 255}.{number & 255}.1", float(number)) == 0.0
    assert len(refusals) == 1024
    for _ in range(4):
        refusals.delay("2001:db8::1", 6000.0)
    assert refusals.delay("2001:db8::2", 6000.0) == 0.5  # of the same network
    for _ in range(2):
        refusals.end_delay("2001:db8::3")
    assert refusals.delay("2001:db8::1", 6100.0) == 0.0  # forgiven
    waits = [refusals.delay("192.0.2.1", 7000.0) for _ in range(40)]
    assert waits[:6] == [0.0, 0.0, 0.0, 0.25, 0.5, 1.0]
    assert waits[-1] is None
    logged = [count for count in (refusals.count_to_log("192.0.2.1") for _ in range(3)) if count is not None]
    assert logged == [40]


async def test_the_description_and_the_health_check_may_be_kept_for_agents() -> None:
    async with (
        served(guarded=frozenset({"/openapi.json", "/healthz"})) as serving,
        httpx.AsyncClient(base_url=serving.url, trust_env=False) as client,
    ):
        for path in ("/openapi.json", "/healthz"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=AUTH)).status_code == 200
        assert (await client.get("/")).status_code == 200  # the page holds nothing
    async with served() as serving, httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
        assert (await client.get("/openapi.json")).status_code == 200
