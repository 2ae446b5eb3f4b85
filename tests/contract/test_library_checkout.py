"""What Checkout.com's own library sends for the same telephone payment and for what is done with it
later, field by field beside ours; and that the library understands the Checkout.com that is played
here."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from checkout_sdk.checkout_sdk import CheckoutSdk
from checkout_sdk.environment import Environment
from checkout_sdk.exception import CheckoutApiException
from checkout_sdk.http_client_interface import HttpClientBuilderInterface
from checkout_sdk.payments.payments import (
    BillingDescriptor,
    CaptureRequest,
    CaptureType,
    PaymentRequest,
    PaymentRequestCardSource,
    PaymentRequestIdSource,
    PaymentsQueryFilter,
    PaymentType,
    RefundRequest,
    VoidRequest,
)

from provider_adapters.local import checkout as played
from provider_adapters.local.dialect import Dialect
from provider_adapters.payment import FollowUp
from tests.contract.playing import CARDS, CODE, Exchange, make_card, play
from tests.contract.providers import TABLE

# The library warns of a part of its own that nothing here uses.
pytestmark = pytest.mark.filterwarnings("ignore:Risk endpoints:DeprecationWarning")

ROW = TABLE["checkout"]
KEY = "sk_sbox_abcdefghijklmnopqrstuvwxyza"
URL = "https://local.api.sandbox.checkout.com"

# What only the library sends, and why.
HEADERS_OF_THE_LIBRARY = {
    "user-agent": "names the library; our runner sends its own",
    "content-type": "our runner adds it to each request that has a body",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it would leave."""

    method: str
    url: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)


class Library(requests.Session):
    """The library's client with its network replaced by the Checkout.com that is played here."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self._dialect = dialect

    def request(self, method: Any, url: Any, **more: Any) -> requests.Response:
        headers = {name.lower(): value for name, value in more["headers"].items()}
        query = {name: str(value) for name, value in (more.get("params") or {}).items()}
        data = more.get("data")
        self.sent.append(Sent(method, url, query, headers, json.loads(data) if data else None))
        path = url.removeprefix(URL) + (f"?{urlencode(query)}" if query else "")
        answer = asyncio.run(self._dialect.handle(method, path, headers, (data or "").encode()))
        assert answer is not None
        response = requests.Response()
        response.status_code = answer.status
        response.headers["Content-Type"] = "application/json"
        response._content = json.dumps(answer.body).encode()
        return response


class Builder(HttpClientBuilderInterface):  # type: ignore[misc]
    """How the library is given its client."""

    def __init__(self, http: Library) -> None:
        self._http = http

    def get_client(self) -> Library:
        return self._http


@pytest.fixture
def dialect(monkeypatch: pytest.MonkeyPatch) -> Dialect:
    """The provider as it is played, with a key that the library takes for one."""
    monkeypatch.setattr(played, "API_KEY", KEY)
    return ROW.dialect()[1]


def open_library(dialect: Dialect, key: str = KEY) -> tuple[Any, Library]:
    """The library's payments, and what it sent."""
    http = Library(dialect)
    builder = CheckoutSdk.builder().secret_key(key).environment(Environment.sandbox())
    return builder.environment_subdomain("local").http_client_builder(Builder(http)).build().payments, http


def card_source(*, stored: bool = False) -> Any:
    source = PaymentRequestCardSource()
    source.number, source.cvv = CARDS["approved"], CODE
    source.expiry_month, source.expiry_year = 3, 2030
    source.store_for_future_use = stored
    return source


def payment(source: Any, **changes: Any) -> Any:
    """A merchant that keys the card of a caller, in the words of Checkout.com's pages."""
    request = PaymentRequest()
    request.source = source
    request.amount, request.currency = 1998, "EUR"
    request.payment_type = PaymentType.MOTO
    request.reference, request.description = "k-1", "Shoes"
    request.capture = True
    request.processing_channel_id = "pc_local"
    request.metadata = {"transaction_id": "order-20417"}
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def send_ours(dialect: Dialect, flowing: Any) -> tuple[Any, list[Exchange]]:
    return asyncio.run(play(flowing, dialect))


def ours(**account: Any) -> Any:
    return ROW.flow(api_key=KEY, url=URL, **account)


def compare(exchange: Exchange, theirs: Sent) -> None:
    """The two are the same but for what is listed above."""
    request = exchange.request
    parts = urlsplit(URL + request.path)
    assert request.method == theirs.method
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == theirs.url
    assert dict(parse_qsl(parts.query)) == theirs.query
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert set(theirs.headers) - set(headers) == set(HEADERS_OF_THE_LIBRARY)
    assert headers == {name: theirs.headers[name] for name in headers}
    assert request.body == theirs.body


