"""Access Worldpay: Payments API of 2024-06-01, raw card, `channel: moto`, and Payment Queries.

Source: Worldpay's OpenAPI descriptions of both and its public texts. What binds here: there is no
idempotency key, so a charge is sent once and then asked for by its `transactionReference`, which is
our key; what Payment Queries shows may be 15 minutes old. The reference that we keep is the link
data of the payment's own link: under it Worldpay says what can be done next, and where. Money is
taken by automatic settlement, which a wrong security code cancels.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import ClassVar
from urllib.parse import quote, urlsplit

from provider_adapters.account import Account
from provider_adapters.answers.worldpay import (
    LINK,
    Answer,
    Link,
    Payment,
    PaymentList,
    Queried,
    judge,
    judge_error_answer,
    judge_follow_up,
    judge_payment,
    read_error,
)
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, NotFound, Request
from provider_adapters.card import Card
from provider_adapters.payment import PAYING, Charge, Failed, FollowUp, Operation
from provider_adapters.text import clean_code

_PATH = "/api/payments"
_QUERIES = "/paymentQueries/payments"
_VERSION = {"WP-Api-Version": "2024-06-01"}
_QUERY_TYPE = {"Accept": "application/vnd.worldpay.payment-queries-v1.hal+json"}
# Required where a card is saved, and not known on the phone.
_CARDHOLDER = "Telephone Customer"
# What is counted with more or fewer decimals than ISO 4217's at other providers. Worldpay's own
# list was not at hand, and a hundredfold is no guess to make.
_DISPUTED = frozenset({"CLP", "CVE", "HUF", "IDR", "ISK", "MGA", "MRU", "UGX"})
_NOT_OF_NARRATIVE = re.compile(r"[^a-zA-Z0-9 ,./-]")
_NOT_OF_REFERENCE = re.compile(r"[^-A-Za-z0-9_!@#$%()*=.:;?\[\]{}~/+]")
_NAMESPACE = re.compile(r"[^_ &<][^ &<]{0,63}")
# What has to be offered for a follow-up to be made, the better first.
_WHOLE = {
    "capture": ("settlePayment",),
    "refund": ("refundPayment",),
    "void": ("cancelPayment", "reversePayment"),
}
_PARTS = {"capture": ("partiallySettlePayment",), "refund": ("partiallyRefundPayment",), "void": ()}


class Worldpay:
    """Speaks with the account's user name and password."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING - {Operation.LINK}
    ABSENT_AFTER: ClassVar[float | None] = 3600.0
    PROVES: ClassVar[str] = "the user and password are accepted for Payment Queries"

    def __init__(self, account: Account) -> None:
        self._account = account
        credentials = b64encode(f"{account.api_user}:{account.api_key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST, sent once."""
        month, year = card.expiry.reveal()
        code = card.security_code.reveal()
        instrument: dict[str, object] = {
            "type": "plain",
            "cardNumber": card.pan.reveal(),
            "expiryDate": {"month": month, "year": year},
        }
        if self._saves(charge):
            instrument["cardHolderName"] = _CARDHOLDER
        return (yield from self._pay(charge, instrument | ({"cvc": code} if code else {})))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with the link of a token."""
        return (yield from self._pay(charge, {"type": "token", "href": token}))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Look for the key, then at the payment. None where there are two: a person must look."""
        path = f"{_QUERIES}?transactionReference={quote(charge.idempotency_key, safe='')}"
        response = yield Request("GET", path, headers=self._headers | _QUERY_TYPE)
        found = response.read(PaymentList)
        if response.status != 200 or found is None:
            return None
        own = [
            each
            for each in found.embedded.payments
            if each.transaction_reference == charge.idempotency_key and each.payment_id
        ]
        if not own:
            return NotFound()
        if len(own) > 1:
            return None
        path = f"{_QUERIES}/{quote(own[0].payment_id, safe='')}"
        response = yield Request("GET", path, headers=self._headers | _QUERY_TYPE)
        payment = response.read(Payment)
        return None if response.status != 200 or payment is None else judge_payment(payment, charge)

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """Ask what can be done next, and post where that is offered. Only of a part is the amount
        named."""
        if request.is_partial and request.charge.currency in _DISPUTED:
            return Failed(reason="currency_not_supported")
        headers = self._headers | _VERSION
        response = yield Request("GET", f"{_PATH}/{request.reference}", headers=headers)
        answer = response.read(Answer)
        if response.status != 200 or answer is None:
            error = judge_error_answer(response)
            return Failed(reason=error.reason, code=clean_code(read_error(response).error_name))
        part = request.is_partial
        wanted = (_PARTS if part else _WHOLE)[request.kind]
        offered = next((answer.actions[name] for name in wanted if name in answer.actions), Link())
        path = urlsplit(offered.href).path
        if not LINK.fullmatch(path):
            return Failed(reason="request_refused", code=f"{request.kind}_not_offered")
        value = {"currency": request.charge.currency, "amount": request.amount}
        response = yield Request(
            "POST",
            path,
            headers=headers,
            body={"reference": request.key, "value": value} if part else None,
            may_charge=True,
        )
        return judge_follow_up(response, request)

    def examine(self) -> Examination:
        """Look for a payment that nobody has made. The empty list proves the key for Payment
        Queries."""
        path = f"{_QUERIES}?transactionReference=tonewall-examination"
        response = yield Request("GET", path, headers=self._headers | _QUERY_TYPE)
        known = response.status == 200 and response.read(Queried) is not None
        return None if known else judge_error_answer(response).reason

    def _saves(self, charge: Charge) -> bool:
        return (charge.token_type or self._account.token_type) != "none"

    def _pay(self, charge: Charge, instrument: dict[str, object]) -> Charging:
        if charge.currency in _DISPUTED:
            return Failed(reason="currency_not_supported")
        account = self._account
        narrative = _narrative(charge.statement) or _narrative(account.statement)
        if not narrative:
            return Failed(reason="request_refused", code="statement_required")
        instruction: dict[str, object] = {
            "method": "card",
            "paymentInstrument": instrument,
            "narrative": {"line1": narrative},
            "value": {"currency": charge.currency, "amount": charge.amount},
        }
        if charge.operation == "charge" and charge.amount:
            instruction["settlement"] = {"auto": True}
        if instrument["type"] == "token":
            instruction["customerAgreement"] = {"type": "cardOnFile", "storedCardUsage": "subsequent"}
        elif self._saves(charge) or not charge.amount:
            # Amount zero verifies a card as part of a new agreement alone.
            instruction["customerAgreement"] = {"type": "cardOnFile", "storedCardUsage": "first"}
        if instrument["type"] == "plain" and self._saves(charge):
            named = {"namespace": charge.customer} if _NAMESPACE.fullmatch(charge.customer) else {}
            instruction["tokenCreation"] = {"type": "worldpay"} | named
        body: dict[str, object] = {
            "transactionReference": charge.idempotency_key,
            "orderReference": _NOT_OF_REFERENCE.sub("-", charge.transaction_id)[:64],
            "merchant": {"entity": charge.merchant_account or account.merchant_account},
            "channel": "moto",
            "instruction": instruction,
        }
        response = yield Request("POST", _PATH, headers=self._headers | _VERSION, body=body, may_charge=True)
        return judge(response, charge)


def _narrative(text: str) -> str:
    return _NOT_OF_NARRATIVE.sub(" ", text)[:24].strip()
