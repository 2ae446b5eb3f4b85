"""Puts a payment into words for a voice bot: what is going on, and what to say to the customer.

Rule 1: of the card there are counts, brand, last four and an outcome, as in `CaptureView`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from b2bua.call.view import CaptureStage, CaptureView
from media.events import Field, FieldName, FieldProgress
from provider_adapters.payment import Approved, Declined, Failed, PartiallyApproved, Unknown

_ASK: Final[Mapping[FieldName, str]] = {
    Field.CARD_NUMBER: "Please key your card number on your phone{end}.",
    Field.EXPIRY: "Now the expiry date, please: two digits for the month, two for the year{end}.",
    Field.SECURITY_CODE: "Now the security code of your card, please{end}.",
}
_AGAIN: Final[Mapping[FieldName, str]] = {
    Field.CARD_NUMBER: "That number was not quite right. Please key your card number once more{end}.",
    Field.EXPIRY: "That date was not right. Please key month and year once more{end}.",
    Field.SECURITY_CODE: "That code was not right. Please key the security code once more{end}.",
}

# Of a field that is no card's, by its name.
_OTHER: Final = "Now your {field}, please{end}."
_OTHER_AGAIN: Final = "That was not right. Please key your {field} once more{end}."
# By the operation of the order.
_READY: Final[Mapping[str, str]] = {
    "charge": "Thank you. Shall I charge it now?",
    "authorise": "Thank you. Shall I charge it now?",
    "verify": "Thank you. Shall I have the bank check your card now?",
    "deliver": "Thank you. Shall I pass that on now?",
}


def say(capture: CaptureView | None, end_key: str) -> str:
    """What the bot says to the customer now; empty where it waits. `end_key`: as in
    FormDescription."""
    if capture is None:
        return ""
    end = {"#": ", then the hash key", "*": ", then the star key"}.get(end_key, "")
    match capture.stage:
        case CaptureStage.COLLECTING if capture.field is not None:
            progress = _of(capture, capture.field)
            again = progress.rejected > 0 and progress.count == 0
            words = (_AGAIN if again else _ASK).get(capture.field, _OTHER_AGAIN if again else _OTHER)
            return words.format(end=end, field=capture.field.replace("_", " "))
        case CaptureStage.READY:
            return _READY[capture.order.operation]
        case CaptureStage.CHARGING if _is_delivered(capture):
            return "One moment, please. It is being passed on."
        case CaptureStage.CHARGING:
            return "One moment, please. The bank is answering."
        case CaptureStage.FINISHED:
            return _say_delivery(capture) if _is_delivered(capture) else _say_outcome(capture)
        case _:
            return ""


def _say_outcome(capture: CaptureView) -> str:
    match capture.outcome:
        case Approved():
            return "Thank you. Your payment went through."
        case PartiallyApproved():
            return "Your bank allowed a part of the amount only."
        case Declined():
            return "Your bank did not accept this card, and nothing was charged."
        case Failed():
            return "That did not go through, and nothing was charged."
        case Unknown():
            return "The bank has not confirmed the payment yet. Please do not pay again."
        case _:
            return ""


def _is_delivered(capture: CaptureView) -> bool:
    return capture.order.operation == "deliver"


def _say_delivery(capture: CaptureView) -> str:
    match capture.outcome:
        case Approved():
            return "Thank you. We have what you keyed."
        case Declined():
            return "That was not accepted."
        case Failed():
            return "That could not be passed on."
        case _:
            return "We are checking whether it arrived. Please do not key it again."


def _of(capture: CaptureView, field: FieldName) -> FieldProgress:
    return next((each for each in capture.fields if each.field == field), FieldProgress(field=field))
