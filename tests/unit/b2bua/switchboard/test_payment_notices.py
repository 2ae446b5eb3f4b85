"""Webhooks of payments: what is told, in order, without a digit of a card, and each end until it is
taken."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.call import leg
from b2bua.call.leg import LegId
from b2bua.call.order import Order, SavedCard, Settlement
from b2bua.call.payment_events import EVENTS, USUAL
from b2bua.call.prepared import FindBy
from b2bua.notify.message import Message
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.payment_notices import NoticePolicy
from media.events import CaptureState, Field, FieldProgress
from provider_adapters.payment import Approved, Declined, Failed, Unknown
from provider_adapters.reconciler.messages import Settled
from tests.complaints import permit_error
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-2", amount=700, currency="EUR")
NUMBER = Field.CARD_NUMBER
_RUNNING: list[Exchange] = []


@pytest.fixture(autouse=True)
async def killed_at_the_end() -> AsyncIterator[None]:
    """Every process of a test ends with it, whatever it still waits for."""
    yield
    for each in _RUNNING:
        await kill(each)
    _RUNNING.clear()


async def kill(exchange: Exchange) -> None:
    await exchange.board._context.payments._storage.tasks.cancel()


class Crm:
    """The company's own service, as a test plays it: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuses = ""
        self.held: asyncio.Event | None = None

    async def send(self, message: Message, now: float) -> str:
        self.got.append(message)
        if self.held is not None:
            await self.held.wait()
        return self.refuses

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.got]

    def kinds(self) -> list[str]:
        return [each.kind.removeprefix("payment.") for each in self.got]

    async def heard(self, *kinds: str) -> None:
        await until(lambda: self.kinds() == list(kinds), f"{kinds}, not {self.kinds()}", 5.0)


async def an_exchange(
    crm: Crm, path: Path | None = None, events: frozenset[str] = frozenset(EVENTS)
) -> Exchange:
    table = PaymentTable(path) if path is not None else None
    exchange = Exchange(payments=table, notices=NoticePolicy(crm.send, events))
    _RUNNING.append(exchange)
    await exchange.board.resume_payments()
    return exchange


def field(count: int, *, complete: bool = False, **more: Any) -> tuple[FieldProgress, ...]:
    return (FieldProgress(field=NUMBER, count=count, complete=complete, **more),)


async def test_the_way_of_a_payment_is_told_in_order_and_without_a_digit():
    crm = Crm()
    exchange = await an_exchange(crm)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    tell = exchange.tell
    tell(call, CaptureState.COLLECTING, fields=field(0))
    tell(call, CaptureState.COLLECTING, fields=field(5))
    tell(call, CaptureState.COLLECTING, fields=field(0, rejected=1, reason="card_number_check_digit"))
    tell(
        call,
        CaptureState.COLLECTING,
        fields=field(16, complete=True, rejected=1),
        brand="visa",
        last_four="wxyz",
    )
    tell(
        call, CaptureState.READY, fields=field(16, complete=True, rejected=1), brand="visa", last_four="wxyz"
    )
    await exchange.board.submit_capture(call, "ann")
    outcome = Approved(reference="pay_1", token="tok_secret")
    tell(call, CaptureState.FINISHED, brand="visa", last_four="wxyz", outcome=outcome)
    await crm.heard("masked", "collecting", "refused", "field", "ready", "submitted", "outcome")
    said = [each["data"] for each in crm.said()]
    assert {(each["id"], each["call"], each["agent"]) for each in said} == {(said[0]["id"], call, "ann")}
    assert (said[2]["field"], said[2]["reason"], said[2]["tries"]) == (NUMBER, "card_number_check_digit", 1)
    assert (said[3]["field"], said[3]["count"]) == (NUMBER, 16)
    assert said[-1]["outcome"] == {"type": "approved", "reference": "pay_1", "amount": None} or said[-1][
        "outcome"
    ] == {
        "type": "approved",
        "reference": "pay_1",
    }
    for each in crm.got:
        assert b"wxyz" not in each.body
        assert b"visa" not in each.body
        assert b"tok_secret" not in each.body


