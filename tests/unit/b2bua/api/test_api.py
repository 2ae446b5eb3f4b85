"""The agents' API: every route, what it refuses, and what no answer may say."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from b2bua.access.tokens import Tokens
from b2bua.api.bodies import MAX_AMOUNT
from b2bua.api.hardening import MAX_BODY
from b2bua.api.http import create_app
from b2bua.api.server import Serving, serve
from b2bua.api.stream import Streams
from b2bua.call.order import Order
from b2bua.call.service_view import Fault, Stops
from b2bua.call.view import CallState, CallView, CaptureStage, MaskStage, NoSuchCall, NotOffered
from b2bua.switchboard.view_feed import REMEMBERED, Feed
from media.events import Field
from provider_adapters.currency import MINOR_UNITS
from provider_adapters.payment import Approved
from tests.browser.fake_desk import FakeCustomer, FakeDesk
from tests.everybody import everybody
from tonewall.card_numbers import looks_like_card_number

TOKEN = "a-token-for-the-tests"
CANARY = "4000056655665556"  # passes Luhn
WIDE_CANARY = "".join(chr(0xFF10 + int(digit)) for digit in CANARY)  # fullwidth digits
ORDER = {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def agent(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    async with client(desk, headers=AUTH) as connected:
        yield connected


def client(desk: FakeDesk, *, headers: dict[str, str] | None = None, **options: Any) -> httpx.AsyncClient:
    app = create_app(desk, authenticators=everybody(f"ann:{TOKEN}"), **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://tonewall.test", headers=headers)


def assert_problem(answer: httpx.Response, status: int, words: str = "") -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert words.lower() in body["detail"].lower()
    return body


# --- calls ----------------------------------------------------------------------------------------


async def test_the_calls_are_listed_and_found_by_id(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    view = desk.up("c-1")
    desk.ring("c-2")
    answer = await agent.get("/v1/calls")
    assert msgspec.json.decode(answer.content, type=list[CallView])[0] == view
    assert [call["state"] for call in answer.json()] == ["up", "ringing"]
    assert (await agent.get("/v1/calls/c-1")).json()["caller"] == "+49 30 1234567"
    assert_problem(await agent.get("/v1/calls/c-3"), 404, "no such call")


async def test_an_ended_call_is_listed_no_more(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up("c-1")
    desk.end("c-1")
    assert (await agent.get("/v1/calls")).json() == []


# --- captures -------------------------------------------------------------------------------------


async def test_a_payment_goes_from_order_to_outcome(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    started = await agent.post("/v1/calls/c-1/capture", json=ORDER)
    assert started.status_code == 201
    assert started.headers["location"] == "/v1/calls/c-1"
    assert started.json()["capture"]["stage"] == "starting"
    desk.masked()
    desk.key_all()
    again = await agent.post("/v1/calls/c-1/capture/reset", json={"field": "expiry"})
    assert again.json()["capture"]["field"] == "expiry"
    assert_problem(await agent.post("/v1/calls/c-1/capture/submit"), 409, "not every field is complete")
    desk.key_all()
    assert (await agent.post("/v1/calls/c-1/capture/submit")).json()["capture"]["stage"] == "charging"
    desk.finish(Approved(reference="ch_1", token="tok_1"))
    outcome = (await agent.get("/v1/calls/c-1")).json()["capture"]["outcome"]
    assert outcome == {"type": "approved", "reference": "ch_1", "token": "tok_1", "authorisation_code": None}
    assert [what[0] for what in desk.asked] == ["start", "reset", "submit"]
    assert desk.asked[1][2] == Field.EXPIRY


async def test_one_field_is_asked_for_alone_and_what_it_had_is_kept(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    desk.up()
    await agent.post("/v1/calls/c-1/capture", json=ORDER)
    desk.masked()
    desk.key_all()
    asked = (await agent.post("/v1/calls/c-1/capture/ask", json={"field": "expiry"})).json()["capture"]
    assert (asked["stage"], asked["field"]) == ("collecting", "expiry")
    assert [each["kept"] for each in asked["fields"]] == [False, True, False]
    kept = (await agent.post("/v1/calls/c-1/capture/ask")).json()["capture"]
    assert (kept["stage"], [each["complete"] for each in kept["fields"]]) == ("ready", [True] * 3)
    for name in ("Pin", "4111111111111111", "n" * 65):
        asked_of = await agent.post("/v1/calls/c-1/capture/ask", json={"field": name})
        assert_problem(asked_of, 422, "field")


@pytest.mark.parametrize("body", [None, {}, {"field": None}])
async def test_a_reset_without_a_field_resets_all(
    desk: FakeDesk, agent: httpx.AsyncClient, body: Any
) -> None:
    desk.up()
    await agent.post("/v1/calls/c-1/capture", json=ORDER)
    desk.masked()
    answer = await agent.post("/v1/calls/c-1/capture/reset", **({} if body is None else {"json": body}))
    assert answer.status_code == 200
    assert desk.asked[-1] == ("reset", "c-1", None)


async def test_a_payment_can_be_cancelled_and_begun_again(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    await agent.post("/v1/calls/c-1/capture", json=ORDER)
    assert_problem(await agent.post("/v1/calls/c-1/capture", json=ORDER), 409, "under way")
    assert (await agent.delete("/v1/calls/c-1/capture")).json()["capture"]["stage"] == "cancelled"
    assert_problem(await agent.delete("/v1/calls/c-1/capture"), 409, "no payment under way")
    assert (await agent.post("/v1/calls/c-1/capture", json=ORDER)).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "", ORDER), ("POST", "/reset", {}), ("POST", "/submit", None), ("DELETE", "", None)],
)
async def test_nothing_can_be_asked_of_a_call_that_is_not_there(
    agent: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    assert_problem(
        await agent.request(method, f"/v1/calls/none/capture{path}", json=body), 404, "no such call"
    )


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"amount": 0}, "amount", "at least 1"),
        ({"amount": -5}, "amount", "at least 1"),
        ({"amount": MAX_AMOUNT + 1}, "amount", "at most"),
        ({"amount": 49.9}, "amount", "whole number"),
        ({"amount": "4990"}, "amount", "whole number"),
        ({"amount": True}, "amount", "whole number"),
        ({"amount": None}, "amount", "whole number"),
        ({"currency": "eur"}, "currency", "ISO 4217"),
        ({"currency": "EURO"}, "currency", "ISO 4217"),
        ({"currency": "XXX"}, "currency", "ISO 4217"),
        ({"currency": 978}, "currency", "text"),
        ({"transaction_id": ""}, "transaction_id", "at least 1"),
        ({"transaction_id": "x" * 65}, "transaction_id", "at most 64"),
        ({"transaction_id": " INV"}, "transaction_id", "space"),
        ({"transaction_id": "INV\n1"}, "transaction_id", "printable"),
        ({"transaction_id": "INV\x001"}, "transaction_id", "printable"),
        ({"transaction_id": CANARY}, "transaction_id", "card number"),
        ({"transaction_id": f"order {CANARY} of today"}, "transaction_id", "card number"),
        ({"transaction_id": "4000 0566 5566 5556"}, "transaction_id", "card number"),
        ({"transaction_id": "3782-822463-10005"}, "transaction_id", "card number"),
        (
            {"transaction_id": WIDE_CANARY},
            "transaction_id",
            "card",
        ),
        ({"description": CANARY}, "description", "card number"),
        ({"description": "x" * 141}, "description", "at most 140"),
        ({"transaction_id": None}, "transaction_id", "text"),
        ({"operation": "refund"}, "operation", "one of"),
        ({"operation": "verify"}, "amount", "must be 0"),
        ({"token_type": "some"}, "token_type", "one of"),
        ({"customer": CANARY}, "customer", "card number"),
        ({"customer": "x" * 65}, "customer", "at most 64"),
        ({"merchant_account": CANARY}, "merchant_account", "card number"),
        ({"statement": "x" * 23}, "statement", "at most 22"),
        ({"statement": CANARY}, "statement", "card number"),
        ({"metadata": "plain"}, "metadata", "object of texts"),
        ({"metadata": {"amount": 1}}, "metadata", "text"),
        ({"metadata": {"note": CANARY}}, "metadata", "card number"),
        ({"metadata": {CANARY: "note"}}, "metadata", "card number"),
        ({"metadata": {"x" * 21: ""}}, "metadata", "20 characters"),
        ({"metadata": {"": "x"}}, "metadata", "20 characters"),
        ({"metadata": {"note": "x" * 81}}, "metadata", "at most 80"),
        ({"metadata": {f"n{number}": "" for number in range(21)}}, "metadata", "at most 20"),
    ],
)
async def test_a_wrong_order_is_refused_with_its_field_and_without_its_value(
    desk: FakeDesk, agent: httpx.AsyncClient, wrong: dict[str, Any], field: str, words: str
) -> None:
    desk.up()
    answer = await agent.post("/v1/calls/c-1/capture", json=ORDER | wrong)
    body = assert_problem(answer, 422, words)
    assert [error["field"] for error in body["errors"]] == [field]
    assert desk.asked == []
    (value,) = wrong.values()
    if isinstance(value, str) and len(value.strip()) > 3:
        assert value.strip() not in answer.text


async def test_the_options_of_an_order_reach_the_desk(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    options: dict[str, Any] = {
        "operation": "authorise", "token_type": "reusable", "customer": "C-17", "merchant_account": "North",
        "statement": "SHOES 17", "metadata": {"shop": "north"},
    }  # fmt: skip
    answer = await agent.post("/v1/calls/c-1/capture", json=ORDER | options)
    assert answer.status_code == 201
    assert desk.asked[0][2] == Order(**ORDER, **options)
    assert answer.json()["capture"]["order"]["metadata"] == {"shop": "north"}


async def test_what_the_provider_does_not_offer_is_refused_by_its_field(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    desk.up()
    desk.refuses = NotOffered("operation", "the payment provider does not offer this: verify")
    body = assert_problem(
        await agent.post("/v1/calls/c-1/capture", json=ORDER | {"operation": "verify", "amount": 0}),
        422,
        "does not offer this: verify",
    )
    assert [error["field"] for error in body["errors"]] == ["operation"]


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("transaction_id", "is missing"),
        # Of these two the form says whether they are needed.
        ("amount", "the amount must be at least 1"),
        ("currency", "the currency is missing"),
    ],
)
async def test_a_missing_field_is_named(
    desk: FakeDesk, agent: httpx.AsyncClient, missing: str, problem: str
) -> None:
    desk.up()
    order = {key: value for key, value in ORDER.items() if key != missing}
    body = assert_problem(await agent.post("/v1/calls/c-1/capture", json=order), 422, problem[1:])
    assert body["errors"] == [{"field": missing, "problem": problem}]
    assert desk.find("c-1").capture is None


async def test_a_delivery_has_no_amount_and_says_so_alone(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    order = ORDER | {"operation": "deliver"}
    assert_problem(await agent.post("/v1/calls/c-1/capture", json=order), 422, "must be 0")
    del order["amount"], order["currency"]
    body = assert_problem(await agent.post("/v1/calls/c-1/capture", json=order), 422, "is charged")
    assert [error["field"] for error in body["errors"]] == ["operation"]


async def test_an_unknown_field_is_refused_without_its_name(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    answer = await agent.post("/v1/calls/c-1/capture", json=ORDER | {f"pan_{CANARY}": CANARY, "cvv": "123"})
    assert_problem(answer, 422, "not known")
    assert CANARY not in answer.text
    assert "cvv" not in answer.text


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 422),
        (f'{{"amount": {CANARY}'.encode(), "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"' + CANARY.encode() + b'"', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 4000, "application/json", 400),
        (b"9" * 5000, "application/json", 400),
        (json.dumps(ORDER).encode(), "text/plain", 422),
        (b"transaction_id=INV", "application/x-www-form-urlencoded", 422),
        (b"", "application/json", 422),
    ],
)
async def test_a_body_that_is_no_order_is_a_problem_that_quotes_nothing(
    desk: FakeDesk, agent: httpx.AsyncClient, content: bytes, media_type: str, status: int
) -> None:
    desk.up()
    answer = await agent.post("/v1/calls/c-1/capture", content=content, headers={"Content-Type": media_type})
    assert_problem(answer, status)
    assert CANARY not in answer.text
    assert desk.asked == []


async def test_a_body_that_is_too_large_is_cut_off_announced_or_not(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    desk.up()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 1024 + 1):
            yield b" " * 1024

    json_type = {"Content-Type": "application/json"}
    announced = await agent.post("/v1/calls/c-1/capture", content=b" " * (MAX_BODY + 1), headers=json_type)
    assert_problem(announced, 413, str(MAX_BODY))
    assert_problem(await agent.post("/v1/calls/c-1/capture", content=chunks(), headers=json_type), 413)


async def test_what_is_not_there_is_a_problem_too(agent: httpx.AsyncClient) -> None:
    assert_problem(await agent.get("/v1/nothing"), 404, "nothing at this address")
    assert_problem(await agent.get("/nothing"), 404)
    assert_problem(await agent.put("/v1/calls"), 405)
    for path in ("/docs", "/redoc"):
        assert_problem(await agent.get(path), 404)


async def test_an_error_inside_says_nothing_of_itself() -> None:
    class Broken(FakeDesk):
        def calls(self) -> list[CallView]:
            raise RuntimeError(CANARY)

    async with client(Broken(), headers=AUTH) as agent:
        answer = await agent.get("/v1/calls")
    assert_problem(answer, 500, "went wrong")
    assert CANARY not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    ("text", "is_card"),
    [
        (CANARY, True),
        ("INV4111111111111111X", True),
        ("4111111111111112", False),
        ("4111 1111 1111 1111", True),
        ("4111-1111-1111-1111", True),
        ("4111.1111.1111.1111", True),
        ("4111_1111|1111/1111", True),
        ("4111a1111b1111c1111", True),
        ("4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", True),
        ("4111 -- 1111 -- 1111 -- 1111", True),
        ("room 12, 3782 822463 10005", True),
        ("\uff14\uff11\uff11\uff11 1111 1111 1111", True),
        (
            "\u0664\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661",
            True,
        ),
        ("2024-11-23/000123", False),
        ("46816f7058402b67", False),
        ("order-4a1b1c1d2e3f4a5b6c7d8e9f01112", False),
        ("12345678-1234-4123-8123-41111111111a", False),
        ("41111111-1111-1111-0000-000000000000", True),
        ("4111a1111b1111c1111d", True),
        ("card4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", True),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1x", True),
        ("4 -- 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -- 1x", True),
        ("Nr41 11 11 11 11 11 11 11", True),
        ("41_11_11_11_11_11_11_11a", True),
        ("4222 2222 2222 2exp", True),
        ("4 1 1 1 1 1 1 1x1 1 1 1 1 1 1 1", True),
        ("4111111111111111abcdefabcdefabcd", True),
        ("4111111111111111e12270000000000a", True),
        ("12345678-1234-4123-812a-411111111111", False),  # twelve in a row that do not pass
        ("4a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a 1a", False),
        ("5000000000 11", False),  # twelve digits, but not together
        ("2024-11-23-0001", False),
        ("INV-2041", False),
        ("79927398713", False),  # eleven digits that pass
        ("000000000000", True),
    ],
)
def test_card_numbers_are_recognised_in_a_reference(text: str, is_card: bool) -> None:
    assert looks_like_card_number(text) is is_card


def test_nearly_no_reference_that_a_machine_made_is_taken_for_a_card() -> None:
    chance = random.Random(13)
    made = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(20_000)]
    assert sum(map(looks_like_card_number, made)) < len(made) * 0.001
    made += [text.replace("-", "") for text in made] + [text[-12:] + text[:4] for text in made]
    assert sum(map(looks_like_card_number, made)) < len(made) * 0.005


def test_currencies_have_their_decimals() -> None:
    assert {code: MINOR_UNITS[code] for code in ("EUR", "JPY", "BHD", "CLF", "ISK", "HUF", "IDR")} == {
        "EUR": 2, "JPY": 0, "BHD": 3, "CLF": 4, "ISK": 0, "HUF": 2, "IDR": 2,
    }  # fmt: skip
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNITS)


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong-token-of-some-length"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN} {TOKEN}"},
        {"Authorization": "Bearer tökén"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/v1/calls", "/v1/feed", "/v1/nothing", "/v1/demo", "/v1", "/v1/currencies"]
)
async def test_nothing_under_v1_answers_without_a_valid_token(
    desk: FakeDesk, headers: dict[str, str], path: str
) -> None:
    async with client(desk) as stranger:
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = await stranger.get(path, headers=encoded)
    assert_problem(answer, 401, "token")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="tonewall"')
    assert TOKEN not in answer.text


async def test_two_authorization_headers_are_none(desk: FakeDesk) -> None:
    async with client(desk) as stranger:
        twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer another-token-here")]
        assert_problem(await stranger.get("/v1/calls", headers=twice), 401)


async def test_a_strangers_body_is_not_even_read(desk: FakeDesk) -> None:
    desk.up()
    async with client(desk) as stranger:
        answer = await stranger.post(
            "/v1/calls/c-1/capture", content=b"{", headers={"Content-Type": "application/json"}
        )
    assert_problem(answer, 401)


async def test_a_token_in_the_address_is_no_token(desk: FakeDesk) -> None:
    async with client(desk) as stranger:
        assert_problem(await stranger.get("/v1/calls", params={"token": TOKEN, "access_token": TOKEN}), 401)


async def test_the_scheme_is_read_in_any_case(desk: FakeDesk) -> None:
    async with client(desk, headers={"Authorization": f"bearer {TOKEN}"}) as agent:
        assert (await agent.get("/v1/calls")).status_code == 200


def test_tokens_are_known_by_name_in_clear_or_hashed() -> None:
    digest = hashlib.sha256(b"another-secret-token").hexdigest()
    tokens = Tokens.parse(f"ann:{TOKEN}, bob@desk-2:sha256:{digest}")
    assert tokens.agent_of(TOKEN) == "ann"
    assert tokens.agent_of("another-secret-token") == "bob@desk-2"
    assert tokens.agent_of(digest) is None
    assert tokens.agent_of("") is None
    assert len(tokens) == 2
    assert TOKEN not in repr(tokens)
    assert digest not in repr(tokens)


@pytest.mark.parametrize(
    "text",
    ["", "ann", "ann:", "ann:toolittle", f":{TOKEN}", f"ann:{TOKEN},ann:{TOKEN}", f"ann:{TOKEN},",
    "ann:sha256:12ab",
     "ann:fifteen-letters", "ann:with space in the token", f"an n:{TOKEN}"],
)  # fmt: skip
def test_wrong_tokens_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="expected name:token") as caught:
        Tokens.parse(text)
    for part in text.replace(",", ":").split(":"):
        assert len(part) < 5 or part == "sha256" or part not in str(caught.value)


# --- the rest of the service ----------------------------------------------------------------------


NO_PAYER = Fault(
    what="payers", says="No card can be charged: the journal cannot be written.", stops=Stops.PAYMENTS
)
LATE = Fault(what="records", says="The database takes no call records.", stops=None)


async def test_health_needs_no_token_and_says_what_is_wrong(desk: FakeDesk) -> None:
    async with client(desk) as stranger:
        answer = await stranger.get("/healthz")
        assert (answer.status_code, answer.json()["status"], answer.json()["faults"]) == (200, "ok", [])
        assert answer.json()["calls"] == 0
        desk.fail(LATE)
        answer = await stranger.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        desk.fail(NO_PAYER, LATE)
        answer = await stranger.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
        assert answer.json()["faults"][0] == {"what": "payers", "says": NO_PAYER.says, "stops": "payments"}


async def test_probes_need_no_token_and_name_what_stops_calls(desk: FakeDesk) -> None:
    no_media = Fault(what="media", says="The media process is away.", stops=Stops.CALLS)
    async with client(desk, guarded=frozenset({"/healthz"})) as stranger:
        assert (await stranger.get("/livez")).json() == {"alive": True}
        desk.fail(NO_PAYER, LATE)
        answer = await stranger.get("/readyz")
        assert (answer.status_code, answer.json()) == (
            200,
            {"ready": True, "reasons": [], "warnings": ["payers", "records"]},
        )
        desk.fail(no_media, NO_PAYER)
        answer = await stranger.get("/readyz")
        refused = {"ready": False, "reasons": ["media"], "warnings": ["payers"]}
        assert (answer.status_code, answer.json()) == (503, refused)
        assert answer.headers["cache-control"] == "no-store"
        assert (await stranger.get("/livez")).status_code == 200, "no reason to start it anew"
        assert (await stranger.post("/readyz")).status_code == 405
    desk.fail()
    app = create_app(desk, authenticators=[])
    app.state.stopping = True
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as stranger:
        answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "reasons": ["stopping"], "warnings": []},
    )


async def test_a_payment_that_could_not_be_charged_is_not_begun(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    desk.up("c-1")
    desk.fail(NO_PAYER)
    answer = await agent.post("/v1/calls/c-1/capture", json=ORDER)
    assert_problem(answer, 503, NO_PAYER.says)
    assert "retry-after" in answer.headers
    metrics = (await agent.get("/metrics")).text
    assert 'tonewall_stopped{what="payments"} 1.0' in metrics
    assert 'tonewall_stopped{what="calls"} 0.0' in metrics


async def test_every_answer_is_hardened(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    for path in ("/", "/app.js", "/healthz", "/v1/calls", "/nothing", "/openapi.json"):
        answer = await agent.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert "access-control-allow-origin" not in answer.headers
    assert (await agent.get("/v1/calls")).headers["cache-control"] == "no-store"
    preflight = await agent.options("/v1/calls", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in preflight.headers


async def test_the_page_has_an_entity_tag_and_nothing_inline(desk: FakeDesk) -> None:
    async with client(desk) as stranger:
        page = await stranger.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        again = await stranger.get("/", headers={"If-None-Match": f'"other", W/{page.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert (await stranger.get("/", headers={"If-None-Match": '"other"'})).status_code == 200
        for name in ("style.css", "app.js", "icon.svg"):
            assert name in page.text
            assert (await stranger.get(f"/{name}")).status_code == 200
        assert (await stranger.get("/index.html")).status_code == 404
        for path in ("/../http.py", "/%2e%2e/http.py", "/web/app.js", "/app.js/"):
            assert (await stranger.get(path)).status_code == 404
    assert "style=" not in page.text
    assert "onclick" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text


async def test_the_mask_of_a_payment_that_is_over_is_released(
    desk: FakeDesk, agent: httpx.AsyncClient
) -> None:
    desk.up()
    await agent.post("/v1/calls/c-1/capture", json=ORDER)
    view = (await agent.delete("/v1/calls/c-1/capture")).json()
    assert (view["masked"], view["mask"], view["still_keying"]) == (True, "held", False)
    desk.mask(MaskStage.HELD, still_keying=True)
    refused = await agent.post("/v1/calls/c-1/mask/release")
    assert (refused.status_code, "still keying" in refused.json()["detail"]) == (409, True)
    desk.mask(MaskStage.HELD)
    released = await agent.post("/v1/calls/c-1/mask/release")
    assert (released.status_code, released.json()["mask"]) == (200, "releasing")
    assert desk.asked[-1] == ("release", "c-1")
    assert (await agent.post("/v1/calls/other/mask/release")).status_code == 404


async def test_the_form_lists_what_is_keyed_with_lengths_and_what_may_be_seen(
    agent: httpx.AsyncClient,
) -> None:
    form = (await agent.get("/v1/form")).json()
    assert form["name"] == "card"
    shown = [
        (each["field"], each["min_length"], each["max_length"], each["last_shown"]) for each in form["fields"]
    ]
    assert shown == [("card_number", 12, 19, 4), ("expiry", 4, 4, 0), ("security_code", 3, 4, 0)]
    assert form["fields"][2]["usual_length_by_brand"] == {"amex": 4}
    assert (await agent.get("/v1/forms")).json() == [form]


async def test_each_route_has_a_name_that_generated_clients_can_keep(agent: httpx.AsyncClient) -> None:
    document = (await agent.get("/openapi.json")).json()
    named = [
        (operation["operationId"], f"{method.upper()} {path}")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    assert sorted(named) == [
        ("announce_payment", "POST /v1/calls/{call_id}/mask"),
        ("ask_field", "POST /v1/calls/{call_id}/capture/ask"),
        ("cancel_payment", "DELETE /v1/calls/{call_id}/capture"),
        ("cancel_prepared_payment", "DELETE /v1/payments/{payment_id}"),
        ("capture_payment", "POST /v1/payments/{payment_id}/captures"),
        ("change_password", "POST /v1/me/password"),
        ("close_claim", "DELETE /v1/claims/{claim_id}"),
        ("close_link", "POST /v1/payments/{payment_id}/link/close"),
        ("create_embed_token", "POST /v1/embed-tokens"),
        ("create_payment", "POST /v1/payments"),
        ("describe_sign_in", "GET /sign-in"),
        ("draw_ladder", "GET /v1/calls/{call_id}/ladder.svg"),
        ("erase_personal_data", "POST /v1/personal-data/erase"),
        ("export_personal_data", "POST /v1/personal-data/export"),
        ("follow_calls", "GET /v1/feed"),
        ("get_agent", "GET /v1/me"),
        ("get_audit_checkpoint", "GET /v1/audit/checkpoint"),
        ("get_call", "GET /v1/calls/{call_id}"),
        ("get_claim", "GET /v1/claims/{claim_id}"),
        ("get_form", "GET /v1/form"),
        ("get_health", "GET /healthz"),
        ("get_ladder", "GET /v1/calls/{call_id}/ladder"),
        ("get_link_offer", "GET /v1/links"),
        ("get_link_qr", "GET /v1/payments/{payment_id}/link/qr.svg"),
        ("get_liveness", "GET /livez"),
        ("get_log_level", "GET /v1/log-level"),
        ("get_metrics", "GET /metrics"),
        ("get_payment", "GET /v1/payments/{payment_id}"),
        ("get_readiness", "GET /readyz"),
        ("get_statistics", "GET /v1/statistics"),
        ("get_statistics_table", "GET /v1/statistics/table"),
        ("list_calls", "GET /v1/calls"),
        ("list_currencies", "GET /v1/currencies"),
        ("list_deliveries", "GET /v1/webhooks/deliveries"),
        ("list_forms", "GET /v1/forms"),
        ("list_ladders", "GET /v1/ladders"),
        ("list_payments", "GET /v1/payments"),
        ("list_reasons", "GET /v1/reasons"),
        ("list_trunks", "GET /v1/trunks"),
        ("list_webhooks", "GET /v1/webhooks"),
        ("open_claim", "POST /v1/claims"),
        ("open_link", "POST /v1/links"),
        ("open_link_in_call", "POST /v1/calls/{call_id}/links"),
        ("read_audit", "GET /v1/audit"),
        ("reconcile_payments", "POST /v1/payments/reconcile"),
        ("record_packets", "POST /v1/calls/{call_id}/recording"),
        ("redeliver_webhook", "POST /v1/webhooks/deliveries/{delivery_id}/redeliver"),
        ("refund_payment", "POST /v1/payments/{payment_id}/refunds"),
        ("release_mask", "POST /v1/calls/{call_id}/mask/release"),
        ("reset_fields", "POST /v1/calls/{call_id}/capture/reset"),
        ("send_receipt", "POST /v1/payments/{payment_id}/receipt"),
        ("set_log_level", "POST /v1/log-level"),
        ("settle_payment", "POST /v1/payments/{payment_id}/settlement"),
        ("sign_in", "POST /sign-in"),
        ("sign_out", "POST /sign-out"),
        ("sign_out_everywhere", "POST /sign-out-everywhere"),
        ("skip_field", "POST /v1/calls/{call_id}/capture/skip"),
        ("slow_keys", "POST /v1/calls/{call_id}/capture/slow"),
        ("start_payment", "POST /v1/calls/{call_id}/capture"),
        ("start_prepared_payment", "POST /v1/payments/{payment_id}/start"),
        ("stay_signed_in", "POST /v1/me/active"),
        ("submit_card", "POST /v1/calls/{call_id}/capture/submit"),
        ("take_over_payment", "POST /v1/calls/{call_id}/capture/take-over"),
        ("void_payment", "POST /v1/payments/{payment_id}/voids"),
        ("withdraw_payment", "DELETE /v1/calls/{call_id}/mask"),
    ]
    assert len({name for name, _ in named}) == len(named)


async def test_the_description_names_every_route_and_shape(agent: httpx.AsyncClient) -> None:
    document = (await agent.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        "/sign-in", "/sign-out", "/sign-out-everywhere", "/v1/me/active", "/v1/me/password",
        "/healthz", "/livez", "/readyz", "/metrics", "/v1/currencies", "/v1/form", "/v1/trunks", "/v1/calls",
        "/v1/log-level",
        "/v1/webhooks", "/v1/webhooks/deliveries", "/v1/webhooks/deliveries/{delivery_id}/redeliver",
        "/v1/calls/{call_id}",
        "/v1/feed",
        "/v1/calls/{call_id}/capture", "/v1/calls/{call_id}/capture/reset",
        "/v1/calls/{call_id}/capture/ask", "/v1/calls/{call_id}/capture/skip", "/v1/forms",
        "/v1/calls/{call_id}/capture/slow", "/v1/calls/{call_id}/mask",
        "/v1/calls/{call_id}/capture/submit", "/v1/ladders",
        "/v1/calls/{call_id}/capture/take-over", "/v1/me", "/v1/payments", "/v1/payments/{payment_id}",
        "/v1/calls/{call_id}/mask/release", "/v1/calls/{call_id}/ladder", "/v1/calls/{call_id}/ladder.svg",
        "/v1/reasons", "/v1/payments/reconcile", "/v1/payments/{payment_id}/captures",
        "/v1/payments/{payment_id}/voids", "/v1/payments/{payment_id}/receipt",
        "/v1/payments/{payment_id}/refunds", "/v1/links", "/v1/calls/{call_id}/links",
        "/v1/payments/{payment_id}/link/close", "/v1/payments/{payment_id}/link/qr.svg",
        "/v1/payments/{payment_id}/settlement", "/v1/payments/{payment_id}/start",
        "/v1/claims", "/v1/claims/{claim_id}", "/v1/personal-data/export", "/v1/personal-data/erase",
        "/v1/calls/{call_id}/recording",
        "/v1/audit", "/v1/audit/checkpoint", "/v1/embed-tokens", "/v1/statistics", "/v1/statistics/table",
    }  # fmt: skip
    schemas = document["components"]["schemas"]
    assert {
        "CallView",
        "CaptureView",
        "Order",
        "CaptureBody",
        "Problem",
        "Approved",
        "Unknown",
        "PaymentView",
    } <= set(schemas)
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in schemas
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert bool(operation["security"]) is path.startswith(("/v1", "/metrics", "/sign-out"))


# --- the demo -------------------------------------------------------------------------------------


async def test_without_a_demo_nobody_can_key_a_card(desk: FakeDesk, agent: httpx.AsyncClient) -> None:
    desk.up()
    assert (await agent.get("/v1/demo")).json() == {"demo": False, "cards": []}
    assert_problem(await agent.post("/v1/demo/key", json={"call_id": "c-1", "card": "approved"}), 404)


async def test_the_demos_customer_keys_a_card(desk: FakeDesk) -> None:
    customer = FakeCustomer(desk)
    desk.up()
    async with client(desk, headers=AUTH, demo=customer) as agent:
        assert (await agent.get("/v1/demo")).json() == {
            "demo": True,
            "cards": ["approved", "declined", "mistyped"],
        }
        assert_problem(await agent.post("/v1/demo/key", json={"call_id": "c-1", "card": "approved"}), 409)
        await agent.post("/v1/calls/c-1/capture", json=ORDER)
        desk.masked()
        answer = await agent.post("/v1/demo/key", json={"call_id": "c-1", "card": "approved"})
        assert answer.status_code == 202
        assert_problem(
            await agent.post("/v1/demo/key", json={"call_id": "c-1", "card": "stolen"}), 409, "approved"
        )
        assert_problem(await agent.post("/v1/demo/key", json={"call_id": "c-9", "card": "approved"}), 404)
    assert customer.keyed == [("c-1", "approved")]


# --- the feed, by itself --------------------------------------------------------------------------


async def test_more_headers_than_are_compared_are_refused_and_not_left_out(agent: httpx.AsyncClient) -> None:
    given = {f"header.X-{number}": "1" for number in range(5)}
    assert_problem(await agent.get("/v1/calls", params=given), 422, "at most 4 headers")
    del given["header.X-4"]
    assert (await agent.get("/v1/calls", params=given)).json() == []


async def test_a_follower_gets_the_calls_and_then_each_change(desk: FakeDesk) -> None:
    desk.up("c-1")
    desk.up("c-2")
    desk.end("c-1")
    follower = desk.follow()
    ringing = desk.ring("c-3")
    assert [(await anext(follower)).id for _ in range(2)] == ["c-2", "c-3"]
    waiting = asyncio.create_task(anext(follower))
    answered = desk.up("c-3")
    assert (await waiting) == answered != ringing
    desk.feed.close()
    assert [view async for view in follower] == []
    assert len(desk.feed) == 0


async def test_a_follower_that_comes_back_goes_on_behind_what_it_read(desk: FakeDesk) -> None:
    desk.up("c-1")
    desk.up("c-2")
    follower = desk.follow()
    await anext(follower)
    assert follower.position == "", "among the first ones"
    await anext(follower)
    position = follower.position
    assert desk.follow(position).position == position, "nothing is missed"
    missed = [desk.ring("c-3"), desk.up("c-3"), desk.end("c-1")]
    again = desk.follow(position)
    assert [await anext(again) for _ in missed] == missed
    newest = again.position
    for stranger in ("", "x", "x-1", f"{newest}0", f"{newest.partition('-')[0]}--1", newest + "9" * 40, "-"):
        assert (await anext(desk.follow(stranger))).id == "c-2", "the current calls"
    for _ in range(REMEMBERED):
        desk.up("c-2")
    assert desk.follow(newest)._waiting, "the newest that are remembered"
    desk.up("c-2")
    anew = desk.follow(newest)
    assert [(await anext(anew)).id for _ in range(2)] == ["c-2", "c-3"]


async def test_a_slow_follower_is_dropped_and_holds_nobody_up() -> None:
    desk = FakeDesk(backlog=3)
    desk.up("c-1")
    slow, quick = desk.follow(), desk.follow()
    for _ in range(4):
        desk.up("c-1")
        assert (await anext(quick)).id == "c-1"
    assert slow.dropped
    assert not quick.dropped
    assert [view async for view in slow] == []
    assert len(desk.feed) == 1
    await quick.aclose()
    assert len(desk.feed) == 0


def test_a_call_that_ends_while_it_is_charged_stays_until_the_outcome() -> None:
    desk = FakeDesk()
    feed: Feed = desk.feed
    desk.up()
    asyncio.run(desk.start_capture("c-1", msgspec.convert(ORDER, type=Order)))
    desk.masked()
    desk.key_all()
    asyncio.run(desk.submit_capture("c-1"))
    desk.end()
    assert [view.state for view in feed.calls()] == [CallState.ENDED]
    desk.finish(Approved(reference="ch_1"))
    assert feed.calls() == []
    with pytest.raises(NoSuchCall):
        desk.find("c-1")


# --- the feed, over a real socket -----------------------------------------------------------------


class Events:
    """A reader of Server-Sent Events."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """The next event, or ("comment", text), or ("end", None)."""
        name, data = "", ""
        async for line in self._lines:
            if line.startswith(":"):
                return "comment", line[1:].strip()
            if line.startswith("event: "):
                name = line[7:]
            if line.startswith("data: "):
                data = line[6:]
            if not line and data:
                return name, json.loads(data)
        return "end", None


@contextlib.asynccontextmanager
async def following(serving: Serving) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.Response]]:
    async with (
        httpx.AsyncClient(base_url=serving.url, headers=AUTH, trust_env=False) as agent,
        agent.stream("GET", "/v1/feed") as answer,
    ):
        yield agent, answer


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def served(desk: FakeDesk, **options: Any) -> Serving:
    return await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}"), **options))


async def test_a_feed_that_was_cut_off_goes_on_without_a_gap(desk: FakeDesk) -> None:
    desk.up("c-1")
    serving = await served(desk)
    async with following(serving) as (_, answer):
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                position = line.removeprefix("id: ")
                break
    desk.ring("c-2")
    desk.end("c-1")
    headers = AUTH | {"Last-Event-ID": position}
    async with (
        httpx.AsyncClient(base_url=serving.url, headers=headers, trust_env=False) as agent,
        agent.stream("GET", "/v1/feed") as answer,
    ):
        events = Events(answer)
        assert await events.next() == ("calls", {"ids": ["c-2"], "resumed": True})
        seen = [
            (name, view["id"], view["state"]) for name, view in [await events.next(), await events.next()]
        ]
        assert seen == [("call", "c-2", "ringing"), ("call", "c-1", "ended")]
    await serving.close()


async def test_the_feed_begins_with_the_calls_and_goes_on_with_each_change(desk: FakeDesk) -> None:
    desk.up("c-1")
    serving = await served(desk)
    async with following(serving) as (agent, answer):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        events = Events(answer)
        assert await events.next() == ("calls", {"ids": ["c-1"]})
        name, view = await events.next()
        assert (name, view["id"], view["state"]) == ("call", "c-1", "up")
        await agent.post("/v1/calls/c-1/capture", json=ORDER)
        assert (await events.next())[1]["capture"]["stage"] == "starting"
        name, payment = await events.next()
        assert (name, payment["id"], payment["stage"], payment["started_by"]) == (
            "payment",
            "p-1",
            "starting",
            "ann",
        )
        desk.masked()
        masked = (await events.next())[1]
        assert masked["masked"] is True
        assert masked["capture"]["stage"] == CaptureStage.COLLECTING
    await until(lambda: len(desk.feed) == 0)  # the reader has gone: so has the follower
    await serving.close()


async def test_the_feed_says_what_is_wrong_first_and_whenever_that_changes(desk: FakeDesk) -> None:
    desk.fail(NO_PAYER)
    serving = await served(desk)
    async with following(serving) as (_, answer):
        events = Events(answer)
        assert await events.next() == ("calls", {"ids": []})
        name, view = await events.next()
        assert (name, view["faults"][0]["what"]) == ("service", "payers")
        desk.fail(NO_PAYER)  # as before: nothing new
        desk.fail()
        assert await events.next() == ("service", {"faults": []})
    await serving.close()


async def test_a_quiet_feed_shows_that_it_is_alive(desk: FakeDesk) -> None:
    serving = await served(desk, streams=Streams(keep_alive=0.05))
    async with following(serving) as (agent, answer):
        events = Events(answer)
        assert await events.next() == ("calls", {"ids": []})
        assert (await events.next())[0] == "comment"
        desk.up("c-1")
        while (event := await events.next())[0] == "comment":
            pass
        assert event[1]["id"] == "c-1"
        refused = await agent.get("/v1/feed", params={"keep_alive": 0})
        assert refused.status_code == 422
    await serving.close()


async def test_a_stopping_server_ends_its_feeds_and_leaves_its_port(desk: FakeDesk) -> None:
    serving = await served(desk)
    async with following(serving) as (_, answer):
        events = Events(answer)
        await events.next()
        closing = asyncio.create_task(serving.close())
        assert await events.next() == ("end", None)
        await closing
    again = await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}")), "127.0.0.1", serving.port)
    await again.close()


async def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    desk = FakeDesk(backlog=10_000)
    streams = Streams(stalled=0.2)
    serving = await served(desk, streams=streams)
    loop = asyncio.get_running_loop()
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.setblocking(False)
    await loop.sock_connect(stalled, (serving.host, serving.port))
    await loop.sock_sendall(
        stalled, f"GET /v1/feed HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    await until(lambda: streams.open == 1)

    def fill() -> bool:
        for _ in range(50):
            desk.up("c-1", caller="x" * 10_000)
        return streams.open == 0

    await until(fill)
    assert len(desk.feed) == 0
    stalled.close()
    await serving.close()


async def test_too_many_feeds_are_refused(desk: FakeDesk) -> None:
    async with client(desk, headers=AUTH, streams=Streams(max_streams=0)) as agent:
        assert_problem(await agent.get("/v1/feed"), 503, "too many")


async def test_a_taken_port_is_an_error_at_once(desk: FakeDesk) -> None:
    serving = await served(desk)
    with pytest.raises(OSError, match="in use"):
        await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}")), "127.0.0.1", serving.port)
    await serving.close()
