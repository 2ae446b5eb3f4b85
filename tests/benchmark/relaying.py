"""What a relayed packet costs, and how long it is held: the same load through each relay in turn, A B A B."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .machine import BUILD, BenchmarkError, MissingPeerError, allow_many_files, family, stolen_seconds, usage
from .packets import PacketLoad
from .relays import Relay, RtpengineRelay, TonewallRelay
from .rows import Result, compare, quietest

_QUIET = 0.05  # of a run, spent waiting for a core that something else had
_LOSSY = 0.005  # of the packets


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `rounds` of all relays in turn; `seconds` a run, after `warm_up` seconds of the same load.

    As long as a relay has had no quiet run, further rounds follow, `most_rounds` in all.
    rtpengine still learns its peers' addresses in the first three seconds of a call.
    """

    calls: int = 600
    rounds: int = 3
    most_rounds: int = 6
    seconds: float = 6.0
    warm_up: float = 3.5


SHORT = Plan(calls=300, rounds=2, most_rounds=2, seconds=2.0, warm_up=1.0)
Say = Callable[[str], None]


def measure(plan: Plan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The rows `relay_cpu_us_per_packet` and `relay_latency_p50_us`. Raises BenchmarkError."""
    allow_many_files()
    BUILD.mkdir(parents=True, exist_ok=True)
    relays: list[Relay] = [TonewallRelay(BUILD)]
    if peers:
        relays.append(RtpengineRelay(BUILD / "rtpengine.log"))
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    for turn in range(plan.most_rounds):
        if turn >= plan.rounds and not _disturbed(runs):
            break
        for relay in list(relays):
            say(f"{relay.name}, {plan.calls} calls, run {turn + 1}")
            try:
                runs.append({"benchmark": "relay", "program": relay.name, "calls": plan.calls} | one_run(relay, plan))
            except MissingPeerError as missing:
                notes.append(str(missing))
                relays.remove(relay)
    names = TonewallRelay.name, RtpengineRelay.name
    rows = [
        compare("relay_cpu_us_per_packet", "µs", "cpu_us_per_packet", runs, *names),
        compare("relay_latency_p50_us", "µs", "latency_p50_us", runs, *names),
    ]
    return Result(rows, runs, notes + _disturbed(runs) + _lossy(runs))


def one_run(relay: Relay, plan: Plan) -> dict[str, Any]:
    """Start the relay, load it, stop it. CPU time a packet is over packets that arrived. Raises BenchmarkError."""
    with PacketLoad(plan.calls) as load:
        try:
            relay.start()
            load.send_to(relay.open_calls(load.ends))
            load.run(plan.warm_up)
            begun, stolen = time.monotonic(), stolen_seconds()
            relaying, loading = usage(family(relay.pid())), usage([load.pid])
            traffic = load.run(plan.seconds)
            relaying, loading = usage(family(relay.pid())).since(relaying), usage([load.pid]).since(loading)
            elapsed, stolen = time.monotonic() - begun, stolen_seconds() - stolen
        finally:
            relay.stop()
    if not traffic.received:
        raise BenchmarkError(f"no packet came through {relay.name}")
    return asdict(traffic) | {
        "cpu_us_per_packet": relaying.ran * 1e6 / traffic.received,
        "disturbed": round((max(relaying.waited, loading.waited) + stolen) / elapsed, 4),
    }


def _kept(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = (quietest(runs, name) for name in dict.fromkeys(run["program"] for run in runs))
    return [run for run in kept if run is not None]


def _disturbed(runs: list[dict[str, Any]]) -> list[str]:
    """Relays without a quiet run: on a busy machine packets queue, which costs latency and, by batches, saves CPU."""
    return [
        f"{run['program']}: it or its load waited for a core {run['disturbed']:.0%} of its quietest run; "
        "do not believe the relay's rows, repeat this on a quiet machine"
        for run in _kept(runs)
        if run["disturbed"] > _QUIET
    ]


def _lossy(runs: list[dict[str, Any]]) -> list[str]:
    """A relay that drops packets looks cheap and fast: say so."""
    return [
        f"{run['program']}: {run['lost']} of {run['sent']} packets lost in its quietest run"
        for run in _kept(runs)
        if run["lost"] > run["sent"] * _LOSSY
    ]
