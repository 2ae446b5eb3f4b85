"""Gives the audit log to auditors over HTTP.

Rule 1: who reads stands in the log itself, once a request, before anything is read.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from b2bua.api.begin_session import source_of
from b2bua.api.problems import problem
from b2bua.api.schema import problem_answers
from b2bua.audit.entry import Result, write_time
from b2bua.audit.log_page import MAX_LINES, Wanted, read_page
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.audit.verify import head_of

_LINES: Final = "application/x-ndjson"
_NO_LOG: Final = "This Tonewall keeps no audit log: [audit] directory."
_NOT_READ: Final = "The audit log cannot be read now."
_TIME: Final = "A day, or a time with its offset: 2026-12-01, 2026-12-01T10:02:07Z."
_Since = Annotated[str, Query(alias="from", max_length=40, description=f"The begin of a period. {_TIME}")]
_Until = Annotated[str, Query(alias="to", max_length=40, description="Its end, no longer in it.")]
_Call = Annotated[str, Query(max_length=128, description="Entries of this call only.")]
_Actor = Annotated[str, Query(max_length=128, description="Entries of this name only.")]
_After = Annotated[
    int, Query(ge=0, le=1 << 53, description="The number of the last line of the page before.")
]
_Limit = Annotated[int, Query(ge=1, le=MAX_LINES, description="The most lines of a page.")]
_Opened = Annotated[bool, Query(description="With what is sealed in clear; such lines do not verify.")]


def audit_routes(recorder: Recorder | None) -> APIRouter:
    """`GET /v1/audit` and `GET /v1/audit/checkpoint`."""
    router = APIRouter(prefix="/v1/audit", tags=["audit"])
    directory = recorder.directory if recorder is not None else None

    @router.get(
        "",
        operation_id="read_audit",
        summary="Lines of the audit log",
        responses={
            200: {"description": "Lines, the oldest first.", "content": {_LINES: {}}},
            **problem_answers(401, 404, 422, 503),
        },
    )
    async def read_audit(
        request: Request,
        since: _Since = "",
        until: _Until = "",
        call: _Call = "",
        actor: _Actor = "",
        after: _After = 0,
        limit: _Limit = MAX_LINES,
        opened: _Opened = False,
    ) -> Response:
        """As they stand in the log, with the number of each and the hash of the line before it, so
        that pages of a whole period verify offline. Where there is more, `Link` has the next page,
        also behind an empty one. Each request is an entry of the log."""
        if recorder is None or directory is None:
            return problem(404, _NO_LOG)
        try:
            times = _time(since), _time(until)
        except (ValueError, OverflowError):
            return problem(422, f"from, to: {_TIME}")
        wanted = Wanted(after, *times, call, actor, limit, opened)
        through = recorder.last
        try:
            await _note(recorder, request, wanted)
            page = await asyncio.to_thread(read_page, directory, wanted, through)
        except NotWritten:
            return problem(503, "The audit log cannot be written, and nobody reads it unnoted.")
        except OSError:
            return problem(503, _NOT_READ)
        more = request.url.include_query_params(after=page.more_behind)
        link = {"Link": f'<{more.path}?{more.query}>; rel="next"'} if page.more_behind else {}
        return Response(b"".join(page.lines), media_type=_LINES, headers=link)

    @router.get(
        "/checkpoint",
        operation_id="get_audit_checkpoint",
        summary="What the last line of the audit log is, signed",
        responses={
            200: {"description": "Number and hash of the last line.", "content": {"application/json": {}}},
            **problem_answers(401, 404, 503),
        },
    )
    async def get_audit_checkpoint() -> Response:
        """The head of the log. Whoever keeps it can say later whether that line still stands
        there."""
        return await _head(directory)

    return router


async def _head(directory: Path | None) -> Response:
    try:
        head = await asyncio.to_thread(head_of, directory) if directory is not None else None
    except OSError:
        return problem(503, _NOT_READ)
    return Response(head, media_type="application/json") if head else problem(404, _NO_LOG)


async def _note(recorder: Recorder, request: Request, wanted: Wanted) -> None:
    """Raises NotWritten. A name that was asked for is not noted: it could not be erased."""
    asked: dict[str, Any] = {"from": wanted.since, "to": wanted.until, "after": wanted.after}
    asked |= {"by_name": int(bool(wanted.who)), "opened": int(wanted.opened)}
    details = {name: value for name, value in asked.items() if value}
    details["credential"] = request.state.principal.credential
    entry = recorder.entry(
        request.state.principal.name, "read_audit", Result.NOTED,
        source=source_of(request), call=wanted.call, details=details,
    )  # fmt: skip
    await recorder.write(entry)


def _time(text: str) -> str:
    """A time as entries have it; empty for none. Raises ValueError."""
    if not text:
        return ""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        if len(text) > len("2026-12-01"):
            raise ValueError("expected an offset")
        time = time.replace(tzinfo=UTC)
    return write_time(time.timestamp())
