"""A payment that outlives its call: hang-ups, killed processes and restarts while the provider
charges."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.complaints import permit_error
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line
from tests.wire.paying import nothing_left

APPROVED = "37828224631000511397391"
# The local provider answers after --delay seconds, approved.
LATE, REST = "4000000000010019", "#1139739"


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
            views = [
                view for view in feed.all_views() if view["capture"] and view["capture"]["id"] == payment
            ]
            return views[-1]

        await until(lambda: last()["capture"]["stage"] == "finished", "the outcome on the feed")  # type: ignore[index]
        assert last()["state"] == "ended"
        assert last()["capture"]["outcome"]["type"] == "approved"  # type: ignore[index]
        await nothing_left(wire.stack)
        assert await wire.stack.calls() == []
        [record] = await until(wire.stack.records, "the call's record")
        assert [capture["outcome"] for capture in record["captures"]] == ["approved"]


async def final(wire: Line, payment: str) -> dict[str, Any]:
    """The payment, once it is final."""

    async def settled() -> dict[str, Any] | None:
        answer = await wire.stack.api.get(f"/v1/payments/{payment}")
        view: dict[str, Any] = answer.json()
        return view if answer.status_code == 200 and view["settled_at"] else None

    return await until(settled, f"payment {payment} to be final; see {wire.stack.log}")


async def test_b2bua_killed_while_charging_ends_with_a_record_and_the_providers_outcome(peers: Peers) -> None:
    # A port of its own, so that the phones find it again.
    extra = {"general": {"port": str(free_port())}}
    async with line(peers, extra=extra, provider_arguments=["--delay", "2.5"]) as wire:
        payment = await charging(wire)
        ready = wire.stack.directory / "run" / "ready.json"
        before = ready.read_text()
        wire.stack.kill("b2bua")
        await until(lambda: ready.read_text() != before, "b2bua to be ready again")
        await wire.stack.await_ready()
        view = await final(wire, payment)
        assert (view["outcome"]["type"], view["order"]["transaction_id"]) == ("approved", "late")
        listed = (await wire.stack.api.get("/v1/payments", params={"transaction_id": "late"})).json()
        assert [each["id"] for each in listed] == [payment]
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert [(each["payment"], each["outcome"]) for each in record["captures"]] == [(payment, "approved")]
        [charge] = await wire.stack.charges()
        assert (charge["idempotency_key"], charge["charges"]) == (payment, 1)


async def test_b2bua_killed_after_a_payment_leaves_one_record_of_its_call(peers: Peers) -> None:
    extra = {"general": {"port": str(free_port())}}
    async with line(peers, extra=extra) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, APPROVED, "paid")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        ready = wire.stack.directory / "run" / "ready.json"
        before = ready.read_text()
        wire.stack.kill("b2bua")
        await until(lambda: ready.read_text() != before, "b2bua to be ready again")
        await wire.stack.await_ready()
        await wire.unmasked(call_id)
        assert wire.stack.records() == []  # it is still up
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the record of the call")
        assert (record["call"], record["end"]) == (call_id, "far end hung up")
        assert [each["outcome"] for each in record["captures"]] == ["approved"]


async def test_media_killed_while_charging_ends_with_the_outcome_that_the_payer_noted(peers: Peers) -> None:
    async with line(peers, provider_arguments=["--delay", "2.5"]) as wire, wire.feed() as feed:
        payment = await charging(wire)
        wire.stack.kill("media")
        view = await final(wire, payment)
        assert view["outcome"]["type"] == "approved"

        def last() -> dict[str, Any]:
            """The newest view of the call on the feed."""
            shown = [
                view for view in feed.all_views() if view["capture"] and view["capture"]["id"] == payment
            ]
            return shown[-1]

        await until(lambda: last()["capture"]["outcome"], "the outcome on the feed")
        assert (last()["state"], last()["capture"]["outcome"]["type"]) == ("up", "approved")
        await until(lambda: feed.all_views("payment")[-1]["stage"] == "finished", "the payment on the feed")
        await wire.hang_up()
        [record] = await until(wire.stack.records, "the call's record")
        assert [each["outcome"] for each in record["captures"]] == ["approved"]
        assert await wire.stack.calls() == []


async def test_all_of_tonewall_killed_while_charging_is_settled_by_the_next_start(peers: Peers) -> None:
    async with line(peers, provider_arguments=["--delay", "1"]) as wire:
        payment = await charging(wire)
        pids = wire.stack.pids()
        for pid in (*pids["keeper"], *pids["supervisor"], *pids["b2bua"], *pids["media"]):
            os.kill(pid, signal.SIGKILL)
        permit_error("keeper_lost")
        permit_error("media_lost")
        permit_error("gave_up", process="payer")
        await wire.stack.start_tonewall()
        view = await final(wire, payment)
        # The payer goes on without anybody; what it noted, or that it noted no outcome, is the
        # payment's end.
        assert view["outcome"]["type"] in ("approved", "unknown")
        [charge] = await wire.stack.charges()
        assert charge["charges"] == 1
        [record] = await until(wire.stack.records, "the record of the call that was lost")
        assert [each["outcome"] for each in record["captures"]] == [view["outcome"]["type"]]


async def test_an_order_that_was_charged_answers_409_with_what_is_known_also_after_a_restart(
    peers: Peers,
) -> None:
    extra = {"general": {"port": str(free_port())}}
    async with line(peers, extra=extra) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, APPROVED, "dup-1")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        order = {"transaction_id": "dup-1", "amount": 4995, "currency": "EUR"}
        refused = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=order)
        assert refused.status_code == 409
        assert refused.json()["type"] == "urn:tonewall:order-charged"
        [known] = refused.json()["payments"]
        assert (known["outcome"]["type"], known["order"]["transaction_id"]) == ("approved", "dup-1")
        assert known["outcome"]["reference"]

        await wire.hang_up()
        await wire.stack.stop_tonewall()
        await wire.stack.start_tonewall()
        call_id = await wire.dial()
        refused = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=order)
        assert refused.status_code == 409
        answer = await wire.stack.api.post(
            f"/v1/calls/{call_id}/capture", json=order | {"allow_repeat": True}
        )
        assert answer.status_code == 201
        await wire.stack.stage(call_id, "collecting")
        await wire.key(APPROVED)
        await wire.stack.stage(call_id, "ready")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        view = await final(wire, answer.json()["capture"]["id"])
        assert view["repeats"] == [known["id"]]
        await wire.hang_up()


async def test_a_start_with_the_same_idempotency_key_is_one_payment(peers: Peers) -> None:
    async with line(peers) as wire:
        call_id = await wire.dial()
        path, headers = f"/v1/calls/{call_id}/capture", {"Idempotency-Key": "crm-77"}
        order = {"transaction_id": "k-1", "amount": 4995, "currency": "EUR"}
        first = await wire.stack.api.post(path, json=order, headers=headers)
        again = await wire.stack.api.post(path, json=order, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        other = await wire.stack.api.post(path, json=order | {"amount": 1}, headers=headers)
        assert other.status_code == 422
        bad = await wire.stack.api.post(path, json=order, headers={"Idempotency-Key": "x" * 256})
        assert bad.status_code == 422
        await wire.hang_up()
