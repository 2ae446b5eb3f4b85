"""Reads Braintree's answers as outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from provider_adapters.approval import approve
from provider_adapters.base import Response
from provider_adapters.codes.braintree import GATEWAY, PROCESSOR, VALIDATION
from provider_adapters.currency import read_decimal
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import Charge, Declined, Failed, Outcome, Unknown
from provider_adapters.text import clean_code, clean_text

TAKEN = frozenset(
    {"SETTLED", "SETTLEMENT_CONFIRMED", "SETTLEMENT_PENDING", "SETTLING", "SUBMITTED_FOR_SETTLEMENT"}
)
"""Of a transaction: its money was taken, or will be without another request. Of a refund: it is on
its way."""
REFUSED = frozenset(
    {"FAILED", "GATEWAY_REJECTED", "PROCESSOR_DECLINED", "SETTLEMENT_DECLINED"}
    | {"AUTHORIZATION_EXPIRED", "VOIDED"}
)
"""Nothing was taken, nor will be."""
# A single-use payment method is charged once: an earlier request used it.
_USED = frozenset({"91564", "91566"})


class _Extensions(msgspec.Struct, rename="camel"):
    error_class: str = ""
    legacy_code: str | int | None = None


class _Error(msgspec.Struct):
    extensions: _Extensions | None = None


class Amount(msgspec.Struct, rename="camel"):
    """MonetaryAmount."""

    value: Decimal | None = None
    currency_code: str | None = None


class _Reply(msgspec.Struct, rename="camel"):
    """A processor's response."""

    legacy_code: str | None = None
    message: str | None = None
    authorization_id: str | None = None


class _Other(msgspec.Struct, rename="camel"):
    order_id: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    """PaymentStatusEvent of any kind."""

    status: str | None = None
    gateway_rejection_reason: str | None = None
    processor_response: _Reply | None = None
    duplicate_of: _Other | None = None


class _Method(msgspec.Struct):
    id: str
    usage: str | None = None


class Transaction(msgspec.Struct, rename="camel"):
    """A transaction, or a refund, as far as it decides."""

    id: str
    status: str | None = None
    order_id: str | None = None
    amount: Amount | None = None
    payment_method: _Method | None = None
    status_history: list[_Event] | None = None

    def event(self, status: str) -> _Event:
        """The event that led to a status; an empty one where none is told."""
        events = [each for each in self.status_history or () if each.status == status]
        return events[0] if events else _Event()

    @property
    def duplicate_of(self) -> str | None:
        """The order of which this was rejected as a duplicate; empty where none is named; None
        where it was not."""
        event = self.event("GATEWAY_REJECTED")
        if self.status != "GATEWAY_REJECTED" or event.gateway_rejection_reason != "DUPLICATE":
            return None
        return (event.duplicate_of and event.duplicate_of.order_id) or ""


class _Payload(msgspec.Struct, rename="camel"):
    """What any of the mutations returns."""

    payment_method: _Method | None = None
    transaction: Transaction | None = None
    reversal: Transaction | None = None
    refund: Transaction | None = None


class _Account(msgspec.Struct, rename="camel"):
    id: str
    currency_code: str | None = None


class _AccountEdge(msgspec.Struct):
    node: _Account | None = None


class _Accounts(msgspec.Struct):
    edges: list[_AccountEdge] | None = None


class _Merchant(msgspec.Struct, rename="camel"):
    merchant_accounts: _Accounts | None = None


class _Viewer(msgspec.Struct):
    merchant: _Merchant | None = None


class _Edge(msgspec.Struct):
    node: Transaction | None = None


class _Page(msgspec.Struct):
    edges: list[_Edge] | None = None


class _Search(msgspec.Struct):
    transactions: _Page | None = None


class _Data(msgspec.Struct, rename="camel"):
    viewer: _Viewer | None = None
    search: _Search | None = None
    tokenize_credit_card: _Payload | None = None
    charge_payment_method: _Payload | None = None
    authorize_payment_method: _Payload | None = None
    capture_transaction: _Payload | None = None
    reverse_transaction: _Payload | None = None
    refund_transaction: _Payload | None = None


class _Answer(msgspec.Struct):
    data: _Data | None = None
    errors: list[_Error] | None = None


def read_payload(response: Response) -> _Payload:
    """What the one mutation of a request returned; an empty one where it returned nothing."""
    answer = response.read(_Answer) if response.status == 200 else None
    data = (answer and answer.data) or _Data()
    return (
        data.tokenize_credit_card
        or data.charge_payment_method
        or data.authorize_payment_method
        or data.capture_transaction
        or data.reverse_transaction
        or data.refund_transaction
        or _Payload()
    )


def read_found(response: Response) -> list[Transaction] | None:
    """What a search found; None where it was not carried out."""
    answer = response.read(_Answer) if response.status == 200 else None
    search = answer.data.search if answer is not None and answer.data is not None else None
    if answer is None or answer.errors or search is None or search.transactions is None:
        return None
    return [each.node for each in search.transactions.edges or () if each.node is not None]


