"""A customer who is not heard while a card is to be keyed: the API says so within 5 s, with why,
until something is accepted."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pylibsrtp
import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import MediaSocket, offer
from tests.wire.info_keys import pressed
from tests.wire.racing import MARK, racing
from tests.wire.scene import Scene, scene
from tests.wire.sip_peer import HOST

_PROFILE = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
_KEY, _OTHER_KEY = bytes(range(30)), bytes(range(1, 31))  # master key and salt
_REPORT = bytes.fromhex("80c9000112345678")
_REPORTED = 5.0  # seconds within which a fault is reported


@contextlib.asynccontextmanager
async def speaking(send: Callable[[], None]) -> AsyncIterator[None]:
    """`send` each 20 ms, as long as the block runs."""

    async def go_on() -> None:
        while True:
            send()
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(go_on())
    try:
        yield
    finally:
        sending.cancel()


@contextlib.asynccontextmanager
async def from_elsewhere(at: Scene) -> AsyncIterator[str]:
    """Somebody else sends the customer's audio; their address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        async with speaking(lambda: sock.sendto(at.customer.speech().serialize(), at.customer.far)):
            yield "{}:{}".format(*sock.getsockname())


async def fault(at: Scene) -> dict[str, object] | None:
    found: dict[str, object] | None = (await at.stack.call(at.call_id))["line_fault"]
    return found


