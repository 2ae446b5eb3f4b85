"""Reads Worldpay's answers as outcomes: of a payment, of Payment Queries, of what is done later."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from provider_adapters.approval import approve
from provider_adapters.base import Response
from provider_adapters.codes.worldpay import DUPLICATES, ERRORS, FIELDS, REFUSALS
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import (
    Accepted,
    Charge,
    Declined,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

LINK = re.compile(r"/api/payments/([^/]+)(?:/[A-Za-z]+)?")
_OF_3DS = frozenset({"3dsAuthenticationFailed", "3dsChallenged", "3dsDeviceDataRequired", "3dsUnavailable"})
_SENT = frozenset(
    {"sentForSettlement", "sentForRefund", "sentForPartialRefund", "sentForCancellation"}
    | {"sentForReversal"}
)
_AUTHORISED = frozenset({"authorizationSucceeded", "saleSucceeded"})
_SETTLED = frozenset(
    {"settlementRequested", "settlementRequestSubmitted", "refundRequested", "refundRequestSubmitted"}
)
_CANCELLED = frozenset({"cancellationRequested", "cancellationRequestSubmitted"})


class Link(msgspec.Struct):
    """A link to what can be asked or done."""

    href: str = ""


class _Issuer(msgspec.Struct, rename="camel"):
    authorization_code: str | None = None


class _Risk(msgspec.Struct):
    """RiskFactor."""

    type: str = ""
    risk: str = ""


class _Amounts(msgspec.Struct, rename="camel"):
    """Amounts: given where less was authorised."""

    total_authorized: int
    currency: str


class Answer(msgspec.Struct, rename="camel"):
    """PaymentsResponse201 and 202, as far as they decide."""

    outcome: str = ""
    payment_id: str = ""
    refusal_code: str | None = None
    refusal_description: str | None = None
    issuer: _Issuer = msgspec.field(default_factory=_Issuer)
    risk_factors: list[_Risk] = []
    amounts: _Amounts | None = None
    token: Link = msgspec.field(default_factory=Link)
    links: dict[str, Link] = msgspec.field(name="_links", default_factory=dict)
    actions: dict[str, Link] = msgspec.field(name="_actions", default_factory=dict)


class _Error(msgspec.Struct, rename="camel"):
    """ErrorResponse, and ValidationErrorResponse inside it."""

    error_name: str = ""
    json_path: str = ""
    validation_errors: list[_Error] = []


class _EventError(msgspec.Struct):
    name: str = ""


class _Event(msgspec.Struct, rename="camel"):
    event_name: str = ""
    code: str | None = None
    description: str | None = None
    error: _EventError = msgspec.field(default_factory=_EventError)


class _Value(msgspec.Struct):
    amount: int
    currency: str


class Payment(msgspec.Struct, rename="camel"):
    """A payment in Payment Queries; the list has fewer fields."""

    payment_id: str = ""
    transaction_reference: str = ""
    last_event: str = ""
    issuer: _Issuer = msgspec.field(default_factory=_Issuer)
    value: _Value | None = None
    events: list[_Event] = []
    links: dict[str, Link] = msgspec.field(name="_links", default_factory=dict)


class _Payments(msgspec.Struct):
    payments: list[Payment]


class PaymentList(msgspec.Struct):
    """What Payment Queries found: an empty list where that is nothing."""

    embedded: _Payments = msgspec.field(name="_embedded")


class Queried(msgspec.Struct):
    """A sign that it was Payment Queries who answered: the link to the query itself."""

    links: dict[str, Link] = msgspec.field(name="_links")


def judge(response: Response, charge: Charge) -> Outcome:
    """The outcome of a payment's own answer."""
    if response.status not in (200, 201, 202):
        return judge_error_answer(response)
    answer = response.read(Answer) or Answer()
    reference = clean_text(answer.payment_id) or None
    match answer.outcome:
        case "sentForSettlement":
            return _approved(answer, charge)
        case "authorized":
            taken = charge.operation != "charge" or not charge.amount
            return _approved(answer, charge) if taken else Unknown(reason="not_captured")
        case "refused":
            code = clean_code(answer.refusal_code)
            return Declined(
                reason=REFUSALS.get(code, "declined"),
                message=clean_text(answer.refusal_description),
                reference=reference,
                code=code or "refused",
            )
        case "sentForCancellation":
            wrong = any((each.type, each.risk) == ("cvc", "notMatched") for each in answer.risk_factors)
            reason = "invalid_security_code" if wrong else "cancelled"
            return Declined(reason=reason, reference=reference, code=answer.outcome)
        case "fraudHighRisk":
            return Declined(reason="suspected_fraud", reference=reference, code=answer.outcome)
        case challenge if challenge in _OF_3DS:
            # Without the customer it ends there: nothing is authorised before the challenge.
            return Declined(reason="authentication_required", reference=reference, code=challenge)
        case _:
            return Unknown(reason="answer_not_understood")