async def test_of_other_events_nothing_is_told():
    crm = Crm()
    exchange = await an_exchange(crm, events=USUAL)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    exchange.tell(call, CaptureState.COLLECTING, fields=field(0))
    await exchange.board.cancel_capture(call, "ann")
    await crm.heard("over")
    assert crm.said()[0]["data"]["stage"] == "cancelled"


async def test_a_silent_customer_and_a_take_over_are_told():
    crm = Crm()
    exchange = await an_exchange(crm, events=frozenset({"needs_person", "taken_over"}))
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    exchange.tell(call, CaptureState.COLLECTING, fields=field(0), unheard=True)
    exchange.tell(call, CaptureState.COLLECTING, fields=field(1), unheard=True)
    await exchange.board.take_over_capture(call, "ben")
    await crm.heard("needs_person", "taken_over")
    silent, taken = [each["data"] for each in crm.said()]
    assert silent["reason"] == "unheard"
    assert (taken["by"], taken["from"]) == ("ben", "ann")


async def test_a_take_over_is_on_disk_with_both_names_at_once(tmp_path: Path):
    path = tmp_path / "payments.sqlite"
    exchange = Exchange(payments=PaymentTable(path))
    _RUNNING.append(exchange)
    call = exchange.up()
    view = await exchange.board.start_capture(call, ORDER, "ann")
    assert view.capture is not None
    await exchange.board.take_over_capture(call, "ben")
    await exchange.board.take_over_capture(call, "ben")
    await until(lambda: b'"ben"' in _stored(path), "the write")
    (passed,) = (await exchange.board.payment(view.capture.id)).take_overs
    assert (passed.by, passed.from_agent) == ("ben", "ann")
    assert json.loads(_stored(path))["take_overs"][0]["from_agent"] == "ann"


def _stored(path: Path) -> bytes:
    (body,) = sqlite3.connect(path).execute("SELECT view FROM payments").fetchone()
    return bytes(body)


async def test_a_prepared_payment_is_told_as_it_finds_its_call_and_as_it_is_cancelled():
    crm = Crm()
    exchange = await an_exchange(crm)
    one = await exchange.board.prepare_payment(ORDER, FindBy(caller="+49301"), "crm")
    call = exchange.up(caller="+49301")
    await exchange.board.cancel_prepared(one.id, "ann")
    await crm.heard("bound", "over")
    assert [each["data"]["call"] for each in crm.said()] == [call, ""]


@pytest.mark.parametrize(
    "outcome", [Approved(reference="r"), Declined(reason="do_not_honour", message=""), Failed(reason="x")]
)
async def test_an_end_outlives_the_process_and_is_told_once_it_is_taken(tmp_path: Path, outcome: Any):
    path, crm = tmp_path / "payments.sqlite", Crm()
    crm.refuses = "http_503"
    exchange = await an_exchange(crm, path)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    exchange.tell(call, CaptureState.COLLECTING)
    exchange.tell(call, CaptureState.READY, fields=field(16, complete=True))
    await exchange.board.submit_capture(call, "ann")
    exchange.tell(call, CaptureState.FINISHED, outcome=outcome)
    await until(lambda: crm.kinds()[-1:] == ["outcome"], "the attempt")
    identity = crm.got[-1].id
    await kill(exchange)
    later = Crm()
    again = await an_exchange(later, path)
    again.passed = 3.0
    again.board.count()
    await later.heard("outcome")
    assert later.got[0].id == identity
    await until(lambda: not _rows(path), "it is forgotten")
    assert again.board.health()["payment_waiting_webhooks"] == 0


def _rows(path: Path) -> int:
    return int(sqlite3.connect(path).execute("SELECT count(*) FROM notices").fetchone()[0])


