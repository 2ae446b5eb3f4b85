"""An agent who pays by telephone alone: feature codes that the customer never hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.info_keys import RELAY
from tests.wire.paying import charged, digits_sha256
from tests.wire.payments.agents_phone import (
    ORDER,
    agents_phone,
    claimed,
    events_heard,
    key,
    nothing_told,
    told,
)
from tests.wire.scene import Scene, scene, wanted
from tests.wire.sip_peer import Call


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}) as up:
        yield up


async def test_a_payment_from_the_telephone_alone(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at, ORDER)
    await key(phone, f"*{claim['code']}#")
    assert await told(at, 1) == {"feature": "link", "done": True, "reason": None, "count": 1}
    assert (await at.stack.call(at.call_id))["claim"] == claim["id"]
    assert (await at.stack.api.get(f"/v1/claims/{claim['id']}")).json()["call"] == at.call_id
    await key(phone, "*1#")
    assert (await told(at, 2))["done"]
    view = await at.stack.stage(at.call_id, "collecting")
    assert (view["agent"], view["order"]["amount"]) == ("test", 4995)
    await at.customer.key(CANARY.keys)
    await at.stack.stage(at.call_id, "ready")
    await key(phone, "*2#")
    assert (await told(at, 3))["feature"] == "submit"
    await at.stack.stage(at.call_id, "finished")
    assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
    assert events_heard(at) == 0
    await at.end(at.agent)
    nothing_told(at.stack, claim["code"], f"*{claim['code']}")


async def test_other_keys_of_the_agent_reach_the_customer_unmasked_alone(at: Scene) -> None:
    phone = await agents_phone(at)
    await key(phone, "5")
    await until(lambda: events_heard(at) == 6, "the six packets of a key")
    await key(phone, "*77#5")
    assert await told(at, 1) == {
        "feature": "unknown", "done": False, "reason": "There is no such code.", "count": 1,
    }  # fmt: skip
    await until(lambda: events_heard(at) == 12, "the key behind a code")
    await at.stack.start_capture(at.call_id)
    await key(phone, "5*3#5")
    assert (await told(at, 2))["feature"] == "skip"
    assert events_heard(at) == 12
    await at.end(at.agent)


async def test_a_code_by_sip_info_is_answered_and_goes_no_further(at: Scene) -> None:
    cseq = iter(range(1, 99))

    async def pressed(each: str) -> None:
        body = f"Signal={each}\r\nDuration=160\r\n"
        number = next(cseq)
        at.pbx.send(at.pbx.request("INFO", call=at.agent, cseq=number, body=body, Content_Type=RELAY))
        assert (await at.pbx.hear("200")).one("CSeq") == f"{number} INFO"

    for each in "*0#":
        await pressed(each)
    assert await told(at, 1) == {
        "feature": "cancel", "done": False, "count": 1,
        "reason": "There is no payment under way in this call.",
    }  # fmt: skip
    # What is no code crosses: here the carrier hears it, and its answer comes back.
    pressing = asyncio.create_task(pressed("7"))
    info = await at.carrier.hear("INFO")
    assert "7" in info.body
    at.carrier.reply(info, 200)
    await pressing
    await at.end(at.agent)


async def test_a_wrong_short_code_is_refused_and_after_three_the_right_one_too(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at)
    wrong = f"{(int(claim['code']) + 1) % 10**6:06d}"
    for count in (1, 2, 3):
        await key(phone, f"*{wrong}#")
        assert not (await told(at, count))["done"]
    await key(phone, f"*{claim['code']}#")
    assert not (await told(at, 4))["done"]
    assert (await at.stack.call(at.call_id))["claim"] == ""
    await at.end(at.agent)


async def test_a_telephone_cannot_touch_the_payment_of_another_agent(at: Scene) -> None:
    phone = await agents_phone(at)
    await at.stack.start_capture(at.call_id)
    for count, code in enumerate(("*0#", "*2#", "*4#", "*9#"), 1):
        await key(phone, code)
        said = await told(at, count)
        assert not said["done"]
    assert (await at.stack.call(at.call_id))["capture"]["stage"] == "collecting"
    await at.end(at.agent)


async def test_another_telephone_in_its_place_is_linked_to_nobody(at: Scene) -> None:
    phone = await agents_phone(at)
    claim = await claimed(at, ORDER)
    await key(phone, f"*{claim['code']}#*1")  # and a code that is not complete
    assert (await told(at, 1))["done"]
    body = offer(at.new.port, "new")
    at.pbx.send(at.pbx.request("INVITE", body=body, Replaces=wanted(at.agent), Require="replaces"))
    again = await at.carrier.hear("INVITE")
    at.carrier.reply(again, 200, body=offer(at.customer.media.port))
    new = Call.placed(await at.pbx.hear("200"))
    at.pbx.send(at.pbx.request("ACK", call=new))
    at.pbx.reply(await at.pbx.hear("BYE"), 200)
    other = await agents_phone(at, at.new)
    await key(other, "#")  # the rest of it, from another telephone
    await key(other, "*1#")
    said = await told(at, 1)
    assert (said["feature"], said["done"], said["reason"]) == (
        "start", False, "No order is prepared for this call.",
    )  # fmt: skip
    call = await at.stack.call(at.call_id)
    assert (call["claim"], call["capture"]) == ("", None)
    await at.end(new)


async def test_a_payment_that_was_prepared_with_a_code_is_started_from_the_telephone(at: Scene) -> None:
    phone = await agents_phone(at)
    prepared = await at.stack.api.post("/v1/payments", json={**ORDER, "find_by": {"code": "4711"}})
    assert prepared.status_code in {201, 202}, prepared.text
    await key(phone, "*1#")
    assert (await told(at, 1))["reason"] == "No order is prepared for this call."
    await key(phone, "*4711#")
    assert (await told(at, 2))["done"]
    assert (await at.stack.call(at.call_id))["claim"] == prepared.json()["id"]
    await key(phone, "*1#")
    assert (await told(at, 3))["done"]
    capture = await at.stack.stage(at.call_id, "collecting")
    assert capture["id"] == prepared.json()["id"]
    await key(phone, "*0#")
    await at.stack.stage(at.call_id, "cancelled")
    await at.end(at.agent)
    nothing_told(at.stack, "4711")
