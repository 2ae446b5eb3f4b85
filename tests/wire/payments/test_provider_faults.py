"""What goes wrong at the payment provider: the agent is told clearly, nobody is charged twice, and
the call goes on.

Each call sees a fault first, then a payment that succeeds: a fault leaves nothing behind that
hinders the next.
"""

from __future__ import annotations

import os
import signal
import ssl
from typing import Any

import httpx
import pytest

from provider_adapters.local.books import BEHAVIOURS
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

CARDS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()} | {"approved": "378282246310005"}
IN_A_HURRY = {"provider": {"inquiry_time": "1.5"}}


def keys(card: str) -> str:
    """Card number, expiry and code, for the phone. American Express: shortest to key, as its number
    needs no end."""
    return f"{CARDS[card]}11397391" if card == "approved" else f"{CARDS[card]}#1139739"


async def pay(wire: Line, call_id: str, card: str) -> dict[str, Any]:
    """Key and submit that card; the outcome, once the voice was heard to go on both ways during and
    after the charge."""
    await wire.keyed(call_id, keys(card), transaction=card)
    answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
    assert answer.status_code == 200, answer.text
    assert answer.json()["capture"]["stage"] == "charging"
    await wire.voice()
    capture = await wire.stack.stage(call_id, "finished")
    await wire.voice()
    await wire.unmasked(call_id)
    assert capture["outcome"]
    return capture["outcome"]


async def report(wire: Line) -> dict[str, Any]:
    """The provider's own account: how many charges it was asked for, and what it charged for
    each."""
    trust = ssl.create_default_context(cafile=wire.stack.provider["ca_file"])
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        return (await client.get(f"{wire.stack.provider['url']}/test/charges")).json()


async def charged(wire: Line) -> dict[str, int]:
    """How often each payment was charged; of a fault without a charge the provider keeps no
    record."""
    return {record["transaction_id"]: record["charges"] for record in (await report(wire))["records"]}


FAULTS = [
    # the fault, its outcome, and the payment that follows in the same call: a fault, too, but one
    # that ends well
    ("late_charged", ("unknown", "no_answer_in_time"), "approved"),
    ("error_not_charged", ("failed", "no_such_charge"), "error_charged"),
    ("closed_not_charged", ("failed", "no_such_charge"), "closed_charged"),
    ("declined_quoting", ("declined", "invalid_number"), "cut_charged"),
]


@pytest.mark.parametrize(("fault", "expected", "after"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
async def test_after_a_fault_the_agent_knows_the_outcome_and_can_charge_the_next_card(
    peers: Peers, fault: str, expected: tuple[str, str], after: str
) -> None:
    async with line(peers, extra=IN_A_HURRY) as wire:
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, fault)
        assert (outcome["type"], outcome["reason"]) == expected
        assert (await pay(wire, call_id, after))["type"] == "approved"
        said = await report(wire)
        assert said["requests"] == 2  # each was sent once, however often it was asked for
        assert (await charged(wire))[after] == 1
        assert (await charged(wire)).get(fault, 0) == 0
        await wire.hang_up()


async def test_a_charge_that_comes_through_after_its_time_out_is_made_once_and_stays_unknown(
    peers: Peers,
) -> None:
    async with line(peers, extra=IN_A_HURRY, provider_arguments=["--delay", "8"]) as wire:
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "late_charged")
        assert (outcome["type"], outcome["reason"]) == ("unknown", "no_answer_in_time")

        async def came_through() -> bool:
            return (await charged(wire))["late_charged"] > 0

        await until(came_through, "the late charge")
        assert await charged(wire) == {"late_charged": 1}
        assert (await report(wire))["requests"] == 1
        await wire.voice()
        assert (await wire.stack.call(call_id))["capture"]["outcome"] == outcome
        await wire.hang_up()


async def test_a_certificate_of_an_unknown_authority_fails_the_charge_before_anything_is_sent(
    peers: Peers,
) -> None:
    async with line(peers, provider_arguments=["--unknown-ca"]) as wire:
        call_id = await wire.dial()
        outcome = await pay(wire, call_id, "approved")
        assert outcome == {"type": "failed", "reason": "certificate_not_trusted"}
        outcome = await pay(wire, call_id, "approved")  # the call goes on, another try is possible
        assert outcome == {"type": "failed", "reason": "certificate_not_trusted"}
        await wire.hang_up()


async def test_a_provider_that_is_gone_fails_the_charge(peers: Peers) -> None:
    async with line(peers) as wire:
        call_id = await wire.dial()
        os.kill(wire.stack.provider_pid, signal.SIGKILL)
        outcome = await pay(wire, call_id, "approved")
        assert outcome == {"type": "failed", "reason": "no_connection"}
        await wire.hang_up()


async def test_a_provider_that_hangs_fails_the_charge_and_charges_the_next_when_it_is_back(
    peers: Peers,
) -> None:
    async with line(peers, extra={"provider": {"timeout": "2"}}) as wire:
        call_id = await wire.dial()
        os.kill(wire.stack.provider_pid, signal.SIGSTOP)
        try:
            outcome = await pay(wire, call_id, "approved")
        finally:
            os.kill(wire.stack.provider_pid, signal.SIGCONT)
        assert outcome == {"type": "failed", "reason": "no_connection_in_time"}
        assert await charged(wire) == {}
        assert (await pay(wire, call_id, "approved"))["type"] == "approved"
        assert await charged(wire) == {"approved": 1}
        await wire.hang_up()
