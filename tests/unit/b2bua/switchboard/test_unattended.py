"""Forms without an agent over a played engine and played media: what becomes of a call in each of
its steps, whichever way it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from b2bua.audit.entry import Result
from b2bua.call import leg, leg_command
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.routing.form_end import FormRule, NextPlace
from b2bua.call.routing.router import Pattern, Rule
from media.events import (
    CancelCapture,
    CaptureChanged,
    CaptureForm,
    CaptureState,
    Field,
    FieldProgress,
    PlayPrompt,
    PromptEnd,
    PromptEnded,
    SessionLost,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    StopPrompt,
    SubmitCapture,
    Wish,
)
from provider_adapters.payment import Declined, Failed, Outcome, PartiallyApproved, Unknown
from tests.stack import until
from tests.unit.b2bua.switchboard.form_exchange import APPROVED, ENDS, NEAR, FormExchange
from tests.unit.b2bua.switchboard.played_log import Log


async def test_no_packet_goes_to_our_end_and_the_next_place_gets_them():
    exchange = FormExchange()
    await exchange.going_on()
    ours = [each.streams[0].port for each in exchange.sent(SetRemote) if each.side is Side.AGENT]
    assert ours
    assert set(ours) == {0}
    exchange.next_answers()
    assert exchange.sent(SetRemote)[-2].streams[0].port == 5000


async def test_a_mask_is_confirmed_before_the_customer_may_key():
    exchange = FormExchange()
    exchange.wire.obeys = True
    exchange.begins()
    await until(lambda: exchange.sent(SetMask), "the mask", 5)
    kinds = [type(each) for each in exchange.wire.commands]
    assert kinds.index(SetMask) < kinds.index(StartCapture)
    [start] = exchange.sent(StartCapture)
    assert start.wishes


async def test_the_card_is_submitted_once_the_amount_is_confirmed_and_never_before():
    exchange = FormExchange()
    await exchange.confirming()
    exchange.wish(Wish.CONFIRM)  # at once: the end key of the last field, pressed from habit
    assert exchange.step == "confirming"
    exchange.passed += 2
    for _ in range(3):
        exchange.wish(Wish.CONFIRM)
    await exchange.at("charging")
    assert len(exchange.sent(SubmitCapture)) == 1


@pytest.mark.parametrize(
    ("outcome", "number", "why"),
    [
        (APPROVED, "700", None),
        (Failed(reason="refused"), "600", "failed"),
        (Unknown(reason="timeout"), "600", "unknown"),
        (PartiallyApproved(amount=100, reference="ch_2"), "600", "unknown"),
    ],
)
async def test_each_outcome_leads_to_its_place(outcome: Outcome, number: str, why: str | None):
    exchange = FormExchange()
    await exchange.settled(outcome)
    assert exchange.invited() == [number]
    assert exchange.why == why
    assert len(exchange.sent(SubmitCapture)) == 1


async def test_a_declined_card_is_followed_by_another_so_many_times():
    exchange = FormExchange()
    declined = Declined(reason="insufficient_funds")
    for card in range(3):
        if card == 0:
            await exchange.charging()
        else:
            await until(lambda: len(exchange.sent(StartCapture)) == card + 1, "another capture", 5)  # noqa: B023
            exchange.tell(exchange.call_id, CaptureState.COLLECTING)
            exchange.tell(exchange.call_id, CaptureState.READY)
            exchange.passed += 2
            exchange.wish(Wish.CONFIRM)
            await exchange.at("charging")
        exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=declined)
    assert exchange.invited() == ["600"]
    assert exchange.why == "declined"
    assert len({each.capture for each in exchange.sent(SubmitCapture)}) == 3


@pytest.mark.parametrize("step", ["keying", "confirming"])
async def test_a_person_may_be_asked_for_until_the_card_is_submitted(step: str):
    exchange = FormExchange()
    await getattr(exchange, step)()
    exchange.wish(Wish.PERSON)
    assert exchange.invited() == ["600"]
    assert exchange.why == "person_wanted"
    assert exchange.sent(CancelCapture)
    assert not exchange.sent(SubmitCapture)


@pytest.mark.parametrize("step", ["submitting", "charging"])
async def test_nobody_is_asked_for_while_a_card_is_charged(step: str):
    exchange = FormExchange()
    await getattr(exchange, step)()
    exchange.wish(Wish.PERSON)
    await exchange.at("charging")
    assert exchange.invited() == []
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=APPROVED)
    assert exchange.invited() == ["700"]


async def test_places_are_tried_in_their_order_and_then_the_call_ends():
    exchange = FormExchange()
    await exchange.going_on()
    exchange.next_refuses()
    assert exchange.invited() == ["700", "800"]
    exchange.next_refuses(480)
    assert exchange.wire.to(NEAR)[-1] == leg_command.HangUpLeg("form over")
    [record] = exchange.records
    assert (record.end, record.transfers, record.agent_leg.trunk) == ("form over", 0, "form:card")


async def test_the_record_of_a_call_that_went_on_names_the_place_and_no_transfer():
    exchange = FormExchange()
    await exchange.done()
    exchange.board.on_leg_event(NEAR, leg.LegHungUp("bye"))
    [record] = exchange.records
    assert (record.agent_leg.trunk, record.transfers, record.code) == ("pbx", 0, 200)
    [capture] = record.captures
    assert capture.outcome == "approved"


async def test_a_place_that_leads_back_here_is_not_called_for_ever():
    exchange = FormExchange()
    await exchange.going_on()
    [invite] = [each for _, each in exchange.wire.sent if isinstance(each, leg_command.InviteLeg)]
    assert invite.max_forwards == 69


async def test_without_an_order_a_person_takes_the_call_and_nothing_is_asked():
    exchange = FormExchange(FormRule("card", NextPlace("pbx", "700"), NextPlace("pbx", "600")))
    exchange.begins()
    await exchange.at("going on")
    assert exchange.invited() == ["600"]
    assert exchange.why == "nothing_owed"
    assert not exchange.sent(StartCapture)


async def test_a_customer_who_keys_nothing_is_waited_for_and_then_has_a_person():
    exchange = FormExchange()
    await exchange.keying()
    entry = exchange.board._context.registry.get(exchange.call_id)
    for step in ("keying", "going on"):
        exchange.passed += ENDS.silence + 1
        exchange.board._executor.step(entry, entry.call.expire)
        assert exchange.step == step
    assert exchange.why == "silent"


@pytest.mark.parametrize("step", ["keying", "confirming"])
async def test_a_customer_who_keys_and_clears_for_ever_comes_to_a_person(step: str):
    exchange = FormExchange()
    await getattr(exchange, step)()
    entry = exchange.board._context.registry.get(exchange.call_id)
    fields = [FieldProgress(field=Field.CARD_NUMBER, count=count) for count in (1, 0)]
    for number in range(int(ENDS.time_limit / 10)):
        exchange.tell(exchange.call_id, CaptureState.COLLECTING, fields=(fields[number % 2],))
        if step == "confirming":
            exchange.tell(exchange.call_id, CaptureState.READY)
        exchange.passed += 10
        assert exchange.step == step
        exchange.board._executor.step(entry, entry.call.expire)
    exchange.passed += 10
    exchange.board._executor.step(entry, entry.call.expire)
    assert exchange.why == "too_long"
    assert exchange.invited() == ["600"]
    assert not exchange.sent(SubmitCapture)


async def test_a_charge_has_no_time_limit_of_the_customers():
    exchange = FormExchange()
    await exchange.charging()
    exchange.passed += 2 * ENDS.time_limit
    entry = exchange.board._context.registry.get(exchange.call_id)
    exchange.board._executor.step(entry, entry.call.expire)
    assert exchange.step == "charging"


FAR = "far end hangs up"
STEPS = ["begins", "keying", "confirming", "submitting", "charging", "going_on", "done"]
ENDINGS: dict[str, Callable[[FormExchange], None]] = {
    "caller hangs up": lambda at: at.board.on_leg_event(NEAR, leg.LegHungUp("bye")),
    "media lost": lambda at: at.lose_media(),
    "media gone": lambda at: at.kill_media(restores=False),
    "session lost": lambda at: at.board.on_media_news(SessionLost(session=at.call_id)),
    "shut down": lambda at: at.board.shut_down(),
}


CELLS = [*((step, ending) for step in STEPS for ending in ENDINGS), *((step, FAR) for step in STEPS[-2:])]


@pytest.mark.parametrize(("step", "ending"), CELLS)
async def test_every_step_has_an_end_however_the_call_ends(step: str, ending: str):
    exchange = FormExchange()
    began = getattr(exchange, step)()
    if asyncio.iscoroutine(began):
        await began
    before = len(exchange.invited())
    if ending == FAR:
        event = leg.LegHungUp("bye") if step == "done" else leg.LegFailed(480, "gone")
        exchange.board.on_leg_event(exchange.next_leg(), event)
        if step == "going_on":
            assert exchange.invited() == ["700", "800"]
            exchange.next_refuses()
    else:
        ENDINGS[ending](exchange)
    submitted = exchange.sent(SubmitCapture)
    if step == "submitting":
        await asyncio.sleep(0)
    if submitted and step == "charging":
        assert exchange.records == []  # the outcome is awaited
        capture = submitted[-1].capture
        news = CaptureChanged(
            session=exchange.call_id, capture=capture, state=CaptureState.FINISHED, outcome=APPROVED
        )
        exchange.board.on_media_news(news)
    await until(lambda: exchange.records, "the record", 5)
    [record] = exchange.records
    assert record.ended_at
    if step != "going_on":
        # A form without media goes on to a person, who is there when the next one is.
        to_person = step in ("keying", "confirming", "submitting") and ending.startswith("media")
        assert len(exchange.invited()) == before + to_person
    stages = [each.stage for each in record.captures]
    if step in ("keying", "confirming"):
        assert stages == ["aborted"]
        assert not submitted
    if step in ("charging", "going_on", "done"):
        assert stages == ["finished"]
    assert len(exchange.board._context.registry) == 0
    assert exchange.board._context.registry.legs == 0


async def test_a_transfer_of_the_caller_is_no_way_around_the_form():
    exchange = FormExchange()
    await exchange.keying()
    referred = leg.LegReferred("r1", leg.Party("900"))
    exchange.board.on_leg_event(NEAR, referred)
    assert exchange.wire.to(NEAR)[-1] == leg_command.AnswerReferral("r1", 603)
    assert exchange.step == "keying"


async def test_an_agent_takes_the_payment_over_and_the_form_asks_for_nothing_more():
    exchange = FormExchange()
    await exchange.confirming()
    await exchange.board.take_over_capture(exchange.call_id, "desk-1")
    assert exchange.step == "watching"
    exchange.passed += 2
    exchange.wish(Wish.CONFIRM)
    assert not exchange.sent(SubmitCapture)
    await exchange.board.submit_capture(exchange.call_id, "desk-1")
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=APPROVED)
    assert exchange.invited() == ["700"]


async def test_nothing_starts_in_a_call_that_went_on_to_a_person_meanwhile():
    """The mask is asked for after a step of the table; the customer's wish may come before."""
    exchange = FormExchange()
    exchange.begins()
    entry = exchange.board._context.registry.get(exchange.call_id)
    exchange.passed += 60
    exchange.board._executor.step(entry, entry.call.expire)  # too slow: a person
    await until(lambda: exchange.invited() == ["600"], "the person", 5)
    desk = exchange.board._context.carry_out.__self__
    await desk._tasks.wait(5)  # until what was asked for is done with
    assert len(desk._tasks) == 0
    assert not exchange.sent(StartCapture)


