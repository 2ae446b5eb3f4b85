"""The connector's side of docs/connector.md: what it sends, and what it makes of each answer."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from provider_adapters.account import Account
from provider_adapters.base import Request, Response
from provider_adapters.card import FIELDS, CardBlock
from provider_adapters.connector import Connector
from provider_adapters.payment import Approved, Charge, Declined, Failed, PartiallyApproved, Unknown

ACCOUNT = Account(
    adapter="connector", url="https://pay.example.com", api_key="secret-key", journal="/nowhere",
    timeout=1.0, inquiry_time=1.0, token_type="one_time",
)  # fmt: skip
CHARGE = Charge(idempotency_key="k/1", transaction_id="t-1", amount=1999, currency="EUR", description="Shoes")


def card(code: bytes = b"739") -> Any:
    block = CardBlock(list(zip(FIELDS, (16, 4, len(code)), strict=True)))
    block.space()[:] = b"4111111111111111" + b"0329" + code
    return block.card()


def answer(flow: Generator[Request, Response, Any], status: int, body: object = None) -> Any:
    """What the flow returns when its one request is answered so."""
    next(flow)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(StopIteration) as stopped:
        flow.send(Response(status, raw))
    return stopped.value.value


def test_the_request_is_the_one_in_the_contract() -> None:
    request = next(Connector(ACCOUNT).charge(CHARGE, card()))
    assert (request.method, request.path, request.may_charge) == ("POST", "/v1/charges", True)
    assert request.headers["Idempotency-Key"] == "k/1"
    assert request.headers["Authorization"] == "Bearer secret-key"
    assert request.body == {
        "transaction_id": "t-1",
        "amount": 1999,
        "currency": "EUR",
        "description": "Shoes",
        "channel": "moto",
        "entry": "keypad",
        "token_type": "one_time",
        "card": {"number": "41" + "1" * 14, "expiry_month": 3, "expiry_year": 2029, "security_code": "739"},
    }


def test_neither_request_nor_response_shows_what_it_carries() -> None:
    request = next(Connector(ACCOUNT).charge(CHARGE, card()))
    for shown in (repr(request), repr(Response(402, b"4111111111111111")), repr(ACCOUNT)):
        assert "4111" not in shown
        assert "739" not in shown
        assert "secret-key" not in shown


def test_a_card_without_a_code_is_sent_with_null() -> None:
    request = next(Connector(ACCOUNT).charge(CHARGE, card(b"")))
    assert request.body is not None
    assert request.body["card"]["security_code"] is None  # type: ignore[index]


def test_the_inquiry_is_a_request_that_cannot_charge() -> None:
    request = next(Connector(ACCOUNT).inquire(CHARGE, {}))
    assert (request.method, request.path, request.body, request.may_charge) == (
        "GET",
        "/v1/charges/k%2F1",
        None,
        False,
    )


APPROVED = {"status": "approved", "reference": "ch_1", "token": "tok_1", "authorisation_code": "A1"}
DECLINED = {"status": "declined", "reason": "do_not_honour", "message": "No.", "reference": "ch_2"}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, APPROVED, Approved(reference="ch_1", token="tok_1", authorisation_code="A1")),
        (201, APPROVED, Approved(reference="ch_1", token="tok_1", authorisation_code="A1")),
        (201, {"status": "approved", "reference": "ch_1", "new": [1]}, Approved(reference="ch_1")),
        (200, DECLINED, Declined(reason="do_not_honour", message="No.", reference="ch_2")),
        (402, DECLINED, Declined(reason="do_not_honour", message="No.", reference="ch_2")),
        (402, b"<html>", Declined(reason="declined")),
        (402, {"reason": "Free text!"}, Declined(reason="declined")),
        (200, {"status": "pending"}, Unknown(reason="answer_not_understood")),
        (200, b"not json", Unknown(reason="answer_not_understood")),
        (200, b"\xff\xfe", Unknown(reason="answer_not_understood")),
        (200, b"[" * 5000, Unknown(reason="answer_not_understood")),
        (200, {"status": 1}, Unknown(reason="answer_not_understood")),
        (202, {"status": "pending"}, Unknown(reason="http_202")),
        (204, b"", Unknown(reason="http_204")),
        (301, b"", Unknown(reason="http_301")),
        (400, {"error": "bad_request"}, Failed(reason="bad_request")),
        (401, b"", Failed(reason="http_401")),
        (404, b"", Failed(reason="http_404")),
        (408, b"", Unknown(reason="http_408")),
        (409, {"error": "in_progress"}, Unknown(reason="http_409")),
        (410, {"error": "key_closed"}, Failed(reason="key_closed")),
        (422, {"error": "Not A Code"}, Failed(reason="http_422")),
        (500, APPROVED, Unknown(reason="http_500")),
        (503, b"", Unknown(reason="http_503")),
    ],
)
def test_each_answer_to_a_charge_has_one_outcome(status: int, body: object, outcome: object) -> None:
    assert answer(Connector(ACCOUNT).charge(CHARGE, card()), status, body) == outcome


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, APPROVED, Approved(reference="ch_1", token="tok_1", authorisation_code="A1")),
        (200, DECLINED, Declined(reason="do_not_honour", message="No.", reference="ch_2")),
        (200, {"status": "pending"}, None),
        (404, {"error": "no_such_charge"}, Failed(reason="no_such_charge")),
        (404, {"error": "no_such_path"}, None),
        (404, b"<html>", None),
        (401, b"", None),
        (500, b"", None),
    ],
)
def test_an_inquiry_decides_only_what_is_clear(status: int, body: object, outcome: object) -> None:
    assert answer(Connector(ACCOUNT).inquire(CHARGE, {}), status, body) == outcome


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        ({"amount": 1999, "currency": "EUR"}, Approved(reference="ch")),
        ({"amount": 1999, "amount_approved": 1999, "currency": "eur"}, Approved(reference="ch")),
        ({"amount_approved": 1999}, Approved(reference="ch")),
        ({"currency": "EUR"}, Approved(reference="ch")),
        # As a provider answered that takes what there is on the card (shared case "partial
        # approval").
        ({"amount": 1000, "amount_approved": 1000}, PartiallyApproved(amount=1000, reference="ch")),
        ({"amount": 1999, "amount_approved": 1000}, PartiallyApproved(amount=1000, reference="ch")),
        ({"amount": 1}, PartiallyApproved(amount=1, reference="ch")),
        ({"amount": 1999, "currency": "USD"}, Unknown(reason="currency_differs")),
        ({"amount": 1000, "currency": "USD"}, Unknown(reason="currency_differs")),
        ({"currency": ""}, Unknown(reason="currency_differs")),
        ({"amount": 2000}, Unknown(reason="amount_differs")),
        ({"amount": 1999, "amount_approved": 2000}, Unknown(reason="amount_differs")),
        ({"amount": 1000, "amount_approved": 1999}, Unknown(reason="amount_differs")),
        ({"amount": 2000, "amount_approved": 1999}, Unknown(reason="amount_differs")),
        ({"amount": 0}, Unknown(reason="amount_differs")),
        ({"amount": -1999}, Unknown(reason="amount_differs")),
        ({"amount": 10**30}, Unknown(reason="amount_differs")),
        ({"amount": "19.99"}, Unknown(reason="answer_not_understood")),
        ({"amount": 19.99}, Unknown(reason="answer_not_understood")),
        ({"amount": True}, Unknown(reason="answer_not_understood")),
        ({"amount": None, "currency": None}, Approved(reference="ch")),
    ],
)
def test_an_approval_of_something_else_than_was_asked_is_no_approval(
    answered: dict[str, object], outcome: object
) -> None:
    body = {"status": "approved", "reference": "ch"} | answered
    assert answer(Connector(ACCOUNT).charge(CHARGE, card()), 201, body) == outcome
    asked = answer(Connector(ACCOUNT).inquire(CHARGE, {}), 200, body)
    assert asked == (None if outcome == Unknown(reason="answer_not_understood") else outcome)


def test_texts_of_the_provider_are_made_fit_for_a_screen() -> None:
    said = answer(
        Connector(ACCOUNT).charge(CHARGE, card()),
        402,
        {"status": "declined", "message": "a\x1b[2J\n" + "b" * 900},
    )
    assert said.message.isprintable()
    assert len(said.message) == 200
