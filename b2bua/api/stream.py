"""Sends the feed as Server-Sent Events (WHATWG HTML section 9.2).

Rule 1: a reader who takes nothing for STALLED seconds is disconnected, so that it holds no memory.
Rule 2: whatever ends the stream, its follower is closed.
Rule 3: a view has an `id` by which a reader who comes back goes on behind it. None is sent before
        the last of the views that a stream begins with: who was cut off among them begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from b2bua.call.service_view import ServiceView
from b2bua.call.view import CallState, CallView, PaymentView
from b2bua.switchboard.view_feed import View

_NAMES: Final = {CallView: b"call", PaymentView: b"payment", ServiceView: b"service"}

KEEP_ALIVE: Final = 15.0
STALLED: Final = 20.0
MAX_STREAMS: Final = 1000
_RETRY_MS: Final = 2000


class Streams:
    """The open streams of a server: their number, their limits, and their common end."""

    def __init__(
        self, max_streams: int = MAX_STREAMS, keep_alive: float = KEEP_ALIVE, stalled: float = STALLED
    ) -> None:
        """`max_streams`: the most open at once; `keep_alive` and `stalled` in seconds."""
        self.max_streams = max_streams
        self.keep_alive = keep_alive
        self.stalled = stalled
        self.open = 0
        self.closing = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no further stream may be opened."""
        return self.open >= self.max_streams

    def close(self) -> None:
        """End all streams: the server stops."""
        self.closing.set()

    def look_again(self) -> None:
        """Have each stream see at once whether its reader may read on."""
        ended, self._ended = self._ended, asyncio.Event()
        ended.set()

    async def wait_until_not(self, holds: Callable[[], bool]) -> None:
        """Until a reader may not read on, by what was seen when `look_again` was called."""
        while holds():
            await self._ended.wait()


class FeedResponse(Response):
    """One stream: first the ids of the calls there are (`calls`), then each call and each change of
    it (`call`), each payment that is not final and each step of one (`payment`), and the
    faults of the service (`service`) when they change."""

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        ids: list[str],
        views: AsyncIterator[View],
        sight: Callable[[View], View | None] = lambda view: view,
        holds: Callable[[], bool] = lambda: True,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        """`ids`: of the calls that are seen now; `sight`: what is seen of a view; `holds`: whether
        the reader may read on. The stream ends where not. `keep_alive`: seconds without an event
        after which a comment is sent, where `streams` has no fewer."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streams = streams
        resumed = {"resumed": True} if getattr(views, "resumed", False) else {}
        self._first = b"retry: %d\n" % _RETRY_MS + _sse_event(b"calls", {"ids": ids, **resumed})
        self._views, self._sight, self._holds = views, sight, holds
        self._keep_alive = min(keep_alive, streams.keep_alive)
        self._seen = set(ids)
        self._sent_id = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open += 1
        gone = asyncio.create_task(wait_for_disconnect(receive))
        written = asyncio.create_task(self._write_events(send))
        closing = asyncio.create_task(self._streams.closing.wait())
        lost = asyncio.create_task(self._streams.wait_until_not(self._holds))
        tasks: set[asyncio.Task[Any]] = {gone, written, closing, lost}
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

    async def _write_events(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._send_chunk(send, self._id() + self._first)
        following = asyncio.create_task(self._next_view())
        try:
            while True:
                # Not wait_for: its time-out would cancel the iterator, and an async generator does
                # not survive that.
                ready, _ = await asyncio.wait({following}, timeout=self._keep_alive)
                if not self._holds():
                    return
                if not ready:
                    await self._send_chunk(send, self._id() + b": still here\n\n")
                    continue
                view = following.result()
                if view is None:
                    return
                if (chunk := self._chunk(view)) is not None:
                    await self._send_chunk(send, self._id() + chunk)
                elif not self._sent_id and (line := self._id()):
                    await self._send_chunk(send, line + b"\n")
                following = asyncio.create_task(self._next_view())
        finally:
            following.cancel()
            await asyncio.wait({following})

    def _id(self) -> bytes:
        """The line by which a reader goes on behind the last view; empty among the first ones."""
        position: str = getattr(self._views, "position", "")
        self._sent_id = self._sent_id or bool(position)
        return b"id: %s\n" % position.encode() if position else b""

    def _chunk(self, view: View) -> bytes | None:
        """What the reader is sent of it. Of a call that is seen no more: the ids of those that
        are."""
        seen = self._sight(view)
        if isinstance(view, CallView):
            if seen is None and view.id in self._seen:
                self._seen.discard(view.id)
                return _sse_event(b"calls", {"ids": sorted(self._seen)})
            if seen is not None:
                self._seen.add(view.id)
            if view.state is CallState.ENDED:
                self._seen.discard(view.id)
        return None if seen is None else _sse_event(_NAMES[type(seen)], seen)

    async def _next_view(self) -> View | None:
        return await anext(self._views, None)

    async def _send_chunk(self, send: Send, chunk: bytes) -> None:
        async with asyncio.timeout(self._streams.stalled):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def wait_for_disconnect(receive: Receive) -> None:
    """Until the reader has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _sse_event(name: bytes, data: object) -> bytes:
    # JSON has no raw line feed, so one data line is always enough.
    return b"event: %s\ndata: %s\n\n" % (name, msgspec.json.encode(data))
