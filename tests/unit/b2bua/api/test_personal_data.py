"""Personal data over HTTP: what is asked for, and what is refused without a word of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.api.http import create_app
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.ladder.ladders import Ladders
from b2bua.personal_data.desk import PersonalData
from b2bua.records.payments import PaymentTable
from b2bua.records.store import connect, prepare
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody

TOKEN = "agent-under-test-0001"
NUMBER = "+441632960147"


class Board(FakeDesk):
    async def on_payments(self, work: Any) -> Any:
        return work(PaymentTable())


class Records:
    def __init__(self, folder: Path) -> None:
        self.refused = folder / "refused"

    def are_waiting(self) -> bool:
        return False


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    engine = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    prepare(engine)
    data = PersonalData(engine, Records(tmp_path), Board(), Ladders(), Pseudonyms())
    app = create_app(FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"), personal_data=data)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:  # fmt: skip
        yield client


async def test_an_erasure_says_what_it_did_and_what_stays(agent: httpx.AsyncClient) -> None:
    for dry_run in (True, False):
        body = {"numbers": [NUMBER, "01632960147"], "dry_run": dry_run}
        answer = await agent.post("/v1/personal-data/erase", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json() | {"kept": []} == {"dry_run": dry_run, "erased": {}, "left": [], "kept": []}
    export = (await agent.post("/v1/personal-data/export", json={"numbers": [NUMBER]})).json()
    assert export | {"made_at": ""} == {
        "made_at": "", "calls": [], "payments": [], "others": [], "ladders": [], "under_way": [],
    }  # fmt: skip


@pytest.mark.parametrize("action", ["export", "erase"])
@pytest.mark.parametrize(
    "body",
    [
        {}, {"numbers": []}, {"numbers": NUMBER}, {"numbers": [""]}, {"numbers": ["+1"]},
        {"numbers": ["%%%%"]},
        {"numbers": [NUMBER] * 11}, {"numbers": [NUMBER * 9]}, {"numbers": [1632960147]},
        {"numbers": ["4929580173642084"]}, {"numbers": [NUMBER], "number": NUMBER},
    ],
)  # fmt: skip
async def test_what_is_no_number_is_refused_and_not_quoted(
    agent: httpx.AsyncClient, action: str, body: Any
) -> None:
    answer = await agent.post(f"/v1/personal-data/{action}", json=body)
    assert answer.status_code == 422, answer.text
    assert "1632960147" not in answer.text
    assert "4929580173642084" not in answer.text


async def test_nobody_without_a_token_asks(agent: httpx.AsyncClient) -> None:
    agent.headers.pop("Authorization")
    for action in ("export", "erase"):
        answer = await agent.post(f"/v1/personal-data/{action}", json={"numbers": [NUMBER]})
        assert answer.status_code == 401


async def test_a_process_that_keeps_nothing_says_so() -> None:
    app = create_app(FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as client:  # fmt: skip
        answer = await client.post("/v1/personal-data/export", json={"numbers": [NUMBER]})
        assert answer.status_code == 404
