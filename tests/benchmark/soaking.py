"""Thousands of idle calls, held and torn down, twice: what they keep in memory, and that nothing of
them is left afterwards.

What the first round leaves in memory may be kept for the next calls; what the second adds to it has
leaked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmark.b2buas import Tonewall, free_ports
from tests.benchmark.machine import BUILD, BenchmarkError, allow_many_files, descriptors, memory_kb, usage
from tests.benchmark.rows import Result, Row
from tests.benchmark.sip_load import Load, sipp

Say = Callable[[str], None]
_AT_ONCE = ("calls", "sessions", "legs", "dialogs")
_PATIENCE = 20.0  # seconds for what should be so at once
_WARM_UP = 50
_OTHER_FILES = 100  # that media has open beside its sockets, and room


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """`calls` begin at `rate` a second; all are up for `hold` seconds, then end at the same rate.
    Then as many again, for `hold_again` seconds, in the same processes.

    `timers`: seconds that the timers of RFC 3261 and 6026 may keep transactions after the last
    call; 0: do not wait for them.
    """

    calls: int = 5000
    rate: int = 100
    hold: float = 120.0
    hold_again: float = 10.0
    timers: float = 45.0


SHORT = SoakPlan(calls=300, hold=5.0, hold_again=5.0)


def measure(plan: SoakPlan, say: Say = lambda _: None) -> Result:
    """The rows of the soak. A failed call or anything that is left is a note; the rows are then
    None."""
    files = allow_many_files(4 * plan.calls + 1000)
    notes = []
    if plan.calls > (possible := (files - _OTHER_FILES) // 4):
        notes = [
            f"soak: {possible} calls, not {plan.calls}: this machine allows a process {files} files, a call "
            "takes four"
        ]
        plan = replace(plan, calls=possible)
    BUILD.mkdir(parents=True, exist_ok=True)
    say(f"soak: {plan.calls} calls held for {plan.hold:.0f} s")
    run = one_run(plan, BUILD)
    faults = run["faults"]
    figures = {
        "soak_idle_call_kb": "KiB", "soak_idle_cpu_percent": "%", "soak_memory_left_kb_per_call": "KiB",
        "soak_memory_grown_kb_per_call": "KiB", "soak_descriptors_left": "files",
    }  # fmt: skip
    rows = [Row(name, None if faults else round(run[name], 2), unit) for name, unit in figures.items()]
    return Result(rows, [run], [*notes, *(f"soak: {fault}" for fault in faults)])


def one_run(plan: SoakPlan, directory: Path) -> dict[str, Any]:
    """Start Tonewall, hold the calls, end them, look at what is left; hold as many again, and look
    again."""
    ports = free_ports()
    program = Tonewall(directory, plan.calls + _WARM_UP)
    load = Load(plan.calls, plan.rate, hold=plan.calls / plan.rate + plan.hold)
    try:
        program.start(ports)
        with sipp(ports) as phones:
            phones.call(Load(_WARM_UP, plan.rate)).finish()
            until_gone(program, plan.timers)
            pids = program.pids()
            base_kb, base_files = memory_kb(pids), descriptors(pids)
            held = phones.call(load)
            time.sleep(load.ramp)  # the span that the plan asks for
            await_counts(program, {"calls": plan.calls, "sessions": plan.calls, "legs": 2 * plan.calls})
            up_files, before = descriptors(pids), usage(pids)
            time.sleep(plan.hold / 2)
            held_kb, used = memory_kb(pids), usage(pids).since(before)
            failed = held.finish()
            left = until_gone(program, plan.timers)
            first_kb = memory_kb(pids)
            failed += phones.call(replace(load, hold=load.ramp + plan.hold_again)).finish()
            left_again = until_gone(program, plan.timers)
            end_kb, end_files, restarted = memory_kb(pids), descriptors(pids), program.pids() != pids
    finally:
        program.stop()
    faults = [f"{count} {what} left" for what, count in (*left.items(), *left_again.items()) if count]
    faults += [f"{failed} calls failed"] if failed else []
    faults += [f"{end_files - base_files} more files open than before"] if end_files > base_files else []
    faults += ["a process was started again"] if restarted else []
    return {
        "benchmark": "soak",
        "calls": plan.calls,
        "faults": faults,
        "base_kb": base_kb,
        "held_kb": held_kb,
        "first_kb": first_kb,
        "end_kb": end_kb,
        "files": (base_files, up_files, end_files),
        "soak_idle_call_kb": (held_kb - base_kb) / plan.calls,
        "soak_idle_cpu_percent": 100 * used.ran / (plan.hold / 2),
        "soak_memory_left_kb_per_call": (first_kb - base_kb) / plan.calls,
        "soak_memory_grown_kb_per_call": (end_kb - first_kb) / plan.calls,
        "soak_descriptors_left": end_files - base_files,
    }


def await_counts(program: Tonewall, wanted: dict[str, int]) -> None:
    """Wait until the counts are reached. Raises BenchmarkError where they are not."""
    give_up = time.monotonic() + _PATIENCE
    while time.monotonic() < give_up:
        health = program.health()
        if all(health[name] >= count for name, count in wanted.items()):
            return
        time.sleep(0.5)
    raise BenchmarkError(f"wanted {wanted}, there are { {name: health[name] for name in wanted} }")


def until_gone(program: Tonewall, timers: float) -> dict[str, int]:
    """Wait until every count is 0, and say what is left where one is not."""
    give_up = time.monotonic() + _PATIENCE + timers
    counts = (*_AT_ONCE, "transactions") if timers else _AT_ONCE
    while True:
        health = program.health()
        left = {name: health[name] for name in counts}
        if not any(left.values()) or time.monotonic() > give_up:
            return left
        time.sleep(0.5)
