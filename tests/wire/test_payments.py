"""A payment that outlives its call: hang-ups, killed processes and restarts while the provider charges."""

from __future__ import annotations

import pytest

from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line
from tests.wire.paying import nothing_left

LATE, REST = "4000000000010019", "#1139739"  # the local provider answers after --delay seconds, approved


async def charging(wire: Line, transaction: str = "late") -> str:
    """Have a card charged; returns the payment's id as soon as the provider has the charge."""
    call_id = await wire.dial()
    await wire.keyed(call_id, LATE + REST, transaction)
    answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
    assert answer.status_code == 200, answer.text
    await until(wire.stack.charges, "the charge at the provider")
    return str(answer.json()["capture"]["id"])


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_a_hang_up_while_charging_does_not_lose_the_outcome(peers: Peers, who: str) -> None:
    async with line(peers, provider_arguments=["--delay", "1.5"]) as wire, wire.feed() as feed:
        payment = await charging(wire)
        await getattr(wire, who).hangup()
        for phone in (wire.customer, wire.agent):
            await phone.wait("ended", 30)

        def last() -> dict[str, object]:
            views = [view for view in feed.all_views() if view["capture"] and view["capture"]["id"] == payment]
            return views[-1]

        await until(lambda: last()["capture"]["stage"] == "finished", "the outcome on the feed")  # type: ignore[index]
        assert last()["state"] == "ended"
        assert last()["capture"]["outcome"]["type"] == "approved"  # type: ignore[index]
        await nothing_left(wire.stack)
        assert await wire.stack.calls() == []
        [record] = await until(wire.stack.records, "the call's record")
        assert [capture["outcome"] for capture in record["captures"]] == ["approved"]
