"""Refunds, captures and voids with the real processes: once each, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import signal
import sys
from typing import Any

from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import keys, report
from tests.wire.line import Line, line

AMOUNT = 4995


def slow() -> dict[str, dict[str, str]]:
    """Settings for an answer that takes long, and for a b2bua that is started again."""
    return {"provider": {"timeout": "20"}, "general": {"port": str(free_port())}}


async def paid(wire: Line, transaction: str = "order-1", **options: Any) -> str:
    """A payment that was approved, whose call is over; its id."""
    call_id = await wire.dial()
    await wire.keyed(call_id, keys("approved"), transaction=transaction, **options)
    outcome = await wire.stack.submit(call_id)
    assert outcome["type"] == "approved"
    payment_id = (await wire.stack.call(call_id))["capture"]["id"]
    await wire.hang_up()
    await wire.no_sessions()
    return str(payment_id)


async def post(wire: Line, path: str, amount: int | None = None, key: str = "") -> dict[str, Any]:
    """The payment, as a request for it was answered."""
    answer = await wire.stack.api.post(
        f"/v1/payments/{path}",
        json={} if amount is None else {"amount": amount},
        headers={"Idempotency-Key": key} if key else {},
    )
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def decided(wire: Line, payment_id: str) -> dict[str, Any]:
    """The payment, once the newest thing done about it has an outcome."""
    found: dict[str, Any] = {}

    async def known() -> bool:
        found.update((await wire.stack.api.get(f"/v1/payments/{payment_id}")).json())
        return found["follow_ups"][-1]["outcome"] is not None

    await until(known, "the outcome of what was done")
    return found


async def record(wire: Line, payment_id: str) -> dict[str, Any]:
    """The provider's own account of a payment."""
    [found] = [each for each in (await report(wire))["records"] if each["idempotency_key"] == payment_id]
    return dict(found)


async def refunded_there(wire: Line, payment_id: str) -> None:
    """Until the provider has refunded something."""

    async def done() -> bool:
        return bool((await record(wire, payment_id))["refunded"])

    await until(done, "the provider to have refunded it")


async def test_a_payment_is_refunded_in_parts_and_no_further(peers: Peers) -> None:
    async with line(peers) as wire:
        payment_id = await paid(wire)
        async with wire.feed() as feed:
            first = await post(wire, f"{payment_id}/refunds", 1000, key="r-1")
            after = await decided(wire, payment_id)
            assert (after["captured"], after["refunded"]) == (AMOUNT, 1000)
            assert after["follow_ups"][0]["outcome"]["type"] == "approved"
            assert await post(wire, f"{payment_id}/refunds", 1000, key="r-1") == first
            await post(wire, f"{payment_id}/refunds")
            assert (await decided(wire, payment_id))["refunded"] == AMOUNT
            told = [each["refunded"] for each in feed.all_views("payment") if each["id"] == payment_id]
            assert told == [0, 1000, 1000, AMOUNT]
        refused = await wire.stack.api.post(f"/v1/payments/{payment_id}/refunds")
        assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
        found = await record(wire, payment_id)
        assert (found["refunded"], found["moves"], found["charges"]) == (AMOUNT, 2, 1)


async def test_an_authorisation_is_captured_in_parts_or_voided(peers: Peers) -> None:
    async with line(peers) as wire:
        first = await paid(
            wire, "order-1", operation="authorise", customer="C-17", metadata={"shop": "north"}
        )
        payment = (await wire.stack.api.get(f"/v1/payments/{first}")).json()
        assert (payment["captured"], payment["order"]["metadata"]) == (0, {"shop": "north"})
        await post(wire, f"{first}/captures", 4000)
        assert (await decided(wire, first))["captured"] == 4000
        await post(wire, f"{first}/refunds", 500)
        assert (await decided(wire, first))["refunded"] == 500
        found = await record(wire, first)
        assert (found["operation"], found["captured"], found["refunded"]) == ("authorise", 4000, 500)
        second = await paid(wire, "order-2", operation="authorise")
        await post(wire, f"{second}/voids")
        assert (await decided(wire, second))["voided"] == AMOUNT
        assert (await record(wire, second))["voided"]
        assert (await wire.stack.api.post(f"/v1/payments/{second}/captures")).status_code == 409