class Spoken(FormExchange):
    """The same with prompts, none of which ends by itself."""

    def __init__(self, agent_tones: str = "") -> None:
        super().__init__()
        form = CaptureForm(prompts="shipped", agent_tones=agent_tones)
        self.board._context.forms = {"card": form}
        ends = replace(ENDS, form="card")
        charging = ChargeDefaults(form=form)
        rules = [Rule("pay", callee=Pattern.read("500"), ends=ends, charging=charging)]
        self.board._plan.router._rules = tuple(rules)

    def said(self) -> list[tuple[str, ...]]:
        return [each.prompts for each in self.sent(PlayPrompt)]

    def heard(self) -> None:
        play = self.sent(PlayPrompt)[-1].play
        news = PromptEnded(session=self.call_id, play=play, cause=PromptEnd.DONE)
        self.board.on_media_news(news)

    def later(self, seconds: float) -> None:
        self.passed += seconds
        entry = self.board._context.registry.get(self.call_id)
        self.board._executor.step(entry, entry.call.expire)


async def test_the_amount_and_the_outcome_are_spoken_and_the_call_goes_on_behind_them():
    exchange = Spoken()
    await exchange.confirming()
    assert exchange.said()[-1][0] == "amount"
    assert exchange.said()[-1][-1] == "confirm"
    exchange.passed += 2
    exchange.wish(Wish.CONFIRM)
    await exchange.at("charging")
    assert exchange.said()[-1] == ("charging",)
    for _ in range(2):
        before = len(exchange.said())
        exchange.later(16)
        assert exchange.said()[before:] == [("charging",)]
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=APPROVED)
    assert exchange.said()[-1] == ("approved",)
    assert exchange.step == "telling"
    assert exchange.invited() == []
    exchange.heard()
    assert exchange.invited() == ["700"]
    assert exchange.said()[-1] == ("transfer",)
    exchange.next_answers()
    assert exchange.sent(StopPrompt)[-1].play == exchange.sent(PlayPrompt)[-1].play


