"""A call whose media process is gone for a while: what waits, what is asked for again, and what
ends."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.call_session import PATIENCE
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import CaptureStage, NotNow, NotWell
from media.events import (
    CaptureState,
    ClaimSession,
    CloseSession,
    Masking,
    OpenSession,
    Refused,
    SessionClaimed,
    SetMask,
    SetRemote,
    Side,
    SubmitCapture,
    Unanswered,
)
from media.mask_policy import MaskPolicy
from provider_adapters.payment import Approved
from tests.call_script import (
    AGENT_IS,
    CALLER_IS,
    CLOSE,
    COUNTERS,
    DONE,
    MASK,
    OPEN,
    RELEASE,
    SESSION,
    THEIRS,
    UNMASK,
    Script,
    collect,
    sdp,
)

CALLER, AGENT = Side.CALLER, Side.AGENT
GONE = Unanswered(serial=0, reason="the media process is not reachable")
NO_SOCKETS = Refused(serial=0, reason="no such session")


def away(script: Script) -> list[CallCommand]:
    return script._keep(script.call.media_away(script.now))


def claim(script: Script) -> ClaimSession:
    [command] = script.call.claim()
    assert isinstance(command, ToMedia)
    assert isinstance(command.command, ClaimSession)
    return command.command


def restored(script: Script, *, masked: bool = False) -> list[CallCommand]:
    found = SessionClaimed(serial=0, masked=masked, restored=True)
    return script.media(claim(script), found)


def test_the_claim_says_what_the_commands_before_it_had_said() -> None:
    script = Script().answer()
    assert away(script) == []
    found = claim(script)
    assert (found.session, found.streams, found.masking, found.codes) == (SESSION, 1, None, False)
    for said, told in ((found.caller, CALLER_IS), (found.agent, AGENT_IS)):
        assert isinstance(told.command, SetRemote)
        assert said.streams == told.command.streams
    assert isinstance(OPEN.command, OpenSession)
    assert (found.caller.interface, found.agent.interface) == (OPEN.command.caller, OPEN.command.agent)


def test_the_claim_says_how_media_is_to_mask_where_the_call_does_not_ask_for_it() -> None:
    muted = Masking(policy=MaskPolicy.MUTE)
    script = Script(policies={"near trunk": TrunkPolicy(masking=muted)}).answer()
    away(script)
    assert (claim(script).masking, claim(script).usual_masking) == (None, muted)


def test_a_call_goes_on_and_is_hung_up_as_any() -> None:
    script = Script().answer()
    away(script)
    assert restored(script) == []
    assert script.leg(CALLER, leg.LegHungUp("bye")) == [ToLeg(AGENT, leg_command.HangUpLeg("bye")), CLOSE]
    script.closed()
    assert script.records[0].caller_leg.counters == COUNTERS


def test_a_call_that_ends_meanwhile_is_claimed_for_its_counters() -> None:
    script = Script().answer()
    away(script)
    assert script.leg(CALLER, leg.LegHungUp("bye")) == [ToLeg(AGENT, leg_command.HangUpLeg("bye"))]
    assert script.records == []
    assert restored(script) == [CLOSE]
    script.closed()
    assert script.records[0].caller_leg.counters == COUNTERS


@pytest.mark.parametrize("refused", [True, False], ids=["media has no sockets", "no media comes"])
@pytest.mark.parametrize("ended", [True, False], ids=["ended", "up"])
def test_a_call_that_is_not_restored_ends_once(refused: bool, ended: bool) -> None:
    script = Script().answer()
    away(script)
    if ended:
        script.leg(CALLER, leg.LegHungUp("bye"))
    if refused:
        script.media(claim(script), NO_SOCKETS)
    else:
        assert script.expire(PATIENCE - 0.1) == []
        script.expire(0.1)
    assert [record.end for record in script.records] == ["bye" if ended else "media lost"]
    assert script.call.deadline() is None


def test_a_claim_without_an_answer_is_sent_again() -> None:
    script = Script().answer()
    away(script)
    first = claim(script)
    assert away(script) == []
    assert script.media(first, GONE) == []
    assert claim(script) == first


@pytest.mark.parametrize("stage", ["opening", "offered"])
def test_a_call_whose_ports_are_being_opened_is_refused(stage: str) -> None:
    script = Script(offer=b"") if stage == "offered" else Script()
    if stage == "offered":
        script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))
    commands = away(script)
    assert commands[0] == ToLeg(CALLER, leg_command.RejectLeg(503, "Service Unavailable", retry_after=1))
    assert isinstance(commands[-1], ToMedia)
    assert isinstance(commands[-1].command, CloseSession)
    script.media(OPEN, GONE)
    script.media(CLOSE, GONE)
    assert [record.end for record in script.records] == ["media lost"]


def test_a_ringing_call_is_answered_after_it() -> None:
    script = Script().ring()
    away(script)
    assert claim(script).agent.streams == ()
    assert restored(script) == []
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))[0] == AGENT_IS


def test_an_answer_that_came_meanwhile_waits_for_its_address() -> None:
    script = Script(prompt=False).ring()
    away(script)
    before = claim(script)
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT])) == []
    told = script.media(before, SessionClaimed(serial=0, masked=False, restored=True))
    *_, last = [each.command for each in told if isinstance(each, ToMedia)]
    assert isinstance(last, SetRemote)
    assert last.side is AGENT
    assert last.mark
    [answer] = script.media(last, DONE)
    assert isinstance(answer, ToLeg)
    assert isinstance(answer.command, leg_command.AnswerLeg)


def test_an_answer_whose_address_the_claim_says_is_sent_with_it() -> None:
    script = Script(prompt=False).ring()
    away(script)
    script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))
    [answer] = restored(script)
    assert isinstance(answer, ToLeg)
    assert isinstance(answer.command, leg_command.AnswerLeg)


def test_more_lines_whose_ports_nobody_opened_are_refused_in_place() -> None:
    script = Script().answer()
    wider = THEIRS[CALLER] + b"m=audio 4002 RTP/AVP 0\r\n"
    [widen] = script.leg(CALLER, leg.LegReinvited(wider))
    away(script)
    [offer] = script.media(widen, GONE)  # type: ignore[arg-type]
    assert isinstance(offer, ToLeg)
    assert isinstance(offer.command, leg_command.ReinviteLeg)
    assert len(claim(script).caller.streams) == 1


def test_what_was_keyed_ends_with_a_sentence_and_the_mask_stays_until_it_is_asked_to_go() -> None:
    script = Script().answer().collecting()
    assert away(script) == []
    capture = script.view.capture
    assert capture is not None
    assert capture.stage is CaptureStage.ABORTED
    assert "key again" in (capture.reason or "")
    assert script.view.masked
    assert claim(script).masking is not None
    assert restored(script, masked=True) == [UNMASK]
    assert script.start("c2") == [MASK]
    script.media(UNMASK, Refused(serial=0, reason="another command came"))
    assert script.media(MASK, DONE) == [collect("c2")]


def test_a_mask_that_media_does_not_have_is_asked_for_by_no_open_call() -> None:
    script = Script().answer()
    away(script)
    assert restored(script, masked=True) == [UNMASK]
    assert script.view.masked


@pytest.mark.parametrize("answered", [True, False])
def test_a_charge_is_neither_sent_again_nor_undone(answered: bool) -> None:
    script = Script().answer().charging()
    away(script)
    assert script.call.payment.view is not None
    if not answered:
        charge = script.call.payment.view.order.charge("c1")
        submit = SubmitCapture(session=SESSION, capture=collect("c1").command.capture, charge=charge)  # type: ignore[union-attr]
        assert script.media(submit, GONE) == []
    assert script.stage == CaptureStage.CHARGING
    with pytest.raises(NotNow):
        script.submit()
    assert not any(isinstance(each, ToMedia) for each in restored(script, masked=True))
    assert script.news("c1", CaptureState.FINISHED, outcome=Approved(reference="r")) == [RELEASE]
    assert script.stage == CaptureStage.FINISHED


def test_nothing_begins_while_it_is_away() -> None:
    script = Script().answer()
    away(script)
    assert script.view.not_capturable is not None
    with pytest.raises(NotWell, match="media process is away"):
        script.start("c1")
    restored(script)
    assert script.view.capturable
    assert script.start("c1") == [MASK]


def test_a_mask_in_flight_is_asked_for_again() -> None:
    script = Script().answer()
    asked = script._keep(script.call.announce_payment("mia", script.now))
    assert [each.command.on for each in asked if isinstance(each.command, SetMask)] == [True]  # type: ignore[union-attr]
    away(script)
    assert script.media(asked[0], GONE) == []  # type: ignore[arg-type]
    [again] = restored(script, masked=True)
    assert again == asked[0]
    script.media(again, DONE)  # type: ignore[arg-type]
    assert script.view.masked


def test_a_hold_is_relayed_without_media_and_media_hears_of_it_after() -> None:
    script = Script().answer()
    away(script)
    held = sdp("192.0.2.10", 4000, extra="a=sendonly\r\n")
    first = claim(script)
    [offer] = script.leg(CALLER, leg.LegReinvited(held))
    assert isinstance(offer, ToLeg)
    told = script.media(first, SessionClaimed(serial=0, masked=False, restored=True))
    assert [each.command.side for each in told if isinstance(each, ToMedia)] == [CALLER, AGENT]  # type: ignore[union-attr]
