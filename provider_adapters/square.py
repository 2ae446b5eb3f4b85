"""Square: payment links and refunds alone. Square takes no card number, but a token of its browser
library.

Source: Square's OpenAPI description of 2025-08. What binds here: a refund under the same key is
made once, is taken as `PENDING`, and done later: its webhook says whether.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from provider_adapters.account import Account
from provider_adapters.answers.square import Money, failed, make_headers, says_not_found, shorten
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request
from provider_adapters.card import Card
from provider_adapters.payment import (
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Unknown,
)
from provider_adapters.text import clean_text

_MAX_KEY = 45
_NOT_SUPPORTED = Failed(reason="not_supported")


class _Refund(msgspec.Struct):
    """PaymentRefund."""

    id: str
    amount_money: Money
    status: str = ""


class _Refunded(msgspec.Struct):
    refund: _Refund


class Square:
    """Speaks the API with the account's access token; `merchant_account` is the location."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.LINK, Operation.REFUND, Operation.REFUND_PART}
    )
    PROVES: ClassVar[str] = "the access token is accepted; no card is taken there, but payment links"
    ABSENT_AFTER: ClassVar[float | None] = None

    def __init__(self, account: Account) -> None:
        self._account = account

    def charge(self, charge: Charge, card: Card) -> Charging:
        """Refused: nothing is sent, and the card is not looked at."""
        return _NOT_SUPPORTED
        yield Request("POST", "")

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """Refused: nothing is saved."""
        return _NOT_SUPPORTED
        yield Request("POST", "")

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Nothing to ask: there is no charge but a link's."""
        return None
        yield Request("GET", "")

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST, which may be repeated under its key."""
        if request.kind != "refund":
            return _NOT_SUPPORTED
        response = yield Request(
            "POST",
            "/v2/refunds",
            headers=make_headers(self._account),
            body={
                "idempotency_key": shorten(request.key, _MAX_KEY),
                "amount_money": {"amount": request.amount, "currency": request.charge.currency},
                "payment_id": request.reference,
            },
            may_charge=True,
            repeatable=True,
        )
        if response.status != 200:
            return failed(response)
        answer = response.read(_Refunded)
        if answer is None:
            return Unknown(reason="answer_not_understood")
        made, reference = answer.refund, clean_text(answer.refund.id)
        if made.amount_money.amount != request.amount:
            return Unknown(reason="amount_differs")
        match made.status:
            case "PENDING":
                return Accepted(reference=reference)
            case "COMPLETED":
                return Approved(reference=reference)
            case "REJECTED" | "FAILED":
                return Declined(reason="declined", reference=reference, code=made.status)
            case _:
                return Unknown(reason="answer_not_understood")

    def examine(self) -> Examination:
        """Ask for a link that is not there: Square's own word for that proves the token."""
        path = "/v2/online-checkout/payment-links/tonewall-examination"
        response = yield Request("GET", path, headers=make_headers(self._account))
        return None if response.status == 404 and says_not_found(response) else failed(response).reason
