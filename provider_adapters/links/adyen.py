"""Payment links of Adyen (Pay by Link): opened once under the charge's key, and asked for by id.

Source: Adyen's OpenAPI description of Checkout v72. What binds here: a link that is not `reusable`
takes one payment, and one that is `expired` takes none; a PATCH makes it so. The answer does not
name the payment (`pspReference`): that comes with the webhook of its authorisation, by our key.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.answers.adyen import Amount, count_units, failed, in_minor_units
from provider_adapters.approval import approve
from provider_adapters.base import LinkInquiry, LinkOpening, Request, Response
from provider_adapters.links.opened import opened, read_time, write_time
from provider_adapters.minor_units import AmountNotPayable
from provider_adapters.payment import LINK_CLOSED, Charge, Failed, Link, LinkRequest, Outcome, Unknown

_MAX_DESCRIPTION = 280


class _Answer(msgspec.Struct, rename="camel"):
    """PaymentLinkResponse, as far as it decides."""

    id: str
    status: str
    url: str
    amount: Amount
    expires_at: str | None = None


class AdyenLinks:
    """Speaks Checkout with the account's credentials."""

    # For a payment that the issuer is asked about when the link expires.
    LINK_GRACE: ClassVar[float] = 900.0

    def __init__(self, account: Account) -> None:
        self._account = account
        self._headers = {"X-API-Key": account.api_key, "Accept": "application/json"}

    def open_link(self, request: LinkRequest) -> LinkOpening:
        """One POST, which may be repeated under its key."""
        charge, account = request.charge, self._account
        try:
            amount = count_units(charge.amount, charge.currency)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        if not charge.amount or charge.operation == "verify":
            return Failed(reason="amount_not_allowed")
        body: dict[str, object] = {
            "merchantAccount": charge.merchant_account or account.merchant_account,
            "reference": charge.idempotency_key,
            "merchantOrderReference": charge.transaction_id,
            "amount": amount,
            "expiresAt": write_time(request.expires_at),
            "reusable": False,
            "allowedPaymentMethods": ["scheme"],
        }
        if charge.description:
            body["description"] = charge.description[:_MAX_DESCRIPTION]
        if statement := charge.statement or account.statement:
            body["shopperStatement"] = statement
        if charge.metadata:
            body["metadata"] = charge.metadata
        if charge.operation == "authorise":
            body["manualCapture"] = True
        response = yield Request(
            "POST",
            "/paymentLinks",
            headers=self._headers | {"Idempotency-Key": charge.idempotency_key},
            body=body,
            may_charge=True,
            repeatable=True,
        )
        if response.status != 201:
            return failed(response)
        answer = response.read(_Answer)
        if answer is None:
            return Unknown(reason="answer_not_understood")
        return opened(answer.url, answer.id, read_time(answer.expires_at, request.expires_at))

    def inquire_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """One GET."""
        response = yield Request("GET", _path(link), headers=self._headers)
        return _judge(response, charge, link)

    def close_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """One PATCH, whatever is answered to it, and the GET."""
        yield Request("PATCH", _path(link), headers=self._headers, body={"status": "expired"})
        return (yield from self.inquire_link(charge, link))


def _path(link: Link) -> str:
    return f"/paymentLinks/{quote(link.reference, safe='')}"


def _judge(response: Response, charge: Charge, link: Link) -> Outcome | Link | None:
    answer = response.read(_Answer)
    if response.status != 200 or answer is None:
        return None
    match answer.status:
        case "completed" | "paid":
            amount = in_minor_units(answer.amount)
            return approve(charge, reference="", amount=amount, currency=answer.amount.currency)
        case "expired":
            return Failed(reason=LINK_CLOSED)
        case "active":
            return link
        case _:  # paymentPending, and what a later version may bring
            return None
