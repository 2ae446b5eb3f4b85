"""Payments beside their calls: written before a card is handed over, charged once an order, and
final after a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from b2bua.call import leg
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.leg import LegId
from b2bua.call.order import RequestName
from b2bua.call.routing.router import Rule
from b2bua.call.service_view import Stops
from b2bua.call.view import (
    CallState,
    CallView,
    CaptureStage,
    MaskStage,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    NotYours,
    PaymentView,
    Repeated,
)
from b2bua.records.payments import PaymentTable
from media.events import (
    CancelCapture,
    CaptureChanged,
    CaptureId,
    CaptureState,
    ChargeResolved,
    Refused,
    ResolveCharge,
    SessionId,
    SetMask,
    SubmitCapture,
)
from provider_adapters.payment import (
    Approved,
    Declined,
    Failed,
    Operation,
    Outcome,
    PartiallyApproved,
    Unknown,
)
from tests.call_script import ORDER
from tests.complaints import permit_error
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "payments.sqlite"


def test_the_file_is_private(path: Path) -> None:
    PaymentTable(path)
    assert path.stat().st_mode & 0o777 == 0o600


def exchange_on(path: Path) -> Exchange:
    """A switchboard with its table there."""
    return Exchange(payments=PaymentTable(path))


async def ready(
    exchange: Exchange, near: str = "near-0", agent: str = "ann", *, allow_repeat: bool = False
) -> str:
    """A call whose card is complete; its id."""
    call_id = exchange.up(near)
    await exchange.board.start_capture(call_id, ORDER, agent, allow_repeat=allow_repeat)
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    return call_id


async def ready_again(exchange: Exchange, call_id: str) -> None:
    """Another card of a call whose payment is over is complete."""
    await exchange.board.start_capture(call_id, ORDER, "ann")
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)


async def written(exchange: Exchange) -> None:
    """What the switchboard has begun to write is in the table."""
    await exchange.board._context.payments._storage.tasks.wait(5)


async def resumed(path: Path) -> Exchange:
    """The next process over the table there."""
    exchange = exchange_on(path)
    await exchange.board.resume_payments()
    return exchange


def question(exchange: Exchange) -> ResolveCharge:
    """The one outcome that media was asked for."""
    [found] = [each for each in exchange.wire.commands if isinstance(each, ResolveCharge)]
    return found


async def charging(
    exchange: Exchange, near: str = "near-0", agent: str = "ann", *, allow_repeat: bool = False
) -> str:
    call_id = await ready(exchange, near, agent, allow_repeat=allow_repeat)
    await exchange.board.submit_capture(call_id, agent)
    return call_id


async def settled(exchange: Exchange, outcome: Outcome, near: str = "near-0") -> PaymentView:
    call_id = await charging(exchange, near, allow_repeat=True)
    payment = capture(exchange, call_id)
    exchange.tell(call_id, CaptureState.FINISHED, outcome=outcome)
    return await exchange.board.payment(payment)


def capture(exchange: Exchange, call_id: str) -> str:
    view = next(call.capture for call in exchange.board.calls() if call.id == call_id)
    assert view is not None
    return view.id


def submitted(exchange: Exchange) -> int:
    return sum(isinstance(command, SubmitCapture) for command in exchange.wire.commands)


# --- a payment is a thing of its own --------------------------------------------------------------


async def test_a_payment_is_on_disk_as_charging_before_the_submission_goes_to_media(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)
    seen = []
    exchange.wire.on_answer, before = None, exchange.wire.send

    def send(command: object) -> None:
        if isinstance(command, SubmitCapture):
            stage = sqlite3.connect(path).execute("SELECT stage FROM payments").fetchall()
            seen.append(stage)
        before(command)  # type: ignore[arg-type]

    exchange.wire.send = send  # type: ignore[method-assign, assignment]
    await exchange.board.submit_capture(call_id, "ann")
    assert seen == [[("charging",)]]


async def test_a_payment_outlives_its_call_and_is_listed_by_reference(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    payment = capture(exchange, call_id)
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    assert (await exchange.board.payment(payment)).stage is CaptureStage.CHARGING
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    view = await exchange.board.payment(payment)
    assert (view.stage, view.outcome, view.started_by) == ("finished", Approved(reference="r"), "ann")
    assert view.submitted_at is not None
    assert view.settled_at is not None
    second = await settled(exchange, Declined(reason="51"), "near-1")
    listed = await exchange.board.payments("order-1", 10)
    assert [each.id for each in listed] == [second.id, payment]
    assert [each.id for each in await exchange.board.payments("order-1", 1)] == [second.id]
    assert await exchange.board.payments("other", 10) == []
    with pytest.raises(NoSuchPayment):
        await exchange.board.payment("none")


async def test_followers_see_each_step_of_a_payment(path: Path) -> None:
    exchange = exchange_on(path)
    follower = exchange.board.follow()
    await settled(exchange, Approved(reference="r"))
    exchange.board._context.feed.close()
    stages = [view.stage.value async for view in follower if isinstance(view, PaymentView)]
    assert stages == ["starting", "collecting", "ready", "charging", "finished"]


async def test_the_options_of_an_order_are_those_of_its_charge(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = exchange.up()
    order = msgspec.structs.replace(
        ORDER, operation="authorise", token_type="reusable", customer="C-17", merchant_account="North",
        statement="SHOES", metadata={"shop": "north"},
    )  # fmt: skip
    await exchange.board.start_capture(call_id, order, "ann")
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id, "ann")
    [charge] = [each.charge for each in exchange.wire.commands if isinstance(each, SubmitCapture)]
    assert charge == order.charge(capture(exchange, call_id))
    assert (charge.operation, charge.customer, charge.metadata) == ("authorise", "C-17", {"shop": "north"})


async def test_what_the_provider_does_not_offer_is_refused_before_anything_is_keyed(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = exchange.up()
    verification = msgspec.structs.replace(ORDER, operation="verify", amount=0)
    saving = msgspec.structs.replace(ORDER, token_type="reusable")
    exchange.reconciler.offered = frozenset({Operation.CHARGE, Operation.AUTHORISE})
    for order, field in ((verification, "operation"), (saving, "token_type")):
        with pytest.raises(NotOffered) as refused:
            await exchange.board.start_capture(call_id, order, "ann")
        assert refused.value.field == field
    exchange.reconciler.offered = None
    with pytest.raises(NotWell, match="not known yet"):
        await exchange.board.start_capture(call_id, verification, "ann")
    assert not any(isinstance(each, SetMask) for each in exchange.wire.commands)
    await exchange.board.start_capture(call_id, msgspec.structs.replace(ORDER, token_type="none"), "ann")


async def test_where_a_route_names_providers_one_of_them_must_offer_it(path: Path) -> None:
    charging = ChargeDefaults(providers=("north", "south"), merchant_account="Shoes", metadata={"shop": "n"})
    exchange = Exchange(payments=PaymentTable(path), rules=[Rule("r", ("pbx",), charging=charging)])
    call_id = exchange.up()
    authorisation = msgspec.structs.replace(ORDER, operation="authorise", metadata={"till": "7"})
    plain = frozenset({Operation.CHARGE})
    exchange.reconciler.offers = {"north": plain, "south": plain}
    with pytest.raises(NotOffered):
        await exchange.board.start_capture(call_id, authorisation, "ann")
    exchange.reconciler.offers["south"] = plain | {Operation.AUTHORISE}
    view = await exchange.board.start_capture(call_id, authorisation, "ann")
    assert view.capture is not None
    order = view.capture.order
    assert (order.merchant_account, order.metadata) == ("Shoes", {"shop": "n", "till": "7"}), "of the route"


async def test_an_agent_s_group_goes_before_the_route_and_whoever_submits_counts(path: Path) -> None:
    groups = {name: ChargeDefaults(merchant_account=name, metadata={name: "1"}) for name in ("ann", "bob")}
    charging = ChargeDefaults(merchant_account="Shoes", statement="SHOES")
    exchange = Exchange(
        payments=PaymentTable(path), rules=[Rule("r", ("pbx",), charging=charging)], agent_charging=groups
    )
    call_id = exchange.up()
    view = await exchange.board.start_capture(call_id, ORDER, "ann")
    assert view.capture is not None
    assert view.capture.order.merchant_account == "ann"
    await exchange.board.take_over_capture(call_id, "bob")
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id, "bob")
    [charge] = [each.charge for each in exchange.wire.commands if isinstance(each, SubmitCapture)]
    assert (charge.merchant_account, charge.statement, charge.metadata) == ("bob", "SHOES", {"bob": "1"})
    on_disk = PaymentTable(path).find(view.capture.id)
    assert on_disk is not None
    assert on_disk.order.merchant_account == "bob", "where a refund goes"


async def test_a_card_that_was_verified_may_be_charged_for_the_order(path: Path) -> None:
    exchange = exchange_on(path)
    verification = msgspec.structs.replace(ORDER, operation="verify", amount=0)
    for near, order in (("near-0", verification), ("near-1", ORDER), ("near-2", verification)):
        call_id = exchange.up(near)
        await exchange.board.start_capture(call_id, order, "ann")
        exchange.tell(call_id, CaptureState.COLLECTING)
        exchange.tell(call_id, CaptureState.READY)
        await exchange.board.submit_capture(call_id, "ann")
        exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(Repeated) as refused:
        await exchange.board.start_capture(exchange.up("near-3"), ORDER, "ann")
    assert [each.order.amount for each in refused.value.payments] == [ORDER.amount]


async def test_a_submission_that_cannot_be_written_sends_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(PaymentTable, "submit", full)
    permit_error("payment_table_failed", setting="[cdr] payments")
    with pytest.raises(NotWell, match="nothing was sent"):
        await exchange.board.submit_capture(call_id, "ann")
    assert submitted(exchange) == 0
    assert (await exchange.board.payment(capture(exchange, call_id))).stage is CaptureStage.READY


async def test_a_start_that_cannot_be_written_is_cancelled(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = exchange_on(path)
    call_id = exchange.up()

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(PaymentTable, "put", full)
        permit_error("payment_table_failed", setting="[cdr] payments")
        permit_error("payment_not_written")
        with pytest.raises(NotWell):
            await exchange.board.start_capture(call_id, ORDER, "ann")
    assert any(isinstance(command, CancelCapture) for command in exchange.wire.commands)


async def test_an_end_that_cannot_be_written_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2bua.switchboard.payments._RETRY", (0.01, 0.01))
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    tried = []

    def full(*_: object, **__: object) -> None:
        tried.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    payment = capture(exchange, call_id)
    permit_error("payment_not_written")
    with monkeypatch.context() as patched:
        patched.setattr(PaymentTable, "put", full)
        exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
        await until(lambda: len(tried) > 2, "it to be tried again")
        assert (await exchange.board.payment(payment)).stage is CaptureStage.FINISHED

    def written() -> bool:
        return sqlite3.connect(path).execute("SELECT outcome FROM payments").fetchall() == [("approved",)]

    await until(written, "the outcome on disk")


async def test_media_that_refuses_a_submission_leaves_the_payment_uncharged(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    command = next(each for each in exchange.wire.commands if isinstance(each, SubmitCapture))
    exchange.board.on_media_answer(command, Refused(serial=0, reason="capture is collecting"))
    payment = capture(exchange, call_id)

    def stage() -> str:
        return str(
            sqlite3.connect(path).execute("SELECT stage FROM payments WHERE id = ?", (payment,)).fetchone()[0]
        )

    await until(lambda: stage() == "collecting", "the table to know it")
    other = exchange.up("near-1")
    await exchange.board.start_capture(other, ORDER, "ben")  # nothing was charged


async def test_a_payment_that_media_refused_to_submit_was_never_submitted(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    command = next(each for each in exchange.wire.commands if isinstance(each, SubmitCapture))
    exchange.board.on_media_answer(command, Refused(serial=0, reason="capture is collecting"))
    assert (await exchange.board.payment(capture(exchange, call_id))).submitted_at is None
    await exchange.board.cancel_capture(call_id, "ann")
    [view] = await exchange.board.payments(None, 1)
    assert (view.stage, view.submitted_at) == (CaptureStage.CANCELLED, None)


async def test_a_call_that_an_error_ended_is_shown_no_more_and_its_payment_is_over(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)
    payment = capture(exchange, call_id)
    permit_error("call_failed")
    follower = exchange.board.follow()
    exchange.board.on_leg_event(LegId("near-0"), "no event at all")  # type: ignore[arg-type]
    assert exchange.board.calls() == []
    view = await exchange.board.payment(payment)
    assert (view.stage, view.submitted_at) == (CaptureStage.ABORTED, None)
    exchange.board._context.feed.close()
    published = [each async for each in follower]
    assert [each.state for each in published if isinstance(each, CallView)][-1] is CallState.ENDED
    assert [each.captures[0].stage for each in exchange.records] == ["aborted"]


async def test_a_call_that_an_error_ended_while_it_is_charged_is_shown_no_more_and_gets_its_outcome(
    path: Path,
) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    payment = capture(exchange, call_id)
    permit_error("call_failed")
    exchange.board.on_leg_event(LegId("near-0"), "no event at all")  # type: ignore[arg-type]
    assert exchange.board.calls() == []
    assert exchange.records == []
    assert (await exchange.board.payment(payment)).stage is CaptureStage.CHARGING
    exchange.board.on_media_news(
        CaptureChanged(
            session=SessionId(call_id), capture=CaptureId(payment), state=CaptureState.FINISHED,
            outcome=Approved(reference="r"),
        )
    )  # fmt: skip
    await until(lambda: exchange.records, "the record")
    assert [each.captures[0].outcome for each in exchange.records] == ["approved"]


async def test_a_table_that_takes_no_payment_stops_payments_until_it_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = exchange_on(path)
    call_id = exchange.up()
    exchange.board.on_media_state(True)
    assert exchange.board.faults() == ()
    with monkeypatch.context() as patched:

        def full(*_: object, **__: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        patched.setattr(PaymentTable, "put", full)
        patched.setattr(PaymentTable, "try_to_write", full)
        permit_error("payment_table_failed", setting="[cdr] payments")
        permit_error("payment_not_written")
        with pytest.raises(NotWell, match="cannot be noted"):
            await exchange.board.start_capture(call_id, ORDER, "ann")
        exchange.board.count()
        [fault] = exchange.board.faults()
        assert (fault.what, fault.stops) == ("payments", Stops.PAYMENTS)
        assert "[cdr] payments" in fault.says
        started = sum(isinstance(each, SetMask) for each in exchange.wire.commands)
        with pytest.raises(NotWell, match=r"\[cdr\] payments"):
            await exchange.board.start_capture(call_id, ORDER, "ann")
        # Nobody's line was masked.
        assert sum(isinstance(each, SetMask) for each in exchange.wire.commands) == started
    exchange.board.count()
    await until(lambda: not exchange.board.faults(), "the fault to be over once the table can be written")
    await exchange.board.start_capture(call_id, ORDER, "ann")


async def test_a_full_disk_stops_payments_before_a_card_is_keyed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = exchange_on(path)
    exchange.board.on_media_state(True)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("b2bua.records.payments.check_space", full)
    [fault] = exchange.board.faults()
    assert (fault.what, fault.stops) == ("payments", Stops.PAYMENTS)
    assert "No space left on device" in fault.says
    assert str(path) not in fault.says


def test_what_is_older_is_pruned_with_the_answers_to_requests(path: Path) -> None:
    table = PaymentTable(path)
    view = PaymentView(
        id="p",
        call="c",
        stage=CaptureStage.CANCELLED,
        order=ORDER,
        started_by="ann",
        started_at="2026-01-01T00:00:00Z",
    )
    table.put(view)
    call = CallView(
        id="c", state=CallState.UP, direction="inbound", caller="+4912", callee="5", started_at="",
        masked=False,
        mask=MaskStage.OFF,
    )  # fmt: skip
    name = RequestName(agent="ann", key="k", digest=b"d")
    table.remember(name, msgspec.json.encode(call), 1000.0)
    assert table.prune(0.0, 1000.0) == 0
    assert table.recall(name, 1000.0) == msgspec.json.encode(call)
    assert table.prune(2e9, 1000.0 + 86_401) == 1
    assert sqlite3.connect(path).execute("SELECT count(*) FROM requests").fetchall() == [(0,)]


# --- an order is charged once ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome",
    [
        Approved(reference="r"),
        PartiallyApproved(amount=5, reference="r"),
        Unknown(reason="no_answer_in_time"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_order_that_may_have_been_charged_is_refused_unless_asked_for_expressly(
    path: Path, outcome: Outcome
) -> None:
    exchange = exchange_on(path)
    first = await settled(exchange, outcome)
    call_id = exchange.up("near-1")
    with pytest.raises(Repeated) as refused:
        await exchange.board.start_capture(call_id, ORDER, "ann")
    assert [each.id for each in refused.value.payments] == [first.id]
    assert refused.value.payments[0].outcome == outcome
    second = await settled(exchange, Approved(reference="again"), "near-2")
    assert second.repeats == (first.id,)

    again = exchange_on(path)  # it holds over a restart
    call_id = again.up()
    with pytest.raises(Repeated):
        await again.board.start_capture(call_id, ORDER, "ann")


@pytest.mark.parametrize(
    "outcome", [Declined(reason="51"), Failed(reason="no_connection")], ids=lambda value: type(value).__name__
)
async def test_an_order_that_was_not_charged_may_be_tried_again(path: Path, outcome: Outcome) -> None:
    exchange = exchange_on(path)
    await settled(exchange, outcome)
    await exchange.board.start_capture(exchange.up("near-1"), ORDER, "ann")


async def test_of_two_starts_at_once_with_one_order_one_is_submitted(path: Path) -> None:
    exchange = exchange_on(path)
    calls = [await ready(exchange, near, agent) for near, agent in (("near-0", "ann"), ("near-1", "ben"))]
    answers = await asyncio.gather(
        *(
            exchange.board.submit_capture(call_id, agent)
            for call_id, agent in zip(calls, ("ann", "ben"), strict=True)
        ),
        return_exceptions=True,
    )
    assert submitted(exchange) == 1
    [refused] = [each for each in answers if isinstance(each, Exception)]
    assert isinstance(refused, Repeated)
    late = calls[answers.index(refused)]
    agent = ("ann", "ben")[calls.index(late)]
    # Also expressly: its outcome is not known yet.
    with pytest.raises(Repeated, match="being charged"):
        await exchange.board.submit_capture(late, agent, allow_repeat=True)
    [early] = [call_id for call_id in calls if call_id != late]
    exchange.tell(early, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(Repeated, match="charged already"):
        await exchange.board.submit_capture(late, agent)
    await exchange.board.submit_capture(late, agent, allow_repeat=True)
    assert submitted(exchange) == 2


async def test_who_repeats_an_order_while_it_is_charged_is_asked_again_once_it_is(path: Path) -> None:
    exchange = exchange_on(path)
    first = await charging(exchange)
    second = await ready(exchange, "near-1", allow_repeat=True)
    exchange.tell(first, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(Repeated):
        await exchange.board.submit_capture(second, "ann")
    assert submitted(exchange) == 1
    await exchange.board.submit_capture(second, "ann", allow_repeat=True)
    assert submitted(exchange) == 2


@pytest.mark.parametrize("allow_repeat", [False, True])
async def test_a_payment_whose_call_ends_as_it_is_submitted_stays_over(
    path: Path, allow_repeat: bool
) -> None:
    exchange = exchange_on(path)
    await settled(exchange, Approved(reference="r"), "near-0")
    call_id = await ready(exchange, "near-1", allow_repeat=True)
    payment = capture(exchange, call_id)
    submission = asyncio.create_task(exchange.board.submit_capture(call_id, "ann", allow_repeat=allow_repeat))
    await asyncio.sleep(0)  # it asks the table now
    exchange.board.on_leg_event(LegId("near-1"), leg.LegHungUp("bye"))
    with pytest.raises((NotNow, NoSuchCall)):
        await submission
    await written(exchange)
    rows = sqlite3.connect(path).execute("SELECT stage FROM payments WHERE id = ?", (payment,)).fetchall()
    assert rows == [("aborted",)]
    assert submitted(exchange) == 1


async def test_two_submissions_of_one_payment_at_once_are_one(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)
    answers = await asyncio.gather(
        *(exchange.board.submit_capture(call_id, "ann") for _ in range(5)), return_exceptions=True
    )
    assert submitted(exchange) == 1
    assert sum(isinstance(each, NotNow) for each in answers) == 4
    assert (await exchange.board.payment(capture(exchange, call_id))).submitted_at is not None


# --- whose payment it is --------------------------------------------------------------------------


async def test_another_agent_drives_a_payment_only_after_taking_it_over(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)
    board = exchange.board
    for ask in (
        lambda: board.submit_capture(call_id, "ben"),
        lambda: board.reset_capture(call_id, None, "ben"),
        lambda: board.ask_field(call_id, None, "ben"),
        lambda: board.cancel_capture(call_id, "ben"),
    ):
        with pytest.raises(NotYours, match="ann's") as refused:
            await ask()
        assert refused.value.agent == "ann"
    view = (await board.take_over_capture(call_id, "ben")).capture
    assert view is not None
    assert (view.started_by, view.agent, view.taken_over_by) == ("ann", "ben", ("ben",))
    with pytest.raises(NotYours):
        await board.submit_capture(call_id, "ann")
    await board.submit_capture(call_id, "ben")
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    [record] = exchange.records
    assert [(each.started_by, each.taken_over_by) for each in record.captures] == [("ann", ("ben",))]
    with pytest.raises(NotNow, match="no payment"):
        await board.take_over_capture(exchange.up("near-1"), "ben")


async def test_the_next_payment_is_not_started_under_another_agent_s_mask(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    exchange.wire.obeys = False  # media takes the mask off once nobody keys, not at once
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Declined(reason="insufficient_funds"))
    assert next(call for call in exchange.board.calls() if call.id == call_id).masked
    with pytest.raises(NotYours, match="ann's"):
        await exchange.board.start_capture(call_id, ORDER, "ben", allow_repeat=True)
    await exchange.board.take_over_capture(call_id, "ben")
    await exchange.board.start_capture(call_id, ORDER, "ben", allow_repeat=True)


async def test_a_payment_that_is_taken_over_while_it_is_being_noted_is_not_submitted(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await ready(exchange)
    submitting = asyncio.create_task(exchange.board.submit_capture(call_id, "ann"))
    await asyncio.sleep(0)
    await exchange.board.take_over_capture(call_id, "ben")
    with pytest.raises(NotYours):
        await submitting
    assert submitted(exchange) == 0
    assert (await exchange.board.payment(capture(exchange, call_id))).stage is CaptureStage.READY


# --- outcomes that do not come by themselves ------------------------------------------------------


async def test_after_the_loss_of_media_the_outcome_is_asked_for_and_reaches_page_and_record(
    path: Path,
) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    payment = capture(exchange, call_id)
    permit_error("media_lost")
    exchange.media_dies()
    assert exchange.records == []
    assert exchange.board.calls()[0].capture.stage == "charging"  # type: ignore[union-attr]
    exchange.media_follows(restores=False)
    asked = question(exchange)
    assert (asked.charge.idempotency_key, asked.charge.amount) == (payment, ORDER.amount)
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0))  # a payer is still at it
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    assert (await exchange.board.payment(payment)).outcome == Approved(reference="r")
    [record] = exchange.records
    assert [each.outcome for each in record.captures] == ["approved"]
    assert exchange.board.calls() == []
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    assert len(exchange.records) == 1


async def test_a_payment_left_open_by_a_killed_process_ends_with_what_the_journal_has(path: Path) -> None:
    killed = exchange_on(path)
    payment = capture(killed, await charging(killed))
    exchange = exchange_on(path)
    follower = exchange.board.follow()
    await exchange.board.resume_payments()
    view = await anext(follower)
    assert isinstance(view, PaymentView)
    assert (view.id, view.stage) == (payment, "charging")
    with pytest.raises(Repeated, match="being charged"):
        await exchange.board.start_capture(exchange.up(), ORDER, "ann")
    exchange.board.on_media_state(True)
    asked = question(exchange)
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    await until(lambda: exchange.records, "the record of the call that was lost")
    [record] = exchange.records
    assert record.end == "unfinished"
    assert [(each.stage, each.outcome, each.reference) for each in record.captures] == [
        ("finished", "approved", "r")
    ]
    assert (await exchange.board.payment(payment)).outcome == Approved(reference="r")
    exchange.board.count()
    assert sum(isinstance(each, ResolveCharge) for each in exchange.wire.commands) == 1


async def test_the_capture_of_a_killed_process_tells_its_outcome_to_the_next(path: Path) -> None:
    killed = exchange_on(path)
    call_id = await charging(killed)
    payment = capture(killed, call_id)
    exchange = await resumed(path)
    news = CaptureChanged(
        session=SessionId(call_id), capture=CaptureId(payment), state=CaptureState.FINISHED,
        outcome=Declined(reason="51"),
    )  # fmt: skip
    exchange.board.on_media_news(news)
    exchange.board.on_media_news(news)
    assert (await exchange.board.payment(payment)).outcome == Declined(reason="51")
    await until(lambda: exchange.records, "the record")
    assert len(exchange.records) == 1


async def test_a_payment_that_was_not_submitted_ends_with_its_process(path: Path) -> None:
    killed = exchange_on(path)
    payment = capture(killed, await ready(killed))
    exchange = await resumed(path)
    view = await exchange.board.payment(payment)
    assert view.stage is CaptureStage.ABORTED
    assert "nothing was charged" in (view.reason or "")
    assert exchange.records == []


async def test_an_outcome_that_nobody_can_tell_is_unknown_in_the_end(path: Path) -> None:
    exchange = exchange_on(path)
    payment = capture(exchange, await charging(exchange))
    permit_error("media_lost")
    exchange.kill_media(restores=False)
    exchange.passed += 901
    permit_error("payment_outcome_not_found", payment=payment)
    exchange.board.count()
    assert (await exchange.board.payment(payment)).outcome == Unknown(reason="outcome_not_found")
    assert len(exchange.records) == 1


async def test_a_service_that_ends_while_a_card_is_charged_leaves_the_record_to_the_next(path: Path) -> None:
    exchange = exchange_on(path)
    await charging(exchange)
    exchange.board.shut_down()
    await exchange.board.settle(0.01)
    assert exchange.records == []
    follower = await resumed(path)
    follower.board.on_media_state(True)
    asked = question(follower)
    follower.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Failed(reason="not_sent")))
    await until(lambda: follower.records, "the record")
    [record] = follower.records
    assert record.end == "shut down"
    assert [each.outcome for each in record.captures] == ["failed"]


async def test_the_record_of_a_call_with_a_final_payment_outlives_a_killed_process(path: Path) -> None:
    killed = exchange_on(path)
    call_id = await charging(killed)
    killed.tell(call_id, CaptureState.FINISHED, outcome=Declined(reason="51"))
    await ready_again(killed, call_id)
    await killed.board.submit_capture(call_id, "ann")
    killed.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    await written(killed)
    assert killed.records == []  # it goes on, and the process dies
    exchange = await resumed(path)
    [record] = exchange.records
    assert (record.call, record.end) == (call_id, "unfinished")
    assert [each.outcome for each in record.captures] == ["declined", "approved"]
    again = await resumed(path)
    assert again.records == []


async def test_a_call_that_was_recorded_is_not_recorded_by_the_next_process(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    assert len(exchange.records) == 1
    await written(exchange)
    follower = await resumed(path)
    assert follower.records == []


async def test_of_a_killed_call_whose_second_card_is_being_charged_there_is_one_record(path: Path) -> None:
    killed = exchange_on(path)
    call_id = await charging(killed)
    killed.tell(call_id, CaptureState.FINISHED, outcome=Declined(reason="51"))
    await ready_again(killed, call_id)
    await killed.board.submit_capture(call_id, "ann")
    await written(killed)
    exchange = await resumed(path)
    assert exchange.records == []
    exchange.board.on_media_state(True)
    asked = question(exchange)
    exchange.board.on_media_answer(asked, ChargeResolved(serial=0, outcome=Approved(reference="r")))
    await until(lambda: exchange.records, "the record")
    await written(exchange)
    assert [[each.outcome for each in record.captures] for record in exchange.records] == [
        ["declined", "approved"]
    ]
    again = await resumed(path)
    assert again.records == []


async def test_an_outcome_that_comes_when_the_table_is_closed_is_left_to_the_next(path: Path) -> None:
    exchange = exchange_on(path)
    call_id = await charging(exchange)
    exchange.board.shut_down()
    await exchange.board.settle(0.01)
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    with pytest.raises(NotWell):
        await exchange.board.payments(None, 1)
    follower = await resumed(path)
    follower.board.on_media_state(True)
    assert [each for each in follower.wire.commands if isinstance(each, ResolveCharge)]


# --- the same request twice -----------------------------------------------------------------------


async def test_a_key_is_known_for_a_day_and_to_its_agent_only(path: Path) -> None:
    exchange = exchange_on(path)
    anns, bens = (RequestName(agent=agent, key="k", digest=b"digest") for agent in ("ann", "ben"))
    await exchange.board.remember(anns, b"{}")
    await exchange.board.remember(anns, b"[]")
    assert await exchange_on(path).board.recall(anns) == b"{}", "the first answer"
    assert await exchange.board.recall(bens) is None
    exchange.passed += 86_401
    assert await exchange.board.recall(anns) is None
    await exchange.board.remember(anns, b"[]")
    assert await exchange.board.recall(anns) == b"[]"


async def test_keys_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b2bua.records.payments._MAX_KEYS", 3)
    table = PaymentTable(path)
    names = [RequestName(agent="ann", key=f"k-{number}", digest=b"d") for number in range(6)]
    for number, name in enumerate(names):
        table.remember(name, b"{}", 1000.0 + number)
    known = [number for number, name in enumerate(names) if table.recall(name, 1010.0)]
    assert known == [3, 4, 5]
