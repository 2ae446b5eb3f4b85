"""Payment links: on disk before they are opened, one charge an order, and over when the provider
says so."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.link import LinkState, LinkView, Recipient
from b2bua.call.order import Order, RequestName, SavedCard
from b2bua.call.view import CaptureStage, NoSuchPayment, NotNow, NotOffered, NotWell, PaymentView, Repeated
from b2bua.notify.message import Message
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.link_service import LinkPolicy
from media.events import CaptureState
from provider_adapters.payment import (
    LINK_CLOSED,
    LINK_EXPIRED,
    Approved,
    Failed,
    Link,
    LinkOutcome,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.messages import GONE, Finding, Findings
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-2", amount=700, currency="EUR")
TO = Recipient(phone="+4930123456")
_RUNNING: list[Exchange] = []


class Service:
    """The company's own service, as a test plays it: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.refuses = ""

    async def send(self, message: Message, now: float) -> str:
        self.got.append(message)
        return self.refuses

    def said(self) -> list[tuple[str, Any]]:
        return [(each.kind, msgspec.json.decode(each.body)["data"]) for each in self.got]

    def kinds(self) -> list[str]:
        return [each.kind.removeprefix("payment_link.") for each in self.got]


@pytest.fixture(autouse=True)
async def killed_at_the_end() -> AsyncIterator[None]:
    """Every process of a test ends with it, whatever it still waits for."""
    yield
    for each in _RUNNING:
        await kill(each)
    _RUNNING.clear()


async def kill(exchange: Exchange) -> None:
    await exchange.board._context.payments._storage.tasks.cancel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.sqlite"


@pytest.fixture
def service() -> Service:
    return Service()


async def process(path: Path, service: Service | None = None, *payments: PaymentView) -> Exchange:
    """A switchboard whose table has these payments, too."""
    table = PaymentTable(path)
    for each in payments:
        table.put(each)
    policy = LinkPolicy(send=service.send if service else None)
    exchange = Exchange(payments=table, links=policy)
    _RUNNING.append(exchange)
    await exchange.board.resume_payments()
    return exchange


async def link(exchange: Exchange, order: Order = ORDER, **more: Any) -> PaymentView:
    return await exchange.board.open_link(order, "ann", **more)


async def answer(exchange: Exchange, outcome: LinkOutcome | None = None) -> Link:
    """The provider answers what it was to open: with an open link, unless it is something else."""
    await until(lambda: exchange.reconciler.opening, "the request to be handed over")
    request, future = exchange.reconciler.opening[-1]
    found = Link(url="https://pay.test/l-1", reference="l-1", expires_at=request.expires_at)
    future.set_result(outcome or found)
    return found


async def answer_closing(exchange: Exchange, outcome: Outcome) -> None:
    await until(lambda: exchange.reconciler.closing, "the link to be closed")
    exchange.reconciler.closing[-1][1].set_result(outcome)


async def state(exchange: Exchange, payment_id: str, wanted: str) -> PaymentView:
    """The payment, once its link has that state."""

    async def reached() -> PaymentView | None:
        view = await exchange.board.payment(payment_id)
        assert view.link is not None
        return view if view.link.state == wanted else None

    return await until(reached, f"the link to be {wanted}")  # type: ignore[no-any-return]


async def opened(exchange: Exchange, **more: Any) -> PaymentView:
    """A link that the provider has opened."""
    view = await link(exchange, **more)
    await answer(exchange)
    return await state(exchange, view.id, "open")


def find(exchange: Exchange, view: PaymentView, finding: Finding) -> None:
    exchange.board.on_findings(Findings(found={view.id: finding}))


async def ask(exchange: Exchange, view: PaymentView) -> None:
    """Until the reconciler is asked about the link."""

    def asked() -> bool:
        exchange.passed += 10
        exchange.board.ask_reconciler()
        return any(view.id in keys for keys in exchange.reconciler.asked)

    await until(asked, "the question")


def stored(path: Path, column: str = "stage") -> list[Any]:
    with sqlite3.connect(path) as database:
        return [each for (each,) in database.execute(f"SELECT {column} FROM payments")]


# --- from the request to the end ------------------------------------------------------------------


