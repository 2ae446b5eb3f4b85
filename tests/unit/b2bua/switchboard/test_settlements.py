"""A person settles what nobody can find out: the journal has it first, the table follows."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.call.order import Order, Settlement
from b2bua.call.view import CaptureStage, NoSuchPayment, NotNow, NotWell, NotYours, PaymentView
from b2bua.records.payments import PaymentTable
from media.events import CaptureState
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    NOT_DECIDED,
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUpOutcome,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reconciler.messages import Finding, Findings, Settle, Settled
from provider_adapters.reconciler.settlements import Settlements
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-1", amount=1250, currency="EUR")
LOST = PaymentView(
    id="p-1", call="c-1", stage=CaptureStage.FINISHED, order=ORDER,
    outcome=Unknown(reason="no_answer_in_time"),
    started_at="2026-11-30T10:00:00.000+00:00", settled_at="2026-11-30T10:00:09.000+00:00",
)  # fmt: skip
PAID = msgspec.structs.replace(LOST, outcome=Approved(reference="ch_1"))
WORD = Settlement(outcome="approved", reference="ch_7")
THERE = Approved(reference="ch_7", provider="north")
_RUNNING: list[Exchange] = []


@pytest.fixture(autouse=True)
async def killed_at_the_end() -> AsyncIterator[None]:
    """Every process of a test ends with it, whatever it still waits for."""
    yield
    for each in _RUNNING:
        await each.board._context.payments._storage.tasks.cancel()
    _RUNNING.clear()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.open()
    return journal


async def process(tmp_path: Path, journal: Journal, *payments: PaymentView) -> Exchange:
    """A switchboard whose table has these payments, too, beside a reconciler with that journal."""
    table = PaymentTable(tmp_path / "payments.sqlite")
    for each in payments:
        table.put(each)
    exchange = Exchange(payments=table)
    _RUNNING.append(exchange)
    exchange.reconciler.settles = Settlements(journal, lambda _: False, 0.0, "north").settle
    await exchange.board.resume_payments()
    return exchange


async def settle(exchange: Exchange, said: Settlement = WORD, agent: str = "ann") -> PaymentView:
    return await exchange.board.settle_payment("p-1", said, agent)


async def on_disk(tmp_path: Path) -> PaymentView:
    found = PaymentTable(tmp_path / "payments.sqlite").find("p-1")
    assert found is not None
    return found


@pytest.mark.parametrize("reason", ["no_answer_in_time", NOT_DECIDED, "outcome_not_found"])
async def test_a_payment_is_decided_by_a_person_and_may_be_refunded(
    tmp_path: Path, journal: Journal, reason: str
) -> None:
    lost = msgspec.structs.replace(LOST, outcome=Unknown(reason=reason))
    exchange = await process(tmp_path, journal, lost)
    view = await settle(exchange)
    assert (view.outcome, view.decided_by, view.settled_by) == (THERE, "person", "ann")
    assert (view.captured, view.left["refund"]) == (1250, 1250)
    assert await on_disk(tmp_path) == view
    assert exchange.board.health()["unknown_payments"] == 0
    entry = journal.lookup("p-1")
    assert entry is not None
    assert (entry.by, entry.who) == ("person", "ann")
    refund = await exchange.board.follow_up("p-1", "refund", None, "ann")
    await until(lambda: exchange.reconciler.handed, "the refund to be handed over")
    assert exchange.reconciler.handed[0][0].reference == "ch_7"
    assert refund.refunded == 0


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (
            Settlement(outcome="approved", reference="r", amount=250),
            PartiallyApproved(amount=250, reference="r", provider="north"),
        ),
        (Settlement(outcome="declined"), Declined(reason="settled_by_person")),
        (Settlement(outcome="failed"), Failed(reason="settled_by_person")),
    ],
)
async def test_what_was_not_charged_leaves_its_order_free(
    tmp_path: Path, journal: Journal, said: Settlement, outcome: Any
) -> None:
    exchange = await process(tmp_path, journal, LOST)
    assert (await settle(exchange, said)).outcome == outcome
    charged = await exchange.board._context.payments.charged("order-1")
    assert bool(charged) is (said.outcome == "approved")


async def test_what_is_decided_or_under_way_or_not_there_is_refused(tmp_path: Path, journal: Journal) -> None:
    exchange = await process(tmp_path, journal, PAID)
    with pytest.raises(NotNow, match="decided already"):
        await settle(exchange)
    with pytest.raises(NotNow, match="Nothing with that key"):
        await settle(exchange, msgspec.structs.replace(WORD, follow_up="f-9"))
    with pytest.raises(NoSuchPayment):
        await exchange.board.settle_payment("p-9", WORD, "ann")
    cancelled = msgspec.structs.replace(LOST, stage=CaptureStage.CANCELLED, outcome=None)
    with pytest.raises(NotNow, match="never charged"):
        await settle(await process(tmp_path, journal, cancelled))
    exchange = await process(tmp_path, journal, LOST)
    with pytest.raises(NotNow, match="more than was asked for"):
        await settle(exchange, msgspec.structs.replace(WORD, amount=1251))
    exchange.reconciler.settles = lambda word: Settled(number=word.number)
    with pytest.raises(NotNow, match="being sent"):
        await settle(exchange)
    exchange.reconciler.settles = None  # it went before it answered
    with pytest.raises(NotWell, match="Look at the payment"):
        await settle(exchange)
    exchange.reconciler.connected = False
    with pytest.raises(NotWell, match="Nothing was sent"):
        await settle(exchange)
    assert journal.lookup("p-1") is None


async def test_what_was_found_meanwhile_is_followed_and_the_word_refused(
    tmp_path: Path, journal: Journal
) -> None:
    exchange = await process(tmp_path, journal, LOST)
    charge = ORDER.charge("p-1")
    journal.begin(charge)
    journal.finish(charge, Unknown(reason="no_answer_in_time"))
    journal.decide("p-1", Declined(reason="declined"), "webhook")
    with pytest.raises(NotNow, match="decided already"):
        await settle(exchange)
    view = await exchange.board.payment("p-1")
    assert (view.outcome, view.decided_by, view.settled_by) == (Declined(reason="declined"), "webhook", None)


async def test_after_a_crash_between_journal_and_table_the_journal_tells_it(
    tmp_path: Path, journal: Journal
) -> None:
    exchange = await process(tmp_path, journal, LOST)
    word = Settle(number=1, charge=ORDER.charge("p-1"), outcome=Approved(reference="ch_7"), who="ann")
    assert exchange.reconciler.settles is not None
    exchange.reconciler.settles(word)
    finding = Finding(outcome=Approved(reference="ch_7"), by="person", who="ann")
    exchange.board.on_findings(Findings(found={"p-1": finding}))

    async def decided() -> bool:
        return (await exchange.board.payment("p-1")).settled_by == "ann"

    await until(decided, "the payment to be decided")


async def test_after_such_a_crash_the_same_word_is_carried_out_again(
    tmp_path: Path, journal: Journal
) -> None:
    late = msgspec.structs.replace(LOST, outcome=Unknown(reason=NOT_DECIDED))  # nobody asks about it
    exchange = await process(tmp_path, journal, late)
    word = Settle(number=1, charge=ORDER.charge("p-1"), outcome=Approved(reference="ch_7"), who="ann")
    assert exchange.reconciler.settles is not None
    exchange.reconciler.settles(word)
    with pytest.raises(NotNow, match="decided already"):
        await settle(exchange, agent="ben")
    again = await process(tmp_path, journal, late)
    assert (await settle(again)).settled_by == "ann"


async def test_a_table_that_fails_is_made_up_for_by_the_journal(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = msgspec.structs.replace(LOST, outcome=Unknown(reason=NOT_DECIDED))
    exchange = await process(tmp_path, journal, late)
    storage = exchange.board._context.payments._storage

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(storage.table, "put", full)
        with pytest.raises(NotWell):
            await settle(exchange)
    exchange.board.ask_reconciler()
    assert exchange.reconciler.asked[-1] == ("p-1",), "it is followed again"


async def test_the_mask_of_another_agent_s_payment_is_respected(tmp_path: Path, journal: Journal) -> None:
    exchange = await process(tmp_path, journal)
    call_id = exchange.up()
    view = await exchange.board.start_capture(call_id, ORDER, "ann")
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id, "ann")
    exchange.wire.obeys = False  # the mask stays on
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Unknown(reason="no_answer_in_time"))
    assert view.capture is not None
    payment_id, payments = view.capture.id, exchange.board._context.payments
    await until(lambda: payments.is_written(payment_id), "the end of the payment on disk")
    with pytest.raises(NotYours):
        await exchange.board.settle_payment(payment_id, WORD, "ben")
    settled = await exchange.board.settle_payment(payment_id, WORD, "ann")
    assert settled.outcome == THERE
    shown = exchange.board.calls()[0].capture
    assert shown is not None
    assert shown.outcome == THERE, "in the call as well"


# --- captures, voids and refunds ------------------------------------------------------------------


async def refunded(exchange: Exchange, outcome: FollowUpOutcome) -> str:
    """A refund with that outcome; its key."""
    [begun] = (await exchange.board.follow_up("p-1", "refund", 1000, "ann")).follow_ups
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    exchange.reconciler.handed[-1][1].set_result(outcome)

    async def known() -> bool:
        return (await exchange.board.payment("p-1")).follow_ups[-1].outcome == outcome

    await until(known, "its outcome")
    return begun.key


@pytest.mark.parametrize(
    "before",
    [Unknown(reason="connection_lost"), Unknown(reason="amount_differs"), Accepted(reference="rf")],
)
@pytest.mark.parametrize("word", ["approved", "declined", "failed"])
async def test_a_refund_is_settled_by_its_key(
    tmp_path: Path, journal: Journal, before: FollowUpOutcome, word: Any
) -> None:
    exchange = await process(tmp_path, journal, PAID)
    key = await refunded(exchange, before)
    view = await settle(exchange, Settlement(outcome=word, follow_up=key))
    [found] = view.follow_ups
    assert found.outcome is not None
    assert (type(found.outcome).__struct_config__.tag, found.decided_by) == (word, "person")
    assert (found.settled_by, view.refunded) == ("ann", 1000 if word == "approved" else 0)
    assert view.left["refund"] == (250 if word == "approved" else 1250)
    assert await on_disk(tmp_path) == view
    assert exchange.board.health()["open_follow_ups"] == 0
    with pytest.raises(NotNow, match="decided already"):
        await settle(exchange, Settlement(outcome=word, follow_up=key))


async def test_a_refund_that_is_under_way_is_not_settled(tmp_path: Path, journal: Journal) -> None:
    exchange = await process(tmp_path, journal, PAID)
    [begun] = (await exchange.board.follow_up("p-1", "refund", 1000, "ann")).follow_ups
    with pytest.raises(NotNow, match="under way"):
        await settle(exchange, Settlement(outcome="failed", follow_up=begun.key))
