"""`python -m tests.benchmark`: every figure, as a table and as build/bench.json.

It takes some twelve minutes; `--short` two, for trying. Ends with status 1 where a figure of ours
is missing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmark import (
    auditing,
    calling,
    capacity,
    instances,
    keeping,
    kill_costs,
    killing,
    leaking,
    media_restarting,
    paying,
    playing,
    relaying,
    restarting,
    showing,
    soaking,
    unattended,
)
from tests.benchmark.machine import ROOT, BenchmarkError, awake, description
from tests.benchmark.rows import Result, table, write
from tests.contract.providers import CARD_TAKERS

_PROGRAMS = 2
# Two take as long as all others; one is a second look at a figure.
_BY_NAME_ONLY = "soak", "one-way", "kills", "instances"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One kind of load, the figures that it gives, and how many runs it takes."""

    figures: tuple[str, ...]
    runs: int
    measure: Callable[[Callable[[str], None]], Result]


def benchmarks(short: bool) -> dict[str, Benchmark]:
    relay = relaying.SHORT if short else relaying.Plan()
    masked = relaying.SHORT_MASKED if short else relaying.MASKED
    one_way = relaying.SHORT_ONE_WAY if short else relaying.ONE_WAY
    mixed = relaying.SHORT_MIXED if short else relaying.MIXED
    most = capacity.SHORT if short else capacity.CapacityPlan()
    call = calling.SHORT_CALLS if short else calling.CallPlan()
    idle = calling.SHORT_IDLE if short else calling.IdlePlan()
    soak = soaking.SHORT if short else soaking.SoakPlan()
    leak = leaking.SHORT if short else leaking.LeakPlan()
    fault = paying.SHORT if short else paying.FaultPlan()
    prompt = playing.SHORT if short else playing.PlayPlan()
    show = showing.SHORT if short else showing.ShowPlan()
    alone = unattended.SHORT if short else unattended.UnattendedPlan()
    restart = restarting.SHORT if short else restarting.RestartPlan()
    media_restart = media_restarting.SHORT if short else media_restarting.MediaRestartPlan()
    audit = auditing.SHORT if short else auditing.AuditPlan()
    several = instances.plan()
    kill = killing.plan(short)
    keep = keeping.SHORT if short else keeping.KeepPlan()
    return {
        "relay": Benchmark(
            ("relay_cpu_us_per_packet", "relay_latency_p50_us", "relay_latency_p99_us"),
            relay.most_rounds * _PROGRAMS,
            lambda say: relaying.measure(relay, say=say),
        ),
        "masked": Benchmark(
            ("masked_relay_cpu_us_per_packet",),
            masked.most_rounds * _PROGRAMS,
            lambda say: relaying.measure_masked("masked_relay_cpu_us_per_packet", masked, say=say),
        ),
        "one-way": Benchmark(
            ("masked_one_way_relay_cpu_us_per_packet",),
            one_way.most_rounds * _PROGRAMS,
            lambda say: relaying.measure_masked("masked_one_way_relay_cpu_us_per_packet", one_way, say=say),
        ),
        "mixed": Benchmark(
            ("mixed_relay_cpu_us_per_packet", "mixed_relay_latency_p50_us", "mixed_relay_latency_p99_us"),
            mixed.most_rounds * _PROGRAMS,
            lambda say: relaying.measure_mixed(mixed, say=say),
        ),
        "capacity": Benchmark(
            ("calls_per_core",),
            len(most.steps) * _PROGRAMS,
            lambda say: capacity.measure(most, say=say),
        ),
        "b2bua": Benchmark(
            (
                f"b2bua_cpu_ms_per_call_at_{calling.LOW}",
                f"b2bua_cpu_ms_per_call_at_{calling.HIGH}",
                "b2bua_calls_per_second_one_core",
            ),
            call.rounds * _PROGRAMS,
            lambda say: calling.measure_calls(call, say=say),
        ),
        "idle": Benchmark(("idle_call_kb",), _PROGRAMS, lambda say: calling.measure_idle(idle, say=say)),
        "leak": Benchmark(
            ("leaked_presses", "false_masks_per_10_minutes", "false_mask_longest_ms"),
            2,
            lambda say: leaking.measure(leak, say=say),
        ),
        "payments": Benchmark(
            ("payments_runs", "payments_charges", "payments_doubles", "payments_unknown"),
            len(CARD_TAKERS),
            lambda say: paying.measure(fault, say=say),
        ),
        "dots": Benchmark(
            ("key_to_dot_p50_ms", "key_to_dot_p99_ms"), 1, lambda say: showing.measure(show, say=say)
        ),
        "prompts": Benchmark(
            ("prompt_cpu_us_per_packet", "prompt_core_percent_per_call", "prompt_packets_missing"),
            prompt.rounds,
            lambda say: playing.measure(prompt, say=say),
        ),
        "unattended": Benchmark(unattended.FIGURES, 1, lambda say: unattended.measure(alone, say=say)),
        "restart": Benchmark(restarting.FIGURES, 2, lambda say: restarting.measure(restart, say=say)),
        "media-restart": Benchmark(
            media_restarting.FIGURES, 2, lambda say: media_restarting.measure(media_restart, say=say)
        ),
        "kept": Benchmark(keeping.FIGURES, keep.rounds, lambda say: keeping.measure(keep, say=say)),
        "audit": Benchmark(auditing.FIGURES, 1, lambda say: auditing.measure(audit, say=say)),
        "kills": Benchmark(kill_costs.FIGURES, len(kill.kinds), lambda say: killing.measure(kill, say=say)),
        "instances": Benchmark(
            instances.FIGURES, len(several.kinds), lambda say: instances.measure(several, say=say)
        ),
        "soak": Benchmark(("soak_idle_call_kb",), 1, lambda say: soaking.measure(soak, say=say)),
    }


def main() -> int:
    options = _options()
    console = Console()
    chosen = {
        name: one
        for name, one in benchmarks(options.short).items()
        if options.only in (name, *one.figures) or (options.only is None and name not in _BY_NAME_ONLY)
    }
    total = Result([])
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with awake(), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=sum(one.runs for one in chosen.values()))
        begun = 0

        def say(what: str) -> None:  # called as each run begins
            nonlocal begun
            progress.update(task, description=what, completed=begun)
            begun += 1

        for one in chosen.values():
            result = _measure(one, say)
            total.rows.extend(result.rows)
            total.runs.extend(result.runs)
            total.notes.extend(result.notes)
            total.tables.extend(result.tables)
    path = ROOT / "build" / "bench.json"
    write(total, path, description())
    console.print(table(total.rows, description()))
    for shown in total.tables:
        console.print(shown)
    for note in total.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(
        f"{path.relative_to(ROOT)} written after {time.monotonic() - started:.0f} s; how: docs/benchmarks.md"
    )
    return 1 if any(row.value is None for row in total.rows) else 0


def _measure(one: Benchmark, say: Callable[[str], None]) -> Result:
    try:
        return one.measure(say)
    except BenchmarkError as error:
        return Result([], [], [f"{', '.join(one.figures)}: {error}"])


def _options() -> argparse.Namespace:
    names = [known for name, one in benchmarks(short=True).items() for known in (name, *one.figures)]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="fewer and shorter runs, for trying; two minutes"
    )
    parser.add_argument(
        "--only", metavar="NAME", choices=list(dict.fromkeys(names)), help="one of: " + ", ".join(names)
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
