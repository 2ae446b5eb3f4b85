"""An agent who hangs up during a payment, over a played engine and played media: the form goes on
without one, another agent is called, or the call ends."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.leg import LegId
from b2bua.call.order import Order
from b2bua.call.routing.form_end import FormRule, NextPlace
from b2bua.call.routing.router import Rule
from b2bua.call.unattended_view import UNATTENDED
from b2bua.call.view import CallState, NotYours
from media.events import (
    CancelCapture,
    CaptureForm,
    CaptureState,
    Field,
    FieldProgress,
    PlayPrompt,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    SubmitCapture,
    WatchWishes,
    Wish,
)
from provider_adapters.payment import Approved, Declined, Unknown
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tests.unit.b2bua.switchboard.form_exchange import APPROVED, FormExchange

ALONE = FormRule("card", NextPlace("pbx", "700"), NextPlace("pbx", "600"), NextPlace("pbx", "800"))
ANOTHER = FormRule("card", person=NextPlace("pbx", "501"), otherwise=NextPlace("pbx", "800"), drives=False)
ORDER = Order(transaction_id="order-1", amount=1250, currency="EUR", description="Shoes")
NEAR, AGENT = LegId("near-0"), LegId("far-1")


class LeftExchange(FormExchange):
    """A switchboard whose agents may hang up; `call_id` is the one call's."""

    def __init__(self, left: FormRule | None, prompts: str = "") -> None:
        form = CaptureForm(prompts=prompts)
        charging = ChargeDefaults(form=form)
        Exchange.__init__(self, rules=[Rule("sales", to=("pbx",), charging=charging, left=left)])
        self.board._context.forms = {"card": form}
        self.call_id = ""
        self.far = LegId("")

    def answered(self) -> None:
        self.call_id = self.up()
        self.board.on_leg_event(NEAR, leg.LegConfirmed())
        self.far = self.next_leg()

    async def collecting(self) -> None:
        self.answered()
        await self.board.start_capture(self.call_id, ORDER, "mia")
        await until(lambda: self.sent(StartCapture), "a capture", 5)
        self.tell(self.call_id, CaptureState.COLLECTING)

    async def ready(self) -> None:
        await self.collecting()
        self.tell(self.call_id, CaptureState.READY)

    async def agent_charges(self) -> None:
        await self.ready()
        await self.board.submit_capture(self.call_id, "mia")
        assert len(self.sent(SubmitCapture)) == 1

    def agent_hangs_up(self) -> None:
        self.board.on_leg_event(self.far, leg.LegHungUp("bye"))

    @property
    def capture(self):
        [call] = [each for each in self.board.calls() if each.id == self.call_id]
        return call.capture

    def ended(self) -> bool:
        return leg_command.HangUpLeg("bye") in self.wire.to(NEAR)


STAGES = ["collecting", "ready", "agent_charges"]
STEPS = {"collecting": "keying", "ready": "confirming", "agent_charges": "charging"}


@pytest.mark.parametrize("stage", STAGES)
async def test_the_form_goes_on_where_it_stands(stage: str):
    exchange = LeftExchange(ALONE)
    await getattr(exchange, stage)()
    exchange.agent_hangs_up()
    await exchange.at(STEPS[stage])
    assert not exchange.ended()
    assert exchange.capture.agent == UNATTENDED
    assert exchange.sent(WatchWishes)[-1].capture == exchange.sent(StartCapture)[-1].capture
    assert [each.streams[0].port for each in exchange.sent(SetRemote) if each.side is Side.AGENT][-1] == 0
    assert not [each for each in exchange.sent(SetMask) if not each.on]
    assert not exchange.sent(CancelCapture)


async def test_the_customer_pays_alone_and_the_call_goes_on():
    exchange = LeftExchange(ALONE)
    await exchange.collecting()
    exchange.agent_hangs_up()
    exchange.tell(exchange.call_id, CaptureState.READY)
    exchange.passed += 2
    exchange.wish(Wish.CONFIRM)
    await exchange.at("charging")
    assert exchange.sent(SubmitCapture)[-1].charge.amount == 1250
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=APPROVED)
    assert exchange.invited()[-1] == "700"


@pytest.mark.parametrize(
    ("outcome", "place"),
    [(APPROVED, "700"), (Declined(reason="expired"), None), (Unknown(reason="timeout"), "600")],
)
async def test_a_charge_under_way_has_one_outcome(outcome: Approved | Declined | Unknown, place: str | None):
    exchange = LeftExchange(ALONE)
    await exchange.agent_charges()
    exchange.agent_hangs_up()
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=outcome)
    if place is not None:
        assert exchange.invited()[-1] == place
        return
    await until(lambda: len(exchange.sent(StartCapture)) == 2, "another card", 5)
    assert exchange.sent(StartCapture)[-1].wishes