async def test_a_link_is_on_disk_before_it_is_opened_and_paid_in_the_end(path: Path) -> None:
    exchange = await process(path)
    view = await link(exchange)
    assert (view.call, view.stage, view.started_by) == ("", "linked", "ann")
    assert view.link is not None
    assert (view.link.state, view.link.url, view.link.provider) == ("opening", "", "")
    assert stored(path) == ["linked"]
    await answer(exchange)
    [(handed, _)] = exchange.reconciler.opening
    assert (handed.charge.idempotency_key, handed.charge.amount) == (view.id, 700)
    after = await state(exchange, view.id, "open")
    assert after.link is not None
    assert (after.link.url, after.link.reference) == ("https://pay.test/l-1", "l-1")
    assert after.stage == "linked"
    await ask(exchange, view)
    find(exchange, view, Finding(outcome=Approved(reference="ch_9"), by="webhook"))
    paid = await state(exchange, view.id, "paid")
    assert (paid.stage, paid.outcome, paid.captured) == ("finished", Approved(reference="ch_9"), 700)
    assert paid.left["refund"] == 700
    assert paid.settled_at is not None
    assert exchange.board.health()["open_links"] == 0
    assert exchange.records == []


async def test_an_open_link_says_nothing_new_until_there_is_something(path: Path) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    assert view.link is not None
    found = Link(url=view.link.url, reference="l-1", expires_at=0.0)
    for finding in (
        Finding(),
        Finding(link=found),
        Finding(next_at=1.0),
        Finding(outcome=Unknown(reason="x")),
    ):
        for _ in range(5):
            exchange.passed += 30
            find(exchange, view, finding)
            await asyncio.sleep(0)
    assert await exchange.board.payment(view.id) == view
    find(exchange, view, Finding(outcome=Failed(reason=LINK_EXPIRED), link=found))
    expired = await state(exchange, view.id, "expired")
    assert (expired.stage, expired.outcome) == ("finished", Failed(reason=LINK_EXPIRED))


@pytest.mark.parametrize(
    ("answered", "end", "outcome"),
    [
        (Failed(reason="request_refused"), "failed", Failed(reason="request_refused")),
        (Failed(reason=GONE), "failed", Failed(reason=GONE)),
        (Unknown(reason="amount_differs"), "failed", Unknown(reason="amount_differs")),
    ],
)
async def test_a_link_that_does_not_open_ends_its_payment(
    path: Path, answered: LinkOutcome, end: str, outcome: Outcome
) -> None:
    exchange = await process(path)
    view = await link(exchange)
    await answer(exchange, answered)
    after = await state(exchange, view.id, end)
    assert (after.stage, after.outcome) == ("finished", outcome)


async def test_it_belongs_to_its_call_and_outlives_it(path: Path) -> None:
    exchange = await process(path)
    call_id = exchange.up()
    exchange.board._entry(call_id).call.payment.charging = ChargeDefaults(statement="SHOP")
    view = await opened(exchange, call_id=call_id)
    assert (view.call, view.order.statement) == (call_id, "SHOP")
    exchange.board._queue_all(lambda call, now: call.shut_down(now))
    await until(lambda: exchange.records, "the call's record")
    find(exchange, view, Finding(outcome=Approved(reference="r")))
    await state(exchange, view.id, "paid")
    assert [each.captures for each in exchange.records] == [()]


# --- where it is opened ---------------------------------------------------------------------------


async def test_the_first_provider_of_the_route_that_offers_links_opens_it(path: Path) -> None:
    exchange = await process(path)
    charge, all_of_them = frozenset({Operation.CHARGE}), frozenset(Operation)
    exchange.reconciler.offers = {"north": charge, "south": all_of_them, "west": all_of_them}
    call_id = exchange.up()
    exchange.board._entry(call_id).call.payment.charging = ChargeDefaults(providers=("north", "west"))
    await link(exchange, call_id=call_id)
    await link(exchange, msgspec.structs.replace(ORDER, transaction_id="order-3"))
    await link(exchange, msgspec.structs.replace(ORDER, transaction_id="order-4"), provider="west")
    await until(lambda: len(exchange.reconciler.opening) == 3, "the links")
    assert exchange.reconciler.providers == ["west", "south", "west"]
    with pytest.raises(NotOffered, match="no payment provider of that name"):
        await link(exchange, provider="none")


