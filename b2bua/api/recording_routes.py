"""Records the packets of a call, and sends them as a capture file while they come.

Rule 1: the request is in the audit log before a packet is recorded (it is a POST), and its end is.
Rule 2: who takes nothing for as long as a feed's reader may is disconnected; the recording ends
        with the answer, whatever ends that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field
from starlette.types import Receive, Scope, Send

from b2bua.api.bodies import Body
from b2bua.api.call_routes import CallId, loggable
from b2bua.api.problems import problem
from b2bua.api.schema import problem_answers
from b2bua.api.stream import Streams, wait_for_disconnect
from b2bua.switchboard.packet_recordings import PacketRecordings
from tonewall.log import get_logger

log = get_logger(__name__)
MEDIA_TYPE: Final = "application/x-pcapng"
MAX_SECONDS: Final = 14400
MAX_MEGABYTES: Final = 1000
_NONE: Final = "This Tonewall records no packets."


class RecordingBody(Body):
    """How long and how large a recording may become."""

    model_config = ConfigDict(
        title="Recording", json_schema_extra={"examples": [{"seconds": 600, "megabytes": 100}]}
    )

    seconds: int = Field(
        3600, ge=1, le=MAX_SECONDS, description="After which it ends, where the call has not."
    )
    megabytes: int = Field(100, ge=1, le=MAX_MEGABYTES, description="Of the file, about; then it ends.")


def recording_routes(recordings: PacketRecordings | None, streams: Streams) -> APIRouter:
    """`POST /v1/calls/ID/recording`."""
    router = APIRouter(tags=["ladders"])
    file: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}

    @router.post(
        "/v1/calls/{call_id}/recording",
        operation_id="record_packets",
        summary="Record the headers of a call's packets",
        response_class=Response,
        responses={
            200: {"description": "The file, as it grows.", "content": file},
            **problem_answers(401, 403, 404, 409, 422, 503),
        },
    )
    async def record_packets(
        request: Request, call_id: CallId, body: RecordingBody | None = None
    ) -> Response:
        """A pcapng file with the call's messages and the headers of its RTP and RTCP, sent while
        the call goes on. It has no payload, no key and no authentication tag; while the call is
        masked, no payload type, timestamp or length either, and the times of packets to the second.
        It ends with the call, after `seconds`, at `megabytes`, or when the reader goes. 409 where
        the call is being recorded already, and where too many are.
        """
        if recordings is None or streams.is_full:
            return problem(503, _NONE if recordings is None else "Too many feeds are open.")
        wanted = body or RecordingBody.model_validate({})
        log.info(
            "agent_request", operation="record_packets", agent=request.state.agent, call=loggable(call_id)
        )
        chunks = await recordings.begin(call_id, wanted.seconds, wanted.megabytes * 1_000_000)
        return _Recorded(streams, chunks, request.state.holds)

    return router


class _Recorded(Response):
    media_type = MEDIA_TYPE

    def __init__(self, streams: Streams, chunks: AsyncGenerator[bytes], holds: Callable[[], bool]) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._streams, self._chunks, self._holds = streams, chunks, holds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.open += 1
        written = asyncio.create_task(self._write(send))
        tasks: set[asyncio.Task[Any]] = {
            written,
            asyncio.create_task(wait_for_disconnect(receive)),
            asyncio.create_task(self._streams.closing.wait()),
            asyncio.create_task(self._streams.wait_until_not(self._holds)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams.open -= 1
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._chunks.aclose()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, TimeoutError | OSError):
                raise result

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._chunks:
            if chunk:
                await self._send(send, chunk, more=True)
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, chunk: bytes, *, more: bool) -> None:
        async with asyncio.timeout(self._streams.stalled):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