async def test_a_refund_goes_on_when_b2bua_is_killed_and_is_made_once(peers: Peers) -> None:
    async with line(peers, extra=slow(), provider_arguments=["--hold", "6"]) as wire:
        payment_id = await paid(wire)
        first = await post(wire, f"{payment_id}/refunds", 1000, key="r-1")
        await refunded_there(wire, payment_id)
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)
        again = await post(wire, f"{payment_id}/refunds", 1000, key="r-1")
        assert again == first, "the request is known to the next process"
        after = await decided(wire, payment_id)
        assert (after["follow_ups"][0]["outcome"]["type"], after["refunded"]) == ("approved", 1000)
        found = await record(wire, payment_id)
        assert (found["refunded"], found["moves"]) == (1000, 1)


async def test_a_refund_whose_reconciler_is_killed_is_made_once_and_not_called_done(peers: Peers) -> None:
    async with line(peers, extra=slow(), provider_arguments=["--hold", "6"]) as wire:
        payment_id = await paid(wire)
        await post(wire, f"{payment_id}/refunds", 4000)
        await refunded_there(wire, payment_id)
        wire.stack.kill("reconciler")
        after = await decided(wire, payment_id)
        assert after["follow_ups"][0]["outcome"] == {"type": "unknown", "reason": "outcome_not_recorded"}
        assert after["refunded"] == 0
        refused = await wire.stack.api.post(f"/v1/payments/{payment_id}/refunds", json={"amount": 1000})
        assert refused.status_code == 409, "it counts as done until somebody knows"
        assert (await wire.stack.api.get("/healthz")).json()["open_follow_ups"] == 1
        found = await record(wire, payment_id)
        assert (found["refunded"], found["moves"]) == (4000, 1)


async def test_where_the_key_makes_it_safe_the_next_reconciler_repeats_it_and_it_is_made_once(
    peers: Peers,
) -> None:
    extra = {"provider": {"adapter": "stripe", "timeout": "5", "inquiry_time": "1"}}
    async with line(peers, extra=extra, provider_arguments=["--adapter", "stripe", "--hold", "2"]) as wire:
        payment_id = await paid(wire)
        await post(wire, f"{payment_id}/refunds", 4000)
        await refunded_there(wire, payment_id)
        wire.stack.kill("reconciler")
        lost = (await decided(wire, payment_id))["follow_ups"][0]
        assert lost["outcome"] == {"type": "unknown", "reason": "outcome_not_recorded"}

        async def approved() -> dict[str, Any] | None:
            found = (await wire.stack.api.get(f"/v1/payments/{payment_id}")).json()
            return found if found["follow_ups"][0]["outcome"]["type"] == "approved" else None

        after = await until(approved, "the repeated request to be answered")
        assert (after["follow_ups"][0]["decided_by"], after["refunded"]) == ("reconciler", 4000)
        found = await record(wire, payment_id)
        assert (found["refunded"], found["moves"]) == (4000, 1)


async def test_a_refund_that_no_reconciler_took_up_is_not_sent_after_all(peers: Peers) -> None:
    async with line(peers, extra=slow()) as wire:
        payment_id = await paid(wire)
        [reconciler] = wire.stack.pids()["reconciler"]
        os.kill(reconciler, signal.SIGSTOP)
        await post(wire, f"{payment_id}/refunds", 1000)
        [before] = wire.stack.kill("b2bua")
        wire.stack.kill("reconciler")
        await wire.stack.await_restart(before)
        after = await decided(wire, payment_id)
        assert after["follow_ups"][0]["outcome"] == {"type": "failed", "reason": "not_sent"}
        await post(wire, f"{payment_id}/refunds", 1000)
        assert (await decided(wire, payment_id))["refunded"] == 1000
        found = await record(wire, payment_id)
        assert (found["refunded"], found["moves"]) == (1000, 1)


async def test_a_request_and_the_question_about_it_that_arrive_together_agree(peers: Peers) -> None:
    async with line(peers, extra=slow()) as wire:
        payment_id = await paid(wire)
        [reconciler] = wire.stack.pids()["reconciler"]
        os.kill(reconciler, signal.SIGSTOP)
        await post(wire, f"{payment_id}/refunds", 1000)
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)
        os.kill(reconciler, signal.SIGCONT)
        after = await decided(wire, payment_id)
        outcome, found = after["follow_ups"][0]["outcome"], await record(wire, payment_id)
        assert (outcome["type"], found["refunded"]) in (("approved", 1000), ("failed", 0))
        assert after["refunded"] == found["refunded"]