async def test_what_no_provider_offers_is_refused_and_not_noted(path: Path) -> None:
    exchange = await process(path)
    call_id = exchange.up()
    exchange.reconciler.offers = {"north": frozenset({Operation.CHARGE}), "south": frozenset(Operation)}
    exchange.reconciler.offered = None
    exchange.board._entry(call_id).call.payment.charging = ChargeDefaults(providers=("north",))
    for more in ({"call_id": call_id}, {"provider": "north"}):
        with pytest.raises(NotOffered, match="no payment links") as refused:
            await link(exchange, **more)
        assert refused.value.field == "provider"
    with pytest.raises(NotOffered, match="charges or authorises"):
        await link(exchange, msgspec.structs.replace(ORDER, operation="verify", amount=0))
    exchange.reconciler.offers = {"north": frozenset({Operation.CHARGE, Operation.LINK})}
    with pytest.raises(NotOffered, match="authorise"):
        await link(exchange, msgspec.structs.replace(ORDER, operation="authorise"))
    with pytest.raises(NotOffered, match="saves no cards"):
        await link(exchange, msgspec.structs.replace(ORDER, token_type="reusable"))
    assert exchange.board.links().offered is True
    exchange.reconciler.offers = {}
    assert exchange.board.links().offered is None
    with pytest.raises(NotWell, match="not known yet"):
        await link(exchange)
    exchange.reconciler.connected = False
    with pytest.raises(NotWell, match="Nothing was sent"):
        await link(exchange)
    assert stored(path) == []


async def test_a_recipient_is_refused_where_no_service_would_send_to_it(path: Path) -> None:
    exchange = await process(path)
    with pytest.raises(NotOffered, match="webhook_url") as refused:
        await link(exchange, to=TO)
    assert refused.value.field == "to"
    assert not exchange.board.links().hand_over
    assert (await link(exchange)).link is not None


# --- one charge an order --------------------------------------------------------------------------


async def test_while_a_link_is_open_nothing_else_charges_its_order(path: Path) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    for repeat in (False, True):
        with pytest.raises(Repeated, match="Close the link first") as refused:
            await link(exchange, allow_repeat=repeat)
        assert [each.id for each in refused.value.payments] == [view.id]
        with pytest.raises(Repeated, match="Close the link first"):
            await exchange.board.charge_saved(ORDER, SavedCard(token="t"), "ann", allow_repeat=repeat)
    with pytest.raises(Repeated, match="Close the link first"):
        await exchange.board.start_capture(exchange.up(), ORDER, "ann")


async def test_a_card_that_was_keyed_before_the_link_was_opened_is_not_charged(path: Path) -> None:
    exchange = await process(path)
    call_id = exchange.up()
    await exchange.board.start_capture(call_id, ORDER, "ann")
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await opened(exchange)
    for repeat in (False, True):
        with pytest.raises(Repeated, match="Close the link first"):
            await exchange.board.submit_capture(call_id, "ann", allow_repeat=repeat)


async def test_an_order_that_was_or_may_have_been_charged_gets_a_link_only_expressly(path: Path) -> None:
    paid = PaymentView(
        id="p-1", stage=CaptureStage.FINISHED, order=ORDER, outcome=Unknown(reason="connection_lost"),
        started_at="2026-11-30T10:00:00.000+00:00", settled_at="2026-11-30T10:00:09.000+00:00",
    )  # fmt: skip
    exchange = await process(path, None, paid)
    with pytest.raises(Repeated, match="not known"):
        await link(exchange)
    again = await link(exchange, allow_repeat=True)
    assert again.repeats == ("p-1",)


async def test_of_two_links_at_once_one_is_opened(path: Path) -> None:
    exchange = await process(path)
    both = await asyncio.gather(link(exchange), link(exchange), return_exceptions=True)
    assert sorted(type(each).__name__ for each in both) == ["PaymentView", "Repeated"]


async def test_while_a_card_is_keyed_in_the_call_no_link_is_opened_there(path: Path) -> None:
    exchange = await process(path)
    call_id = exchange.up()
    await exchange.board.start_capture(call_id, ORDER, "ann")
    with pytest.raises(NotNow, match="Cancel it first"):
        await link(exchange, call_id=call_id)
    await exchange.board.cancel_capture(call_id, "ann")
    assert (await link(exchange, call_id=call_id)).call == call_id


