"""The tools of a voice bot, by the protocol's own client over HTTP, before a played desk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from b2bua.api.http import create_app
from b2bua.api.server import serve
from b2bua.voice_bot.server import PATH, build_app
from media.events import CaptureForm, Field, FieldReason
from media.form_description import describe
from provider_adapters.payment import Approved, Declined
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.stack import free_port

TOKEN = "a-token-for-the-tests"
COLLEAGUE = "another-token-of-the-tests"
ORDER = {"amount": "49.90", "currency": "EUR", "reference": "INV-2041"}
TOOLS = {
    "find_call",
    "protect_line",
    "take_payment",
    "payment_status",
    "ask_again",
    "charge",
    "cancel",
    "send_link",
}


@asynccontextmanager
async def served(api: str) -> AsyncIterator[str]:
    """The tools at a URL, over the API at another."""
    port = free_port()
    config = uvicorn.Config(build_app(api), host="127.0.0.1", port=port, log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{port}{PATH}"
    server.should_exit = True
    await running


@asynccontextmanager
async def connected(url: str, token: str = TOKEN) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest_asyncio.fixture
async def api(desk: FakeDesk) -> AsyncIterator[str]:
    serving = await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}, ben:{COLLEAGUE}")))
    yield serving.url
    await serving.close()


@pytest_asyncio.fixture
async def url(api: str) -> AsyncIterator[str]:
    async with served(api) as found:
        yield found


async def ask(url: str, tool: str, **arguments: Any) -> dict[str, Any]:
    async with connected(url) as bot:
        result = await bot.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refused(url: str, tool: str, token: str = TOKEN, **arguments: Any) -> str:
    async with connected(url, token) as bot:
        result = await bot.call_tool(tool, arguments)
    assert result.is_error
    return json.dumps([getattr(each, "text", "") for each in result.content])


async def test_the_tools_are_listed_with_what_they_do(url: str) -> None:
    async with connected(url) as bot:
        tools = {tool.name: tool for tool in (await bot.list_tools()).tools}
    assert set(tools) == TOOLS
    assert all(tool.description and tool.output_schema for tool in tools.values())


async def test_the_line_is_protected_before_a_payment(url: str, desk: FakeDesk) -> None:
    desk.up()
    asked = await ask(url, "protect_line", call="c-1")
    assert (asked["stage"], asked["protected"]) == ("none", False), "asked for, not confirmed"
    assert desk.asked[-1] == ("announce", "c-1")
    desk.confirm_mask()
    assert (await ask(url, "payment_status", call="c-1"))["protected"]


async def test_a_payment_goes_from_call_to_outcome(url: str, desk: FakeDesk) -> None:
    desk.up()
    (call,) = (await ask(url, "find_call"))["calls"]
    started = await ask(url, "take_payment", call=call["call"], **ORDER)
    assert (started["stage"], started["say"]) == ("starting", "")
    order = desk.asked[-1][2]
    assert (order.amount, order.currency, order.transaction_id) == (4990, "EUR", "INV-2041")
    waiting = asyncio.create_task(ask(url, "payment_status", call="c-1", wait=20))
    desk.masked()
    asking = await waiting
    assert (asking["stage"], asking["protected"], asking["field"]) == ("collecting", True, "card_number")
    assert asking["say"] == "Please key your card number on your phone, then the hash key."
    desk.keyed(Field.CARD_NUMBER, 0, rejected=1, reason_of_field=FieldReason.CARD_NUMBER_CHECK_DIGIT)
    again = await ask(url, "payment_status", call="c-1")
    assert again["reason"] == "card_number_check_digit"
    assert "once more" in again["say"]
    desk.key_all()
    ready = await ask(url, "payment_status", call="c-1")
    assert (ready["stage"], ready["missing"], ready["last_four"]) == ("ready", [], "1111")
    assert (await ask(url, "ask_again", call="c-1", field="expiry"))["missing"] == ["expiry"]
    await ask(url, "payment_status", call="c-1")
    desk.key_all()
    assert (await ask(url, "charge", call="c-1"))["stage"] == "charging"
    desk.finish(Approved(reference="ch_1", token="tok_1"))
    done = await ask(url, "payment_status", call="c-1", wait=20)
    assert (done["outcome"], done["reference"], done["over"]) == ("approved", "ch_1", True)
    assert "tok_1" not in json.dumps(done)


async def test_the_sentence_names_the_key_that_ends_a_field_in_this_form(desk: FakeDesk) -> None:
    forms = [describe(CaptureForm(name="card", end_key="*", clear_key="#"))]
    serving = await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}"), forms=forms))
    async with served(serving.url) as url:
        desk.up()
        await ask(url, "take_payment", call="c-1", **ORDER)
        desk.masked()
        assert (await ask(url, "payment_status", call="c-1"))["say"].endswith(", then the star key.")
    await serving.close()


async def test_a_decline_says_why(url: str, desk: FakeDesk) -> None:
    desk.up()
    await ask(url, "take_payment", call="c-1", **ORDER)
    desk.masked()
    desk.key_all()
    await ask(url, "charge", call="c-1")
    desk.finish(Declined(reason="expired_card", message="Expired."))
    done = await ask(url, "payment_status", call="c-1")
    assert (done["outcome"], done["reason"]) == ("declined", "expired_card")
    assert "nothing was charged" in done["say"]


async def test_a_call_is_found_by_the_last_digits_of_a_number(url: str, desk: FakeDesk) -> None:
    view = desk.up()
    assert (await ask(url, "find_call", number=view.caller))["calls"]
    assert not (await ask(url, "find_call", number="+4400000000"))["calls"]


async def test_a_payment_is_cancelled(url: str, desk: FakeDesk) -> None:
    desk.up()
    await ask(url, "take_payment", call="c-1", **ORDER)
    assert (await ask(url, "cancel", call="c-1"))["over"]


async def test_a_status_comes_back_when_the_wait_is_over(url: str, desk: FakeDesk) -> None:
    desk.up()
    await ask(url, "take_payment", call="c-1", **ORDER)
    assert (await ask(url, "payment_status", call="c-1", wait=0.4))["stage"] == "starting"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": "much"}, "a number such as 49.90"),
        ({"amount": "49.901"}, "has 2 decimals"),
        ({"amount": "NaN"}, "decimals"),
        ({"currency": "eur"}, "ISO 4217"),
        ({"reference": "4111 1111 1111 1111"}, "card number"),
        ({"call": "nobody"}, "no such call"),
    ],
)
async def test_what_is_wrong_is_said_in_a_sentence(
    url: str, desk: FakeDesk, changes: dict[str, str], why: str
) -> None:
    desk.up()
    said = await refused(url, "take_payment", **{"call": "c-1", **ORDER} | changes)
    assert why.lower() in said.lower()
    assert not any(what[0] == "start" for what in desk.asked)


@pytest.mark.parametrize(
    ("credentials", "challenge"),
    [
        ("", "Bearer"),
        (f"Basic {TOKEN}", "Bearer"),
        ("Bearer another-token-altogether", 'error="invalid_token"'),
        ("Bearer \xe9", 'error="invalid_token"'),
    ],
)
async def test_a_request_without_a_token_of_the_api_does_not_reach_the_tools(
    url: str, credentials: str, challenge: str
) -> None:
    headers = {b"authorization": credentials.encode("latin-1")} if credentials else {}
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(url, json={}, headers=headers)
    assert answer.status_code == 401
    assert challenge in answer.headers["www-authenticate"]


async def test_two_bots_act_each_with_its_own_token(url: str, desk: FakeDesk) -> None:
    desk.up()
    desk.up("c-2")
    async with connected(url) as bot, connected(url, COLLEAGUE) as other:
        answers = await asyncio.gather(
            bot.call_tool("take_payment", {"call": "c-1", **ORDER}),
            other.call_tool("take_payment", {"call": "c-2", **ORDER}),
        )
    assert not any(each.is_error for each in answers)
    captures = {view.id: view.capture for view in desk.calls()}
    assert captures["c-1"] is not None
    assert captures["c-2"] is not None
    assert (captures["c-1"].agent, captures["c-2"].agent) == ("ann", "ben")


async def test_without_the_api_the_bot_is_told(desk: FakeDesk) -> None:
    async with served(f"http://127.0.0.1:{free_port()}") as url:
        assert "does not answer" in await refused(url, "find_call")
