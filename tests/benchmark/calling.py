"""What a call costs in signalling, and what an idle call keeps in memory: the same sipp load
through each B2BUA in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmark.b2buas import B2bua, SippySimple, Tonewall, free_ports
from tests.benchmark.machine import (
    BUILD,
    BenchmarkError,
    MissingPeerError,
    allow_many_files,
    memory_kb,
    stolen_seconds,
    usage,
)
from tests.benchmark.rows import Result, Row, compare
from tests.benchmark.sip_load import Load, SippCallers, sipp

Say = Callable[[str], None]
_TOO_MANY_FAILED = 0.05
# Of the calls may fail where a rate counts as carried: sippy loses one here and there at any rate.
_CARRIED = 0.02


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Calls of `hold` seconds, at one rate (calls a second) after the other until a program no
    longer carries it; `rounds` of all programs in turn. `LOW` and `HIGH` must be among the rates:
    every program carries them.

    `seconds`: how long each rate lasts. `settle`: seconds after its last call in which what it
    leaves is still counted.
    """

    rounds: int = 2
    rates: tuple[int, ...] = (20, 100, 200, 300, 400, 500, 600, 700, 800)
    seconds: float = 5.0
    hold: float = 1.0
    settle: float = 1.0


LOW, HIGH = 20, 100


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """Calls that are held. Memory is read `settle` seconds after the last was answered.

    Timers L and M of RFC 6026 keep an INVITE transaction for 32 s after its 2xx: only then is a
    call idle.
    """

    calls: int = 400
    rate: int = 40
    settle: float = 35.0


SHORT_CALLS = CallPlan(rounds=1, rates=(LOW, HIGH, 250, 500), seconds=3.0)
SHORT_IDLE = IdlePlan(calls=120, settle=2.0)
_WARM_UP = Load(calls=10, rate=20)


def measure_calls(plan: CallPlan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The rows `b2bua_cpu_ms_per_call_at_*` of LOW and HIGH, and
    `b2bua_calls_per_second_one_core`."""

    def one(program: B2bua) -> list[dict[str, Any]]:
        return one_run(program, plan)

    runs, notes = _in_turn("b2bua", one, plan.rounds, peers, say)
    rows = [
        compare(
            f"b2bua_cpu_ms_per_call_at_{rate}", "ms", "cpu_ms_per_call",
            [run for run in runs if run["rate"] == rate],
            Tonewall.name, SippySimple.name,
        )
        for rate in (LOW, HIGH)
    ]  # fmt: skip
    most = {
        name: max((run["rate"] for run in runs if run["program"] == name and run["carried"]), default=None)
        for name in (Tonewall.name, SippySimple.name)
    }
    ours, theirs = most.values()
    ratio = round(ours / theirs, 3) if ours and theirs else None
    peer = SippySimple.name if theirs else None
    rows.append(Row("b2bua_calls_per_second_one_core", ours, "calls", peer, theirs, ratio))
    return Result(rows, runs, notes)


def measure_idle(plan: IdlePlan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The row `idle_call_kb`, in KiB."""

    def one(program: B2bua) -> list[dict[str, Any]]:
        return [one_idle_run(program, plan)]

    runs, notes = _in_turn("idle", one, 1, peers, say)
    return Result(
        [compare("idle_call_kb", "KiB", "idle_call_kb", runs, Tonewall.name, SippySimple.name)], runs, notes
    )


def one_run(program: B2bua, plan: CallPlan) -> list[dict[str, Any]]:
    """Start the program, load it with calls at rate after rate, stop it; one row a rate."""
    ports = free_ports()
    steps: list[dict[str, Any]] = []
    try:
        program.start(ports)
        with sipp(ports) as phones:
            phones.call(_WARM_UP).finish()
            for rate in plan.rates:
                step = _one_rate(program, phones, plan, rate)
                steps.append(step)
                if not step["carried"]:
                    break
    finally:
        program.stop()
    if not all(any(step["rate"] == rate and step["carried"] for step in steps) for rate in (LOW, HIGH)):
        raise BenchmarkError(f"{program.name} did not carry {HIGH} calls a second")
    return steps


def _one_rate(program: B2bua, phones: SippCallers, plan: CallPlan, rate: int) -> dict[str, Any]:
    """CPU time a call is over calls that completed. Where most fail, the rate is simply not
    carried."""
    load = Load(int(plan.seconds * rate), rate, hold=plan.hold)
    stolen, before = stolen_seconds(), usage(program.pids())
    started = time.monotonic()
    failed = phones.call(load).finish()
    time.sleep(plan.settle)  # not a wait for a condition: the span that is measured
    used, stolen, lasted = (
        usage(program.pids()).since(before),
        stolen_seconds() - stolen,
        time.monotonic() - started,
    )
    cores = used.ran / (load.ramp + plan.hold)
    return {
        "rate": rate,
        "calls": load.calls,
        "failed": failed,
        "carried": failed <= load.calls * _CARRIED
        and cores <= 1,  # above one core, it has only put calls off
        "cpu_ms_per_call": used.ran * 1e3 / max(load.calls - failed, 1),
        "cores": round(cores, 3),
        "seconds": round(lasted, 1),
        "disturbed": round((used.waited + stolen) / lasted, 4),
    }


def one_idle_run(program: B2bua, plan: IdlePlan) -> dict[str, Any]:
    """Start the program, hold calls, compare its memory with what it had after a few calls that
    have ended."""
    ports = free_ports()
    load = Load(plan.calls, plan.rate, hold=plan.calls / plan.rate + plan.settle + 3)
    try:
        program.start(ports)
        with sipp(ports) as phones:
            phones.call(_WARM_UP).finish()
            before = memory_kb(program.pids())
            held = phones.call(load)
            time.sleep(load.ramp + plan.settle)  # the span that the plan asks for
            after, processes = memory_kb(program.pids()), len(program.pids())
            failed = held.finish()
    finally:
        program.stop()
    return {
        "calls": plan.calls,
        "failed": _few(failed, plan.calls, program.name),
        "processes": processes,
        "base_kb": before,
        "held_kb": after,
        "disturbed": 0.0,  # memory does not depend on who else runs
        "idle_call_kb": (after - before) / (plan.calls - failed),
    }


def _in_turn(
    benchmark: str, one: Callable[[B2bua], list[dict[str, Any]]], rounds: int, peers: bool, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    allow_many_files()
    BUILD.mkdir(parents=True, exist_ok=True)
    programs: list[B2bua] = [Tonewall(BUILD)]
    if peers:
        programs.append(SippySimple(BUILD))
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    for turn in range(rounds):
        for program in list(programs):
            say(f"{benchmark}: {program.name}, run {turn + 1} of {rounds}")
            try:
                runs += [{"benchmark": benchmark, "program": program.name} | run for run in one(program)]
            except MissingPeerError as missing:
                notes.append(str(missing))
                programs.remove(program)
            except BenchmarkError as error:
                notes.append(f"{benchmark}: {program.name}: {error}")
                programs.remove(program)
    failing = [run for run in runs if run["failed"] and run.get("carried", True)]
    return runs, notes + [
        f"{run['program']}: {run['failed']} calls of {run['calls']} failed" for run in failing
    ]


def _few(failed: int, calls: int, name: str) -> int:
    if failed > calls * _TOO_MANY_FAILED:
        raise BenchmarkError(f"{failed} of {calls} calls through {name} failed")
    return failed
