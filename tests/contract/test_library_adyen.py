"""What Adyen's own library sends for the same telephone payment and for what is done with it later,
field by field beside ours; and that the library understands the Adyen that is played here."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import Adyen
import pytest
from Adyen import httpclient

from provider_adapters import registry
from provider_adapters.local.books import API_KEY
from provider_adapters.local.dialect import Dialect
from provider_adapters.payment import FollowUp, LinkRequest, Operation
from tests.contract.playing import CARDS, make_card, make_charge, play
from tests.contract.providers import TABLE

ADYEN = TABLE["adyen"]
PREFIX = urlsplit(registry.ADAPTERS["adyen"].test_url).path
MERCHANT = "TonewallTest"

# What only one of the two sends, and why.
HEADERS_OF_THE_LIBRARY = {
    "adyen-library-name": "names the library",
    "adyen-library-version": "names the library",
    "user-agent": "names the library; our runner sends its own",
}
HEADERS_OF_OURS = {"accept": "we read JSON and say so; the library leaves it open"}
FIELDS_OF_OURS = {
    "merchantOrderReference": "the order's number, which the merchant looks for at Adyen",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it would leave."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)


class Answered(io.BytesIO):
    """What `urlopen` returns."""

    def __init__(self, body: bytes, status: int) -> None:
        super().__init__(body)
        self._status = status

    def getcode(self) -> int:
        return self._status

    def info(self) -> dict[str, str]:
        return {}


class Library:
    """The library with its network replaced by the Adyen that is played here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dialect: Dialect, api_key: str = API_KEY) -> None:
        self.sent: list[Sent] = []
        self._dialect = dialect
        monkeypatch.setattr(httpclient, "urlopen", self._open)
        client = Adyen.Adyen(xapikey=api_key, platform="test", http_force="urllib")
        self.checkout = client.checkout

    def _open(self, request: Any, timeout: object = None) -> Answered:
        headers = {name.lower(): value for name, value in request.header_items()}
        data = request.data or b""
        self.sent.append(Sent(request.method, request.full_url, headers, json.loads(data or b"null")))
        path = urlsplit(request.full_url).path.removeprefix(PREFIX)
        answer = asyncio.run(self._dialect.handle(request.method, path, headers, data))
        assert answer is not None
        body = json.dumps(answer.body).encode()
        if answer.status >= 400:
            raise HTTPError(request.full_url, answer.status, "", {}, io.BytesIO(body))  # type: ignore[arg-type]
        return Answered(body, answer.status)


def send_ours(dialect: Dialect, operation: Operation, reference: str = "") -> Sent:
    """What our adapter sends: a payment, or what is done later with the payment of `reference`."""
    flow = ADYEN.flow(url=registry.ADAPTERS["adyen"].test_url, token_type="none")
    charge = make_charge("k-ours", operation="authorise" if operation is Operation.AUTHORISE else "charge")
    if operation in (Operation.CHARGE, Operation.AUTHORISE):
        flowing: Any = flow.charge(charge, make_card())
    else:
        kind: Any = operation.value
        flowing = flow.follow_up(
            FollowUp(key="k-later", kind=kind, charge=charge, reference=reference, amount=1998)
        )
    _, exchanges = asyncio.run(play(flowing, dialect))
    assert len(exchanges) == 1
    request = exchanges[0].request
    headers = {name.lower(): value for name, value in request.headers.items()}
    # As the runner sends it.
    url = registry.ADAPTERS["adyen"].test_url + request.path
    return Sent(request.method, url, headers | {"content-type": "application/json"}, request.body)


def pay_by_library(library: Library, key: str, **more: object) -> Any:
    """The payment of a merchant that keys the card of a caller, in the words of Adyen's pages."""
    return library.checkout.payments_api.payments(
        {
            "merchantAccount": MERCHANT,
            "amount": {"currency": "EUR", "value": 1998},
            "reference": key,
            "paymentMethod": {
                "type": "scheme",
                "number": CARDS["approved"],
                "expiryMonth": "03",
                "expiryYear": "2030",
                "cvc": "739",
            },
            "shopperInteraction": "Moto",
            "returnUrl": "https://localhost/",
        }
        | more,
        idempotency_key=key,
    )


