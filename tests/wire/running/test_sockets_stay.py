"""kill -9 of b2bua under load: what arrives while it is away waits in sockets that the supervisor
holds, and the next b2bua answers all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.handmade import MediaPair, offer
from tests.wire.running.gone import is_gone
from tests.wire.sip_peer import HOST, SipPeer
from tests.wire.stream_peer import stream_carrier

AWAY, CALLS = 40, 10  # requests that are sent while no b2bua runs: OPTIONS, INVITE


def open_in(pid: int) -> set[str]:
    """What a process has open, as the kernel names it."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(link))
    return found


def sockets_of(pid: int) -> set[str]:
    """Each socket of a process."""
    return {each for each in open_in(pid) if each.startswith("socket:")}


def bound(kind: socket.SocketKind, port: int) -> bool:
    """Whether somebody has this port of loopback."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


async def get(url: str) -> int:
    """The status of an answer over a connection of its own."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        return (await client.get(url)).status_code


def check_descriptors(stack: Stack) -> None:
    """Keeper, supervisor and b2bua have the sockets of SIP and of the API, nobody else has one of
    them; the recovery page is the keeper's, the supervisor's and media's alone."""
    pids = stack.pids()
    [supervisor], [b2bua] = pids["supervisor"], pids["b2bua"]
    shared = sockets_of(supervisor) & sockets_of(b2bua)
    assert len(shared) >= 3  # UDP, a stream, the API
    others = [pid for kind in ("media", "payer", "decoder", "reconciler", "webhooks") for pid in pids[kind]]
    assert len(others) >= 4
    for pid in others:
        assert not shared & sockets_of(pid)
    files = {kind: {name for pid in found for name in open_in(pid)} for kind, found in pids.items()}
    for name, wanted in (("calls", {"b2bua", "spare"}), ("streams", {"media", "media spare"})):
        having = {
            kind for kind, found in files.items() if any(f"memfd:tonewall-{name}" in each for each in found)
        }
        assert having - wanted == {"keeper", "supervisor"}, name


@pytest.mark.parametrize(("transport", "spare"), [("tcp", "no"), ("tls", "yes")])
async def test_what_comes_while_b2bua_is_away_is_answered_by_the_next(
    tmp_path: Path, transport: str, spare: str
) -> None:
    media = MediaPair()
    await media.open()
    async with stream_carrier(transport, tmp_path) as carrier:
        with contextlib.closing(SipPeer()) as pbx:
            general = {**carrier.general, "spare": spare}
            stack = Stack(
                tmp_path, carrier.port, pbx.port, extra={"general": general, "carrier": carrier.keys}
            )
            async with running(stack):
                carrier.engine = pbx.engine = (HOST, stack.sip_port)
                api_port = httpx.URL(stack.api_url).port
                await carrier.join()
                if transport == "tcp":
                    await carrier.listen()
                pbx.send(pbx.request("OPTIONS"))
                await pbx.hear("200")
                check_descriptors(stack)
                if spare == "yes":
                    [next_one] = await until(lambda: stack.pids()["spare"], "a spare")

                [before] = stack.kill("b2bua")
                await until(lambda: is_gone(before), "b2bua to be gone")
                # Its connections are reset, and begun anew; each datagram is sent once.
                away = [pbx.request("OPTIONS", cseq=each) for each in range(2, AWAY + 2)]
                for each in away:
                    pbx.send(each)
                calls = [
                    pbx.request("INVITE", body=offer(media.port), From=f"<sip:pbx@{HOST}>;tag=call{each}")
                    for each in range(CALLS if transport == "tcp" else 0)
                ]
                for each in calls:
                    pbx.send(each)
                asked = asyncio.create_task(get(f"{stack.api_url}/livez"))
                joining = asyncio.create_task(carrier.join())
                answered = [await pbx.hear("200", PATIENCE) for _ in away]
                assert {each.one("CSeq") for each in answered} == {
                    f"{each} OPTIONS" for each in range(2, AWAY + 2)
                }
                tried = [await pbx.hear("100", PATIENCE) for _ in calls]
                assert {each.tag("From") for each in tried} == {f"call{each}" for each in range(len(calls))}
                for _ in calls:
                    await carrier.hear("INVITE", PATIENCE)
                assert await asked == 200
                await joining
                # Media is there: the call is carried.
                carrier.send(carrier.request("INVITE", body=offer(media.port)))
                await pbx.hear("INVITE", PATIENCE)
                carrier.never("503")
                await stack.await_restart(before)
                check_descriptors(stack)
                if spare == "yes":
                    assert stack.pids()["b2bua"] == [next_one]
                    await until(lambda: stack.pids()["spare"], "another spare")

                [keeper] = stack.pids()["keeper"]
                left = [pid for pids in stack.pids().values() for pid in pids]
                permit_error("gave_up")
                permit_error("media_lost")
                expect_error("keeper_lost")
                os.kill(keeper, signal.SIGKILL)
                await until(lambda: all(is_gone(pid) for pid in left), "all processes to end")
                assert api_port is not None
                assert not bound(socket.SOCK_DGRAM, stack.sip_port)
                assert not bound(socket.SOCK_STREAM, api_port)
    media.close()
