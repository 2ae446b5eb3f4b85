"""Measures what kill -9 of each process costs calls that are up: a whole Tonewall, customers who
speak, others who key into a mask, and charges under way.

Rule 1: calls go on from kill to kill; after the last they hang up, from either side in turn, and
        their records are read.
Rule 2: the gap of a call is the longest time without a packet at its agent, around a kill; those
        of customers who key are not counted, whose keys are gaps by themselves.
Rule 3: a call is lost that Tonewall does not know any more, of which an end got a BYE, or whose
        customer is not heard any more.
Rule 4: an upgrade goes over to the same code under another version. It waits for payments, so none
        is under way.
Rule 5: with a killed supervisor all of its processes end, but the keeper: an agent hears nothing
        until the next ones have loaded, which is no gap of the others' kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmark.kill_costs import Cost, rows, summary, table
from tests.benchmark.killed_calls import KilledCall, Talkers, asker, set_up, talkers
from tests.benchmark.machine import allow_many_files
from tests.benchmark.rows import Result
from tests.model.sip import Trunk
from tests.other_version import Installed
from tests.stack import Stack, free_port, running, until

KINDS = ("b2bua", "media", "decoder", "payer", "supervisor", "upgrade")
_LATE = "4000000000010019#1139739"  # charged after `_DELAY`
_DELAY = 3.0
_CALM, _AFTER, _AT_ONCE, _LOADING = 3.0, 2.0, 0.005, 30.0  # seconds
_FINAL = ("finished", "cancelled", "aborted")
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class KillPlan:
    """`keying` and `charging` of the calls are those whose customers do so at each kill."""

    calls: int = 200
    keying: int = 20
    charging: int = 10
    kills: int = 10
    kinds: tuple[str, ...] = KINDS


SHORT = KillPlan(calls=20, keying=4, charging=2, kills=1)


def plan(short: bool) -> KillPlan:
    """`TONEWALL_KILLS`, `TONEWALL_KILLED_CALLS` and `TONEWALL_KILLED` say less than the whole."""
    made = SHORT if short else KillPlan()
    calls = int(os.environ.get("TONEWALL_KILLED_CALLS") or made.calls)
    kinds = os.environ.get("TONEWALL_KILLED", "").split() or made.kinds
    return KillPlan(
        calls, min(made.keying, calls // 5), min(made.charging, calls // 10),
        int(os.environ.get("TONEWALL_KILLS") or made.kills), tuple(kinds),
    )  # fmt: skip


def measure(chosen: KillPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows of FIGURES, and a table of all kinds."""
    allow_many_files()
    costs = {}
    for kind in chosen.kinds:
        say(f"{kind} killed under {chosen.calls} calls")
        with tempfile.TemporaryDirectory() as directory:
            costs[kind] = asyncio.run(_kill_often(chosen, kind, Path(directory)))
    runs = [{"benchmark": "kills", **summary(cost)} for cost in costs.values()]
    title = f"{chosen.calls} calls, {chosen.keying} keying, {chosen.charging} charging, {chosen.kills} kills"
    return Result(rows(costs), runs, tables=[table(title, runs)])


# --- one kind -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Scene:
    """A running Tonewall between two trunks, and its calls."""

    stack: Stack
    carrier: Trunk
    pbx: Trunk
    talkers: Talkers
    installed: Installed
    calls: list[KilledCall] = field(default_factory=list)
    orders: itertools.count[int] = field(default_factory=itertools.count)


@contextlib.asynccontextmanager
async def _scene(chosen: KillPlan, directory: Path, made: Talkers) -> AsyncIterator[_Scene]:
    installed = Installed.make(directory / "installed", "7.0.0")
    carrier, pbx = Trunk("127.0.0.1"), Trunk("127.0.0.8")
    for trunk in (carrier, pbx):
        await trunk.open()
    extra = {
        "general": {"port": str(free_port()), "spare": "yes", "log_level": "info", "release_time": "60"},
        "pbx": {"host": pbx.host},
        "provider": {"ready": str(chosen.charging + 2), "timeout": "8", "inquiry_time": "8"},
    }
    stack = Stack(
        directory, carrier.port, pbx.port, pairs=2 * chosen.calls + 50, extra=extra,
        provider_arguments=["--delay", str(_DELAY)], python=installed.python,
    )  # fmt: skip
    try:
        async with running(stack):
            carrier.engine = pbx.engine = ("127.0.0.1", stack.sip_port)
            yield _Scene(stack, carrier, pbx, made, installed)
    finally:
        for trunk in (carrier, pbx):
            trunk.close()


