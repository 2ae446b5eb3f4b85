"""What PJSIP is kept from: more calls than it holds, descriptions that end it, and a word of its
own to any peer."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.pjsua.build import examine
from tests.complaints import PRINTED_BY_PJSIP, permit_error
from tests.stack import Stack, running, until
from tests.wire.handmade import HOST, Customer, Desk, offer, trunk
from tests.wire.paying import without_complaint
from tests.wire.peers import pcap, tshark
from tests.wire.sip_peer import Call, SipPeer

pytest.importorskip("pjsua2", reason="pjsua2 is not here")

# Of these sixteen, three times, end a PJSIP that answers by itself.
MANY_LINES = "m=audio 4000 RTP/AVP 0\r\n"


@contextlib.asynccontextmanager
async def tonewall(folder: Path) -> AsyncIterator[tuple[Stack, SipPeer, Desk]]:
    """With `engine = pjsua2`, a carrier that is played line by line and a desk that answers."""
    for source in PRINTED_BY_PJSIP:
        permit_error(source)
    desk = Desk()
    await desk.open()
    with trunk() as carrier, contextlib.closing(desk):
        stack = Stack(folder, carrier.port, desk.port, pairs=20, extra={"general": {"engine": "pjsua2"}})
        async with running(stack), without_complaint(stack):
            carrier.engine = (HOST, stack.sip_port)
            yield stack, carrier, desk


async def invite(carrier: SipPeer, body: str) -> str:
    """Call the desk. The Call-ID."""
    text = carrier.request("INVITE", body=body).replace("sip:bob@", "sip:desk@", 1)
    carrier.send(text)
    return next(line for line in text.splitlines() if line.startswith("Call-ID: ")).removeprefix("Call-ID: ")


async def answer(carrier: SipPeer, call_id: str) -> str:
    """The code of the final answer."""

    def final() -> str:
        return next((m.what for m in carrier.heard if m.one("Call-ID") == call_id and m.what >= "200"), "")

    async def heard() -> str:
        with contextlib.suppress(TimeoutError):
            await carrier.hear("nothing", 0.05)
        return final()

    return await until(heard, "a final answer")


async def hang_up(carrier: SipPeer, call_id: str) -> None:
    """Acknowledge the answer of 200, and end the call."""
    [ok] = [
        message for message in carrier.heard if message.what == "200" and message.one("Call-ID") == call_id
    ]
    call = Call.placed(ok)
    carrier.send(carrier.request("ACK", call=call))
    carrier.send(carrier.request("BYE", call=call, cseq=2))


def sockets_of(pid: int) -> set[int]:
    """The ports of a process's UDP sockets over IPv4."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(entry).removeprefix("socket:[").rstrip("]"))
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}


@pytest.mark.skipif(not tshark.available(), reason="tshark is not here")
async def test_no_packet_of_pjmedia_reaches_a_peer(tmp_path: Path) -> None:
    async with tonewall(tmp_path) as (stack, carrier, desk):
        capture = await tshark.Capture.start(tmp_path / "all.pcap")
        customer = Customer(carrier)
        with contextlib.closing(customer.media):
            await customer.dial()
            await stack.calls_up()
            own = {port for pid in stack.pids()["b2bua"] for port in sockets_of(pid)}
            for _ in range(300):  # six seconds: more than PJMEDIA waits for its first RTCP
                await customer.play([customer.speech()])
            await customer.hang_up()
            await until(stack.records, "the call's record")
            captured = pcap.read(await capture.stop())
            peers = {carrier.port, desk.port, customer.media.port, customer.media.port + 1}
            peers |= {desk.media.port, desk.media.port + 1}
    quiet = own - {stack.sip_port}
    # The front, PJSIP, and the RTP and RTCP that PJMEDIA has opened for two legs.
    assert len(quiet) >= 2 + 4
    sent = [packet for packet in captured if packet.source[1] in quiet]
    assert sent  # the front and PJSIP did talk
    assert [packet for packet in sent if packet.destination[1] in peers] == []
    # Discard's port, where its stand-in is.
    assert {packet.destination[1] for packet in sent} <= own | {
        9,
        10,
    }
    assert {packet.destination[0] for packet in sent} == {"127.0.0.1"}
    heard = [packet for packet in captured if packet.destination[1] in peers - {carrier.port, desk.port}]
    assert len(heard) > 200  # the speech went through
    low, high = (int(port) for port in stack.conf.read_text().partition("ports = ")[2].split()[0].split("-"))
    assert all(low <= packet.source[1] <= high for packet in heard)


async def test_the_call_that_pjsip_has_no_place_for_is_told_when_to_come_back(tmp_path: Path) -> None:
    places = (await asyncio.to_thread(examine)).places
    async with tonewall(tmp_path) as (stack, carrier, _):
        calls = []
        for _ in range(places // 2):
            calls.append(await invite(carrier, offer(4000)))
            assert await answer(carrier, calls[-1]) == "200"
        late = await invite(carrier, offer(4000))
        assert await answer(carrier, late) == "503"
        [refused] = [message for message in carrier.heard if message.what == "503"]
        assert int(refused.one("Retry-After")) > 0
        for call_id in calls:
            await hang_up(carrier, call_id)
        await until(lambda: len(stack.records()) == places // 2, "the records of the calls")
        again = await invite(carrier, offer(4000))
        assert await answer(carrier, again) == "200"
        await hang_up(carrier, again)


async def test_descriptions_of_sixteen_lines_and_noise_leave_the_process_alive(tmp_path: Path) -> None:
    async with tonewall(tmp_path) as (stack, carrier, _):
        [before] = stack.pids()["b2bua"]
        head = offer(4000).partition("m=")[0]
        for _ in range(3):
            call_id = await invite(carrier, head + MANY_LINES * 16)
            if await answer(carrier, call_id) == "200":
                await hang_up(carrier, call_id)
        for noise in ("v=0\r\n" * 4000, "\x00\xff" * 100, offer(4000).replace("PCMU", "X" * 3000), "m=audio"):
            call_id = await invite(carrier, noise)
            assert await answer(carrier, call_id) >= "400"
        stranger = SipPeer("127.0.0.2")
        with contextlib.closing(stranger):
            stranger.engine = carrier.engine
            stranger.send(stranger.request("INVITE", body=head + MANY_LINES * 16))
            await stranger.hear("403")
        carrier.unread.clear()  # what answered the calls before
        customer = Customer(carrier)
        with contextlib.closing(customer.media):
            await customer.dial()
            await customer.hang_up()
        assert stack.pids()["b2bua"] == [before]


async def test_codecs_that_pjmedia_does_not_know_cross_all_the_same(tmp_path: Path) -> None:
    async with tonewall(tmp_path) as (_, carrier, desk):
        offered = (
            offer(4000)
            .replace("AVP 0 101", "AVP 0 96 101")
            .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:96 VMR-WB/16000")
        )
        call_id = await invite(carrier, offered)
        assert await answer(carrier, call_id) == "200"
        [described] = desk.invites.values()
        assert "pjmedia" not in described
        await hang_up(carrier, call_id)
