"""The client of programs, against the API itself: a method for each operation, and what it does
when the line is bad."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from b2bua.api.http import create_app
from b2bua.api.server import serve
from tests.architecture import client as generator
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tonewall.client import (
    ApiError,
    AsyncClient,
    Client,
    Conflict,
    ConnectionFailed,
    Invalid,
    NotAuthenticated,
    NotFound,
    OrderCharged,
    Unavailable,
)

TOKEN = "a-token-for-the-tests"
ORDER: dict[str, Any] = {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}
OPERATIONS = list(generator.operations(generator.described()))
NAMES = {"call_id": "c-1", "payment_id": "p-1", "claim_id": "k-1", "delivery_id": "evt_1.crm"}


def connected(desk: FakeDesk, token: str = TOKEN) -> AsyncClient:
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"))
    return AsyncClient("http://localhost", token, transport=httpx.ASGITransport(app), retries=0)


def lossy(*answers: httpx.Response | type[Exception]) -> tuple[Client, list[httpx.Request]]:
    """A client whose requests are answered so, one after another, and what it sent."""
    sent: list[httpx.Request] = []
    waiting: Iterator[httpx.Response | type[Exception]] = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        found = next(waiting)
        if isinstance(found, type):
            raise found("lost")
        return found

    return Client("http://localhost", TOKEN, transport=httpx.MockTransport(answer)), sent


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("tonewall.client.client.time.sleep", found.append)
    return found


def test_the_modules_that_are_made_are_fresh():
    for name, text in generator.modules().items():
        assert (generator.HOME / f"{name}.py").read_text() == text, f"{name}: run `make docs`"


def test_each_operation_has_a_method_of_its_name_in_both_clients():
    for kind in (Client, AsyncClient):
        methods = {
            name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")
        }
        names = {str(operation["operationId"]) for _, _, operation in OPERATIONS}
        assert methods - {"close"} == names - generator.LEFT_OUT


async def test_each_method_reaches_its_route_with_the_example_of_its_body():
    """What is answered may be a refusal, but no wrong address, method, field or shape."""
    desk = FakeDesk()
    desk.up("c-1")
    async with connected(desk) as client:
        for _, _, operation in OPERATIONS:
            if operation["operationId"] not in generator.BY_HAND | generator.LEFT_OUT:
                await reach(client, operation)


async def reach(client: AsyncClient, operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    method: Callable[..., Any] = getattr(client, name)
    given = [NAMES[each["name"]] for each in operation.get("parameters", ()) if each["in"] == "path"]
    needed = {
        each["name"]: each["schema"]["enum"][0]
        for each in operation.get("parameters", ())
        if each["in"] == "query" and each["required"]
    }
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = content.get("example", {})
    given += [each["value"] for each in list(content.get("examples", {}).values())[:1]]
    refused: ApiError | None = None
    try:
        await method(*given, **needed, **body)
    except ApiError as error:
        refused = error
    if refused is not None:
        assert refused.status in (403, 404, 409, 503), f"{name}: {refused}"
        assert "nothing at this address" not in refused.detail, name


async def test_a_payment_is_taken_by_a_program_over_a_real_socket():
    desk = FakeDesk()
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"))
    desk.up("c-1")
    serving = await serve(app)
    try:
        await asyncio.to_thread(take_payment, serving.url, desk)
    finally:
        await serving.close()


def take_payment(address: str, desk: FakeDesk) -> None:
    with Client(address, TOKEN) as client:
        (call,) = client.list_calls()
        started = client.start_payment(call["id"], **ORDER, idempotency_key="once")
        assert started["capture"] is not None
        assert started["capture"]["stage"] == "starting"
        assert client.start_payment(call["id"], **ORDER, idempotency_key="once") == started
        with pytest.raises(Invalid) as refused:
            client.start_payment(call["id"], transaction_id="INV-1", amount=-1, currency="EUR")
        assert refused.value.errors[0]["field"] == "amount"
        with pytest.raises(Conflict, match="Not every field"):
            client.submit_card(call["id"])
        event = next(client.follow_calls())
        assert (event.name, event.data) == ("calls", {"ids": ["c-1"]})
        assert "# TYPE" in client.get_metrics()
        assert client.close_claim("none") is None
        with pytest.raises(NotFound):
            client.get_call("sip-call?id#x@host")
    with Client(address, "another-token-of-nobody") as stranger, pytest.raises(NotAuthenticated) as error:
        next(stranger.follow_calls())
    assert "another-token" not in repr(error.value) + repr(stranger)


async def test_the_feed_goes_on_behind_the_newest_event_after_a_cut(monkeypatch: pytest.MonkeyPatch):
    async def no_pause(_seconds: float) -> None: ...

    wanted: list[str] = []
    parts = [
        b'id: e-1\nevent: calls\ndata: {"ids":["c-1"]}\n\n'
        b'id: e-2\nevent: call\ndata: {"id":"c-1"}\n\nid: e-3\ndat',
        'id: e-3\nevent: call\ndata: {"id":"c-1","caller":"a\u2028b"}\n\n'.encode(),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        wanted.append(request.headers.get("last-event-id", ""))
        if len(wanted) == 2:
            raise httpx.ConnectError("down")
        return httpx.Response(200, content=parts.pop(0), headers={"content-type": "text/event-stream"})

    monkeypatch.setattr("tonewall.client.async_client.asyncio.sleep", no_pause)
    async with AsyncClient("http://localhost", TOKEN, transport=httpx.MockTransport(answer)) as client:
        events = client.follow_calls()
        seen = [await anext(events) for _ in range(3)]
    assert [(each.name, each.id) for each in seen] == [("calls", "e-1"), ("call", "e-2"), ("call", "e-3")]
    assert seen[2].data["caller"] == "a\u2028b"
    assert wanted == ["", "e-2", "e-2"]


# --- a bad line -----------------------------------------------------------------------------------


def problem(status: int, kind: str = "about:blank", **headers: str) -> httpx.Response:
    body = json.dumps(
        {"type": kind, "title": "", "status": status, "detail": "Why.", "payments": [{"id": "p"}]}
    )
    return httpx.Response(
        status, content=body, headers={"content-type": "application/problem+json", **headers}
    )


def test_what_is_carried_out_once_is_sent_again_under_one_key(pauses: list[float]):
    done = httpx.Response(202, json={"id": "p-1"})
    client, sent = lossy(
        httpx.ReadTimeout, problem(409, "urn:tonewall:under-way", **{"Retry-After": "1"}), done
    )
    assert client.refund_payment("p-1", amount=100)["id"] == "p-1"
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    assert len(sent) == 3
    assert pauses == [0.5, 1.0]


def test_what_may_have_been_carried_out_is_not_sent_again(pauses: list[float]):
    client, sent = lossy(httpx.ReadTimeout)
    with pytest.raises(ConnectionFailed):
        client.submit_card("c-1")
    assert len(sent) == 1
    client, sent = lossy(problem(409))
    with pytest.raises(Conflict):
        client.refund_payment("p-1")
    assert len(sent) == 1
    assert pauses == []


def test_an_answer_that_says_when_is_asked_for_then_and_not_for_ever(pauses: list[float]):
    client, sent = lossy(*[problem(503, **{"Retry-After": "5"})] * 3)
    with pytest.raises(Unavailable, match="503: Why"):
        client.list_calls()
    assert pauses == [5.0, 5.0]
    assert len(sent) == 3


def test_an_order_that_was_charged_names_its_payments(pauses: list[float]):
    client, _ = lossy(problem(409, "urn:tonewall:order-charged"))
    with pytest.raises(OrderCharged) as error:
        client.start_payment("c-1", **ORDER)
    assert error.value.payments == [{"id": "p"}]
    assert pauses == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "http://elsewhere.example/"}),
        httpx.Response(500, content=b"<html>"),
        httpx.Response(502, content=b"[1]", headers={"content-type": "application/json"}),
    ],
)
def test_what_is_no_answer_of_the_api_is_an_error(answer: httpx.Response):
    client, sent = lossy(answer)
    with pytest.raises(ApiError) as error:
        client.list_calls()
    assert error.value.detail == ""
    assert len(sent) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../payments"])
def test_an_id_leads_to_no_other_address(name: str):
    client, sent = lossy()
    with pytest.raises(ValueError, match="id"):
        client.cancel_payment(name)
    assert sent == []


def test_an_id_may_be_a_call_id_of_sip():
    client, sent = lossy(httpx.Response(200, json={}))
    client.get_call("a b%?c#d@host:5060")
    assert sent[0].url.raw_path == b"/v1/calls/a%20b%25%3Fc%23d%40host%3A5060"


@pytest.mark.parametrize(
    "address", ["http://192.0.2.1:8080", "ftp://localhost", "tonewall.example", "https://"]
)
def test_a_token_does_not_pass_in_the_clear(address: str):
    with pytest.raises(ValueError, match="http"):
        Client(address, TOKEN)
    Client("http://192.0.2.1:8080", TOKEN, plain_http=True).close()


def test_a_service_that_is_not_well_is_an_answer_and_no_error():
    ill = {"status": "unhealthy", "faults": []}
    client, _ = lossy(httpx.Response(503, json=ill))
    assert client.get_health()["status"] == "unhealthy"
