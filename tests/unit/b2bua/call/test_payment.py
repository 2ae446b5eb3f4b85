"""Payments as scripts: the mask first, then the capture, the charge, the outcome, and the mask off
again."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call import leg, leg_command
from b2bua.call.cdr import CaptureRecord
from b2bua.call.command import ToLeg, ToMedia
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.trunk_policy import KeyPolicy, TrunkPolicy
from b2bua.call.view import CaptureStage, MaskStage, NotNow
from media.events import (
    AskField,
    CancelCapture,
    CaptureId,
    CaptureState,
    Field,
    FieldProgress,
    KeyNote,
    KeyWithheld,
    Masking,
    Refused,
    ResetCapture,
    SetMask,
    Side,
    SubmitCapture,
)
from media.mask_policy import MaskPolicy
from provider_adapters.payment import (
    Approved,
    Charge,
    Declined,
    Failed,
    Outcome,
    PartiallyApproved,
    Unknown,
    outcome_type,
)
from tests.call_script import (
    CLOSE,
    DONE,
    GUARD,
    MASK,
    ORDER,
    REFUSED,
    RELEASE,
    SESSION,
    THEIRS,
    UNMASK,
    Script,
    collect,
    sdp,
)

CALLER, AGENT = Side.CALLER, Side.AGENT
C1, C2 = CaptureId("c1"), CaptureId("c2")
CHARGE = Charge(
    idempotency_key="c1", transaction_id="order-1", amount=1250, currency="EUR", description="Shoes"
)
SUBMIT = ToMedia(SubmitCapture(session=SESSION, capture=C1, charge=CHARGE))
CANCEL = ToMedia(CancelCapture(session=SESSION, capture=C1))
GONE = [ToLeg(AGENT, leg_command.HangUpLeg("bye")), CLOSE]
OUTCOMES = [
    (Approved(reference="r-1", token="t-1"), "r-1"),
    (PartiallyApproved(amount=600, reference="r-3"), "r-3"),
    (Declined(reason="05", message="Do not honour", reference="r-2"), "r-2"),
    (Failed(reason="no payer"), None),
    (Unknown(reason="no answer in time"), None),
]
each_outcome = pytest.mark.parametrize(
    ("outcome", "reference"), OUTCOMES, ids=lambda value: type(value).__name__
)


def up() -> Script:
    return Script().answer()


def record(stage: str, **more: object) -> CaptureRecord:
    order = {"transaction_id": "order-1", "amount": 1250, "currency": "EUR", "payment": "c1"}
    return CaptureRecord(stage=stage, **order, **more)  # type: ignore[arg-type]


# --- the mask comes first -------------------------------------------------------------------------


def test_a_capture_collects_only_after_the_mask_and_then_media_are_confirmed():
    script = up()
    assert not script.view.masked
    assert script.start("c1") == [MASK]
    assert (script.stage, script.view.masked) == ("starting", True)
    assert script.media(MASK, DONE) == [collect("c1")]
    assert script.stage == "starting"
    assert script.media(collect("c1"), DONE) == []
    assert script.stage == "starting"
    assert script.news("c1", CaptureState.COLLECTING, field=Field.CARD_NUMBER) == []
    assert (script.stage, script.view.masked) == ("collecting", True)


def test_media_that_collects_before_the_mask_is_confirmed_is_not_believed():
    script = up()
    script.start("c1")
    script.news("c1", CaptureState.COLLECTING)
    script.news("c1", CaptureState.READY)
    assert script.stage == "starting"


def test_a_mask_that_is_refused_ends_the_capture_and_counts_as_on_until_it_is_surely_off():
    script = up()
    script.start("c1")
    assert script.media(MASK, REFUSED) == [UNMASK]
    assert script.stage == "aborted"
    assert script.view.capture is not None
    assert script.view.capture.reason == "the agent's side could not be masked: no room"
    assert (script.view.masked, script.view.mask) == (True, MaskStage.HELD)
    script.media(UNMASK, DONE)
    assert (script.view.masked, script.view.mask) == (False, MaskStage.OFF)


def test_a_capture_that_media_refuses_ends_and_leaves_its_mask_to_media():
    script = up()
    script.start("c1")
    script.media(MASK, DONE)
    assert script.media(collect("c1"), Refused(serial=0, reason="no locked memory")) == [UNMASK]
    assert (script.stage, script.view.mask) == ("aborted", MaskStage.HELD)


@pytest.mark.parametrize("phase", ["opening", "ringing"])
def test_a_capture_needs_an_answered_call(phase: str):
    script = Script()
    if phase == "ringing":
        script.ring()
    with pytest.raises(NotNow, match="not answered yet"):
        script.start("c1")


def test_a_capture_needs_a_call_that_is_not_over():
    script = up()
    script.leg(CALLER, leg.LegHungUp("bye"))
    with pytest.raises(NotNow, match="over"):
        script.start("c1")


def test_a_capture_needs_keys_that_the_customer_s_side_can_send():
    script = Script(offer=sdp("192.0.2.10", 4000, events=False)).answer(sdp("192.0.2.20", 5000, events=False))
    with pytest.raises(NotNow, match="telephone-event"):
        script.start("c1")
    assert not script.call.payment.masked


# --- keying ---------------------------------------------------------------------------------------


def test_progress_is_shown_as_counts_and_only_where_something_changed():
    script = up().collecting()
    fields = (FieldProgress(field=Field.CARD_NUMBER, count=4),)
    script.news("c1", CaptureState.COLLECTING, field=Field.CARD_NUMBER, fields=fields)
    before = len(script.shown)
    script.news("c1", CaptureState.COLLECTING, field=Field.CARD_NUMBER, fields=fields)
    assert len(script.shown) == before
    assert script.view.capture is not None
    assert script.view.capture.fields == fields


def test_news_of_an_older_capture_is_ignored():
    script = up().collecting()
    script.cancel()
    script.collecting("c2")
    script.news("c1", CaptureState.ABORTED, reason="cancelled")
    script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r"))
    script.media(collect("c1"), REFUSED)
    assert script.stage == "collecting"
    assert len(script.call.payment.records) == 1


def test_a_reset_is_handed_to_media_and_its_news_shown():
    script = up().collecting()
    script.news("c1", CaptureState.READY)
    assert script.call.reset_capture(Field.EXPIRY, script.now) == [
        ToMedia(ResetCapture(session=SESSION, capture=C1, field=Field.EXPIRY))
    ]
    assert script.stage == "ready"
    script.news("c1", CaptureState.COLLECTING, field=Field.EXPIRY)
    assert script.stage == "collecting"


def test_media_that_gives_up_ends_the_capture_with_its_reason():
    script = up().collecting()
    assert script.news("c1", CaptureState.ABORTED, reason="no key pressed for too long") == [UNMASK]
    assert script.view.capture is not None
    assert (script.stage, script.view.capture.reason) == ("aborted", "no key pressed for too long")
    assert script.call.payment.records == [record("aborted", reason="no key pressed for too long")]


# --- charging -------------------------------------------------------------------------------------


@each_outcome
def test_a_submitted_card_ends_with_its_outcome_and_the_mask_goes_off_soon_where_it_was_approved(
    outcome: Outcome, reference: str | None
):
    script = up().collecting()
    script.news("c1", CaptureState.READY, brand="visa", last_four="4242")
    assert script.submit() == [SUBMIT]
    assert script.stage == "charging"
    assert script.media(SUBMIT, DONE) == script.news("c1", CaptureState.SUBMITTED) == []
    assert script.news("c1", CaptureState.FINISHED, outcome=outcome, brand="visa", last_four="4242") == [
        UNMASK
    ]
    assert (script.stage, script.view.masked) == ("finished", True)
    assert script.view.mask is (MaskStage.RELEASING if isinstance(outcome, Approved) else MaskStage.HELD)
    assert script.view.capture is not None
    assert script.view.capture.outcome == outcome
    script.media(UNMASK, DONE)
    assert not script.view.masked
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.closed()
    kind = outcome_type(outcome)
    more = {"reference": reference, "reason": getattr(outcome, "reason", None)}
    more |= {"amount_approved": 600} if isinstance(outcome, PartiallyApproved) else {}
    assert script.records[0].captures == (
        record("finished", outcome=kind, **more, brand="visa", last_four="4242"),
    )


def test_a_refused_submission_goes_back_to_keying_with_what_media_said():
    script = up().collecting()
    script.news(
        "c1", CaptureState.READY, fields=(FieldProgress(field=Field.SECURITY_CODE, count=3, complete=True),)
    )
    script.submit()
    cleared = (FieldProgress(field=Field.SECURITY_CODE),)
    # Keyed `*` meanwhile.
    script.news("c1", CaptureState.COLLECTING, field=Field.SECURITY_CODE, fields=cleared)
    assert script.stage == "charging"
    script.media(SUBMIT, Refused(serial=0, reason="capture is collecting: submitted is not possible"))
    assert script.view.capture is not None
    assert (script.stage, script.view.capture.fields) == ("collecting", cleared)
    script.news("c1", CaptureState.READY)
    assert script.submit() == [SUBMIT]


@each_outcome
def test_a_hang_up_while_charging_waits_for_the_outcome_and_records_it(
    outcome: Outcome, reference: str | None
):
    script = up().charging()
    assert script.leg(CALLER, leg.LegHungUp("bye")) == GONE
    assert script.stage == "charging"
    assert script.closed() == []
    assert script.call.deadline() is None
    assert not script.records
    assert script.news("c1", CaptureState.FINISHED, outcome=outcome) == []
    kind = outcome_type(outcome)
    more = {"reference": reference, "reason": getattr(outcome, "reason", None)}
    more |= {"amount_approved": 600} if isinstance(outcome, PartiallyApproved) else {}
    assert [part.captures for part in script.records] == [
        (record("finished", outcome=kind, **more),),
    ]
    assert script.stage == "finished"
    assert script.call.over


def test_an_outcome_before_the_session_is_closed_asks_for_no_unmasking():
    script = up().charging()
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r"))
    assert script.call.deadline() is None
    assert script.expire(GUARD * 2) == []
    script.closed()
    assert script.call.over


def test_a_submission_that_is_refused_after_the_hang_up_is_over_at_once():
    script = up().collecting()
    script.news("c1", CaptureState.READY)
    script.submit()
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.media(SUBMIT, REFUSED)
    script.closed()
    assert [part.captures[0].stage for part in script.records] == ["aborted"]


def test_media_that_dies_while_charging_leaves_the_payment_open_until_its_outcome_is_found():
    script = up().charging()
    script.media_lost()
    assert script.view.capture is not None
    assert (script.stage, script.view.state, script.records) == ("charging", "ended", [])
    script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r"))
    assert [(part.stage, part.outcome) for part in script.records[0].captures] == [("finished", "approved")]


def test_a_session_that_is_lost_ends_the_call_and_a_charge_under_way_still_gets_its_outcome():
    script = up().charging()
    assert script.session_lost() == [
        *(ToLeg(side, leg_command.HangUpLeg("media lost")) for side in (CALLER, AGENT)),
        CLOSE,
    ]
    script.media(CLOSE, REFUSED)
    assert not script.records
    script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r"))
    assert [part.captures for part in script.records] == [
        (record("finished", outcome="approved", reference="r"),)
    ]
    assert script.call.over


def test_media_that_dies_after_the_hang_up_and_before_the_outcome_leaves_the_record_waiting_for_it():
    script = up().charging()
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.closed()
    script.media_lost()
    assert script.records == []
    script.news("c1", CaptureState.FINISHED, outcome=Unknown(reason="outcome_not_recorded"))
    assert [part.captures[0].outcome for part in script.records] == ["unknown"]


@pytest.mark.parametrize("stage", ["starting", "collecting", "ready"])
@pytest.mark.parametrize("end", ["hang-up", "media lost"])
def test_a_capture_that_was_not_submitted_ends_with_its_call(stage: str, end: str):
    script = up()
    if stage == "starting":
        script.start("c1")
    else:
        script.collecting()
        script.news("c1", CaptureState.READY if stage == "ready" else CaptureState.COLLECTING)
    script.leg(CALLER, leg.LegHungUp("bye")) if end == "hang-up" else script.media_lost()
    assert script.stage == "aborted"
    script.closed()
    assert [part.captures[0].outcome for part in script.records] == [None]
    assert script.view.masked  # what is not known to be open is not shown as open
    assert script.call.deadline() is None


# --- cancelling, and captures one after another ---------------------------------------------------


def test_a_cancelled_capture_leaves_its_mask_to_media():
    script = up().collecting()
    assert script.cancel() == [CANCEL, UNMASK]
    assert (script.stage, script.view.masked, script.view.mask) == ("cancelled", True, MaskStage.HELD)
    script.news("c1", CaptureState.ABORTED, reason="cancelled")
    assert script.stage == "cancelled"
    assert script.call.deadline() is None
    assert script.expire(1000) == []
    assert script.view.masked


def test_a_cancel_before_the_mask_is_confirmed_collects_nothing():
    script = up()
    script.start("c1")
    assert script.cancel() == [CANCEL, UNMASK]
    assert script.media(MASK, DONE) == []
    assert script.media(CANCEL, REFUSED) == []
    assert (script.stage, script.view.mask) == ("cancelled", MaskStage.HELD)
    script.media(UNMASK, DONE)
    assert not script.view.masked


@pytest.mark.parametrize("released", [False, True])
def test_a_new_capture_under_a_mask_that_is_still_on_waits_for_its_own_confirmation(released: bool):
    script = up().collecting()
    script.cancel()
    if released:
        assert script.release() == [RELEASE]
    assert script.start("c2") == [MASK]
    if released:
        assert script.media(UNMASK, REFUSED) == []
    assert script.media(RELEASE if released else UNMASK, REFUSED) == []
    assert (script.stage, script.view.masked) == ("starting", True)
    assert script.media(MASK, DONE) == [collect("c2")]


def test_the_answer_to_an_older_mask_does_not_confirm_a_newer_one():
    script = up()
    script.start("c1")
    script.cancel()  # asked to take it off, with the first answer still to come
    assert script.start("c2") == [MASK]
    assert script.media(MASK, DONE) == []
    assert script.media(UNMASK, DONE) == []
    assert script.stage == "starting"
    assert script.media(MASK, DONE) == [collect("c2")]


def test_a_late_refusal_of_an_older_mask_does_not_end_a_newer_capture():
    script = up()
    script.start("c1")
    script.cancel()
    script.start("c2")
    script.media(MASK, REFUSED)
    script.media(UNMASK, REFUSED)
    assert script.stage == "starting"
    assert script.media(MASK, DONE) == [collect("c2")]


def test_what_media_refuses_is_asked_for_again_after_a_guard_time():
    script = up().collecting()
    script.cancel()
    assert script.media(UNMASK, REFUSED) == []
    assert script.view.masked
    assert script.expire(GUARD / 2) == []
    assert script.expire(GUARD / 2) == [UNMASK]


# --- released -------------------------------------------------------------------------------------


def test_a_release_is_handed_to_media_and_a_key_takes_it_back():
    script = up().collecting()
    script.cancel()
    assert script.release() == [RELEASE]
    assert (script.view.mask, script.view.masked) == (MaskStage.RELEASING, True)
    assert script.media(UNMASK, Refused(serial=0, reason="another command came")) == []
    script.keying(True)
    assert script.media(RELEASE, Refused(serial=0, reason="still keying")) == [UNMASK]
    assert (script.view.mask, script.view.still_keying) == (MaskStage.HELD, True)
    with pytest.raises(NotNow, match="still keying"):
        script.release()
    script.keying(False)
    assert not script.view.still_keying
    assert script.release() == [RELEASE]
    script.media(UNMASK, REFUSED)
    script.media(RELEASE, DONE)
    assert (script.view.mask, script.view.masked) == (MaskStage.OFF, False)


def test_a_mask_is_not_released_while_its_payment_is_under_way_or_where_there_is_none():
    script = up()
    with pytest.raises(NotNow, match="not masked"):
        script.release()
    script.charging()
    with pytest.raises(NotNow, match="under way"):
        script.release()


def test_an_approved_payment_needs_no_release_and_says_so_where_the_customer_keys_on():
    script = up().charging()
    assert script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r")) == [UNMASK]
    script.keying(True)
    assert (script.view.mask, script.view.still_keying) == (MaskStage.RELEASING, True)
    script.media(UNMASK, DONE)
    assert (script.view.mask, script.view.still_keying) == (MaskStage.OFF, False)


def test_keys_by_info_under_the_mask_are_announced_to_media_without_their_body():
    script = up().collecting()
    script.cancel()
    key = leg.LegRequested("i1", "INFO", "application/dtmf-relay", b"Signal=5")
    assert ToMedia(KeyWithheld(session=SESSION)) in script.leg(CALLER, key)


def test_every_capture_of_a_call_is_recorded_in_order():
    script = up().collecting("c1")
    script.cancel()
    script.charging("c2")
    script.news("c2", CaptureState.FINISHED, outcome=Approved(reference="r-9"))
    script.leg(AGENT, leg.LegHungUp("bye"))
    script.closed()
    assert [(part.stage, part.outcome) for part in script.records[0].captures] == [
        ("cancelled", None),
        ("finished", "approved"),
    ]


def test_a_field_asked_for_is_handed_to_media_and_its_news_shown():
    script = up().collecting()
    with pytest.raises(NotNow, match="no payment under way"):
        up().call.ask_field(None, script.now)
    script.news("c1", CaptureState.READY)
    assert script.call.ask_field(Field.EXPIRY, script.now) == [
        ToMedia(AskField(session=SESSION, capture=C1, field=Field.EXPIRY))
    ]
    script.news("c1", CaptureState.COLLECTING, field=Field.EXPIRY)
    assert script.stage == "collecting"
    assert script.call.ask_field(None, script.now) == [ToMedia(AskField(session=SESSION, capture=C1))]


# --- what does not fit ----------------------------------------------------------------------------


def test_what_does_not_fit_the_stage_is_refused_and_changes_nothing():
    script = up()
    for ask in (script.submit, script.cancel, lambda: script.call.reset_capture(None, script.now)):
        with pytest.raises(NotNow, match="no payment under way"):
            ask()
    script.start("c1")
    with pytest.raises(NotNow, match="starting"):
        script.submit()
    with pytest.raises(NotNow, match="starting"):
        script.call.reset_capture(None, script.now)
    script.media(MASK, DONE)
    script.news("c1", CaptureState.COLLECTING)
    with pytest.raises(NotNow, match="not keyed everything"):
        script.submit()
    with pytest.raises(NotNow, match="already under way"):
        script.start("c2")
    assert script.view.capture is not None
    assert script.view.capture.id == "c1"
    assert script.view.capture.order == msgspec.structs.replace(ORDER, form="card")


def test_a_charge_that_was_sent_cannot_be_called_back_or_sent_again():
    script = up().charging()
    with pytest.raises(NotNow, match="cannot be called back"):
        script.cancel()
    with pytest.raises(NotNow, match="charging"):
        script.submit()
    with pytest.raises(NotNow, match="charging"):
        script.call.reset_capture(None, script.now)
    with pytest.raises(NotNow, match="already under way"):
        script.start("c2")


@pytest.mark.parametrize("stage", [CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED])
def test_noise_after_the_end_of_a_capture_changes_nothing(stage: CaptureStage):
    script = up().charging() if stage is CaptureStage.FINISHED else up().collecting()
    if stage is CaptureStage.FINISHED:
        script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r"))
    elif stage is CaptureStage.CANCELLED:
        script.cancel()
    else:
        script.news("c1", CaptureState.ABORTED, reason="a digit was lost")
    before = script.view
    for state in CaptureState:
        script.news("c1", state, outcome=Unknown(reason="late") if state is CaptureState.FINISHED else None)
    script.media(SUBMIT, REFUSED)
    script.media(collect("c1"), REFUSED)
    assert script.view == before
    assert len(script.call.payment.records) == 1


@pytest.mark.parametrize("near", [CALLER, AGENT])
def test_an_agent_s_side_without_telephone_event_takes_it_from_nobody_but_itself(near: Side):
    plain = {
        side: sdp(*ends, events=side is CALLER)
        for side, ends in {CALLER: ("192.0.2.10", 4000), AGENT: ("192.0.2.20", 5000)}.items()
    }
    script = Script(near, offer=plain[near]).answer(plain[OTHER[near]])
    assert b"telephone-event" in script.call.bridge.offer_answer.legs[CALLER].local
    script.collecting()
    script.leg(AGENT, leg.LegReinvited(plain[AGENT]))
    script.leg(CALLER, leg.ReinviteAnswered(plain[CALLER]))
    assert (script.stage, script.view.masked) == ("collecting", True)
    assert b"telephone-event" not in script.call.bridge.offer_answer.legs[AGENT].local


# --- hold while the customer may key --------------------------------------------------------------

HOLDS = {"sendonly": "recvonly", "inactive": "inactive"}


def held(side: Side, direction: str) -> bytes:
    return THEIRS[side] + f"a={direction}\r\n".encode()


@pytest.mark.parametrize("direction", HOLDS)
def test_a_hold_of_the_agent_s_side_is_answered_here_and_offered_on_when_the_mask_is_off(direction: str):
    script = up().collecting()
    commands = script.leg(AGENT, leg.LegReinvited(held(AGENT, direction)))
    [answer] = [command.command for command in commands if isinstance(command, ToLeg)]
    assert isinstance(answer, leg_command.AnswerReinvite)
    assert f"a={HOLDS[direction]}".encode() in answer.answer
    assert script.cancel()[:2] == [CANCEL, UNMASK]
    script.release()
    assert [command for command in script.media(UNMASK, REFUSED) if isinstance(command, ToLeg)] == []
    [offered] = [command for command in script.media(RELEASE, DONE) if isinstance(command, ToLeg)]
    assert offered.side is CALLER
    assert isinstance(offered.command, leg_command.ReinviteLeg)
    assert f"a={direction}".encode() in offered.command.offer
    script.leg(CALLER, leg.ReinviteAnswered(held(CALLER, HOLDS[direction])))
    assert not script.call.bridge.renegotiation.busy


def test_a_hold_that_ended_under_the_mask_is_never_heard_of_by_the_customer():
    script = up().collecting()
    script.leg(AGENT, leg.LegReinvited(held(AGENT, "sendonly")))
    [_, answered] = script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT]))
    assert isinstance(answered.command, leg_command.AnswerReinvite)  # type: ignore[union-attr]
    assert b"recvonly" not in answered.command.answer  # type: ignore[union-attr]
    script.cancel()
    assert [command for command in script.media(UNMASK, DONE) if isinstance(command, ToLeg)] == []


def test_a_payment_that_begins_on_hold_takes_the_customer_off_it():
    script = up()
    script.leg(AGENT, leg.LegReinvited(held(AGENT, "sendonly")))
    script.leg(CALLER, leg.ReinviteAnswered(held(CALLER, "recvonly")))
    [offered] = [command for command in script.start("c1") if isinstance(command, ToLeg)]
    assert offered.side is CALLER
    assert b"sendonly" not in offered.command.offer  # type: ignore[union-attr]


# --- the call changes under the capture -----------------------------------------------------------


@pytest.mark.parametrize("side", [CALLER, AGENT])
def test_a_call_that_loses_telephone_event_ends_the_capture_and_keeps_the_mask(side: Side):
    script = up()
    script.start("c1")
    script.media(MASK, DONE)
    script.news("c1", CaptureState.COLLECTING)
    other = AGENT if side is CALLER else CALLER
    script.leg(side, leg.LegReinvited(sdp("192.0.2.30", 6000, events=False)))
    assert script.stage == "collecting"  # offered, not agreed
    commands = script.leg(other, leg.ReinviteAnswered(sdp("192.0.2.40", 6100, events=False)))
    assert commands[-2:] == [CANCEL, UNMASK]
    assert (script.stage, script.view.masked) == ("aborted", True)
    assert "telephone-event" in str(script.view.capture.reason)


def test_nothing_is_captured_while_the_call_is_renegotiated():
    script = up()
    script.leg(CALLER, leg.LegReinvited(sdp("192.0.2.30", 6000)))
    with pytest.raises(NotNow):
        script.start("c1")


@pytest.mark.parametrize(("near", "carrier"), [(Side.CALLER, "near trunk"), (Side.AGENT, "far trunk")])
def test_the_mask_is_as_the_customer_s_trunk_wants_it(near: Side, carrier: str):
    wanted = Masking(policy=MaskPolicy.MUTE_ON_KEY, pause=3.0)
    muting = TrunkPolicy(masking=Masking(policy=MaskPolicy.MUTE))
    script = Script(near, policies={carrier: TrunkPolicy(masking=wanted), "pbx": muting}).answer()
    [asked] = script.start("c1")
    assert asked == ToMedia(SetMask(session=SESSION, on=True, masking=wanted))


def test_slow_mode_is_for_keys_that_come_twice_for_it_tells_which_neighbours_are_equal():
    script = Script().answer().collecting()
    with pytest.raises(NotNow, match="come twice"):
        script.call.slow_keys(True, script.now)
    script.news("c1", CaptureState.COLLECTING, notes=(KeyNote.AS_EVENTS, KeyNote.DOUBLED))
    (command,) = script.call.slow_keys(True, script.now)
    assert isinstance(command, ToMedia)
    script.news("c1", CaptureState.COLLECTING, notes=(KeyNote.DOUBLED,), slow=True)
    assert script.call.slow_keys(True, script.now), "once more is no fault"
    assert script.call.slow_keys(False, script.now)


def test_slow_mode_of_a_trunk_may_be_switched_off_and_on():
    policies = {"near trunk": TrunkPolicy(keys=KeyPolicy(slow=True))}
    script = Script(policies=policies).answer().collecting()
    script.news("c1", CaptureState.COLLECTING, slow=False)
    assert script.call.slow_keys(True, script.now)
