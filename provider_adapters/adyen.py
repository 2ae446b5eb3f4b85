"""Adyen: Checkout API v72, raw card, `shopperInteraction: Moto`.

Source: Adyen's OpenAPI description of Checkout v72 and of its webhooks, and its public texts on
result codes, refusal reasons and API idempotency. What binds here: a request under the same
Idempotency-Key is carried out once, so an answer that did not come is fetched by sending it again;
there is no inquiry, so what stays open is decided by the webhook of the authorisation. Captures,
refunds and cancels are taken now and done later: their webhooks say whether.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.approval import approve
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request, Response
from provider_adapters.card import Card
from provider_adapters.codes.adyen import ERRORS, REASONS, SHIFTS
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import AmountNotPayable, from_provider, to_provider
from provider_adapters.payment import (
    Accepted,
    Charge,
    Declined,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_TEST_BIN = "411111"
# Where nobody is sent: a MOTO payment has no redirect, but the field is required.
_RETURN_URL = "https://localhost/"
_IN_PROGRESS = "704"  # the same key is being carried out
_OF_3DS = frozenset(
    {"AuthenticationFinished", "AuthenticationNotRequired", "ChallengeShopper", "IdentifyShopper"}
    | {"PresentToShopper", "RedirectShopper"}
)
_PATHS = {"capture": "captures", "refund": "refunds", "void": "cancels"}


class _Amount(msgspec.Struct):
    currency: str
    value: int


class _Answer(msgspec.Struct, rename="camel"):
    """PaymentResponse, as far as it decides."""

    result_code: str = ""
    psp_reference: str = ""
    refusal_reason: str | None = None
    refusal_reason_code: str | None = None
    amount: _Amount | None = None
    additional_data: dict[str, object] = {}


class _Error(msgspec.Struct, rename="camel"):
    """ServiceError."""

    error_code: str = ""
    psp_reference: str | None = None


class _Modification(msgspec.Struct, rename="camel"):
    """PaymentCaptureResponse, PaymentRefundResponse, PaymentCancelResponse."""

    status: str = ""
    psp_reference: str = ""


class Adyen:
    """Speaks Checkout with the account's credentials."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset(Operation) - {Operation.LINK}
    ABSENT_AFTER: ClassVar[float | None] = None

    def __init__(self, account: Account) -> None:
        self._account = account
        self._headers = {"X-API-Key": account.api_key, "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST, which may be repeated under its key."""
        month, year = card.expiry.reveal_digits()
        code = card.security_code.reveal()
        method: dict[str, object] = {
            "type": "scheme",
            "number": card.pan.reveal(),
            "expiryMonth": month,
            "expiryYear": year,
        }
        return (yield from self._pay(charge, method | ({"cvc": code} if code else {})))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with a `storedPaymentMethodId`."""
        method: dict[str, object] = {"type": "scheme", "storedPaymentMethodId": token}
        return (yield from self._pay(charge, method))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Nothing to ask: Checkout shows no payment. The webhook decides."""
        return None
        yield Request("GET", "")

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST; what was taken is confirmed by a webhook."""
        charge = request.charge
        body: dict[str, object] = {
            "merchantAccount": charge.merchant_account or self._account.merchant_account,
            "reference": request.key,
        }
        if request.kind != "void":
            body["amount"] = _amount(request.amount, charge.currency)
        response = yield Request(
            "POST",
            f"/payments/{quote(request.reference, safe='')}/{_PATHS[request.kind]}",
            headers=self._headers | {"Idempotency-Key": request.key},
            body=body,
            may_charge=True,
            repeatable=True,
        )
        return _judge_follow_up(response)

    def examine(self) -> Examination:
        """Ask for the brand of a card by its first digits: a request of the same credential and
        merchant account."""
        body = {"merchantAccount": self._account.merchant_account, "cardNumber": _TEST_BIN}
        response = yield Request("POST", "/cardDetails", headers=self._headers, body=body)
        if response.status == 200:
            return None
        error = response.read(_Error) or _Error()
        return judge_error(response.status, clean_code(error.error_code), ERRORS).reason

    def _pay(self, charge: Charge, method: dict[str, object]) -> Charging:
        account = self._account
        try:
            amount = _amount(charge.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        body: dict[str, object] = {
            "merchantAccount": charge.merchant_account or account.merchant_account,
            "reference": charge.idempotency_key,
            "merchantOrderReference": charge.transaction_id,
            "amount": amount,
            "paymentMethod": method,
            "shopperInteraction": "Moto",
            "returnUrl": _RETURN_URL,
        }
        statement = charge.statement or account.statement
        if statement:
            body["shopperStatement"] = statement
        if charge.metadata:
            body["metadata"] = charge.metadata
        if charge.operation == "authorise":
            body["additionalData"] = {"manualCapture": "true"}
        if (charge.token_type or account.token_type) != "none" or "storedPaymentMethodId" in method:
            body["shopperReference"] = charge.customer or charge.transaction_id
            body["recurringProcessingModel"] = "CardOnFile"
            body["storePaymentMethod"] = "storedPaymentMethodId" not in method
        response = yield Request(
            "POST",
            "/payments",
            headers=self._headers | {"Idempotency-Key": charge.idempotency_key},
            body=body,
            may_charge=True,
            repeatable=True,
        )
        return _judge(response, charge)


def _amount(amount: int, currency: str) -> dict[str, object]:
    return {"value": to_provider(amount, currency, SHIFTS), "currency": currency}


def _judge(response: Response, charge: Charge) -> Outcome:
    if response.status != 200:
        return _failed(response)
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
    amount = None if found is None else from_provider(found.value, found.currency, SHIFTS)
    return approve(
        charge,
        reference=answer.psp_reference,
        amount=-1 if found is not None and amount is None else amount,
        currency=None if found is None else found.currency,
        token=token if isinstance(token, str) else None,
        authorisation_code=code if isinstance(code, str) else None,
    )


def _failed(response: Response) -> Failed | Unknown:
    error = response.read(_Error) or _Error()
    code = clean_code(error.error_code)
    if code == _IN_PROGRESS:
        return Unknown(reason="in_progress")
    return judge_error(response.status, code, ERRORS)


def _judge_follow_up(response: Response) -> FollowUpOutcome:
    if response.status not in (200, 201):
        return _failed(response)
    answer = response.read(_Modification) or _Modification()
    if answer.status != "received":
        return Unknown(reason="answer_not_understood")
    return Accepted(reference=clean_text(answer.psp_reference))
