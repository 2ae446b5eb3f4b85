"""Payment links of Stripe: a link that can be completed once, and the Checkout Sessions that its
visitors open.

Source: the parameters and objects that Stripe's Python library declares, its OpenAPI description
for links and intents, and its public texts on Checkout Sessions. What binds here: a link has no
expiry, so it is made inactive when ours comes. A session that is open then can still be completed:
so each is expired, which Stripe does to none that was completed. What was paid is the intent of the
session that is complete; its metadata name our key, which the webhooks bring.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar, Literal
from urllib.parse import quote, urlencode

import msgspec

from provider_adapters.account import Account
from provider_adapters.answers.stripe import (
    Intent,
    approved,
    count_units,
    failed,
    is_payable,
    make_headers,
    make_metadata,
)
from provider_adapters.base import LinkInquiry, LinkOpening, Request, Response
from provider_adapters.links.opened import opened
from provider_adapters.payment import LINK_CLOSED, Charge, Failed, Link, LinkRequest, Outcome, Unknown

_MAX_NAME = 250
# A session is some 4 kB long, and a runner reads 64 kB.
_PAGE = 10
_ROUNDS = 20  # of as many sessions each: more visits to one link are nobody's customer


class _Made(msgspec.Struct):
    """A payment link."""

    id: str
    url: str
    active: bool


class _Session(msgspec.Struct):
    """A Checkout Session, as far as it decides."""

    id: str
    status: str
    payment_link: str
    payment_intent: str | None = None


class _Sessions(msgspec.Struct):
    data: list[_Session]


class StripeLinks:
    """Speaks the API with the account's secret key, for the connected account where one is
    named."""

    # None: a session that is expired is not completed later.
    LINK_GRACE: ClassVar[float] = 0.0

    def __init__(self, account: Account) -> None:
        self._account = account

    def open_link(self, request: LinkRequest) -> LinkOpening:
        """One POST, which may be repeated under its key."""
        charge = request.charge
        if not is_payable(charge) or charge.operation == "verify":
            return Failed(reason="amount_not_allowed")
        intent: dict[str, object] = {
            "metadata": make_metadata(charge),
            "capture_method": "manual" if charge.operation == "authorise" else "automatic",
        }
        for name, value in (
            ("description", charge.description),
            ("statement_descriptor_suffix", charge.statement or self._account.statement),
        ):
            if value:
                intent[name] = value
        name = (charge.description or charge.transaction_id)[:_MAX_NAME]
        price = {
            "currency": charge.currency.lower(),
            "unit_amount": count_units(charge.amount, charge.currency),
            "product_data": {"name": name},
        }
        response = yield Request(
            "POST",
            "/v1/payment_links",
            headers=make_headers(self._account, charge, f"{charge.idempotency_key}-link"),
            body={
                "line_items": [{"price_data": price, "quantity": 1}],
                "payment_method_types": ["card"],
                "restrictions": {"completed_sessions": {"limit": 1}},
                "payment_intent_data": intent,
                "metadata": make_metadata(charge),
            },
            is_form=True,
            may_charge=True,
            repeatable=True,
        )
        made = response.read(_Made)
        if response.status != 200:
            return failed(response)
        if made is None:
            return Unknown(reason="answer_not_understood")
        return opened(made.url, made.id, request.expires_at)

    def inquire_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """Look for a session that is complete. Where there is one, the others are ended, too."""
        complete = yield from self._list(charge, link, "complete")
        if complete is None:
            return None
        return (yield from self.close_link(charge, link)) if complete else link

    def close_link(self, charge: Charge, link: Link) -> LinkInquiry:
        """Make the link inactive, expire what visitors have open, then look for what is
        complete."""
        response = yield self._post(charge, f"/v1/payment_links/{_quoted(link.reference)}", {"active": False})
        made = response.read(_Made)
        is_over = response.status == 200 and made is not None and not made.active
        is_over &= yield from self._expire(charge, link)
        complete = yield from self._list(charge, link, "complete")
        if complete is None:
            return None
        if complete:
            return (yield from self._judge(charge, complete))
        return Failed(reason=LINK_CLOSED) if is_over else None

    def _expire(self, charge: Charge, link: Link) -> Generator[Request, Response, bool]:
        """Expire the open sessions; whether none is left."""
        for _ in range(_ROUNDS):
            sessions = yield from self._list(charge, link, "open")
            if not sessions:
                return sessions is not None
            for each in sessions:
                yield self._post(charge, f"/v1/checkout/sessions/{_quoted(each.id)}/expire", {})
        return False

    def _list(
        self, charge: Charge, link: Link, status: Literal["open", "complete"]
    ) -> Generator[Request, Response, list[_Session] | None]:
        query = urlencode({"payment_link": link.reference, "status": status, "limit": _PAGE})
        response = yield Request(
            "GET", f"/v1/checkout/sessions?{query}", headers=make_headers(self._account, charge)
        )
        found = response.read(_Sessions)
        if response.status != 200 or found is None:
            return None
        # As they were asked for, or the answer is none to this question.
        fits = all((each.payment_link, each.status) == (link.reference, status) for each in found.data)
        return found.data if fits else None

    def _post(self, charge: Charge, path: str, body: dict[str, object]) -> Request:
        return Request("POST", path, headers=make_headers(self._account, charge), body=body, is_form=True)

    def _judge(
        self, charge: Charge, complete: list[_Session]
    ) -> Generator[Request, Response, Outcome | None]:
        """What the intent of the complete session came to."""
        intent = complete[0].payment_intent
        if len(complete) > 1:
            return Unknown(reason="amount_differs")  # paid more than once
        if intent is None:
            return None
        response = yield Request(
            "GET",
            f"/v1/payment_intents/{_quoted(intent)}?expand%5B%5D=latest_charge",
            headers=make_headers(self._account, charge),
        )
        seen = response.read(Intent)
        if response.status != 200 or seen is None:
            return None
        match seen.status:
            case "succeeded":
                return approved(charge, seen, seen.amount_received)
            case "requires_capture" if charge.operation == "authorise":
                return approved(charge, seen, seen.amount_capturable)
            case _:
                return None


def _quoted(name: str) -> str:
    return quote(name, safe="")
