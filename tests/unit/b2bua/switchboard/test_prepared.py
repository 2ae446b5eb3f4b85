"""Prepared payments: durable, bound to the first call that fits, started once, and found by what is
known of a call."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.call import leg
from b2bua.call.leg import LegId
from b2bua.call.order import Order, RequestName
from b2bua.call.prepared import FindBy, PreparedState, TooMany
from b2bua.call.prepared_desk import CallQuery
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import (
    CaptureStage,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    PaymentView,
    Repeated,
)
from b2bua.records.payments import PaymentTable
from media.events import CaptureState
from provider_adapters.payment import Approved
from tests.call_script import THEIRS
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import AGENT, Exchange
from tests.unit.b2bua.switchboard.played_log import Log

ORDER = Order(transaction_id="order-2", amount=700, currency="EUR")
HEADERS = {"carrier": TrunkPolicy(references=("x-order", "user-to-user"))}
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


async def an_exchange(path: Path | None = None, **plan: Any) -> Exchange:
    exchange = Exchange(payments=PaymentTable(path) if path is not None else None, **plan)
    _RUNNING.append(exchange)
    await exchange.board.resume_payments()
    return exchange


async def prepare(exchange: Exchange, order: Order = ORDER, **options: Any) -> PaymentView:
    """Options of `FindBy`, and of `prepare_payment` behind underscores."""
    more = {name.removeprefix("_"): options.pop(name) for name in list(options) if name.startswith("_")}
    agent = more.pop("agent", "crm")
    return await exchange.board.prepare_payment(order, FindBy(**options), agent, **more)


async def found(exchange: Exchange, payment: PaymentView) -> PaymentView:
    return await exchange.board.payment(payment.id)


def order(number: int) -> Order:
    return Order(transaction_id=f"order-{number}", amount=700 + number, currency="EUR")


def state(payment: PaymentView) -> PreparedState:
    assert payment.prepared is not None
    return payment.prepared.state


async def test_it_waits_for_the_call_that_fits_and_is_started_in_it():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49 30 1")
    assert (payment.stage, payment.call, state(payment)) == (CaptureStage.PREPARED, "", PreparedState.WAITING)
    exchange.up("near-0", caller="+49302")
    with pytest.raises(NotNow, match="No call fits"):
        await exchange.board.start_prepared(payment.id, "ann")
    call = exchange.up("near-1", caller="+49301")
    bound = await found(exchange, payment)
    assert (bound.call, state(bound)) == (call, PreparedState.BOUND)
    view = await exchange.board.start_prepared(payment.id, "ann")
    assert view.id == call
    assert view.capture is not None
    assert (view.capture.id, view.capture.order.amount, view.capture.agent) == (payment.id, 700, "ann")
    started = await found(exchange, payment)
    assert (started.stage, state(started)) == (CaptureStage.STARTING, PreparedState.STARTED)
    assert (started.started_by, started.started_at) == ("ann", payment.started_at)
    with pytest.raises(NoSuchPayment):
        await exchange.board.start_prepared(payment.id, "ann")


@pytest.mark.parametrize(
    ("find_by", "fits"),
    [
        ({"caller": "0049301"}, True),
        ({"callee": "500"}, True),
        ({"callee": "501"}, False),
        ({"reference": "INV-1"}, True),
        ({"reference": "INV-2"}, False),
        ({"extension": "201"}, True),
        ({"extension": "20"}, False),
        ({"agent": "ann"}, True),
        ({"agent": "ben"}, False),
        ({"call_id": "near-0@sip"}, True),
        ({"call_id": "far-0@sip"}, True),
        ({"call_id": "near-1@sip"}, False),
        ({"caller": "+49301", "extension": "201", "reference": "INV-1"}, True),
        ({"caller": "+49301", "extension": "202"}, False),
        ({"caller": "+49301", "code": "123"}, False),
        ({}, False),
    ],
)
async def test_a_call_fits_where_all_is_so_that_is_named(find_by: dict[str, str], fits: bool):
    exchange = await an_exchange(policies=HEADERS, extensions={"201": "ann"})
    payment = await prepare(exchange, **find_by)
    asserted = (("P-Asserted-Identity", "<sip:201@pbx>"),)
    call = exchange.up(caller="+49301", headers=(("X-Order", "INV-1"),), answered=asserted)
    assert (await found(exchange, payment)).call == (call if fits else "")
    # And in the other order.
    await exchange.board.cancel_prepared(payment.id, "crm")
    late = await prepare(exchange, order(3), **find_by)
    assert late.call == (call if fits else "")


async def test_a_header_of_a_trunk_that_is_not_to_name_orders_binds_nothing():
    exchange = await an_exchange()
    payment = await prepare(exchange, reference="INV-1")
    exchange.up(headers=(("X-Order", "INV-1"), ("User-to-User", "INV-1;encoding=ascii")))
    assert (await found(exchange, payment)).call == ""
    assert exchange.board.calls()[0].reference == ""


async def test_a_call_that_rings_is_not_bound_until_it_is_answered():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    far = exchange.wire.new_leg()
    exchange.invite(caller="+49301")
    assert (await found(exchange, payment)).call == ""
    exchange.board.on_leg_event(far, leg.LegAnswered(b"v=0"))  # and is no call after all
    assert (await found(exchange, payment)).call == ""


async def test_of_two_calls_that_fit_the_first_that_was_answered_has_it_and_the_view_says_so():
    exchange = await an_exchange()
    payment = await prepare(exchange, callee="500")
    first, second = exchange.up("near-0"), exchange.up("near-1")
    bound = await found(exchange, payment)
    assert bound.prepared is not None
    assert (bound.call, bound.prepared.also_fits) == (first, (second,))
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("hung up"))
    bound = await found(exchange, payment)
    assert bound.prepared is not None
    assert (bound.call, bound.prepared.also_fits, state(bound)) == (second, (), PreparedState.BOUND)
    exchange.board.on_leg_event(LegId("near-1"), leg.LegHungUp("hung up"))
    bound = await found(exchange, payment)
    assert (bound.call, state(bound)) == ("", PreparedState.WAITING)


async def test_a_customer_who_is_replaced_takes_no_payment_along():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    call = exchange.up(caller="+49301")
    entry = exchange.board._context.registry.get(call)
    assert entry is not None
    exchange.board.on_leg_event(LegId("near-0"), leg.LegConfirmed())
    exchange.invite("other", trunk="carrier", caller="+49302", replaces=LegId("near-0"))
    stays = entry.legs[next(side for side in entry.legs if entry.legs[side] != "near-0")]
    exchange.board.on_leg_event(stays, leg.ReinviteAnswered(THEIRS[AGENT]))
    await until(lambda: "other" in entry.legs.values(), "the other customer is there")
    assert (await found(exchange, payment)).call == ""
    again = exchange.up("near-2", caller="+49301")
    assert (await found(exchange, payment)).call == again


async def test_it_starts_by_itself_where_that_was_asked_for_and_the_agent_of_the_call_drives_it():
    exchange = await an_exchange(extensions={"500": "ann"})
    payment = await prepare(exchange, caller="+49301", _start="at_answer")
    call = exchange.up(caller="+49301")
    await until(lambda: exchange.board.calls()[0].capture is not None, "it started")
    capture = exchange.board.find_call(call).capture
    assert capture is not None
    assert (capture.id, capture.agent) == (payment.id, "ann")


async def test_one_that_starts_by_itself_is_in_the_audit_log_and_waits_where_that_is_required_and_full():
    log = Log(required=True)
    log.is_full = True
    exchange = await an_exchange(extensions={"500": "ann"}, recorder=log)
    payment = await prepare(exchange, caller="+49301", _start="at_answer")
    call = exchange.up(caller="+49301")
    await until(lambda: log.asked > 0, "the log was asked")
    assert state(await found(exchange, payment)) is PreparedState.BOUND
    assert exchange.board.find_call(call).capture is None
    log.is_full = False
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    call = exchange.up("near-1", caller="+49301")
    await until(lambda: exchange.board.find_call(call).capture is not None, "it started")
    asked = log.entries[0]
    assert (asked.who, asked.what, asked.call) == ("ann", "start_payment", call)
    assert asked.details == {"by": "answer"}


async def test_one_that_cannot_start_by_itself_stays_bound_and_says_why():
    exchange = await an_exchange()
    one = await prepare(exchange, order(1), caller="+49301", _start="at_answer")
    two = await prepare(exchange, order(2), caller="+49301", _start="at_answer")
    exchange.up(caller="+49301")

    async def refused() -> bool:
        prepared = (await found(exchange, two)).prepared
        return prepared is not None and bool(prepared.refusal)

    for _ in range(200):
        if await refused():
            break
        await asyncio.sleep(0.01)
    assert (await found(exchange, one)).stage is CaptureStage.STARTING
    waits = await found(exchange, two)
    assert state(waits) is PreparedState.BOUND
    assert waits.prepared is not None
    assert "under way" in waits.prepared.refusal


async def test_it_outlives_the_process(tmp_path: Path):
    path = tmp_path / "payments.sqlite"
    exchange = await an_exchange(path)
    payment = await prepare(exchange, caller="+49301")
    exchange.up(caller="+49301")
    await kill(exchange)
    again = await an_exchange(path)
    kept = await found(again, payment)
    assert (kept.stage, kept.call, state(kept)) == (CaptureStage.PREPARED, "", PreparedState.WAITING)
    call = again.up(caller="+49301")
    assert (await found(again, payment)).call == call


async def test_one_that_was_started_is_not_prepared_again_after_a_restart(tmp_path: Path):
    path = tmp_path / "payments.sqlite"
    exchange = await an_exchange(path)
    payment = await prepare(exchange, caller="+49301")
    exchange.up(caller="+49301")
    await exchange.board.start_prepared(payment.id, "ann")
    await kill(exchange)
    again = await an_exchange(path)
    again.up(caller="+49301")
    assert (await found(again, payment)).stage is CaptureStage.ABORTED
    with pytest.raises(NoSuchPayment):
        await again.board.start_prepared(payment.id, "ann")


async def test_it_expires_while_it_waits_but_not_while_its_call_is_there(tmp_path: Path):
    path = tmp_path / "payments.sqlite"
    exchange = await an_exchange(path)
    waits = await prepare(exchange, order(1), caller="+49301", _expires_in=60.0)
    bound = await prepare(exchange, order(2), caller="+49302", _expires_in=60.0)
    exchange.up(caller="+49302")
    exchange.passed = 61.0
    exchange.board.count()
    over = await found(exchange, waits)
    assert (over.stage, state(over)) == (CaptureStage.ABORTED, PreparedState.EXPIRED)
    assert "No call came" in (over.reason or "")
    assert (await found(exchange, bound)).stage is CaptureStage.PREPARED
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("hung up"))
    late = exchange.up("near-1", caller="+49302")
    assert (await found(exchange, bound)).call != late
    exchange.board.count()
    assert (await found(exchange, bound)).stage is CaptureStage.ABORTED


async def test_it_is_cancelled_until_it_is_started():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    cancelled = await exchange.board.cancel_prepared(payment.id, "ann")
    assert (cancelled.stage, cancelled.agent) == (CaptureStage.CANCELLED, "ann")
    exchange.up(caller="+49301")
    assert (await found(exchange, payment)).call == ""
    with pytest.raises(NotNow):
        await exchange.board.cancel_prepared(payment.id, "ann")
    with pytest.raises(NoSuchPayment):
        await exchange.board.cancel_prepared("nothing", "ann")


async def test_one_that_cannot_be_cancelled_on_disk_stays():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    table = exchange.board._context.payments._storage.table
    put = table.put
    table.put = _fail  # type: ignore[method-assign]
    with pytest.raises(NotWell):
        await exchange.board.cancel_prepared(payment.id, "ann")
    table.put = put  # type: ignore[method-assign]
    call = exchange.up(caller="+49301")
    assert (await found(exchange, payment)).call == call


def _fail(*_: object, **__: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


async def test_an_order_is_prepared_once_and_not_after_it_was_charged():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    with pytest.raises(NotNow, match="prepared already"):
        await prepare(exchange, caller="+49302")
    call = exchange.up(caller="+49301")
    await exchange.board.start_prepared(payment.id, "ann")
    exchange.tell(call, CaptureState.COLLECTING)
    exchange.tell(call, CaptureState.READY)
    await exchange.board.submit_capture(call, "ann")
    exchange.tell(call, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(Repeated):
        await prepare(exchange, caller="+49302")
    again = await prepare(exchange, caller="+49301", _allow_repeat=True)
    assert again.repeats == (payment.id,)


async def test_an_order_that_is_charged_elsewhere_meanwhile_is_not_charged_by_it():
    exchange = await an_exchange()
    payment = await prepare(exchange, caller="+49301")
    call = exchange.up(caller="+49301")
    await exchange.board.start_capture(call, ORDER, "ann")
    exchange.tell(call, CaptureState.COLLECTING)
    exchange.tell(call, CaptureState.READY)
    await exchange.board.submit_capture(call, "ann")
    exchange.tell(call, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(Repeated):
        await exchange.board.start_prepared(payment.id, "ann")
    bound = await found(exchange, payment)
    assert state(bound) is PreparedState.BOUND
    view = await exchange.board.start_prepared(payment.id, "ann", allow_repeat=True)
    assert view.capture is not None
    assert view.capture.id == payment.id


async def test_a_code_binds_it_to_the_call_in_which_it_is_keyed():
    exchange = await an_exchange()
    payment = await prepare(exchange, code="4711")
    call = exchange.up()
    assert (await found(exchange, payment)).call == ""
    entry = exchange.board._context.registry.get(call)
    assert entry is not None
    facts = exchange.board._executor.linking.facts(entry)
    prepared = exchange.board._context.payments.prepared
    assert prepared.match(facts, "4712") == []
    assert [each.id for each in prepared.match(facts, "4711")] == [payment.id]
    with pytest.raises(NotNow, match="has this code"):
        await prepare(exchange, order(3), code="4711")


async def test_there_is_an_end_to_how_many_are_prepared():
    exchange = await an_exchange()
    exchange.board._context.payments.prepared.most = 3
    for number in range(3):
        await prepare(exchange, order(number), caller=f"+49{number}")
    with pytest.raises(TooMany):
        await prepare(exchange, order(4), caller="+494")
    assert [each.order for each in exchange.board.prepared_payments(2)] == [order(2), order(1)]
    await exchange.board.cancel_prepared(exchange.board.prepared_payments(1)[0].id, "ann")
    await prepare(exchange, order(4), caller="+494")


async def test_a_form_that_there_is_not_is_refused_at_once():
    exchange = await an_exchange()
    wanted = Order(transaction_id="order-9", amount=700, currency="EUR", form="iban")
    with pytest.raises(NotOffered):
        await prepare(exchange, wanted, caller="+49301")


async def test_a_request_under_a_name_is_kept_with_the_payment():
    exchange = await an_exchange()
    name = RequestName(agent="crm", key="k-1", digest=b"d")
    payment = await prepare(exchange, caller="+49301", _name=name)
    kept = await exchange.board.recall(name)
    assert kept is not None
    assert payment.id.encode() in kept


async def test_calls_are_found_by_what_is_known_of_them():
    exchange = await an_exchange(policies=HEADERS, extensions={"202": "ben"})
    one = exchange.up("near-0", caller="+49301", headers=(("X-Order", "INV-1"),))
    two = exchange.up("near-1", caller="+49302", callee="202")
    find = exchange.board.find_calls

    def ids(**query: Any) -> list[str]:
        return [view.id for view in find(CallQuery(**query))]

    assert ids() == [one, two]
    assert ids(caller="0049 301") == [one]
    assert ids(call_id="near-1@sip") == ids(call_id=two) == ids(agent="ben") == ids(extension="202") == [two]
    assert ids(reference="INV-1") == ids(headers=(("x-order", "INV-1"),)) == [one]
    assert ids(headers=(("user-to-user", "INV-1"),)) == ids(caller="+49301", agent="ben") == []
    assert (find(CallQuery(call_id=two))[0].agent, find(CallQuery(call_id=one))[0].reference) == (
        "ben",
        "INV-1",
    )


async def test_a_call_has_several_names_in_a_path():
    exchange = await an_exchange()
    call = exchange.up("near-0", caller="+49301")
    for name in (call, "near-0@sip", "far-0@sip", "caller:0049301"):
        assert exchange.board.find_call(name).id == call
    view = await exchange.board.start_capture("near-0@sip", ORDER, "ann")
    assert view.id == call
    await exchange.board.cancel_capture("caller:+49301", "ann")
    exchange.up("near-1", caller="+49301")
    with pytest.raises(NotNow, match="Several calls"):
        await exchange.board.start_capture("caller:+49301", ORDER, "ann")
    with pytest.raises(NoSuchCall):
        exchange.board.find_call("caller:+49309")
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("hung up"))
    with pytest.raises(NoSuchCall):
        exchange.board.find_call("near-0@sip")
