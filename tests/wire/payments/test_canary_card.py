"""A card is paid over a real call, at debug level, and nowhere in Tonewall is its number or its
code found afterwards.

What is searched: every answer of the API, the feed, the agent's page, all files of the installation
(logs, call records, the journal, ready.json, sip.conf), and the memory of every process of
Tonewall. What must be found proves that a search that finds nothing means something: the card in
the payer that is charging it, and in a media process that leaks.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.complaints import expect_error
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.payments.witness import Witness, approved, settled, submit, witnessed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of media and payers")
LEAKY = Path(__file__).parents[1] / "leaky"


# --- the ways on which a card leaves --------------------------------------------------------------


async def declined_quoting_the_card(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "quoting-1")
    outcome = await submit(witness, call_id)
    assert outcome["type"] == "declined"
    assert outcome["reason"]


async def answered_with_garbage_that_holds_the_card(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "echo-1")
    outcome = await submit(witness, call_id)
    assert (outcome["type"], outcome["reason"]) == ("unknown", "answer_not_understood")


async def not_answered_in_time(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys, "late_charged-1")
    outcome = await submit(witness, call_id)
    assert (outcome["type"], outcome["reason"]) == ("unknown", "no_answer_in_time")


async def hung_up_while_keying(witness: Witness, call_id: str) -> None:
    await witness.line.stack.start_capture(call_id)
    await witness.line.key(CANARY.keys[:-2])  # all but the last digit of the code
    await witness.line.stack.stage(call_id, "collecting")


async def cancelled_when_ready(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys)
    answer = await witness.line.stack.api.delete(f"/v1/calls/{call_id}/capture")
    assert answer.json()["capture"]["stage"] == "cancelled"


async def cleared_and_keyed_again(witness: Witness, call_id: str) -> None:
    await witness.line.stack.start_capture(call_id)
    await witness.line.key(f"{CANARY.number}*")
    await witness.line.key(CANARY.number[:15] + "5#")  # fails its check digit
    [*_, last] = [capture for capture in witness.feed.captures(call_id) if capture["reason"]]
    assert "check digit" in last["reason"]
    answer = await witness.line.stack.api.post(f"/v1/calls/{call_id}/capture/reset")
    assert answer.status_code == 200


async def not_submitted_in_time(witness: Witness, call_id: str) -> None:
    await witness.line.keyed(call_id, CANARY.keys)
    assert (await witness.line.stack.stage(call_id, "aborted"))["reason"] == "not submitted in time"


WAYS: tuple[Callable[[Witness, str], Awaitable[None]], ...] = (
    approved,
    declined_quoting_the_card,
    answered_with_garbage_that_holds_the_card,
    not_answered_in_time,
    hung_up_while_keying,
    cancelled_when_ready,
    cleared_and_keyed_again,
    not_submitted_in_time,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_nothing_of_the_card_is_left_however_the_payment_ends(
    peers: Peers, way: Callable[[Witness, str], Awaitable[None]]
) -> None:
    hasty = {"provider": {"inquiry_time": "1"}}
    if way is not_submitted_in_time:
        hasty["media"] = {"ready_timeout": "1"}
    async with witnessed(peers, extra=hasty) as (witness, call_id):
        payers = set(witness.line.stack.pids()["payer"])
        await way(witness, call_id)
        await witness.ask_everything(call_id)
        await witness.line.hang_up()
        await settled(witness, payers, len(await witness.line.stack.charges()))
        assert await witness.memory() == []
        if way in (approved, hung_up_while_keying):
            assert await witness.orders() == {}
    assert witness.texts() == []


async def test_while_it_is_charged_the_card_is_in_its_payer_alone_and_goes_with_it_when_it_is_killed(
    peers: Peers,
) -> None:
    patient = {"provider": {"timeout": "60"}}
    async with witnessed(peers, extra=patient) as (witness, call_id):
        stack = witness.line.stack
        payers = set(stack.pids()["payer"])
        await witness.line.keyed(call_id, CANARY.keys, "late_charged-1")
        await stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        await until(stack.charges, "the charge at the provider")
        found = await witness.memory()
        assert len({finding.pid for finding in found}) == 1, Counter(finding.pid for finding in found)
        charging = found[0].pid
        assert charging in payers
        os.kill(charging, signal.SIGKILL)
        outcome = (await stack.stage(call_id, "finished"))["outcome"]
        assert (outcome["type"], outcome["reason"]) == ("unknown", "payer_gone")
        await witness.ask_everything(call_id)
        await witness.line.hang_up()
        await settled(witness, payers, 1)
        assert await witness.memory() == []
    assert witness.texts() == []


async def test_the_searches_find_the_card_in_a_media_process_that_leaks(peers: Peers) -> None:
    expect_error("card 4929580173642084")  # the line that it writes to its log
    async with witnessed(peers, environment={"PYTHONPATH": str(LEAKY)}) as (witness, call_id):
        await witness.line.keyed(call_id, CANARY.keys)
        assert (await submit(witness, call_id))["type"] == "approved"
        await witness.line.hang_up()
        await witness.line.no_sessions()
        found = await witness.memory()
        assert {finding.pid for finding in found} == set(witness.line.stack.pids()["media"])
        assert {"ascii head", "ascii tail"} <= {finding.encoding for finding in found}
    assert {finding.where for finding in witness.texts()} == {str(witness.line.stack.log)}