async def charge_saved(wire: Line, payment_id: str, **more: Any) -> dict[str, Any]:
    """The payment by the card that this one saved, as the request was answered."""
    order = {"transaction_id": "order-2", "amount": 700, "currency": "EUR"}
    answer = await wire.stack.api.post("/v1/payments", json=order | {"saved_from": payment_id} | more)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def over(wire: Line, payment_id: str) -> dict[str, Any]:
    """The payment, once it is over."""
    found: dict[str, Any] = {}

    async def known() -> bool:
        found.update((await wire.stack.api.get(f"/v1/payments/{payment_id}")).json())
        return found["settled_at"] is not None

    await until(known, "the end of the payment", 60)
    return found


async def test_a_saved_card_is_charged_once_an_order_and_its_charge_refunded(peers: Peers) -> None:
    async with line(peers) as wire:
        first = await paid(wire, token_type="reusable", customer="C-17")
        begun = await charge_saved(wire, first)
        assert (begun["call"], begun["last_four"]) == ("", "0005")
        after = await over(wire, begun["id"])
        assert (after["outcome"]["type"], after["captured"]) == ("approved", 700)
        body = {"transaction_id": "order-2", "amount": 700, "currency": "EUR", "saved_from": first}
        again = await wire.stack.api.post("/v1/payments", json=body)
        assert (again.status_code, again.json()["type"]) == (409, "urn:tonewall:order-charged")
        await post(wire, f"{begun['id']}/refunds", 200)
        assert (await decided(wire, begun["id"]))["refunded"] == 200
        found = await record(wire, begun["id"])
        assert (found["charges"], found["amount"], found["refunded"]) == (1, 700, 200)


async def test_a_charge_of_a_saved_card_survives_the_kill_of_b2bua_and_of_the_reconciler(
    peers: Peers,
) -> None:
    """The provider charges, and answers late: nobody is there any more to hear it."""
    extra = {**slow(), "provider": {"timeout": "4", "inquiry_time": "1"}}
    async with line(peers, extra=extra, provider_arguments=["--delay", "3"]) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, keys("late_charged"), token_type="reusable")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        first = (await wire.stack.call(call_id))["capture"]["id"]
        await wire.hang_up()
        await wire.no_sessions()
        begun = await charge_saved(wire, first)

        async def there() -> bool:
            return any(each["idempotency_key"] == begun["id"] for each in (await report(wire))["records"])

        await until(there, "the charge to arrive at the provider")
        wire.stack.kill("reconciler")
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)

        async def known() -> bool:
            payment = (await wire.stack.api.get(f"/v1/payments/{begun['id']}")).json()
            return bool(payment["outcome"]) and payment["outcome"]["type"] == "approved"

        await until(known, "the reconciler to find the outcome", 60)
        found = await record(wire, begun["id"])
        assert (found["charges"], found["state"]) == (1, "approved")
        assert (await report(wire))["requests"] == 2


async def command(wire: Line, *arguments: str) -> tuple[int, str]:
    """The status and output of `tonewall payments` on this machine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "payments", *arguments, "-c", str(wire.stack.conf),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_command_refunds_reconciles_and_writes_the_books(peers: Peers) -> None:
    async with line(peers) as wire:
        payment_id = await paid(wire)
        status, output = await command(wire, "refund", payment_id, "--amount", "9.95", "--yes")
        assert (status, "refund of EUR 9.95: approved" in output) == (0, True), output
        assert (await record(wire, payment_id))["refunded"] == 995
        status, output = await command(wire, "show", payment_id)
        assert "refunded             EUR 9.95" in output
        assert (await command(wire, "reconcile", "--all"))[1] == "no payment is unknown\n"
        status, output = await command(wire, "export")
        rows = list(csv.DictReader(io.StringIO(output)))
        assert [(row["kind"], row["settled"], row["outcome"]) for row in rows] == [
            ("charge", str(AMOUNT), "approved"),
            ("refund", "995", "approved"),
        ]
