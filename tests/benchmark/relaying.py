"""What a relayed packet costs, masked or not, and how long it is held: the same load through each
relay in turn, A B A B."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.benchmark.machine import (
    BUILD,
    BenchmarkError,
    MissingPeerError,
    allow_many_files,
    family,
    stolen_seconds,
    usage,
)
from tests.benchmark.packets import PacketLoad
from tests.benchmark.relays import Relay, RtpengineRelay, TonewallRelay
from tests.benchmark.rows import Result, Row, compare, quietest

_QUIET = 0.05  # of a run, spent waiting for a core that something else had
_LOSSY = 0.005  # of the packets


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `rounds` of all relays in turn; `seconds` a run, after `warm_up`
    seconds of the same load.

    As long as a relay has had no quiet run, further rounds follow, `most_rounds` in all. rtpengine
    still learns its peers' addresses in the first three seconds of a call. `both_ways`: it masks
    both sides of a call, as where it is not known who keys; Tonewall masks the caller's.
    """

    calls: int = 600
    masked: int = 0  # of them
    both_ways: bool = True
    rounds: int = 3
    most_rounds: int = 6
    seconds: float = 6.0
    warm_up: float = 3.5


MASKED = Plan(calls=150, masked=150)
ONE_WAY = replace(MASKED, both_ways=False)
MIXED = Plan(calls=400, masked=40, both_ways=False)
SHORT = Plan(calls=300, rounds=2, most_rounds=2, seconds=2.0, warm_up=1.0)
SHORT_MASKED = replace(SHORT, calls=150, masked=150)
SHORT_ONE_WAY = replace(SHORT_MASKED, both_ways=False)
SHORT_MIXED = replace(SHORT, calls=200, masked=20, both_ways=False)
NAMES = TonewallRelay.name, RtpengineRelay.name
Say = Callable[[str], None]


def measure(plan: Plan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The rows `relay_cpu_us_per_packet`, `relay_latency_p50_us` and `relay_latency_p99_us`. Raises
    BenchmarkError."""
    runs, notes = _rounds("relay", plan, peers, say)
    return Result(_rows("relay", runs), runs, notes)


def measure_mixed(plan: Plan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The row `mixed_relay_cpu_us_per_packet`, and how long the calls that are not masked wait
    beside those that are.

    Raises BenchmarkError.
    """
    runs, notes = _rounds("mixed_relay_cpu_us_per_packet", plan, peers, say)
    return Result(_rows("mixed_relay", runs), runs, notes)


def _rows(relay: str, runs: list[dict[str, Any]]) -> list[Row]:
    figures = ("cpu_us_per_packet", "latency_p50_us", "latency_p99_us")
    return [compare(f"{relay}_{figure}", "µs", figure, runs, *NAMES) for figure in figures]


def measure_masked(row: str, plan: Plan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The row `masked_relay_cpu_us_per_packet`, or another such. Raises BenchmarkError."""
    runs, notes = _rounds(row, plan, peers, say)
    return Result([compare(row, "µs", "cpu_us_per_packet", runs, *NAMES)], runs, notes)


def relays(peers: bool, both_ways: bool = True) -> list[Relay]:
    """Ours, and those that it is compared with."""
    allow_many_files()
    BUILD.mkdir(parents=True, exist_ok=True)
    return [TonewallRelay(BUILD), *([RtpengineRelay(BUILD / "rtpengine.log", both_ways)] if peers else [])]


def _rounds(benchmark: str, plan: Plan, peers: bool, say: Say) -> tuple[list[dict[str, Any]], list[str]]:
    """The runs, and what the reader must know of them."""
    compared = relays(peers, plan.both_ways)
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    for turn in range(plan.most_rounds):
        if turn >= plan.rounds and not _disturbed(runs):
            break
        for relay in list(compared):
            say(f"{relay.name}, {plan.calls} calls, {plan.masked} masked, run {turn + 1}")
            try:
                run = one_run(relay, plan)
            except MissingPeerError as missing:
                notes.append(str(missing))
                compared.remove(relay)
            else:
                runs.append({"benchmark": benchmark, "program": relay.name} | run)
    return runs, notes + _disturbed(runs) + _lossy(runs)


def one_run(relay: Relay, plan: Plan) -> dict[str, Any]:
    """Start the relay, load it, stop it. CPU time a packet is over packets that arrived. Raises
    BenchmarkError.

    `foreign`: a mask holds each call's last packets back until after the run, and then gives them
    out as silence. The latency is that of calls that are not masked, if there are any.
    """
    with PacketLoad(plan.calls) as load:
        try:
            relay.start(plan.calls)
            load.send_to(relay.open_calls(load.ends))
            relay.mask(plan.masked)
            load.run(plan.warm_up)
            begun, stolen = time.monotonic(), stolen_seconds()
            relaying, loading = usage(family(relay.pid())), usage([load.pid])
            traffic = load.run(plan.seconds, plan.masked if plan.masked < plan.calls else 0)
            relaying, loading = usage(family(relay.pid())).since(relaying), usage([load.pid]).since(loading)
            elapsed, stolen = time.monotonic() - begun, stolen_seconds() - stolen
        finally:
            relay.stop()
    arrived = traffic.received + traffic.foreign
    if not traffic.received:
        raise BenchmarkError(f"no packet came through {relay.name}")
    return (
        {"calls": plan.calls, "masked": plan.masked}
        | asdict(traffic)
        | {
            "cpu_us_per_packet": relaying.ran * 1e6 / arrived,
            "disturbed": round((max(relaying.waited, loading.waited) + stolen) / elapsed, 4),
        }
    )


def _kept(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = (quietest(runs, name) for name in dict.fromkeys(run["program"] for run in runs))
    return [run for run in kept if run is not None]


def _disturbed(runs: list[dict[str, Any]]) -> list[str]:
    """Relays without a quiet run: on a busy machine packets queue, which costs latency and, by
    batches, saves CPU."""
    return [
        f"{run['program']}: it or its load waited for a core {run['disturbed']:.0%} of its quietest run; "
        "do not believe the relay's rows, repeat this on a quiet machine"
        for run in _kept(runs)
        if run["disturbed"] > _QUIET
    ]


def _lossy(runs: list[dict[str, Any]]) -> list[str]:
    """A relay that drops packets looks cheap and fast: say so."""
    return [
        f"{run['program']}: {run['lost'] - run['foreign']} of {run['sent']} packets lost in its quietest run"
        for run in _kept(runs)
        if run["lost"] - run["foreign"] > run["sent"] * _LOSSY
    ]
