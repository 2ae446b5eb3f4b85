"""Reads Commerce Hub's answers."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from provider_adapters.approval import approve
from provider_adapters.base import NotFound, Response
from provider_adapters.codes.fiserv import ABSENT, ERRORS, OPEN, RESPONSES
from provider_adapters.currency import read_decimal
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import Approved, Charge, Declined, Failed, FollowUpOutcome, Outcome, Unknown
from provider_adapters.text import clean_code, clean_text


class _Processing(msgspec.Struct, rename="camel"):
    client_request_id: str = ""
    transaction_id: str = ""


class _Gateway(msgspec.Struct, rename="camel"):
    transaction_state: str = ""
    transaction_processing_details: _Processing = msgspec.field(default_factory=_Processing)


class _Amount(msgspec.Struct):
    total: Decimal
    currency: str


class _Processor(msgspec.Struct, rename="camel"):
    approval_status: str = ""
    approval_code: str | None = None
    response_code: str | None = None
    response_message: str | None = None


class _Receipt(msgspec.Struct, rename="camel"):
    approved_amount: _Amount | None = None
    processor_response_details: _Processor = msgspec.field(default_factory=_Processor)


class _Card(msgspec.Struct, rename="camel"):
    expiration_month: str = ""
    expiration_year: str = ""


class _Source(msgspec.Struct):
    card: _Card = msgspec.field(default_factory=_Card)


class _PaymentToken(msgspec.Struct, rename="camel"):
    token_data: str | None = None
    token_source: str | None = None


class Transaction(msgspec.Struct, rename="camel"):
    """ChargesResponse, CancelResponse, RefundResponse, TransactionInquiryResponse."""

    gateway_response: _Gateway = msgspec.field(default_factory=_Gateway)
    payment_receipt: _Receipt = msgspec.field(default_factory=_Receipt)
    source: _Source = msgspec.field(default_factory=_Source)
    payment_tokens: list[_PaymentToken] = []

    @property
    def key(self) -> str:
        """The Client-Request-Id of its request."""
        return self.gateway_response.transaction_processing_details.client_request_id

    @property
    def reference(self) -> str:
        """Commerce Hub's own."""
        return clean_text(self.gateway_response.transaction_processing_details.transaction_id)


class _Error(msgspec.Struct):
    code: str | None = None


class _Errors(msgspec.Struct):
    """ErrorResponse."""

    error: list[_Error] = []


def judge_charge(response: Response, charge: Charge) -> Outcome:
    """What became of a charge by its own answer."""
    if response.status not in (200, 201):
        return judge_refusal(response)
    found = response.read(Transaction)
    return (_judge(found, charge) if found else None) or Unknown(reason="answer_not_understood")


def judge_inquiry(response: Response, charge: Charge) -> Outcome | NotFound | None:
    """What became of a charge by the answer to an inquiry."""
    if response.status not in (200, 201):
        return NotFound() if read_code(response) in ABSENT else None
    listed = response.read(list[Transaction])
    if listed is None:
        return None
    if not listed:
        return NotFound()
    ours = [each for each in listed if each.key == charge.idempotency_key]
    return _judge(ours[0], charge) if len(ours) == 1 else None


def judge_follow_up(response: Response) -> FollowUpOutcome:
    """What became of a capture, a cancellation or a refund."""
    if response.status not in (200, 201):
        return judge_refusal(response)
    found = response.read(Transaction) or Transaction()
    if found.payment_receipt.processor_response_details.approval_status == "APPROVED":
        return Approved(reference=found.reference)
    return _refused(found) or Unknown(reason="answer_not_understood")


def judge_refusal(response: Response) -> Failed | Unknown:
    """An answer that is no success."""
    code = read_code(response)
    if code in OPEN:
        return Unknown(reason=f"error_{code}")
    return judge_error(response.status, code, ERRORS)


def read_code(response: Response) -> str:
    """The code of the first error; empty where there is none."""
    errors = (response.read(_Errors) or _Errors()).error
    return clean_code(errors[0].code) if errors else ""


def _judge(found: Transaction, charge: Charge) -> Outcome | None:
    """The outcome, or None where the state decides nothing."""
    receipt, state = found.payment_receipt, found.gateway_response.transaction_state
    processor = receipt.processor_response_details
    if state == "VOIDED":
        return Declined(reason="cancelled", reference=found.reference or None, code="VOIDED")
    if processor.approval_status != "APPROVED" or state not in ("AUTHORIZED", "CAPTURED"):
        return _refused(found)
    if receipt.approved_amount is None:
        return Unknown(reason="amount_differs")
    amount = read_decimal(receipt.approved_amount.total, receipt.approved_amount.currency)
    return approve(
        charge,
        reference=found.reference,
        amount=-1 if amount is None else amount,
        currency=receipt.approved_amount.currency,
        token=_token(found),
        authorisation_code=processor.approval_code,
    )


def _refused(found: Transaction) -> Declined | Failed | None:
    processor = found.payment_receipt.processor_response_details
    code = clean_code(processor.response_code)
    match processor.approval_status:
        case "DECLINED":
            return Declined(
                reason=RESPONSES.get(code, "declined"),
                message=clean_text(processor.response_message),
                reference=found.reference or None,
                code=code or "DECLINED",
            )
        case "VALIDATION_FAILED":
            return Failed(reason=ERRORS.get(code, "request_refused"), code=code or "VALIDATION_FAILED")
        case _:  # PROCESSING_FAILED, WAITING, and what a later version may bring
            return None


def _token(found: Transaction) -> str | None:
    """A token, whose it is, and the expiry that goes with it when it is charged."""
    tokens = [each for each in found.payment_tokens if each.token_data and each.token_source]
    if not tokens:
        return None
    card = found.source.card
    return ":".join(
        (
            tokens[0].token_source or "",
            tokens[0].token_data or "",
            card.expiration_month + card.expiration_year,
        )
    )
