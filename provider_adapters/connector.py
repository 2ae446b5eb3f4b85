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
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.base import Charging, Inquiry, Request, Response
from provider_adapters.card import Card
from provider_adapters.payment import Approved, Charge, Declined, Failed, Outcome, PartiallyApproved, Unknown

_PATH = "/v1/charges"
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_LONGEST = 200
# Client errors that say nothing of whether the charge stands: 408 may come from a proxy, 409 from a
# charge under way.
_OPEN = frozenset({408, 409})


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

    def __init__(self, account: Account) -> None:
        self._token_type = account.token_type
        self._headers = {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST."""
        month, year = card.expiry.reveal()
        response = yield Request(
            "POST",
            _PATH,
            headers=self._headers | {"Idempotency-Key": charge.idempotency_key},
            body={
                "transaction_id": charge.transaction_id,
                "amount": charge.amount,
                "currency": charge.currency,
                "description": charge.description,
                "channel": "moto",
                "entry": "keypad",
                "token_type": self._token_type,
                "card": {
                    "number": card.pan.reveal(),
                    "expiry_month": month,
                    "expiry_year": year,
                    "security_code": card.security_code.reveal() or None,
                },
            },
            may_charge=True,
        )
        return _charged(response, charge)

    def inquire(self, charge: Charge) -> Inquiry:
        """One GET."""
        response = yield Request(
            "GET", f"{_PATH}/{quote(charge.idempotency_key, safe='')}", headers=self._headers
        )
        answer = response.read(_Answer) or _Answer()
        if response.status == 200:
            return _decided(answer, charge)
        if response.status == 404 and answer.error == "no_such_charge":
            return Failed(reason="no_such_charge")
        return None


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
    if not 0 < approved <= charge.amount or any(amount not in (approved, charge.amount) for amount in named):
        return Unknown(reason="amount_differs")
    token, code = answer.token or None, _short(answer.authorisation_code) or None
    if approved < charge.amount:
        return PartiallyApproved(
            amount=approved, reference=_short(answer.reference), token=token, authorisation_code=code
        )
    return Approved(reference=_short(answer.reference), token=token, authorisation_code=code)


def _declined(answer: _Answer) -> Declined:
    reason = answer.reason or ""
    return Declined(
        reason=reason if _CODE.fullmatch(reason) else "declined",
        message=_short(answer.message),
        reference=_short(answer.reference) or None,
    )


def _short(text: str | None) -> str:
    """Fit for a screen and a log: printable, and not longer than a line or two."""
    return "".join(sign if sign.isprintable() else " " for sign in (text or "")[:_LONGEST])
