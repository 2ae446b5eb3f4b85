"""What agents key on their own telephones, carried out with the rights of the one whose it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.audit.entry import Result
from b2bua.call import leg
from b2bua.call.agent_phone import Claim
from b2bua.call.feature_codes import CodeView, Feature
from b2bua.call.leg import LegId
from b2bua.call.order import Order
from b2bua.call.prepared import FindBy
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import CaptureStage, CaptureView
from b2bua.config.feature_settings import FeatureCodeSettings
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.claims import CALL_TRIES
from media.events import CaptureState, CodeKeyed, Field, FieldProgress, SessionId, SetMask
from provider_adapters.payment import Approved
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tests.unit.b2bua.switchboard.played_log import Log
from tonewall.ini import load

ORDER = Order(transaction_id="order-1", amount=700, currency="EUR")
CODES = load(FeatureCodeSettings, {}).codes()
POLICIES = {"pbx": TrunkPolicy(feature_codes=True), "carrier": TrunkPolicy()}
_RUNNING: list[Exchange] = []


@pytest.fixture(autouse=True)
async def ended() -> AsyncIterator[None]:
    yield
    for each in _RUNNING:
        await each.board._features.close()
        await each.board._context.payments._storage.tasks.cancel()
    _RUNNING.clear()


async def an_exchange(path: Path | None = None, **plan: Any) -> Exchange:
    table = PaymentTable(path) if path is not None else None
    exchange = Exchange(payments=table, feature_codes=CODES, policies=POLICIES, **plan)
    _RUNNING.append(exchange)
    await exchange.board.resume_payments()
    return exchange


def press(exchange: Exchange, call: str, code: str) -> None:
    exchange.board.on_media_news(CodeKeyed(session=SessionId(call), code=code))


async def keyed(exchange: Exchange, call: str, code: str) -> CodeView:
    """What became of a code."""

    def count() -> int:
        found = newest(exchange, call)
        return found.count if found is not None else 0

    before = count()
    press(exchange, call, code)
    await until(lambda: count() > before, "the code to be carried out")
    found = newest(exchange, call)
    assert found is not None
    return found


def newest(exchange: Exchange, call: str) -> CodeView | None:
    return next((view.feature_code for view in exchange.board.calls() if view.id == call), None)


def capture(exchange: Exchange, call: str) -> CaptureView:
    [found] = [view.capture for view in exchange.board.calls() if view.id == call]
    assert found is not None
    return found


async def linked(exchange: Exchange, call: str, agent: str = "ann", order: Order | None = ORDER) -> None:
    claim = exchange.board.open_claim(agent, order)
    assert (await keyed(exchange, call, claim.code)).done


def collect(exchange: Exchange, call: str, field: Field = Field.CARD_NUMBER) -> None:
    fields = tuple(FieldProgress(field=each) for each in Field)
    exchange.tell(call, CaptureState.COLLECTING, field=field, fields=fields)


async def test_a_payment_is_driven_by_codes_from_its_start_to_its_end() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    await linked(exchange, call)
    assert (await keyed(exchange, call, "1")).done
    assert capture(exchange, call).agent == "ann"
    collect(exchange, call)
    for code in ("4", "42"):
        assert (await keyed(exchange, call, code)).done, code
    exchange.tell(call, CaptureState.READY)
    assert (await keyed(exchange, call, "2")).done
    assert capture(exchange, call).stage is CaptureStage.CHARGING
    exchange.tell(call, CaptureState.FINISHED, outcome=Approved(reference="r"))
    assert (await keyed(exchange, call, "9")).reason == "The line is not masked."
    kinds = [type(command).__name__ for command in exchange.wire.commands]
    for kind in ("StartCapture", "ResetCapture", "AskField", "SubmitCapture"):
        assert kinds.count(kind) == 1, kind


async def test_a_mask_that_is_held_is_released_by_a_code() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    await linked(exchange, call)
    assert (await keyed(exchange, call, "1")).done
    exchange.wire.obeys = False  # media keeps the mask, since nobody has said that keying is over
    assert (await keyed(exchange, call, "0")).done
    assert (await keyed(exchange, call, "9")).done
    assert exchange.wire.commands[-1] == SetMask(session=SessionId(call), on=False, released=True)


async def test_a_line_is_masked_by_a_code_before_its_payment() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    assert (await keyed(exchange, call, "5")).done
    assert [view.masked for view in exchange.board.calls()] == [True]
    await linked(exchange, call)
    assert (await keyed(exchange, call, "1")).done  # what it had masked by itself went over to ann
    assert capture(exchange, call).agent == "ann"
    await linked(exchange, call, agent="ben")
    assert not (await keyed(exchange, call, "0")).done  # it is ann's, and stays so


async def test_whose_telephone_it_is_decides_as_whom_it_acts() -> None:
    exchange = await an_exchange(extensions={"600": "ben"})
    by_extension, by_number = exchange.up(callee="600"), exchange.up(near="near-1", callee="700")
    for call in (by_extension, by_number):
        await exchange.board.start_capture(call, ORDER, "ben", allow_repeat=True)
    assert (await keyed(exchange, by_extension, "0")).done
    refused = await keyed(exchange, by_number, "0")
    assert not refused.done
    assert "ben's" in (refused.reason or "")
    assert capture(exchange, by_number).stage is CaptureStage.STARTING
    exchange.board.on_leg_event(LegId("near-1"), leg.LegHungUp("bye"))
    third = exchange.up(near="near-2", callee="700")
    await linked(exchange, third, agent="ben")
    assert (await keyed(exchange, third, "1")).done
    assert capture(exchange, third).agent == "ben"


async def test_a_telephone_that_nobody_claimed_acts_for_its_own_number() -> None:
    exchange = await an_exchange()
    call = exchange.up(callee="700")
    await exchange.board.prepare_payment(ORDER, FindBy(callee="700"), "crm")
    assert (await keyed(exchange, call, "1")).done
    assert capture(exchange, call).started_by == "phone:700"
    assert (await keyed(exchange, call, "0")).done


async def test_of_several_prepared_payments_none_is_chosen() -> None:
    exchange = await an_exchange()
    call = exchange.up(callee="700")
    for number in (1, 2):
        order = Order(transaction_id=f"order-{number}", amount=700, currency="EUR")
        await exchange.board.prepare_payment(order, FindBy(callee="700"), "crm")
    refused = await keyed(exchange, call, "1")
    assert (refused.done, refused.reason) == (
        False,
        "Several payments are prepared for this call. Start one on the page.",
    )


async def test_what_does_not_fit_is_refused_in_words_and_changes_nothing() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    commands = len(exchange.wire.commands)
    asked = {
        "1": Feature.START,
        "2": Feature.SUBMIT,
        "3": Feature.SKIP,
        "4": Feature.ASK,
        "41": Feature.ASK,
        "0": Feature.CANCEL,
        "9": Feature.RELEASE,
        "77": Feature.UNKNOWN,
        "1234": Feature.LINK,
    }
    for code, feature in asked.items():
        refused = await keyed(exchange, call, code)
        assert (refused.feature, refused.done, bool(refused.reason)) == (feature, False, True), code
    assert len(exchange.wire.commands) == commands
    await linked(exchange, call)
    assert (await keyed(exchange, call, "1")).done
    collect(exchange, call)
    assert (await keyed(exchange, call, "49")).reason == "The form of this payment has no such field."
    assert not (await keyed(exchange, call, "3")).done  # the card number is needed


async def test_a_code_before_the_answer_is_refused_and_one_after_the_end_changes_nothing() -> None:
    exchange = await an_exchange()
    claim = exchange.board.open_claim("ann")
    exchange.invite()
    [ringing] = exchange.board.calls()
    assert (await keyed(exchange, ringing.id, claim.code)).reason == "The call is not answered."
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    press(exchange, ringing.id, "1")
    call = exchange.up(near="near-1")
    press(exchange, call, "1")
    exchange.board.on_leg_event(LegId("near-1"), leg.LegHungUp("bye"))  # before it was carried out
    await until(lambda: not exchange.board._features._busy, "the code to be given up")
    assert exchange.board.calls() == []


async def test_a_code_that_comes_while_another_is_carried_out_is_refused() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    await linked(exchange, call)
    press(exchange, call, "1")
    press(exchange, call, "1")
    await until(lambda: (found := newest(exchange, call)) is not None and found.count == 3, "both")
    assert capture(exchange, call).stage is CaptureStage.STARTING
    assert [type(each).__name__ for each in exchange.wire.commands].count("SetMask") == 1


async def test_wrong_short_codes_lock_prepared_payments_out_too() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    payment = await exchange.board.prepare_payment(ORDER, FindBy(code="4711"), "crm")
    for _ in range(CALL_TRIES):
        assert not (await keyed(exchange, call, "9999")).done
    assert not (await keyed(exchange, call, "4711")).done
    assert (await exchange.board.payment(payment.id)).call == ""
    other = exchange.up(near="near-1")
    assert (await keyed(exchange, other, "4711")).done
    assert (await exchange.board.payment(payment.id)).call == other


async def test_an_order_that_was_charged_is_not_charged_again_by_telephone_unless_its_claim_says_so() -> None:
    exchange = await an_exchange()
    for number, (repeats, done) in enumerate(((False, True), (False, False), (True, True))):
        call = exchange.up(near=f"near-{number}")
        claim = exchange.board.open_claim("ann", ORDER, allow_repeat=repeats)
        assert (await keyed(exchange, call, claim.code)).done
        assert (await keyed(exchange, call, "1")).done is done
        if done:
            collect(exchange, call)
            exchange.tell(call, CaptureState.READY)
            assert (await keyed(exchange, call, "2")).done
            exchange.tell(call, CaptureState.FINISHED, outcome=Approved(reference="r"))


async def test_a_call_stays_linked_in_another_process_and_its_claim_does_not() -> None:
    first, second = await an_exchange(), await an_exchange()
    call = first.up()
    await linked(first, call)
    open_one = first.board.open_claim("ben")
    second.board.restore(first.board.snapshot(0.0), 0.0)
    [view] = second.board.calls()
    assert (view.id, view.agent) == (call, "ann")
    assert (await keyed(second, call, "1")).done
    assert second.board.find_claim(open_one.id, "ben") is None
    first.board.abandon()


async def test_no_code_is_in_a_view_or_a_representation() -> None:
    exchange = await an_exchange()
    call = exchange.up()
    claim = exchange.board.open_claim("ann")
    assert (await keyed(exchange, call, claim.code)).done
    [view] = exchange.board.calls()
    assert claim.code not in repr((view, Claim(id="c", agent="ann"), exchange.board._features.claims))
    assert "4711" not in repr(CodeKeyed(session=SessionId(call), code="4711"))


async def test_each_code_is_in_the_audit_log_before_it_is_done_and_with_what_became_of_it() -> None:
    log = Log()
    exchange = await an_exchange(recorder=log)
    call = exchange.up()
    claim = exchange.board.open_claim("ann", ORDER)
    for code, done in ((claim.code, True), ("1", True), ("2", False), ("77", False)):
        assert (await keyed(exchange, call, code)).done is done
    asked, result = log.entries[2:4]
    assert [(each.who, each.what, each.result, each.of) for each in log.entries] == [
        ("phone:500", "link_telephone", Result.ASKED, 0),
        ("phone:500", "link_telephone", Result.DONE, 1),
        ("ann", "start_payment", Result.ASKED, 0),
        ("ann", "start_payment", Result.DONE, 3),
        ("ann", "submit_card", Result.ASKED, 0),
        ("ann", "submit_card", Result.REFUSED, 5),
    ]
    assert (asked.call, result.details) == (call, {"by": "telephone"})
    assert claim.code not in repr(log.entries)


async def test_without_a_log_that_is_required_nothing_is_started_and_what_ends_a_payment_is_done() -> None:
    log = Log(required=True)
    exchange = await an_exchange(recorder=log)
    call = exchange.up()
    await linked(exchange, call)
    log.is_full = True
    refused = await keyed(exchange, call, "1")
    assert refused.reason == "The audit log cannot be written, so this is not done."
    log.is_full = False
    assert (await keyed(exchange, call, "1")).done
    log.is_full = True
    assert (await keyed(exchange, call, "0")).done
    log.required = False
    assert (await keyed(exchange, call, "5")).done
