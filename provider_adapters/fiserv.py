"""Fiserv Commerce Hub 1.24.11: charges with a raw card, `origin: MOTO`.

Source: Fiserv's OpenAPI description 1.24.11, and its public pages on HMAC authentication,
idempotency, transaction inquiry and response codes. What binds here: each request is signed over
its very octets and the time. The same Client-Request-Id again is answered with the first answer
only if there is one; otherwise it is carried out again: so nothing is sent twice, and what got no
clear answer is asked for by that id. A request older than five minutes is refused, so one that is
not there after an hour never will be. Amounts are decimal numbers.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import ClassVar

from provider_adapters.account import Account
from provider_adapters.answers.fiserv import (
    judge_charge,
    judge_follow_up,
    judge_inquiry,
    judge_refusal,
    read_code,
)
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request
from provider_adapters.card import Card
from provider_adapters.codes.fiserv import ABSENT
from provider_adapters.currency import write_decimal
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import Charge, Failed, FollowUp, Operation

_CHARGES = "/payments/v1/charges"
_INQUIRY = "/payments/v1/transaction-inquiry"
_INTERACTION = {
    "origin": "MOTO",
    "motoType": "PHONE",
    "posEntryMode": "MANUAL",
    "posConditionCode": "CARD_NOT_PRESENT_MOTO",
}


class Fiserv:
    """Speaks with an API key (`api_user`) and its secret (`api_key`), for a merchant and a terminal
    (`merchant_account`, with a slash between them)."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.CHARGE, Operation.AUTHORISE, Operation.CHARGE_SAVED, Operation.VOID}
        | {Operation.CAPTURE, Operation.CAPTURE_PART, Operation.REFUND, Operation.REFUND_PART}
    )
    ABSENT_AFTER: ClassVar[float | None] = 3600.0
    PROVES: ClassVar[str] = "the key and its secret are accepted for this merchant"

    def __init__(self, account: Account) -> None:
        self._account = account

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST under the charge's key."""
        month, year = card.expiry.reveal_digits()
        code = card.security_code.reveal()
        details = {"cardData": card.pan.reveal(), "expirationMonth": month, "expirationYear": year}
        if code:
            details |= {"securityCode": code, "securityCodeIndicator": "PROVIDED"}
        saves = (charge.token_type or self._account.token_type) != "none"
        return (yield from self._pay(charge, {"sourceType": "PaymentCard", "card": details}, saves))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with a token, whose source and expiry stand beside it."""
        whose, _, rest = token.partition(":")
        data, _, expiry = rest.partition(":")
        source: dict[str, object] = {
            "sourceType": "PaymentToken",
            "tokenData": data,
            "tokenSource": whose,
            "card": {"expirationMonth": expiry[:2], "expirationYear": expiry[2:]},
        }
        return (yield from self._pay(charge, source, False))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """One POST that asks for the charge's key."""
        response = yield self._inquiry(charge.idempotency_key, charge.merchant_account)
        return judge_inquiry(response, charge)

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST under the request's own key."""
        charge = request.charge
        body: dict[str, object] = {
            "referenceTransactionDetails": {"referenceTransactionId": request.reference},
            "merchantDetails": self._merchant(charge.merchant_account),
        }
        try:
            amount = _amount(request.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="currency_not_supported")
        match request.kind:
            case "capture":
                path = _CHARGES
                body |= {"amount": amount, "transactionDetails": {"captureFlag": True}}
            case "void":
                path = "/payments/v1/cancels"
                body |= {"transactionDetails": {"reversalReasonCode": "VOID"}}
            case "refund":
                path = "/payments/v1/refunds"
                body |= {"amount": amount}
        response = yield Request(
            "POST", path, headers=self._headers(), body=body, sign=self._signing(request.key), may_charge=True
        )
        return judge_follow_up(response)

    def examine(self) -> Examination:
        """Ask for a key that nobody has used. An empty list, or its absence by code, proves the
        key, its signature and the merchant."""
        response = yield self._inquiry("tonewall-examination", "")
        is_empty = response.status in (200, 201) and response.read(list[object]) == []
        if is_empty or read_code(response) in ABSENT:
            return None
        return judge_refusal(response).reason

    def _pay(self, charge: Charge, source: dict[str, object], saves: bool) -> Charging:
        try:
            amount = _amount(charge.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="currency_not_supported")
        details: dict[str, object] = {
            "captureFlag": charge.operation == "charge",
            "merchantTransactionId": charge.idempotency_key,
            "merchantOrderId": charge.transaction_id,
        }
        statement = charge.statement or self._account.statement
        fields = [{"key": name, "value": value} for name, value in charge.metadata.items()]
        more: dict[str, object] = {
            "dynamicDescriptors": {"merchantName": statement} if statement else None,
            "customer": {"merchantCustomerId": charge.customer} if charge.customer else None,
            "additionalDataCommon": {"customFields": fields} if fields else None,
        }
        body: dict[str, object] = {
            "amount": amount,
            "source": source,
            "transactionDetails": details | ({"createToken": True} if saves else {}),
            "transactionInteraction": _INTERACTION,
            "merchantDetails": self._merchant(charge.merchant_account),
        }
        response = yield Request(
            "POST",
            _CHARGES,
            headers=self._headers(),
            body=body | {name: value for name, value in more.items() if value},
            sign=self._signing(charge.idempotency_key),
            may_charge=True,
        )
        return judge_charge(response, charge)

    def _inquiry(self, key: str, merchant: str) -> Request:
        body: dict[str, object] = {
            "referenceTransactionDetails": {"referenceClientRequestId": key},
            "merchantDetails": self._merchant(merchant),
        }
        return Request("POST", _INQUIRY, headers=self._headers(), body=body, sign=self._signing(key, True))

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Accept": "application/json"}

    def _signing(self, key: str, asks: bool = False) -> Callable[[bytes, float], Mapping[str, str]]:
        """The signature's headers. `asks`: each time under an id of its own, for an inquiry that
        was answered is not to be answered so again."""
        user, secret = self._account.api_user, self._account.api_key

        def sign(body: bytes, now: float) -> Mapping[str, str]:
            at = str(int(now * 1000))
            request_id = f"{key}-{at}" if asks else key
            text = f"{user}{request_id}{at}".encode() + body
            return {
                "Api-Key": user,
                "Client-Request-Id": request_id,
                "Timestamp": at,
                "Auth-Token-Type": "HMAC",
                "Authorization": b64encode(hmac.new(secret.encode(), text, sha256).digest()).decode("ascii"),
            }

        return sign

    def _merchant(self, merchant_account: str) -> dict[str, str]:
        merchant, _, terminal = (merchant_account or self._account.merchant_account).partition("/")
        return {"merchantId": merchant} | ({"terminalId": terminal} if terminal else {})


def _amount(amount: int, currency: str) -> dict[str, object]:
    """A number, as JSON has it: twelve digits and more are exact in a double."""
    return {"total": float(write_decimal(amount, currency)), "currency": currency}
