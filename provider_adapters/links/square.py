"""Payment links of Square: a link with an order behind it, which is paid once.

Source: Square's OpenAPI description of 2025-08, which has the order, but not the path that shows
it; that is in Square's public texts. What binds here: an order that is CANCELED is never paid, and
deleting its link makes it so; but where a payment was tried and failed, Square may delete the link
and leave the order open, and it can still be paid. So only the order is believed. There is no
expiry: the link is deleted when ours comes.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.answers.square import Money, failed, location, make_headers, shorten
from provider_adapters.approval import approve
from provider_adapters.base import LinkInquiry, LinkOpening, Request
from provider_adapters.links.opened import opened
from provider_adapters.payment import LINK_CLOSED, Charge, Failed, Link, LinkRequest, Unknown

_MAX_NAME, _MAX_NOTE, _MAX_REFERENCE = 255, 500, 40
_MAX_METADATA = 10
_MAX_TENDERS = 20  # tries to pay one order; with more a person has to look
_UNDECIDED = frozenset({"APPROVED", "PENDING"})


class _Made(msgspec.Struct):
    id: str
    order_id: str
    url: str


class _Answer(msgspec.Struct):
    """CreatePaymentLinkResponse."""

    payment_link: _Made


class _Tender(msgspec.Struct):
    """What was tendered for an order: a payment, which may have failed."""

    payment_id: str | None = None


class _Order(msgspec.Struct):
    id: str
    state: str = ""
    tenders: list[_Tender] | None = None


class _Ordered(msgspec.Struct):
    order: _Order


class _Payment(msgspec.Struct):
    id: str
    status: str
    total_money: Money
    order_id: str = ""


class _Paid(msgspec.Struct):
    payment: _Payment


class SquareLinks:
    """Speaks the API with the account's access token. A link's reference is its id and that of its
    order, with a slash between them."""

    # For a payment that the issuer is asked about when the link expires.
    LINK_GRACE: ClassVar[float] = 900.0

    def __init__(self, account: Account) -> None:
        self._account = account
        self._headers = make_headers(account)

    def open_link(self, request: LinkRequest) -> LinkOpening:
        """One POST, which may be repeated under its key."""
        charge = request.charge
        if not charge.amount:
            return Failed(reason="amount_not_allowed")
        if charge.operation != "charge":
            return Failed(reason="not_supported")
        name = charge.description or charge.transaction_id
        order: dict[str, object] = {
            "location_id": location(self._account, charge),
            "reference_id": shorten(charge.idempotency_key, _MAX_REFERENCE),
            "line_items": [
                {
                    "name": name[:_MAX_NAME],
                    "quantity": "1",
                    "base_price_money": {"amount": charge.amount, "currency": charge.currency},
                }
            ],
        }
        if charge.metadata:
            order["metadata"] = dict(list(charge.metadata.items())[:_MAX_METADATA])
        response = yield Request(
            "POST",
            "/v2/online-checkout/payment-links",
            headers=self._headers,
            body={
                "idempotency_key": charge.idempotency_key,
                "order": order,
                "checkout_options": {
                    "allow_tipping": False,
                    "ask_for_shipping_address": False,
                    "accepted_payment_methods": {"cash_app_pay": False, "afterpay_clearpay": False},
                },
                "payment_note": charge.transaction_id[:_MAX_NOTE],
            },
            may_charge=True,
            repeatable=True,
        )
        if response.status != 200:
            return failed(response)
        answer = response.read(_Answer)
        if answer is None:
            return Unknown(reason="answer_not_understood")
        made = answer.payment_link
        return opened(made.url, f"{made.id}/{made.order_id}", request.expires_at)

    def inquire_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """The order, and each payment that was tendered for it."""
        order_id = link.reference.rpartition("/")[2]
        response = yield Request("GET", f"/v2/orders/{quote(order_id, safe='')}", headers=self._headers)
        answer = response.read(_Ordered)
        if response.status != 200 or answer is None or answer.order.id != order_id:
            return None
        order, paid, is_pending = answer.order, [], False
        tenders = order.tenders or []
        for tender in tenders[:_MAX_TENDERS]:
            if not tender.payment_id:
                return None
            path = f"/v2/payments/{quote(tender.payment_id, safe='')}"
            shown = (yield Request("GET", path, headers=self._headers)).read(_Paid)
            if shown is None or shown.payment.order_id != order_id:
                return None
            is_pending |= shown.payment.status in _UNDECIDED
            paid += [shown.payment] if shown.payment.status == "COMPLETED" else []
        if len(paid) > 1:
            return Unknown(reason="amount_differs")  # paid more than once
        if paid:
            total = paid[0].total_money
            return approve(
                charge,
                reference=paid[0].id,
                amount=-1 if total.amount is None else total.amount,
                currency=total.currency or "",
            )
        if is_pending or len(tenders) > _MAX_TENDERS:
            return None
        if order.state == "CANCELED":
            return Failed(reason=LINK_CLOSED)
        return link if order.state == "OPEN" else None

    def close_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """Delete the link, whatever is answered to it, and look at the order."""
        name = quote(link.reference.partition("/")[0], safe="")
        yield Request("DELETE", f"/v2/online-checkout/payment-links/{name}", headers=self._headers)
        return (yield from self.inquire_link(charge, link))
