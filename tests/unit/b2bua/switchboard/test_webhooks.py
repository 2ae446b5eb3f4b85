"""Events of payments: what they say, on disk with what they report, in order, tried until they are
accepted, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.call.order import Order, SavedCard
from b2bua.call.prepared import FindBy
from b2bua.call.webhook_kinds import KINDS
from b2bua.notify.endpoint import Endpoint
from b2bua.records.payments import PaymentTable
from b2bua.records.webhooks import KEPT, LIFE, Event, WebhookTable
from b2bua.switchboard.webhooks import Behind, NoSuchDelivery, Webhooks
from media.events import CaptureState, Field, FieldProgress
from provider_adapters.payment import Approved, Declined, Link, Outcome
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tests.unit.b2bua.switchboard.played_services import Service

ORDER = Order(transaction_id="order-2", amount=700, currency="EUR")
COMPLETE = (FieldProgress(field=Field.CARD_NUMBER, count=16, complete=True),)


class Process:
    """A b2bua with its services, until it is killed. `now`: what its clock says."""

    def __init__(self, path: Path, *services: Service, kinds: frozenset[str] = frozenset(KINDS)) -> None:
        table = PaymentTable(path)
        self.exchange = Exchange(payments=table)
        self.now = 1.8e9
        endpoints = [Endpoint(f"crm-{place}", each, kinds) for place, each in enumerate(services)]
        self.webhooks = Webhooks(path, endpoints, "urn:tonewall:test", lambda: self.now, lambda: 1.0)
        self.webhooks.observing(table)
        self.running = asyncio.create_task(self.webhooks.run())

    async def kill(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.webhooks.close()
        await self.exchange.board._context.payments._storage.tasks.cancel()

    async def charge(self, outcome: Outcome, order: Order = ORDER) -> str:
        board, reconciler = self.exchange.board, self.exchange.reconciler
        count = len(reconciler.saved)
        payment = await board.charge_saved(order, SavedCard(token="sesame"), "ann")
        await until(lambda: len(reconciler.saved) > count, "the request")
        reconciler.saved[-1][2].set_result(outcome)
        return payment.id

    async def passes(self, seconds: float) -> None:
        self.now += seconds
        await self.webhooks.look()


@contextlib.asynccontextmanager
async def process(path: Path, *services: Service, **options: Any) -> AsyncIterator[Process]:
    made = Process(path, *services, **options)
    await made.exchange.board.resume_payments()
    try:
        yield made
    finally:
        await made.kill()


async def got(service: Service, *kinds: str) -> None:
    await until(lambda: service.kinds() == list(kinds), f"{kinds}, not {service.kinds()}", 10.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.sqlite"


async def test_an_event_is_a_cloud_event_with_the_payment_and_without_its_secrets(path: Path) -> None:
    crm = Service()
    async with process(path, crm) as made:
        call = made.exchange.up()
        begun = (await made.exchange.board.start_capture(call, ORDER, "ann")).capture
        assert begun is not None
        made.exchange.tell(call, CaptureState.COLLECTING)
        made.exchange.tell(call, CaptureState.READY, fields=COMPLETE, brand="visa", last_four="1111")
        await made.exchange.board.submit_capture(call, "ann")
        outcome = Approved(reference="pay_1", token="tok_secret")
        made.exchange.tell(
            call, CaptureState.FINISHED, outcome=outcome, brand="visa", last_four="1111", fields=COMPLETE
        )
        await got(crm, "started", "charged")
        payment = await made.exchange.board.payment(begun.id)
    event = crm.said()[1]
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": crm.got[1].id,
        "source": "urn:tonewall:test",
        "type": "tonewall.payment.charged",
        "time": "2027-01-15T08:00:00.000+00:00",
        "subject": payment.id,
        "datacontenttype": "application/json",
    }
    wanted = msgspec.json.decode(msgspec.json.encode(payment))
    del wanted["outcome"]["token"], wanted["offers"], wanted["left"]
    assert data == wanted
    assert (data["last_four"], data["call"], data["outcome"]["reference"]) == ("1111", call, "pay_1")
    assert b"tok_secret" not in crm.got[1].body


async def test_no_number_of_a_caller_and_no_url_of_a_link_is_in_an_event(path: Path) -> None:
    crm = Service()
    async with process(path, crm) as made:
        board, reconciler = made.exchange.board, made.exchange.reconciler
        prepared = await board.prepare_payment(ORDER, FindBy(caller="+4930123456", code="77"), "ann")
        await board.cancel_prepared(prepared.id, "ann")
        await board.open_link(ORDER, "ann")
        await until(lambda: reconciler.opening, "the request")
        request, answer = reconciler.opening[-1]
        answer.set_result(Link(url="https://pay.test/1", reference="l-1", expires_at=request.expires_at))
        await until(lambda: len(crm.got) >= 3, "the events")
    assert sorted(crm.kinds()) == ["cancelled", "linked", "prepared"]
    assert all(b"4930123456" not in each.body and b"pay.test" not in each.body for each in crm.got)


async def test_a_refund_is_an_event_with_its_key(path: Path) -> None:
    crm = Service()
    async with process(path, crm) as made:
        board = made.exchange.board
        payment = await made.charge(Approved(reference="r-1", provider="provider"))
        await got(crm, "started", "charged")
        view = await board.follow_up(payment, "refund", 200, "ann")
        await until(lambda: made.exchange.reconciler.handed, "the request")
        made.exchange.reconciler.handed[0][1].set_result(Approved(reference="r-2"))
        await got(crm, "started", "charged", "refunded")
    assert crm.said()[2]["followup"] == view.follow_ups[0].key
    assert crm.said()[2]["data"]["refunded"] == 200


async def test_what_nobody_wants_is_not_written(path: Path) -> None:
    crm = Service()
    async with process(path, crm, kinds=frozenset({"payment.declined"})) as made:
        await made.charge(Approved(reference="r"), msgspec.structs.replace(ORDER, transaction_id="o"))
        await made.charge(Declined(reason="do_not_honour"))
        await got(crm, "declined")
        assert len(await made.webhooks.deliveries(10, None, None, None, None)) == 1


async def test_a_killed_process_leaves_its_events_and_the_next_sends_them_under_their_ids(path: Path) -> None:
    crm, later = Service(), Service()
    crm.held = asyncio.Event()
    async with process(path, crm) as made:
        await made.charge(Declined(reason="do_not_honour"))
        await until(lambda: crm.got, "the attempt")
        count = "SELECT count(*) FROM webhook_events"
        await until(lambda: sqlite3.connect(path).execute(count).fetchone()[0] == 2, "both on disk")
    async with process(path, later):
        await got(later, "started", "declined")
    assert later.got[0].id == crm.got[0].id
    async with process(path, later):
        await asyncio.sleep(0)
    assert later.kinds() == ["started", "declined"], "once"


async def test_of_a_payment_events_wait_for_each_other_and_nothing_else_does(path: Path) -> None:
    crm, books = Service(), Service()
    crm.refuses, crm.only = "http_500", {"payment.started"}
    async with process(path, crm, books) as made:
        first = await made.charge(Declined(reason="do_not_honour"))
        await got(books, "started", "declined")
        await made.charge(
            Declined(reason="do_not_honour"), msgspec.structs.replace(ORDER, transaction_id="o")
        )
        await until(lambda: len(books.got) == 4, "the other service")
        assert set(crm.kinds()) == {"started"}
        before = len(crm.got)
        await made.passes(1.0)
        assert len(crm.got) == before, "a pause"
        crm.refuses = ""
        await made.passes(2.0)
        await until(lambda: crm.kinds().count("declined") == 2, "the rest")
        of_first = [each.kind for each in crm.got if each.subject == first]
        assert of_first == ["payment.started", "payment.started", "payment.declined"]


async def test_what_is_not_accepted_in_three_days_is_failed_an_alarm_and_sent_again_by_hand(
    path: Path,
) -> None:
    crm = Service()
    crm.refuses = "http_500"
    async with process(path, crm, kinds=frozenset({"payment.declined"})) as made:
        payment = await made.charge(Declined(reason="do_not_honour"))
        await until(lambda: crm.got, "the attempt")
        assert made.webhooks.fault() is None
        await made.passes(70.0)
        await until(lambda: made.webhooks.fault() is not None, "the alarm")
        fault = made.webhooks.fault()
        assert fault is not None
        assert "http_500" in fault.says
        assert fault.stops is None
        await made.passes(LIFE)

        async def failed() -> Any:
            return await made.webhooks.deliveries(10, "failed", "crm-0", payment, None)

        (delivery,) = await until(failed, "the end")
        assert (delivery.id, delivery.reason) == (f"{crm.got[0].id}.crm-0", "http_500")
        await made.passes(6.0)
        await until(lambda: made.webhooks.health()["event_failed_webhooks"] == 1, "the count")
        assert "given up" in str(made.webhooks.fault())
        crm.refuses, count = "", len(crm.got)
        await made.webhooks.redeliver(delivery.id)
        await until(lambda: len(crm.got) > count, "the next attempt")
        assert len({each.id for each in crm.got}) == 1
        for unknown in ("evt_1.crm-0", "evt_1.crm-1", "", "x" * 200):
            with pytest.raises(NoSuchDelivery):
                await made.webhooks.redeliver(unknown)


async def test_what_waits_for_another_is_not_sent_by_hand(path: Path) -> None:
    crm = Service()
    crm.refuses = "timeout"
    async with process(path, crm) as made:
        await made.charge(Declined(reason="do_not_honour"))

        async def listed() -> Any:
            found = await made.webhooks.deliveries(10, "waiting", None, None, None)
            return found if len(found) == 2 else None

        last, first = await until(listed, "both")
        with pytest.raises(Behind):
            await made.webhooks.redeliver(last.id)
        older = await made.webhooks.deliveries(10, None, None, None, last.id)
        assert [each.id for each in older] == [first.id]


def event(number: int, subject: str = "") -> Event:
    return Event(id=f"evt_{number}", subject=subject or f"p-{number}", kind="payment.charged", body=b"{}")


async def test_a_flood_is_bounded_on_disk_and_in_memory(path: Path) -> None:
    crm = Service()
    crm.held = asyncio.Event()
    async with process(path, crm) as made:
        database = sqlite3.connect(path, isolation_level=None)
        table = WebhookTable(database, most=3000)
        database.execute("BEGIN")
        for number in range(10_000):
            table.add(event(number), ["crm-0"], made.now)
        database.execute("COMMIT")
        assert table.dropped == 7000
        await made.passes(0.0)
        await until(lambda: crm.got, "attempts")
        await made.passes(1.0)
        assert crm.most_at_once == len(crm.got) == 4
        crm.held.set()
        await until(lambda: len(crm.got) == 3000, "the end", 60.0)
        database.close()
    assert len({each.id for each in crm.got}) == 3000


def test_what_is_over_is_forgotten_in_time_and_by_number() -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    table = WebhookTable(database, kept=3)
    for number in range(6):
        table.add(event(number), ["crm"], 0.0)
        (delivery, _), *_ = table.due("crm", 0.0, 1)
        table.note(msgspec.structs.replace(delivery, state="delivered", next_at=None), float(number))
    table.add(event(9), ["gone"], 0.0)
    table.prune(10.0, ["crm"])
    assert [each.event for each in table.newest(10)] == ["evt_9", "evt_5", "evt_4", "evt_3"]
    table.prune(KEPT + 5.0, ["crm"])
    assert [(each.event, each.state, each.reason) for each in table.newest(10)] == [
        ("evt_9", "failed", "no_such_webhook"), ("evt_5", "delivered", ""),
    ]  # fmt: skip
    assert database.execute("SELECT count(*) FROM webhook_events").fetchone() == (2,)