def read_currency(response: Response) -> str | Failed:
    """The currency of the merchant account, or why it cannot be charged for."""
    answer = response.read(_Answer) if response.status == 200 else None
    viewer = answer.data.viewer if answer is not None and answer.data is not None else None
    if viewer is None or viewer.merchant is None or viewer.merchant.merchant_accounts is None:
        return unprepared(response)
    nodes = [each.node for each in viewer.merchant.merchant_accounts.edges or () if each.node is not None]
    if not nodes:
        return Failed(reason="account_refused", code="no_merchant_account")
    return nodes[0].currency_code or ""


def failed(response: Response) -> Failed | Unknown:
    """What an answer without a result says of a request that may have moved money."""
    if response.status != 200:
        return judge_error(response.status)
    answer = response.read(_Answer)
    if answer is None or not answer.errors:
        return Unknown(reason="answer_not_understood")
    found = [_judge_error(each.extensions or _Extensions()) for each in answer.errors]
    return next((each for each in found if isinstance(each, Unknown)), found[0])


def _judge_error(error: _Extensions) -> Failed | Unknown:
    code = clean_code(error.legacy_code) or clean_code(error.error_class)
    match error.error_class:
        case "VALIDATION" if code in _USED:
            return Unknown(reason="payment_method_used")
        case "VALIDATION":
            return Failed(reason=VALIDATION.get(code, "request_refused"), code=code)
        case "AUTHENTICATION" | "AUTHORIZATION":
            return Failed(reason="key_refused", code=code)
        case "NOT_FOUND" | "UNSUPPORTED_CLIENT":
            return Failed(reason="request_refused", code=code)
        case "RESOURCE_LIMIT":
            return Failed(reason="try_again_later", code=code)
        case _:  # INTERNAL, SERVICE_AVAILABILITY, and what is not said
            return Unknown(reason=code.lower() or "answer_not_understood")


def unprepared(response: Response) -> Failed:
    """The same of a request that moves no money."""
    found = failed(response)
    return found if isinstance(found, Failed) else Failed(reason="try_again_later", code=found.reason)


def judge(charge: Charge, transaction: Transaction, *, saves: bool) -> Outcome:
    """What one transaction came to. `saves`: whether its card was to be saved."""
    status = transaction.status or ""
    if status in TAKEN or (status == "AUTHORIZED" and charge.operation == "authorise"):
        return _approved(charge, transaction, saves)
    if status not in REFUSED:  # AUTHORIZING, and what a later version may bring
        return Unknown(reason="pending")
    event = transaction.event(status)
    reply = event.processor_response or _Reply()
    match status:
        case "GATEWAY_REJECTED":
            code = clean_code(event.gateway_rejection_reason)
            reason = GATEWAY.get(code, "declined")
        case "VOIDED" | "AUTHORIZATION_EXPIRED":
            code, reason = status, "cancelled"
        case _:
            code = clean_code(reply.legacy_code) or status
            otherwise = "try_again_later" if status == "FAILED" else "declined"
            reason = PROCESSOR.get(code, otherwise)
    return Declined(
        reason=reason,
        message=clean_text(reply.message),
        reference=clean_text(transaction.id),
        code=code,
    )


def judge_found(charge: Charge, found: Sequence[Transaction], *, saves: bool) -> Outcome:
    """What all transactions of one order came to: one that stands goes before those that were
    refused. Two that stand are a difference: a person must look."""
    standing = [each for each in found if each.status not in REFUSED]
    if len(standing) > 1:
        return Unknown(reason="amount_differs")
    if not standing and any(each.duplicate_of == charge.idempotency_key for each in found):
        return Unknown(reason="pending")  # the first one is not shown yet
    return judge(charge, (standing or list(found))[0], saves=saves)


def amount_in(transaction: Transaction, charge: Charge) -> int | None:
    """The amount in the charge's minor unit; None where it names none, or another currency."""
    amount = transaction.amount
    if amount is None or amount.value is None or amount.currency_code != charge.currency:
        return None
    return read_decimal(amount.value, charge.currency)


def _approved(charge: Charge, transaction: Transaction, saves: bool) -> Outcome:
    amount, method = transaction.amount or Amount(), transaction.payment_method
    if amount.value is None or amount.currency_code is None:
        return Unknown(reason="answer_not_understood")
    taken = amount_in(transaction, charge)
    reply = transaction.event("AUTHORIZED").processor_response or _Reply()
    return approve(
        charge,
        reference=transaction.id,
        amount=-1 if taken is None else taken,
        currency=amount.currency_code,
        token=method.id if saves and method is not None and method.usage == "MULTI_USE" else None,
        authorisation_code=reply.authorization_id,
    )
