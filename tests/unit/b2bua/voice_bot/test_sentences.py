"""What a bot says of a form that is no card's, and of what becomes of it."""

from __future__ import annotations

import pytest

from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, CaptureView
from b2bua.voice_bot.sentences import say
from media.events import FieldProgress
from provider_adapters.payment import Approved, ChargeOperation, Declined, Failed, Outcome, Unknown


def payment(stage: CaptureStage, operation: ChargeOperation = "deliver", **changes: object) -> CaptureView:
    order = Order(transaction_id="m-1", amount=0, currency="", operation=operation)
    return CaptureView(id="p-1", stage=stage, order=order, **changes)  # type: ignore[arg-type]


def test_a_field_that_has_no_sentence_is_asked_for_by_its_name() -> None:
    fields = (FieldProgress(field="policy_number"),)
    asked = payment(CaptureStage.COLLECTING, field="policy_number", fields=fields)
    assert say(asked, "#") == "Now your policy number, please, then the hash key."
    refused = (FieldProgress(field="policy_number", rejected=1),)
    again = payment(CaptureStage.COLLECTING, field="policy_number", fields=refused)
    assert say(again, "") == "That was not right. Please key your policy number once more."


def test_what_is_passed_on_is_not_called_a_charge() -> None:
    assert say(payment(CaptureStage.READY), "#") == "Thank you. Shall I pass that on now?"
    assert "passed on" in say(payment(CaptureStage.CHARGING), "#")
    assert say(payment(CaptureStage.READY, "charge"), "#") == "Thank you. Shall I charge it now?"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Approved(reference="r"), "We have what you keyed."),
        (Declined(reason="fields_refused"), "That was not accepted."),
        (Failed(reason="payer_gone"), "could not be passed on"),
        (Unknown(reason="payer_gone"), "Please do not key it again."),
    ],
)
def test_each_end_of_a_delivery_has_its_sentence(outcome: Outcome, said: str) -> None:
    text = say(payment(CaptureStage.FINISHED, outcome=outcome), "#")
    assert said in text
    assert "charged" not in text
    assert "bank" not in text