def _approved(answer: Answer, charge: Charge) -> Outcome:
    amounts = answer.amounts
    links = [*answer.links.values(), *answer.actions.values()]
    return approve(
        charge,
        reference=_link_data(links) or answer.payment_id,
        amount=None if amounts is None else amounts.total_authorized,
        currency=None if amounts is None else amounts.currency,
        token=answer.token.href,
        authorisation_code=answer.issuer.authorization_code,
    )


def _link_data(links: list[Link]) -> str:
    """What stands for the payment in its links, encoded as it is there."""
    found = (LINK.fullmatch(urlsplit(each.href).path) for each in links)
    return next((each[1] for each in found if each), "")


def judge_payment(payment: Payment, charge: Charge) -> Outcome | None:
    """What became of a payment by its last event; None where that leaves it open."""
    last, value = payment.last_event, payment.value
    event = next((each for each in reversed(payment.events) if each.event_name == last), _Event())
    reference = clean_text(payment.payment_id) or None
    taken = charge.operation != "charge" or not charge.amount
    if last in _SETTLED or (last in _AUTHORISED and taken):
        # The links here end in the same link data as those of the payment itself.
        data = (
            urlsplit(each.href).path.rpartition("/")[2] for name, each in payment.links.items() if ":" in name
        )
        return approve(
            charge,
            reference=next(data, "") or payment.payment_id,
            amount=None if value is None else value.amount,
            currency=None if value is None else value.currency,
            authorisation_code=payment.issuer.authorization_code,
        )
    if last in ("authorizationRefused", "saleRefused"):
        code = clean_code(event.code)
        return Declined(
            reason=REFUSALS.get(code, "declined"),
            message=clean_text(event.description),
            reference=reference,
            code=code or "refused",
        )
    if last in ("authorizationFailed", "saleFailed") and event.error.name in ERRORS:
        return Failed(reason=ERRORS[event.error.name], code=event.error.name)
    if last in _CANCELLED:
        return Declined(reason="cancelled", reference=reference, code=last)
    return None


def read_error(response: Response) -> _Error:
    """The error in an answer, or an empty one."""
    return response.read(_Error) or _Error()


def judge_error_answer(response: Response) -> Failed | Unknown:
    """The outcome of an answer that is no success."""
    error = read_error(response)
    code = clean_code(error.error_name)
    if code in DUPLICATES:
        return Unknown(reason="duplicate")
    ends = [each.json_path.rpartition(".")[2] for each in error.validation_errors]
    wrong = next((FIELDS[end] for end in ends if end in FIELDS), None)
    return judge_error(response.status, code, {code: wrong} if wrong else ERRORS)


def judge_follow_up(response: Response, request: FollowUp) -> FollowUpOutcome:
    """The outcome of what was done later."""
    if response.status != 202:
        return judge_error_answer(response)
    answer = response.read(Answer) or Answer()
    if answer.outcome not in _SENT:
        return Unknown(reason="answer_not_understood")
    return Accepted(reference=request.key)
