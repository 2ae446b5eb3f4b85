"""What strangers, and broken peers, send to a running Tonewall: a proper answer or a counted drop,
and the calls go on."""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path

import pytest

from tests.stack import Stack, free_port, running, until
from tests.wire.conftest import Peers
from tests.wire.line import line

SDP = "v=0\r\no=c 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}"
GOOD_MEDIA = "m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
BAD_BODIES = {
    "no v=0": b"o=c 1 1 IN IP4 127.0.0.1\r\n",
    "no m-line": SDP.format(media="").encode(),
    "truncated": SDP.format(media=GOOD_MEDIA).encode()[:60],
    "not text": b"v=0\r\n\xff\xfe\x00",
    "no port": SDP.format(media="m=audio x RTP/AVP 0\r\n").encode(),
    "port too large": SDP.format(media="m=audio 70000 RTP/AVP 0\r\n").encode(),
    "too many m-lines": SDP.format(media=GOOD_MEDIA * 17).encode(),
    "no c-line": SDP.format(media=GOOD_MEDIA).replace("c=IN IP4 127.0.0.1\r\n", "").encode(),
    "nothing that can be relayed": SDP.format(media="m=message 9 TCP/MSRP *\r\n").encode(),
    "too long": SDP.format(media=GOOD_MEDIA + "a=x:" + "y" * 40_000 + "\r\n").encode(),
}
COMPLAINTS = ("Traceback", '"died"', "call_failed", "command_failed", "bad_frame")


def invite(source: tuple[str, int], body: bytes, call_id: str, extra: str = "") -> bytes:
    """An INVITE as a carrier sends it, with that body."""
    host, port = source
    head = (
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id}\r\n"
        f"From: <sip:300@{host}>;tag=t{call_id}\r\nTo: <sip:100@127.0.0.1>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:300@{host}:{port}>\r\nMax-Forwards: 70\r\n"
        f"{extra}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Peer:
    """A UDP socket that says one thing and hears the final answer."""

    def __init__(self, port: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", port))
        self.sock.setblocking(False)

    async def final(self, message: bytes, to: int) -> int:
        """The status code of the final answer; a 1xx is passed over."""
        loop = asyncio.get_running_loop()
        self.sock.sendto(message, ("127.0.0.1", to))
        async with asyncio.timeout(15):
            while True:
                answer = await loop.sock_recv(self.sock, 65535)
                code = int(answer.split(b" ", 2)[1])
                if code >= 200:
                    return code


@pytest.fixture
async def stack(tmp_path: Path):
    async with running(Stack(tmp_path, free_port(), free_port(), pairs=20)) as started:
        yield started


async def test_a_body_that_is_no_offer_is_refused_and_leaves_nothing(stack: Stack) -> None:
    for number, (name, body) in enumerate(BAD_BODIES.items()):
        carrier = Peer(stack.carrier_port)
        with carrier.sock:
            code = await carrier.final(
                invite(carrier.sock.getsockname(), body, f"bad{number}"), stack.sip_port
            )
        assert code in (400, 488, 513), name

    async def nothing_left() -> bool:
        health = (await stack.api.get("/healthz")).json()
        return health["calls"] == 0 and health["sessions"] == 0

    await until(nothing_left, "refused calls to be forgotten")
    assert not [complaint for complaint in COMPLAINTS if complaint in stack.log.read_text()]


async def test_a_stranger_is_refused_and_creates_no_call(stack: Stack) -> None:
    stranger = Peer()
    with stranger.sock:
        body = SDP.format(media=GOOD_MEDIA).encode()
        assert (
            await stranger.final(invite(stranger.sock.getsockname(), body, "stranger"), stack.sip_port) == 403
        )
    assert await stack.calls() == []
    assert stack.records() == []


async def test_a_payment_goes_on_while_garbage_is_thrown_at_every_port(peers: Peers) -> None:
    dice = random.Random(4711)
    good = invite(("127.0.0.1", 5060), SDP.format(media=GOOD_MEDIA).encode(), "good")

    def garbage() -> bytes:
        kind = dice.randrange(6)
        if kind == 0:
            return dice.randbytes(dice.randrange(1, 1500))
        if kind == 1:
            return good[: dice.randrange(len(good))]
        if kind == 2:
            return dice.randbytes(60_000)
        if kind == 3:
            changed = bytearray(good)
            for _ in range(20):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            return bytes(changed)
        if kind == 4:  # RTP, cut and bent
            return bytes([0x80 | dice.randrange(64), dice.randrange(256)]) + dice.randbytes(
                dice.randrange(180)
            )
        return bytes([0x80 | dice.randrange(32), 200 + dice.randrange(8)]) + dice.randbytes(
            dice.randrange(60)
        )

    async with line(peers) as wire:
        call_id = await wire.dial()
        await wire.stack.start_capture(call_id)
        ports = [wire.stack.sip_port, *udp_ports(wire.stack.pids()["media"][0])]
        assert len(ports) >= 5  # SIP, and RTP and RTCP of both legs
        keying = asyncio.create_task(wire.key("4111111111111111#1139#123#"))
        thrown = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            while not keying.done():
                for port in ports:
                    stranger.sendto(garbage(), ("127.0.0.1", port))
                    thrown += 1
                await asyncio.sleep(0.005)
        await keying
        await wire.stack.stage(call_id, "ready")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.voice()
        assert wire.agent.seen("dtmf") == 0
        assert len(await wire.stack.calls()) == 1
        await wire.hang_up()
        await wire.no_sessions()
        await until(wire.stack.records, "the call's record")
        [record] = wire.stack.records()
        assert min(record["caller_foreign_source"], record["agent_foreign_source"]) > 0
        assert not [complaint for complaint in COMPLAINTS if complaint in wire.stack.log.read_text()]
    assert thrown > 500


def udp_ports(pid: int) -> list[int]:
    """The UDP ports that a process has bound."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = link.readlink().name if link.is_symlink() else ""
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return [int(row[1].partition(":")[2], 16) for row in rows if row[9] in inodes]
