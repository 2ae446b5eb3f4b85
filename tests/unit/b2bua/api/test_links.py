"""Payment links over HTTP: opened once, closed, shown as a QR code, refused with a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from b2bua.api.http import create_app
from b2bua.call.link import LinkOffer, LinkState, Recipient
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, NotOffered, NotWell, PaymentView
from provider_adapters.payment import Approved
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.qr import read_qr

TOKEN = "a-token-for-the-tests"
BODY = {"transaction_id": "INV-2043", "amount": 4990, "currency": "EUR"}
URL = "https://pay.example/l/1"


@pytest.fixture
def desk() -> FakeDesk:
    desk = FakeDesk()
    desk.up()
    return desk


@pytest.fixture
async def agent(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t.test", headers=headers) as client:
        yield client


@pytest.mark.parametrize(("path", "call"), [("/v1/links", ""), ("/v1/calls/c-1/links", "c-1")])
async def test_a_link_is_opened_once_a_key(
    desk: FakeDesk, agent: httpx.AsyncClient, path: str, call: str
) -> None:
    body = BODY | {
        "to": {"phone": "+49 (30) 123-456", "email": "a@b.example"}, "expires_in": 3600, "provider": "south",
    }  # fmt: skip
    key = {"Idempotency-Key": "link-1"}
    answers = [await agent.post(path, json=body, headers=key) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    payment = answers[0].json()
    assert answers[1].json() == payment
    assert answers[0].headers["location"] == f"/v1/payments/{payment['id']}"
    assert (payment["call"], payment["stage"], payment["link"]["state"]) == (call, "linked", "opening")
    to = Recipient(phone="+4930123456", email="a@b.example")
    assert desk.asked == [("link", call, Order(**BODY), to, 3600, "south", "ann")]
    assert "a@b.example" not in answers[0].text
    other = await agent.post(path, json=body | {"amount": 1}, headers=key)
    assert other.status_code == 422


async def test_without_more_it_is_open_as_long_as_the_settings_say_and_sent_to_nobody(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    assert (await agent.post("/v1/links", json=BODY)).status_code == 202
    assert desk.asked[0][3:6] == (Recipient(), None, "")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"to": {"phone": "0301234567"}}, "phone"),
        ({"to": {"phone": "4000056655665556"}}, "phone"),
        ({"to": {"phone": "+4000056655665556"}}, "phone"),
        ({"to": {"phone": "+49 30 x"}}, "phone"),
        ({"to": {"email": "nobody"}}, "email"),
        ({"to": {"email": "4000056655665556@b.example"}}, "email"),
        ({"to": {"email": "a b@c.example"}}, "email"),
        ({"to": {"fax": "1"}}, ""),
        ({"expires_in": 299}, "expires_in"),
        ({"expires_in": 604801}, "expires_in"),
        ({"expires_in": "3600"}, "expires_in"),
        ({"amount": 0}, "amount"),
        ({"token": "t"}, ""),
    ],
)
async def test_what_is_no_link_is_refused(
    desk: FakeDesk, agent: httpx.AsyncClient, more: dict[str, Any], field: str
) -> None:
    answer = await agent.post("/v1/links", json=BODY | more)
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert desk.asked == []


async def test_an_order_that_has_a_link_is_refused_with_it(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    first = (await agent.post("/v1/links", json=BODY)).json()
    for path in ("/v1/links", "/v1/calls/c-1/capture"):
        answer = await agent.post(path, json=BODY)
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:tonewall:order-charged"
        assert answer.json()["detail"] == "A payment link for this order is open. Close the link first."
        assert [each["id"] for each in answer.json()["payments"]] == [first["id"]]


async def test_while_a_card_is_keyed_there_is_no_link(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    await agent.post("/v1/calls/c-1/capture", json=BODY | {"transaction_id": "INV-1"})
    answer = await agent.post("/v1/calls/c-1/links", json=BODY)
    assert (answer.status_code, answer.json()["type"]) == (409, "about:blank")
    assert (await agent.post("/v1/calls/none/links", json=BODY)).status_code == 404


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(NotOffered("provider", "no payment links"), 422), (NotWell("Not there."), 503)],
)
async def test_what_the_desk_refuses_is_a_problem(
    desk: FakeDesk, agent: httpx.AsyncClient, refusal: Exception, status: int
) -> None:
    desk.refuses = refusal
    assert (await agent.post("/v1/links", json=BODY)).status_code == status
    assert (await agent.post("/v1/payments/l-1/link/close")).status_code == status


async def test_a_link_is_closed(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    payment = (await agent.post("/v1/links", json=BODY)).json()
    answer = await agent.post(f"/v1/payments/{payment['id']}/link/close")
    assert answer.status_code == 202
    assert answer.json()["link"]["state"] == "closing"
    assert desk.asked[-1] == ("close link", payment["id"], "ann")
    desk.link(payment["id"], Approved(reference="r"), state=LinkState.PAID)
    over = await agent.post(f"/v1/payments/{payment['id']}/link/close")
    assert over.status_code == 409
    assert (await agent.post("/v1/payments/none/link/close")).status_code == 404


async def test_what_is_offered_is_said(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.offers_links = LinkOffer(offered=None, hand_over=False, expires=600)
    assert (await agent.get("/v1/links")).json() == {"offered": None, "hand_over": False, "expires": 600}


# --- the QR code ----------------------------------------------------------------------------------


async def test_the_qr_code_is_a_picture_of_the_link_while_it_is_open(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    payment = (await agent.post("/v1/links", json=BODY)).json()
    path = f"/v1/payments/{payment['id']}/link/qr.svg"
    assert (await agent.get(path)).status_code == 409
    desk.link(payment["id"], url=URL, state=LinkState.OPEN)
    answer = await agent.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert read_qr(answer.content) == URL
    desk.link(payment["id"], url="https://pay.example/" + "x" * 2300, state=LinkState.OPEN)
    assert (await agent.get(path)).status_code == 409
    desk.link(payment["id"], url="https://pay.example/" + "x" * 2200, state=LinkState.OPEN)
    assert (await agent.get(path)).status_code == 200
    desk.link(payment["id"], Approved(reference="r"), state=LinkState.PAID)
    assert (await agent.get(path)).status_code == 409


async def test_a_payment_without_a_link_has_no_qr_code(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    card = PaymentView(
        id="p-9", stage=CaptureStage.CHARGING, order=Order(**BODY), started_at="2026-11-30T10:00:00Z"
    )
    desk.tell(msgspec.structs.replace(card))
    assert (await agent.get("/v1/payments/p-9/link/qr.svg")).status_code == 409
    assert (await agent.get("/v1/payments/none/link/qr.svg")).status_code == 404
