"""Transfers by telephones that are not ours, while a customer keys a card: pjsua2 and baresip
behind kamailio as the PBX."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from b2bua.demo.phones import Phone
from tests.canary import CANARY
from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.conftest import Peers
from tests.wire.line import GAP_MS
from tests.wire.paying import charged, digits_sha256, own_network, without_complaint
from tests.wire.peers import kamailio
from tests.wire.peers.desk_phone import DeskPhone

NEW = "600"  # the agent to whom the call is transferred


@contextlib.asynccontextmanager
async def pbx(peers: Peers, old: int, new: int) -> AsyncIterator[tuple[Stack, Phone]]:
    """Tonewall between a customer's phone and a kamailio with two desks: `NEW` at port `new`,
    anybody else at `old`."""
    if not kamailio.available():
        pytest.skip("kamailio is not here")
    carrier = f"{own_network()}.2"
    customer = await peers.phone("customer", address=carrier)
    port = free_port()
    stack = Stack(peers.directory, customer.port, port, pairs=20, extra={"carrier": {"host": carrier}})
    async with running(stack), without_complaint(stack):
        proxy = await kamailio.Kamailio.start(
            peers.folder("kamailio"), stack.sip_port, old, port, phones={NEW: new}
        )
        try:
            yield stack, customer
        finally:
            await proxy.stop()


async def keyed_across(stack: Stack, customer: Phone, keys: str) -> None:
    """The rest of the card, keyed for the new agent."""
    [call] = await stack.calls_up()
    await customer.keys(keys, gap_ms=GAP_MS)
    await stack.stage(call["id"], "ready")
    assert (await stack.submit(call["id"]))["type"] == "approved"
    assert (await charged(stack, "order-1"))["digits_sha256"] == digits_sha256()


@contextlib.asynccontextmanager
async def desk(user: str, address: str = "127.0.0.1") -> AsyncIterator[DeskPhone]:
    phone = await DeskPhone.start(user, address)
    try:
        yield phone
    finally:
        await phone.stop()


async def heard_more(phone: DeskPhone, line: int) -> None:
    before = await phone.packets(line)

    async def more() -> bool:
        return await phone.packets(line) > before + 10

    await until(more, f"speech at line {line} of {phone.user}")


async def begun(stack: Stack, customer: Phone) -> str:
    """The customer calls, and has keyed the beginning of a card. The call's id."""
    await customer.call(f"sip:100@127.0.0.1:{stack.sip_port}")
    await customer.wait("media", PATIENCE)
    [call] = await stack.calls_up()
    await stack.start_capture(call["id"])
    await customer.keys(CANARY.keys[:6], gap_ms=GAP_MS)
    return str(call["id"])


async def test_baresip_transfers_blindly_to_pjsua2_while_a_card_is_keyed(peers: Peers) -> None:
    old = await peers.baresip(user="100")
    async with desk(NEW) as new, pbx(peers, old.port, new.port) as (stack, customer):
        call_id = await begun(stack, customer)
        await old.command("transfer", f"sip:{NEW}@127.0.0.1")
        await new.wait("answered", line=0)
        await old.wait("CALL_CLOSED", PATIENCE)
        await heard_more(new, 0)
        await keyed_across(stack, customer, CANARY.keys[6:])
        assert [call["id"] for call in await stack.calls()] == [call_id]
        await customer.hangup()
        await new.wait("ended", line=0)
        assert (old.seen("CALL_DTMF_START"), new.seen("dtmf")) == (0, 0)
    assert stack.records()[0]["transfers"] == 1


