"""Plays the page behind a payment link: it shows the amount, takes a card, and charges it once.

A customer who is declined may try again on the same page. What a link does when it has expired, is
closed, or was paid, is a `HostedLink`'s to say; each dialect answers for it in its own words.
"""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qs

from provider_adapters.currency import write_decimal
from provider_adapters.local.books import Answer, Books, HostedLink, Order, find_behaviour

PAGES = "/pay/"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Payment</title></head>
<body data-state="{state}">
<h1>{description}</h1>
<p id="amount">{amount} {currency}</p>
<p id="says" role="status">{says}</p>
{form}
</body></html>
"""
_FORM = """<form method="post">
<input type="hidden" name="visit" value="{visit}">
<label>Card number <input name="number" autocomplete="off"></label>
<label>Expiry, MMYY <input name="expiry" autocomplete="off"></label>
<label>Security code <input name="code" autocomplete="off"></label>
<button>Pay</button>
</form>"""
_SAYS = {
    "open": "",
    "paid": "Paid. Thank you.",
    "declined": "The card was declined. Try again, or with another card.",
    "closed": "This link is closed.",
    "expired": "This link has expired.",
}
State = Literal["open", "paid", "declined", "closed", "expired"]


def link_url(headers: Mapping[str, str], name: str) -> str:
    """The URL of a link's page, at the host that the request named."""
    return f"https://{headers.get('host') or 'pay.example.com'}{PAGES}{name}"


def state_of(link: HostedLink) -> State:
    """What a customer who comes now would see."""
    if len(link.paid) >= link.limit:
        return "paid"
    if link.is_closed:
        return "closed"
    return "expired" if time.time() >= link.expires_at else "open"


def begin_visit(link: HostedLink) -> str:
    """A customer opens the page; the id of the visit. Empty where the page shows no form."""
    if state_of(link) != "open":
        return ""
    name = f"{link.id}-{len(link.visits)}"
    link.visits[name] = "open"
    return name


async def pay(books: Books, link: HostedLink, visit_id: str, number: str, expiry: str, code: str) -> State:
    """A customer pays on an open page; what the page shows then."""
    state = state_of(link)
    outlives = link.visits_outlive and link.visits.get(visit_id) == "open" and state == "closed"
    if (state != "open" and not outlives) or link.visits.get(visit_id) != "open" or link.is_busy:
        return "closed" if state == "open" else state
    if find_behaviour(number).approves != "all" and not link.takes_parts:
        return "declined"
    link.is_busy = True
    try:
        record, _ = await books.charge(
            Order(
                key=link.key, transaction_id=link.transaction_id, amount=link.amount,
                currency=link.currency, number=number, expiry=expiry, code=code,
                operation=link.operation, reference=reference_of(link),
            ),
            again=True,
        )  # fmt: skip
    finally:
        link.is_busy = False
    if record.state != "approved":
        link.failed += 1
        return "declined"
    link.paid.append(record.reference)
    link.visits[visit_id] = "complete"
    return "paid"


def reference_of(link: HostedLink) -> str:
    """How the provider calls the next payment."""
    return f"{link.prefix}_{link.id}_{len(link.paid)}"


async def visit(books: Books, method: str, path: str, body: bytes) -> Answer:
    """One request of a customer's browser."""
    link = books.links.get(path.removeprefix(PAGES).partition("?")[0])
    if link is None:
        return Answer(404, {}, page="<!doctype html><title>Unknown</title><p>There is no such link.")
    if method != "POST":
        return _show(link, state_of(link), begin_visit(link))
    form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
    card = [form.get(name, "").replace(" ", "") for name in ("number", "expiry", "code")]
    if not all(each.isdecimal() for each in card[:2]):
        return _show(link, "declined", form.get("visit", ""))
    state = await pay(books, link, form.get("visit", ""), *card)
    return _show(link, state, form.get("visit", "") if state == "declined" else "")


def _show(link: HostedLink, state: State, visit_id: str) -> Answer:
    form = _FORM.format(visit=html.escape(visit_id, quote=True)) if state in ("open", "declined") else ""
    return Answer(
        200,
        {},
        page=_PAGE.format(
            state=state,
            description=html.escape(link.description or link.transaction_id),
            amount=write_decimal(link.amount, link.currency),
            currency=html.escape(link.currency),
            says=_SAYS[state],
            form=form,
        ),
    )
