"""How many calls a relay carries on one core: more and more of them, until packets are late or
lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmark.machine import MissingPeerError
from tests.benchmark.relaying import NAMES, Plan, one_run, relays
from tests.benchmark.rows import Result, Row

_MAX_LATE_US = 5000.0  # at the 99th percentile
_MAX_LOST = 0.001  # of the packets
# A load that is later than a packet's own time no longer sends what it says.
_LATE_LOAD_US = 20_000.0


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """The calls that are tried one after another, `tries` times each before a relay is given up;
    seconds as in relaying.Plan."""

    steps: tuple[int, ...] = (200, 400, 600, 800, 1000, 1200, 1500, 1800, 2100)
    tries: int = 2
    seconds: float = 4.0
    warm_up: float = 3.5


SHORT = CapacityPlan(steps=(200, 400), tries=1, seconds=1.0, warm_up=0.5)


def measure(plan: CapacityPlan, peers: bool = True, say: Callable[[str], None] = lambda _: None) -> Result:
    """The row `calls_per_core`: the last step that a relay carried. Raises BenchmarkError."""
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    carried: dict[str, int] = {}
    going = relays(peers)
    for calls in plan.steps:
        for relay in list(going):
            for attempt in range(plan.tries):
                say(f"{relay.name}, {calls} calls, try {attempt + 1}")
                try:
                    run = one_run(relay, Plan(calls=calls, seconds=plan.seconds, warm_up=plan.warm_up))
                except MissingPeerError as missing:
                    notes.append(str(missing))
                    break
                runs.append({"benchmark": "capacity", "program": relay.name} | run)
                if run["latest_send_us"] > _LATE_LOAD_US:
                    notes.append(
                        f"{relay.name} at {calls} calls: the load itself was late, so this step says little"
                    )
                if carries(run):
                    carried[relay.name] = calls
                    break
            if carried.get(relay.name) != calls:
                going.remove(relay)
    if going:
        notes.append(f"{', '.join(relay.name for relay in going)}: carried the most calls that are tried")
    ours, theirs = (carried.get(name) for name in NAMES)
    peer = NAMES[1] if theirs else None
    ratio = round(ours / theirs, 3) if ours and theirs else None
    return Result([Row("calls_per_core", ours, "calls", peer, theirs, ratio)], runs, notes)


def carries(run: dict[str, Any]) -> bool:
    """Whether a relay was well under this load."""
    return run["latency_p99_us"] <= _MAX_LATE_US and run["lost"] <= run["sent"] * _MAX_LOST
