"""Answers with the counts of the last hours: as JSON for the supervisor's page, as CSV for
spreadsheets."""

from __future__ import annotations

import sqlite3
from enum import IntEnum
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from b2bua.access.authority import Authority
from b2bua.api.problems import problem
from b2bua.api.schema import problem_answers
from b2bua.api.statistics_csv import write_table
from b2bua.call.desk import CallDesk
from b2bua.switchboard.statistics import Statistics
from b2bua.switchboard.statistics_views import StatisticsView

_UNREADABLE: Final = "The file of payments cannot be used now. See [cdr] payments."


class Hours(IntEnum):
    """The windows that there are, in hours: the keys of WIDTHS."""

    HOUR = 1
    QUARTER = 6
    DAY = 24


_Hours = Annotated[Hours, Query(description="The last so many hours.")]
_Table = Annotated[
    Literal["calls", "payments", "trunks", "quality", "agents", "reasons", "providers"],
    Query(description="Which of them."),
]
_JSON: dict[str, Any] = {
    "description": "The counts.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StatisticsView"}}},
}
_CSV: dict[str, Any] = {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}


def statistics_routes(desk: CallDesk, authority: Authority, statistics: Statistics) -> APIRouter:
    """`GET /v1/statistics` and `GET /v1/statistics/table`."""
    router = APIRouter(prefix="/v1/statistics", tags=["service"])

    async def read(request: Request, hours: int, operation: str) -> StatisticsView:
        principal = request.state.principal
        sees = partial(authority.reaches_agent, principal, operation)
        return await statistics.read(hours, desk.trunks(), desk.health(), sees)

    @router.get(
        "",
        operation_id="get_statistics",
        summary="Calls and payments of the last hours, in numbers",
        responses={200: _JSON, **problem_answers(401, 422, 503)},
    )
    async def get_statistics(request: Request, hours: _Hours = Hours.HOUR) -> Response:
        """Steps of a minute for an hour, of five for six hours, of fifteen for a day. Calls count
        when they end, payments when they begin. Payments are those of the agents whom one may see,
        and those of no agent; calls and trunks are all. There is no card and no customer in it."""
        try:
            view = await read(request, hours, "get_statistics")
        except sqlite3.Error:
            return problem(503, _UNREADABLE)
        return Response(msgspec.json.encode(view), media_type="application/json")

    @router.get(
        "/table",
        operation_id="get_statistics_table",
        summary="One table of the same, as CSV",
        responses={200: _CSV, **problem_answers(401, 422, 503)},
    )
    async def get_statistics_table(request: Request, table: _Table, hours: _Hours = Hours.HOUR) -> Response:
        """As RFC 4180 has it, with a line of names. Text that a spreadsheet would take for a
        formula is made inert."""
        try:
            view = await read(request, hours, "get_statistics_table")
        except sqlite3.Error:
            return problem(503, _UNREADABLE)
        return Response(
            write_table(view, table),
            media_type="text/csv; charset=utf-8; header=present",
            headers={"Content-Disposition": f'attachment; filename="tonewall-{table}-{hours}h.csv"'},
        )

    return router
