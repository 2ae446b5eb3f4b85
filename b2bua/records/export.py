"""Getting call detail records out of the database: JSON lines for programs, CSV for spreadsheets.

Rule 1: both have the columns of the table, in its order; times are RFC 3339 in UTC.
Rule 2: text that a spreadsheet would take for a formula is made inert: callers choose their own names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy

from b2bua.records.table import CALLS

_PAGE = 1000  # rows fetched at a time
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![0-9])")  # a number in E.164 begins with + and is none


class Format(StrEnum):
    """What an export looks like."""

    JSONL = "jsonl"
    CSV = "csv"


def count(engine: sqlalchemy.Engine, since: datetime | None = None, until: datetime | None = None) -> int:
    """How many calls started in [since, until)."""
    with engine.connect() as connection:
        found = connection.execute(_within(sqlalchemy.select(sqlalchemy.func.count()).select_from(CALLS), since, until))
        return int(found.scalar_one())


def rows(
    engine: sqlalchemy.Engine, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """The calls that started in [since, until), oldest first, never all in memory."""
    with engine.connect().execution_options(yield_per=_PAGE) as connection:
        query = _within(sqlalchemy.select(CALLS), since, until).order_by(CALLS.c.started_at, CALLS.c.call)
        for found in connection.execute(query).mappings():
            yield {name: _utc(value) if isinstance(value, datetime) else value for name, value in found.items()}


def lines(found: Iterator[Mapping[str, Any]], form: Format) -> Iterator[str]:
    """The export, line by line, each with its end; CSV begins with the names of the columns."""
    if form is Format.JSONL:
        for row in found:
            yield msgspec.json.encode(row).decode() + "\n"
        return
    yield _csv(CALLS.columns.keys())
    for row in found:
        yield _csv([_cell(value) for value in row.values()])


def _within(query: sqlalchemy.Select[Any], since: datetime | None, until: datetime | None) -> sqlalchemy.Select[Any]:
    if since is not None:
        query = query.where(CALLS.c.started_at >= since.astimezone(UTC))
    return query if until is None else query.where(CALLS.c.started_at < until.astimezone(UTC))


def _utc(value: datetime) -> str:
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: object) -> object:
    if isinstance(value, list):
        return msgspec.json.encode(value).decode() if value else ""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _csv(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