async def test_a_payment_whose_mask_is_on_its_way_starts_for_a_customer_alone():
    exchange = LeftExchange(ALONE)
    exchange.answered()
    mask = exchange.wire.on_answer
    exchange.wire.on_answer = lambda command, answer: (
        None if isinstance(command, SetMask) else mask(command, answer)
    )
    await exchange.board.start_capture(exchange.call_id, ORDER, "mia")
    exchange.agent_hangs_up()
    await exchange.at("taking over")
    [command] = exchange.sent(SetMask)
    mask(command, exchange.wire.answer(command))
    assert exchange.sent(StartCapture)[-1].wishes
    exchange.tell(exchange.call_id, CaptureState.COLLECTING)
    assert exchange.step == "keying"


@pytest.mark.parametrize("stage", STAGES[:2])
async def test_another_agent_is_called_and_the_payment_stays_as_it_is(stage: str):
    exchange = LeftExchange(ANOTHER)
    await getattr(exchange, stage)()
    exchange.agent_hangs_up()
    await exchange.at("going on")
    assert exchange.invited()[-1] == "501"
    assert exchange.capture.agent == "mia"
    exchange.next_answers()
    await exchange.at("done")
    assert not exchange.sent(CancelCapture)
    assert not [each for each in exchange.sent(SetMask) if not each.on]
    await exchange.board.take_over_capture(exchange.call_id, "leo")
    exchange.tell(exchange.call_id, CaptureState.READY)
    await exchange.board.submit_capture(exchange.call_id, "leo")
    assert len(exchange.sent(SubmitCapture)) == 1


async def test_where_no_other_agent_answers_the_call_ends_and_nothing_is_charged():
    exchange = LeftExchange(ANOTHER)
    await exchange.ready()
    exchange.agent_hangs_up()
    exchange.next_refuses()
    assert exchange.invited()[-1] == "800"
    exchange.next_refuses()
    assert exchange.wire.to(NEAR)[-1] == leg_command.HangUpLeg("form over")
    assert not exchange.sent(SubmitCapture)
    [record] = exchange.records
    assert record.captures[0].stage == "aborted"


@pytest.mark.parametrize("left", [None, ALONE])
async def test_without_a_payment_under_way_or_without_a_rule_the_call_ends(left: FormRule | None):
    exchange = LeftExchange(left)
    if left is None:
        await exchange.collecting()
    else:
        exchange.answered()
    exchange.agent_hangs_up()
    assert exchange.ended()
    assert [each for each in exchange.board.calls() if each.state is not CallState.ENDED] == []


async def test_the_agent_who_hung_up_takes_it_back_before_anything_is_asked_of_it():
    exchange = LeftExchange(ALONE)
    await exchange.ready()
    exchange.agent_hangs_up()
    with pytest.raises(NotYours):
        await exchange.board.submit_capture(exchange.call_id, "mia")
    await exchange.board.take_over_capture(exchange.call_id, "mia")
    await exchange.at("watching")


async def test_the_next_agent_may_hang_up_as_well():
    exchange = LeftExchange(ANOTHER)
    await exchange.collecting()
    for _ in range(2):
        exchange.agent_hangs_up()
        exchange.next_answers()
        await exchange.at("done")
        exchange.far = exchange.next_leg()
    assert exchange.invited() == ["500", "501", "501"]


@pytest.mark.parametrize(("stage", "names"), [("collecting", "card_number"), ("ready", "confirm")])
async def test_the_customer_is_asked_once_more(stage: str, names: str):
    exchange = LeftExchange(ALONE, prompts="shipped")
    await getattr(exchange, stage)()
    if stage == "collecting":
        number = FieldProgress(field=Field.CARD_NUMBER, count=0)
        exchange.tell(exchange.call_id, CaptureState.COLLECTING, field=number.field, fields=(number,))
    before = len(exchange.sent(PlayPrompt))
    exchange.agent_hangs_up()
    await exchange.at(STEPS[stage])
    assert exchange.sent(PlayPrompt)[before:][0].prompts[-1] == names


async def test_a_customer_who_waits_for_another_agent_is_asked_for_no_confirmation():
    exchange = LeftExchange(ANOTHER, prompts="shipped")
    await exchange.collecting()
    exchange.agent_hangs_up()
    exchange.tell(exchange.call_id, CaptureState.READY)
    assert exchange.sent(PlayPrompt)[-1].prompts == ("complete",)
    exchange.wish(Wish.CONFIRM)
    assert not exchange.sent(SubmitCapture)
