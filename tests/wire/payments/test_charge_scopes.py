"""What trunk, route and agent group say of a charge arrives at the provider, each in its place."""

from __future__ import annotations

from tests.everybody import ROLES
from tests.stack import TOKEN
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import keys, report
from tests.wire.line import line

OTHER = "another-agent-of-this-0002"


async def test_a_charge_carries_what_trunk_route_and_agent_group_say(peers: Peers) -> None:
    extra = {
        "api": {"roles": ROLES, "tokens": f"test:{TOKEN}, desk-1:{OTHER}"},
        "carrier": {"statement": "OF THE CARRIER", "metadata": "carrier=1"},
        "pbx": {"metadata": "pbx=1"},
        "route": {"to": "pbx, carrier", "merchant_account": "of the route"},
        "agent_group boots": {"agents": "desk-1", "merchant_account": "of the group"},
    }
    async with line(peers, extra=extra) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, keys("approved"))
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        await wire.keyed(call_id, keys("approved"), transaction="order-2")
        desk = {"Authorization": f"Bearer {OTHER}"}
        for step in ("take-over", "submit"):
            answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/{step}", headers=desk)
            assert answer.status_code == 200, answer.text
        await wire.stack.stage(call_id, "finished")
        found = {each["transaction_id"]: each["beside"] for each in (await report(wire))["records"]}
        both = {"statement": "OF THE CARRIER", "metadata": {"carrier": "1", "pbx": "1"}}
        assert found["order-1"] == both | {"merchant_account": "of the route"}
        assert found["order-2"] == both | {"merchant_account": "of the group"}, "of whoever submits"
        await wire.hang_up()
