"""Captures, voids and refunds: on disk before they are handed over, handed over once, and followed
until the provider has decided them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.call.order import Order, RequestName
from b2bua.call.view import CaptureStage, KeyReused, NoSuchPayment, NotNow, NotOffered, NotWell, PaymentView
from b2bua.records.payments import PaymentTable
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUpOutcome,
    Operation,
    Outcome,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reconciler.messages import LaterResult
from tests.complaints import permit_error
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-1", amount=1250, currency="EUR", merchant_account="North")
DONE = Approved(reference="f-1")
GONE = Unknown(reason="reconciler_gone")


_RUNNING: list[Exchange] = []


@pytest.fixture(autouse=True)
async def killed_at_the_end() -> AsyncIterator[None]:
    """Every process of a test ends with it, whatever it still waits for."""
    yield
    for each in _RUNNING:
        await each.board._context.payments._storage.tasks.cancel()
    _RUNNING.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.sqlite"


def payment(outcome: Outcome | None = None, **changes: Any) -> PaymentView:
    values: dict[str, Any] = {
        "id": "p-1", "call": "c-1", "stage": CaptureStage.FINISHED, "order": ORDER,
        "started_at": "2026-11-30T10:00:00.000+00:00", "settled_at": "2026-11-30T10:00:09.000+00:00",
        "outcome": Approved(reference="ch_1") if outcome is None else outcome,
    }  # fmt: skip
    return PaymentView(**values | changes)


def exchange_with(path: Path, *payments: PaymentView) -> Exchange:
    """A switchboard whose table has these payments."""
    table = PaymentTable(path)
    for each in payments:
        table.put(each)
    _RUNNING.append(Exchange(payments=table))
    return _RUNNING[-1]


async def next_process(path: Path) -> Exchange:
    """The next process over the table there."""
    exchange = exchange_with(path)
    await exchange.board.resume_payments()
    return exchange


async def refund(exchange: Exchange, amount: int | None = None, **more: Any) -> PaymentView:
    return await exchange.board.follow_up("p-1", "refund", amount, "ann", **more)


async def answer(exchange: Exchange, outcome: FollowUpOutcome, number: int = -1) -> None:
    """The reconciler answers what it was handed."""
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    exchange.reconciler.handed[number][1].set_result(outcome)


async def outcomes(exchange: Exchange) -> list[FollowUpOutcome | None]:
    return [each.outcome for each in (await exchange.board.payment("p-1")).follow_ups]


async def decided(exchange: Exchange, outcome: FollowUpOutcome) -> PaymentView:
    """The payment, once the newest thing that was done about it has that outcome."""

    async def known() -> bool:
        return (await outcomes(exchange))[-1] == outcome

    await until(known, f"the outcome {outcome}")
    return await exchange.board.payment("p-1")


async def test_a_refund_is_on_disk_before_it_is_handed_over(path: Path) -> None:
    exchange = exchange_with(path, payment())
    view = await refund(exchange, 250)
    [begun] = view.follow_ups
    assert (begun.kind, begun.amount, begun.outcome, begun.by) == ("refund", 250, None, "ann")
    assert (view.captured, view.refunded) == (1250, 0)
    [stored] = sqlite3.connect(path).execute("SELECT key, payment, is_open FROM follow_ups").fetchall()
    assert stored == (begun.key, "p-1", 1)
    await answer(exchange, DONE)
    [(request, _)] = exchange.reconciler.handed
    assert (request.key, request.kind, request.amount, request.reference) == (
        begun.key, "refund", 250, "ch_1",
    )  # fmt: skip
    assert request.charge == ORDER.charge("p-1")
    assert request.is_partial
    after = await decided(exchange, DONE)
    assert (after.captured, after.refunded) == (1250, 250)
    assert after.follow_ups[0].decided_at is not None
    assert await exchange.board.payments("order-1", 5) == [after]


async def test_it_goes_to_the_provider_that_has_the_money_also_after_a_restart(path: Path) -> None:
    exchange = exchange_with(path, payment(Approved(reference="ch_1", provider="north")))
    exchange.reconciler.offers = {"north": frozenset({Operation.REFUND_PART})}
    with pytest.raises(NotOffered):
        await refund(exchange)
    await refund(exchange, 250)
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    await answer(exchange, GONE)
    later = await next_process(path)
    await ask(later)
    await until(lambda: later.reconciler.asked_for, "the question")
    assert exchange.reconciler.providers == later.reconciler.providers == ["north"]


async def test_nothing_is_sent_where_who_took_it_is_no_longer_configured(path: Path) -> None:
    exchange = exchange_with(path, payment(Approved(reference="ch_1", provider="north")))
    exchange.reconciler.offers = {"south": frozenset(Operation)}
    with pytest.raises(NotNow, match="taken by the provider north, which is no longer configured"):
        await refund(exchange)
    assert (await outcomes(exchange), exchange.reconciler.handed) == ([], [])


PARTS = frozenset({Operation.CHARGE, Operation.REFUND_PART})


@pytest.mark.parametrize(
    ("outcome", "offers", "offered", "left"),
    [
        (Approved(reference="r", provider="north"), {"north": PARTS}, (Operation.REFUND_PART,), 1250),
        (Approved(reference="r", provider="north"), {"north": frozenset({Operation.CHARGE})}, (), 0),
        (Approved(reference="r", provider="gone"), {"north": PARTS}, (), 0),
        (Approved(reference="r"), {"north": PARTS, "south": PARTS}, None, 1250),
        (Declined(reason="stolen"), {"north": PARTS}, None, 0),
    ],
    ids=["part", "nothing", "no longer configured", "nobody knows who took it", "declined"],
)
async def test_a_payment_says_what_its_provider_offers_wherever_it_is_read(
    path: Path,
    outcome: Outcome,
    offers: dict[str, frozenset[Operation]],
    offered: tuple[Operation, ...] | None,
    left: int,
) -> None:
    exchange = exchange_with(path, payment(outcome))
    exchange.reconciler.offers = offers
    board = exchange.board
    for view in (
        await board.payment("p-1"),
        *await board.payments("order-1", 5),
        *await board.payments_since(0.0, None, 5),
        *await board.reconcile(("p-1",)),
    ):
        assert (view.offers, view.left["refund"]) == (offered, left)


async def test_the_answer_to_a_refund_and_each_step_of_it_say_what_is_offered(path: Path) -> None:
    exchange = exchange_with(path, payment())
    exchange.reconciler.offered = frozenset({Operation.REFUND, Operation.REFUND_PART, Operation.CHARGE})
    follower = exchange.board.follow()
    name = RequestName(agent="ann", key="k", digest=b"d")
    first = await refund(exchange, 250, name=name)
    assert first.offers == (Operation.REFUND, Operation.REFUND_PART)
    again = await exchange.board.recall(name)
    assert again is not None
    assert msgspec.json.decode(again, type=PaymentView) == first, "the same request, the same answer"
    await answer(exchange, DONE)
    await decided(exchange, DONE)
    exchange.board._context.feed.close()
    views = [view async for view in follower if isinstance(view, PaymentView)]
    assert [view.offers for view in views] == [first.offers] * 2
    assert (await exchange.board.payment("p-1")).left == {"capture": 0, "void": 0, "refund": 1000}
    stored = PaymentTable(path).find("p-1")
    assert stored is not None
    assert stored.offers is None, "it is not of the record"


async def test_of_a_record_without_a_name_the_reconciler_decides_who_took_it(path: Path) -> None:
    exchange = exchange_with(path, payment())
    exchange.reconciler.offers = {"south": frozenset({Operation.CHARGE}), "north": frozenset(Operation)}
    await refund(exchange)
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    assert exchange.reconciler.providers == [""]


async def test_each_step_is_told_to_followers(path: Path) -> None:
    exchange = exchange_with(path, payment())
    follower = exchange.board.follow()
    await refund(exchange)
    await answer(exchange, DONE)
    await decided(exchange, DONE)
    exchange.board._context.feed.close()
    seen = [view.refunded async for view in follower if isinstance(view, PaymentView)]
    assert seen == [0, 1250]


async def test_without_an_amount_all_that_is_left_is_refunded(path: Path) -> None:
    exchange = exchange_with(path, payment())
    await refund(exchange, 250)
    with pytest.raises(NotNow, match="under way"):
        await refund(exchange)
    await answer(exchange, Accepted(reference="f"))
    await decided(exchange, Accepted(reference="f"))
    assert (await refund(exchange)).follow_ups[-1].amount == 1000
    await until(lambda: len(exchange.reconciler.handed) == 2, "the second request")
    await answer(exchange, DONE)
    await decided(exchange, DONE)
    with pytest.raises(NotNow, match="nothing left"):
        await refund(exchange)


async def test_of_two_requests_at_once_one_is_handed_over(path: Path) -> None:
    exchange = exchange_with(path, payment())
    both = await asyncio.gather(refund(exchange), refund(exchange), return_exceptions=True)
    assert sum(isinstance(each, PaymentView) for each in both) == 1
    assert sum(isinstance(each, NotNow) for each in both) == 1
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    assert len(exchange.reconciler.handed) == 1


async def test_all_of_a_payment_that_was_approved_in_part_is_that_part(path: Path) -> None:
    exchange = exchange_with(path, payment(PartiallyApproved(amount=400, reference="ch_1")))
    assert (await refund(exchange)).follow_ups[0].amount == 400
    await until(lambda: exchange.reconciler.handed, "the request to be handed over")
    assert not exchange.reconciler.handed[0][0].is_partial


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (payment(Declined(reason="declined")), "approved"),
        (payment(Unknown(reason="connection_lost")), "approved"),
        (payment(stage=CaptureStage.CHARGING, outcome=None), "not over"),
        (payment(stage=CaptureStage.ABORTED, outcome=None), "not over"),
    ],
)
async def test_only_what_was_approved_is_refunded(path: Path, found: PaymentView, words: str) -> None:
    exchange = exchange_with(path, found)
    with pytest.raises(NotNow, match=words):
        await refund(exchange)
    assert exchange.reconciler.handed == []


async def test_what_cannot_be_done_is_refused_and_not_noted(path: Path) -> None:
    exchange = exchange_with(path, payment())
    with pytest.raises(NoSuchPayment):
        await exchange.board.follow_up("p-2", "refund", None, "ann")
    exchange.reconciler.offered = frozenset({Operation.REFUND})
    with pytest.raises(NotOffered, match="whole amount only") as refused:
        await refund(exchange, 100)
    assert refused.value.field == "amount"
    with pytest.raises(NotOffered, match="voids nothing"):
        await exchange.board.follow_up("p-1", "void", None, "ann")
    exchange.reconciler.connected = False
    with pytest.raises(NotWell, match="Nothing was sent"):
        await refund(exchange)
    assert await outcomes(exchange) == []
    assert exchange.reconciler.handed == []


async def test_a_request_that_is_repeated_under_its_name_is_carried_out_once_also_by_the_next_process(
    path: Path,
) -> None:
    exchange = exchange_with(path, payment())
    name = RequestName(agent="ann", key="k-1", digest=b"refund")
    view = await refund(exchange, 250, name=name)
    later = await next_process(path)
    kept = await later.board.recall(name)
    assert kept is not None
    assert msgspec.json.decode(kept, type=PaymentView) == view
    with pytest.raises(KeyReused):
        await later.board.recall(RequestName(agent="ann", key="k-1", digest=b"another"))


async def test_a_request_that_was_refused_keeps_no_answer(path: Path) -> None:
    exchange = exchange_with(path, payment())
    name = RequestName(agent="ann", key="k-1", digest=b"refund")
    with pytest.raises(NotNow):
        await refund(exchange, 9999, name=name)
    assert await exchange.board.recall(name) is None


# --- outcomes that do not come by themselves ------------------------------------------------------


async def ask(exchange: Exchange) -> None:
    """The moment at which open requests are asked for."""
    exchange.passed += 1000
    exchange.board.ask_reconciler()


async def test_after_a_kill_the_next_process_asks_by_key_and_sends_nothing(path: Path) -> None:
    killed = exchange_with(path, payment())
    [begun] = (await refund(killed)).follow_ups
    exchange = await next_process(path)
    not_sent = Failed(reason="not_sent")
    exchange.reconciler.found[begun.key] = LaterResult(number=1, outcome=not_sent)
    with pytest.raises(NotNow, match="under way"):
        await refund(exchange)
    await ask(exchange)
    view = await decided(exchange, not_sent)
    [(key, handed_at)] = exchange.reconciler.asked_for
    assert key == begun.key
    assert handed_at is not None
    assert exchange.reconciler.handed == []
    assert view.refunded == 0
    await refund(exchange)


async def test_a_request_whose_reconciler_was_lost_stays_under_way_until_it_is_found(path: Path) -> None:
    exchange = exchange_with(path, payment())
    [begun] = (await refund(exchange)).follow_ups
    await answer(exchange, GONE)

    async def asked(times: int) -> bool:
        await ask(exchange)
        return len(exchange.reconciler.asked_for) >= times

    await until(lambda: asked(1), "a question while it is away")
    assert await outcomes(exchange) == [None]
    exchange.reconciler.found[begun.key] = LaterResult(number=1, outcome=None)
    await until(lambda: asked(3), "more questions, while it is under way there")
    assert await outcomes(exchange) == [None]
    exchange.reconciler.found[begun.key] = LaterResult(number=1, outcome=DONE)
    await until(lambda: asked(4), "the last question")
    await decided(exchange, DONE)
    assert len(exchange.reconciler.handed) == 1


async def test_one_that_never_reached_the_reconciler_failed(path: Path) -> None:
    exchange = exchange_with(path, payment())
    await refund(exchange)
    await answer(exchange, Failed(reason="reconciler_gone"))
    await decided(exchange, Failed(reason="reconciler_gone"))
    assert exchange.board.health()["open_follow_ups"] == 0


async def test_what_was_accepted_is_asked_for_until_the_provider_decides_it(path: Path) -> None:
    killed = exchange_with(path, payment())
    [begun] = (await refund(killed)).follow_ups
    await answer(killed, Accepted(reference="f-1"))
    await decided(killed, Accepted(reference="f-1"))
    exchange = await next_process(path)
    assert exchange.board.health()["open_follow_ups"] == 0, "it is in the provider's hands"
    declined = Declined(reason="declined")
    exchange.reconciler.found[begun.key] = LaterResult(number=1, outcome=declined, by="webhook")
    assert (await exchange.board.payment("p-1")).refunded == 1250
    await ask(exchange)
    view = await decided(exchange, declined)
    assert exchange.reconciler.asked_for == [(begun.key, None)], "it was answered, and is not closed"
    assert (view.refunded, view.follow_ups[0].decided_by) == (0, "webhook")


async def test_one_of_which_nobody_knows_is_counted_until_a_person_must_look(path: Path) -> None:
    exchange = exchange_with(path, payment())
    [begun] = (await refund(exchange, 1000)).follow_ups
    lost = Unknown(reason="connection_lost")
    await answer(exchange, lost)
    view = await decided(exchange, lost)
    assert view.refunded == 0
    assert exchange.board.health()["open_follow_ups"] == 1
    with pytest.raises(NotNow, match="more than is left"):
        await refund(exchange, 251)
    over = Unknown(reason="not_decided")
    exchange.reconciler.found[begun.key] = LaterResult(number=1, outcome=over)
    await ask(exchange)
    await decided(exchange, over)
    assert exchange.board.health()["open_follow_ups"] == 0
    assert (await next_process(path)).board.health()["open_follow_ups"] == 0


async def test_an_outcome_that_cannot_be_written_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = exchange_with(path, payment())
    await refund(exchange)
    tried = []
    before = PaymentTable.settle_follow_up

    def full(table: PaymentTable, *values: Any) -> PaymentView | None:
        tried.append(1)
        if len(tried) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return before(table, *values)

    monkeypatch.setattr(PaymentTable, "settle_follow_up", full)
    permit_error("payment_not_written")
    await answer(exchange, DONE)
    await decided(exchange, DONE)
    assert len(tried) == 2


async def test_they_are_deleted_with_their_payment(path: Path) -> None:
    exchange = exchange_with(path, payment())
    await refund(exchange)
    await exchange.board.prune_payments(4_000_000_000.0)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM follow_ups").fetchone() == (0,)


# --- lists, and asking now ------------------------------------------------------------------------


async def test_payments_are_listed_by_outcome_and_the_oldest_first(path: Path) -> None:
    def at(hour: int, payment_id: str, **changes: Any) -> PaymentView:
        return payment(id=payment_id, started_at=f"2026-11-30T{hour:02}:00:00.000+00:00", **changes)

    exchange = exchange_with(
        path, at(8, "p-1"), at(9, "p-2"), at(9, "p-3", outcome=Unknown(reason="timeout")), at(11, "p-4")
    )

    def ids(found: list[PaymentView]) -> list[str]:
        return [each.id for each in found]

    assert ids(await exchange.board.payments(None, 9)) == ["p-4", "p-3", "p-2", "p-1"]
    assert ids(await exchange.board.payments(None, 9, "unknown")) == ["p-3"]
    assert ids(await exchange.board.payments("order-1", 2, "approved")) == ["p-4", "p-2"]
    nine = datetime(2026, 11, 30, 9, tzinfo=UTC).timestamp()
    assert ids(await exchange.board.payments_since(nine, None, 2)) == ["p-2", "p-3"]
    assert ids(await exchange.board.payments_since(nine, "p-2", 9)) == ["p-3", "p-4"]
    exchange.passed = nine + 4 * 3600
    await refund(exchange)
    after = nine + 3 * 3600
    assert ids(await exchange.board.payments_since(after, None, 9)) == ["p-1"], "something was done about it"


async def test_unknown_payments_are_asked_about_when_a_person_wants_it(path: Path) -> None:
    lost = payment(Unknown(reason="connection_lost"))
    killed = exchange_with(path, lost, payment(id="p-2"))
    exchange = await next_process(path)
    del killed
    assert await exchange.board.reconcile(()) == [lost]
    assert exchange.reconciler.asked == [()], "all that it has"
    assert [each.id for each in await exchange.board.reconcile(("p-1", "p-2"))] == ["p-1", "p-2"]
    assert exchange.reconciler.asked[-1] == ("p-1",)
    with pytest.raises(NoSuchPayment):
        await exchange.board.reconcile(("p-9",))
    exchange.reconciler.connected = False
    with pytest.raises(NotWell):
        await exchange.board.reconcile(())
