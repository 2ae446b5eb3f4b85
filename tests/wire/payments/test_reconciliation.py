"""A charge that nobody answered is asked about until the provider says what became of it: in the
call, after the call, and over the death of whoever asks."""

from __future__ import annotations

from typing import Any

from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import IN_A_HURRY, charged, pay, report
from tests.wire.line import Line, line

LATE = ["--delay", "6"]


async def decided(wire: Line, payment_id: str) -> dict[str, Any]:
    """The payment, once its outcome is known."""
    found: dict[str, Any] = {}

    async def known() -> bool:
        answer = await wire.stack.api.get(f"/v1/payments/{payment_id}")
        found.update(answer.json())
        return bool(found.get("decided_at"))

    await until(known, "the reconciler to find the outcome")
    return found


async def test_a_charge_that_comes_through_after_its_time_out_is_made_once_and_becomes_known(
    peers: Peers,
) -> None:
    async with line(peers, extra=IN_A_HURRY, provider_arguments=LATE) as wire:
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "late_charged")
        assert (outcome["type"], outcome["reason"]) == ("unknown", "no_answer_in_time")
        capture = (await wire.stack.call(call_id))["capture"]
        payment = await decided(wire, capture["id"])
        assert payment["outcome"]["type"] == "approved"
        assert payment["decided_by"] == "reconciler"
        assert (await report(wire))["requests"] == 1
        assert await charged(wire) == {"late_charged": 1}

        async def seen_in_the_call() -> bool:
            view = await wire.stack.call(call_id)
            return view["capture"]["outcome"]["type"] == "approved"

        await until(seen_in_the_call, "the call to show the outcome")
        health = (await wire.stack.api.get("/healthz")).json()
        assert (health["unknown_payments"], health["decided_payments"]) == (0, 1)
        await wire.voice()
        await wire.hang_up()


async def test_a_reconciler_and_a_b2bua_that_are_killed_lose_no_outcome(peers: Peers) -> None:
    extra = {**IN_A_HURRY, "general": {"port": str(free_port())}}
    async with line(peers, extra=extra, provider_arguments=["--delay", "12"]) as wire:
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "late_charged")
        assert outcome["type"] == "unknown"
        payment_id = (await wire.stack.call(call_id))["capture"]["id"]
        await wire.hang_up()
        await wire.no_sessions()
        wire.stack.kill("reconciler")
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)
        payment = await decided(wire, payment_id)
        assert payment["outcome"]["type"] == "approved"
        assert await charged(wire) == {"late_charged": 1}
        assert (await report(wire))["requests"] == 1
