"""A benchmark's result: one row a figure, beside the peer's from the same run; as a table and as
build/bench.json."""

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
    """Rows, every single run behind them, what the reader must know (`notes`), and tables that are
    more than rows."""

    rows: list[Row]
    runs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def quietest(runs: list[dict[str, Any]], program: str) -> dict[str, Any] | None:
    """The program's run in which it and its load waited least for their cores: what others did is
    least in it."""
    own = [run for run in runs if run["program"] == program]
    return min(own, key=lambda run: run["disturbed"]) if own else None


def compare(name: str, unit: str, key: str, runs: list[dict[str, Any]], program: str, peer: str) -> Row:
    """`key` of the quietest run of `program`, beside that of `peer`. None where there is no such
    run."""
    value, peer_value = (_figure(quietest(runs, each), key) for each in (program, peer))
    ratio = round(value / peer_value, 3) if value is not None and peer_value else None
    return Row(name, value, unit, peer if peer_value is not None else None, peer_value, ratio)


def _figure(run: dict[str, Any] | None, key: str) -> float | None:
    return None if run is None else round(run[key], 2)


def table(rows: list[Row], title: str) -> Table:
    """The rows for people."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    shown.add_column("figure", overflow="fold")
    for column in ("Tonewall", "peer", "ratio"):
        # A number that is cut is another number.
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("unit", overflow="fold")
    shown.add_column("beside", no_wrap=True)
    for row in rows:
        shown.add_row(
            row.name, _text(row.value), _text(row.peer_value), _text(row.ratio), row.unit, row.peer or "-"
        )
    return shown


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def write(result: Result, path: Path, machine: str) -> None:
    """The rows to `path`; the single runs behind them to the file `bench-runs.json` next to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in result.rows], indent=1) + "\n")
    behind = {"machine": machine, "notes": result.notes, "runs": result.runs}
    path.with_name(f"{path.stem}-runs.json").write_text(json.dumps(behind, indent=1) + "\n")
