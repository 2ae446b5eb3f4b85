"""GOV.UK Pay: a payment in `authorisation_mode: moto_api`, and the card under its one-time token.

Source: GOV.UK Pay's OpenAPI description 1.0.3, its public texts on MOTO payments, error codes and
payment states, and the published source of its API. What binds here: creating a payment moves no
money, and POST /v1/auth takes a token once, so a card is charged at most once whatever is sent
twice. The `Idempotency-Key` of a creation counts for agreements only, so two creations are two
payments, of which one is never paid. All amounts are pence. A card is saved on GOV.UK Pay's own
page alone (agreements), so there is none to save here.
"""

from __future__ import annotations

import re
from collections.abc import Generator
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
from provider_adapters.codes.govuk_pay import ENDED, ERRORS, FIELDS
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import (
    Accepted,
    Approved,
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

_PATH = "/v1/payments"
# Required, and not known on the phone: nobody checks it without an address.
_CARDHOLDER = "Telephone Customer"
_CURRENCY = "GBP"  # of every payment there; no request names it
_LONGEST = 255  # of a reference and a description
# What the provider's firewall refuses in a body (P0920).
_BLOCKED = str.maketrans(dict.fromkeys('<>"\\|', " "))
_KEY = re.compile(r"[A-Za-z0-9-]{1,255}")
_USED = "P1212"  # the token was used: by a request of ours of which we know nothing
_NOT_CAPTURABLE = "P1003"
_NO_SUCH_PAYMENT = "P0200"


class _State(msgspec.Struct):
    """PaymentState."""

    status: str = ""
    code: str | None = None
    message: str | None = None


class _Token(msgspec.Struct):
    one_time_token: str = ""


class _Authorise(msgspec.Struct):
    params: _Token = msgspec.field(default_factory=_Token)


class _Links(msgspec.Struct):
    auth_url_post: _Authorise | None = None


class _Refundable(msgspec.Struct):
    """RefundSummary."""

    status: str = ""
    amount_available: int = 0


class _Payment(msgspec.Struct):
    """CreatePaymentResult and PaymentWithAllLinks, as far as they decide. `total_amount` includes a
    surcharge of corporate cards."""

    payment_id: str = ""
    amount: int | None = None
    total_amount: int | None = None
    state: _State = msgspec.field(default_factory=_State)
    links: _Links = msgspec.field(name="_links", default_factory=_Links)
    refund_summary: _Refundable = msgspec.field(default_factory=_Refundable)


class _Refund(msgspec.Struct):
    refund_id: str = ""
    status: str = ""


class _Error(msgspec.Struct):
    """RequestError and ErrorResponse."""

    code: str = ""
    field: str = ""
    description: str = ""


class GovukPay:
    """Speaks with the account's key, which names the service."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.CHARGE, Operation.AUTHORISE, Operation.CAPTURE, Operation.VOID}
        | {Operation.REFUND, Operation.REFUND_PART}
    )
    # A payment that nobody paid expires after 90 minutes.
    ABSENT_AFTER: ClassVar[float | None] = 6000.0
    PROVES: ClassVar[str] = "the key is accepted"

    def __init__(self, account: Account) -> None:
        self._headers = {"Authorization": f"Bearer {account.api_key}", "Accept": "application/json"}

    def charge(self, charge: Charge, card: Card) -> Charging:
        """Create a payment, send the card under its token, ask what became of it."""
        if charge.currency != _CURRENCY:
            return Failed(reason="currency_not_supported")
        if not len(card.security_code):
            return Failed(reason="invalid_security_code", code="cvc_required")
        response = yield self._create(charge)
        payment = response.read(_Payment) or _Payment()
        link = payment.links.auth_url_post
        if response.status not in (200, 201):
            return _not_created(response)
        if link is None or not link.params.one_time_token or not payment.payment_id:
            return Failed(reason="request_refused", code="no_one_time_token")
        month, year = card.expiry.reveal_digits()
        body: dict[str, object] = {
            "one_time_token": link.params.one_time_token,
            "card_number": card.pan.reveal(),
            "cvc": card.security_code.reveal(),
            "expiry_date": month + "/" + year[-2:],
            "cardholder_name": _CARDHOLDER,
        }
        # Its one-time token is all the credential that this request has.
        response = yield Request(
            "POST",
            "/v1/auth",
            headers={"Accept": "application/json"},
            body=body,
            may_charge=True,
            step="authorise",
            notes={"payment_id": payment.payment_id},
        )
        if response.status != 204:
            return _judge_refusal(response, payment.payment_id)
        answer = yield self._get(payment.payment_id)
        found = _judge(answer, charge)
        return found if found and not isinstance(found, NotFound) else Unknown(reason="pending")

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """Not offered: cards are saved on GOV.UK Pay's own page alone."""
        return Failed(reason="request_refused", code="no_saved_cards")
        yield Request("GET", "")

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """One GET. Without the payment's id, no card was sent."""
        payment_id = notes.get("payment_id")
        if not payment_id:
            return NotFound()
        return _judge((yield self._get(payment_id)), charge)

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """Capture or cancel the whole, or refund what there is left: a refund names what it takes
        for left, so that none is made twice unnoticed."""
        path = f"{_PATH}/{quote(request.reference, safe='')}"
        if request.kind == "refund" and request.charge.currency != _CURRENCY:
            return Failed(reason="currency_not_supported")
        if request.kind == "refund":
            return (yield from self._refund(path, request))
        if request.is_partial:
            return Failed(reason="amount_not_allowed", code="whole_amount_only")
        action = {"capture": "capture", "void": "cancel"}[request.kind]
        response = yield Request("POST", f"{path}/{action}", headers=self._headers, may_charge=True)
        if response.status == 204:
            return Approved(reference=request.reference)
        code = _code_of(response)
        if code == _NOT_CAPTURABLE:
            return Failed(reason="request_refused", code=code)
        return _judge_error(response)

    def examine(self) -> Examination:
        """Ask for a payment that nobody has made. The code that says so proves the key."""
        response = yield Request("GET", f"{_PATH}/tonewall-examination", headers=self._headers)
        if _code_of(response) == _NO_SUCH_PAYMENT:
            return None
        return _judge_error(response).reason

    def _create(self, charge: Charge) -> Request:
        body: dict[str, object] = {
            "amount": charge.amount,
            "reference": _clean(charge.transaction_id),
            "description": _clean(charge.description) or _clean(charge.transaction_id),
            "authorisation_mode": "moto_api",
        }
        if charge.operation == "authorise":
            body["delayed_capture"] = True
        if charge.metadata:
            body["metadata"] = {_clean(name): _clean(value) for name, value in charge.metadata.items()}
        key = charge.idempotency_key
        headers = self._headers | ({"Idempotency-Key": key} if _KEY.fullmatch(key) else {})
        return Request("POST", _PATH, headers=headers, body=body)

    def _get(self, payment_id: str) -> Request:
        return Request("GET", f"{_PATH}/{quote(payment_id, safe='')}", headers=self._headers)

    def _refund(self, path: str, request: FollowUp) -> Generator[Request, Response, FollowUpOutcome]:
        response = yield Request("GET", path, headers=self._headers)
        if response.status != 200:
            error = _judge_error(response)
            return Failed(reason=error.reason, code=_code_of(response))
        summary = (response.read(_Payment) or _Payment()).refund_summary
        if summary.status != "available" or summary.amount_available < request.amount:
            return Failed(reason="amount_not_allowed", code=clean_code(f"refund_{summary.status}"))
        response = yield Request(
            "POST",
            f"{path}/refunds",
            headers=self._headers,
            body={"amount": request.amount, "refund_amount_available": summary.amount_available},
            may_charge=True,
        )
        if response.status not in (200, 201, 202):
            return _judge_error(response)
        made = response.read(_Refund) or _Refund()
        match made.status:
            case "success":
                return Approved(reference=clean_text(made.refund_id))
            case "submitted":
                return Accepted(reference=clean_text(made.refund_id))
            case "error":
                return Declined(reason="declined", code="refund_error")
            case _:
                return Unknown(reason="answer_not_understood")


def _clean(text: str) -> str:
    """What the provider's firewall and its limits let through."""
    return text.translate(_BLOCKED)[:_LONGEST].strip()


def _code_of(response: Response) -> str:
    return clean_code((response.read(_Error) or _Error()).code) or f"http_{response.status}"


def _judge(response: Response, charge: Charge) -> Outcome | NotFound | None:
    """What became of a payment by its state; None where it is not over, NotFound where no card has
    arrived."""
    payment = response.read(_Payment)
    if response.status != 200 or payment is None:
        return None
    status, code = payment.state.status, clean_code(payment.state.code)
    match status:
        case "success" | "capturable":
            if status == "capturable" and charge.operation != "authorise":
                return Unknown(reason="not_captured")
            amount = payment.amount if payment.total_amount is None else payment.total_amount
            return approve(charge, reference=payment.payment_id, amount=amount)
        case "failed" if code not in ENDED:
            return Declined(
                reason="declined",
                message=clean_text(payment.state.message),
                reference=clean_text(payment.payment_id) or None,
                code=code or "failed",
            )
        case "failed" | "cancelled" | "error":
            otherwise = "cancelled" if status == "cancelled" else "try_again_later"
            return Failed(reason=ENDED.get(code, otherwise), code=code or status)
        case "created":
            return NotFound()
        case _:  # started, submitted, and what a later version may bring
            return None


def _judge_refusal(response: Response, payment_id: str) -> Outcome:
    """An answer to the card that is no success."""
    error = response.read(_Error) or _Error()
    code = clean_code(error.code)
    if code == _USED:
        return Unknown(reason="token_used")
    if response.status != 402:
        return _judge_error(response)
    text = error.description
    otherwise = "card_not_supported" if "card type" in text or "Prepaid" in text else "declined"
    return Declined(
        reason="invalid_number" if "card_number" in text else otherwise,
        message=clean_text(text),
        reference=clean_text(payment_id) or None,
        code=code or "http_402",
    )


def _not_created(response: Response) -> Failed:
    """Whatever the answer to a creation: no card was sent."""
    error, code = _judge_error(response), _code_of(response)
    reason = error.reason if isinstance(error, Failed) else ERRORS.get(code, "try_again_later")
    return Failed(reason=reason, code=code)


def _judge_error(response: Response) -> Failed | Unknown:
    error = response.read(_Error) or _Error()
    code = clean_code(error.code)
    if code == "P0102":
        named = next((name for name in FIELDS if name in (error.field or error.description)), "")
        return judge_error(response.status, code, {code: FIELDS.get(named, "request_refused")})
    return judge_error(response.status, code, ERRORS)
