"""Reads PayU's answers, and judges those that need no further request."""

from __future__ import annotations

import msgspec

from provider_adapters.base import Response
from provider_adapters.codes.payu import CARD, ERRORS, OPEN, RESULTS
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text


class Token(msgspec.Struct):
    """What is granted, or why not (RFC 6749)."""

    access_token: str = ""
    error: str = ""


class _Status(msgspec.Struct, rename="camel"):
    status_code: str = ""
    code_literal: str | None = None
    status_desc: str | None = None
    error: str = ""


class Method(msgspec.Struct):
    """The way to pay of an answer: a token where a card was saved."""

    type: str = ""
    value: str = ""


class _Methods(msgspec.Struct, rename="camel"):
    pay_method: Method = msgspec.field(default_factory=Method)


class _Refund(msgspec.Struct, rename="camel"):
    refund_id: str = ""
    status: str = ""


class Answer(msgspec.Struct, rename="camel"):
    """Every answer but that to a look, as far as it decides."""

    status: _Status = msgspec.field(default_factory=_Status)
    order_id: str = ""
    redirect_uri: str | None = None
    pay_methods: _Methods = msgspec.field(default_factory=_Methods)
    refund: _Refund = msgspec.field(default_factory=_Refund)


class Order(msgspec.Struct, rename="camel"):
    """An order that was looked at."""

    order_id: str = ""
    ext_order_id: str = ""
    status: str = ""
    total_amount: str = ""
    currency_code: str = ""


class Orders(msgspec.Struct):
    """The answer to a look."""

    orders: list[Order] = []


class _CardData(msgspec.Struct, rename="camel"):
    card_response_code: str | None = None
    card_response_code_desc: str | None = None


class _Used(msgspec.Struct, rename="camel"):
    card_data: _CardData = msgspec.field(default_factory=_CardData)


class _Transaction(msgspec.Struct, rename="camel"):
    card: _Used = msgspec.field(default_factory=_Used)
    result_code: str | None = None


class _Transactions(msgspec.Struct):
    transactions: list[_Transaction] = []


def judge_transactions(response: Response, order: Order) -> Declined:
    """Why an order was cancelled, by the last of its transactions."""
    found = (response.read(_Transactions) or _Transactions()).transactions if response.status == 200 else []
    last = found[-1] if found else _Transaction()
    data = last.card.card_data
    card, result = clean_code(data.card_response_code), clean_code(last.result_code)
    return Declined(
        reason=CARD.get(card) or RESULTS.get(result) or ("declined" if card or result else "cancelled"),
        message=clean_text(data.card_response_code_desc),
        reference=clean_text(order.order_id) or None,
        code=card or result or "CANCELED",
    )


def judge_refusal(response: Response) -> Failed | Unknown:
    """An answer that is no success; an order of our key that stands already may be paid."""
    status = (response.read(Answer) or Answer()).status
    word = clean_code(status.status_code) or clean_code(status.error)
    if word == "ERROR_ORDER_NOT_UNIQUE":
        return Unknown(reason="order_stands_already")
    if word in OPEN:
        return Unknown(reason=word.lower())
    literal = clean_code(status.code_literal)
    error = judge_error(response.status, word, ERRORS)
    return Failed(reason=error.reason, code=literal or error.code) if isinstance(error, Failed) else error


def judge_follow_up(response: Response, request: FollowUp) -> FollowUpOutcome:
    """What became of a capture, a cancellation or a refund."""
    if response.status not in (200, 201):
        return judge_refusal(response)
    answer = response.read(Answer) or Answer()
    if answer.status.status_code != "SUCCESS":
        return Unknown(reason="answer_not_understood")
    if request.kind != "refund":
        return Approved(reference=request.reference)
    reference = clean_text(answer.refund.refund_id)
    match answer.refund.status:
        case "FINALIZED":
            return Approved(reference=reference)
        case "PENDING":
            return Accepted(reference=reference)
        case "CANCELED":
            return Declined(reason="declined", reference=reference or None, code="CANCELED")
        case _:
            return Unknown(reason="answer_not_understood")
