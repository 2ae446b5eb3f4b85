"""Getting call detail records out of the database: JSON lines or one array of JSON for programs,
CSV for spreadsheets.

Rule 1: all have the columns of the table, in its order; times are RFC 3339 in UTC.
Rule 2: text that a spreadsheet would take for a formula is made inert, wherever in a cell it could
        begin one: callers choose their own names.
Rule 3: no control character (C0, C1, of direction) leaves: terminals obey them.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy

from b2bua.records.table import CALLS

_PAGE = 1000  # rows fetched at a time
# Whatever a spreadsheet may drop or split at before it looks for a formula: spaces, quotes, other
# separators than ours.
_FORMULA = re.compile(r"""(^|[;,|\t])((?:[^\S\t]|['"`])*)(?=[=+@-])""")
# E.164: a + and digits alone are a number, and no formula.
_TELEPHONE = re.compile(r"\+[0-9]{1,32}")


class Format(StrEnum):
    """What an export looks like."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"

    @property
    def frame(self) -> int:
        """How many lines stand around the rows."""
        return {Format.JSONL: 0, Format.JSON: 2, Format.CSV: 1}[self]


def count(engine: sqlalchemy.Engine, since: datetime | None = None, until: datetime | None = None) -> int:
    """How many calls started in [since, until)."""
    with engine.connect() as connection:
        found = connection.execute(
            _within(sqlalchemy.select(sqlalchemy.func.count()).select_from(CALLS), since, until)
        )
        return int(found.scalar_one())


def rows(
    engine: sqlalchemy.Engine, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """The calls that started in [since, until), oldest first, never all in memory."""
    with engine.connect().execution_options(yield_per=_PAGE) as connection:
        query = _within(sqlalchemy.select(CALLS), since, until).order_by(CALLS.c.started_at, CALLS.c.call)
        for found in connection.execute(query).mappings():
            yield utc_row(dict(found))


def lines(
    found: Iterator[Mapping[str, Any]], form: Format, columns: Sequence[str] = tuple(CALLS.columns.keys())
) -> Iterator[str]:
    """The export, line by line, each with its end; CSV begins with the names of the columns, and of
    an array each row is a line."""
    if form is not Format.CSV:
        yield from _json(found, is_array=form is Format.JSON)
        return
    yield _csv(list(columns))
    for row in found:
        yield _csv([inert(value) for value in row.values()])


def _json(found: Iterator[Mapping[str, Any]], *, is_array: bool) -> Iterator[str]:
    if is_array:
        yield "[\n"
    before = None
    for row in found:
        if before is not None:
            yield before + (",\n" if is_array else "\n")
        before = msgspec.json.encode(_printable(row)).decode()
    if before is not None:
        yield before + "\n"
    if is_array:
        yield "]\n"


def _within(
    query: sqlalchemy.Select[Any], since: datetime | None, until: datetime | None
) -> sqlalchemy.Select[Any]:
    if since is not None:
        query = query.where(CALLS.c.started_at >= since.astimezone(UTC))
    return query if until is None else query.where(CALLS.c.started_at < until.astimezone(UTC))


def utc_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table with its times as texts."""
    return {name: _utc(value) if isinstance(value, datetime) else value for name, value in found.items()}


def _utc(value: datetime) -> str:
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(value: Any) -> Any:
    """The value with a space in place of each character that is not to be seen."""
    if isinstance(value, str):
        return "".join(each if each.isprintable() else " " for each in value)
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return {name: _printable(each) for name, each in value.items()} if isinstance(value, dict) else value


def inert(value: Any) -> Any:
    """A value as a cell of CSV: printable, and no formula."""
    value = _printable(value)
    if isinstance(value, list):
        value = msgspec.json.encode(value).decode() if value else ""
    if not isinstance(value, str) or _TELEPHONE.fullmatch(value):
        return value
    # Full-width forms of =, +, - and @ begin a formula too; only where there is one is the text
    # changed.
    plain = unicodedata.normalize("NFKC", value)
    made, count = _FORMULA.subn(r"\1\2'", plain)
    return made if count else value


def _csv(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
