"""Tones for the agent: which of them follows from what a payment shows, and where it is played."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call.agent_tones import AgentTones
from b2bua.call.command import ToMedia
from b2bua.call.order import Order
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.view import CaptureStage, CaptureView
from media.events import (
    CaptureForm,
    CaptureState,
    FieldProgress,
    Over,
    PlayPrompt,
    SessionId,
    Side,
    StartCapture,
)
from media.prompts.tones import TONES
from provider_adapters.payment import Approved, Declined, Failed, Unknown
from tests.call_script import DONE, MASK, Script

S = SessionId("s")
FORM = CaptureForm(agent_tones="placeholder")
ORDER = Order(transaction_id="t", amount=1200, currency="EUR")
VIEW = CaptureView(id="p", stage=CaptureStage.STARTING, order=ORDER)


def fields(*progress: FieldProgress, stage: CaptureStage = CaptureStage.COLLECTING) -> CaptureView:
    return msgspec.structs.replace(VIEW, stage=stage, fields=progress)


def field(name: str, **more: object) -> FieldProgress:
    return FieldProgress(field=name, **more)


def finished(outcome: object) -> CaptureView:
    return msgspec.structs.replace(VIEW, stage=CaptureStage.FINISHED, outcome=outcome)


def begun(*progress: FieldProgress) -> AgentTones:
    """Where these fields are shown."""
    tones = AgentTones(S)
    assert tones.follow(VIEW, FORM) == []
    tones.follow(fields(*progress), FORM)
    return tones


def played(commands: list) -> str:
    """The name of the one tone; empty: none."""
    if not commands:
        return ""
    (command,) = commands
    assert isinstance(command, ToMedia)
    play = command.command
    assert isinstance(play, PlayPrompt)
    assert (play.side, play.over, play.barge_in) == (Side.AGENT, Over.DUCK, False)
    (name,) = play.prompts
    assert name in TONES
    return name


def test_keys_have_no_tone_and_a_complete_field_has_one():
    tones = begun(field("card_number"), field("expiry"))
    for count in range(1, 16):
        assert tones.follow(fields(field("card_number", count=count), field("expiry")), FORM) == []
    complete = field("card_number", count=16, complete=True)
    assert played(tones.follow(fields(complete, field("expiry")), FORM)) == "tone-complete"
    assert tones.follow(fields(complete, field("expiry", count=1)), FORM) == []
    ready = fields(complete, field("expiry", count=4, complete=True), stage=CaptureStage.READY)
    assert played(tones.follow(ready, FORM)) == "tone-complete"
    assert tones.follow(ready, FORM) == []


def test_every_refusal_has_a_tone():
    tones = begun(field("card_number"))
    assert played(tones.follow(fields(field("card_number", rejected=1)), FORM)) == "tone-wrong"
    assert tones.follow(fields(field("card_number", rejected=1, count=3)), FORM) == []
    assert played(tones.follow(fields(field("card_number", rejected=2)), FORM)) == "tone-wrong"


def test_a_refusal_goes_before_a_field_that_is_complete_by_it():
    tones = begun(field("nrb"), field("nrb_again"))
    view = fields(field("nrb", complete=True), field("nrb_again", rejected=1))
    assert played(tones.follow(view, FORM)) == "tone-wrong"


def test_a_field_that_is_skipped_has_none():
    tones = begun(field("security_code"))
    assert tones.follow(fields(field("security_code", complete=True, skipped=True)), FORM) == []


def test_a_field_that_is_keyed_again_has_a_tone_again():
    tones = begun(field("expiry", complete=True))
    assert tones.follow(fields(field("expiry", kept=True)), FORM) == []
    assert played(tones.follow(fields(field("expiry", complete=True)), FORM)) == "tone-complete"


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Approved(reference="r"), "tone-done"),
        (Declined(reason="declined"), ""),
        (Failed(reason="x"), ""),
        (Unknown(reason="x"), ""),
    ],
)
def test_of_the_outcomes_an_approval_alone_has_a_tone(outcome, name):
    tones = begun(field("expiry", complete=True))
    assert played(tones.follow(finished(outcome), FORM)) == name
    assert tones.follow(finished(outcome), FORM) == []


def test_an_outcome_that_is_found_later_has_none():
    tones = begun(field("expiry", complete=True))
    tones.follow(finished(Unknown(reason="x")), FORM)
    assert tones.follow(finished(Approved(reference="r")), FORM) == []


def test_a_payment_that_is_met_half_way_has_no_tone_for_what_was_before():
    tones = AgentTones(S)
    assert tones.follow(fields(field("card_number", complete=True, rejected=2)), FORM) == []
    second = msgspec.structs.replace(fields(field("card_number", complete=True)), id="q")
    assert tones.follow(second, FORM) == []


def test_a_form_without_tones_plays_none():
    tones = AgentTones(S)
    for view in (VIEW, fields(field("expiry")), fields(field("expiry", complete=True))):
        assert tones.follow(view, CaptureForm()) == []


def test_tones_are_of_the_set_and_language_of_the_form_s_prompts():
    for form, language in (
        (CaptureForm(agent_tones="placeholder", language="de"), "en"),
        (CaptureForm(agent_tones="house", prompts="house", language="de"), "de"),
    ):
        tones = AgentTones(S)
        tones.follow(fields(field("expiry")), form)
        (command,) = tones.follow(fields(field("expiry", complete=True)), form)
        assert (command.command.prompt_set, command.command.language) == (form.agent_tones, language)


def test_each_play_has_a_number_of_its_own():
    tones = begun(field("expiry"))
    numbers = set()
    for count in range(1, 4):
        (command,) = tones.follow(fields(field("expiry", rejected=count)), FORM)
        numbers.add(command.command.play)
    assert len(numbers) == 3
    assert min(numbers) >= 2_000_000


def test_a_call_plays_them_and_goes_on_with_them_in_another_process():
    script = Script().answer()
    form = CaptureForm(agent_tones="placeholder")
    script._keep(script.call.start_capture("c1", ORDER, script.now, form=form))
    [start] = script.media(MASK, DONE)
    assert isinstance(start.command, StartCapture)
    script.media(start.command, DONE)
    number, expiry = field("card_number", count=16, complete=True), field("expiry")
    script.news("c1", CaptureState.COLLECTING, fields=(field("card_number"), expiry))
    assert tones_of(script.news("c1", CaptureState.COLLECTING, fields=(number, expiry))) == ["tone-complete"]
    script.call = restore_call(snapshot_call(script.call, script.now), script.now)
    refused = (number, field("expiry", rejected=1))
    assert tones_of(script.news("c1", CaptureState.COLLECTING, fields=refused)) == ["tone-wrong"]


def tones_of(commands: list) -> list[str]:
    plays = [each.command for each in commands if isinstance(each, ToMedia)]
    return [name for play in plays if isinstance(play, PlayPrompt) for name in play.prompts]
