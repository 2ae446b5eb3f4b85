"""Reads Adyen's answers as outcomes, and counts amounts as Adyen does."""

from __future__ import annotations

import msgspec

from provider_adapters.approval import approve
from provider_adapters.base import Response
from provider_adapters.codes.adyen import ERRORS, REASONS, SHIFTS
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import from_provider, to_provider
from provider_adapters.payment import (
    Accepted,
    Charge,
    Declined,
    Failed,
    FollowUpOutcome,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_IN_PROGRESS = "704"  # the same key is being carried out
_OF_3DS = frozenset(
    {"AuthenticationFinished", "AuthenticationNotRequired", "ChallengeShopper", "IdentifyShopper"}
    | {"PresentToShopper", "RedirectShopper"}
)


class Amount(msgspec.Struct):
    """As Adyen counts it."""

    currency: str
    value: int


class _Answer(msgspec.Struct, rename="camel"):
    """PaymentResponse, as far as it decides."""

    result_code: str = ""
    psp_reference: str = ""
    refusal_reason: str | None = None
    refusal_reason_code: str | None = None
    amount: Amount | None = None
    additional_data: dict[str, object] = {}


class _Error(msgspec.Struct, rename="camel"):
    """ServiceError."""

    error_code: str = ""
    psp_reference: str | None = None


class _Modification(msgspec.Struct, rename="camel"):
    """PaymentCaptureResponse, PaymentRefundResponse, PaymentCancelResponse."""

    status: str = ""
    psp_reference: str = ""


def count_units(amount: int, currency: str) -> dict[str, object]:
    """The amount as Adyen counts it. Raises AmountNotPayable."""
    return {"value": to_provider(amount, currency, SHIFTS), "currency": currency}


def in_minor_units(amount: Amount) -> int:
    """Adyen's amount as ISO 4217 counts it; -1 where it is no whole number of units."""
    found = from_provider(amount.value, amount.currency, SHIFTS)
    return -1 if found is None else found


def judge(response: Response, charge: Charge) -> Outcome:
    """What a payment came to."""
    if response.status != 200:
        return failed(response)
    answer = response.read(_Answer) or _Answer()
    match answer.result_code:
        case "Authorised" | "PartiallyAuthorised" | "Success":
            return _approved(answer, charge)
        case "Refused" | "Error" | "Cancelled":
            code = clean_code(answer.refusal_reason_code)
            otherwise = "cancelled" if answer.result_code == "Cancelled" else "declined"
            return Declined(
                reason=REASONS.get(code, otherwise),
                message=clean_text(answer.refusal_reason),
                reference=clean_text(answer.psp_reference) or None,
                code=code,
            )
        case challenge if challenge in _OF_3DS:
            # Without the shopper it ends there: Adyen authorises nothing before the challenge.
            return Declined(
                reason="authentication_required",
                reference=clean_text(answer.psp_reference) or None,
                code=challenge,
            )
        case _:  # Pending, Received, and what a later version may bring
            return Unknown(reason="pending")


def _approved(answer: _Answer, charge: Charge) -> Outcome:
    found, data = answer.amount, answer.additional_data
    token = data.get("tokenization.storedPaymentMethodId") or data.get("recurring.recurringDetailReference")
    code = data.get("authCode")
    if found is None and answer.result_code == "PartiallyAuthorised":
        return Unknown(reason="amount_differs")
    return approve(
        charge,
        reference=answer.psp_reference,
        amount=None if found is None else in_minor_units(found),
        currency=None if found is None else found.currency,
        token=token if isinstance(token, str) else None,
        authorisation_code=code if isinstance(code, str) else None,
    )


def failed(response: Response) -> Failed | Unknown:
    """What an error says of a request."""
    error = response.read(_Error) or _Error()
    code = clean_code(error.error_code)
    if code == _IN_PROGRESS:
        return Unknown(reason="in_progress")
    return judge_error(response.status, code, ERRORS)


def judge_follow_up(response: Response) -> FollowUpOutcome:
    """What a capture, cancel or refund came to."""
    if response.status not in (200, 201):
        return failed(response)
    answer = response.read(_Modification) or _Modification()
    if answer.status != "received":
        return Unknown(reason="answer_not_understood")
    return Accepted(reference=clean_text(answer.psp_reference))
