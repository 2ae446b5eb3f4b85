"""Measures what it costs calls where one of three Tonewalls that act as one dies, or their Redis
does, and where each of them is drained in turn: behind the edge of deploy/edge (a real Kamailio),
with a real Redis.

Rule 1: a call is lost of which an end got a BYE, or of whose customer nothing comes any more.
Rule 2: the gap of a call is the longest time without a packet at its agent, around what happens;
        of customers who key, whose keys are gaps by themselves, it is not counted.
Rule 3: an instance dies with all of its processes at once, as its machine would. Another of its
        name, and with its addresses, is started at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmark.kill_costs import Cost, quantile, summary, table
from tests.benchmark.killed_calls import End, KilledCall, Talkers, set_up, talkers
from tests.benchmark.killing import is_there
from tests.benchmark.machine import allow_many_files
from tests.benchmark.rows import Result, Row
from tests.model.sip import Trunk
from tests.redis_server import RedisServer
from tests.stack import Stack, free_port, running, until
from tests.wire.peers.edge import CARRIER, EDGE, PBX, start_edge
from tests.wire.sip_peer import HOST

KINDS = ("redis", "instance", "drain")
FIGURES = (
    "instances_calls_lost", "instances_digits", "instances_double_charges",
    "instances_gap_p99_ms_redis", "instances_gap_p99_ms_instance", "instances_gap_p99_ms_drain",
)  # fmt: skip
_INSTANCES = 3
_CARD = "4000000000010019#1139739"
_DELAY = 3.0  # seconds that the provider takes to charge
_CALM, _AWAY, _AFTER = 3.0, 5.0, 3.0  # seconds
_FINAL = ("finished", "cancelled", "aborted")
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class InstancesPlan:
    """`keying` and `charging` of the calls are those whose customers do so as it happens."""

    calls: int = 300
    keying: int = 20
    charging: int = 10
    kinds: tuple[str, ...] = KINDS


def plan() -> InstancesPlan:
    """`TONEWALL_INSTANCE_CALLS` and `TONEWALL_INSTANCE_FAULTS` say less than the whole."""
    calls = int(os.environ.get("TONEWALL_INSTANCE_CALLS") or InstancesPlan().calls)
    kinds = tuple(os.environ.get("TONEWALL_INSTANCE_FAULTS", "").split()) or KINDS
    return InstancesPlan(calls, max(1, min(20, calls // 10)), max(1, min(10, calls // 20)), kinds)


def measure(chosen: InstancesPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows of FIGURES, and a table of all that happens."""
    allow_many_files()
    costs = {}
    for kind in chosen.kinds:
        say(f"{kind} under {chosen.calls} calls")
        with tempfile.TemporaryDirectory() as directory:
            costs[kind] = asyncio.run(_happens(chosen, kind, Path(directory)))
    runs = [{"benchmark": "instances", **summary(cost)} for cost in costs.values()]
    title = (
        f"{chosen.calls} calls, {_INSTANCES} instances, {chosen.keying} keying, {chosen.charging} charging"
    )
    gaps = [quantile(costs[kind].gaps, 0.99) * 1000 if kind in costs else None for kind in KINDS]
    values = [sum(getattr(cost, name) for cost in costs.values()) for name in ("lost", "digits", "doubles")]
    units = ("calls", "packets", "charges", "ms", "ms", "ms")
    rows = [Row(*each) for each in zip(FIGURES, [*values, *gaps], units, strict=True)]
    return Result(rows, runs, tables=[table(title, runs)])


# --- the scene ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Scene:
    """`stacks`: by the port of the instance."""

    stacks: dict[int, Stack]
    redis: RedisServer
    carrier: Trunk
    pbx: Trunk
    talkers: Talkers
    calls: list[KilledCall] = field(default_factory=list)
    orders: itertools.count[int] = field(default_factory=itertools.count)
    dialled: int = 0

    def of(self, call: KilledCall) -> Stack:
        """The instance that has the call."""
        return self.stacks[_port(call.customer)]

    def on(self, stack: Stack) -> list[KilledCall]:
        return [call for call in self.calls if call.up and self.of(call) is stack]


def _port(end: End) -> int:
    assert end.dialog is not None
    found = re.search(r":(\d+)(?:;|$)", end.dialog.target)
    assert found is not None
    return int(found[1])


