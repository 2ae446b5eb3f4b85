"""Server-Sent Events (WHATWG HTML section 9.2): the feed as an answer that goes on until somebody
ends it.

Rule 1: a reader who takes nothing for STALLED seconds is cut off, so that it holds no memory.
Rule 2: whatever ends the stream, its follower is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from b2bua.call.view import CallView, PaymentView, ServiceView
from b2bua.switchboard.view_feed import View

_NAMES: Final = {CallView: b"call", PaymentView: b"payment", ServiceView: b"service"}

KEEP_ALIVE: Final = 15.0
STALLED: Final = 20.0
AT_ONCE: Final = 1000
_RETRY_MS: Final = 2000


class Streams:
    """How many streams are open, and the switch that ends them all when the server stops."""

    def __init__(
        self, at_once: int = AT_ONCE, keep_alive: float = KEEP_ALIVE, stalled: float = STALLED
    ) -> None:
        """`at_once`: the most open streams; `keep_alive` and `stalled` in seconds."""
        self.at_once = at_once
        self.keep_alive = keep_alive
        self.stalled = stalled
        self.open = 0
        self.closing = asyncio.Event()

    @property
    def full(self) -> bool:
        return self.open >= self.at_once

    def close(self) -> None:
        self.closing.set()


class EventStream(Response):
    """One stream: first the ids of the calls there are (`calls`), then each call and each change of
    it (`call`), each payment that is not final and each step of one (`payment`), and what is wrong
    with the service (`service`) when that changes."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, ids: list[str], views: AsyncIterator[View]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        self._first = b"retry: %d\n" % _RETRY_MS + _event(b"calls", {"ids": ids})
        self._views = views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open += 1
        gone = asyncio.create_task(_disconnected(receive))
        written = asyncio.create_task(self._write(send))
        closing = asyncio.create_task(self._streams.closing.wait())
        tasks = {gone, written, closing}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done() and not (written.done() and written.exception()):
                written.cancel()
                await asyncio.wait({written})
                await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), 1.0)
        except TimeoutError:
            pass  # a reader who took nothing until the end; the server closes its connection
        finally:
            self._streams.open -= 1
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            close = getattr(self._views, "aclose", None)
            if close is not None:
                await close()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, TimeoutError | OSError):
                raise result

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._say(send, self._first)
        following = asyncio.create_task(self._next())
        try:
            while True:
                # Not wait_for: its time-out would cancel the iterator, and an async generator does
                # not survive that.
                ready, _ = await asyncio.wait({following}, timeout=self._streams.keep_alive)
                if not ready:
                    await self._say(send, b": still here\n\n")
                    continue
                view = following.result()
                if view is None:
                    return
                await self._say(send, _event(_NAMES[type(view)], view))
                following = asyncio.create_task(self._next())
        finally:
            following.cancel()
            await asyncio.wait({following})

    async def _next(self) -> View | None:
        return await anext(self._views, None)

    async def _say(self, send: Send, chunk: bytes) -> None:
        async with asyncio.timeout(self._streams.stalled):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: bytes, data: object) -> bytes:
    # JSON has no raw line feed, so one data line is always enough.
    return b"event: %s\ndata: %s\n\n" % (name, msgspec.json.encode(data))
