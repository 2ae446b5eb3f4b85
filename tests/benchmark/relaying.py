"""What a relayed packet costs, and how long it is held: the same load through each relay in turn, A B A B."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .machine import BUILD, MissingPeerError, allow_many_files, busy_elsewhere, cpu_seconds, family
from .packets import PacketLoad
from .relays import Relay, RtpengineRelay, TonewallRelay
from .rows import Result, compare


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `rounds` of all relays in turn; `seconds` a run, after `warm_up` seconds of the same load.

    rtpengine still learns its peers' addresses in the first three seconds of a call.
    """

    calls: int = 600
    rounds: int = 3
    seconds: float = 8.0
    warm_up: float = 3.5


SHORT = Plan(calls=300, rounds=2, seconds=2.0, warm_up=1.0)
Say = Callable[[str], None]


def measure(plan: Plan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The rows `relay_cpu_us_per_packet` and `relay_latency_p50_us`."""
    allow_many_files()
    BUILD.mkdir(parents=True, exist_ok=True)
    relays: list[Relay] = [TonewallRelay(BUILD)]
    if peers:
        relays.append(RtpengineRelay(BUILD / "rtpengine.log"))
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    for turn in range(plan.rounds):
        for relay in list(relays):
            say(f"{relay.name}, {plan.calls} calls, run {turn + 1} of {plan.rounds}")
            try:
                runs.append({"benchmark": "relay", "program": relay.name, "calls": plan.calls} | one_run(relay, plan))
            except MissingPeerError as missing:
                notes.append(str(missing))
                relays.remove(relay)
    return Result(
        [
            compare("relay_cpu_us_per_packet", "µs", *_split(runs, "cpu_us_per_packet")),
            compare("relay_latency_p50_us", "µs", *_split(runs, "latency_p50_us")),
        ],
        runs,
        notes + _lossy(runs),
    )


def one_run(relay: Relay, plan: Plan) -> dict[str, Any]:
    """Start the relay, load it, stop it. CPU time a packet is over packets that arrived."""
    with PacketLoad(plan.calls) as load:
        try:
            relay.start()
            load.send_to(relay.open_calls(load.ends))
            load.run(plan.warm_up)
            stolen, before = busy_elsewhere(), cpu_seconds(family(relay.pid()))
            traffic = load.run(plan.seconds)
            used, stolen = cpu_seconds(family(relay.pid())) - before, busy_elsewhere() - stolen
        finally:
            relay.stop()
    each = used * 1e6 / traffic.received if traffic.received else None
    return asdict(traffic) | {"cpu_us_per_packet": each, "stolen_seconds": round(stolen, 2)}


def _split(runs: list[dict[str, Any]], key: str) -> tuple[list[float], str, list[float]]:
    ours = [run[key] for run in runs if run["program"] == TonewallRelay.name and run["received"]]
    theirs = [run[key] for run in runs if run["program"] == RtpengineRelay.name and run["received"]]
    return ours, "rtpengine", theirs


def _lossy(runs: list[dict[str, Any]]) -> list[str]:
    """A relay that drops packets looks cheap and fast: say so."""
    return [
        f"{run['program']}: {run['lost']} of {run['sent']} packets lost in a run; its figures are too good"
        for run in runs
        if run["lost"] > run["sent"] * 0.005
    ]
