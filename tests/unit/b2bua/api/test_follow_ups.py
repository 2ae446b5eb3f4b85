"""Captures, voids and refunds over HTTP: answered at once, carried out once, refused with a
sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from b2bua.api.http import create_app
from b2bua.call.order import Order, SavedCard
from b2bua.call.view import CaptureStage, NotOffered, NotWell, PaymentView
from provider_adapters.payment import Accepted, Approved, Unknown
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody

TOKEN = "a-token-for-the-tests"
ORDER = Order(transaction_id="INV-2041", amount=4990, currency="EUR")


@pytest.fixture
def desk() -> FakeDesk:
    desk = FakeDesk()
    for payment_id, operation in (("p-1", "charge"), ("p-2", "authorise")):
        desk.tell(
            PaymentView(
                id=payment_id, call="c-1", stage=CaptureStage.FINISHED, outcome=Approved(reference="ch_1"),
                order=msgspec.structs.replace(ORDER, operation=operation), started_at="2026-11-30T10:00:00Z",
            )
        )  # fmt: skip
    return desk


@pytest.fixture
async def agent(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t.test", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("p-1/refunds", None, ("refund", "p-1", None, "ann")),
        ("p-1/refunds", {}, ("refund", "p-1", None, "ann")),
        ("p-1/refunds", {"amount": 990}, ("refund", "p-1", 990, "ann")),
        ("p-2/captures", {"amount": 990}, ("capture", "p-2", 990, "ann")),
        ("p-2/captures", None, ("capture", "p-2", None, "ann")),
        ("p-2/voids", None, ("void", "p-2", None, "ann")),
    ],
)
async def test_a_request_is_answered_before_its_outcome_is_known(
    desk: FakeDesk, agent: httpx.AsyncClient, path: str, body: Any, asked: tuple[Any, ...]
) -> None:
    more = {} if body is None else {"json": body}
    answer = await agent.post(f"/v1/payments/{path}", **more)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/payments/{asked[1]}"
    [begun] = answer.json()["follow_ups"]
    assert (begun["kind"], begun["amount"], begun["outcome"], begun["by"]) == (
        asked[0], asked[2] or 4990, None, "ann",
    )  # fmt: skip
    assert desk.asked == [asked]


async def test_the_payment_shows_what_became_of_it(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    await agent.post("/v1/payments/p-1/refunds", json={"amount": 990})
    desk.decide("p-1", Accepted(reference="rf_1"))
    payment = (await agent.get("/v1/payments/p-1")).json()
    assert (payment["captured"], payment["refunded"], payment["voided"]) == (4990, 990, 0)
    assert payment["follow_ups"][0]["outcome"] == {"type": "accepted", "reference": "rf_1"}


async def test_a_request_with_a_key_is_carried_out_once(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "refund-1"}
    answers = [
        await agent.post("/v1/payments/p-1/refunds", json={"amount": 990}, headers=key) for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len(desk.asked) == 1
    other = await agent.post("/v1/payments/p-1/refunds", json={"amount": 991}, headers=key)
    assert other.status_code == 422
    voided = await agent.post("/v1/payments/p-1/voids", headers=key)
    assert voided.status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("none/refunds", None, 404, "no such payment"),
        ("p-1/captures", None, 409, "charged at once"),
        ("p-1/refunds", {"amount": 4991}, 409, "more than is left"),
        ("p-2/refunds", None, 409, "nothing left"),
        ("p-1/refunds", {"amount": 0}, 422, "at least 1"),
        ("p-1/refunds", {"amount": "10"}, 422, "whole number"),
        ("p-1/refunds", {"amount": 10, "note": "x"}, 422, "not known"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    desk: FakeDesk, agent: httpx.AsyncClient, path: str, body: Any, status: int, words: str
) -> None:
    answer = await agent.post(f"/v1/payments/{path}", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"].lower()
    assert desk.asked == []


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(NotOffered("amount", "the whole amount only"), 422), (NotWell("Not there."), 503)],
)
async def test_what_the_desk_refuses_is_a_problem(
    desk: FakeDesk, agent: httpx.AsyncClient, refusal: Exception, status: int
) -> None:
    desk.refuses = refusal
    assert (await agent.post("/v1/payments/p-1/refunds")).status_code == status


# --- saved cards ----------------------------------------------------------------------------------

BODY = {"transaction_id": "INV-2042", "amount": 700, "currency": "EUR"}


async def test_a_saved_card_is_charged_for_an_order(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "saved-1"}
    body = BODY | {"saved_from": "p-1", "metadata": {"shop": "north"}}
    answers = [await agent.post("/v1/payments", json=body, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    payment = answers[0].json()
    assert answers[1].json() == payment
    assert answers[0].headers["location"] == f"/v1/payments/{payment['id']}"
    assert (payment["call"], payment["stage"], payment["saved_from"]) == ("", "charging", "p-1")
    order = Order(**BODY, metadata={"shop": "north"})
    assert desk.asked == [("saved", order, SavedCard(saved_from="p-1"), "ann")]


async def test_a_token_is_charged_and_told_nobody(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    answer = await agent.post("/v1/payments", json=BODY | {"token": "tok_9", "provider": "south"})
    assert answer.status_code == 202
    assert desk.asked[0][2] == SavedCard(token="tok_9", provider="south")
    assert "tok_9" not in answer.text


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({}, 422, "token"),
        ({"saved_from": "p-1", "token": "tok_1"}, 422, "token"),
        ({"token": "4000056655665556"}, 422, "token"),
        ({"token": "x" * 257}, 422, "token"),
        ({"saved_from": "p-1", "amount": 0}, 422, "amount"),
        ({"saved_from": "none"}, 404, None),
        ({"saved_from": "p-1", "transaction_id": "INV-2041"}, 409, None),
    ],
)
async def test_a_charge_that_names_no_card_or_no_order_is_refused(
    desk: FakeDesk, agent: httpx.AsyncClient, more: dict[str, Any], status: int, field: str | None
) -> None:
    answer = await agent.post("/v1/payments", json=BODY | more)
    assert answer.status_code == status, answer.text
    assert [each["field"] for each in answer.json().get("errors", [])] == ([field] if field else [])
    assert desk.asked == []


# --- lists, and asking now ------------------------------------------------------------------------


async def test_payments_are_listed_by_outcome_and_page_by_page(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    lost = msgspec.structs.replace(desk.paid["p-1"], id="p-3", outcome=Unknown(reason="connection_lost"))
    desk.tell(lost)
    unknown = (await agent.get("/v1/payments", params={"outcome": "unknown"})).json()
    assert [each["id"] for each in unknown] == ["p-3"]
    pages, after = [], {}
    for _ in range(3):
        found = (await agent.get("/v1/payments", params={"since": 0, "limit": 2} | after)).json()
        pages.append([each["id"] for each in found])
        after = {"after": found[-1]["id"]} if found else {}
    assert pages == [["p-1", "p-2"], ["p-3"], []]
    assert (await agent.get("/v1/payments", params={"outcome": "lost"})).status_code == 422
    assert (await agent.get("/v1/payments", params={"since": "today"})).status_code == 422


async def test_unknown_payments_are_asked_about_now(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.tell(msgspec.structs.replace(desk.paid["p-1"], id="p-3", outcome=Unknown(reason="timeout")))
    for body, asked in (({}, ()), ({"payments": ["p-3"]}, ("p-3",))):
        answer = await agent.post("/v1/payments/reconcile", json=body)
        assert answer.status_code == 202
        assert [each["id"] for each in answer.json()] == ["p-3"]
        assert desk.asked[-1] == ("reconcile", asked)
    assert (await agent.post("/v1/payments/reconcile", json={"payments": ["none"]})).status_code == 404
    assert (await agent.post("/v1/payments/reconcile", json={"payments": "p-3"})).status_code == 422
