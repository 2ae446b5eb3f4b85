"""Datagrams that are as hard to read as one can write them, from strangers and from a trunk:
signalling goes on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from b2bua.call.routing.trunk import DYNAMIC, Trunk
from b2bua.sip.hop import Bind, Transport
from tests.wire.signalling.stage import Stage, staged
from tests.wire.sip_bridge import HOST, QUICK, Bridge, until
from tests.wire.sip_peer import SipPeer
from tests.wire.stream_peer import StreamPeer

SIZE = 8_000  # octets of a datagram
TRICKLE = 75_000 / 8  # octets a second
MAX_CPU = 0.5  # seconds of CPU for all of them together; one alone took 4 before

HEAD = "{method} sip:u@h SIP/2.0\r\n{lines}\r\nContent-Length: 0\r\n\r\n"
REST = "From: <sip:u@h>;tag=a\r\nTo: <sip:u@h>\r\nCall-ID: hard\r\nCSeq: 1 {method}"
LINES = {
    "spaces before the port in Via": "Via: SIP/2.0/UDP h" + " " * SIZE + "!\r\n" + REST,
    "tabs in Via": "Via: SIP/2.0/UDP" + "\t" * SIZE + "!\r\n" + REST,
    "tabs in Content-Length": "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKhard\r\n" + REST + "\r\nl:a" + "\t" * SIZE + "b",  # noqa: E501
    "tabs in Authorization": (
        "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKhard\r\n" + REST + "\r\nProxy-Authorization: Digest a=" + "\t" * 1000 + '"'  # noqa: E501
    ),
    "brackets in From": "Via: SIP/2.0/UDP h\r\n" + REST.replace("<sip:u@h>;tag", '"<' * (SIZE // 2) + ";tag",
    1),
    "folds": "Via: SIP/2.0/UDP h" + "\r\n " * 150 + "\r\n" + REST,
    "commas in Via": "Via: " + "," * SIZE + "\r\n" + REST,
}  # fmt: skip


def hard(lines: str, method: str) -> bytes:
    return HEAD.format(method=method, lines=lines.format(method=method)).encode()


@contextlib.contextmanager
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.66", 0))
        yield sock


async def all_read(stage: Stage, sender: SipPeer) -> None:
    """What was sent before this has been dealt with: one socket is read in order."""
    engine = stage.bridge.engine
    before = engine.counters().get("keepalives", 0)
    sender.send("\r\n")
    await until(lambda: engine.counters().get("keepalives", 0) > before)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
async def test_a_datagram_costs_next_to_nothing_whoever_sends_it(name: str, method: str) -> None:
    async with staged() as stage:
        with stranger() as sock:
            began = time.process_time()
            for _ in range(5):
                sock.sendto(hard(LINES[name], method), stage.bridge.engine.address)
                stage.carrier.socket.sendto(hard(LINES[name], method), stage.bridge.engine.address)
            await all_read(stage, stage.carrier)
            assert time.process_time() - began < MAX_CPU
        await stage.up()


async def test_a_trickle_of_them_leaves_the_calls_alone() -> None:
    async with staged() as stage:
        with stranger() as sock:
            sent = 0

            async def trickle() -> None:
                nonlocal sent
                while True:
                    for lines in LINES.values():
                        datagram = hard(lines, "INVITE")
                        sock.sendto(datagram, stage.bridge.engine.address)
                        sent += 1
                        await asyncio.sleep(len(datagram) / TRICKLE)

            task = asyncio.create_task(trickle())
            began, cpu = asyncio.get_running_loop().time(), time.process_time()
            await stage.up()
            await until(lambda: sent >= 4)
            assert time.process_time() - cpu < MAX_CPU + (asyncio.get_running_loop().time() - began) * 0.5
            task.cancel()


@pytest.mark.parametrize("name", LINES)
async def test_a_connection_of_a_stranger_costs_next_to_nothing(name: str) -> None:
    peer = StreamPeer("127.0.0.66")
    trunks = (
        Trunk("carrier", HOST, 5060),
        Trunk("pbx", DYNAMIC, 0, username="u", password="secret", challenge=True),
    )
    bridge = Bridge.between(*trunks, [Bind(Transport.TCP, HOST, 0)], QUICK)
    await bridge.engine.start()
    try:
        peer.engine = bridge.engine.address
        await peer.connect()
        began = time.process_time()
        peer.send(hard(LINES[name], "REGISTER").decode() + "\r\n\r\n")
        # A pong, or the end.
        await until(lambda: bool(peer.crlfs) or bridge.engine.counters().get("malformed", 0) > 0)
        assert time.process_time() - began < MAX_CPU
    finally:
        await bridge.engine.stop(0.05)
        await peer.stop()
        peer.close()


async def test_beyond_their_rate_strangers_are_dropped_before_anything_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0

    def salvage(head: bytes) -> None:
        nonlocal looked
        looked += 1

    monkeypatch.setattr("b2bua.sip.foreign_source.salvage_head", salvage)
    async with staged() as stage:
        with stranger() as sock:
            began = time.monotonic()
            for number in range(400):
                sock.sendto(hard(LINES["commas in Via"], "INVITE"), stage.bridge.engine.address)
                if number % 10 == 9:
                    await all_read(stage, stage.carrier)
            assert 0 < looked <= 50 * (1 + time.monotonic() - began)
            assert stage.bridge.engine.counters()["strangers"] == 400
