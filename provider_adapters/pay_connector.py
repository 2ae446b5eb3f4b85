"""A merchant's own "pay connector", in the form that telephony platforms post a keyed card in.

Source: the public texts of Twilio (Generic Pay Connector), SignalWire and Telnyx on what their
`<Pay>` posts, and of Hyperswitch on what its telephone orders take. What binds here: the form has
no idempotency key, no inquiry, and an answer that names neither amount nor currency. So a charge is
sent once; without a clear answer it stays Unknown, for a person to look up; and an approval is of
the whole amount, because the form can say nothing else. Amounts are decimal numbers; all values are
strings.
"""

from __future__ import annotations

from base64 import b64encode
from typing import ClassVar

import msgspec

from provider_adapters.account import Account
from provider_adapters.approval import approve
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request, Response
from provider_adapters.card import Card
from provider_adapters.codes.pay_connector import REASONS, leaves_open, normalise
from provider_adapters.currency import write_decimal
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import Charge, Declined, Failed, FollowUp, Operation, Outcome, Unknown
from provider_adapters.text import clean_code, clean_text

_TOKENS = {"one_time": "one-time", "reusable": "reusable"}
_ORDER = "order_reference"  # among the parameters: the merchant's own number of the order
_PROFILE = "profile_id"  # Hyperswitch's name of it
_NOT_OFFERED = "not_supported"
# A success is 200 in the form; some connectors say 201, and 402 of a card that was declined.
_ANSWERED = frozenset({200, 201, 402})


class _Answer(msgspec.Struct):
    """The body of every answer; unknown fields are ignored."""

    charge_id: str | None = None
    token_id: str | None = None
    error_code: str | int | None = None
    error_message: str | None = None


class PayConnector:
    """Posts to the account's URL, which is the whole URL of the connector."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset({Operation.CHARGE, Operation.VERIFY})
    ABSENT_AFTER: ClassVar[float | None] = None
    PROVES: ClassVar[str] = ""  # its examination proves nothing

    def __init__(self, account: Account) -> None:
        self._account = account
        credentials = b64encode(f"{account.api_user}:{account.api_key}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """One POST, never repeated: the connector may have no way to notice."""
        if charge.operation == "authorise":
            return Failed(reason="request_refused", code=_NOT_OFFERED)
        verifies = charge.operation == "verify"
        try:
            amount = write_decimal(charge.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="currency_not_supported")
        month, year = card.expiry.reveal_digits()
        code = card.security_code.reveal()
        token_type = charge.token_type or self._account.token_type
        profile = charge.merchant_account or self._account.merchant_account
        more: dict[str, str | None] = {
            "cvv": code,
            # SignalWire's name of it stands beside the others': each connector reads its own.
            "amount": None if verifies else amount,
            "chargeAmount": "0" if verifies else amount,
            "token_type": _TOKENS.get(token_type) or ("one-time" if verifies else None),
            "description": charge.description,
        }
        body: dict[str, object] = {
            # The key, not the number of the order: a second attempt must not look like the first.
            "transaction_id": charge.idempotency_key,
            "method": "tokenize" if verifies else "charge",
            "cardnumber": card.pan.reveal(),
            "expiry_month": month,
            "expiry_year": year[-2:],
            "currency_code": charge.currency,
            "parameters": {_ORDER: charge.transaction_id}
            | ({_PROFILE: profile} if profile else {})
            | charge.metadata,
        }
        body |= {name: value for name, value in more.items() if value}
        response = yield Request("POST", "", headers=self._headers, body=body, may_charge=not verifies)
        return _judge(response, charge)

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """Not offered: the form has no request with a token."""
        return Failed(reason="request_refused", code=_NOT_OFFERED)
        yield Request("GET", "")

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Nothing to ask: the form has no inquiry."""
        return None
        yield Request("GET", "")

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """Not offered: done at the merchant's provider."""
        return Failed(reason="request_refused", code=_NOT_OFFERED)
        yield Request("GET", "")

    def examine(self) -> Examination:
        """A GET, which no connector charges by. Its contract has no question that proves a key: of
        the answers, only a refusal of the key says anything."""
        response = yield Request("GET", "", headers=self._headers)
        if response.status in (401, 403, 408, 429) or response.status >= 500:
            return judge_error(response.status).reason
        return "no_key_check"


def _judge(response: Response, charge: Charge) -> Outcome:
    answer = response.read(_Answer) or _Answer()
    code = clean_code(answer.error_code)
    if response.status not in _ANSWERED:
        return judge_error(response.status, code, REASONS)
    if answer.error_code not in (None, ""):
        if answer.charge_id or leaves_open(code):
            return Unknown(reason="answer_not_understood" if answer.charge_id else "error_leaves_it_open")
        return Declined(
            reason=REASONS.get(normalise(code), "declined"),
            message=clean_text(answer.error_message),
            code=code,
        )
    if response.status == 402:
        return Declined(reason="declined", message=clean_text(answer.error_message), code="http_402")
    reference = answer.token_id if charge.operation == "verify" else answer.charge_id
    if not reference:
        return Unknown(reason="answer_not_understood")
    return approve(charge, reference=reference, token=answer.token_id)
