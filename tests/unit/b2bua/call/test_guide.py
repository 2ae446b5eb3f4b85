"""The guide: which prompts follow from what a payment shows."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call.command import ToMedia
from b2bua.call.guide import Guide
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, CaptureView
from media.events import (
    CaptureForm,
    Field,
    FieldProgress,
    FieldReason,
    Over,
    PlayPrompt,
    PromptEnd,
    PromptEnded,
    SessionId,
    Side,
    StopPrompt,
)
from provider_adapters.payment import Approved, Declined, Failed, Unknown

S = SessionId("s")
FORM = CaptureForm(prompts="house", language="en")
ORDER = Order(transaction_id="t", amount=1200, currency="EUR")
VIEW = CaptureView(id="p", stage=CaptureStage.STARTING, order=ORDER)


def collecting(
    field: str = Field.CARD_NUMBER, brand: str | None = None, unheard: bool = False, **more: object
) -> CaptureView:
    progress = FieldProgress(field=field, **more)
    return msgspec.structs.replace(
        VIEW, stage=CaptureStage.COLLECTING, field=field, fields=(progress,), brand=brand, unheard=unheard
    )


def stage(stage: CaptureStage, **more: object) -> CaptureView:
    return msgspec.structs.replace(VIEW, stage=stage, **more)


def names(commands: list) -> tuple[str, ...]:
    """The names of the one prompt; (): there is none."""
    if not commands:
        return ()
    (command,) = commands
    assert isinstance(command, ToMedia)
    assert isinstance(command.command, PlayPrompt)
    assert command.command.side is Side.CALLER
    return command.command.prompts


def test_each_field_is_asked_for_once_and_keys_say_nothing():
    guide = Guide(S)
    assert names(guide.follow(VIEW, FORM)) == ()
    assert names(guide.follow(collecting(), FORM)) == ("card_number",)
    for count in range(1, 16):
        assert guide.follow(collecting(count=count, brand="visa"), FORM) == []
    assert names(guide.follow(collecting(Field.EXPIRY, brand="visa"), FORM)) == ("expiry.visa",)
    assert names(guide.follow(collecting(Field.SECURITY_CODE, brand="amex"), FORM)) == ("security_code.amex",)
    assert names(guide.follow(stage(CaptureStage.READY), FORM)) == ("complete",)
    assert guide.follow(stage(CaptureStage.CHARGING), FORM) == []
    assert guide.follow(stage(CaptureStage.FINISHED, outcome=Declined(reason="declined")), FORM) == []


def test_a_refusal_says_why_and_how_often():
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    wrong = {"reason": FieldReason.CARD_NUMBER_CHECK_DIGIT}
    assert names(guide.follow(collecting(rejected=1, **wrong), FORM)) == ("card_number.error.check_digit",)
    assert guide.follow(collecting(rejected=1, count=3, **wrong), FORM) == []
    assert names(guide.follow(collecting(rejected=2, **wrong), FORM)) == ("card_number.error.check_digit.2",)
    brand = {"reason": FieldReason.CARD_BRAND, "rejected": 3}
    assert names(guide.follow(collecting(**brand), FORM)) == ("card_number.error.card_brand.3",)


def test_a_field_of_the_company_s_own_has_reasons_without_its_kind():
    guide = Guide(S)
    assert names(guide.follow(collecting("birthday"), FORM)) == ("birthday",)
    refused = collecting("birthday", rejected=1, reason=FieldReason.DATE_LENGTH)
    assert names(guide.follow(refused, FORM)) == ("birthday.error.length",)
    twice = collecting("birthday", rejected=2, reason=FieldReason.ENTRIES_DIFFER)
    assert names(guide.follow(twice, FORM)) == ("birthday.error.entries_differ.2",)


def test_a_field_that_is_asked_for_again_is_another_attempt():
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    guide.follow(collecting(Field.EXPIRY), FORM)
    assert names(guide.follow(collecting(kept=True), FORM)) == ("card_number.2",)
    assert guide.follow(collecting(kept=True, count=4), FORM) == []
    guide.follow(collecting(Field.EXPIRY), FORM)
    assert names(guide.follow(stage(CaptureStage.READY), FORM)) == ("complete",)
    assert names(guide.follow(collecting(kept=True), FORM)) == ("card_number.3",)


def test_a_second_entry_is_asked_for_by_the_name_of_its_first_and_a_difference_is_said():
    guide = Guide(S)
    assert names(guide.follow(collecting("account_number"), FORM)) == ("account_number",)
    assert names(guide.follow(collecting("account_number_again"), FORM)) == ("account_number.confirm",)
    assert guide.follow(collecting("account_number_again", count=4), FORM) == []
    differ = {"reason": FieldReason.ENTRIES_DIFFER, "rejected": 1}
    refused = guide.follow(collecting("account_number", **differ), FORM)
    assert names(refused) == ("account_number.error.entries_differ",)
    assert guide.follow(collecting("account_number", count=3, **differ), FORM) == []
    assert names(guide.follow(collecting("account_number_again"), FORM)) == ("account_number.confirm.2",)
    again = guide.follow(collecting("account_number_again", unheard=True), FORM)
    assert names(again) == ("unheard", "account_number.confirm.2")


def test_a_first_entry_that_is_asked_for_again_is_no_difference():
    guide = Guide(S)
    guide.follow(collecting("account_number"), FORM)
    guide.follow(collecting("account_number_again"), FORM)
    assert names(guide.follow(collecting("account_number", kept=True), FORM)) == ("account_number.2",)


def test_who_keys_nothing_is_told_so_once():
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    assert names(guide.follow(collecting(unheard=True), FORM)) == ("unheard", "card_number")
    assert guide.follow(collecting(unheard=True), FORM) == []


def test_a_second_payment_begins_anew():
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    guide.follow(stage(CaptureStage.CANCELLED), FORM)
    second = msgspec.structs.replace(collecting(), id="q")
    assert names(guide.follow(second, FORM)) == ("card_number",)


@pytest.mark.parametrize("over", [CaptureStage.CANCELLED, CaptureStage.ABORTED])
def test_a_payment_that_ends_unpaid_ends_what_plays(over):
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    assert guide.playing == ("card_number",)
    assert guide.follow(stage(over), FORM) == [ToMedia(StopPrompt(session=S, play=1))]
    assert guide.playing == ()
    assert guide.follow(stage(over), FORM) == []


def test_what_plays_is_shown_until_it_ends():
    guide = Guide(S)
    guide.follow(collecting(), FORM)
    guide.follow(collecting(Field.EXPIRY), FORM)
    guide.ended(PromptEnded(session=S, play=1, cause=PromptEnd.STOPPED))
    assert guide.playing == ("expiry",)
    guide.ended(PromptEnded(session=S, play=2, cause=PromptEnd.KEY))
    assert guide.playing == ()


def test_a_form_without_prompts_plays_none():
    guide = Guide(S)
    for view in (collecting(), collecting(Field.EXPIRY), stage(CaptureStage.READY)):
        assert guide.follow(view, CaptureForm()) == []


def test_with_an_agent_prompts_lie_over_the_talk_and_alone_they_take_its_place():
    for alone, over in ((False, Over.DUCK), (True, Over.REPLACE)):
        guide = Guide(S, alone=alone)
        (command,) = guide.follow(collecting(), FORM)
        assert (command.command.over, command.command.prompt_set, command.command.language) == (
            over,
            "house",
            "en",
        )


def test_alone_prompts_say_the_amount_and_the_outcome():
    guide = Guide(S, alone=True)
    guide.follow(VIEW, FORM)
    assert names(guide.follow(collecting(), FORM)) == ("welcome", "card_number")
    assert names(guide.follow(stage(CaptureStage.READY), FORM)) == (
        "amount", "number-12", "currency-eur-other", "confirm",
    )  # fmt: skip
    assert names(guide.follow(stage(CaptureStage.CHARGING), FORM)) == ("charging",)
    approved = Approved(reference="r")
    assert names(guide.follow(stage(CaptureStage.FINISHED, outcome=approved), FORM)) == ("approved",)


def test_alone_a_declined_card_is_said_before_another_is_asked_for():
    guide = Guide(S, alone=True)
    guide.follow(collecting(), FORM)
    declined = stage(CaptureStage.FINISHED, outcome=Declined(reason="declined"))
    assert names(guide.follow(declined, FORM)) == ("declined",)
    second = msgspec.structs.replace(collecting(), id="q")
    assert names(guide.follow(second, FORM)) == ("declined", "card_number")


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Declined(reason="declined"), "declined"),
        (Failed(reason="x"), "failed"),
        (Unknown(reason="x"), "unknown"),
    ],
)
def test_alone_each_outcome_has_its_words(outcome, name):
    guide = Guide(S, alone=True)
    guide.follow(stage(CaptureStage.CHARGING), FORM)
    assert names(guide.follow(stage(CaptureStage.FINISHED, outcome=outcome), FORM)) == (name,)


def test_alone_an_amount_that_cannot_be_said_is_left_out():
    guide = Guide(S, alone=True)
    guide.follow(collecting(), FORM)
    ready = stage(CaptureStage.READY, order=msgspec.structs.replace(ORDER, currency="JPY"))
    assert names(guide.follow(ready, FORM)) == ("confirm",)