async def test_pjsua2_transfers_blindly_to_baresip_while_a_card_is_keyed(peers: Peers) -> None:
    new = await peers.baresip(user=NEW)
    async with desk("100") as old, pbx(peers, old.port, new.port) as (stack, customer):
        await begun(stack, customer)
        await old.do("transfer", line=0, uri=f"sip:{NEW}@127.0.0.1")
        await new.wait("CALL_ESTABLISHED", PATIENCE)
        assert (await old.wait("transfer", line=0, last=True))["code"] == 200
        await old.wait("ended", line=0)
        await keyed_across(stack, customer, CANARY.keys[6:])
        await customer.hangup()
        await new.wait("CALL_CLOSED", PATIENCE)
        assert (new.seen("CALL_DTMF_START"), old.seen("dtmf")) == (0, 0)


async def test_pjsua2_consults_a_colleague_and_joins_him_by_replaces_while_a_card_is_keyed(
    peers: Peers,
) -> None:
    async with desk("100") as old, desk(NEW) as new, pbx(peers, old.port, new.port) as (stack, customer):
        await begun(stack, customer)
        await old.do("hold", line=0)
        await old.do("call", uri=new.uri)
        await old.wait("answered", line=1)
        await old.do("join", line=0, other=1)
        await new.wait("replaced", line=0)
        assert (await old.wait("transfer", line=0, last=True))["code"] == 200
        for line in (0, 1):
            await old.wait("ended", line=line)
        await heard_more(new, 1)
        await keyed_across(stack, customer, CANARY.keys[6:])
        await customer.hangup()
        await new.wait("ended", line=1)
        assert (new.seen("dtmf"), old.seen("dtmf")) == (0, 0)


async def test_pjsua2_joins_a_customer_and_whom_it_consulted_on_another_carrier(peers: Peers) -> None:
    """Both of its calls run through Tonewall; the two carriers' phones are pjsua2 as well."""
    north, south = f"{own_network()}.2", f"{own_network()}.3"
    customer = await peers.phone("customer", address=north)
    consulted = await peers.phone("customer", user="555", address=south, ring_ms=50)
    async with desk("100") as agent:
        extra = {
            "carrier north": {"host": north, "port": str(customer.port)},
            "carrier south": {"host": south, "port": str(consulted.port)},
            "route in": {"source": "north, south", "to": "pbx"},
            "route out": {"source": "pbx", "to": "south"},
        }
        stack = Stack(peers.directory, 0, agent.port, pairs=20, extra=extra, without=("carrier",))
        async with running(stack), without_complaint(stack):
            await customer.call(f"sip:100@127.0.0.1:{stack.sip_port}")
            await agent.wait("answered", line=0)
            [call] = await stack.calls_up()
            await agent.do("hold", line=0)
            await agent.do("call", uri=f"sip:555@127.0.0.1:{stack.sip_port}")
            await agent.wait("answered", line=1)
            await agent.do("hold", line=1)
            await stack.calls_up(2)
            await held(stack)
            await agent.do("join", line=0, other=1)
            assert (await agent.wait("transfer", line=0, last=True))["code"] == 200
            for line in (0, 1):
                await agent.wait("ended", line=line)
            assert [view["id"] for view in await stack.calls()] == [call["id"]]
            await talk(customer, consulted)
            await stack.start_capture(call["id"])
            await keyed_across(stack, customer, CANARY.keys)
            assert (consulted.seen("dtmf"), agent.seen("dtmf")) == (0, 0)
            await consulted.hangup()
            await customer.wait("ended", PATIENCE)
        assert sorted(record["end"] for record in stack.records())[1] == f"joined call {call['id']}"


async def held(stack: Stack) -> None:
    """Until both carriers' phones are on hold."""

    async def on_hold() -> bool:
        text = stack.log.read_text()
        return text.count('"kind":"ReinviteAnswered"') >= 2

    await until(on_hold, "both calls on hold")


async def talk(*phones: Phone) -> None:
    for phone in phones:
        before = (await phone.stats()).get("received", 0)

        async def more(phone: Phone = phone, wanted: int = before + 15) -> bool:
            return (await phone.stats()).get("received", 0) >= wanted

        await until(more, f"speech at the phone of {phone.user}")