@contextlib.asynccontextmanager
async def _scene(chosen: InstancesPlan, directory: Path, made: Talkers) -> AsyncIterator[_Scene]:
    carrier_side, pbx_side = free_port(), free_port()
    async with contextlib.AsyncExitStack() as opened:
        redis = RedisServer(directory)
        opened.push_async_callback(redis.stop)
        await redis.start()
        carrier, pbx = Trunk(CARRIER), Trunk(PBX)
        for trunk, side in ((carrier, carrier_side), (pbx, pbx_side)):
            await trunk.open()
            opened.callback(trunk.close)
            trunk.engine = EDGE, side
        stacks = []
        for number in range(_INSTANCES):
            (own := directory / str(number)).mkdir()
            made_one = Stack(
                own, carrier_side, pbx_side, pairs=2 * chosen.calls + 50,
                extra=_settings(chosen, redis, number), provider_arguments=["--delay", str(_DELAY)],
            )  # fmt: skip
            stacks.append(await opened.enter_async_context(running(made_one)))
        sets: dict[int, Sequence[tuple[str, int]]] = {
            1: [(HOST, stack.sip_port) for stack in stacks],
            2: [(CARRIER, carrier.port)],
            3: [(PBX, pbx.port)],
        }
        edge = await start_edge(directory, carrier_side, pbx_side, sets)
        opened.push_async_callback(edge.stop)
        try:
            yield _Scene({stack.sip_port: stack for stack in stacks}, redis, carrier, pbx, made)
        finally:  # what drains ends at the second signal
            for pid in [pid for stack in stacks for pid in stack.pids()["keeper"]]:
                os.kill(pid, signal.SIGTERM)


def _settings(chosen: InstancesPlan, redis: RedisServer, number: int) -> dict[str, dict[str, str]]:
    return {
        "general": {
            "port": str(free_port()), "spare": "yes", "log_level": "info", "release_time": "60",
            "drain_time": "600",
        },
        "carrier": {"host": EDGE},
        "pbx": {"host": EDGE},
        "provider": {"ready": str(chosen.charging + 2), "timeout": "8", "inquiry_time": "8"},
        "shared": {"redis": redis.url, "instance": f"tonewall-{number}"},
    }  # fmt: skip


async def _dial(at: _Scene, chosen: InstancesPlan) -> None:
    at.calls = await set_up(at.carrier, at.pbx, at.talkers, 0, 0)
    by_name = {}
    for stack in at.stacks.values():
        for view in await stack.calls():
            by_name[view["callee"].rpartition(":")[2].partition("@")[0]] = view["id"]
    for call in at.calls:
        call.call_id = by_name.get(call.agent.name, "")
    assert all(call.up and call.call_id for call in at.calls), "calls were refused"
    at.dialled = len(at.calls)


# --- what happens ---------------------------------------------------------------------------------


async def _happens(chosen: InstancesPlan, kind: str, directory: Path) -> Cost:
    cost = Cost(kind)
    happens: Callable[[_Scene, Stack], Awaitable[None]]
    happens = {"redis": _lose_redis, "instance": _lose_instance, "drain": _drain_all}[kind]
    with talkers(chosen.calls) as made:
        async with _scene(chosen, directory, made) as at:
            await _dial(at, chosen)
            cost.calls = len(at.calls)
            stack = max(at.stacks.values(), key=lambda each: len(at.on(each)))  # the one that costs most
            held = at.on(stack)
            charging, keying = held[: chosen.charging], held[chosen.charging :][: chosen.keying]
            await asyncio.sleep(_CALM)
            await _begin_payments(at, charging, keying)
            cost.digits += sum(each.events for each in at.talkers.look())
            at.talkers.lateness()
            busy = {call.index for call in (*charging, *keying)}
            await happens(at, stack)
            await asyncio.sleep(_AFTER)
            cost.late = at.talkers.lateness()
            _judge(cost, at, busy)
            await _end(cost, at)
    cost.load = os.getloadavg()[0]
    return cost


