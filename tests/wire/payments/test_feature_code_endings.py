"""Feature codes that something ends or interrupts: nothing of them is left, and nobody hears of
them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import free_port, until
from tests.wire.handmade import offer
from tests.wire.payments.agents_phone import (
    ORDER,
    agents_phone,
    claimed,
    events_heard,
    key,
    nothing_told,
    told,
)
from tests.wire.scene import Scene, scene


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}) as up:
        yield up


async def test_a_customer_who_keys_codes_drives_nothing_and_the_agent_gets_the_keys(at: Scene) -> None:
    await agents_phone(at)
    claim = await claimed(at, ORDER)
    await at.customer.key(f"*{claim['code']}#*1#")
    await until(lambda: len(at.old.rtp.heard) > 60, "the customer's keys at the agent's phone")
    call = await at.stack.call(at.call_id)
    assert (call["claim"], call["feature_code"], call["capture"]) == ("", None, None)
    assert (await at.stack.api.get(f"/v1/claims/{claim['id']}")).json()["code"] == claim["code"]
    await at.end(at.agent)


async def test_a_hold_and_a_mask_in_mid_code_change_nothing_about_it(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at, ORDER)
    code = claim["code"]
    await key(phone, f"*{code[:2]}")
    body = offer(at.old.port, "old") + "a=sendonly\r\n"
    at.pbx.send(at.pbx.request("INVITE", call=at.agent, cseq=1, body=body))
    held = await at.carrier.hear("INVITE")
    at.carrier.reply(held, 200, body=offer(at.customer.media.port) + "a=recvonly\r\n")
    await at.carrier.hear("ACK")
    answer = await at.pbx.hear("200")
    at.pbx.send(at.pbx.request("ACK", call=at.agent, cseq=1))
    assert "a=recvonly" in answer.body
    await key(phone, code[2:4])
    await at.stack.start_capture(at.call_id)
    await key(phone, f"{code[4:]}#")
    assert (await told(at, 1))["done"]
    assert events_heard(at) == 0
    await at.end(at.agent)
    nothing_told(at.stack, code)


async def test_a_hang_up_in_mid_code_leaves_nothing(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at, ORDER)
    await key(phone, f"*{claim['code']}")
    await at.end(at.agent)

    async def gone() -> bool:
        health = (await at.stack.api.get("/healthz")).json()
        return health["calls"] == health["sessions"] == 0

    await until(gone, "the call and its session to end")
    assert (await at.stack.api.get(f"/v1/claims/{claim['id']}")).json()["code"] == claim["code"]
    nothing_told(at.stack, claim["code"])


async def test_a_card_that_an_agent_keys_behind_a_star_is_nowhere(at: Scene) -> None:
    phone = await agents_phone(at)
    await key(phone, f"*{CANARY.number}#")
    await key(phone, "*77#")
    assert (await told(at, 1))["feature"] == "unknown"  # that of the card was none
    assert events_heard(at) == 0
    ladder = (await at.stack.api.get(f"/v1/calls/{at.call_id}/ladder")).text
    assert CANARY.number not in ladder
    await at.end(at.agent)
    nothing_told(at.stack, CANARY.number, CANARY.number[:6])


async def test_nothing_of_a_code_is_on_the_feed_or_in_the_ladder(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at, ORDER)
    seen: list[str] = []
    async with at.stack.api.stream("GET", "/v1/feed") as feed:
        await key(phone, f"*{claim['code']}#")
        async for line in feed.aiter_lines():
            seen.append(line)
            if line.startswith("data:") and (json.loads(line[5:]) or {}).get("feature_code"):
                break
    assert any(claim["id"] in line for line in seen)
    ladder = (await at.stack.api.get(f"/v1/calls/{at.call_id}/ladder")).text
    for text in (*seen, ladder):
        assert claim["code"] not in text
    await at.end(at.agent)


async def test_a_code_that_b2bua_does_not_live_to_see_is_dropped_and_the_mask_stays(tmp_path: Path) -> None:
    general = {"port": str(free_port())}
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}, general=general, complaints=False) as at:
        phone = await agents_phone(at)
        await at.stack.start_capture(at.call_id)
        await key(phone, "*0")
        [before] = at.stack.kill("b2bua")
        await key(phone, "#5")
        await at.stack.await_restart(before)
        heard = len(at.old.rtp.heard)
        await at.customer.play([at.customer.speech() for _ in range(20)])
        await until(lambda: len(at.old.rtp.heard) > heard, "speech that media goes on to relay")
        await key(phone, "5*1#")
        assert events_heard(at) == 0
