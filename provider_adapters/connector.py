"""The connector: Tonewall's own JSON contract over HTTPS, for providers and gateways that have no
adapter of their own.

The contract is docs/connector.md. What binds here: the answer to a charge decides only where it is
clear; whatever is not is `Unknown`, and the inquiry decides. A 404 to an inquiry counts only with
the error `no_such_charge`, by which the provider promises that it will not charge under that key
later either; any other 404 may be a wrong path or a proxy. An approval counts for the amount and
currency that the answer names, not for those that were asked for.
"""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.approval import approve
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request, Response
from provider_adapters.card import Card
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import (
    PAYING,
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_PATH = "/v1/charges"
_CODE = re.compile(r"[a-z0-9_]{1,64}")
# Client errors that say nothing of whether the charge stands: 408 may come from a proxy, 409 and
# 425 from a charge under way.
_OPEN = frozenset({408, 409, 425})


class _Answer(msgspec.Struct):
    """The body of every answer; unknown fields are ignored."""

    status: str | None = None
    reference: str | None = None
    amount: int | None = None
    amount_approved: int | None = None
    currency: str | None = None
    token: str | None = None
    authorisation_code: str | None = None
    reason: str | None = None
    message: str | None = None
    error: str | None = None


class Connector:
    """Speaks the contract with the account's credentials."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING - {Operation.LINK}
    ABSENT_AFTER: ClassVar[float | None] = None  # `no_such_charge` is a promise, and needs no time
    PROVES: ClassVar[str] = "the key is accepted"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._headers = {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST."""
        month, year = card.expiry.reveal()
        paid_by = {
            "number": card.pan.reveal(),
            "expiry_month": month,
            "expiry_year": year,
            "security_code": card.security_code.reveal() or None,
        }
        return (yield from self._post(charge, {"card": paid_by}))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with a token instead of the card."""
        return (yield from self._post(charge, {"token": token}))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """One GET."""
        response = yield Request("GET", _path(charge), headers=self._headers)
        answer = response.read(_Answer) or _Answer()
        if response.status == 200:
            return _decided(answer, charge)
        if response.status == 404 and answer.error == "no_such_charge":
            return Failed(reason="no_such_charge")
        return None

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST below the charge's own path."""
        response = yield Request(
            "POST",
            f"{_path(request.charge)}/{request.kind}s",
            headers=self._headers | {"Idempotency-Key": request.key},
            body={"amount": request.amount},
            may_charge=True,
        )
        answer = response.read(_Answer) or _Answer()
        if response.status in (200, 201) and answer.status in ("done", "accepted"):
            reference = clean_text(answer.reference)
            return Approved(reference=reference) if answer.status == "done" else Accepted(reference=reference)
        if response.status in (200, 201):
            return Unknown(reason="answer_not_understood")
        return judge_error(response.status, clean_code(answer.error))

    def examine(self) -> Examination:
        """Inquire about a key that nobody has used. The contract's own words prove ours."""
        response = yield Request("GET", f"{_PATH}/tonewall-examination", headers=self._headers)
        answer = response.read(_Answer) or _Answer()
        decided = response.status == 200 and answer.status in ("approved", "declined")
        if decided or (response.status == 404 and answer.error == "no_such_charge"):
            return None
        return judge_error(response.status).reason

    def _post(self, charge: Charge, paid_by: dict[str, object]) -> Charging:
        body: dict[str, object] = {
            "transaction_id": charge.transaction_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "description": charge.description,
            "channel": "moto",
            "entry": "keypad",
            "token_type": charge.token_type or self._account.token_type,
        }
        more = {
            "operation": "" if charge.operation == "charge" else charge.operation,
            "customer": charge.customer,
            "merchant_account": charge.merchant_account or self._account.merchant_account,
            "statement": charge.statement or self._account.statement,
            "metadata": charge.metadata,
        }
        response = yield Request(
            "POST",
            _PATH,
            headers=self._headers | {"Idempotency-Key": charge.idempotency_key},
            body=body | {name: value for name, value in more.items() if value} | paid_by,
            may_charge=True,
        )
        return _charged(response, charge)


def _path(charge: Charge) -> str:
    return f"{_PATH}/{quote(charge.idempotency_key, safe='')}"


def _charged(response: Response, charge: Charge) -> Outcome:
    answer = response.read(_Answer) or _Answer()
    status = response.status
    if status in (200, 201):
        return _decided(answer, charge) or Unknown(reason="answer_not_understood")
    if status == 402:
        return _declined(answer)
    if 400 <= status < 500 and status not in _OPEN:
        code = answer.error or ""
        return Failed(reason=code if _CODE.fullmatch(code) else f"http_{status}")
    return Unknown(reason=f"http_{status}")


def _decided(answer: _Answer, charge: Charge) -> Outcome | None:
    if answer.status == "approved":
        return _approved(answer, charge)
    return _declined(answer) if answer.status == "declined" else None


def _approved(answer: _Answer, charge: Charge) -> Outcome:
    """What was approved, as far as the answer says it. Without any amount or currency it is what
    was asked for."""
    if answer.currency is not None and answer.currency.upper() != charge.currency:
        return Unknown(reason="currency_differs")
    named = [amount for amount in (answer.amount, answer.amount_approved) if amount is not None]
    approved = named[-1] if named else charge.amount
    # `amount` alone is what was approved; beside `amount_approved` it may also repeat what was
    # asked for.
    if any(amount not in (approved, charge.amount) for amount in named):
        return Unknown(reason="amount_differs")
    return approve(
        charge,
        amount=approved,
        reference=answer.reference,
        token=answer.token,
        authorisation_code=answer.authorisation_code,
    )


def _declined(answer: _Answer) -> Declined:
    reason = answer.reason or ""
    return Declined(
        reason=reason if _CODE.fullmatch(reason) else "declined",
        message=clean_text(answer.message),
        reference=clean_text(answer.reference) or None,
    )
