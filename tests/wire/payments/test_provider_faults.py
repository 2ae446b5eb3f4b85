"""What goes wrong at the payment provider: the agent sees it clearly, nobody is charged twice, and
the call goes on.

Each call sees a fault first, then a payment that succeeds: a fault leaves nothing behind that
hinders the next.
"""

from __future__ import annotations

import os
import signal

import pytest

from tests.wire.conftest import Peers
from tests.wire.faulty_payments import IN_A_HURRY, charged, pay, report
from tests.wire.line import line

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
