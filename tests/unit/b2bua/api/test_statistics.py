"""The counts of the last hours over HTTP: who gets which, in which form, and what is refused."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from b2bua.access.authority import Authority
from b2bua.access.teams import Teams
from b2bua.access.tokens import Tokens
from b2bua.api.http import create_app
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.records.payment_counts import PaymentCounts
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.statistics import Statistics
from provider_adapters.payment import Approved
from tests.browser.fake_desk import FakeDesk

NOON = 1_800_000_000.0
TOKENS = "boss:a-token-of-the-boss, nora:a-token-of-noras, ann:a-token-of-anns-own"
ROLES = "boss:supervisor, nora:supervisor, ann:agent"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "payments.sqlite"
    table = PaymentTable(path)
    for agent in ("ann", "sam", "no agent"):
        table.put(
            PaymentView(
                id=f"p-{agent}", call="c-1", stage=CaptureStage.FINISHED, started_by=agent, agent=agent,
                order=Order(transaction_id=f"INV-{agent}", amount=4990, currency="EUR"),
                started_at=datetime.fromtimestamp(NOON, UTC).isoformat(), brand="visa", last_four="1111",
                outcome=Approved(reference="ch_1", token="tok_1"),
            )
        )  # fmt: skip
    table.close()
    return path


@asynccontextmanager
async def client(file: Path, token: str) -> AsyncIterator[httpx.AsyncClient]:
    statistics = Statistics(payments=PaymentCounts(file), clock=lambda: NOON)
    app = create_app(
        FakeDesk(),
        authenticators=[Tokens.parse(TOKENS, ROLES)],
        authority=Authority(Teams.parse("north:nora ann, south:sam")),
        statistics=statistics,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tonewall.test", headers=headers
    ) as found:
        yield found
    await statistics.close()


@pytest.mark.parametrize(
    ("token", "seen"),
    [("a-token-of-the-boss", {"ann", "sam", "no agent"}), ("a-token-of-noras", {"ann", "no agent"})],
)
async def test_a_supervisor_gets_the_payments_of_their_team_and_nobodys(
    file: Path, token: str, seen: set[str]
) -> None:
    async with client(file, token) as somebody:
        found = (await somebody.get("/v1/statistics")).json()
        assert {each["name"] for each in found["agents"]} == seen
        assert sum(found["payments"]["approved"]) == len(seen)
        table = await somebody.get("/v1/statistics/table?table=agents&hours=24")
        assert table.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert table.headers["content-disposition"] == 'attachment; filename="tonewall-agents-24h.csv"'
        assert {row["name"] for row in csv.DictReader(io.StringIO(table.text))} == seen


async def test_an_agent_gets_nothing_of_it(file: Path) -> None:
    async with client(file, "a-token-of-anns-own") as somebody:
        for path in ("/v1/statistics", "/v1/statistics/table?table=calls"):
            assert (await somebody.get(path)).status_code == 403


async def test_nothing_of_a_card_an_order_or_a_customer_is_in_it(file: Path) -> None:
    async with client(file, "a-token-of-the-boss") as somebody:
        texts = [(await somebody.get("/v1/statistics?hours=6")).text]
        for table in ("calls", "payments", "trunks", "quality", "agents", "reasons", "providers"):
            texts.append((await somebody.get(f"/v1/statistics/table?table={table}")).text)
    for word in ("1111", "visa", "tok_1", "ch_1", "INV-", "4990", "p-ann"):
        assert not any(word in text for text in texts), word


async def test_other_hours_and_tables_are_refused(file: Path) -> None:
    async with client(file, "a-token-of-the-boss") as somebody:
        for query in ("?hours=2", "?hours=x", "/table", "/table?table=payments.sqlite"):
            assert (await somebody.get(f"/v1/statistics{query}")).status_code == 422


async def test_a_file_that_cannot_be_read_is_a_problem(file: Path) -> None:
    async with client(file, "a-token-of-the-boss") as somebody:
        with sqlite3.connect(file) as database:
            database.execute("DROP TABLE payments")
        for path in ("/v1/statistics", "/v1/statistics/table?table=calls"):
            answer = await somebody.get(path)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
