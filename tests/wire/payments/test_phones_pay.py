"""The main job between telephones that are not ours: pjsua2 as the customer's, baresip as the
agent's, aiortc as the witness."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.demo.phones import Phone
from b2bua.demo.speech import loudness, speak
from tests.canary import CANARY, Card
from tests.stack import PATIENCE, Stack, running, until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line
from tests.wire.paying import (
    AUDIBLE,
    NUMBER,
    PHONE_EVENTS,
    Addresses,
    between,
    charged,
    clock_runs_backwards,
    digits_sha256,
    events_of_any_type,
    level,
    nothing_left,
    without_complaint,
)
from tests.wire.peers.aiortc_view import Continuity, Flow
from tests.wire.peers.baresip import Baresip

DECLINED = Card(number="4000000000000002", expiry=CANARY.expiry, code=CANARY.code)
OTHER = Card(number="5555555555554444", expiry="1038", code="812")


async def reports_both_ways(file: Path, *legs: tuple[str, str]) -> None:
    """Until the capture holds RTCP in all these directions (sender reports come every few
    seconds)."""

    async def there() -> bool:
        await asyncio.sleep(0.3)
        return all(between(file, *leg).rtcp for leg in legs)

    await until(there, f"RTCP on {legs}", 40)


def well_formed(flow: Flow) -> None:
    assert flow.neither == 0
    assert flow.continuity() == Continuity(missing=0, again=0, late=0)
    assert clock_runs_backwards(flow) == 0
    assert len(flow.ssrcs) == 1


# --- baresip --------------------------------------------------------------------------------------


async def test_a_customer_with_pjsua2_pays_an_agent_with_baresip_who_hears_only_the_keys_outside(
    peers: Peers,
) -> None:
    speech, heard = peers.directory / "speech.wav", peers.directory / "heard.wav"
    speak("This is what the two of them say to each other", speech)
    # The loopback interface's own address: baresip takes no other.
    at = Addresses(agent="127.0.0.1")
    here, tonewall, there = at.customer, at.tonewall, at.agent
    agent = await peers.baresip(speech=speech, user=NUMBER)
    customer = await peers.phone("customer", address=here, play=speech, record=heard)
    async with running(Stack(peers.directory, customer.port, agent.port, pairs=20, extra=at.conf())) as stack:
        async with without_complaint(stack):
            await customer.call(at.number(stack))
            await customer.wait("media", PATIENCE)
            await agent.wait("CALL_ESTABLISHED", PATIENCE)
            [call] = await stack.calls_up()
            assert call["direction"] == "inbound"

            async with peers.capture("before", at.media(stack)) as before:
                await customer.keys("12*")
                await until(lambda: agent.seen("CALL_DTMF_START") == 3, "baresip to hear three keys")
            assert agent.keys == "12*"

            async with peers.capture("masked", at.media(stack)) as masked:
                await stack.start_capture(call["id"], transaction="baresip-1")
                await customer.keys(CANARY.keys)
                await stack.stage(call["id"], "ready")
                outcome = await stack.submit(call["id"])
                legs = [(here, tonewall), (tonewall, there), (there, tonewall), (tonewall, here)]
                await reports_both_ways(masked, *legs)
            assert agent.seen("CALL_DTMF_START") == 3

            line = Line(stack, customer, customer)
            await line.unmasked(call["id"])
            async with peers.capture("after", at.media(stack)) as after:
                await customer.keys("0#")
                await until(lambda: agent.seen("CALL_DTMF_START") == 5, "baresip to hear two keys more")
            assert agent.keys == "12*0#"
            await customer.record(None)
            await customer.hangup()
            await agent.wait("CALL_CLOSED", PATIENCE)
        assert outcome["type"] == "approved"
        record = await charged(stack, "baresip-1")
    await agent.stop()

    assert record["digits_sha256"] == digits_sha256()
    assert record["charges"] == 1
    to_agent, from_customer = between(masked, tonewall, there), between(masked, here, tonewall)
    # aiortc sees them: it could have seen them on the other leg.
    assert from_customer.keys(PHONE_EVENTS) == CANARY.keys
    assert to_agent.events(PHONE_EVENTS) == events_of_any_type(to_agent) == 0
    assert set(to_agent.payload_types()) == {0}
    for file in (before, masked, after):
        well_formed(between(file, tonewall, there))
        well_formed(between(file, tonewall, here))
    for flow in [between(masked, *leg) for leg in legs]:
        assert len(flow.rtp) > 100
        assert flow.rtcp
        assert level(flow) > AUDIBLE
    assert between(before, tonewall, there).keys(PHONE_EVENTS) == "12*"
    assert between(after, tonewall, there).keys(PHONE_EVENTS) == "0#"
    assert loudness(heard) > AUDIBLE
    assert [loudness(recording) > AUDIBLE for recording in agent.heard] == [True]


async def test_baresip_hangs_up_while_the_customer_keys_and_nothing_is_charged(peers: Peers) -> None:
    async with answered_by_baresip(peers) as (stack, customer, agent):
        await customer.call(f"sip:{NUMBER}@127.0.0.1:{stack.sip_port}")
        await agent.wait("CALL_ESTABLISHED", PATIENCE)
        [call] = await stack.calls_up()
        await stack.start_capture(call["id"])
        await customer.keys(CANARY.number[:10])
        await agent.command("hangup")
        await customer.wait("ended", PATIENCE)
        await agent.wait("CALL_CLOSED", PATIENCE)
        await nothing_left(stack)
        assert await stack.charges() == []
        assert agent.seen("CALL_DTMF_START") == 0


@contextlib.asynccontextmanager
async def answered_by_baresip(peers: Peers) -> AsyncIterator[tuple[Stack, Phone, Baresip]]:
    agent = await peers.baresip(user=NUMBER)
    customer = await peers.phone("customer")
    async with (
        running(Stack(peers.directory, customer.port, agent.port, pairs=20)) as stack,
        without_complaint(stack),
    ):
        yield stack, customer, agent


# --- calls from the PBX ---------------------------------------------------------------------------


async def test_a_customer_whom_the_agent_called_pays_just_the_same(peers: Peers) -> None:
    at = Addresses()
    here, tonewall, there = at.customer, at.tonewall, at.agent
    speech, heard = peers.directory / "speech.wav", peers.directory / "heard.wav"
    speak("I am calling about your order", speech)
    customer = await peers.phone("customer", address=here, ring_ms=100, play=speech)
    agent = await peers.phone("agent", address=there, play=speech, record=heard)
    async with running(Stack(peers.directory, customer.port, agent.port, pairs=20, extra=at.conf())) as stack:
        async with without_complaint(stack):
            line = Line(stack, customer, agent)
            await agent.call(at.number(stack))
            assert "agent" in (await customer.wait("ringing", PATIENCE))["from"]
            assert (await agent.wait("ringback", PATIENCE))["code"] == 180
            [call] = await stack.calls_up()
            assert (call["direction"], call["caller"], call["callee"]) == ("outbound", "agent", NUMBER)
            await line.voice()
            async with peers.capture("masked", at.media(stack)) as masked:
                await line.keyed(call["id"], CANARY.keys, "outbound-1")
                outcome = await stack.submit(call["id"])
            assert agent.seen("dtmf") == 0
            await line.unmasked(call["id"])
            await line.key("5")
            await until(
                lambda: agent.seen("dtmf") == 1, "the agent's phone to hear the key after the payment"
            )
            await agent.record(None)
            await agent.hangup()
            await customer.wait("ended", PATIENCE)
        assert outcome["type"] == "approved"
        assert (await charged(stack, "outbound-1"))["digits_sha256"] == digits_sha256()
    to_agent = between(masked, tonewall, there)
    assert between(masked, here, tonewall).keys(PHONE_EVENTS) == CANARY.keys
    assert events_of_any_type(to_agent) == 0
    well_formed(to_agent)
    assert level(to_agent) > AUDIBLE
    assert level(between(masked, tonewall, here)) > AUDIBLE
    assert loudness(heard) > AUDIBLE


# --- ends of calls --------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_ringing_refusal_and_hang_up_pass_through_from_either_side(
    peers: Peers, direction: str
) -> None:
    async with telephones(peers, direction) as (stack, caller, callee):
        number = f"sip:{NUMBER}@127.0.0.1:{stack.sip_port}"

        async def ring() -> None:
            await caller.call(number)
            await callee.wait("ringing", PATIENCE)
            assert (await caller.wait("ringback", PATIENCE))["code"] == 180

        async def answer() -> None:
            await callee.answer()
            for phone in (caller, callee):
                await phone.wait("answered", PATIENCE)
            await stack.calls_up()

        async def both_know(code: int) -> None:
            assert (await caller.wait("ended", PATIENCE))["code"] == code
            await callee.wait("ended", PATIENCE)
            await nothing_left(stack)

        await ring()
        await callee.hangup()
        await both_know(603)
        await ring()
        await caller.hangup()
        await both_know(487)
        for hangs_up in (caller, callee):
            await ring()
            await answer()
            await hangs_up.hangup()
            await both_know(200)
    assert [record["code"] for record in stack.records()] == [603, 487, 200, 200]


@contextlib.asynccontextmanager
async def telephones(peers: Peers, direction: str) -> AsyncIterator[tuple[Stack, Phone, Phone]]:
    """Tonewall, the phone that calls, the phone that is called; both pjsua2."""
    customer, agent = await peers.phone("customer"), await peers.phone("agent")
    caller, callee = (customer, agent) if direction == "inbound" else (agent, customer)
    async with (
        running(Stack(peers.directory, customer.port, agent.port, pairs=20)) as stack,
        without_complaint(stack),
    ):
        yield stack, caller, callee


# --- what goes wrong when a card is keyed ---------------------------------------------------------


async def test_a_mistyped_number_is_asked_for_again_a_star_clears_and_the_agent_has_one_field_keyed_anew(
    peers: Peers,
) -> None:
    async with line(peers) as wire, without_complaint(wire.stack):
        stack, call_id = wire.stack, await wire.dial()
        await stack.start_capture(call_id, transaction="corrected-1")

        wrong = CANARY.number[:-1] + str((int(CANARY.number[-1]) + 1) % 10)
        await wire.key(f"{wrong}#")
        number = await progress(stack, call_id, "card_number", rejected=1)
        assert (number["count"], number["complete"]) == (0, False)
        assert (await capture(stack, call_id))["reason"] == "card number: check digit does not match"

        await wire.key(f"*{CANARY.number[:7]}")  # what follows a refusal at once would be ignored
        await progress(stack, call_id, "card_number", count=7)
        await wire.key("*")
        await progress(stack, call_id, "card_number", count=0)
        await wire.key(f"{CANARY.number}#{OTHER.expiry}#")
        assert (await capture(stack, call_id))["last_four"] == CANARY.number[-4:]
        await progress(stack, call_id, "expiry", complete=True)

        answer = await stack.api.post(f"/v1/calls/{call_id}/capture/reset", json={"field": "expiry"})
        assert answer.status_code == 200, answer.text
        await progress(stack, call_id, "expiry", count=0, complete=False)
        await progress(stack, call_id, "card_number", complete=True)
        # `*`: what follows is meant, and not left over from before.
        await wire.key(f"*{CANARY.expiry}#{CANARY.code}#")
        await stack.stage(call_id, "ready")
        outcome = await stack.submit(call_id)
        assert outcome["type"] == "approved"
        assert (await charged(stack, "corrected-1"))["digits_sha256"] == digits_sha256()
        assert wire.agent.seen("dtmf") == 0
        await wire.hang_up()


async def test_one_field_is_keyed_again_alone_and_what_it_had_counts_until_then(peers: Peers) -> None:
    async with line(peers) as wire, without_complaint(wire.stack):
        stack, call_id = wire.stack, await wire.dial()
        ask = f"/v1/calls/{call_id}/capture/ask"
        await stack.start_capture(call_id, transaction="asked-1")
        assert (await stack.api.post(ask, json={"field": "expiry"})).status_code == 200
        # `*`: what follows is meant, and not left over from before.
        await wire.key(f"*{OTHER.expiry}#")
        await progress(stack, call_id, "expiry", complete=True)
        await progress(stack, call_id, "card_number", count=0)
        await wire.key(f"{CANARY.number}#{CANARY.code}#")
        await stack.stage(call_id, "ready")

        assert (await stack.api.post(ask, json={"field": "card_number"})).status_code == 200
        await wire.key("*55")
        await progress(stack, call_id, "card_number", count=2, kept=True)
        assert (await stack.api.post(ask)).status_code == 200
        await stack.stage(call_id, "ready")
        assert (await capture(stack, call_id))["last_four"] == CANARY.number[-4:]

        assert (await stack.api.post(ask, json={"field": "expiry"})).status_code == 200
        await stack.stage(call_id, "collecting")
        refused = await stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        assert refused.status_code == 409
        await wire.key(f"*{CANARY.expiry}#")
        await stack.stage(call_id, "ready")
        assert (await stack.submit(call_id))["type"] == "approved"
        assert (await charged(stack, "asked-1"))["digits_sha256"] == digits_sha256()
        assert wire.agent.seen("dtmf") == 0
        await wire.hang_up()


async def test_an_order_names_its_form_whose_security_code_is_skipped(peers: Peers) -> None:
    forms = {"form": {}, "form phone": {"security_code": "optional", "brands": "visa"}}
    async with line(peers, extra=forms) as wire, without_complaint(wire.stack):
        stack, call_id = wire.stack, await wire.dial()
        assert [each["name"] for each in (await stack.api.get("/v1/forms")).json()] == ["card", "phone"]
        path = f"/v1/calls/{call_id}/capture"
        order = {"transaction_id": "skipped-1", "amount": 1999, "currency": "EUR"}
        unknown = await stack.api.post(path, json={**order, "form": "fax"})
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "form")
        started = await stack.api.post(path, json={**order, "form": "phone"})
        assert started.json()["capture"]["order"]["form"] == "phone"
        await stack.stage(call_id, "collecting")
        await wire.key("378282246310005#")
        number = await progress(stack, call_id, "card_number", rejected=1)
        assert number["reason"] == "card_brand"
        # `*`: what follows is meant, and not left over from what was refused.
        await wire.key(f"*{CANARY.number}#")
        await progress(stack, call_id, "card_number", complete=True)
        await wire.key(f"{CANARY.expiry}#")
        await progress(stack, call_id, "expiry", complete=True)
        number_needed = await stack.api.post(f"{path}/skip", json={"field": "card_number"})
        assert number_needed.status_code == 409
        assert (await stack.api.post(f"{path}/skip", json={"field": "security_code"})).status_code == 200
        await stack.stage(call_id, "ready")
        assert (await stack.submit(call_id))["type"] == "approved"
        record = await charged(stack, "skipped-1")
        keyed = hashlib.sha256(f"{CANARY.number}{CANARY.expiry}".encode()).hexdigest()
        assert record["digits_sha256"] == keyed
        assert wire.agent.seen("dtmf") == 0
        await wire.hang_up()


async def test_a_payment_is_cancelled_the_next_declined_and_the_third_approved_all_in_one_call(
    peers: Peers,
) -> None:
    async with line(peers) as wire, without_complaint(wire.stack):
        stack, call_id = wire.stack, await wire.dial()
        await stack.start_capture(call_id, transaction="cancelled-1")
        await wire.key(CANARY.number[:5])
        answer = await stack.api.delete(f"/v1/calls/{call_id}/capture")
        assert answer.status_code == 200, answer.text
        assert answer.json()["capture"]["stage"] == "cancelled"
        assert (answer.json()["masked"], answer.json()["mask"]) == (True, "held")
        await wire.unmasked(call_id)
        await wire.key("7")
        await until(lambda: wire.agent.seen("dtmf") == 1, "a key to pass between two payments")

        await wire.keyed(call_id, DECLINED.keys, "declined-1")
        outcome = await stack.submit(call_id)
        assert (outcome["type"], outcome["reason"]) == ("declined", "do_not_honour")
        # At once, under the mask of the payment before.
        await wire.keyed(call_id, OTHER.keys, "approved-1")
        assert (await stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        assert wire.agent.seen("dtmf") == 1
        assert (await charged(stack, "declined-1"))["charges"] == 0
        record = await charged(stack, "approved-1")
        assert (record["charges"], record["digits_sha256"]) == (1, digits_sha256(OTHER))
        assert len(await stack.charges()) == 2
        await wire.hang_up()


async def capture(stack: Stack, call_id: str) -> dict[str, object]:
    return (await stack.call(call_id))["capture"]


async def progress(stack: Stack, call_id: str, name: str, **wanted: object) -> dict[str, object]:
    """The field's progress, once it is as wanted."""
    seen: dict[str, object] = {}

    async def there() -> bool:
        [one] = [each for each in (await capture(stack, call_id))["fields"] if each["field"] == name]
        seen.update(one)
        return wanted.items() <= one.items()

    await until(there, f"{name} to be {wanted}; see {stack.log}")
    return seen
