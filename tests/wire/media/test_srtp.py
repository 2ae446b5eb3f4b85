"""A card is paid where a leg, or both, are encrypted: PJSIP's SRTP on the customer's side, libre's
own on the agent's."""

from __future__ import annotations

import pytest

from b2bua.demo.speech import loudness, speak
from tests.canary import CANARY
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.conftest import Peers
from tests.wire.line import Line
from tests.wire.paying import (
    AUDIBLE,
    NUMBER,
    Addresses,
    between,
    charged,
    digits_sha256,
    events_of_any_type,
    level,
    nothing_left,
    without_complaint,
)

SPOKEN = 160  # bytes of G.711 in 20 ms


@pytest.mark.parametrize("sealed", ["customer", "agent", "customer and agent"])
async def test_a_card_is_paid_over_srtp(peers: Peers, sealed: str) -> None:
    speech, heard = peers.directory / "speech.wav", peers.directory / "heard.wav"
    speak("This is what the two of them say to each other", speech)
    at = Addresses(agent="127.0.0.1")
    here, tonewall, there = at.customer, at.tonewall, at.agent
    agent = await peers.baresip(speech=speech, user=NUMBER, srtp="agent" in sealed)
    customer = await peers.phone(
        "customer", address=here, play=speech, record=heard, srtp="customer" in sealed
    )
    conf = at.conf()
    for who, trunk in (("customer", "carrier"), ("agent", "pbx")):
        conf[trunk]["srtp"] = "yes" if who in sealed else "no"
    async with running(Stack(peers.directory, customer.port, agent.port, pairs=20, extra=conf)) as stack:
        async with without_complaint(stack):
            await customer.call(at.number(stack))
            await customer.wait("media", PATIENCE)
            await agent.wait("CALL_ESTABLISHED", PATIENCE)
            [call] = await stack.calls_up()
            async with peers.capture("masked", at.media(stack)) as masked:
                await customer.keys("1")
                await until(lambda: agent.seen("CALL_DTMF_START") == 1, "baresip to hear a key")
                await stack.start_capture(call["id"], transaction="sealed-1")
                await customer.keys(CANARY.keys)
                await stack.stage(call["id"], "ready")
                assert (await stack.submit(call["id"]))["type"] == "approved"
            await Line(stack, customer, customer).unmasked(call["id"])
            await customer.keys("2")
            await until(lambda: agent.seen("CALL_DTMF_START") == 2, "baresip to hear a key again")
            assert agent.keys == "12"
            await customer.record(None)
            await customer.hangup()
            await agent.wait("CALL_CLOSED", PATIENCE)
            await nothing_left(stack)
        record = await charged(stack, "sealed-1")
    await agent.stop()

    assert record["digits_sha256"] == digits_sha256()
    assert loudness(heard) > AUDIBLE
    assert [loudness(recording) > AUDIBLE for recording in agent.heard] == [True]
    to_agent, to_customer = between(masked, tonewall, there), between(masked, tonewall, here)
    for who, flow in (("agent", to_agent), ("customer", to_customer)):
        sizes = {len(packet.payload) for packet in flow.rtp if packet.payload_type == 0}
        assert (min(sizes) > SPOKEN) is (who in sealed)
        assert level(flow) > AUDIBLE  # speech, or what looks like noise
    if "agent" not in sealed:
        assert events_of_any_type(to_agent) == to_agent.events(120) > 0  # of the key before


async def test_a_call_in_clear_is_refused_where_the_trunk_has_srtp(peers: Peers) -> None:
    customer, agent = await peers.phone("customer"), await peers.phone("agent", ring_ms=50)
    extra = {"carrier": {"srtp": "yes"}}
    async with running(Stack(peers.directory, customer.port, agent.port, pairs=20, extra=extra)) as stack:
        await customer.call(f"sip:{NUMBER}@127.0.0.1:{stack.sip_port}")
        assert (await customer.wait("ended", PATIENCE))["code"] == 488
        await nothing_left(stack)