async def test_an_unknown_outcome_that_is_settled_is_told_twice():
    crm = Crm()
    exchange = await an_exchange(crm, events=USUAL)
    call = exchange.up()
    view = await exchange.board.start_capture(call, ORDER, "ann")
    assert view.capture is not None
    exchange.tell(call, CaptureState.COLLECTING)
    exchange.tell(call, CaptureState.READY, fields=field(16, complete=True))
    await exchange.board.submit_capture(call, "ann")
    exchange.tell(call, CaptureState.FINISHED, outcome=Unknown(reason="not_decided"))
    await crm.heard("outcome")
    assert crm.said()[0]["data"]["needs_person"] is True
    exchange.reconciler.settles = lambda word: Settled(
        number=word.number, is_new=True, outcome=word.outcome, by="person", who=word.who
    )
    await exchange.board.settle_payment(view.capture.id, Settlement(outcome="failed"), "ann")
    await crm.heard("outcome", "outcome")
    second = crm.said()[1]["data"]
    assert (second["outcome"]["type"], second["decided_by"], second["needs_person"]) == (
        "failed",
        "person",
        False,
    )


async def test_what_a_restart_ends_is_told(tmp_path: Path):
    path = tmp_path / "payments.sqlite"
    exchange = await an_exchange(Crm(), path)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    await kill(exchange)
    crm = Crm()
    await an_exchange(crm, path)
    await crm.heard("over")
    assert "restarted" in crm.said()[0]["data"]["reason"]


async def test_a_hang_up_is_told():
    crm = Crm()
    exchange = await an_exchange(crm, events=USUAL)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("hung up"))
    await crm.heard("over")
    assert exchange.board._context.payments.notices._seen == {}


async def test_a_saved_card_is_told():
    crm = Crm()
    exchange = await an_exchange(crm, events=USUAL)
    payment = await exchange.board.charge_saved(ORDER, SavedCard(token="sesame"), "ann")
    await until(lambda: exchange.reconciler.saved, "the request")
    exchange.reconciler.saved[0][2].set_result(Approved(reference="r-1"))
    await crm.heard("outcome")
    assert crm.said()[0]["data"]["id"] == payment.id
    assert b"sesame" not in crm.got[0].body


async def test_an_end_that_is_not_on_disk_is_not_told():
    crm = Crm()
    exchange = await an_exchange(crm, events=USUAL)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    table = exchange.board._context.payments._storage.table
    put, failing = table._put, [True]

    def fails(*arguments: Any, **keywords: Any) -> None:
        if failing:
            failing.pop()
            raise sqlite3.OperationalError("disk I/O error")
        put(*arguments, **keywords)

    table._put = fails  # type: ignore[method-assign]
    permit_error("payment_not_written")
    await exchange.board.cancel_capture(call, "ann")
    await until(lambda: not failing, "the first write")
    assert crm.got == []
    await crm.heard("over")


async def test_there_is_an_end_to_what_waits():
    crm = Crm()
    crm.held = asyncio.Event()
    exchange = await an_exchange(crm)
    exchange.board._context.payments._storage.table.notices._most = 1
    for number in range(3):
        call = exchange.up(f"near-{number}")
        order = Order(transaction_id=f"o-{number}", amount=1, currency="EUR")
        await exchange.board.start_capture(call, order, "ann")
        for press in range(40):
            exchange.tell(call, CaptureState.COLLECTING, fields=field(0, rejected=press))
        await exchange.board.cancel_capture(call, "ann")
    await until(lambda: exchange.board.health()["dropped_payment_webhooks"] > 2, "drops")
    assert exchange.board.health()["payment_waiting_webhooks"] <= 3 * 32 + 1
    crm.held.set()


async def test_a_service_that_takes_nothing_is_a_fault():
    crm = Crm()
    crm.refuses = "http_500"
    exchange = await an_exchange(crm, events=USUAL)
    call = exchange.up()
    await exchange.board.start_capture(call, ORDER, "ann")
    await exchange.board.cancel_capture(call, "ann")
    await until(lambda: crm.got, "an attempt")
    assert "notify" not in [fault.what for fault in exchange.board.faults()]
    exchange.passed = 61.0
    assert "notify" in [fault.what for fault in exchange.board.faults()]