async def _kill_often(chosen: KillPlan, kind: str, directory: Path) -> Cost:
    cost = Cost(kind)
    opus = chosen.charging + chosen.keying if kind == "decoder" else 0
    with talkers(chosen.calls, opus) as made:
        async with _scene(chosen, directory, made) as at:
            for number in range(chosen.kills):
                if not any(call.up for call in at.calls):
                    await _dial(at, number, opus)
                    cost.records += len(at.calls)
                await _kill_once(chosen, cost, at)
            await _hang_up(at.calls)
            await _read_records(cost, at)
    cost.load = os.getloadavg()[0]
    return cost


async def _dial(at: _Scene, number: int, opus: int) -> None:
    at.calls = await set_up(at.carrier, at.pbx, at.talkers, number, opus)
    by_name = {}
    for view in await at.stack.calls():
        by_name[view["callee"].rpartition(":")[2].partition("@")[0]] = view["id"]
    for call in at.calls:
        call.call_id = by_name.get(call.agent.name, "")
    assert all(call.up and call.call_id for call in at.calls), f"calls were refused; see {at.stack.log}"


async def _kill_once(chosen: KillPlan, cost: Cost, at: _Scene) -> None:
    going = [call for call in at.calls if call.up]
    charging, keying = going[: chosen.charging], going[chosen.charging :][: chosen.keying]
    if cost.kind == "upgrade":
        charging = keying = []
    cost.calls += len(going)
    await asyncio.sleep(_CALM)  # no sign shows that the spare has loaded all
    await asyncio.gather(*(_start(at, call) for call in (*charging, *keying)))
    for call in charging:
        at.talkers.key(call.index, _LATE)
    await asyncio.gather(*(at.stack.stage(call.call_id, "ready", patience=_PATIENCE) for call in charging))
    for call in keying:
        at.talkers.key(call.index, _LATE)
    before = len(await at.stack.charges())
    await asyncio.gather(*(at.stack.api.post(_path(call, "capture/submit")) for call in charging))

    async def charged() -> bool:
        return len(await at.stack.charges()) >= before + len(charging)

    await until(charged, "the charges at the provider", _PATIENCE)
    cost.digits += sum(each.events for each in at.talkers.look())
    at.talkers.lateness()
    began = await (_upgrade(at) if cost.kind == "upgrade" else _kill(cost, at))
    await asyncio.sleep(_AFTER)
    cost.late = max(cost.late, at.talkers.lateness())
    await _decided(at, [*charging, *keying])
    busy = {call.index for call in (*charging, *keying)}
    _judge(cost, at, going, busy, began)
    await _count_lost(cost, at, going)


async def _start(at: _Scene, call: KilledCall) -> None:
    await at.stack.start_capture(call.call_id, transaction=f"order-{next(at.orders)}")


def _path(call: KilledCall, what: str) -> str:
    return f"/v1/calls/{call.call_id}/{what}"


async def _kill(cost: Cost, at: _Scene) -> float:
    """kill -9 of all of that kind; return when others are there. When it was."""
    pids = at.stack.pids()
    before = pids[cost.kind]
    assert before, f"there is no {cost.kind}"
    asks = cost.kind in ("b2bua", "supervisor")
    with asker(at.pbx.host, at.pbx.engine) if asks else contextlib.nullcontext() as answered:
        began = time.monotonic()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        if answered is not None and cost.kind == "b2bua":
            answered.send(True)
        if cost.kind == "supervisor":
            # What it leaves ends by itself: who is about to end answers, too.
            left = [pid for each in ("b2bua", "media", "spare", "media spare") for pid in pids[each]]
            await until(lambda: not any(map(is_there, left)), "the other processes to end", _PATIENCE)
            if answered is not None:
                answered.send(True)
        if asks:
            await at.stack.await_restart(pids["b2bua"][0])
        if answered is not None:
            await until(answered.poll, "an answer", _PATIENCE)
            cost.answers.append(answered.recv() - began)
    await until(
        lambda: (now := at.stack.pids()[cost.kind]) and not set(now) & set(before), cost.kind, _PATIENCE
    )
    await at.stack.await_ready()
    return began


