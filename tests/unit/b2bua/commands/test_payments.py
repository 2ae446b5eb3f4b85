"""`tonewall payments` against a served API: what it prints, asks, and ends with."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from b2bua.api.http import create_app
from b2bua.api.server import serve
from b2bua.call.follow_up import FollowUpView
from b2bua.call.link import HandOver, LinkState, LinkView
from b2bua.call.order import Order, Settlement
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.cli import app
from b2bua.commands import payments as cli_payments
from b2bua.records import export, payment_export
from provider_adapters.payment import Accepted, Approved, Declined, Failed, FollowUpOutcome, Unknown
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.stack import until

TOKEN = "a-token-for-the-tests"
PAID = PaymentView(
    id="p-1", call="c-1", stage=CaptureStage.FINISHED, started_by="ann", agent="ann", brand="visa",
    last_four="1111", order=Order(transaction_id="INV-1", amount=4990, currency="EUR", customer="C-17"),
    started_at="2026-11-30T10:00:00.000+00:00", submitted_at="2026-11-30T10:01:00.000+00:00",
    settled_at="2026-11-30T10:01:02.000+00:00", outcome=Approved(reference="ch_1", provider="north"),
)  # fmt: skip
LOST = msgspec.structs.replace(PAID, id="p-2", outcome=Unknown(reason="amount_differs"))


class Shop:
    """A served desk, and the command against it."""

    def __init__(self, desk: FakeDesk, conf: Path, url: str) -> None:
        self.desk, self._conf, self._url = desk, conf, url

    async def run(self, *arguments: str, keyed: str | None = None) -> Result:
        words = ["payments", *arguments, "-c", str(self._conf), "--url", self._url]
        return await asyncio.to_thread(CliRunner().invoke, app, words, input=keyed, env={"COLUMNS": "200"})


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(cli_payments, "_LOOK_EVERY", 0.01)
    monkeypatch.delenv("TONEWALL_TOKEN", raising=False)
    desk = FakeDesk()
    for each in (PAID, LOST):
        desk.tell(each)
    conf = tmp_path / "sip.conf"
    conf.write_text(f"[api]\ntokens = ann:{TOKEN}\n")
    serving = await serve(create_app(desk, authenticators=everybody(f"ann:{TOKEN}")), "127.0.0.1", 0)
    yield Shop(desk, conf, f"http://127.0.0.1:{serving.port}")
    await serving.close()


async def test_payments_are_listed_with_what_became_of_them(shop: Shop) -> None:
    result = await shop.run("list")
    assert result.exit_code == 0, result.output
    for words in ("p-1", "INV-1", "EUR 49.90", "approved", "visa 1111", "unknown"):
        assert words in result.output
    only = await shop.run("list", "--outcome", "unknown")
    assert "p-2" in only.output
    assert "p-1" not in only.output
    assert "no such payments" in (await shop.run("list", "--order", "other")).output


async def test_one_is_shown_with_its_reason_and_what_to_do(shop: Shop) -> None:
    result = await shop.run("show", "p-2")
    assert "unknown (amount_differs): The provider approved another amount" in result.output
    assert "settle it there by hand" in result.output
    missing = await shop.run("show", "p-9")
    assert missing.exit_code == 2
    assert "There is no such payment" in missing.output
    assert "ladder" not in missing.output


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Approved(reference="rf_1"), 0, "approved"),
        (Accepted(reference="rf_1"), 0, "accepted; the provider decides later"),
        (Declined(reason="declined", code="51"), 1, "declined (declined, 51): The bank declined"),
        (Unknown(reason="connection_lost"), 3, "unknown (connection_lost)"),
        (None, 3, "under way"),
    ],
)
async def test_a_refund_ends_with_what_became_of_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, outcome: FollowUpOutcome | None, status: int, words: str
) -> None:
    before = shop.desk.follow_up

    async def follow_up(*values: Any, **more: Any) -> PaymentView:
        begun = await before(*values, **more)
        if outcome is not None:
            shop.desk.decide("p-1", outcome)
        return begun

    monkeypatch.setattr(shop.desk, "follow_up", follow_up)
    result = await shop.run("refund", "p-1", "--amount", "9.90", "--yes", "--wait", "0")
    assert result.exit_code == status, result.output
    assert f"refund of EUR 9.90: {words}" in result.output
    assert shop.desk.asked == [("refund", "p-1", 990, "ann")]


async def test_without_an_amount_all_that_is_left_is_refunded_and_nobody_to_ask_is_a_fault(
    shop: Shop,
) -> None:
    result = await shop.run("refund", "p-1")
    assert result.exit_code == 2
    assert "say --yes" in result.output
    assert shop.desk.asked == []
    await shop.run("refund", "p-1", "--yes", "--wait", "0")
    assert shop.desk.asked == [("refund", "p-1", 4990, "ann")]


async def test_a_provider_that_refunds_nothing_is_a_fault_in_words(shop: Shop) -> None:
    shop.desk.paid["p-1"] = msgspec.structs.replace(shop.desk.paid["p-1"], offers=())
    result = await shop.run("refund", "p-1", "--yes")
    assert (result.exit_code, shop.desk.asked) == (2, [])
    assert "the provider of this payment refunds nothing from here" in result.output


@pytest.mark.parametrize("amount", ["9,90", "9.901", "-1", "x", ".5", "1e3"])
async def test_an_amount_that_is_none_is_refused(shop: Shop, amount: str) -> None:
    result = await shop.run("refund", "p-1", f"--amount={amount}", "--yes")
    assert result.exit_code == 2
    assert "expected an amount in EUR such as 10.50" in result.output
    assert shop.desk.asked == []


async def test_what_the_service_refuses_is_said_in_its_words(shop: Shop) -> None:
    result = await shop.run("refund", "p-1", "--amount", "50", "--yes")
    assert result.exit_code == 2
    assert "more than is left" in result.output
    nothing = await shop.run("refund", "p-2", "--yes")
    assert "nothing of this payment can be refunded" in nothing.output


async def test_unknown_payments_are_asked_about_until_they_are_known_or_time_is_over(shop: Shop) -> None:
    result = await shop.run("reconcile", "--all", "--wait", "0")
    assert result.exit_code == 3
    assert shop.desk.asked == [("reconcile", ())]
    assert "p-2" in result.output
    running = asyncio.create_task(shop.run("reconcile", "p-2", "--wait", "30"))
    await until(lambda: ("reconcile", ("p-2",)) in shop.desk.asked, "the question")
    shop.desk.tell(msgspec.structs.replace(LOST, outcome=Approved(reference="r")))
    found = await running
    assert found.exit_code == 0
    assert "approved" in found.output
    assert "no payment is unknown" in (await shop.run("reconcile", "--all")).output
    assert (await shop.run("reconcile")).exit_code == 2


async def test_what_nobody_can_find_out_is_settled_by_hand(shop: Shop) -> None:
    nobody = await shop.run("settle", "p-2", "--outcome", "failed")
    assert nobody.exit_code == 2
    assert "say --yes" in nobody.output
    assert shop.desk.asked == []
    words = ("--outcome", "approved", "--reference", "ch_2", "--amount", "9.90", "--yes")
    result = await shop.run("settle", "p-2", *words)
    assert result.exit_code == 0, result.output
    said = Settlement(outcome="approved", reference="ch_2", amount=990)
    assert shop.desk.asked == [("settle", "p-2", said, "ann")]
    assert "partially approved" in result.output
    assert "by person ann" in result.output
    again = await shop.run("settle", "p-2", *words)
    assert again.exit_code == 2
    assert "decided already" in again.output


async def test_a_reference_that_is_missing_is_asked_for(shop: Shop) -> None:
    result = await shop.run("settle", "p-2", "--outcome", "approved", "--yes")
    assert result.exit_code == 2
    assert "a refund of the payment needs the provider's own reference" in result.output
    assert shop.desk.asked == []


async def test_the_books_come_as_one_array_also_where_there_are_none(shop: Shop) -> None:
    lines = (await shop.run("export", "--format", "jsonl")).stdout.splitlines()
    array = (await shop.run("export", "--format", "json")).stdout
    assert json.loads(array) == [json.loads(line) for line in lines]
    assert len(lines) > 0
    assert len(array.splitlines()) == len(lines) + export.Format.JSON.frame
    none = (await shop.run("export", "--format", "json", "--since", "2099-01-01")).stdout
    assert json.loads(none) == []


async def test_the_books_have_a_row_a_payment_and_one_a_refund(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_payments, "MAX_LISTED", 1)  # a page
    refund = FollowUpView(
        key="f-1", kind="refund", amount=990, at="2026-12-02T09:00:00.000+00:00", by="ben",
        outcome=Approved(reference="rf_1"),
    )  # fmt: skip
    shop.desk.tell(msgspec.structs.replace(PAID, follow_ups=(refund,)))
    shop.desk.tell(
        msgspec.structs.replace(PAID, id="p-3", order=msgspec.structs.replace(PAID.order, customer="=1+1"))
    )
    result = await shop.run("export")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert list(rows[0]) == list(payment_export.COLUMNS)
    assert [(row["kind"], row["payment"], row["key"], row["amount"], row["settled"]) for row in rows] == [
        ("charge", "p-1", "p-1", "4990", "4990"),
        ("refund", "p-1", "f-1", "990", "990"),
        ("charge", "p-2", "p-2", "4990", "0"),
        ("charge", "p-3", "p-3", "4990", "4990"),
    ]
    assert (rows[1]["reference"], rows[1]["agent"], rows[1]["provider"]) == ("rf_1", "ben", "north")
    assert rows[3]["customer"].startswith("'"), "no formula"
    path = tmp_path / "books.jsonl"
    await shop.run("export", "--format", "jsonl", "--since", "2026-12-01", "-o", str(path))
    [row] = [json.loads(line) for line in read(path).splitlines()]
    assert (row["kind"], row["at"]) == ("refund", "2026-12-02T09:00:00.000+00:00")


def read(path: Path) -> str:
    """The text of a file."""
    return path.read_text()


def test_a_payment_that_was_never_submitted_is_not_in_the_books() -> None:
    cancelled = msgspec.structs.replace(PAID, submitted_at=None, stage=CaptureStage.CANCELLED, outcome=None)
    assert list(payment_export.rows(cancelled)) == []
    assert len(list(payment_export.rows(PAID, datetime(2026, 11, 30, 10, 1, tzinfo=UTC)))) == 1
    assert list(payment_export.rows(PAID, datetime(2026, 11, 30, 10, 2, tzinfo=UTC))) == []


async def test_its_help_names_what_it_does(shop: Shop) -> None:
    text = (await asyncio.to_thread(CliRunner().invoke, app, ["payments", "--help"])).output
    for command in ("list", "show", "reconcile", "settle", "refund", "export"):
        assert command in text


# --- payment links --------------------------------------------------------------------------------

LINKED = PaymentView(
    id="p-9", stage=CaptureStage.LINKED, order=PAID.order, started_by="ann", agent="ann",
    started_at=PAID.started_at, submitted_at=PAID.started_at,
    link=LinkView(
        state=LinkState.OPEN, url="https://pay.example/9", expires_at="2026-12-01T10:00:00.000+00:00",
        hand_over=HandOver(
            event="payment_link.opened", state="failing", reason="http_503", at="2026-11-30T10:02:00Z"
        ),
    ),
)  # fmt: skip


async def test_a_link_is_listed_and_shown_with_its_state(shop: Shop) -> None:
    shop.desk.tell(LINKED)
    assert "link open" in (await shop.run("list")).output
    shown = (await shop.run("show", "p-9")).output
    for words in ("open; its time ends 2026-12-01", "https://pay.example/9", "opened: failing (http_503)"):
        assert words in shown
    expired = msgspec.structs.replace(
        LINKED, stage=CaptureStage.FINISHED, outcome=Failed(reason="link_expired"),
        link=msgspec.structs.replace(LINKED.link, state=LinkState.EXPIRED),  # type: ignore[type-var]
    )  # fmt: skip
    shop.desk.tell(expired)
    assert "link expired" in (await shop.run("list")).output


def test_a_payment_by_a_link_is_in_the_books_when_it_was_paid() -> None:
    paid = msgspec.structs.replace(
        LINKED, stage=CaptureStage.FINISHED, outcome=Approved(reference="ch_9"),
        settled_at="2026-12-01T09:00:00.000+00:00",
        link=msgspec.structs.replace(LINKED.link, state=LinkState.PAID),  # type: ignore[type-var]
    )  # fmt: skip
    [row] = payment_export.rows(paid, datetime(2026, 12, 1, tzinfo=UTC))
    assert (row["at"], row["link"], row["settled"]) == (paid.settled_at, "paid", 4990)
    assert list(payment_export.rows(LINKED, datetime(2026, 12, 1, tzinfo=UTC))) == []