async def test_a_prompt_that_never_ends_keeps_no_call():
    exchange = Spoken()
    await exchange.settled(APPROVED)
    exchange.later(16)
    assert exchange.invited() == ["700"]


async def test_a_silent_customer_is_asked_again_before_a_person_comes():
    exchange = Spoken()
    await exchange.confirming()
    exchange.heard()
    exchange.later(ENDS.silence + 1)
    assert exchange.said()[-1][-1] == "confirm"
    assert exchange.step == "confirming"
    exchange.heard()
    exchange.later(ENDS.silence + 1)
    assert exchange.why == "silent"
    assert exchange.said()[-1] == ("transfer",)


async def test_a_customer_without_a_next_place_hears_goodbye_first():
    exchange = Spoken()
    await exchange.settled(APPROVED)
    exchange.heard()
    exchange.next_refuses()
    exchange.next_refuses()
    assert exchange.said()[-1] == ("goodbye",)
    assert exchange.records == []
    exchange.heard()
    assert exchange.wire.to(NEAR)[-1] == leg_command.HangUpLeg("form over")


async def test_without_an_agent_no_tone_is_played():
    exchange = Spoken(agent_tones="shipped")
    await exchange.keying()
    for complete in (False, True):
        field = FieldProgress(field=Field.EXPIRY, complete=complete)
        exchange.tell(exchange.call_id, CaptureState.COLLECTING, fields=(field,))
    exchange.tell(exchange.call_id, CaptureState.READY)
    exchange.passed += 2
    exchange.wish(Wish.CONFIRM)
    await exchange.at("charging")
    exchange.tell(exchange.call_id, CaptureState.FINISHED, outcome=APPROVED)
    assert exchange.said()[-1] == ("approved",)
    assert {each.side for each in exchange.sent(PlayPrompt)} == {Side.CALLER}