async def _upgrade(at: _Scene) -> float:
    """Go over to another version, and wait until it has spares. When it was asked for."""
    before = at.stack.pids()
    at.installed.install(f"7.{next(at.orders) + 1}.0")
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        at.stack.python, "-P", "-m", "b2bua.cli", "upgrade", "-c", str(at.stack.conf),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    for kind in ("b2bua", "media"):
        assert not {*at.stack.pids()[kind]} & {*before[kind]}
    await at.stack.await_ready()
    return began


def is_there(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def _decided(at: _Scene, calls: list[KilledCall]) -> None:
    """Every payment ends: what was keyed is cancelled where it could go on."""
    for call in calls:
        with contextlib.suppress(AssertionError):
            capture = await at.stack.stage(call.call_id, *_FINAL, "collecting", "ready", patience=_PATIENCE)
            if capture["stage"] not in _FINAL:
                await at.stack.api.delete(_path(call, "capture"))
                await at.stack.stage(call.call_id, *_FINAL)


def _judge(cost: Cost, at: _Scene, going: list[KilledCall], busy: set[int], began: float) -> None:
    """What came to the agents."""
    reached = at.talkers.look()
    # All processes load anew: the gap lasts for as long.
    until_ = began + (_LOADING if cost.kind == "supervisor" else 0.0) + _AFTER
    for call in going:
        each = reached[call.index]
        cost.digits += each.events
        times = [at_ for at_ in each.times if cost.kind == "upgrade" or at_ <= until_]
        if call.index in busy or len(times) < 2:
            continue
        gaps = [after - before for before, after in itertools.pairwise(times)]
        longest = max(range(len(gaps)), key=gaps.__getitem__)
        cost.gaps.append(gaps[longest])
        behind = times[longest + 1]
        cost.burst = max(cost.burst, sum(behind < at_ <= behind + _AT_ONCE for at_ in times))


async def _count_lost(cost: Cost, at: _Scene, going: list[KilledCall]) -> None:
    await asyncio.sleep(1.0)
    known = {view["id"] for view in await at.stack.calls() if view["state"] == "up"}
    reached = at.talkers.look()
    for call in going:
        silent = not reached[call.index].times
        cost.digits += reached[call.index].events
        if call.call_id not in known or not call.up or silent:
            cost.lost += 1
            cost.ended += call.customer.ended and call.agent.ended


async def _hang_up(calls: list[KilledCall]) -> None:
    for call in calls:
        if call.up:
            end = call.customer if call.index % 2 else call.agent
            await end.hang_up()
    with contextlib.suppress(AssertionError):  # the record that is missing then says so
        await until(lambda: all(call.customer.ended and call.agent.ended for call in calls), "", _PATIENCE)


async def _read_records(cost: Cost, at: _Scene) -> None:
    with contextlib.suppress(AssertionError):
        await until(lambda: len(at.stack.records()) >= cost.records, "", 10.0)
    wanted = ("call", "caller", "callee", "started_at", "answered_at", "ended_at", "end")
    records = at.stack.records()
    complete = [
        record
        for record in records
        if all(record[name] for name in wanted)
        and all(each["stage"] in _FINAL for each in record["captures"])
    ]
    cost.complete = len({record["call"] for record in complete})
    by_order: dict[str, int] = {}
    for charge in await at.stack.charges():
        by_order[charge["transaction_id"]] = by_order.get(charge["transaction_id"], 0) + charge["charges"]
    cost.doubles = sum(count - 1 for count in by_order.values() if count > 1)
