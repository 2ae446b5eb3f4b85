"""Wrong sign-ins, 1,000 a second, from one address and from 200: the agents' feed has each change
of each call, in order, requests are answered, and who knows their password gets in.

TONEWALL_SIGN_IN_SECONDS: for how long from each; without it, one second from 200 addresses.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.access import passwords
from b2bua.access.roles import Role
from b2bua.access.users import UserFile
from tests.stack import TOKEN, Stack, running, until
from tests.wire.flooding import memory_kb
from tests.wire.handmade import Customer, Desk, trunk

MEASURED = "TONEWALL_SIGN_IN_SECONDS" in os.environ
SECONDS = float(os.environ.get("TONEWALL_SIGN_IN_SECONDS", "1"))
PASSWORD = "a-long-Passw0rd-of-the-tests"
PEOPLE = ("ann", "bea", "cy")
HASHED = 120.0  # seconds that a password may wait for its check, which gives way to all else
PACE = 0.05  # seconds between two calls: the processor is for who is tested
GROWTH = 32 * 1024  # KB: two passwords of 64 MiB are checked at once, and given back

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


class Watcher:
    """An agent's feed: each view of a call with the time at which it came."""

    def __init__(self) -> None:
        self.views: list[tuple[float, dict[str, Any]]] = []

    async def follow(self, stack: Stack) -> None:
        async with httpx.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=None) as client:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with client.stream("GET", "/v1/feed", headers=headers) as answer:
                kind = ""
                async for line in answer.aiter_lines():
                    kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
                    if kind == "call" and line.startswith("data: "):
                        self.views.append((time.monotonic(), json.loads(line.removeprefix("data: "))))

    def calls(self) -> dict[str, list[tuple[float, str]]]:
        """By call: when it came into each state."""
        found: dict[str, list[tuple[float, str]]] = {}
        for at, view in self.views:
            states = found.setdefault(view["id"], [])
            if not states or states[-1][1] != view["state"]:
                states.append((at, view["state"]))
        return found


async def timed(act: Callable[[], Any], into: list[float]) -> Any:
    """What comes of it; its seconds are added."""
    began = time.monotonic()
    came = await act()
    into.append(time.monotonic() - began)
    return came


def spread(seconds: list[float]) -> str:
    """Median, 99th percentile and count."""
    ranked = sorted(seconds)
    high = ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))]
    return f"p50 {statistics.median(ranked) * 1000:.1f} ms, p99 {high * 1000:.1f} ms of {len(ranked)}"


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def signs_in(stack: Stack, name: str) -> tuple[int, int]:
    """Until the right password opens a session, from an address of its own: tries, and the last
    status."""
    transport = httpx.AsyncHTTPTransport(local_address=f"127.0.9.{PEOPLE.index(name) + 1}")
    async with httpx.AsyncClient(base_url=stack.api_url, transport=transport, timeout=HASHED) as client:
        for tries in range(1, 200):
            answer = await client.post(
                "/sign-in",
                json={"name": name, "password": PASSWORD},
                headers={"Sec-Fetch-Site": "same-origin"},
            )
            if answer.status_code != 429:
                return tries, answer.status_code
            await asyncio.sleep(0.1)
    return tries, 429


def people(directory: Path) -> None:
    with closing(UserFile(directory, time.time)) as file:
        for name in PEOPLE:
            file.add(name, frozenset({Role.AGENT}), frozenset(), passwords.hash_password(PASSWORD))
            file.set_password(name, passwords.hash_password(PASSWORD), must_change=False)


async def calls_meanwhile(
    customer: Callable[[], Customer], desk_seen: Watcher, until_done: asyncio.Task[Any], delays: list[float]
) -> int:
    """Calls, one after the other, until the task ends; how many. `delays`: seconds from the SIP
    request that ends a call until the feed has it."""
    count = 0
    while not until_done.done() or count < 3:
        one = customer()
        before = len(desk_seen.calls())
        await one.dial()
        await until(lambda before=before: len(desk_seen.calls()) > before, "the call in the feed")
        sent = time.monotonic()
        await one.hang_up()
        one.media.close()
        call_id = list(desk_seen.calls())[-1]

        def has_ended(call_id: str = call_id) -> bool:
            return desk_seen.calls()[call_id][-1][1] == "ended"

        await until(has_ended, "its end in the feed")
        delays.append(desk_seen.calls()[call_id][-1][0] - sent)
        count += 1
        await asyncio.sleep(PACE)
    return count


async def test_the_feed_lives_through_a_flood_of_wrong_sign_ins(tmp_path: Path) -> None:
    desk, access = Desk(), tmp_path / "access"
    people(access)
    extra = {"access": {"directory": str(access), "totp_required": "none"}, "general": {"log_level": "info"}}
    with trunk() as carrier:
        stack = Stack(tmp_path, carrier.port, desk.port, extra=extra)
        async with running(stack):
            carrier.engine = ("127.0.0.1", stack.sip_port)
            await desk.open()
            watcher = Watcher()
            following = asyncio.create_task(watcher.follow(stack))
            [pid] = stack.pids()["b2bua"]
            port = int(re.findall(r":(\d+)", stack.api_url)[0])
            assert (await signs_in(stack, "bea"))[1] == 200
            kb = memory_kb(pid)
            for sources in (0, 1, 200) if MEASURED else (200,):
                delays: list[float] = []
                requests: list[float] = []
                used, began = processor_seconds(pid), time.monotonic()
                flooding = asyncio.create_task(flood(port, sources))
                calling = asyncio.create_task(
                    calls_meanwhile(lambda: Customer(carrier), watcher, flooding, delays)
                )
                tries = {}
                while not flooding.done():
                    assert (await timed(lambda: stack.api.get("/v1/calls"), requests)).status_code == 200
                    for name in ("bea", "cy") if MEASURED and sources else ():
                        if name not in tries:
                            tries[name] = await signs_in(stack, name)
                    await asyncio.sleep(0.02)
                answered = await flooding
                count = await calling
                took = time.monotonic() - began
                assert sum(answered["answers"].values()) == answered["sent"]
                assert set(answered["answers"]) <= {"401", "429"}, answered
                assert {status for _, status in tries.values()} <= {200}
                assert count >= 3
                print(
                    f"{sources or 'no'} sources: {answered}; feed {spread(delays)}; "
                    f"requests {spread(requests)}; "
                    f"right ones {tries}; {(processor_seconds(pid) - used) / took:.0%} of a processor; "
                    f"{(memory_kb(pid) - kb) // 1024} MiB more"
                )
            assert (await signs_in(stack, "cy"))[1] == 200
            for states in watcher.calls().values():
                names = [state for _, state in states]
                assert names[-1] == "ended"
                assert names == [each for each in ("new", "ringing", "up", "ended") if each in names], names
                assert "up" in names
            assert memory_kb(pid) - kb < GROWTH
            following.cancel()
        desk.close()


async def flood(port: int, sources: int) -> dict[str, Any]:
    """The report of a flood; of none, after as long."""
    if not sources:
        await asyncio.sleep(SECONDS)
        return {"sent": 0, "answers": {}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.wire.flooding", "--port", str(port)),
        *("--sources", str(sources), "--seconds", str(SECONDS)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return json.loads(output)
