"""Braintree: GraphQL, a raw card as a single-use payment method, `paymentInitiator: MOTO`.

Source: Braintree's GraphQL schema, its library's list of errors, and its public texts on statuses,
rejections and processor responses. What binds here: a charge names no currency, so the merchant
account's is asked for first; there is no idempotency key, so the order's id is our key, and an
unclear answer is settled by searching for it; a single-use payment method is charged once at most,
and a duplicate is rejected within the gateway's own window where that is switched on: then the
first one stands.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Generator, Mapping
from typing import ClassVar

from provider_adapters.account import Account
from provider_adapters.answers.braintree import (
    REFUSED,
    TAKEN,
    amount_in,
    failed,
    judge,
    judge_found,
    read_currency,
    read_found,
    read_payload,
    unprepared,
)
from provider_adapters.answers.braintree_documents import (
    ACCOUNT,
    AUTHORIZE,
    CAPTURE,
    CHARGE,
    REFUND,
    REVERSE,
    SEARCH,
    TOKENIZE,
)
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
from provider_adapters.currency import write_decimal
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import (
    PAYING,
    Accepted,
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    FollowUpOutcome,
    Operation,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_PATH = "/graphql"
_VERSION = "2025-04-29"  # the day of the schema that this was written by
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]{2,3})?")  # as the schema has it


class Braintree:
    """Speaks GraphQL with the account's public and private key."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING - {Operation.LINK, Operation.VERIFY}
    # A single-use payment method is good for three hours.
    ABSENT_AFTER: ClassVar[float | None] = 4 * 3600.0
    PROVES: ClassVar[str] = "the key pair is accepted for this merchant account"

    def __init__(self, account: Account) -> None:
        self._account = account
        pair = b64encode(f"{account.api_user}:{account.api_key}".encode()).decode("ascii")
        self._headers = {
            "Authorization": f"Basic {pair}",
            "Braintree-Version": _VERSION,
            "Accept": "application/json",
        }

    def charge(self, charge: Charge, card: Card) -> Charging:
        """The currency of the merchant account, a single-use payment method, and its charge."""
        refused = yield from self._check(charge)
        if refused is not None:
            return refused
        month, year = card.expiry.reveal_digits()
        code = card.security_code.reveal()
        number = {"number": card.pan.reveal(), "expirationMonth": month, "expirationYear": year}
        tokenize = {
            "creditCard": number | ({"cvv": code} if code else {}),
            "options": {"validate": True},
        }
        response = yield self._ask(TOKENIZE, {"input": tokenize}, step="tokenize")
        method = read_payload(response).payment_method
        if method is None:
            found = unprepared(response)
            # The key was good a moment ago.
            raw = found.code == "AUTHORIZATION"
            return Failed(reason="raw_card_not_enabled", code=found.code) if raw else found
        return (yield from self._pay(charge, method.id, "MOTO"))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with a multi-use payment method, at the merchant's initiative."""
        refused = yield from self._check(charge)
        if refused is not None:
            return refused
        return (yield from self._pay(charge, token, "UNSCHEDULED"))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Search for the order's transactions."""
        found = read_found((yield self._ask(SEARCH, {"order": charge.idempotency_key})))
        if found is None:
            return None
        if not found:
            return NotFound()
        return judge_found(charge, found, saves=self._saves(charge))

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One mutation. All of a charge is reversed rather than refunded: that also works before it
        is settled."""
        charge = request.charge
        try:
            amount = _amount(request.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        asked: dict[str, object] = {"transactionId": request.reference}
        if request.kind == "capture":
            document, asked = CAPTURE, asked | {"transaction": {"amount": amount}}
        elif request.kind == "refund" and request.is_partial:
            document, asked = REFUND, asked | {"refund": {"amount": amount, "orderId": request.key}}
        else:
            document = REVERSE
        response = yield self._ask(document, {"input": asked}, may_charge=True)
        payload = read_payload(response)
        done = payload.transaction or payload.reversal or payload.refund
        if done is None:
            return failed(response)
        if request.kind != "void" and amount_in(done, charge) != request.amount:
            return Unknown(reason="amount_differs")
        return _followed(request, done.id, done.status or "")

    def examine(self) -> Examination:
        """Ask for the merchant account."""
        response = yield self._ask(ACCOUNT, {"id": self._account.merchant_account})
        found = read_currency(response)
        return found.reason if isinstance(found, Failed) else None

    def _check(self, charge: Charge) -> Generator[Request, Response, Failed | None]:
        """Why the charge cannot be made; asked before a card leaves."""
        try:
            _amount(charge.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        response = yield self._ask(ACCOUNT, {"id": self._merchant_account(charge)})
        found = read_currency(response)
        if isinstance(found, Failed) or found == charge.currency:
            return found if isinstance(found, Failed) else None
        return Failed(reason="currency_not_supported", code=clean_code(found))

    def _pay(self, charge: Charge, method: str, initiator: str) -> Charging:
        statement = charge.statement or self._account.statement
        transaction: dict[str, object] = {
            "amount": _amount(charge.amount, charge.currency),
            "merchantAccountId": self._merchant_account(charge),
            "orderId": charge.idempotency_key,
            "paymentInitiator": initiator,
        }
        if statement:
            transaction["descriptor"] = {"name": statement}
        if charge.metadata:
            transaction["customFields"] = [
                {"name": name, "value": value} for name, value in charge.metadata.items()
            ]
        if self._saves(charge) and initiator == "MOTO":
            transaction["vaultPaymentMethodAfterTransacting"] = {"when": "ON_SUCCESSFUL_TRANSACTION"}
            if charge.customer:
                transaction["customerId"] = charge.customer
        response = yield self._ask(
            AUTHORIZE if charge.operation == "authorise" else CHARGE,
            {"input": {"paymentMethodId": method, "transaction": transaction}},
            step="charge",
            may_charge=True,
        )
        made = read_payload(response).transaction
        if made is None:
            return failed(response)
        if made.duplicate_of is not None:
            return Unknown(reason="duplicate")  # of what, the inquiry finds
        return judge(charge, made, saves=self._saves(charge))

    def _ask(
        self, document: str, variables: Mapping[str, object], *, step: str = "", may_charge: bool = False
    ) -> Request:
        return Request(
            "POST",
            _PATH,
            headers=self._headers,
            body={"query": document, "variables": variables},
            step=step,
            may_charge=may_charge,
        )

    def _merchant_account(self, charge: Charge) -> str:
        return charge.merchant_account or self._account.merchant_account

    def _saves(self, charge: Charge) -> bool:
        return (charge.token_type or self._account.token_type) != "none"


def _amount(amount: int, currency: str) -> str:
    """The amount as Braintree writes it. Raises AmountNotPayable."""
    written = write_decimal(amount, currency)
    if amount < 1 or not _AMOUNT.fullmatch(written):
        raise AmountNotPayable
    return written


def _followed(request: FollowUp, made: str, status: str) -> FollowUpOutcome:
    reference = clean_text(made)
    if status in TAKEN or (status == "VOIDED" and request.kind != "capture"):
        return Approved(reference=reference)
    if status in REFUSED:
        return Declined(reason="declined", reference=reference, code=clean_code(status))
    if request.kind != "capture" and status in ("AUTHORIZED", "AUTHORIZING"):
        return Accepted(reference=reference)  # a refund that the issuer is asked for
    return Unknown(reason="answer_not_understood")
