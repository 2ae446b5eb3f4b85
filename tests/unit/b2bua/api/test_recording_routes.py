"""The request to record packets, before anything is recorded: its bounds, and a Tonewall that
cannot record."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from b2bua.access.tokens import Tokens
from b2bua.api.http import create_app
from tests.browser.fake_desk import FakeDesk

TOKEN = "an-administrators-token-of-some-length"
PATH = "/v1/calls/c-1/recording"


async def ask(body: dict[str, Any] | None) -> httpx.Response:
    desk = FakeDesk()
    desk.up("c-1")
    app = create_app(desk, authenticators=[Tokens.parse(f"adm:{TOKEN}", "adm:administrator")])
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
        return await client.post(PATH, json=body)


@pytest.mark.parametrize("body", [None, {}, {"seconds": 1}, {"seconds": 14400, "megabytes": 1000}])
async def test_a_tonewall_without_recordings_says_so(body: dict[str, Any] | None) -> None:
    answer = await ask(body)
    assert answer.status_code == 503
    assert "records no packets" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seconds": 0}, "seconds"),
        ({"seconds": 14401}, "seconds"),
        ({"seconds": "long"}, "seconds"),
        ({"megabytes": 0}, "megabytes"),
        ({"megabytes": 1001}, "megabytes"),
    ],
)
async def test_a_recording_has_bounds(body: dict[str, Any], field: str) -> None:
    answer = await ask(body)
    assert answer.status_code == 422
    assert field in answer.text


async def test_a_body_with_something_else_is_refused() -> None:
    answer = await ask({"payload": True})
    assert answer.status_code == 422
    assert "payload" not in answer.text