async def _begin_payments(at: _Scene, charging: list[KilledCall], keying: list[KilledCall]) -> None:
    """Charges that are under way, and customers who key."""
    for call in (*charging, *keying):
        await at.of(call).start_capture(call.call_id, transaction=f"order-{next(at.orders)}")
    for call in charging:
        at.talkers.key(call.index, _CARD)
    for call in charging:
        await at.of(call).stage(call.call_id, "ready", patience=_PATIENCE)
    for call in keying:
        at.talkers.key(call.index, _CARD)
    for call in charging:
        await at.of(call).api.post(f"/v1/calls/{call.call_id}/capture/submit")


async def _lose_redis(at: _Scene, _: Stack) -> None:
    await at.redis.stop()
    await asyncio.sleep(_AWAY)
    await at.redis.start()


async def _lose_instance(at: _Scene, stack: Stack) -> None:
    pids = [pid for each in stack.pids().values() for pid in each]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await until(lambda: not any(map(is_there, pids)), "its processes to be gone", _PATIENCE)
    await stack.start_tonewall()


async def _drain_all(at: _Scene, _: Stack) -> None:
    """One after another, while its calls end and others begin elsewhere."""
    for number, (port, stack) in enumerate(list(at.stacks.items())):
        pids = stack.pids()["keeper"]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

        async def drains(stack: Stack = stack) -> bool:
            return (await stack.api.get("/readyz")).status_code == 503

        await until(drains, "the instance to drain", _PATIENCE)
        for call in at.on(stack):
            await _decide(stack, call)
            await (call.customer if call.index % 2 else call.agent).hang_up()
            call.customer.ended = call.agent.ended = True
            await _again(at, call, number)
        await until(lambda: not any(map(is_there, pids)), "the instance to end", _PATIENCE)  # noqa: B023
        await stack.start_tonewall()
        assert stack.sip_port == port


async def _again(at: _Scene, call: KilledCall, number: int) -> None:
    """Another call of the same telephones."""
    customer = End(at.carrier, f"{call.customer.name}d{number}", call.customer.port)
    agent = End(at.pbx, f"{call.agent.name}d{number}", call.agent.port)
    at.pbx.on_invite = lambda invite: agent if f":{agent.name}@" in invite.uri else None
    call.customer, call.agent, call.call_id = customer, agent, ""
    call.far = await customer.dial(agent.name)
    if call.far:
        at.dialled += 1
        at.talkers.starts(call.index, call.far)


async def _decide(stack: Stack, call: KilledCall) -> None:
    """Its payment ends, where there is one."""
    capture = (await stack.call(call.call_id))["capture"] if call.call_id else None
    if capture is None or capture["stage"] in _FINAL:
        return
    with contextlib.suppress(AssertionError):
        capture = await stack.stage(call.call_id, *_FINAL, "collecting", "ready", patience=_PATIENCE)
    if capture["stage"] not in _FINAL:
        await stack.api.delete(f"/v1/calls/{call.call_id}/capture")
        await stack.stage(call.call_id, *_FINAL)


# --- what it has cost -----------------------------------------------------------------------------


def _judge(cost: Cost, at: _Scene, busy: set[int]) -> None:
    reached = at.talkers.look()
    for call in at.calls:
        times = reached[call.index].times
        cost.digits += reached[call.index].events
        silent = not times or time.monotonic() - times[-1] > _AFTER / 2
        if not call.up or (silent and call.index not in busy):
            cost.lost += 1
            cost.ended += call.customer.ended or call.agent.ended
        elif call.index not in busy and len(times) > 1:
            cost.gaps.append(max(after - before for before, after in itertools.pairwise(times)))


async def _end(cost: Cost, at: _Scene) -> None:
    """All hang up; records and charges are read."""
    await asyncio.sleep(_DELAY)
    for call in at.calls:
        if call.up:
            await (call.customer if call.index % 2 else call.agent).hang_up()
    cost.records = at.dialled

    def written() -> int:
        return len({record["call"] for stack in at.stacks.values() for record in stack.records()})

    with contextlib.suppress(AssertionError):  # those that are missing then are said
        await until(lambda: written() >= cost.records, "the records", 30.0)
    cost.complete = written()
    by_order: dict[str, int] = {}
    for stack in at.stacks.values():
        for charge in await stack.charges():
            order = charge["transaction_id"]
            by_order[order] = by_order.get(order, 0) + charge["charges"]
    cost.doubles = sum(count - 1 for count in by_order.values() if count > 1)