async def test_a_customer_of_whom_nothing_comes_is_told_and_no_more_as_soon_as_something_does(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        loop = asyncio.get_running_loop()
        began = loop.time()
        found = await until(lambda: fault(at), "the fault to be reported")
        assert loop.time() - began < 5.0
        assert found["code"] == "no_packet"
        await at.customer.play([at.customer.speech()])
        await until(lambda: _heard(at), "the fault to be gone")
        await at.end(at.agent)


async def _heard(at: Scene) -> bool:
    return await fault(at) is None


async def test_packets_from_another_address_are_named_as_the_cause(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        async with from_elsewhere(at) as address:
            await at.stack.start_capture(at.call_id)
            found = await until(lambda: fault(at), "the fault to be reported")
            assert (found["code"], found["address"]) == ("other_source", address)
            assert isinstance(found["packets"], int)
            assert found["packets"] > 50
        await at.end(at.agent)


async def test_a_call_without_any_packet_ends_and_the_record_says_why(tmp_path: Path) -> None:
    async with scene(tmp_path, media={"media_timeout": "2"}) as at:
        bye = await at.carrier.hear("BYE", 15)
        assert "cause=102" in bye.one("Reason")
        at.carrier.reply(bye, 200)
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        [record] = await until(at.stack.records, "the call's record")
        assert record["end"] == "no media"
        assert record["caller_cause"] == 102


def sealed_offer(port: int, who: str) -> str:
    """The customer's side has SRTP, the agent's has none."""
    clear = offer(port, who)
    if who != "customer":
        return clear
    inline = base64.b64encode(_KEY).decode()
    return clear.replace("RTP/AVP", "RTP/SAVP") + f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{inline}\r\n"


def sealing(key: bytes) -> Callable[[bytes], bytes]:
    policy = pylibsrtp.Policy(key=key, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILE)
    return pylibsrtp.Session(policy).protect


async def test_packets_that_srtp_does_not_prove_are_named_as_the_cause(tmp_path: Path) -> None:
    async with scene(tmp_path, sealed_offer, srtp="yes") as at:
        seal, seal_wrongly = sealing(_KEY), sealing(_OTHER_KEY)

        def send(seal: Callable[[bytes], bytes]) -> None:
            at.customer.media.rtp.send(seal(at.customer.speech().serialize()), at.customer.far)

        async with speaking(lambda: send(seal_wrongly)):
            await at.stack.start_capture(at.call_id)
            loop = asyncio.get_running_loop()
            began = loop.time()
            found = await until(lambda: fault(at), "the fault to be reported")
            assert loop.time() - began < _REPORTED
            assert found["code"] == "not_authentic"
            assert isinstance(found["packets"], int)
            assert found["packets"] > 50
        assert at.old.rtp.heard == []
        async with speaking(lambda: send(seal)):
            await until(lambda: _heard(at), "the fault to be gone")
            await until(lambda: at.old.rtp.heard, "the customer at the agent's phone")
        await at.end(at.agent)


async def test_a_customer_whose_srtp_falls_out_of_step_while_keying_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path, sealed_offer, srtp="yes") as at:
        customer, seal = at.customer, sealing(_KEY)
        await at.stack.start_capture(at.call_id)
        in_step = [customer.speech(), *customer.press("4"), customer.speech(), customer.speech()]
        for packet in in_step:
            customer.media.rtp.send(seal(packet.serialize()), customer.far)
            await asyncio.sleep(0.02)
        await until(lambda: _counted(at, 1), "the key that was in step")
        for _ in range(
            4
            # A whole round of sequence numbers that is not sent: the rollover counters differ.
        ):
            customer._sequence = (customer._sequence + 16_383) & 0xFFFF
            seal(customer.speech().serialize())
        async with speaking(
            lambda: customer.media.rtp.send(seal(customer.speech().serialize()), customer.far)
        ):
            found = await until(lambda: fault(at), "the fault to be reported")
            assert found["code"] == "not_authentic"
        assert 0 < len(at.old.rtp.heard) <= len(in_step)
        await at.end(at.agent)


async def _counted(at: Scene, count: int) -> bool:
    return (await at.stack.call(at.call_id))["capture"]["fields"][0]["count"] == count


async def test_who_keys_by_info_is_not_told_to_be_silent_and_keys_a_card_without_a_packet(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, info_digits="yes") as at:
        await at.stack.start_capture(at.call_id)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for cseq, key in enumerate(CANARY.keys, 2):
            await pressed(at, key, cseq)
            assert await fault(at) is None
            await asyncio.sleep(0.3)  # as customers key
        assert loop.time() - began > _REPORTED
        await at.stack.stage(at.call_id, "ready")
        await at.customer_says("BYE", cseq=90)
        at.pbx.reply(await at.pbx.hear("BYE"), 200)


async def test_a_call_that_lost_its_b2bua_goes_on_while_both_speak_and_ends_once_one_is_silent(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, media={"quiet_time": "1.5"}, complaints=False) as at:
        customer, agent = at.customer, at.old

        def closed() -> bool:
            lines = [json.loads(line) for line in at.stack.log.read_text().splitlines()]
            return any(line["event"] == "orphan_closed" for line in lines)

        await customer.play([customer.speech()])
        await until(lambda: agent.rtp.heard, "the customer at the agent's phone")
        near = agent.rtp.heard[0][1]
        async with speaking(lambda: agent.rtp.send(customer.speech().serialize(), near)):
            async with speaking(lambda: customer.media.rtp.send(customer.speech().serialize(), customer.far)):
                [supervisor] = at.stack.pids()["supervisor"]
                os.kill(supervisor, signal.SIGSTOP)  # no other b2bua takes the call up
                [before] = at.stack.kill("b2bua")
                wanted = len(agent.rtp.heard) + 200  # more than two looks take
                await until(lambda: len(agent.rtp.heard) >= wanted, "the customer to be heard on")
                assert not closed()
            await until(closed, "the orphan to be closed, of which one side speaks on")
            os.kill(supervisor, signal.SIGCONT)
            await at.stack.await_restart(before)


@pytest.mark.parametrize("rtcp", [False, True], ids=["rtp", "rtp and rtcp"])
async def test_the_address_that_was_described_takes_the_place_of_a_neighbour_who_was_first(
    tmp_path: Path, *, rtcp: bool
) -> None:
    async with scene(tmp_path, nat="yes") as at:
        customer, agent = at.customer, at.old
        ports = [customer.far[1], customer.far[1] + 1][: 1 + rtcp]
        with racing(["127.0.0.66"], HOST, ports) as neighbour:
            await until(lambda: agent.rtp.heard, "the neighbour, who was first, to be taken for the customer")
            near = agent.rtp.heard[0][1]
            async with (
                speaking(lambda: customer.media.rtp.send(customer.speech().serialize(), customer.far)),
                speaking(lambda: customer.media.rtcp.send(_REPORT, (HOST, customer.far[1] + 1))),
                speaking(lambda: agent.rtp.send(customer.speech().serialize(), near)),
            ):
                await until(lambda: len(customer.media.rtp.heard) > 5, "the agent at the customer's phone")
                await until(
                    lambda: _REPORT in _datagrams(agent.rtcp), "the customer's RTCP at the agent's phone"
                )
                stolen = len(neighbour.received)
                heard, reported = len(agent.rtp.heard), len(agent.rtcp.heard)
                await at.stack.start_capture(at.call_id)
                await customer.key("4")
                await until(lambda: _counted(at, 1), "the key")
                await until(lambda: len(customer.media.rtp.heard) > 50, "the agent at the customer's phone")
                sent = neighbour.sent
                await until(lambda: neighbour.sent > sent + 100, "the neighbour to go on trying")
        assert len(neighbour.received) == stolen
        assert [MARK in data for data in _datagrams(agent.rtp)][heard:].count(True) == 0
        assert [MARK in data for data in _datagrams(agent.rtcp)][reported:].count(True) == 0
        assert any(MARK in data for data in _datagrams(agent.rtp)), "who was first was heard before"
        await at.end(at.agent)


def _datagrams(of: MediaSocket) -> list[bytes]:
    return [data for data, _ in of.heard]