@pytest.mark.parametrize("operation", ["charge", "authorise"])
def test_a_telephone_payment_is_that_of_the_library(dialect: Dialect, operation: Any) -> None:
    client, http = open_library(dialect)
    client.request_payment(payment(card_source(), capture=operation == "charge"), "k-1")
    _, exchanges = send_ours(dialect, ours().charge(ROW.charge(operation=operation), make_card()))
    compare(exchanges[0], http.sent[0])


def test_a_saved_card_and_a_statement_are_those_of_the_library(dialect: Dialect) -> None:
    client, http = open_library(dialect)
    descriptor = BillingDescriptor()
    descriptor.name, descriptor.city = "SHOES LTD", "London"
    client.request_payment(payment(card_source(stored=True), billing_descriptor=descriptor), "k-1")
    flow = ours(statement="SHOES LTD, London", token_type="reusable")
    first, exchanges = send_ours(dialect, flow.charge(ROW.charge(), make_card()))
    compare(exchanges[0], http.sent[0])
    source = PaymentRequestIdSource()
    source.id = first.token
    client.request_payment(payment(source, reference="k-2"), "k-2")
    _, exchanges = send_ours(dialect, ours().charge_saved(ROW.charge("k-2"), first.token))
    compare(exchanges[0], http.sent[1])


def test_a_verification_is_that_of_the_library_without_a_capture(dialect: Dialect) -> None:
    client, http = open_library(dialect)
    request = payment(card_source(), amount=0)
    del request.capture
    client.request_payment(request, "k-1")
    flow = ours().charge(ROW.charge(operation="verify", amount=0), make_card())
    outcome, exchanges = send_ours(dialect, flow)
    assert outcome.reference
    compare(exchanges[0], http.sent[0])


@pytest.mark.parametrize(
    ("kind", "amount"), [("capture", 1998), ("capture", 500), ("refund", 500), ("void", 1998)]
)
def test_what_is_done_later_is_that_of_the_library(dialect: Dialect, kind: Any, amount: int) -> None:
    client, http = open_library(dialect)
    charge = ROW.charge(operation="charge" if kind == "refund" else "authorise")
    outcome, _ = send_ours(dialect, ours().charge(charge, make_card()))
    request: Any = {"capture": CaptureRequest, "refund": RefundRequest, "void": VoidRequest}[kind]()
    request.reference = "k-1-later"
    if kind != "void":
        request.amount = amount
    if kind == "capture" and amount == 500:
        request.capture_type = CaptureType.NON_FINAL
    getattr(client, f"{kind}_payment")(outcome.reference, request, "k-1-later")
    later = FollowUp(key="k-1-later", kind=kind, charge=charge, reference=outcome.reference, amount=amount)
    _, exchanges = send_ours(dialect, ours().follow_up(later))
    compare(exchanges[0], http.sent[0])


def test_the_search_and_the_actions_are_those_of_the_library(dialect: Dialect) -> None:
    client, http = open_library(dialect)
    declined = make_card(CARDS["insufficient_funds"])
    outcome, _ = send_ours(dialect, ours().charge(ROW.charge(), declined))
    query = PaymentsQueryFilter()
    query.limit, query.skip, query.reference = 10, 0, "k-1"
    found = client.get_payments_list(query)
    client.get_payment_actions(outcome.reference)
    _, exchanges = send_ours(dialect, ours().inquire(ROW.charge(), {}))
    for exchange, theirs in zip(exchanges, http.sent, strict=True):
        compare(exchange, theirs)
    assert (found.total_count, found.data[0].id, found.data[0].status) == (1, outcome.reference, "Declined")


def test_the_library_understands_what_is_played(dialect: Dialect) -> None:
    client, _ = open_library(dialect)
    paid = client.request_payment(payment(card_source()), "k-1")
    assert (paid.approved, paid.status, paid.amount) == (True, "Authorized", 1998)
    assert client.get_payment_details(paid.id).reference == "k-1"
    with pytest.raises(CheckoutApiException) as refused:
        client.request_payment(payment(card_source(), payment_type=PaymentType.REGULAR), "k-3")
    assert refused.value.error_details == ["payment_type_invalid"]
    client, _ = open_library(dialect, key="sk_sbox_zyxwvutsrqponmlkjihgfedcbaz")
    with pytest.raises(CheckoutApiException) as unknown:
        client.get_payment_details(paid.id)
    assert unknown.value.http_metadata.status_code == 401


def test_the_library_knows_each_field_that_we_send(dialect: Dialect) -> None:
    """So that a word that is left unread by a description without strictness is noticed."""
    flow = ours(statement="SHOES LTD, London").charge(ROW.charge(customer="cus_" + "a" * 26), make_card())
    body = next(flow).body
    assert set(body) <= set(PaymentRequest.__annotations__)
    assert set(body["source"]) - {"type"} <= set(PaymentRequestCardSource.__annotations__)
