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
from provider_adapters.answers.adyen import count_units, failed, judge, judge_follow_up
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request
from provider_adapters.card import Card
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import PAYING, Charge, Failed, FollowUp, Operation

_TEST_BIN = "411111"
# Where nobody is sent: a MOTO payment has no redirect, but the field is required.
_RETURN_URL = "https://localhost/"
_PATHS = {"capture": "captures", "refund": "refunds", "void": "cancels"}


class _CardDetails(msgspec.Struct):
    """CardDetailsResponse, of a card that has a brand."""

    brands: list[object]


class Adyen:
    """Speaks Checkout with the account's credentials."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING
    ABSENT_AFTER: ClassVar[float | None] = None
    PROVES: ClassVar[str] = "the key is accepted for this merchant account"

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
            try:
                body["amount"] = count_units(request.amount, charge.currency)
            except AmountNotPayable:
                return Failed(reason="amount_not_allowed")
        response = yield Request(
            "POST",
            f"/payments/{quote(request.reference, safe='')}/{_PATHS[request.kind]}",
            headers=self._headers | {"Idempotency-Key": request.key},
            body=body,
            may_charge=True,
            repeatable=True,
        )
        return judge_follow_up(response)

    def examine(self) -> Examination:
        """Ask for the brand of a card by its first digits: a request of the same credential and
        merchant account. The brands prove both."""
        body = {"merchantAccount": self._account.merchant_account, "cardNumber": _TEST_BIN}
        response = yield Request("POST", "/cardDetails", headers=self._headers, body=body)
        if response.status == 200 and response.read(_CardDetails) is not None:
            return None
        return failed(response).reason

    def _pay(self, charge: Charge, method: dict[str, object]) -> Charging:
        account = self._account
        try:
            amount = count_units(charge.amount, charge.currency)
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
        return judge(response, charge)
