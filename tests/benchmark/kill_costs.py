"""What kill -9 of each process has cost: figures of one kind, and of all as rows and a table."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from tests.benchmark.rows import Row

FIGURES = (
    "kills_calls_lost", "kills_digits", "kills_double_charges", "kills_first_answer_p50_ms",
    "kills_gap_p99_ms_b2bua", "kills_gap_p99_ms_media", "kills_burst_packets", "kills_records_missing",
)  # fmt: skip


@dataclass(slots=True)
class Cost:
    """Of all kills of one kind. Times in seconds."""

    kind: str
    calls: int = 0
    lost: int = 0
    ended: int = 0  # of those, both ends got a BYE
    digits: int = 0
    doubles: int = 0
    answers: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    burst: int = 0
    late: float = 0.0  # that the customers themselves were, around a kill
    records: int = 0
    complete: int = 0
    load: float = 0.0


def rows(costs: dict[str, Cost]) -> list[Row]:
    """One for each of FIGURES."""
    answers = costs["b2bua"].answers if "b2bua" in costs else []
    values = (
        sum(cost.lost for cost in costs.values()), sum(cost.digits for cost in costs.values()),
        sum(cost.doubles for cost in costs.values()), _ms(statistics.median(answers)) if answers else None,
        *(_ms(quantile(costs[kind].gaps, 0.99)) if kind in costs else None for kind in ("b2bua", "media")),
        max((cost.burst for cost in costs.values()), default=0),
        sum(cost.records - cost.complete for cost in costs.values()),
    )  # fmt: skip
    units = ("calls", "packets", "charges", "ms", "ms", "ms", "packets", "records")
    return [Row(name, value, unit) for name, value, unit in zip(FIGURES, values, units, strict=True)]


def quantile(values: list[float], share: float) -> float:
    found = sorted(values)
    return found[min(len(found) - 1, round(share * len(found)))] if found else 0.0


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def summary(cost: Cost) -> dict[str, Any]:
    """All of it, under its names."""
    answers = [_ms(each) for each in cost.answers]
    return {
        "kind": cost.kind, "calls": cost.calls, "lost": cost.lost, "lost_with_bye": cost.ended,
        "digits": cost.digits, "doubles": cost.doubles,
        "first_answer_p50_ms": round(statistics.median(answers), 1) if answers else None,
        "first_answer_max_ms": max(answers, default=None),
        "gap_p50_ms": _ms(quantile(cost.gaps, 0.5)), "gap_p99_ms": _ms(quantile(cost.gaps, 0.99)),
        "gap_max_ms": _ms(quantile(cost.gaps, 1.0)), "sent_late_ms": _ms(cost.late),
        "burst": cost.burst, "records": cost.records, "complete": cost.complete, "load": round(cost.load, 1),
    }  # fmt: skip


def table(title: str, runs: list[dict[str, Any]]) -> Table:
    """A row a figure, a column a kind."""
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    shown.add_column("kill -9 of")
    for run in runs:
        shown.add_column(run["kind"], justify="right", no_wrap=True)
    for name in [each for each in (runs[0] if runs else {}) if each not in ("benchmark", "kind")]:
        shown.add_row(name, *("-" if run[name] is None else f"{run[name]:g}" for run in runs))
    return shown
