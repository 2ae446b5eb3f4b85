"""Measures what instances that know of one another cost themselves and Redis, and what a call costs
the edge: `make shared-costs`. CPU time, in µs.

A beat is what an instance does each second, and after each change of its calls (20 ms gathered); a
message is what it hears of another's beat. Redis is a real one, in which the others are names. The
edge is a real Kamailio by the files of deploy/edge; carrier and instance are sockets of this
process, whose own time is not counted.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from b2bua.shared.connection import open_redis
from b2bua.shared.instances import Instances
from b2bua.shared.ownership import CHANNEL, NAMES, instance_key
from b2bua.shared.presence import Presence, encode_presence
from tests.benchmark.machine import family, usage
from tests.redis_server import RedisServer
from tests.stack import free_port, until
from tests.wire.peers.edge import CARRIER, EDGE, PBX, start_edge
from tests.wire.sip_peer import HOST

_BEATS, _MESSAGES, _CALLS, _AT_ONCE = 400, 3000, 400, 20
_FEW, _MANY = 1, 101  # names in Redis
_HEARERS = 20
_TRUNKS = {"carrier": 900, "pbx": 900}
_KEPT = re.compile(rb"(?m)^((?:Via|Record-Route|From|To|Call-ID|CSeq): [^\r]*)")
_ROUTE = re.compile(rb"(?m)^Record-Route: ([^\r]*)")


def _presence(name: str) -> bytes:
    return encode_presence(Presence(name=name, holder="h" * 22, calls=_TRUNKS))


async def measure_shared(folder: Path) -> dict[str, float]:
    """µs of a beat for the instance and for Redis (and more for each instance there is), and
    of a message for one who hears it and for Redis to send it there."""
    server = RedisServer(folder)
    await server.start()
    redis = [server.pid]
    others, own = open_redis(server.url, "", ""), Instances(server.url, "own", "h")
    own._calls = lambda: _TRUNKS
    beats: dict[int, tuple[float, float]] = {}
    heard: dict[bool, tuple[float, float]] = {}
    try:
        for there in (_FEW, _MANY):
            for number in range(there - 1):
                name = f"instance-{number}"
                await others.set(instance_key(name), _presence(name), px=600_000)
                await others.sadd(NAMES, name)
            await own._beat()
            with _Spent(redis) as spent:
                for _ in range(_BEATS):
                    await own._beat()
            beats[there] = spent.each(_BEATS)
        for listens in (False, True):
            news = [others.pubsub() for _ in range(_HEARERS)]
            for each in news:
                await each.subscribe(CHANNEL if listens else "another")
            listening = asyncio.create_task(own._listen(news[0]))
            with _Spent(redis) as spent:
                await _publish(server.port, _presence("instance-0"))
            heard[listens] = spent.each(_MESSAGES)
            listening.cancel()
            await asyncio.wait({listening})
            for each in news:
                await each.aclose()
    finally:
        await others.aclose()
        await own.close()
        await server.stop()
    found = {}
    for place, who in enumerate(("instance", "redis")):
        more = (beats[_MANY][place] - beats[_FEW][place]) / (_MANY - _FEW)
        found[f"{who}_beat"], found[f"{who}_beat_each"] = beats[_FEW][place] - more, more
        found[f"{who}_message"] = (heard[True][place] - heard[False][place]) / (1, _HEARERS)[place]
    return {name: round(value, 1) for name, value in found.items()}


async def _publish(port: int, text: bytes) -> None:
    """One after another, from a process of its own."""
    asked = await asyncio.create_subprocess_exec(
        "redis-benchmark", "-p", str(port), "-n", str(_MESSAGES), "-c", "1", "PUBLISH", CHANNEL, text,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await asked.wait() == 0


class _Spent:
    """CPU time of this process, and of others, within a `with`."""

    def __init__(self, others: list[int]) -> None:
        self._others = others

    def __enter__(self) -> _Spent:
        self._began = time.process_time(), usage(self._others).ran
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = time.process_time(), usage(self._others).ran

    def each(self, count: int) -> tuple[float, float]:
        """µs, ours and theirs."""
        own, others = (
            (end - begin) / count * 1e6 for begin, end in zip(self._began, self._ended, strict=True)
        )
        return own, others


class _Phone(asyncio.DatagramProtocol):
    """Answers INVITE and BYE at once; of an answered call of its own it sends ACK and BYE."""

    def __init__(self) -> None:
        self.done = self.started = self.refused = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.host, self.port = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        if data.startswith((b"INVITE", b"BYE", b"OPTIONS")):
            kept = b"\r\n".join(_KEPT.findall(data)).replace(b"<sip:there@edge>", b"<sip:there@edge>;tag=t")
            contact = f"Contact: <sip:there@{self.host}:{self.port}>".encode()
            for line in (b"180 Ringing", b"200 OK") if data.startswith(b"INVITE") else (b"200 OK",):
                answer = b"\r\n".join((b"SIP/2.0 " + line, kept, contact, b"Content-Length: 0", b"", b""))
                self.transport.sendto(answer, source)
        elif b"\r\nCSeq: 2 BYE" in data:
            self.done += 1
        elif data.startswith(b"SIP/2.0 200"):
            routes = list(reversed([part for row in _ROUTE.findall(data) for part in row.split(b",")]))
            target = re.search(rb"Contact: <([^>]+)>", data)
            call = re.search(rb"Call-ID: ([^\r]+)", data)
            assert target is not None
            assert call is not None
            for method, number in ((b"ACK", 1), (b"BYE", 2)):
                self.request(method, call[1], number, target[1], routes, source)
        elif data.startswith((b"SIP/2.0 4", b"SIP/2.0 5")):
            self.refused += 1

    def request(
        self, method: bytes, call: bytes, number: int, target: bytes, routes: list[bytes], to: tuple[str, int]
    ) -> None:
        """Send one; an INVITE has a description of usual size."""
        body = (
            b"v=0\r\n" + b"a=x-as-long-as-descriptions-are:0123456789\r\n" * 8 if method == b"INVITE" else b""
        )
        at = f"{self.host}:{self.port}".encode()
        lines = [
            method + b" " + target + b" SIP/2.0",
            b"Via: SIP/2.0/UDP " + at + b";branch=z9hG4bK" + call + method,
            *(b"Route: " + each.strip() for each in routes),
            b"From: <sip:here@edge>;tag=" + call,
            b"To: <sip:there@edge>" + (b"" if method == b"INVITE" else b";tag=t"),
            b"Call-ID: " + call,
            b"CSeq: %d %s" % (number, method),
            b"Max-Forwards: 70",
            b"Contact: <sip:here@" + at + b">",
            b"Content-Length: %d" % len(body),
        ]
        self.transport.sendto(b"\r\n".join([*lines, b"", b""]) + body, to)


async def measure_edge(folder: Path) -> dict[str, float]:
    """µs of all processes of the edge for each time that a call passes it: INVITE, 180, 200, ACK,
    BYE, 200. A call passes twice, on its way to the instance and from there."""
    loop = asyncio.get_running_loop()
    sides = free_port(), free_port()
    instance, carrier = [
        (await loop.create_datagram_endpoint(_Phone, local_addr=(host, 0)))[1] for host in (HOST, CARRIER)
    ]
    sets = {1: [(HOST, instance.port)], 2: [(CARRIER, carrier.port)], 3: [(PBX, free_port())]}
    proxy = await start_edge(folder, *sides, sets)
    try:
        await asyncio.sleep(2)  # until its processes are there
        edge = family(proxy.pid)
        before, idle, began = usage(edge).ran, 0.0, loop.time()
        await asyncio.sleep(3)
        idle = (usage(edge).ran - before) / (loop.time() - began)
        before, began = usage(edge).ran, loop.time()
        for number in range(_CALLS):
            await until(lambda at=number: carrier.done + carrier.refused > at - _AT_ONCE, "calls end")
            call = b"call-%d" % number
            carrier.request(b"INVITE", call, 1, b"sip:there@edge", [], (EDGE, sides[0]))
        await until(lambda: carrier.done + carrier.refused >= _CALLS, "calls end")
        assert carrier.refused == 0, carrier.refused
        spent = usage(edge).ran - before - idle * (loop.time() - began)
        return {"edge_pass": round(spent / _CALLS * 1e6, 1)}
    finally:
        await proxy.stop()


async def main() -> None:
    """Prints what was measured."""
    with tempfile.TemporaryDirectory() as name:
        found = await measure_shared(Path(name)) | await measure_edge(Path(name))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    uvloop.run(main())
