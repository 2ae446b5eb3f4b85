"""What Stripe's own library sends for the same telephone payment and for what is done with it
later, field by field beside ours; and that the library understands the Stripe that is played
here."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe

from provider_adapters import registry
from provider_adapters.form import encode_form
from provider_adapters.local import hosted
from provider_adapters.local.books import API_KEY
from provider_adapters.local.dialect import Dialect
from provider_adapters.payment import FollowUp, Link, LinkRequest
from tests.contract.playing import CARDS, CODE, make_card, make_charge, play
from tests.contract.providers import TABLE

ROW = TABLE["stripe"]
URL = registry.ADAPTERS["stripe"].url

# What only the library sends, and why.
HEADERS_OF_THE_LIBRARY = {
    "user-agent": "names the library; our runner sends its own",
    "x-stripe-client-user-agent": "names the library",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it would leave. `form`: names and values, where a list's positions count for
    nothing."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    form: set[tuple[str, str]] = field(repr=False)


class Library(stripe.HTTPClient):
    """The library's client with its network replaced by the Stripe that is played here."""

    name = "played"

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self._dialect = dialect

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, *_: object, **__: object
    ) -> tuple[str, int, dict[str, str]]:
        sent = {name.lower(): value for name, value in headers.items()}
        body = (post_data or "").encode()
        self.sent.append(Sent(method.upper(), url, sent, set(parse_qsl(body.decode()))))
        path = url.removeprefix(URL)
        answer = asyncio.run(self._dialect.handle(method.upper(), path, sent, body))
        assert answer is not None
        return json.dumps(answer.body), answer.status, {}


def open_library(dialect: Dialect, api_key: str = API_KEY) -> tuple[Any, Library]:
    """The library, and what it sent."""
    http = Library(dialect)
    return stripe.StripeClient(api_key, http_client=http, max_network_retries=0).v1, http


def send_ours(dialect: Dialect, flowing: Any) -> list[Sent]:
    """What our adapter sends, as the runner sends it."""
    _, exchanges = asyncio.run(play(flowing, dialect))
    found = []
    for each in exchanges:
        request = each.request
        headers = {name.lower(): value for name, value in request.headers.items()}
        form = set(parse_qsl(encode_form(request.body or {}).decode()))
        kind = {"content-type": "application/x-www-form-urlencoded"} if request.is_form else {}
        found.append(Sent(request.method, URL + request.path, headers | kind, form))
    return found


def compare(ours: Sent, theirs: Sent) -> None:
    """The two are the same but for what is listed above."""
    assert (ours.method, urlsplit(ours.url)) == (theirs.method, urlsplit(theirs.url))
    assert set(theirs.headers) - set(ours.headers) == set(HEADERS_OF_THE_LIBRARY)
    assert not set(ours.headers) - set(theirs.headers)
    for name, value in ours.headers.items():
        assert value == theirs.headers[name], name
    assert ours.form == theirs.form


def pay_by_library(client: Any, key: str, *, moto: bool = True, **more: object) -> Any:
    """A merchant that keys the card of a caller, in the words of Stripe's pages."""
    method = client.payment_methods.create(
        {
            "type": "card",
            "card": {"number": CARDS["approved"], "exp_month": 3, "exp_year": 2030, "cvc": CODE},
        },
        {"idempotency_key": f"{key}-pm"},
    )
    intent = client.payment_intents.create(
        {
            "amount": 1998,
            "currency": "eur",
            "payment_method": method.id,
            "allowed_payment_method_types": ["card"],
            "capture_method": "automatic",
            "description": "Shoes",
            "metadata": {"tonewall_key": key, "transaction_id": "order-20417"},
        }
        | more,
        {"idempotency_key": f"{key}-pi"},
    )
    return client.payment_intents.confirm(
        intent.id,
        {
            "error_on_requires_action": True,
            "expand": ["latest_charge"],
            "payment_method_options": {"card": {"moto": moto}},
        },
        {"idempotency_key": f"{key}-confirm"},
    )


@pytest.mark.parametrize("operation", ["charge", "authorise"])
def test_a_telephone_payment_is_the_one_that_the_library_sends(operation: str) -> None:
    books, dialect = ROW.dialect()
    client, library = open_library(dialect)
    manual: dict[str, object] = {"capture_method": "manual"} if operation == "authorise" else {}
    paid = pay_by_library(client, "k-1", **manual)
    _, other = ROW.dialect()
    charge = make_charge(operation=operation)
    ours = send_ours(other, ROW.flow(url=URL).charge(charge, make_card()))
    assert len(ours) == len(library.sent)
    for mine, theirs in zip(ours, library.sent, strict=True):
        compare(mine, theirs)
    assert paid.status == ("requires_capture" if operation == "authorise" else "succeeded")
    record = books.find("k-1")
    assert record is not None
    assert (paid.id, record.charges) == (record.reference, 1)


def test_an_inquiry_and_its_search_are_what_the_library_sends() -> None:
    _, dialect = ROW.dialect()
    client, library = open_library(dialect)
    paid = pay_by_library(client, "k-1")
    library.sent.clear()
    found = client.payment_intents.search({"query": 'metadata["tonewall_key"]:"k-1"'})
    client.payment_intents.retrieve(found.data[0].id, {"expand": ["latest_charge"]})
    assert found.data[0].id == paid.id
    ours = send_ours(dialect, ROW.flow(url=URL).inquire(make_charge(), {}))
    for mine, theirs in zip(ours, library.sent, strict=True):
        one, other = urlsplit(mine.url), urlsplit(theirs.url)
        assert (one.path, dict(parse_qsl(one.query.replace("%5B%5D", "%5B0%5D")))) == (
            other.path,
            dict(parse_qsl(other.query)),
        )


