"""kill -9 of b2bua during payments without an agent, and with payments that are prepared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import PATIENCE, until
from tests.wire.form_calls import NEXT, PERSON, FormCall, form_call
from tests.wire.handmade import offer
from tests.wire.running.kept_calls import b2bua_killed
from tests.wire.scene import events
from tests.wire.sip_peer import Call

ORDER = {"transaction_id": "INV-7", "amount": 777, "currency": "GBP"}
LATE = "4000000000010019#1139739"  # approved by the local provider, not at once
STAYS = {"general": {"spare": "yes"}}


async def ended(at: FormCall, code: int = 200) -> None:
    """The customer hangs up, and the place behind knows it."""
    await at.hangs_up()
    at.pbx.reply(await at.pbx.hear("BYE", PATIENCE), code)
    assert events(at.next) == 0


async def test_a_customer_who_keys_without_an_agent_comes_to_a_person(tmp_path: Path) -> None:
    async with form_call(tmp_path, STAYS) as at:
        await at.step("keying")
        await at.customer.key(CANARY.keys[:6])
        await b2bua_killed(at.stack, 1)
        await at.goes_on(PERSON)
        view = await at.stack.call(at.call_id)
        assert view["unattended"]["why"] == "stopped"
        assert view["capture"]["reason"].startswith("Tonewall was restarted while the customer keyed")
        await at.talks()
        await ended(at)
        assert await at.stack.charges() == []


@pytest.mark.parametrize("prepared", [False, True], ids=["of the form", "prepared"])
async def test_a_charge_under_way_has_its_outcome_once(tmp_path: Path, prepared: bool) -> None:
    """And the call goes on as after any payment."""
    more = {"carrier": {"reference_headers": "X-Order-Id", "x_headers": "X-Order-Id"}} | STAYS
    order = {**ORDER, "find_by": {"reference": "INV-7"}} if prepared else None
    async with form_call(tmp_path, more, headers={"X_Order_Id": "INV-7"}, prepared=order, late=2.5) as at:
        await at.keyed(LATE)
        await at.confirmed()
        [charge] = await until(at.stack.charges, "the charge at the provider")
        assert charge["charges"] == 0  # not yet
        await b2bua_killed(at.stack, 1)
        await at.goes_on(NEXT)
        await at.talks()
        payment = (await at.stack.api.get(f"/v1/payments/{charge['idempotency_key']}")).json()
        assert (payment["stage"], payment["outcome"]["type"]) == ("finished", "approved")
        assert (payment["order"]["transaction_id"] == "INV-7") is prepared
        assert (await at.stack.api.get("/v1/payments", params={"stage": "prepared"})).json() == []
        await ended(at)
        [record] = await until(at.stack.records, "the record of the call")
        paid = [(each["payment"], each["outcome"]) for each in record["captures"]]
        assert paid == [(charge["idempotency_key"], "approved")]
        assert [each["charges"] for each in await at.stack.charges()] == [1]


async def test_the_next_place_answers_after_b2bua_was_killed(tmp_path: Path) -> None:
    async with form_call(tmp_path, STAYS) as at:
        await at.keyed(CANARY.keys)
        await at.confirmed()
        invite = await at.pbx.hear("INVITE", PATIENCE)
        assert invite.uri.startswith(f"sip:{NEXT}@")
        at.pbx.reply(invite, 180, tag="next")
        await b2bua_killed(at.stack, 1, knows=invite.one("Call-ID"))
        at.pbx.reply(invite, 200, tag="next", body=offer(at.next.port, "next"))
        await at.pbx.hear("ACK", PATIENCE)
        await at.step("done")
        assert [each["charges"] for each in await at.stack.charges()] == [1]
        await at.talks()
        assert Call.taken(invite, "next")
        await ended(at)


async def test_a_prepared_payment_is_there_again_for_its_call(tmp_path: Path) -> None:
    order = {**ORDER, "find_by": {"reference": "INV-7"}}
    more = {"carrier": {"reference_headers": "X-Order-Id", "x_headers": "X-Order-Id"}} | STAYS
    async with form_call(tmp_path, more, headers={"X_Order_Id": "INV-7"}) as at:
        await at.step("keying")
        await at.customer.key("*0")
        await at.goes_on(PERSON)
        made = await at.stack.api.post("/v1/payments", json=order)
        made.raise_for_status()
        payment = made.json()["id"]

        async def bound() -> bool:
            answer = await at.stack.api.get(f"/v1/payments/{payment}")
            return bool(answer.json()["call"] == at.call_id)

        await until(bound, "the payment to be bound")
        await b2bua_killed(at.stack, 1)
        await until(bound, "the payment to be bound again")
        await ended(at)
