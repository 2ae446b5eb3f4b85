"""Receipts over HTTP: handed to the company's service once, to addresses alone, of payments that
were approved."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.api.http import create_app
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.call.webhook_kinds import KINDS, RECEIPT
from b2bua.records.webhooks import WebhookTable
from provider_adapters.payment import Approved, Declined, Outcome, PartiallyApproved, Unknown
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.receipt_service import ReceiptService
from tests.stack import until

TOKEN = "agent-under-test-0001"
TO = {"to": "jo@example.com"}
APPROVED = Approved(reference="ch_1", token="tok_secret")


class Counter:
    """Where an agent asks for receipts: the API, and the company's service behind it."""

    def __init__(self, company: ReceiptService, agent: httpx.AsyncClient, desk: FakeDesk) -> None:
        self.company, self.agent, self.desk = company, agent, desk

    def pay(self, outcome: Outcome | None = APPROVED, name: str = "p-1") -> None:
        stage = CaptureStage.FINISHED if outcome is not None else CaptureStage.CHARGING
        payment = PaymentView(
            id=name, stage=stage, order=Order(transaction_id="INV-1", amount=4990, currency="EUR"),
            started_at="2026-12-01T10:00:00+00:00", agent="ann", outcome=outcome,
        )  # fmt: skip
        self.company.table.put(payment)
        self.desk.note(payment)

    async def ask(self, body: Any = TO, name: str = "p-1", key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.agent.post(f"/v1/payments/{name}/receipt", json=body, headers=headers)


@contextlib.asynccontextmanager
async def opened(directory: Path, kinds: frozenset[str] = frozenset(KINDS)) -> AsyncIterator[Counter]:
    company, desk = ReceiptService(directory, kinds), FakeDesk()
    app = create_app(
        desk,
        authenticators=everybody(f"ann:{TOKEN}"),
        webhooks=company.webhooks,
        receipts=company.receipts,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as agent:
        yield Counter(company, agent, desk)
    await company.close()


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    async with opened(tmp_path, frozenset({RECEIPT})) as counter:
        yield counter


async def test_a_receipt_is_an_event_with_its_address_and_the_payment(counter: Counter) -> None:
    counter.pay()
    answer = await counter.ask({"to": " +49 (30) 123-456 "})
    assert answer.status_code == 202, answer.text
    service = counter.company.service
    await counter.company.webhooks.look()
    await until(lambda: service.got, "the event")
    [event] = service.said()
    assert answer.json() == {"deliveries": [f"{event['id']}.crm"]}
    assert (event["type"], event["subject"]) == ("tonewall.payment.receipt", "p-1")
    assert event["data"]["receipt"] == {"to": "+4930123456"}
    assert (event["data"]["outcome"]["reference"], event["data"]["order"]["amount"]) == ("ch_1", 4990)
    assert b"tok_secret" not in service.got[0].body


async def test_it_waits_for_the_event_of_the_charge(tmp_path: Path) -> None:
    async with opened(tmp_path) as counter:
        counter.pay()
        assert (await counter.ask()).status_code == 202
        asked = {"payment": "p-1"}
        last, first = (await counter.agent.get("/v1/webhooks/deliveries", params=asked)).json()
        assert (first["type"], last["type"]) == ("tonewall.payment.charged", "tonewall.payment.receipt")
        assert (last["next_at"], "jo@" in str(last)) == (None, False)
        assert (await counter.agent.get("/v1/me")).json()["receipts"] is True


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (PartiallyApproved(reference="r", amount=990), 202),
        (Declined(reason="51"), 409),
        (Unknown(reason="timeout"), 409),
        (None, 409),
    ],
)
async def test_only_of_an_approval_there_is_a_receipt(
    counter: Counter, outcome: Outcome | None, status: int
) -> None:
    counter.pay(outcome)
    answer = await counter.ask()
    assert answer.status_code == status, answer.text
    assert counter.company.kinds() == [RECEIPT] * (status == 202)
    if status == 409:
        assert "approved" in answer.json()["detail"]


@pytest.mark.parametrize(
    "to",
    [
        "", " ", "()", "jo", "jo@", "@example.com", "jo@example@com", "jo @example.com",
        "jo@ex\x00ample.com", "030123456", "+0123456",
        "4111 1111 1111 1111", "+4111111111111111", "+378282246310005", "4111111111111111@example.com",
        "jo@4111-1111-1111-1111.example", "x" * 250 + "@a.de", 5, None, ["jo@example.com"],
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused_and_not_repeated(counter: Counter, to: Any) -> None:
    counter.pay()
    answer = await counter.ask({"to": to})
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == ["to"]
    assert not (isinstance(to, str) and len(to) > 2 and to in answer.text)
    assert counter.company.kinds() == []


async def test_a_body_without_an_address_or_with_more_is_refused(counter: Counter) -> None:
    counter.pay()
    for body in ({}, TO | {"card": "x"}, []):
        assert (await counter.ask(body)).status_code == 422
    assert (await counter.ask(name="p-2")).status_code == 404


async def test_a_key_sends_one_and_a_payment_has_five(counter: Counter) -> None:
    counter.pay()
    answers = [await counter.ask(key="receipt-1") for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert (await counter.ask({"to": "ho@example.com"}, key="receipt-1")).status_code == 422
    assert counter.company.kinds() == [RECEIPT]
    assert [(await counter.ask()).status_code for _ in range(5)] == [202, 202, 202, 202, 409]
    assert counter.company.kinds() == [RECEIPT] * 5
    counter.pay(name="p-2")
    assert (await counter.ask(name="p-2")).status_code == 202, "each payment has its own"


async def test_a_service_that_follows_payments_alone_gets_none(tmp_path: Path) -> None:
    async with opened(tmp_path, frozenset({"payment.charged"})) as counter:
        counter.pay()
        assert (await counter.agent.get("/v1/me")).json()["receipts"] is False
        answer = await counter.ask()
        assert answer.status_code == 409
        assert "payment.receipt" in answer.json()["detail"]
        assert counter.company.kinds() == ["payment.charged"]


async def test_what_cannot_be_written_is_not_promised(counter: Counter) -> None:
    counter.pay()
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    table = counter.company.table.notices.webhooks
    counter.company.table.notices.webhooks = WebhookTable(database, most=0)
    full = await counter.ask(key="full")
    assert (full.status_code, "Too many webhooks" in full.json()["detail"]) == (503, True)
    database.close()
    broken = await counter.ask(key="full")
    assert (broken.status_code, "[cdr] payments" in broken.json()["detail"]) == (503, True)
    counter.company.table.notices.webhooks = table
    assert (await counter.ask(key="full")).status_code == 202
