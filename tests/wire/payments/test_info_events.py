"""A PBX that wants keys as telephone-event (`dtmf = rfc4733`): a carrier's INFO arrives as such,
and never while masked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc.rtp import RtpPacket, is_rtcp

from media.formats.rtp import Ssrc
from media.formats.telephone_event import KEYS, parse
from media.reference.reassembly import Arrival, Presses
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.conftest import Peers
from tests.wire.handmade import EVENT_TYPE, SSRC, Customer, MediaPair, offer, trunk
from tests.wire.info_keys import RELAY, pressed
from tests.wire.paying import without_complaint
from tests.wire.scene import Scene, events, scene
from tests.wire.sip_peer import HOST


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, pbx_keys={"dtmf": "rfc4733"}) as up:
        yield up
        await up.end(up.agent)


def packets(pair: MediaPair) -> list[RtpPacket]:
    return [RtpPacket.parse(data) for data, _ in pair.rtp.heard if not is_rtcp(data)]


def decoded(pair: MediaPair) -> str:
    """The keys that this phone heard, each once."""
    presses, keys = Presses(), ""
    for at, packet in enumerate(packets(pair)):
        event = parse(packet.payload) if packet.payload_type == EVENT_TYPE else None
        if event is None:
            continue
        header = Ssrc(packet.ssrc), packet.timestamp, packet.sequence_number, bool(packet.marker)
        seen = presses.sight(Arrival(*header, event, masked=False, now_ms=20 * at))
        keys += chr(KEYS[event.code]) if seen.is_new else ""
    return keys


async def test_keys_by_info_arrive_as_events_in_the_stream_of_the_customers_audio(at: Scene) -> None:
    async with asyncio.TaskGroup() as talk:
        talk.create_task(at.customer.play([at.customer.speech() for _ in range(250)]))
        await until(lambda: at.old.rtp.heard, "speech at the agent's phone")
        for cseq, key in enumerate("907*#", 2):
            await pressed(at, key, cseq, RELAY if cseq % 2 else "application/dtmf")
        await until(lambda: events(at.old) >= 5 * 10, "five keys of 160 ms")
    await until(
        lambda: len(packets(at.old)) == 250 + 5 * 10,
        "all of the speech, and eight packets and two ends more a key",
    )
    assert decoded(at.old) == "907*#"
    heard = packets(at.old)
    assert {packet.ssrc for packet in heard} == {SSRC}
    assert all(
        (after.sequence_number - before.sequence_number) % 0x10000 == 1
        for before, after in itertools.pairwise(heard)
    )
    ends = [parse(packet.payload) for packet in heard if packet.payload_type == EVENT_TYPE]
    assert [event.duration for event in ends if event is not None and event.end] == [1280] * 15
    began = [packet.timestamp for packet in heard if packet.marker]
    assert len(began) == 5
    assert all(0 < (after - before) % 2**32 < 2**31 for before, after in itertools.pairwise(began))
    at.pbx.never("INFO")


async def test_before_the_customer_speaks_keys_are_a_stream_of_our_own(at: Scene) -> None:
    await pressed(at, "4", 2)
    await pressed(at, "4", 3)
    await until(lambda: decoded(at.old) == "44", "both keys")
    assert len({packet.ssrc for packet in packets(at.old)}) == 1
    at.pbx.never("INFO")


async def test_what_is_no_key_is_refused_and_other_infos_are_relayed(at: Scene) -> None:
    at.carrier.send(at.carrier.request("INFO", call=at.near, cseq=2, body="what", Content_Type=RELAY))
    assert (await at.carrier.hear("415")).one("CSeq") == "2 INFO"
    at.carrier.send(at.carrier.request("INFO", call=at.near, cseq=3, body="5", Content_Type="text/plain"))
    at.pbx.reply(await at.pbx.hear("INFO"), 200)
    assert (await at.carrier.hear("200")).one("CSeq") == "3 INFO"
    assert events(at.old) == 0


async def test_a_mask_drops_what_is_not_sent_yet_and_under_it_no_key_leaves(at: Scene) -> None:
    for cseq in range(2, 6):
        body = "Signal=7\r\nDuration=5000\r\n"
        at.carrier.send(at.carrier.request("INFO", call=at.near, cseq=cseq, body=body, Content_Type=RELAY))
        await at.carrier.hear("200")
    await until(lambda: events(at.old) > 2, "the first key on its way")
    await at.stack.start_capture(at.call_id)
    # What left before has arrived by then.
    await at.customer.play([at.customer.speech() for _ in range(5)])
    sent = events(at.old)
    await pressed(at, "5", 6)
    await at.customer.play([at.customer.speech() for _ in range(50)])
    assert events(at.old) == sent, "of what the mask found, nothing left"
    assert set(decoded(at.old)) == {"7"}
    assert not any(
        parse(packet.payload).end for packet in packets(at.old) if packet.payload_type == EVENT_TYPE
    )  # type: ignore[union-attr]
    at.pbx.never("INFO")
    await at.stack.api.delete(f"/v1/calls/{at.call_id}/capture")
    await at.stack.unmasked(at.call_id)
    await pressed(at, "8", 7)
    await until(lambda: decoded(at.old) == "78", "a key after the payment")


def plain(port: int) -> str:
    """A session without telephone-event, as a carrier describes it whose keys come as INFO."""
    lines = offer(port).replace(" 0 101\r\n", " 0\r\n").split("\r\n")
    return "\r\n".join(line for line in lines if ":101 " not in line)


async def test_baresip_behind_the_pbx_hears_each_key_once(peers: Peers) -> None:
    agent = await peers.baresip(user="desk")
    with trunk() as carrier:
        stack = Stack(peers.directory, carrier.port, agent.port, pairs=20, extra={"pbx": {"dtmf": "rfc4733"}})
        async with running(stack), without_complaint(stack):
            carrier.engine = (HOST, stack.sip_port)
            customer = Customer(carrier)
            with contextlib.closing(customer.media):
                near = await customer.dial(describe=plain)
                async with asyncio.TaskGroup() as talk:
                    talk.create_task(customer.play([customer.speech() for _ in range(150)]))
                    for cseq, key in enumerate("907*#", 2):
                        text = f"Signal={key}\r\nDuration=100\r\n"
                        carrier.send(
                            carrier.request("INFO", call=near, cseq=cseq, body=text, Content_Type=RELAY)
                        )
                        await carrier.hear("200")
                    await until(lambda: agent.seen("CALL_DTMF_START") == 5, "baresip to hear five keys")
                await until(lambda: agent.seen("CALL_DTMF_END") >= 5, "baresip to hear their ends")
                assert agent.keys == "907*#"
                carrier.send(carrier.request("BYE", call=near, cseq=9))
                await carrier.hear("200")
                await agent.wait("CALL_CLOSED", PATIENCE)
    await agent.stop()
