"""Forms that are keyed in a call and go to a company's own service; and forms that check or save a
card: from the key to whoever gets it, and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_adapters.payer.journal import Journal
from tests.canary import forms, scan_process
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.faulty_payments import keys, report
from tests.wire.line import Feed, Line, line
from tests.wire.payments.till import LocalProvider, local_provider

# Twelve digits, that no check of a card passes: long enough to be found anywhere.
NUMBER, PIN = "830275519446", "4826"
QUOTING = "4000000000010068"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LocalProvider]:
    with local_provider(tmp_path / "service", "--adapter", "delivery", "--mutual") as running:
        yield running


def sections(service: LocalProvider) -> dict[str, dict[str, str]]:
    return {
        "provider crm": {
            "adapter": "delivery",
            "url": service.url,
            "api_key": service.api_key,
            "ca_file": service.ca_file,
            "tls_certificate": service.tls_certificate,
            "tls_key": service.tls_key,
            "encryption_key_file": service.encryption_key_file,
            "call_id": "yes",
        },
        "form card": {},
        "form contract": {
            "fields": "customer_number, pin",
            "result": "deliver",
            "deliver_to": "crm",
        },
        "field customer-number": {"min_length": "12", "max_length": "16", "card_numbers": "allow"},
        "form check": {"result": "verify"},
        "form keep": {"result": "token"},
    }


@contextlib.asynccontextmanager
async def served(peers: Peers, service: LocalProvider) -> AsyncIterator[tuple[Line, Feed, str]]:
    async with line(peers, extra=sections(service)) as wire, wire.feed() as feed:
        yield wire, feed, await wire.dial()


async def start(wire: Line, call_id: str, form: str, **order: Any) -> dict[str, Any]:
    body = {"transaction_id": f"t-{form}", "form": form, **order}
    answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=body)
    assert answer.status_code == 201, answer.text
    await wire.stack.stage(call_id, "collecting")
    return answer.json()["capture"]


def traces(data: bytes) -> list[str]:
    """The encodings in which the number stands there."""
    return [name for name, needle in forms(NUMBER).items() if needle in data]


async def test_what_was_keyed_reaches_the_company_encrypted_and_nobody_else(
    peers: Peers, service: LocalProvider
) -> None:
    async with served(peers, service) as (wire, feed, call_id):
        payers = set(wire.stack.pids()["payer"])
        capture = await start(wire, call_id, "contract", description="Direct debit", metadata={"desk": "7"})
        order = capture["order"]
        assert (order["operation"], order["amount"], order["currency"]) == ("deliver", 0, "")
        await wire.key(f"{NUMBER}#{PIN}")
        await wire.stack.stage(call_id, "ready")
        outcome = await wire.stack.submit(call_id)
        record = await asyncio.to_thread(service.record, capture["id"])
        assert record is not None
        assert outcome == {
            "type": "approved", "reference": record["reference"], "token": None, "authorisation_code": None,
            "provider": "crm", "message": "The mandate is set up.",
        }  # fmt: skip
        beside = record["beside"]
        assert (record["charges"], beside["encrypted"], beside["form"]) == (1, True, "contract")
        assert (beside["call"], beside["metadata"]) == (call_id, {"desk": "7"})
        assert beside["names"] == ["customer_number", "pin"]
        assert beside["submitted_at"].startswith("20")
        assert (await report(wire))["requests"] == 0, "no payment provider has heard of it"
        payment = (await wire.stack.api.get(f"/v1/payments/{capture['id']}")).json()
        assert payment["outcome"] == outcome
        assert payment["left"] == {"capture": 0, "void": 0, "refund": 0}
        # Nothing stays: in what was said, on disk, in any process that goes on.
        said = bytes(feed.raw) + str(payment).encode() + (await wire.stack.api.get("/metrics")).content
        assert traces(said) == []
        for kind, pids in wire.stack.pids().items():
            for pid in pids:
                if kind != "payer" or pid not in payers:
                    assert await asyncio.to_thread(scan_process, pid, forms(NUMBER)) == [], kind
        files = [path for path in wire.stack.directory.rglob("*") if path.is_file()]
        assert len(files) > 3
        assert [path for path in files if traces(path.read_bytes())] == []
        await wire.unmasked(call_id)
        await wire.hang_up()


async def test_a_refusal_is_told_without_a_digit_and_the_form_is_keyed_again(
    peers: Peers, service: LocalProvider
) -> None:
    async with served(peers, service) as (wire, _, call_id):
        await start(wire, call_id, "contract")
        await wire.key(f"{QUOTING}#{PIN}")
        await wire.stack.stage(call_id, "ready")
        assert await wire.stack.submit(call_id) == {
            "type": "declined", "reason": "fields_refused", "message": "", "reference": None,
            "code": "invalid_number",
        }  # fmt: skip
        # The same order once more: a delivery is no charge, so nobody asks whether it may be.
        await start(wire, call_id, "contract")
        await wire.key(f"{NUMBER}#{PIN}")
        await wire.stack.stage(call_id, "ready")
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        await wire.hang_up()


async def test_a_form_checks_a_card_another_saves_it_and_a_third_charges_it(
    peers: Peers, service: LocalProvider
) -> None:
    async with served(peers, service) as (wire, _, call_id):
        for form, token_type in (("check", None), ("keep", "reusable")):
            capture = await start(wire, call_id, form, currency="EUR")
            order = capture["order"]
            assert (order["operation"], order["token_type"], order["amount"]) == ("verify", token_type, 0)
            await wire.key(keys("approved"))
            await wire.stack.stage(call_id, "ready")
            outcome = await wire.stack.submit(call_id)
            assert outcome["type"] == "approved"
            assert bool(outcome["token"]) == (form == "keep")
            await wire.unmasked(call_id)
        await wire.keyed(call_id, keys("approved"))
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        await wire.unmasked(call_id)
        assert (await asyncio.to_thread(service.report))["requests"] == 0
        await wire.hang_up()


async def test_an_order_that_contradicts_its_form_masks_nothing(peers: Peers, service: LocalProvider) -> None:
    async with served(peers, service) as (wire, _, call_id):
        for form, order, field in (
            ("contract", {"amount": 100, "currency": "EUR"}, "amount"),
            ("contract", {"operation": "verify", "currency": "EUR"}, "operation"),
            ("keep", {"amount": 100, "currency": "EUR"}, "amount"),
            ("card", {"operation": "deliver"}, "operation"),
            ("card", {"currency": "EUR"}, "amount"),
        ):
            body = {"transaction_id": "t", "form": form, **order}
            answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture", json=body)
            assert answer.status_code == 422, answer.text
            assert [each["field"] for each in answer.json()["errors"]] == [field]
        view = await wire.stack.call(call_id)
        assert (view["capture"], view["mask"]) == (None, "off")
        await wire.hang_up()


async def test_a_customer_who_hangs_up_while_it_is_delivered_is_delivered_once(
    peers: Peers, service: LocalProvider
) -> None:
    async with served(peers, service) as (wire, _, call_id):
        capture = await start(wire, call_id, "contract")
        await wire.key(f"{NUMBER}#{PIN}")
        await wire.stack.stage(call_id, "ready")
        answer = await wire.stack.api.post(f"/v1/calls/{call_id}/capture/submit")
        assert answer.status_code == 200, answer.text
        await wire.hang_up()

        async def settled() -> dict[str, Any] | None:
            found = (await wire.stack.api.get(f"/v1/payments/{capture['id']}")).json()
            return found if found["outcome"] else None

        found = await until(settled, "the outcome of the delivery")
        assert found["outcome"]["type"] == "approved"
        record = await asyncio.to_thread(service.record, capture["id"])
        assert record is not None
        assert record["charges"] == 1
        journal = next(wire.stack.directory.rglob("journal.jsonl"))
        entry = Journal(journal).lookup(capture["id"])
        assert entry is not None
        assert (entry.operation, entry.amount) == ("deliver", 0)
