"""The level of the log over HTTP: shown, changed for a while, and taken back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from b2bua.api.log_routes import log_routes
from tonewall.log import use_page
from tonewall.log_settings import LogPageOwner, LogSettings

PATH = "/v1/log-level"


@pytest.fixture
async def api() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.middleware("http")
    async def name(request: Request, go_on):  # type: ignore[no-untyped-def]
        request.state.agent = "adm"
        return await go_on(request)

    app.include_router(log_routes())
    owner = LogPageOwner(LogSettings())
    use_page(owner.page)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
    use_page(None)
    owner.close()


async def test_a_level_holds_for_a_while_and_is_taken_back(api: httpx.AsyncClient) -> None:
    plain = {"configured": "info", "level": None, "module": "", "seconds": 0}
    assert (await api.get(PATH)).json() == plain
    changed = {"configured": "info", "level": "debug", "module": "b2bua.sip", "seconds": 60}
    body = {"level": "debug", "module": "b2bua.sip", "seconds": 60}
    assert (await api.post(PATH, json=body)).json() == changed
    assert (await api.get(PATH)).json()["level"] == "debug"
    assert (await api.post(PATH, json={"level": None})).json() == plain


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"level": "loud"},
        {"level": "debug", "seconds": 0},
        {"level": "debug", "seconds": 86401},
        {"level": "debug", "module": "os.path"},
        {"level": "debug", "module": "b2bua.sip\n"},
        {"level": "debug", "module": "b2bua" + ".a" * 60},
        {"level": "debug", "more": 1},
    ],
)
async def test_what_is_no_level_changes_nothing(body: dict[str, object], api: httpx.AsyncClient) -> None:
    answer = await api.post(PATH, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert (await api.get(PATH)).json()["level"] is None


async def test_without_a_supervisor_the_level_is_fixed(api: httpx.AsyncClient) -> None:
    use_page(None)
    assert (await api.get(PATH)).status_code == 503
    assert (await api.post(PATH, json={"level": "debug"})).status_code == 503
