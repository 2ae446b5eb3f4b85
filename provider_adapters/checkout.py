"""Checkout.com: Unified Payments, raw card, `payment_type: MOTO`.

Source: Checkout.com's OpenAPI description of July 2021, its public texts, and the requests of its
own library, which knows a search by `reference` that the description does not. What binds here: the
idempotency key holds only after a success, so that a request which failed would be carried out
again under it. So a charge is sent once, and then asked for by its reference. Captures, refunds and
voids are taken now and done later.
"""

from __future__ import annotations

import hashlib
import re
from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.approval import approve
from provider_adapters.base import (
    Charging,
    Examination,
    FollowingUp,
    Inquiry,
    Notes,
    NotFound,
    Request,
    Response,
)
from provider_adapters.card import Card
from provider_adapters.codes.checkout import ERRORS, GROUPS, RESPONSES
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import AmountNotPayable, from_provider, to_provider
from provider_adapters.payment import (
    DIFFERENCES,
    PAYING,
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

_LONGEST_REFERENCE, _LONGEST_DESCRIPTION = 50, 100
# Where its decimals differ from ISO 4217's (checkout.com/docs, format the amount value).
_SHIFTS = {"CLP": 2, "UYI": 2}
# Of which its pages have said different things, or nothing.
_DISPUTED = frozenset({"CLF", "UYW"})
# Their last decimal must be zero.
_IN_TENS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_CITY = re.compile(r"(?P<name>[^,]{1,25}), ?(?P<city>[^,]{1,13})")
_CUSTOMER = re.compile(r"cus_\w{26}")
# A payment that is automatically captured is `Authorized` until that is done.
_TAKEN = frozenset({"Authorized", "Card Verified", "Captured", "Paid", "Partially Refunded", "Refunded"})
_ENDED = frozenset({"Canceled", "Expired", "Voided"})
_DECISIONS = frozenset({"Authorization", "Card Verification"})


class _Balances(msgspec.Struct):
    """PaymentResponseBalances."""

    total_authorized: int | None = None


class _Source(msgspec.Struct):
    id: str | None = None


class _Answer(msgspec.Struct):
    """PaymentResponse, PaymentAcceptedResponse and PaymentDetails, as far as they decide."""

    id: str = ""
    status: str = ""
    approved: bool = False
    amount: int | None = None
    currency: str | None = None
    reference: str = ""
    response_code: str | None = None
    response_summary: str | None = None
    auth_code: str | None = None
    balances: _Balances = msgspec.field(default_factory=_Balances)
    source: _Source = msgspec.field(default_factory=_Source)
    links: dict[str, object] = msgspec.field(name="_links", default_factory=dict)


class _List(msgspec.Struct):
    """What the search by reference finds, as its library and public texts have it."""

    data: list[_Answer]


class _Action(msgspec.Struct):
    """PaymentAction; in the answer to a follow-up, the action's id alone."""

    type: str = ""
    response_code: str | None = None
    response_summary: str | None = None
    action_id: str = ""


class _Error(msgspec.Struct):
    """ValidationError."""

    error_type: str = ""
    error_codes: list[str] = []


class Checkout:
    """Speaks with the account's secret key."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING - {Operation.LINK}
    ABSENT_AFTER: ClassVar[float | None] = 3600.0
    PROVES: ClassVar[str] = "the key is accepted for a search of payments"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._headers = {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST, sent once."""
        month, year = card.expiry.reveal()
        code = card.security_code.reveal()
        method: dict[str, object] = {
            "type": "card",
            "number": card.pan.reveal(),
            "expiry_month": month,
            "expiry_year": year,
            "store_for_future_use": self._saves(charge),
        }
        return (yield from self._pay(charge, method | ({"cvv": code} if code else {})))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with the id of a saved card."""
        return (yield from self._pay(charge, {"type": "id", "id": token}))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Search by reference; where that finds a decline, ask why. None where it finds two: a
        person must look."""
        reference = _reference(charge.idempotency_key)
        response = yield self._search(reference)
        found = response.read(_List)
        if response.status != 200 or found is None:
            return None
        own = [each for each in found.data if each.reference == reference]
        if not own:
            return NotFound()
        if len(own) > 1:
            return None
        payment = own[0]
        if payment.status == "Declined":
            path = f"/payments/{quote(payment.id, safe='')}/actions"
            response = yield Request("GET", path, headers=self._headers)
            actions = response.read(list[_Action]) or []
            decided = next((each for each in actions if each.type in _DECISIONS), _Action())
            payment.response_code = decided.response_code
            payment.response_summary = decided.response_summary
        outcome = self._judge(payment, charge)
        open_yet = isinstance(outcome, Unknown) and outcome.reason not in DIFFERENCES
        return None if open_yet else outcome

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST, sent once; a webhook says later what became of it."""
        body: dict[str, object] = {"reference": _reference(request.key)}
        if request.kind != "void":
            amount = _amount(request.amount, request.charge.currency)
            if isinstance(amount, Failed):
                return amount
            body["amount"] = amount
        elif request.is_partial:
            return Failed(reason="amount_not_allowed", code="whole_amount_only")
        if request.kind == "capture" and request.is_partial:
            body["capture_type"] = "NonFinal"  # the rest can still be captured
        response = yield Request(
            "POST",
            f"/payments/{quote(request.reference, safe='')}/{request.kind}s",
            headers=self._headers | {"Cko-Idempotency-Key": request.key},
            body=body,
            may_charge=True,
        )
        return _judge_follow_up(response)

    def examine(self) -> Examination:
        """Search for a payment that nobody has made. The list proves the key; a 404 would be
        anybody's."""
        response = yield self._search("tonewall-examination")
        known = response.status == 200 and response.read(_List) is not None
        return None if known else _judge_error(response).reason

    def _search(self, reference: str) -> Request:
        path = f"/payments?limit=10&skip=0&reference={quote(reference, safe='')}"
        return Request("GET", path, headers=self._headers)

    def _saves(self, charge: Charge) -> bool:
        return (charge.token_type or self._account.token_type) != "none"

    def _pay(self, charge: Charge, method: dict[str, object]) -> Charging:
        amount = _amount(charge.amount, charge.currency)
        if isinstance(amount, Failed):
            return amount
        account = self._account
        body: dict[str, object] = {
            "source": method,
            "amount": amount,
            "currency": charge.currency,
            "payment_type": "MOTO",
            "reference": _reference(charge.idempotency_key),
            "metadata": {"transaction_id": charge.transaction_id} | charge.metadata,
        }
        if charge.amount:
            body["capture"] = charge.operation == "charge"
        if charge.description:
            body["description"] = charge.description[:_LONGEST_DESCRIPTION]
        if channel := charge.merchant_account or account.merchant_account:
            body["processing_channel_id"] = channel
        # Both words are needed, so one alone is left to the account's own.
        if descriptor := _CITY.fullmatch(charge.statement or account.statement):
            body["billing_descriptor"] = descriptor.groupdict()
        if _CUSTOMER.fullmatch(charge.customer):
            body["customer"] = {"id": charge.customer}
        response = yield Request(
            "POST",
            "/payments",
            headers=self._headers | {"Cko-Idempotency-Key": charge.idempotency_key},
            body=body,
            may_charge=True,
        )
        if response.status not in (200, 201, 202):
            return _judge_error(response)
        return self._judge(response.read(_Answer) or _Answer(), charge)

    def _judge(self, answer: _Answer, charge: Charge) -> Outcome:
        """What became of a payment by its status; `pending` where it is not over."""
        reference = clean_text(answer.id) or None
        taken = _TAKEN if charge.operation == "charge" else _TAKEN | {"Partially Captured"}
        match answer.status:
            case status if status in taken and answer.approved:
                return self._approved(answer, charge)
            case "Declined":
                code = clean_code(answer.response_code)
                return Declined(
                    reason=RESPONSES.get(code) or GROUPS.get(code[:1]) or "declined",
                    message=clean_text(answer.response_summary),
                    reference=reference,
                    code=code or "declined",
                )
            case ended if ended in _ENDED:
                return Declined(reason="cancelled", reference=reference, code=ended)
            case "Pending" if "redirect" in answer.links:
                # Without the customer it ends there: nothing is authorised before the challenge.
                return Declined(reason="authentication_required", reference=reference, code="redirect")
            case "Pending":
                return Unknown(reason="pending")
            case _:
                return Unknown(reason="answer_not_understood")

    def _approved(self, answer: _Answer, charge: Charge) -> Outcome:
        total = answer.balances.total_authorized
        named = answer.amount if total is None or not charge.amount else total
        amount = None if named is None else from_provider(named, charge.currency, _SHIFTS)
        return approve(
            charge,
            reference=answer.id,
            amount=-1 if named is not None and amount is None else amount,
            currency=answer.currency,
            token=answer.source.id if self._saves(charge) else None,
            authorisation_code=answer.auth_code,
        )


def _amount(amount: int, currency: str) -> int | Failed:
    """The amount as Checkout.com counts it, or why it cannot be sent."""
    if currency in _DISPUTED:
        return Failed(reason="currency_not_supported")
    try:
        units = to_provider(amount, currency, _SHIFTS)
    except AmountNotPayable:
        return Failed(reason="amount_not_allowed")
    in_tens = currency in _IN_TENS
    return Failed(reason="amount_not_allowed") if in_tens and units % 10 else units


def _reference(key: str) -> str:
    """A key as a reference, which is shorter: as it is, or what stands for it."""
    if len(key) <= _LONGEST_REFERENCE:
        return key
    return hashlib.sha256(key.encode()).hexdigest()[:_LONGEST_REFERENCE]


def _judge_error(response: Response) -> Failed | Unknown:
    error = response.read(_Error) or _Error()
    if response.status == 429:  # also a request under the same key that is being carried out
        return Unknown(reason="http_429")
    codes = [clean_code(each) for each in error.error_codes]
    known = next((each for each in codes if each in ERRORS), "")
    return judge_error(response.status, known or (codes[0] if codes else ""), ERRORS)


def _judge_follow_up(response: Response) -> FollowUpOutcome:
    if response.status == 403:  # what the payment does not allow now
        error = response.read(_Error) or _Error()
        code = clean_code(error.error_codes[0]) if error.error_codes else ""
        return Failed(reason=ERRORS.get(code, "request_refused"), code=code or "http_403")
    if response.status != 202:
        return _judge_error(response)
    action = response.read(_Action) or _Action()
    return Accepted(reference=clean_text(action.action_id))
