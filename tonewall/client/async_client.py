"""The client that is awaited.

    async with AsyncClient("https://tonewall.example", "the-token") as tonewall:
        async for event in tonewall.follow_calls():
            print(event.name, event.data)

Rule 1: as in client.py, line by line, but awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx

from tonewall.client.async_calls import AsyncCalls
from tonewall.client.async_payments import AsyncPayments
from tonewall.client.async_service import AsyncService
from tonewall.client.client import FEED, SILENCE
from tonewall.client.errors import ApiError, ConnectionFailed, TonewallError, TooMany, Unavailable, error_for
from tonewall.client.feed import FeedEvent, FeedReader
from tonewall.client.requests import MAX_PAUSE, Request, checked_address


class AsyncClient(AsyncCalls, AsyncPayments, AsyncService):
    """The API of a Tonewall, as Client has it, for an event loop."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        retries: int = 2,
        timeout: float = 10.0,
        plain_http: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As Client. Raises ValueError."""
        self._retries = retries
        self._http = httpx.AsyncClient(
            base_url=checked_address(address, plain_http=plain_http),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def follow_calls(self, last_event_id: str = "") -> AsyncIterator[FeedEvent]:
        """The events of the feed, over as many connections as it takes. Raises ApiError where the
        token may not read it."""
        reader, pause = FeedReader(last_event_id), 0.0
        while True:
            try:
                async for event in self._read_feed(reader):
                    pause = 0.0
                    yield event
            except (TooMany, Unavailable, httpx.TransportError):
                pause = min(max(2 * pause, reader.retry), MAX_PAUSE)
            await asyncio.sleep(pause or reader.retry)

    async def _read_feed(self, reader: FeedReader) -> AsyncIterator[FeedEvent]:
        limits = httpx.Timeout(10.0, read=SILENCE)
        async with self._http.stream("GET", FEED, headers=reader.begin(), timeout=limits) as answer:
            if answer.status_code != 200:
                content = await answer.aread()
                raise error_for(answer.status_code, answer.headers.get("content-type", ""), content)
            async for octets in answer.aiter_bytes():
                for event in reader.read(octets):
                    yield event

    async def _send(self, request: Request) -> Any:
        for tries in range(1, self._retries + 2):
            error: ApiError | None = None
            failure: TonewallError
            try:
                answer = await self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    headers=request.headers,
                    content=request.content,
                )
                kind, wait = (answer.headers.get(name, "") for name in ("content-type", "retry-after"))
                return request.read(answer.status_code, kind, answer.content, wait)
            except ApiError as caught:
                error, failure = caught, caught
            except httpx.TransportError as caught:
                failure = ConnectionFailed(f"No answer: {type(caught).__name__}.")
            pause = request.pause(error, tries)
            if pause is None or tries > self._retries:
                raise failure
            await asyncio.sleep(pause)
        raise AssertionError