async def test_its_answer_is_kept_under_its_name_before_it_is_sent(path: Path) -> None:
    exchange = await process(path)
    name = RequestName(agent="ann", key="k", digest=b"d")
    view = await link(exchange, name=name)
    assert await (await process(path)).board.recall(name) == msgspec.json.encode(view)


# --- closing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "end"),
    [
        (Failed(reason=LINK_CLOSED), "closed"),
        (Failed(reason=LINK_EXPIRED), "expired"),
        (Approved(reference="paid meanwhile"), "paid"),
    ],
)
async def test_a_link_is_over_when_the_provider_says_so(path: Path, said: Outcome, end: str) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    closing = await exchange.board.close_link(view.id, "ben")
    assert closing.link is not None
    assert (closing.link.state, closing.stage) == ("closing", "linked")
    with pytest.raises(Repeated):
        await link(exchange)
    await answer_closing(exchange, said)
    after = await state(exchange, view.id, end)
    assert after.outcome == said
    with pytest.raises(NotNow, match="over"):
        await exchange.board.close_link(view.id, "ben")
    assert [key for key, _ in exchange.reconciler.closing] == [view.id]
    if end != "paid":
        await link(exchange)


@pytest.mark.parametrize(
    "said",
    [Unknown(reason="timeout"), Unknown(reason=GONE), Failed(reason=GONE), Failed(reason="circuit_open")],
)
async def test_what_the_provider_does_not_say_is_asked_again(path: Path, said: Outcome) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    await exchange.board.close_link(view.id, "ann")
    await answer_closing(exchange, said)

    def closing_again() -> bool:
        exchange.passed += 10
        exchange.board.ask_reconciler()
        return len(exchange.reconciler.closing) == 2

    await until(closing_again, "another request")
    await state(exchange, view.id, "closing")
    find(exchange, view, Finding(outcome=Approved(reference="r")))
    await answer_closing(exchange, Failed(reason=LINK_CLOSED))
    await state(exchange, view.id, "closed")


async def test_a_link_that_is_closed_before_it_opened_is_closed_when_it_has(
    path: Path, service: Service
) -> None:
    exchange = await process(path, service)
    view = await link(exchange, to=TO)
    assert (await exchange.board.close_link(view.id, "ann")).link.state == "closing"  # type: ignore[union-attr]
    assert exchange.reconciler.closing == []
    await answer(exchange)
    await answer_closing(exchange, Failed(reason=LINK_CLOSED))
    await state(exchange, view.id, "closed")
    assert service.got == [], "it was never sent to the customer"


async def test_what_has_no_link_cannot_be_closed(path: Path) -> None:
    charged = PaymentView(
        id="p-1", stage=CaptureStage.FINISHED, order=ORDER, started_at="2026-11-30T10:00:00.000+00:00"
    )
    exchange = await process(path, None, charged)
    with pytest.raises(NotNow, match="no link"):
        await exchange.board.close_link("p-1", "ann")
    with pytest.raises(NoSuchPayment):
        await exchange.board.close_link("p-9", "ann")
    exchange.reconciler.connected = False
    with pytest.raises(NotWell):
        await exchange.board.close_link("p-1", "ann")


# --- whatever dies meanwhile ----------------------------------------------------------------------


async def test_after_a_kill_the_link_is_found_again(path: Path, service: Service) -> None:
    killed = await process(path, service)
    view = await link(killed, to=TO)
    await kill(killed)
    exchange = await process(path, service)
    await ask(exchange, view)
    found = Link(url="https://pay.test/l-1", reference="l-1", expires_at=2e9)
    find(exchange, view, Finding(next_at=1.0, link=found))
    after = await state(exchange, view.id, "open")
    assert after.link is not None
    assert after.link.url == found.url
    assert after.link.expires_at == "2033-05-18T03:33:20.000+00:00"
    assert exchange.reconciler.opening == [], "it is not opened again"
    await until(lambda: service.got, "the hand-over")
    [(kind, data)] = service.said()
    assert (kind, data["to"]["phone"]) == ("payment_link.opened", TO.phone)


