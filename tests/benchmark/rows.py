"""A benchmark's result: one row a figure, beside the peer's from the same run; as a table and as build/bench.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is ours over the peer's; None where there is no peer to compare with."""

    name: str
    value: float | None
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Rows, every single run behind them, and what the reader must know (`notes`)."""

    rows: list[Row]
    runs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare(name: str, unit: str, ours: list[float], peer: str | None, theirs: list[float]) -> Row:
    """The row of the best run of each: noise on a shared machine only ever adds."""
    value, peer_value = _best(ours), _best(theirs)
    ratio = round(value / peer_value, 3) if value is not None and peer_value else None
    return Row(name, value, unit, peer if peer_value is not None else None, peer_value, ratio)


def _best(values: list[float]) -> float | None:
    return round(min(values), 2) if values else None


def table(rows: list[Row], title: str) -> Table:
    """The rows for people."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("figure", no_wrap=True)
    for column in ("Tonewall", "peer", "ratio"):
        shown.add_column(column, justify="right")
    shown.add_column("unit")
    shown.add_column("beside")
    for row in rows:
        shown.add_row(row.name, _text(row.value), _text(row.peer_value), _text(row.ratio), row.unit, row.peer or "-")
    return shown


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def write(result: Result, path: Path, machine: str) -> None:
    """The rows to `path`; the single runs behind them to the file `bench-runs.json` next to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in result.rows], indent=1) + "\n")
    behind = {"machine": machine, "notes": result.notes, "runs": result.runs}
    path.with_name(f"{path.stem}-runs.json").write_text(json.dumps(behind, indent=1) + "\n")
