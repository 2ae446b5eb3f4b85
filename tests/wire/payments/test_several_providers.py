"""A route that names two providers: the second charges where the first is not to be had, and after
some faults nobody waits for the first."""

from __future__ import annotations

from tests.complaints import expect_error
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import charged, pay, report
from tests.wire.line import line


async def test_a_provider_that_is_gone_is_passed_by_and_the_next_charges(peers: Peers) -> None:
    gone = free_port()
    extra = {
        "provider gone": {
            "url": f"https://127.0.0.1:{gone}",
            "api_key": "k",
            "breaker_failures": "1",
            "breaker_pause": "600",
        },
        "route": {"to": "pbx, carrier", "provider": "gone, default", "metadata": "desk=7"},
    }
    async with line(peers, extra=extra) as wire:
        expect_error("circuit_opened", provider="gone")
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "approved")
        assert (outcome["type"], outcome["provider"]) == ("approved", "default")
        assert (await report(wire))["requests"] == 1
        assert await charged(wire) == {"approved": 1}

        async def passed_by() -> bool:
            health = (await wire.stack.api.get("/healthz")).json()
            return health["open_circuits"] == 1 and "gone" in str(health["faults"])

        await until(passed_by, "the health check to name the provider that is passed by")
        await wire.hang_up()