def compare(ours: Sent, theirs: Sent, fields_of_ours: dict[str, str]) -> None:
    """The two are the same but for what is listed above."""
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    for mine, others, listed in (
        (theirs.headers, ours.headers, HEADERS_OF_THE_LIBRARY),
        (ours.headers, theirs.headers, HEADERS_OF_OURS),
    ):
        assert set(mine) - set(others) == set(listed)
    shared = set(ours.headers) & set(theirs.headers)
    assert shared == {"content-type", "x-api-key", "idempotency-key"}
    assert {name: ours.headers[name] for name in shared} == {name: theirs.headers[name] for name in shared}
    assert ours.body == theirs.body | {name: ours.body[name] for name in fields_of_ours}


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (Operation.CHARGE, {}),
        # `manualCapture` is named by Adyen's pages on capturing, not by its description.
        (Operation.AUTHORISE, {"additionalData": {"manualCapture": "true"}}),
    ],
)
def test_a_telephone_payment_is_the_one_that_the_library_sends(
    monkeypatch: pytest.MonkeyPatch, operation: Operation, more: dict[str, object]
) -> None:
    books, dialect = ADYEN.dialect()
    library = Library(monkeypatch, dialect)
    result = pay_by_library(library, "k-ours", **more)
    _, other = ADYEN.dialect()
    compare(send_ours(other, operation), library.sent[0], FIELDS_OF_OURS)
    record = books.find("k-ours")
    assert record is not None
    assert result.message["resultCode"] == "Authorised"
    assert (result.psp, record.charges) == (record.reference, 1)


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        (Operation.CAPTURE, lambda api: api.capture_authorised_payment),
        (Operation.REFUND, lambda api: api.refund_captured_payment),
        (Operation.VOID, lambda api: api.cancel_authorised_payment_by_psp_reference),
    ],
    ids=lambda value: value.value if isinstance(value, Operation) else "",
)
def test_what_is_done_later_is_what_the_library_sends(
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
    call: Callable[[Any], Callable[..., Any]],
) -> None:
    books, dialect = ADYEN.dialect()
    library = Library(monkeypatch, dialect)
    manual = {} if operation is Operation.REFUND else {"additionalData": {"manualCapture": "true"}}
    reference = pay_by_library(library, "k-theirs", **manual).psp
    amount = {} if operation is Operation.VOID else {"amount": {"currency": "EUR", "value": 1998}}
    result = call(library.checkout.modifications_api)(
        {"merchantAccount": MERCHANT, "reference": "k-later"} | amount, reference, idempotency_key="k-later"
    )
    assert result.message["status"] == "received"
    record = books.find("k-theirs")
    assert record is not None
    assert [move.kind for move in record.moves.values()] == [operation.value]
    compare(send_ours(dialect, operation, reference), library.sent[-1], {})
    assert len(record.moves) == 1, "both came under one key"


def test_a_request_under_the_same_key_is_answered_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    books, dialect = ADYEN.dialect()
    library = Library(monkeypatch, dialect)
    first, second = (pay_by_library(library, "k-twice") for _ in range(2))
    assert first.message == second.message
    record = books.find("k-twice")
    assert record is not None
    assert (record.charges, books.requests) == (1, 2)


def test_a_wrong_key_is_the_librarys_error_of_authentication(monkeypatch: pytest.MonkeyPatch) -> None:
    books, dialect = ADYEN.dialect()
    library = Library(monkeypatch, dialect, api_key="wrong")
    with pytest.raises(Adyen.exceptions.AdyenAPIAuthenticationError):
        pay_by_library(library, "k-wrong")
    assert books.requests == 0


def test_a_payment_link_is_the_one_that_the_library_opens_asks_for_and_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books, dialect = ADYEN.dialect()
    library = Library(monkeypatch, dialect)
    api = library.checkout.payment_links_api
    made = api.payment_links(
        {
            "merchantAccount": MERCHANT,
            "reference": "k-ours",
            "merchantOrderReference": "order-20417",
            "amount": {"currency": "EUR", "value": 1998},
            "description": "Shoes",
            "expiresAt": "2033-05-18T03:33:20+00:00",
            "reusable": False,
            "allowedPaymentMethods": ["scheme"],
        },
        idempotency_key="k-ours",
    ).message
    api.get_payment_link(made["id"])
    api.update_payment_link({"status": "expired"}, made["id"])
    assert api.get_payment_link(made["id"]).message["status"] == "expired"
    flow = ADYEN.links(url=registry.ADAPTERS["adyen"].test_url)
    charge = make_charge("k-ours")
    request = LinkRequest(charge=charge, expires_at=2_000_000_000.0)
    link, ours = asyncio.run(play(flow.open_link(request), dialect))
    assert (link.reference, link.url, len(books.links)) == (made["id"], made["url"], 1)
    for flowing in (flow.inquire_link(charge, link), flow.close_link(charge, link)):
        ours += asyncio.run(play(flowing, dialect))[1]
    assert len(ours) == len(library.sent)
    for mine, theirs in zip(ours, library.sent, strict=True):
        url = registry.ADAPTERS["adyen"].test_url + mine.request.path
        assert (mine.request.method, url) == (theirs.method, theirs.url)
        assert mine.request.body == theirs.body
