"""The independent peers against each other, without Tonewall: what they see here they would see
there."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from b2bua.demo.phones import PhoneError, PhoneTimeoutError
from b2bua.demo.speech import loudness, speak
from tests.wire.conftest import Peers
from tests.wire.peers import aiortc_view, sipp, tshark
from tests.wire.peers.keypad import Handset
from tests.wire.peers.ports import until

CALLS = 5
# What PJMEDIA calls its telephone events.
PHONE_EVENTS = 120


async def test_sipp_keys_a_number_of_its_own_in_every_call_when_the_test_says_so(peers: Peers) -> None:
    carrier_files, pbx_files = peers.folder("carrier"), peers.folder("pbx")
    numbers = [f"11{call:02d}33*#" for call in range(CALLS)]
    handsets = [Handset(ssrc=100 + call) for call in range(CALLS)]
    hello = sipp.play(carrier_files, *[handset.speak(300) for handset in handsets], name="hello")
    keys = [handset.press(number, gap_ms=60) for handset, number in zip(handsets, numbers, strict=True)]
    card = sipp.play(carrier_files, *keys, name="card")
    pays = sipp.scenario(
        "carrier", carrier_files, [hello, sipp.Go("KEY"), card, sipp.Go("LEAVE")], sipp.HANG_UP
    )
    speech = sipp.play(pbx_files, Handset(ssrc=7).speak(600), wait=False)
    pbx = await peers.sipp(sipp.scenario("pbx", pbx_files, [speech], sipp.AWAIT_BYE), calls=CALLS)
    carrier = await peers.sipp(pays, remote=(pbx.address, pbx.port), calls=CALLS)

    ports = [pbx.rtp_port(call) for call in range(1, CALLS + 1)]
    async with peers.capture("keying", f"udp portrange {ports[0]}-{ports[-1]}") as file:
        await carrier.go("KEY")
        await carrier.go("LEAVE")
        await carrier.finished()
        await pbx.finished()

    counts = await tshark.count(file, ports)
    assert [counts.events[port] for port in ports] == [10 * len(number) for number in numbers]
    for call, port in enumerate(ports):
        heard = aiortc_view.towards(file, port)
        assert heard.keys() == numbers[call]
        assert heard.events() == counts.events[port]
        assert heard.ssrcs == [100 + call]
        assert heard.continuity() == aiortc_view.Continuity(missing=0, again=2 * len(numbers[call]), late=0)


async def test_the_pbx_hangs_up_when_the_test_says_so(peers: Peers) -> None:
    pbx_steps = [sipp.Go("LEAVE")]
    pbx = await peers.sipp(sipp.scenario("pbx", peers.folder("pbx"), pbx_steps, sipp.HANG_UP), calls=2)
    stays = sipp.scenario("carrier", peers.folder("carrier"), [sipp.Mark("answered")], sipp.AWAIT_BYE)
    carrier = await peers.sipp(stays, remote=(pbx.address, pbx.port), calls=2)
    await carrier.reached("answered")
    await pbx.go("LEAVE")
    assert (await carrier.finished()).successful == 2
    assert (await pbx.finished()).successful == 2


async def test_a_call_that_fails_is_told_with_what_sipp_said_of_it(peers: Peers) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        script = sipp.scenario("carrier", peers.folder("carrier"), [], sipp.HANG_UP)
        carrier = await peers.sipp(script, remote=peer.getsockname())
        invite, source = await asyncio.get_running_loop().sock_recvfrom(peer, 65535)
        kept = [
            line
            for line in invite.decode().split("\r\n")
            if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))
        ]
        answer = "\r\n".join(["SIP/2.0 486 Busy Here", *kept, "Content-Length: 0", "", ""])
        peer.sendto(answer.encode(), source)
        with pytest.raises(sipp.SippFailed, match="486 Busy Here"):
            await carrier.finished()


async def test_what_the_customers_phone_keys_reaches_baresip_and_speech_runs_both_ways(peers: Peers) -> None:
    speech, heard = peers.directory / "speech.wav", peers.directory / "heard.wav"
    speak("This is what the two of them say to each other", speech)
    agent = await peers.baresip(speech=speech)
    customer = await peers.phone("customer", play=speech, record=heard)
    async with peers.capture("call") as file:
        await customer.call(agent.uri)
        await customer.wait("media")
        await agent.wait("CALL_ESTABLISHED")
        assert await customer.keys("4411#", gap_ms=100) == 5
        await until(lambda: agent.seen("CALL_DTMF_START") == 5, "baresip to hear five keys")
        assert agent.keys == "4411#"
        await until(lambda: customer.traffic["received"] > 60, "the customer to hear speech")
        await customer.hangup()
        await customer.wait("ended")
        await agent.wait("CALL_CLOSED")
    await customer.record(None)
    await agent.stop()

    towards_agent = [
        flow for (_, to), flow in aiortc_view.flows(file, agent.rtp_ports).items() if to[1] in agent.rtp_ports
    ]
    said = next(flow for flow in towards_agent if flow.rtp)
    assert said.keys(PHONE_EVENTS) == "4411#"
    assert said.continuity() == aiortc_view.Continuity(missing=0, again=0, late=0)
    assert any(flow.rtcp for flow in towards_agent)
    counts = await tshark.count(file, [said.destination[1]], PHONE_EVENTS)
    assert counts.events[said.destination[1]] == said.events(PHONE_EVENTS) == 5 * 12
    assert loudness(heard) > 0.02
    assert [loudness(recording) > 0.005 for recording in agent.heard] == [True]


async def test_an_agents_phone_rings_answers_by_itself_and_says_how_many_keys_it_heard(
    peers: Peers, tmp_path: Path
) -> None:
    speech, heard = tmp_path / "speech.wav", tmp_path / "heard.wav"
    speak("Can you hear me?", speech)
    agent = await peers.phone("agent", ring_ms=100, record=heard)
    customer = await peers.phone("customer", user="+447700900123", play=speech)
    await customer.call(agent.uri)
    assert "+447700900123" in (await agent.wait("ringing"))["from"]
    assert (await customer.wait("ringback"))["code"] == 180
    for phone in (customer, agent):
        await phone.wait("answered")
        await phone.wait("media")
    await customer.keys("123", gap_ms=50)
    await until(lambda: agent.seen("dtmf") == 3, "the agent's phone to hear three keys")
    assert (await agent.stats())["dtmf"] == 3
    await agent.hangup()
    assert (await customer.wait("ended"))["code"] == 200
    statistics = await customer.stats()
    assert statistics["pressed"] == 3
    assert statistics["dtmf"] == statistics["lost"] == 0
    await agent.record(None)
    assert loudness(heard) > 0.005


async def test_a_phone_with_a_call_is_busy_and_takes_the_next_one_after_it(peers: Peers) -> None:
    agent, first, second = (
        await peers.phone("agent"),
        await peers.phone("customer"),
        await peers.phone("customer"),
    )
    await first.call(agent.uri)
    await agent.wait("ringing")
    await second.call(agent.uri)
    assert (await second.wait("ended"))["code"] == 486
    await first.hangup()
    await agent.wait("ended")
    await second.call(agent.uri)
    await agent.wait("ringing")
    await agent.answer()
    await second.wait("answered")


async def test_a_phone_that_dies_or_cannot_or_is_late_says_so_and_never_which_keys(peers: Peers) -> None:
    phone = await peers.phone("customer")
    with pytest.raises(PhoneTimeoutError, match=r"waited 0\.05 s for 'answered'; it has reported: "):
        await phone.wait("answered", within=0.05)
    with pytest.raises(PhoneError, match="could not keys: RuntimeError") as refused:
        await phone.keys("739173")
    assert "739173" not in str(refused.value)
    waiting = asyncio.create_task(phone.wait("answered"))
    await asyncio.sleep(0)
    os.kill(phone.pid, signal.SIGKILL)
    with pytest.raises(PhoneError, match=r"ended \(exit code -9\) while 'answered' was awaited"):
        await waiting
    with pytest.raises(PhoneError, match="is gone"):
        await phone.call("sip:nobody@127.0.0.1")