async def test_after_a_kill_one_that_was_paid_meanwhile_is_paid(path: Path, service: Service) -> None:
    killed = await process(path, service)
    view = await link(killed)
    await kill(killed)
    exchange = await process(path, service)
    found = Link(url="https://pay.test/l-1", reference="l-1", expires_at=2e9)
    find(exchange, view, Finding(outcome=Approved(reference="r"), link=found))
    after = await state(exchange, view.id, "paid")
    assert after.link is not None
    assert after.link.url == found.url
    await until(lambda: service.got, "the message")
    assert service.kinds() == ["paid"]


async def test_one_that_the_reconciler_never_got_fails_as_not_sent(path: Path) -> None:
    killed = await process(path)
    view = await link(killed)
    await kill(killed)
    exchange = await process(path)
    find(exchange, view, Finding())
    find(exchange, view, Finding())
    find(exchange, view, Finding())
    assert (await exchange.board.payment(view.id)).stage == "linked", "it may read the request just now"
    exchange.passed += 6
    find(exchange, view, Finding())
    after = await state(exchange, view.id, "failed")
    assert after.outcome == Failed(reason="not_sent")
    await link(exchange)


async def test_an_opening_without_an_answer_is_repeated_under_its_key(path: Path) -> None:
    exchange = await process(path)
    view = await link(exchange)
    await answer(exchange, Unknown(reason="timeout"))

    def again() -> bool:
        exchange.passed += 2
        exchange.board.ask_reconciler()
        return len(exchange.reconciler.opening) == 2

    await until(again, "another request")
    first, second = (request for request, _ in exchange.reconciler.opening)
    assert first == second
    await answer(exchange)
    await state(exchange, view.id, "open")


async def test_one_that_does_not_open_is_closed_in_the_end(path: Path) -> None:
    exchange = await process(path)
    view = await link(exchange)
    await answer(exchange, Unknown(reason="timeout"))
    exchange.passed += 601

    def closing() -> bool:
        exchange.board.ask_reconciler()
        return bool(exchange.reconciler.closing)

    await until(closing, "the link to be closed")
    await answer_closing(exchange, Failed(reason=LINK_CLOSED))
    await state(exchange, view.id, "closed")


async def test_one_that_the_reconciler_has_is_waited_for(path: Path) -> None:
    killed = await process(path)
    view = await link(killed)
    await kill(killed)
    exchange = await process(path)
    find(exchange, view, Finding(next_at=1.0))
    for _ in range(5):
        exchange.passed += 60
        find(exchange, view, Finding())
    await asyncio.sleep(0)
    assert (await exchange.board.payment(view.id)).stage == "linked"
    find(exchange, view, Finding(outcome=Failed(reason="no_such_charge")))
    assert (await state(exchange, view.id, "failed")).outcome == Failed(reason="no_such_charge")


async def test_where_the_reconciler_was_lost_it_is_asked_for(path: Path) -> None:
    exchange = await process(path)
    view = await link(exchange)
    await answer(exchange, Unknown(reason=GONE))
    await ask(exchange, view)
    found = Link(url="https://pay.test/l-1", reference="l-1", expires_at=2e9)
    find(exchange, view, Finding(link=found))
    await state(exchange, view.id, "open")


async def test_a_closing_goes_on_after_a_kill(path: Path) -> None:
    killed = await process(path)
    view = await opened(killed)
    await killed.board.close_link(view.id, "ann")
    await until(lambda: killed.reconciler.closing, "the request")
    await kill(killed)
    exchange = await process(path)
    exchange.board.ask_reconciler()
    await answer_closing(exchange, Failed(reason=LINK_CLOSED))
    await state(exchange, view.id, "closed")


async def test_a_step_that_cannot_be_written_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    table = exchange.board._context.payments._storage.table.links
    whole, faults = table.change, [sqlite3.OperationalError("disk I/O error")]

    def change(*values: Any) -> Any:
        if faults:
            raise faults.pop()
        return whole(*values)

    monkeypatch.setattr(table, "change", change)
    monkeypatch.setattr("b2bua.switchboard.links._FIRST_RETRY", 0.01)
    find(exchange, view, Finding(outcome=Approved(reference="r")))
    assert (await state(exchange, view.id, "paid")).captured == 700


