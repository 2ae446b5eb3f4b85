"""Reads Stripe's answers as outcomes, counts amounts as Stripe does, and writes what its requests
have in common."""

from __future__ import annotations

import msgspec

from provider_adapters.account import Account
from provider_adapters.approval import approve
from provider_adapters.base import Response
from provider_adapters.codes.stripe import DECLINES, ERRORS
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import AmountNotPayable, from_provider, to_provider
from provider_adapters.payment import (
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

VERSION = "2026-10-28.endive"
KEY = "tonewall_key"  # our idempotency key among an intent's metadata
# Where Stripe's decimals differ from ISO 4217's (docs.stripe.com, currencies, special cases).
_SHIFTS = {"ISK": 2, "MGA": -2, "UGX": 2}
# Their last decimal must be zero.
_IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Another request is at it.
_UNDECIDED = frozenset({"idempotency_key_in_use", "lock_timeout"})
# To a confirmation they say that there was one before, and not what it came to.
_NOT_OPEN = frozenset({"intent_invalid_state", "payment_intent_unexpected_state"})
_RAW_CARD = "Sending credit card numbers directly"  # this error has no code


class Error(msgspec.Struct):
    """What stands under `error`, and as an intent's last error."""

    type: str = ""
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    param: str | None = None
    payment_intent: Intent | None = None


class _Refusal(msgspec.Struct):
    error: Error


class _CardDetails(msgspec.Struct):
    authorization_code: str | None = None


class _Details(msgspec.Struct):
    card: _CardDetails | None = None


class _Charge(msgspec.Struct):
    payment_method_details: _Details | None = None


class Intent(msgspec.Struct):
    """PaymentIntent, as far as it decides."""

    id: str
    status: str
    amount: int
    currency: str
    amount_received: int | None = None
    amount_capturable: int | None = None
    payment_method: str | None = None
    setup_future_usage: str | None = None
    last_payment_error: Error | None = None
    latest_charge: str | _Charge | None = None


class Found(msgspec.Struct):
    """A page of a search."""

    data: list[Intent]


class Made(msgspec.Struct):
    """PaymentMethod, Customer, Refund, SetupIntent."""

    id: str
    status: str | None = None
    amount: int | None = None
    customer: str | None = None
    last_setup_error: Error | None = None


def make_headers(account: Account, charge: Charge | None = None, key: str = "") -> dict[str, str]:
    """Of a request, for the connected account where one is named. `key`: of idempotency."""
    connected = (charge.merchant_account if charge else "") or account.merchant_account
    return (
        {"Authorization": f"Bearer {account.api_key}", "Stripe-Version": VERSION}
        | ({"Stripe-Account": connected} if connected else {})
        | ({"Idempotency-Key": key} if key else {})
    )


def make_metadata(charge: Charge) -> dict[str, str]:
    """Of an intent: the merchant's, and how we find it again."""
    return charge.metadata | {KEY: charge.idempotency_key, "transaction_id": charge.transaction_id}


def count_units(amount: int, currency: str) -> int:
    """The amount as Stripe counts it. Raises AmountNotPayable."""
    if currency in _IN_TENS and amount % 10:
        raise AmountNotPayable
    return to_provider(amount, currency, _SHIFTS)


def is_payable(charge: Charge) -> bool:
    """Whether Stripe can count the amount, and it is zero only where nothing is to be paid."""
    try:
        count_units(charge.amount, charge.currency)
    except AmountNotPayable:
        return False
    return (charge.amount == 0) == (charge.operation == "verify")


def read_error(response: Response) -> Error:
    """The error; an empty one where the body has none."""
    found = response.read(_Refusal)
    return Error() if found is None else found.error


def declined(error: Error, intent: str | None = None) -> Declined:
    """What an error of the card says."""
    code = clean_code(error.decline_code) or clean_code(error.code)
    return Declined(
        reason=DECLINES.get(code) or DECLINES.get(error.code or "") or "declined",
        message=clean_text(error.message),
        reference=clean_text(intent) or None,
        code=code,
    )


def unconfirmed(response: Response) -> Failed | Unknown:
    """What an error that is none of the card's says of a confirmation."""
    code = clean_code(read_error(response).code)
    return Unknown(reason=code) if code in _NOT_OPEN else failed(response)


def failed(response: Response) -> Failed | Unknown:
    """What an error that is none of the card's says of a request that may have moved money."""
    error = read_error(response)
    code = clean_code(error.code)
    if code in _UNDECIDED or error.type == "idempotency_error":
        return Unknown(reason=code or "idempotency_error")
    # 402 without a readable error is no promise that nothing was charged.
    if response.status == 402 and not error.type:
        return Unknown(reason="answer_not_understood")
    special = ""
    if "moto" in (error.param or ""):
        special = "moto_not_enabled"
    elif error.param == "currency":
        special = "currency_not_supported"
    elif (error.message or "").startswith(_RAW_CARD):
        special = "raw_card_not_enabled"
    return judge_error(response.status, code, {code: special} if special else ERRORS)


def unprepared(response: Response) -> Declined | Failed:
    """The same of a request that moves no money."""
    error = read_error(response)
    if error.type == "card_error":
        return declined(error, None)
    if error.type == "idempotency_error":  # the key came with another card or amount before
        return Failed(reason="duplicate", code=error.type)
    found = failed(response)
    return found if isinstance(found, Failed) else Failed(reason="try_again_later", code=found.reason)


def approved(charge: Charge, intent: Intent, taken: int | None) -> Outcome:
    """The intent's approval. `taken`: as Stripe counts it."""
    currency = intent.currency.upper()
    amount = from_provider(intent.amount if taken is None else taken, currency, _SHIFTS)
    details = (
        intent.latest_charge.payment_method_details if isinstance(intent.latest_charge, _Charge) else None
    )
    return approve(
        charge,
        reference=intent.id,
        amount=-1 if amount is None else amount,
        currency=currency,
        token=intent.payment_method if intent.setup_future_usage else None,
        authorisation_code=details.card.authorization_code if details and details.card else None,
    )


def followed(response: Response, request: FollowUp) -> FollowUpOutcome:
    """What a capture, cancel or refund with status 200 came to."""
    asked = count_units(request.amount, request.charge.currency)
    made, intent = response.read(Made), response.read(Intent)
    if made is None or (request.kind != "refund" and intent is None):
        return Unknown(reason="answer_not_understood")
    amount = made.amount if request.kind == "refund" or intent is None else intent.amount_received
    if request.kind != "void" and amount != asked:
        return Unknown(reason="amount_differs")
    reference = clean_text(made.id)
    match request.kind, made.status:
        case ("capture" | "refund", "succeeded") | ("void", "canceled"):
            return Approved(reference=reference)
        case "refund", "pending" | "requires_action":
            return Accepted(reference=reference)
        case "refund", "failed" | "canceled":
            return Declined(reason="declined", reference=reference, code=clean_code(made.status))
    return Unknown(reason="answer_not_understood")
