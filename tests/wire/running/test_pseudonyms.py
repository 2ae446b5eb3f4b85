"""With a key for pseudonyms no file of a whole Tonewall holds a customer's number, in any form,
after calls, payments and a kill -9."""

from __future__ import annotations

import json
from pathlib import Path

from b2bua.call.pseudonyms import Pseudonyms, read_keys
from tests.stack import until
from tests.wire.handmade import Customer
from tests.wire.numbered import CALLEE, CALLER, numbered, traces

KEY = Path(__file__).parents[2] / "fixtures" / "pseudonym-key"
ORDER = {"amount": 4995, "currency": "EUR"}
NATIONAL = {"numbers": "national", "country": "44"}


async def test_no_file_holds_the_number_of_a_customer_who_pays(tmp_path: Path) -> None:
    pseudonym = Pseudonyms(read_keys(KEY.read_text().splitlines())).of(CALLER)
    extra = {"cdr": {"pseudonym_key_file": str(KEY)}}
    async with numbered(tmp_path, extra, **NATIONAL) as at:
        stack, customer, later = at.stack, Customer(at.carrier), Customer(at.carrier)
        try:
            await at.refused()  # a call in the form +44…
            # A payment that waits for this caller, over a kill -9.
            prepared = await stack.api.post(
                "/v1/payments",
                json=ORDER | {"transaction_id": "order-2", "find_by": {"caller": CALLER}},
                headers={"Idempotency-Key": "prepare-1"},
            )
            assert prepared.status_code == 201, prepared.text
            assert prepared.json()["prepared"]["find_by"] == {"caller": CALLER}
            before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
            stack.kill("b2bua")
            await stack.await_restart(before)
            at.carrier.engine = at.pbx.engine = (at.carrier.engine[0], stack.sip_port)
            national = f'"Ann" <sip:01632960147@{at.carrier.host}>;tag=near'
            call, _ = await at.call(customer, From=national)
            view = await stack.call(call)
            assert view["caller"] == "01632960147"  # the agent sees it while the call is up
            found = (await stack.api.get(f"/v1/payments/{prepared.json()['id']}")).json()
            assert (found["call"], found["prepared"]["find_by"]) == (call, {"caller": pseudonym})
            started = await stack.api.post(
                f"/v1/calls/{call}/capture",
                json=ORDER | {"transaction_id": "order-1"},
                headers={"Idempotency-Key": "start-1"},
            )
            assert started.json()["caller"] == "01632960147"
            await stack.stage(call, "collecting")
            await stack.api.delete(f"/v1/calls/{call}/capture")
            await stack.unmasked(call)
            await at.paid(call, customer)
            await at.hang_up(customer)
            ladder = (await stack.api.get(f"/v1/calls/{call}/ladder")).json()
            assert (ladder["caller"], ladder["callee"]) == (pseudonym, CALLEE)
            await at.call(later)
            await at.hang_up(later)
            records = await until(lambda: len(stack.records()) >= 3 and stack.records(), "the records")
            assert {(each["caller"], each["callee"]) for each in records} == {(pseudonym, CALLEE)}
        finally:
            customer.media.close()
            later.media.close()
        assert traces(tmp_path, CALLER, "44") == []
    assert traces(tmp_path, CALLER, "44") == []
    assert traces(tmp_path, CALLEE, "49")  # which is the company's own


async def test_the_search_finds_the_number_where_there_is_no_key(tmp_path: Path) -> None:
    async with numbered(tmp_path, **NATIONAL) as at:
        await at.refused()
        await until(at.stack.records, "the record")
    assert traces(tmp_path, CALLER, "44")
