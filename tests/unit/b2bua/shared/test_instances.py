"""Instances at one real Redis: they know of one another's calls at once, go on alone without it,
and find one another again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from b2bua.call.leg import LegId
from b2bua.call.routing.limits import Limit, Limiter
from b2bua.shared.holder import own_holder
from b2bua.shared.instances import Instances
from tests.redis_server import RedisServer
from tests.stack import until
from tests.wire.certificates import Authority

# What docs/scale.md says that the user needs.
COMMANDS = (
    "+eval +get +mget +set +del +sadd +srem +srandmember +time +publish +subscribe +unsubscribe"
    " +client +select"
)


@dataclass
class Tonewalls:
    """Limits of some instances at one Redis, one call at most on the trunk `t`."""

    redis: RedisServer
    running: dict[str, tuple[Instances, Limiter, asyncio.Task[None]]] = field(default_factory=dict)

    def start(self, name: str, holder: str = "", **options: Any) -> tuple[Instances, Limiter]:
        instances = Instances(self.redis.url, name, holder or name, **options)
        limiter = Limiter({"t": Limit(max_calls=2), "r": Limit(max_rate=4)}, instances)
        task = asyncio.create_task(instances.run(limiter.all_calls))
        self.running[holder or name] = instances, limiter, task
        return instances, limiter

    async def kill(self, name: str) -> Instances:
        """It says nothing any more."""
        instances, _, task = self.running.pop(name)
        task.cancel()
        await asyncio.wait({task})
        return instances


@pytest.fixture
async def tonewalls(tmp_path: Path) -> AsyncIterator[Tonewalls]:
    server = RedisServer(tmp_path)
    await server.start()
    made = Tonewalls(server)
    yield made
    for name in list(made.running):
        await (await made.kill(name)).close()
    await server.stop()


async def test_a_limit_holds_over_all_instances(tonewalls: Tonewalls) -> None:
    (_, one), (b, two) = tonewalls.start("a"), tonewalls.start("b")
    assert one.take("t", LegId("1"), 0.0) == 0
    await until(lambda: b.calls("t") == 1, "the call of the other")
    assert [two.take("t", LegId(name), 0.0) for name in ("2", "3")] == [0, 5]
    one.release(LegId("1"))
    await until(lambda: b.calls("t") == 0, "its end")
    assert two.take("t", LegId("4"), 0.0) == 0


async def test_a_rate_is_divided_among_them(tonewalls: Tonewalls) -> None:
    (a, one), (b, two) = tonewalls.start("a"), tonewalls.start("b")
    await until(lambda: a.instances() == b.instances() == 2, "both to know")
    for limiter in (one, two):
        assert sum(limiter.take("r", LegId(f"{n}"), 10.0) == 0 for n in range(9)) == 2


async def test_who_ends_is_forgotten_at_once_and_who_is_killed_with_its_lease(
    tonewalls: Tonewalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2bua.shared.ownership.LEASE", 2.0)
    monkeypatch.setattr("b2bua.shared.presence.LEASE", 2.0)
    a, _ = tonewalls.start("a")
    for name in ("b", "c"):
        _, limiter = tonewalls.start(name)
        limiter.take("t", LegId(name), 0.0)
    await until(lambda: a.calls("t") == 2, "both calls")
    await (await tonewalls.kill("b")).close()
    await until(lambda: a.calls("t") == 1, "the end of one")
    assert a.instances() == 2
    killed = await tonewalls.kill("c")
    await until(lambda: a.instances() == 1, "the lease of the other to end")
    await killed.close()


async def test_without_redis_each_goes_on_alone_and_finds_the_others_again(tonewalls: Tonewalls) -> None:
    (a, one), (b, _) = tonewalls.start("a"), tonewalls.start("b")
    one.take("t", LegId("1"), 0.0)
    await until(lambda: b.calls("t") == 1, "the call of the other")
    await tonewalls.redis.stop()
    await until(lambda: a.fault() and b.fault(), "the faults")
    fault = b.fault()
    assert fault is not None
    assert (fault.what, fault.stops, "Redis does not answer" in fault.says) == ("shared", None, True)
    assert (b.calls("t"), b.instances()) == (0, 1)
    one.take("t", LegId("2"), 0.0)
    await tonewalls.redis.start()
    await until(lambda: b.calls("t") == 2 and not b.fault(), "to know again")
    await until(lambda: not a.fault(), "the other to be well")


async def test_a_redis_that_hangs_is_as_one_that_is_away(tonewalls: Tonewalls) -> None:
    a, _ = tonewalls.start("a")
    b, _ = tonewalls.start("b")
    await until(lambda: a.instances() == 2, "the other")
    process = tonewalls.redis._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    await until(lambda: a.fault() and b.fault(), "the faults")
    process.send_signal(signal.SIGCONT)
    await until(lambda: not a.fault() and a.instances() == 2, "to know again")


async def test_a_name_has_one_holder(tonewalls: Tonewalls) -> None:
    a, _ = tonewalls.start("a")
    await until(lambda: not a.fault(), "the first")
    b, _ = tonewalls.start("b")
    await until(lambda: b.instances() == 2, "the first to be seen")
    twin, limiter = tonewalls.start("a", holder="twin")
    await until(twin.fault, "the fault")
    assert "[shared] instance" in str(twin.fault())
    limiter.take("t", LegId("1"), 0.0)
    await (await tonewalls.kill("a")).close()  # the first ends
    await until(lambda: not twin.fault(), "the name to be free")
    await until(lambda: b.calls("t") == 1, "the other's calls")


async def test_the_next_process_of_one_supervisor_has_its_name_at_once(tonewalls: Tonewalls) -> None:
    a, _ = tonewalls.start("a")
    b, _ = tonewalls.start("b")
    await until(lambda: b.instances() == 2, "the first")
    await tonewalls.kill("a")
    again, limiter = tonewalls.start("a")
    limiter.take("t", LegId("1"), 0.0)
    await until(lambda: b.calls("t") == 1, "its calls")
    assert not again.fault()
    await a.close()


async def test_what_others_write_there_is_left_alone(tonewalls: Tonewalls) -> None:
    a, _ = tonewalls.start("a")
    await until(lambda: not a.fault(), "the start")
    async with Redis.from_url(tonewalls.redis.url, protocol=2) as client:
        await client.sadd("tonewall:instances", "x", "y", b"\xff\xfe")
        await client.set("tonewall:instance:x", b"\xff not json")
        await client.set("tonewall:instance:b", b"5")
        await client.set("tonewall:instance:y", b'{"schema":1,"name":"z","holder":"h","calls":{"t":9}}')
        await client.publish("tonewall:changes", b"\xff" * 100_000)
        await client.publish("tonewall:changes", b"\xff")
        b, _ = tonewalls.start("b")
        await until(lambda: a.instances() == 2, "one that is right")
        assert (a.calls("t"), a.fault()) == (0, None)
        await until(lambda: b.instances() == 2, "the other, too")


async def test_names_are_read_up_to_a_bound(tonewalls: Tonewalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b2bua.shared.presence.MAX_NAMES", 3)
    async with Redis.from_url(tonewalls.redis.url, protocol=2) as client:
        await client.sadd("tonewall:instances", *(f"x{n}" for n in range(5000)))
        a, _ = tonewalls.start("a")
        await until(lambda: not a.fault() and a._ownership.token, "the start")
        for n in range(9):
            text = f'{{"schema":1,"name":"m{n}","holder":"h","calls":{{}}}}'
            await client.publish("tonewall:changes", text)
        await until(lambda: a.instances() == 4, "as many as there is room for")
        await until(lambda: is_short(client), "names without an instance to be removed")


async def is_short(client: Redis) -> bool:
    return await client.scard("tonewall:instances") < 10


async def test_what_nobody_expected_is_a_fault_that_is_shown_and_tried_again(
    tonewalls: Tonewalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = tonewalls.start("a")
    tonewalls.start("b")
    await until(lambda: a.instances() == 2, "the other")
    with monkeypatch.context() as broken:
        broken.setattr("b2bua.shared.instances.decode_presence", lambda text: {}[text])
        await until(a.fault, "the fault")
    await until(lambda: not a.fault() and a.instances() == 2, "to know again")
    assert not tonewalls.running["a"][2].done()


async def test_by_tls_with_a_user_who_may_do_no_more_than_is_needed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    rights = ["on", ">a-secret", "resetkeys", "~tonewall:*", "resetchannels", "&tonewall:changes", "-@all"]
    server = RedisServer(
        tmp_path,
        (authority.file, *authority.issue("localhost")),
        ["--user", "tonewall", *rights, *COMMANDS.split(), "--user", "default", "off"],
    )
    await server.start()
    url = server.url.replace("rediss://", "rediss://tonewall@")
    made = [Instances(url, name, name, password="a-secret", trust=authority.file) for name in ("a", "b")]
    stranger = Instances(url, "c", "c", password="a-secret", trust=Authority(tmp_path, "stranger").file)
    wrong = Instances(url, "d", "d", password="another", trust=authority.file)
    tasks = [asyncio.create_task(each.run(lambda: {"t": 1})) for each in (*made, stranger, wrong)]
    await until(lambda: made[0].calls("t") == made[1].calls("t") == 1, "both")
    await until(lambda: stranger.fault() and wrong.fault(), "the faults of the others")
    assert made[0].instances() == 2
    for task, each in zip(tasks, (*made, stranger, wrong), strict=True):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await each.close()
    await server.stop()


def test_the_holder_is_the_parent_and_its_start() -> None:
    assert own_holder() == own_holder()
    assert f"-{os.getppid()}-" in own_holder()


def test_who_has_the_same_file_of_calls_is_one_holder_whoever_started_it() -> None:
    calls, another = os.memfd_create("calls"), os.memfd_create("calls")
    try:
        command = [sys.executable, "-c", f"import b2bua.shared.holder as h; print(h.own_holder({calls}))"]
        of_child = subprocess.run(
            command, pass_fds=[calls], capture_output=True, text=True, check=True
        ).stdout
        assert of_child.strip() == own_holder(calls)
        assert len({own_holder(calls), own_holder(another), own_holder()}) == 3
    finally:
        os.close(calls)
        os.close(another)