async def test_one_of_which_nobody_ever_says_anything_is_not_followed_for_ever(path: Path) -> None:
    exchange = await process(path)
    view = await opened(exchange, expires_in=300.0)
    exchange.passed += 300 + 7 * 86_400 + 1
    find(exchange, view, Finding(next_at=1.0))
    after = await state(exchange, view.id, "failed")
    assert after.outcome == Unknown(reason="outcome_not_found")
    with pytest.raises(Repeated):
        await link(exchange)


# --- the company's own service --------------------------------------------------------------------


async def test_the_service_is_told_of_the_link_and_of_its_end(path: Path, service: Service) -> None:
    exchange = await process(path, service)
    view = await opened(exchange, to=Recipient(phone="+4930123456", email="a@b.test"))
    await until(lambda: service.got, "the hand-over")
    kind, data = service.said()[0]
    assert kind == "payment_link.opened"
    assert (data["id"], data["order"]["transaction_id"], data["link"]["url"]) == (
        view.id, "order-2", "https://pay.test/l-1",
    )  # fmt: skip
    assert data["to"] == {"phone": "+4930123456", "email": "a@b.test"}
    assert "outcome" not in data

    async def taken() -> bool:
        link = (await exchange.board.payment(view.id)).link
        assert link is not None
        assert link.hand_over is not None
        return link.hand_over.state == "delivered"

    await until(taken, "the hand-over to be shown")
    find(exchange, view, Finding(outcome=Approved(reference="r", token="tok_secret")))
    await state(exchange, view.id, "paid")
    await until(lambda: len(service.got) == 2, "the end")
    kind, data = service.said()[1]
    assert (kind, data["outcome"]) == ("payment_link.paid", {"type": "approved", "reference": "r"})
    assert data["to"]["phone"] == "+4930123456"
    assert b"tok_secret" not in service.got[1].body
    await until(taken, "the end to be shown")
    await exchange.board.settle(0)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    assert sqlite3.connect(path).execute("SELECT recipient FROM links").fetchone() == ("{}",)


async def test_what_was_not_taken_is_sent_again_after_a_restart_and_in_order(
    path: Path, service: Service
) -> None:
    service.refuses = "http_503"
    killed = await process(path, service)
    view = await opened(killed, to=TO)
    await until(lambda: service.got, "the first attempt")

    async def failing() -> bool:
        link = (await killed.board.payment(view.id)).link
        return link is not None and link.hand_over is not None and link.hand_over.state == "failing"

    await until(failing, "the failure to be shown")
    await kill(killed)
    first = service.got[0].id
    service.got.clear()
    exchange = await process(path, service)
    assert exchange.board.health()["waiting_webhooks"] == 1
    exchange.passed += 120
    exchange.board.ask_reconciler()
    await until(lambda: service.got, "another attempt")
    assert service.got[0].id == first
    assert [each.what for each in exchange.board.faults() if each.what == "links"] == ["links"]
    service.refuses = ""

    def done() -> bool:
        exchange.passed += 400
        exchange.board.ask_reconciler()
        return exchange.board.health()["waiting_webhooks"] == 0

    await until(done, "the service to take it")
    assert [each.what for each in exchange.board.faults() if each.what == "links"] == []


async def test_the_address_of_a_link_that_is_over_is_not_sent_any_more(path: Path, service: Service) -> None:
    service.refuses = "unreachable"
    exchange = await process(path, service)
    view = await opened(exchange, to=TO)
    await until(lambda: service.got, "the first attempt")
    await exchange.board.close_link(view.id, "ann")
    await answer_closing(exchange, Failed(reason=LINK_CLOSED))
    await state(exchange, view.id, "closed")
    service.got.clear()
    service.refuses = ""

    def done() -> bool:
        exchange.passed += 400
        exchange.board.ask_reconciler()
        return exchange.board.health()["waiting_webhooks"] == 0

    await until(done, "the end to be taken")
    assert service.kinds() == ["closed"]


async def test_a_link_is_shown_by_its_table_alone(path: Path) -> None:
    exchange = await process(path)
    view = await opened(exchange)
    [listed] = await exchange.board.payments("order-2", 5)
    assert listed == view
    assert isinstance(listed.link, LinkView)
    assert listed.link.state is LinkState.OPEN
