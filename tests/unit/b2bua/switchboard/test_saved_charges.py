"""Charges of saved cards: a payment without a call, on disk before it is handed over, and once an
order."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.order import Order, RequestName, SavedCard
from b2bua.call.view import CaptureStage, NoSuchPayment, NotNow, NotOffered, NotWell, PaymentView, Repeated
from b2bua.records.payments import PaymentTable
from media.events import ChargeResolved, ResolveCharge
from provider_adapters.payment import Approved, Declined, Operation, Outcome, Unknown
from provider_adapters.reconciler.messages import Finding, Findings, WebhookRefusal
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-2", amount=700, currency="EUR")
PAID = PaymentView(
    id="p-1", call="c-1", stage=CaptureStage.FINISHED, brand="visa", last_four="1111",
    order=Order(transaction_id="order-1", amount=1250, currency="EUR", merchant_account="North"),
    outcome=Approved(reference="ch_1", token="tok_1", provider="north"),
    started_at="2026-11-30T10:00:00.000+00:00", settled_at="2026-11-30T10:00:09.000+00:00",
)  # fmt: skip
CARD = SavedCard(saved_from="p-1")
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


async def process(
    path: Path, *payments: PaymentView, groups: dict[str, ChargeDefaults] | None = None
) -> Exchange:
    """A switchboard whose table has these payments, too."""
    table = PaymentTable(path)
    for each in payments:
        table.put(each)
    exchange = Exchange(payments=table, agent_charging=groups)
    _RUNNING.append(exchange)
    await exchange.board.resume_payments()
    return exchange


def stored(path: Path) -> bytes:
    """Everything that is on disk."""
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


async def charge(
    exchange: Exchange, order: Order = ORDER, card: SavedCard = CARD, **more: Any
) -> PaymentView:
    return await exchange.board.charge_saved(order, card, "ann", **more)


async def answer(exchange: Exchange, outcome: Outcome) -> None:
    """The reconciler answers what it was handed."""
    await until(lambda: exchange.reconciler.saved, "the request to be handed over")
    exchange.reconciler.saved[-1][2].set_result(outcome)


async def settled(exchange: Exchange, payment_id: str) -> PaymentView:
    async def over() -> PaymentView | None:
        view = await exchange.board.payment(payment_id)
        return view if view.settled_at else None

    return await until(over, "the end of the payment")  # type: ignore[no-any-return]


async def test_it_is_a_payment_of_its_own_on_disk_before_it_is_handed_over(path: Path) -> None:
    exchange = await process(path, PAID)
    view = await charge(exchange)
    assert (view.call, view.stage, view.saved_from, view.started_by) == ("", "charging", "p-1", "ann")
    assert (view.brand, view.last_four) == ("visa", "1111")
    assert sqlite3.connect(path).execute(
        "SELECT stage FROM payments WHERE id = ?", (view.id,)
    ).fetchall() == [("charging",)]
    await answer(exchange, Approved(reference="ch_2"))
    [(handed, token, _)] = exchange.reconciler.saved
    assert (handed.idempotency_key, handed.amount, token) == (view.id, 700, "tok_1")
    assert (handed.customer, handed.merchant_account) == ("order-1", "North"), "for whom it was saved"
    assert exchange.reconciler.providers == ["north"]
    after = await settled(exchange, view.id)
    assert (after.outcome, after.captured) == (Approved(reference="ch_2"), 700)
    assert [each.id for each in await exchange.board.payments("order-2", 5)] == [view.id]
    assert exchange.records == []


async def test_it_is_counted_once_whatever_becomes_of_it(path: Path) -> None:
    exchange = await process(path, PAID)
    view = await charge(exchange)
    await answer(exchange, Unknown(reason="no_answer_in_time"))
    await settled(exchange, view.id)
    await until(lambda: exchange.board.tallies().saved == {"unknown": 1}, "the count")
    exchange.board.on_findings(Findings(found={view.id: Finding(outcome=Approved(reference="ch_2"))}))

    async def found() -> bool:
        return isinstance((await exchange.board.payment(view.id)).outcome, Approved)

    await until(found, "the outcome")
    assert exchange.board.tallies().saved == {"unknown": 1}


async def test_what_the_reconciler_says_of_refused_webhooks_is_counted(path: Path) -> None:
    exchange = await process(path)
    refused = {"north": {WebhookRefusal.STALE: 2}}
    exchange.board.on_findings(Findings(refused=refused))
    assert exchange.board.tallies().refused_webhooks == refused
    assert exchange.board.health()["refused_webhooks"] == 2


async def test_a_token_of_elsewhere_goes_to_the_provider_that_is_named(path: Path) -> None:
    exchange = await process(path)
    view = await charge(exchange, card=SavedCard(token="tok_9", provider="south"))
    await answer(exchange, Declined(reason="declined"))
    assert exchange.reconciler.saved[0][1] == "tok_9"
    assert exchange.reconciler.providers == ["south"]
    assert (await settled(exchange, view.id)).outcome == Declined(reason="declined")
    assert b"tok_9" not in stored(path)


@pytest.mark.parametrize("merchant", ["", "Hats"])
async def test_the_agent_s_group_completes_an_order_of_a_saved_card(path: Path, merchant: str) -> None:
    group = ChargeDefaults(merchant_account="Boots", statement="BOOTS", metadata={"desk": "7"})
    exchange = await process(path, PAID, groups={"ann": group})
    order = msgspec.structs.replace(ORDER, merchant_account=merchant)
    await charge(exchange, order)
    await charge(exchange, msgspec.structs.replace(order, transaction_id="order-3"), SavedCard(token="tok_9"))
    await until(lambda: len(exchange.reconciler.saved) == 2, "both requests")
    first, second = (each[0] for each in exchange.reconciler.saved)
    assert first.merchant_account == (merchant or "North"), "others may not know the card"
    assert second.merchant_account == (merchant or "Boots")
    assert {(each.statement, each.metadata["desk"]) for each in (first, second)} == {("BOOTS", "7")}


async def test_a_card_is_charged_by_who_saved_it_or_by_nobody(path: Path) -> None:
    exchange = await process(path, PAID)
    exchange.reconciler.offers = {"south": frozenset(Operation)}
    with pytest.raises(NotNow, match="taken by the provider north, which is no longer configured"):
        await charge(exchange)
    with pytest.raises(NotOffered) as refused:
        await charge(exchange, card=SavedCard(token="tok_9", provider="north"))
    assert refused.value.field == "provider"
    assert await exchange.board.payments("order-2", 5) == []
    assert exchange.reconciler.saved == []


async def test_the_reconciler_hears_which_payment_saved_a_card(path: Path) -> None:
    unnamed = msgspec.structs.replace(PAID, outcome=Approved(reference="ch_1", token="tok_1"))
    exchange = await process(path, unnamed)
    await charge(exchange)
    await until(lambda: exchange.reconciler.saved, "the request to be handed over")
    assert (exchange.reconciler.providers, exchange.reconciler.saved_from) == ([""], ["p-1"])


async def test_an_order_is_charged_once_unless_it_is_repeated(path: Path) -> None:
    exchange = await process(path, PAID)
    first = await charge(exchange)
    for repeat in (False, True):
        with pytest.raises(Repeated) as refused:
            await charge(exchange, allow_repeat=repeat)
        assert [each.id for each in refused.value.payments] == [first.id], "it is being charged"
    await answer(exchange, Approved(reference="r"))
    await settled(exchange, first.id)
    with pytest.raises(Repeated):
        await charge(exchange)
    again = await charge(exchange, allow_repeat=True)
    assert again.repeats == (first.id,)
    with pytest.raises(Repeated):
        await exchange.board.start_capture(exchange.up(), ORDER, "ann")


async def test_of_two_at_once_one_is_charged(path: Path) -> None:
    exchange = await process(path, PAID)
    both = await asyncio.gather(charge(exchange), charge(exchange), return_exceptions=True)
    assert sorted(type(each).__name__ for each in both) == ["PaymentView", "Repeated"]
    await until(lambda: exchange.reconciler.saved, "the request")
    assert len(exchange.reconciler.saved) == 1


async def test_what_cannot_be_charged_is_refused_and_not_noted(path: Path) -> None:
    exchange = await process(path, msgspec.structs.replace(PAID, outcome=Approved(reference="r")))
    with pytest.raises(NotNow, match="No card was saved"):
        await charge(exchange)
    with pytest.raises(NoSuchPayment):
        await charge(exchange, card=SavedCard(saved_from="p-9"))
    order = msgspec.structs.replace(ORDER, operation="verify", amount=0)
    with pytest.raises(NotOffered, match="charged or authorised"):
        await charge(exchange, order, SavedCard(token="tok"))
    exchange.reconciler.offered = frozenset({Operation.CHARGE})
    with pytest.raises(NotOffered) as refused:
        await charge(exchange, card=SavedCard(token="tok"))
    assert refused.value.field == "token"
    exchange.reconciler.connected = False
    with pytest.raises(NotWell, match="Nothing was sent"):
        await charge(exchange, card=SavedCard(token="tok"))
    assert await exchange.board.payments("order-2", 5) == []


async def test_its_answer_is_kept_under_its_name_before_it_is_sent(path: Path) -> None:
    exchange = await process(path, PAID)
    name = RequestName(agent="ann", key="k", digest=b"d")
    view = await charge(exchange, name=name)
    kept = await (await process(path)).board.recall(name)
    assert kept == msgspec.json.encode(view)


# --- outcomes that do not come by themselves ------------------------------------------------------


async def test_after_a_kill_the_journal_says_what_became_of_it(path: Path) -> None:
    killed = await process(path, PAID)
    view = await charge(killed)
    exchange = await process(path)
    exchange.board.on_media_state(True)
    [asked] = [each for each in exchange.wire.commands if isinstance(each, ResolveCharge)]
    assert (asked.charge.idempotency_key, asked.charge.amount) == (view.id, 700)
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    assert (await settled(exchange, view.id)).outcome == Approved(reference="r")
    assert exchange.reconciler.saved == []
    assert exchange.records == []


async def test_where_the_reconciler_was_lost_the_journal_is_asked(path: Path) -> None:
    exchange = await process(path, PAID)
    view = await charge(exchange)
    await answer(exchange, Unknown(reason="reconciler_gone"))

    def asked() -> list[ResolveCharge]:
        exchange.board.count()
        return [each for each in exchange.wire.commands if isinstance(each, ResolveCharge)]

    [question, *_] = await until(asked, "the question")
    assert (await exchange.board.payment(view.id)).stage is CaptureStage.CHARGING
    exchange.board.on_media_answer(question, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    assert (await settled(exchange, view.id)).outcome == Approved(reference="r")


async def test_one_that_is_unknown_is_reconciled_as_any_other(path: Path) -> None:
    exchange = await process(path, PAID)
    view = await charge(exchange)
    await answer(exchange, Unknown(reason="connection_lost"))
    await settled(exchange, view.id)

    def followed() -> bool:
        exchange.passed += 60
        exchange.board.ask_reconciler()
        return (view.id,) in exchange.reconciler.asked

    await until(followed, "the question")
    exchange.board.on_findings(Findings(found={view.id: Finding(outcome=Approved(reference="r"))}))

    async def decided() -> bool:
        return (await exchange.board.payment(view.id)).decided_at is not None

    await until(decided, "the outcome that was found")
    assert (await exchange.board.payment(view.id)).outcome == Approved(reference="r")
