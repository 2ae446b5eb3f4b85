"""An agent who hangs up while the customer keys, on the wire through a whole Tonewall."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.wire.form_calls import until_step
from tests.wire.handmade import offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene
from tests.wire.sip_peer import Call


def route(**keys: str) -> dict[str, dict[str, str]]:
    return {"route in": {"source": "carrier", "to": "pbx", **keys}}


async def hangs_up(at: Scene) -> None:
    at.pbx.send(at.pbx.request("BYE", call=at.agent))
    await at.pbx.hear("200")


async def next_place(at: Scene, number: str) -> Call:
    invite = await at.pbx.hear("INVITE", 30)
    assert invite.uri.startswith(f"sip:{number}@"), invite.uri
    at.pbx.reply(invite, 200, tag="new", body=offer(at.new.port, "new"))
    await at.pbx.hear("ACK")
    await until_step(at.stack, at.call_id, "done")
    return Call.taken(invite, "new")


@pytest.mark.parametrize("keyed", [0, 5, len(CANARY.keys)])
async def test_the_customer_goes_on_without_the_agent_and_pays(tmp_path: Path, keyed: int) -> None:
    async with scene(tmp_path, more=route(agent_gone="form", then="pbx/700", silence="60")) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:keyed])
        if keyed == len(CANARY.keys):
            await at.stack.stage(at.call_id, "ready")
        await hangs_up(at)
        await until_step(at.stack, at.call_id, "keying", "confirming")
        await at.customer.key(CANARY.keys[keyed:])
        await until_step(at.stack, at.call_id, "confirming")
        await at.customer.play([at.customer.speech() for _ in range(60)])
        await at.customer.key("#")
        new = await next_place(at, "700")
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        payment = await at.stack.call(at.call_id)
        assert payment["capture"]["agent"] == "no agent"
        await at.end(new)
        assert (events(at.old), events(at.new)) == (0, 0)


async def test_another_agent_goes_on_with_the_payment(tmp_path: Path) -> None:
    async with scene(tmp_path, more=route(agent_gone="pbx/501")) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        await hangs_up(at)
        new = await next_place(at, "501")
        await at.paid(CANARY.keys[5:])
        await at.end(new)
        assert (events(at.old), events(at.new)) == (0, 0)


async def test_star_and_zero_bring_a_person_to_who_was_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path, more=route(agent_gone="form", person="pbx/600", silence="60")) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        await hangs_up(at)
        await until_step(at.stack, at.call_id, "keying")
        await at.customer.key("*0")
        new = await next_place(at, "600")
        assert (await at.stack.call(at.call_id))["unattended"]["why"] == "person_wanted"
        assert await at.stack.charges() == []
        await at.end(new)
        assert (events(at.old), events(at.new)) == (0, 0)
