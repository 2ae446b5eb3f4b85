"""Counts doubles and unknowns: customers charged through random faults at every provider that is
played here."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from rich.table import Table

from tests.benchmark.rows import Result, Row
from tests.contract.faults import run_towns
from tests.contract.providers import CARD_TAKERS


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """`runs`: of each adapter; a run has one to four customers."""

    runs: int = 1000


SHORT = FaultPlan(runs=100)
_COLUMNS = ("runs", "customers", "charges", "doubles", "unknown to the agent", "unknown")


def measure(plan: FaultPlan, *, say: Callable[[str], None]) -> Result:
    """One table, and the two figures that must be nought: doubles, and what is left unknown by
    providers that can be asked."""
    table = Table(title="payments through random faults", title_justify="left", box=None, pad_edge=False)
    for column in ("adapter", *_COLUMNS):
        table.add_column(column)
    total: Counter[str] = Counter()
    # What the faults log is not for the reader of figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        for provider in CARD_TAKERS:
            adapter = provider.adapter
            say(f"charging through faults at {adapter}")
            with tempfile.TemporaryDirectory() as directory:
                seen = run_towns(provider, Path(directory), range(plan.runs))
            table.add_row(adapter, *(str(seen[column]) for column in _COLUMNS))
            total.update(seen)
    finally:
        structlog.reset_defaults()
    rows = [
        Row(f"payments_{name}", float(total[name]), "") for name in ("runs", "charges", "doubles", "unknown")
    ]
    return Result(rows, [dict(total)], [], [table])
