"""A payment of which nobody knows what became of it, settled over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from b2bua.api.http import create_app
from b2bua.call.order import Order, Settlement
from b2bua.call.view import CaptureStage, NotWell, NotYours, PaymentView
from provider_adapters.payment import Approved, Unknown
from tests.browser.fake_desk import FakeDesk
from tests.canary import CANARY
from tests.everybody import everybody

TOKEN = "a-token-for-the-tests"
LOST = PaymentView(
    id="p-1", call="c-1", stage=CaptureStage.FINISHED, outcome=Unknown(reason="not_decided"),
    order=Order(transaction_id="INV-2041", amount=4990, currency="EUR"), started_at="2026-11-30T10:00:00Z",
)  # fmt: skip
PAID = msgspec.structs.replace(LOST, id="p-2", outcome=Approved(reference="ch_1"))
URL = "/v1/payments/p-1/settlement"
FOUND = {"outcome": "approved", "reference": "ch_7"}


@pytest.fixture
def desk() -> FakeDesk:
    desk = FakeDesk()
    for each in (LOST, PAID):
        desk.tell(each)
    return desk


@pytest.fixture
async def agent(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t.test", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (FOUND, {"type": "approved", "reference": "ch_7"}),
        ({**FOUND, "amount": 990}, {"type": "partially_approved", "reference": "ch_7", "amount": 990}),
        ({**FOUND, "amount": 4990}, {"type": "approved", "reference": "ch_7"}),
        ({"outcome": "declined"}, {"type": "declined", "reason": "settled_by_person"}),
        ({"outcome": "failed"}, {"type": "failed", "reason": "settled_by_person"}),
    ],
)
async def test_the_answer_is_the_payment_as_it_stands_then(
    agent: httpx.AsyncClient, body: dict[str, Any], outcome: dict[str, Any]
) -> None:
    answer = await agent.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    payment = answer.json()
    assert payment["outcome"].items() >= outcome.items()
    assert (payment["decided_by"], payment["settled_by"]) == ("person", "ann")


async def test_with_a_key_it_is_answered_the_same_again_and_without_one_it_is_decided(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    key = {"Idempotency-Key": "s-1"}
    first, again = [await agent.post(URL, json=FOUND, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert desk.asked == [("settle", "p-1", Settlement(outcome="approved", reference="ch_7"), "ann")]
    other = await agent.post(URL, json={"outcome": "failed"}, headers=key)
    assert other.status_code == 422
    assert (await agent.post(URL, json=FOUND)).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"outcome": "approved"}, "reference"),
        ({"outcome": "unknown"}, "outcome"),
        ({"outcome": "declined", "amount": 1}, "amount"),
        ({"outcome": "approved", "follow_up": "f-1", "amount": 1}, "amount"),
        ({**FOUND, "amount": 0}, "amount"),
        ({"outcome": "approved", "reference": CANARY.number}, "reference"),
        ({"outcome": "approved", "reference": "r" * 129}, "reference"),
        ({}, "outcome"),
    ],
)
async def test_a_word_that_says_too_little_or_too_much_is_refused(
    desk: FakeDesk, agent: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    answer = await agent.post(URL, json=body)
    assert answer.status_code == 422
    assert field in {each["field"] for each in answer.json()["errors"]}
    assert CANARY.number not in answer.text
    assert desk.asked == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("none", FOUND, 404), ("p-2", FOUND, 409), ("p-1", {**FOUND, "amount": 4991}, 409)],
)
async def test_what_cannot_be_settled_is_refused(
    desk: FakeDesk, agent: httpx.AsyncClient, path: str, body: dict[str, Any], status: int
) -> None:
    assert (await agent.post(f"/v1/payments/{path}/settlement", json=body)).status_code == status
    assert desk.asked == []


@pytest.mark.parametrize(("refusal", "status"), [(NotYours("ben"), 403), (NotWell("Not there."), 503)])
async def test_what_the_desk_refuses_is_a_problem(
    desk: FakeDesk, agent: httpx.AsyncClient, refusal: Exception, status: int
) -> None:
    desk.refuses = refusal
    assert (await agent.post(URL, json=FOUND)).status_code == status