@pytest.mark.parametrize("kind", ["capture", "void", "refund"])
def test_what_is_done_later_is_what_the_library_sends(kind: Any) -> None:
    books, dialect = ROW.dialect()
    client, library = open_library(dialect)
    manual: dict[str, object] = {} if kind == "refund" else {"capture_method": "manual"}
    paid = pay_by_library(client, "k-1", **manual)
    how = {"idempotency_key": "k-later"}
    match kind:
        case "capture":
            done = client.payment_intents.capture(paid.id, {"amount_to_capture": 1998}, how)
        case "void":
            done = client.payment_intents.cancel(paid.id, {}, how)
        case _:
            done = client.refunds.create({"payment_intent": paid.id, "amount": 1998}, how)
    assert done.status == ("canceled" if kind == "void" else "succeeded")
    request = FollowUp(key="k-later", kind=kind, charge=make_charge(), reference=paid.id, amount=1998)
    (ours,) = send_ours(dialect, ROW.flow(url=URL).follow_up(request))
    compare(ours, library.sent[-1])
    record = books.find("k-1")
    assert record is not None
    assert len(record.moves) == 1, "both came under one key"


def test_a_card_is_verified_as_the_library_does_it() -> None:
    _, dialect = ROW.dialect()
    client, library = open_library(dialect)
    method = client.payment_methods.create(
        {
            "type": "card",
            "card": {"number": CARDS["approved"], "exp_month": 3, "exp_year": 2030, "cvc": CODE},
        },
        {"idempotency_key": "k-1-pm"},
    )
    client.setup_intents.create(
        {
            "payment_method": method.id,
            "allowed_payment_method_types": ["card"],
            "payment_method_options": {"card": {"moto": True}},
            "confirm": True,
            "metadata": {"tonewall_key": "k-1", "transaction_id": "order-20417"},
        },
        {"idempotency_key": "k-1-si"},
    )
    _, other = ROW.dialect()
    charge = make_charge(operation="verify", amount=0)
    for mine, theirs in zip(
        send_ours(other, ROW.flow(url=URL).charge(charge, make_card())), library.sent, strict=True
    ):
        compare(mine, theirs)


def test_the_librarys_errors_are_those_that_are_meant() -> None:
    _, dialect = ROW.dialect()
    client, _ = open_library(dialect, api_key="wrong")
    with pytest.raises(stripe.AuthenticationError):
        pay_by_library(client, "k-1")
    client, _ = open_library(dialect)
    pay_by_library(client, "k-1")
    with pytest.raises(stripe.IdempotencyError):
        pay_by_library(client, "k-1", amount=5)


def test_a_payment_link_is_the_one_that_the_library_makes_asks_for_and_ends() -> None:
    books, dialect = ROW.dialect()
    client, library = open_library(dialect)
    metadata = {"tonewall_key": "k-1", "transaction_id": "order-20417"}
    made = client.payment_links.create(
        {
            "line_items": [
                {
                    "price_data": {
                        "currency": "eur",
                        "unit_amount": 1998,
                        "product_data": {"name": "Shoes"},
                    },
                    "quantity": 1,
                }
            ],
            "payment_method_types": ["card"],
            "restrictions": {"completed_sessions": {"limit": 1}},
            "payment_intent_data": {
                "metadata": metadata,
                "capture_method": "automatic",
                "description": "Shoes",
            },
            "metadata": metadata,
        },
        {"idempotency_key": "k-1-link"},
    )
    visit = hosted.begin_visit(books.links[made.id])
    client.payment_links.update(made.id, {"active": False})
    found = client.checkout.sessions.list({"payment_link": made.id, "status": "open", "limit": 10})
    assert [each.id for each in found.data] == [visit]
    client.checkout.sessions.expire(visit)
    for status in ("open", "complete"):
        client.checkout.sessions.list({"payment_link": made.id, "status": status, "limit": 10})
    other_books, other = ROW.dialect()
    flow, charge = ROW.links(url=URL), make_charge()
    request = LinkRequest(charge=charge, expires_at=2_000_000_000.0)
    ours = send_ours(other, flow.open_link(request))
    [link] = other_books.links.values()
    assert (link.id, hosted.begin_visit(link)) == (made.id, visit)
    opened = Link(url=link.url, reference=link.id, expires_at=request.expires_at)
    ours += send_ours(other, flow.close_link(charge, opened))
    assert len(ours) == len(library.sent)
    # The library makes up a key for each POST; what ends a link needs none.
    ending = {"idempotency-key"}
    for number, (mine, theirs) in enumerate(zip(ours, library.sent, strict=True)):
        if number:
            theirs.headers.pop(*ending, None)
        one, another = urlsplit(mine.url), urlsplit(theirs.url)
        assert (mine.method, one.path, mine.form) == (theirs.method, another.path, theirs.form)
        assert dict(parse_qsl(one.query)) == dict(parse_qsl(another.query))
        assert not set(mine.headers) - set(theirs.headers)
