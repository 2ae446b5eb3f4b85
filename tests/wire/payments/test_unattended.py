"""Payments without an agent, on the wire through a whole Tonewall: from the INVITE to the place
where the call goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.form_calls import FORM_NUMBER, NEXT, PERSON, conf, form_call, until_step
from tests.wire.handmade import offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import events, scene
from tests.wire.sip_peer import Call


@pytest.mark.parametrize("by_pbx", [False, True])
async def test_a_customer_pays_without_an_agent_and_the_call_goes_on(tmp_path: Path, *, by_pbx: bool) -> None:
    async with form_call(tmp_path, by_pbx=by_pbx) as at:
        await at.keyed(CANARY.keys)
        await at.confirmed()
        agent = await at.goes_on(NEXT)
        [charge] = await at.stack.charges()
        assert (charge["amount"], charge["digits_sha256"]) == (4995, digits_sha256())
        await at.talks()
        await at.hangs_up()
        bye = await at.pbx.hear("BYE")
        assert bye.one("Call-ID") == agent.call_id
        at.pbx.reply(bye, 200)
        assert events(at.next) == 0


async def test_star_and_zero_bring_a_person_who_gets_no_digit(tmp_path: Path) -> None:
    async with form_call(tmp_path) as at:
        await at.step("keying")
        await at.customer.key(CANARY.keys[:6])
        await at.customer.key("*0")
        agent = await at.goes_on(PERSON)
        view = await at.stack.call(at.call_id)
        assert view["unattended"]["why"] == "person_wanted"
        await at.talks()
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        assert events(at.next) == 0
        assert await at.stack.charges() == []
        assert agent


async def test_an_agent_transfers_a_customer_into_the_form_and_gets_the_call_back(tmp_path: Path) -> None:
    async with scene(tmp_path, more=conf(then="", person="")) as at:
        at.refer(f"<sip:{FORM_NUMBER}@pbx.example>", Referred_By="<sip:500@pbx.example>")
        await at.pbx.hear("202")
        await at.notified(100)
        await at.notified(200, "terminated")
        bye = await at.pbx.hear("BYE")
        assert bye.one("Call-ID") == at.agent.call_id
        at.pbx.reply(bye, 200)
        await at.stack.stage(at.call_id, "collecting")
        await at.customer.key(CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        await at.customer.play([at.customer.speech() for _ in range(60)])
        await at.customer.key("#")
        invite = await at.pbx.hear("INVITE", 30)
        assert invite.uri.startswith("sip:500@")
        at.pbx.reply(invite, 200, tag="new", body=offer(at.new.port, "new"))
        await at.pbx.hear("ACK")
        await until_step(at.stack, at.call_id, "done")
        assert (await charged(at.stack, at.call_id))["digits_sha256"] == digits_sha256()
        [record] = [each for each in await at.stack.calls() if each["id"] == at.call_id]
        assert record["unattended"]["why"] is None
        await at.end(Call.taken(invite, "new"))
        assert (events(at.old), events(at.new)) == (0, 0)


async def test_a_silent_customer_comes_to_a_person(tmp_path: Path) -> None:
    async with form_call(tmp_path, silence="0.4", silences="1") as at:
        agent = await at.goes_on(PERSON)
        view = await at.stack.call(at.call_id)
        assert (view["unattended"]["why"], view["capture"]["stage"]) == ("silent", "cancelled")
        await at.hangs_up()
        bye = await at.pbx.hear("BYE")
        assert bye.one("Call-ID") == agent.call_id
        at.pbx.reply(bye, 200)


async def test_a_place_that_is_busy_is_followed_by_the_other_one_and_then_by_the_end(tmp_path: Path) -> None:
    async with form_call(tmp_path, silence="0.2", silences="0", otherwise="pbx/*98") as at:
        for number in (PERSON, "*98"):
            invite = await at.pbx.hear("INVITE", 30)
            assert invite.uri.startswith(f"sip:{number}@")
            at.pbx.reply(invite, 486, tag=f"busy{number[-1]}")
            await at.pbx.hear("ACK")
        at.carrier.reply(await at.carrier.hear("BYE"), 200)


async def test_what_is_owed_comes_with_a_header(tmp_path: Path) -> None:
    more = {"carrier": {"x_headers": "X-Order"}}
    headers = {"X_Order": "INV-2041;amount=1250;currency=GBP"}
    async with form_call(tmp_path, more, headers=headers, order_header="X-Order", amount="0") as at:
        await at.keyed(CANARY.keys)
        await at.confirmed()
        await at.goes_on(NEXT)
        charge = await charged(at.stack, "INV-2041")
        assert (charge["amount"], charge["currency"]) == (1250, "GBP")
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)


async def test_a_customer_without_an_agent_is_spoken_to(tmp_path: Path) -> None:
    more = {"form": {"prompts": "placeholder", "language": "en"}}
    async with form_call(tmp_path, more) as at:
        await until(lambda: len(at.customer.media.rtp.heard) > 50, "a prompt at the customer's phone")
        await at.keyed(CANARY.keys)
        await at.confirmed()
        await at.goes_on(NEXT)
        await at.talks()
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        assert events(at.next) == 0


async def test_keys_pressed_late_do_not_reach_the_next_place(tmp_path: Path) -> None:
    """Within the guard time, which each key begins anew."""
    async with form_call(tmp_path, {"general": {"guard_time": "3"}}) as at:
        await at.keyed(CANARY.keys)
        await at.confirmed()
        await at.step("telling", "going on")
        await at.customer.key("73")
        await at.goes_on(NEXT)
        await at.customer.key("9#")
        view = await at.stack.call(at.call_id)
        assert view["masked"]
        await at.talks()
        assert events(at.next) == 0
        await at.stack.unmasked(at.call_id)
        await at.customer.key("5")  # the mask is off: a menu may be keyed for
        await until(lambda: events(at.next), "a key at the next place")
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)


async def test_a_payment_that_was_prepared_is_the_one_that_is_charged(tmp_path: Path) -> None:
    order = {"transaction_id": "INV-7", "amount": 777, "currency": "GBP", "find_by": {"reference": "INV-7"}}
    more = {"carrier": {"reference_headers": "X-Order-Id", "x_headers": "X-Order-Id"}}
    async with form_call(tmp_path, more, headers={"X_Order_Id": "INV-7"}, prepared=order) as at:
        view = await at.step("keying")
        assert view["capture"]["order"]["transaction_id"] == "INV-7"
        await at.keyed(CANARY.keys)
        await at.confirmed()
        await at.goes_on(NEXT)
        charge = await charged(at.stack, "INV-7")
        assert (charge["amount"], charge["currency"]) == (777, "GBP")
        await at.hangs_up()
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
