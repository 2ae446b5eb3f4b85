"""Writes tables of statistics as CSV (RFC 4180): lines end with CR LF.

Rule: text that a spreadsheet would take for a formula is made inert, as in exports of records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from b2bua.records.export import inert
from b2bua.switchboard.statistics_views import (
    AgentStatistics,
    CallSteps,
    PaymentSteps,
    ProviderStatistics,
    ReasonStatistics,
    StatisticsView,
)

_TRUNK: Final = (
    "name", "kind", "calls", "refused", "legs", "answered", "faults", "loss", "mos", "worst_mos",
)  # fmt: skip
_SERIES: Final = {"calls": CallSteps, "payments": PaymentSteps}
_ROWS: Final = {"agents": AgentStatistics, "reasons": ReasonStatistics, "providers": ProviderStatistics}


def write_table(view: StatisticsView, table: str) -> str:
    """One of TABLES, with a line of names above it."""
    if table in _SERIES:
        series = getattr(view, table)
        names = _SERIES[table].__struct_fields__
        columns = [getattr(series, name) for name in names]
        times = [_time(each) for each in view.times]
        return _write(("begins_at", *names), zip(times, *columns, strict=True))
    if table == "trunks":
        return _write(_TRUNK, ([getattr(each, name) for name in _TRUNK] for each in view.trunks))
    if table == "quality":
        quality = (
            (_time(at), trunk.name, loss, mos)
            for trunk in view.trunks
            for at, loss, mos in zip(view.times, trunk.loss_steps, trunk.mos_steps, strict=True)
        )
        return _write(("begins_at", "trunk", "loss", "mos"), quality)
    rows: Sequence[msgspec.Struct] = getattr(view, table)
    return _write(_ROWS[table].__struct_fields__, (msgspec.structs.astuple(each) for each in rows))


TABLES: Final = (*_SERIES, "trunks", "quality", *_ROWS)


def _write(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return buffer.getvalue()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
