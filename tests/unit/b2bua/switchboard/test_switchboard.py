"""The switchboard: which leg, answer and request belongs to which call, what is carried out in
which order, what is forgotten."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call import leg, leg_command
from b2bua.call.leg import LegId
from b2bua.call.service_view import ServiceView
from b2bua.call.view import CallState, CallView, NoSuchCall, NotNow, NotWell, PaymentView
from media.events import (
    CaptureChanged,
    CaptureId,
    CaptureState,
    CloseSession,
    CountSessions,
    Done,
    PayerFault,
    SessionId,
    SetMask,
    StartCapture,
    SubmitCapture,
)
from provider_adapters.payment import Approved
from tests.call_script import ORDER
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import COUNTED, Exchange


@pytest.mark.parametrize(
    ("trunk", "far", "direction"), [("carrier", "pbx", "inbound"), ("pbx", "carrier", "outbound")]
)
async def test_a_call_of_one_trunk_goes_to_the_other(trunk: str, far: str, direction: str):
    exchange = Exchange()
    exchange.invite(trunk=trunk)
    (invite,) = exchange.wire.to("far-0")
    assert isinstance(invite, leg_command.InviteLeg)
    assert invite.trunk == far
    assert [(call.direction, call.state) for call in exchange.board.calls()] == [
        (direction, CallState.RINGING)
    ]


@pytest.mark.parametrize("reason", ["a trunk that is none", "media is away"])
async def test_a_call_that_cannot_be_carried_is_refused_at_once(reason: str):
    exchange = Exchange()
    exchange.wire.connected = reason != "media is away"
    exchange.invite(trunk="carrier" if reason == "media is away" else "stranger")
    assert exchange.wire.to("near-0") == [leg_command.RejectLeg(503, "Service Unavailable")]
    assert exchange.board.health()["calls"] == 0
    assert not exchange.wire.commands


async def test_a_call_that_is_over_is_recorded_and_forgotten():
    exchange = Exchange()
    call_id = exchange.up()
    exchange.board.on_leg_event(LegId("far-0"), leg.LegHungUp("bye"))
    assert exchange.wire.to("near-0")[-1] == leg_command.HangUpLeg("bye")
    assert [(record.call, record.end) for record in exchange.records] == [(call_id, "bye")]
    assert exchange.board.health()["calls"] == 0
    assert exchange.board.calls() == []
    with pytest.raises(NoSuchCall):
        await exchange.board.start_capture(call_id, ORDER)
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("late"))
    assert len(exchange.records) == 1


async def test_calls_do_not_touch_each_other():
    exchange = Exchange()
    first, second = exchange.up("near-0"), exchange.up("near-1")
    assert first != second
    await exchange.board.start_capture(second, ORDER)
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    assert exchange.wire.to("far-0")[-1] == leg_command.HangUpLeg("bye")
    assert not any(isinstance(command, leg_command.HangUpLeg) for command in exchange.wire.to("far-1"))
    assert [call.id for call in exchange.board.calls()] == [second]
    assert {command.session for command in exchange.wire.commands if isinstance(command, SetMask)} == {second}


async def test_an_agent_pays_a_card_and_media_is_asked_to_take_the_mask_off():
    exchange = Exchange()
    call_id = exchange.up()
    view = await exchange.board.start_capture(call_id, ORDER)
    assert view.masked
    assert view.capture is not None
    sent = [type(command) for command in exchange.wire.commands]
    assert sent.index(SetMask) < sent.index(StartCapture)
    exchange.tell(call_id, CaptureState.COLLECTING)
    with pytest.raises(NotNow):
        await exchange.board.submit_capture(call_id)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id)
    assert isinstance(exchange.wire.commands[-1], SubmitCapture)
    exchange.tell(call_id, CaptureState.FINISHED, outcome=Approved(reference="r"))
    assert exchange.wire.commands[-1] == SetMask(session=SessionId(call_id), on=False)
    await until(lambda: not exchange.board.calls()[0].masked, "media's answer")


async def test_a_mask_that_is_not_on_cannot_be_released():
    exchange = Exchange()
    call_id = exchange.up()
    with pytest.raises(NotNow, match="not masked"):
        await exchange.board.release_mask(call_id)


async def test_followers_see_the_calls_that_are_up_and_then_each_change():
    exchange = Exchange()
    call_id = exchange.up()
    follower = exchange.board.follow()
    assert (await anext(follower)).state is CallState.UP
    await exchange.board.start_capture(call_id, ORDER)
    changed = await anext(follower)
    assert isinstance(changed, CallView)
    assert changed.capture is not None
    seen = [changed]
    while not isinstance(seen[-1], PaymentView):
        seen.append(await anext(follower))
    assert isinstance(seen[-2], CallView)
    assert seen[-2].masked_since is not None
    exchange.board.on_leg_event(LegId("near-0"), leg.LegHungUp("bye"))
    assert (await anext(follower)).state is CallState.ENDED


async def test_nobody_answers_and_the_timer_ends_the_call():
    exchange = Exchange(ring_time=0.02)
    exchange.invite()
    await until(lambda: exchange.records, "the record")
    assert exchange.wire.to("near-0") == [leg_command.RejectLeg(480, "Temporarily Unavailable")]
    assert exchange.records[0].end == "no answer"


async def test_what_a_command_causes_at_once_waits_for_the_commands_before_it():
    exchange = Exchange()

    def refuse(leg_id: LegId, command: leg_command.LegCommand) -> None:
        if isinstance(command, leg_command.InviteLeg):  # an engine that cannot even send it
            exchange.board.on_leg_event(leg_id, leg.LegFailed(503, "Service Unavailable"))

    exchange.wire.on_execute = refuse
    exchange.invite()
    assert exchange.wire.to("near-0") == [leg_command.RejectLeg(503, "Service Unavailable")]
    assert [record.code for record in exchange.records] == [503]
    assert exchange.board.health()["calls"] == 0


async def test_an_error_in_one_call_ends_it_and_no_other():
    exchange = Exchange()
    broken, other = exchange.up("near-0"), exchange.up("near-1")
    exchange.board.on_leg_event(LegId("near-0"), "no event at all")  # type: ignore[arg-type]
    assert (
        exchange.wire.to("near-0")[-1]
        == exchange.wire.to("far-0")[-1]
        == leg_command.HangUpLeg("internal error")
    )
    assert exchange.wire.commands[-1] == CloseSession(session=SessionId(broken))
    assert exchange.board.health()["calls"] == 1
    assert (await exchange.board.start_capture(other, ORDER)).masked


async def test_media_that_dies_ends_every_call_and_new_ones_wait_for_it():
    exchange = Exchange()
    exchange.up("near-0")
    exchange.up("near-1")
    exchange.board.count()
    assert exchange.board.health()["payers"] == 3
    exchange.lose_media()
    assert [record.end for record in exchange.records] == ["media lost"] * 2
    health = exchange.board.health()
    assert (health["calls"], health["media"], health["payers"]) == (0, False, 0)
    exchange.wire.connected = True
    exchange.board.on_media_state(True)
    assert exchange.board.health()["payers"] == 3
    assert exchange.up("near-2")


async def test_a_payment_is_refused_while_media_is_away_or_no_payer_waits():
    exchange = Exchange()
    call_id = exchange.up()
    exchange.wire.connected = False
    with pytest.raises(NotWell, match="the media process is away"):
        await exchange.board.start_capture(call_id, ORDER)
    exchange.wire.connected = True
    follower = exchange.board.follow()
    for payers in (1, 0):
        exchange.board.on_media_answer(CountSessions(), msgspec.structs.replace(COUNTED, payers=payers))
        exchange.passed += 10
    exchange.board.on_media_answer(
        CountSessions(), msgspec.structs.replace(COUNTED, payers=0, payer_fault=PayerFault.JOURNAL)
    )
    with pytest.raises(NotWell, match="the payment journal cannot be written"):
        await exchange.board.start_capture(call_id, ORDER)
    (view,) = exchange.board.calls()
    assert view.capture is None
    assert not view.masked
    follower._end()
    published = [each for each in [item async for item in follower] if isinstance(each, ServiceView)]
    assert [fault.what for fault in published[-1].faults] == ["payers"]


async def test_the_end_of_the_service_ends_every_call_and_follower():
    exchange = Exchange()
    exchange.up("near-0")
    exchange.invite("near-1")
    follower = exchange.board.follow()
    exchange.board.shut_down()
    await exchange.board.settle(1.0)
    assert exchange.wire.to("near-0")[-1] == leg_command.HangUpLeg("shut down")
    assert exchange.wire.to("near-1")[-1] == leg_command.RejectLeg(503, "Service Unavailable")
    assert [record.end for record in exchange.records] == ["shut down"] * 2
    assert [view.state async for view in follower][-1] is CallState.ENDED


async def test_a_charge_under_way_at_the_end_of_the_service_leaves_no_record_without_its_outcome():
    exchange = Exchange()
    call_id = exchange.up()
    await exchange.board.start_capture(call_id, ORDER)
    exchange.tell(call_id, CaptureState.COLLECTING)
    exchange.tell(call_id, CaptureState.READY)
    await exchange.board.submit_capture(call_id)
    exchange.board.shut_down()
    assert exchange.records == []  # its outcome may still come
    await exchange.board.settle(0.01)
    # test_payments.py has what the next process makes of it.
    assert exchange.records == []


async def test_a_command_that_fails_ends_its_call_and_no_other():
    exchange = Exchange()
    exchange.up("near-0")
    exchange.up("near-1")

    def fail(leg_id: LegId, command: leg_command.LegCommand) -> None:
        if leg_id == "near-0":
            raise RuntimeError("a bug of ours")

    exchange.wire.on_execute = fail
    # Refused on the leg: the command fails.
    exchange.board.on_leg_event(LegId("near-0"), leg.LegReinvited(b"nonsense"))
    exchange.wire.on_execute = None
    exchange.board.on_leg_event(LegId("near-1"), leg.LegHungUp("bye"))
    assert [record.end for record in exchange.records] == ["bye"]
    exchange.invite("near-2")
    assert [call.state for call in exchange.board.calls()][-1] is CallState.RINGING


async def test_what_belongs_to_no_call_is_ignored():
    exchange = Exchange()
    exchange.board.on_leg_event(LegId("nobody"), leg.LegHungUp("bye"))
    nobody = SessionId("nobody")
    exchange.board.on_media_answer(SetMask(session=nobody, on=True), Done(serial=0))
    exchange.board.on_media_news(
        CaptureChanged(session=nobody, capture=CaptureId("c"), state=CaptureState.COLLECTING)
    )
    assert not exchange.wire.sent
    for ask in (
        exchange.board.ask_field,
        exchange.board.reset_capture,
        exchange.board.submit_capture,
        exchange.board.cancel_capture,
    ):
        with pytest.raises(NoSuchCall):
            await ask("nobody")


async def test_a_thousand_calls_leave_nothing_behind():
    exchange = Exchange()
    for number in range(1000):
        exchange.up(f"near-{number}")
        exchange.board.on_leg_event(LegId(f"near-{number}"), leg.LegHungUp("bye"))
    assert len(exchange.records) == 1000
    assert exchange.board.health()["calls"] == 0
    assert len(exchange.board._context.registry) == 0
    assert exchange.board._context.registry.legs == 0


async def test_who_is_refused_a_place_takes_up_none_of_its_trunk_s():
    exchange = Exchange(limits={"pbx": (2, 0.0)})
    call_id = exchange.up()
    for number in range(3):
        for wanted in ("nobody", "far-0"):
            invited = leg.LegInvited("pbx", leg.Party("600"), leg.Party("500"), b"", replaces=LegId(wanted))
            exchange.board.on_leg_event(LegId(f"new-{number}-{wanted}"), invited)
            code = 481 if wanted == "nobody" else 488
            assert exchange.wire.to(f"new-{number}-{wanted}") == [leg_command.RejectLeg(code, "")]
    assert [view.id for view in exchange.board.calls()] == [call_id]