async def test_what_a_form_starts_and_charges_is_in_the_audit_log_first():
    log = Log()
    exchange = FormExchange(recorder=log)
    await exchange.confirming()
    exchange.passed += 2
    exchange.wish(Wish.CONFIRM)
    await exchange.at("charging")
    await until(lambda: len(log.entries) == 4, "the last result", 5)
    asked = [number for number, each in enumerate(log.entries, 1) if each.result is Result.ASKED]
    assert [log.entries[number - 1].what for number in asked] == ["start_payment", "submit_card"]
    # A result is written as the payment goes on: the first may come behind the second wish.
    results = {each.of: each.what for each in log.entries if each.result is Result.DONE}
    assert results == dict(zip(asked, ("start_payment", "submit_card"), strict=True))
    assert {each.who for each in log.entries} == {"no agent"}
    assert {(each.call, str(each.details)) for each in log.entries} == {(exchange.call_id, "{'by': 'form'}")}


async def test_without_a_log_that_is_required_no_form_starts_or_charges_and_a_person_takes_the_call():
    log = Log(required=True)
    log.is_full = True
    exchange = FormExchange(recorder=log)
    exchange.wire.obeys = True
    exchange.begins()
    await exchange.at("going on")
    assert (exchange.why, exchange.sent(SetMask)) == ("not_started", [])
    log.is_full = False
    exchange = FormExchange(recorder=log)
    await exchange.confirming()
    log.is_full, exchange.passed = True, exchange.passed + 2
    exchange.wish(Wish.CONFIRM)
    await exchange.at("going on")
    assert (exchange.why, exchange.sent(SubmitCapture)) == ("not_submitted", [])
