"""Stripe: PaymentMethod, PaymentIntent and its confirmation, raw card, `moto`.

Source: Stripe's OpenAPI description, the parameters that its Python library declares (`moto` stands
there alone), and its public texts on idempotency, declines and currencies. What binds here: only
the confirmation moves money, and the intent's id is in the journal before it, so an unclear answer
is settled by looking at that intent. It is not sent again: Stripe answers a key that got a 500 with
that 500. An intent that is found unpaid is cancelled first, which Stripe does not do to one that
was paid: so a confirmation that is still on its way can charge nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import ClassVar
from urllib.parse import quote, urlencode

from provider_adapters.account import Account
from provider_adapters.answers.stripe import (
    KEY,
    Found,
    Intent,
    Made,
    approved,
    count_units,
    declined,
    failed,
    followed,
    is_payable,
    make_headers,
    make_metadata,
    read_error,
    unconfirmed,
    unprepared,
)
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
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import (
    PAYING,
    Charge,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_Preparing = Generator[Request, Response, str | Declined | Failed]


class Stripe:
    """Speaks the API with the account's secret key, for the connected account where one is
    named."""

    OPERATIONS: ClassVar[frozenset[Operation]] = PAYING
    # For the search, which shows an intent after a minute as a rule, and later in a disturbance.
    ABSENT_AFTER: ClassVar[float | None] = 3600.0
    PROVES: ClassVar[str] = "the key is accepted"

    def __init__(self, account: Account) -> None:
        self._account = account

    def charge(self, charge: Charge, card: Card) -> Charging:
        """A PaymentMethod, a Customer where the card is to be saved, a PaymentIntent, and its
        confirmation; to verify, a SetupIntent instead of these two."""
        if not is_payable(charge):
            return Failed(reason="amount_not_allowed")
        month, year = card.expiry.reveal()
        code = card.security_code.reveal()
        number: dict[str, object] = {"number": card.pan.reveal(), "exp_month": month, "exp_year": year}
        method = yield from self._make(
            charge,
            "payment_methods",
            "pm",
            {"type": "card", "card": number | ({"cvc": code} if code else {})},
        )
        if not isinstance(method, str):
            return method
        customer = yield from self._customer(charge)
        if not isinstance(customer, str):
            return customer
        if charge.operation == "verify":
            return (yield from self._verify(charge, method, customer))
        saving = {"customer": customer, "setup_future_usage": "off_session"} if customer else {}
        how: dict[str, object] = {"payment_method_options": {"card": {"moto": True}}}
        return (yield from self._pay(charge, method, saving, how))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The customer of the saved PaymentMethod, then the same without a card, `off_session`."""
        if not is_payable(charge) or charge.operation == "verify":
            return Failed(reason="amount_not_allowed")
        response = yield Request(
            "GET", f"/v1/payment_methods/{quote(token, safe='')}", headers=self._headers(charge)
        )
        found = response.read(Made)
        if response.status != 200 or found is None:
            return unprepared(response)
        saved = {"customer": found.customer} if found.customer else {}
        return (yield from self._pay(charge, found.id, saved, {"off_session": True}))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Look at the intent; without its id it was not confirmed as far as is noted, and is
        searched for."""
        intent = notes.get("intent", "")
        if not intent.startswith("pi_"):
            query = urlencode({"query": f'metadata["{KEY}"]:"{charge.idempotency_key}"'})
            response = yield Request(
                "GET", f"/v1/payment_intents/search?{query}", headers=self._headers(charge)
            )
            found = response.read(Found)
            if response.status != 200 or found is None or len(found.data) > 1:
                return None
            if not found.data:
                return NotFound()
            intent = found.data[0].id
        response = yield Request(
            "GET", f"{_path(intent)}?expand%5B%5D=latest_charge", headers=self._headers(charge)
        )
        seen = response.read(Intent)
        if response.status != 200 or seen is None:
            return None
        return (yield from self._judge(charge, seen))

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """One POST, which may be repeated under its key."""
        try:
            amount = count_units(request.amount, request.charge.currency)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        path, body = _follow_up(request, amount)
        response = yield Request(
            "POST",
            path,
            headers=self._headers(request.charge, request.key),
            body=body,
            is_form=True,
            may_charge=True,
            repeatable=True,
        )
        if response.status != 200:
            return failed(response)
        return followed(response, request)

    def examine(self) -> Examination:
        """List one intent. The list proves the key."""
        response = yield Request("GET", "/v1/payment_intents?limit=1", headers=self._headers())
        if response.status == 200 and response.read(Found) is not None:
            return None
        found = failed(response)
        return found.reason if isinstance(found, Failed) else "try_again_later"

    def _headers(self, charge: Charge | None = None, key: str = "") -> dict[str, str]:
        return make_headers(self._account, charge, key)

    def _make(self, charge: Charge, path: str, kind: str, body: Mapping[str, object]) -> _Preparing:
        """POST what moves no money; the new id, or why there is none."""
        response = yield Request(
            "POST",
            f"/v1/{path}",
            headers=self._headers(charge, f"{charge.idempotency_key}-{kind}"),
            body=body,
            is_form=True,
            step=path,
        )
        made = response.read(Made)
        return made.id if response.status == 200 and made is not None else unprepared(response)

    def _customer(self, charge: Charge) -> _Preparing:
        """The Customer to whom the card is to be saved, if it is: the one that the charge names, or
        a new one."""
        if (charge.token_type or self._account.token_type) == "none":
            return ""
        if charge.customer.startswith("cus_"):
            return charge.customer
        body = {"metadata": {"customer": charge.customer or charge.transaction_id}}
        return (yield from self._make(charge, "customers", "cu", body))

    def _pay(
        self, charge: Charge, method: str, more: Mapping[str, object], how: Mapping[str, object]
    ) -> Charging:
        statement = charge.statement or self._account.statement
        body: dict[str, object] = {
            "amount": count_units(charge.amount, charge.currency),
            "currency": charge.currency.lower(),
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "capture_method": "manual" if charge.operation == "authorise" else "automatic",
            "metadata": make_metadata(charge),
        }
        for name, value in (
            ("description", charge.description),
            ("statement_descriptor_suffix", statement),
        ):
            if value:
                body[name] = value
        intent = yield from self._make(charge, "payment_intents", "pi", body | dict(more))
        if not isinstance(intent, str):
            return intent
        response = yield Request(
            "POST",
            f"{_path(intent)}/confirm",
            headers=self._headers(charge, f"{charge.idempotency_key}-confirm"),
            body={"error_on_requires_action": True, "expand": ["latest_charge"], **how},
            is_form=True,
            may_charge=True,
            step="confirm",
            notes={"intent": intent},
        )
        if response.status == 200:
            confirmed = response.read(Intent)
            if confirmed is None:
                return Unknown(reason="answer_not_understood")
            return (yield from self._judge(charge, confirmed))
        error = read_error(response)
        if error.type != "card_error" or not 400 <= response.status < 500:
            return unconfirmed(response)
        left = error.payment_intent
        if left is not None and left.status not in ("requires_payment_method", "canceled"):
            return (yield from self._judge(charge, left))
        return declined(error, intent)

    def _judge(self, charge: Charge, intent: Intent) -> Charging:
        """What the intent came to. One that could still be paid is cancelled before anything is
        said of it."""
        match intent.status:
            case "succeeded":
                return approved(charge, intent, intent.amount_received)
            case "requires_capture" if charge.operation == "authorise":
                return approved(charge, intent, intent.amount_capturable)
            case "canceled":
                return Declined(reason="cancelled", reference=clean_text(intent.id), code="canceled")
            case "requires_payment_method" if intent.last_payment_error is not None:
                return declined(intent.last_payment_error, intent.id)
            case "requires_action":
                verdict: Outcome = Declined(
                    reason="authentication_required", reference=clean_text(intent.id), code=intent.status
                )
            case "requires_confirmation" | "requires_payment_method":
                verdict = Failed(reason="no_such_charge", code=intent.status)
            case _:  # processing, and what a later version may bring
                return Unknown(reason="pending")
        # Without a key: what refused this once may allow it the next time.
        response = yield Request(
            "POST",
            f"{_path(intent.id)}/cancel",
            headers=self._headers(charge),
            body={"cancellation_reason": "abandoned"},
            is_form=True,
        )
        left = response.read(Intent)
        if response.status == 200 and left is not None and left.status == "canceled":
            return verdict
        return Unknown(reason="pending")

    def _verify(self, charge: Charge, method: str, customer: str) -> Charging:
        """A SetupIntent, confirmed as it is made: it moves no money, so a fault is Failed."""
        body: dict[str, object] = {
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "payment_method_options": {"card": {"moto": True}},
            "confirm": True,
            "metadata": make_metadata(charge),
        }
        response = yield Request(
            "POST",
            "/v1/setup_intents",
            headers=self._headers(charge, f"{charge.idempotency_key}-si"),
            body=body | ({"customer": customer} if customer else {}),
            is_form=True,
            step="setup_intents",
        )
        made = response.read(Made)
        if response.status != 200 or made is None:
            return unprepared(response)
        if made.status == "succeeded":
            return approve(charge, reference=made.id, amount=0, token=method if customer else None)
        if made.status == "requires_action":
            return Declined(reason="authentication_required", reference=made.id, code=made.status)
        if made.last_setup_error is not None:
            return declined(made.last_setup_error, made.id)
        return Failed(reason="request_refused", code=clean_code(made.status))


def _path(intent: str) -> str:
    return f"/v1/payment_intents/{quote(intent, safe='')}"


def _follow_up(request: FollowUp, amount: int) -> tuple[str, dict[str, object]]:
    """Path and body."""
    match request.kind:
        case "capture":
            return f"{_path(request.reference)}/capture", {"amount_to_capture": amount}
        case "void":
            return f"{_path(request.reference)}/cancel", {}
        case "refund":
            return "/v1/refunds", {"payment_intent": request.reference, "amount": amount}
