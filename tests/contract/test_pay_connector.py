"""Pay connectors: what is posted, what an answer means, and how much stays open without a key or an
inquiry."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from provider_adapters.base import Response
from provider_adapters.codes.pay_connector import REASONS as CODES
from provider_adapters.codes.pay_connector import leaves_open
from provider_adapters.local.books import API_KEY
from provider_adapters.local.pay_connector import API_USER
from provider_adapters.payment import Approved, Declined, Failed, FollowUp, Unknown
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, answer_with, ask, make_card, make_charge, play
from tests.contract.providers import TABLE

ROW = TABLE["pay_connector"]


def charged(body: Any, status: int = 200, **changes: Any) -> Any:
    flow = ROW.flow().charge(make_charge(**changes), make_card())
    return answer_with(flow, [Response(status, json.dumps(body).encode())])


def first_body(card: Any = None, account: Any = None, **changes: Any) -> Any:
    return next(ROW.flow(**account or {}).charge(make_charge(**changes), card or make_card())).body


def test_what_is_posted_and_where() -> None:
    request = next(ROW.flow().charge(make_charge(metadata={"payment_id": "pay_1"}), make_card()))
    assert (request.method, request.path, request.may_charge) == ("POST", "", True)
    assert not request.repeatable
    assert request.headers["Authorization"] == f"Basic {b64encode(f'{API_USER}:{API_KEY}'.encode()).decode()}"
    assert request.body == {
        "transaction_id": "k-1",
        "method": "charge",
        "cardnumber": CARDS["approved"],
        "cvv": CODE,
        "expiry_month": "03",
        "expiry_year": "30",
        "amount": "19.98",
        "chargeAmount": "19.98",
        "currency_code": "EUR",
        "description": "Shoes",
        "parameters": {"order_reference": "order-20417", "payment_id": "pay_1"},
    }


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [(5, "EUR", "0.05"), (1998, "JPY", "1998"), (1998, "KWD", "1.998"), (100, "PLN", "1.00")],
)
def test_amounts_are_decimal_numbers(amount: int, currency: str, written: str) -> None:
    body = first_body(amount=amount, currency=currency)
    assert (body["amount"], body["chargeAmount"]) == (written, written)


def test_a_currency_without_known_decimals_is_not_sent() -> None:
    flow = ROW.flow().charge(make_charge(currency="XXX"), make_card())
    assert answer_with(flow, []) == Failed(reason="currency_not_supported")


def test_a_card_without_a_code_has_no_cvv() -> None:
    assert "cvv" not in first_body(make_card(code=""))


def test_tokens_and_the_profile_are_asked_for_as_the_form_names_them() -> None:
    assert first_body(token_type="one_time")["token_type"] == "one-time"
    assert first_body(account={"token_type": "reusable"})["token_type"] == "reusable"
    assert "token_type" not in first_body()
    assert first_body(account={"merchant_account": "pro_1"})["parameters"]["profile_id"] == "pro_1"
    assert first_body(merchant_account="pro_2")["parameters"]["profile_id"] == "pro_2"


def test_a_verification_asks_for_a_token_and_no_money() -> None:
    charge = make_charge(operation="verify", amount=0)
    flow = ROW.flow().charge(charge, make_card())
    request = next(flow)
    body = request.body
    assert body is not None
    assert (body["method"], body["token_type"], body["chargeAmount"]) == ("tokenize", "one-time", "0")
    assert "amount" not in body
    assert not request.may_charge
    with pytest.raises(StopIteration) as end:
        flow.send(Response(200, b'{"token_id": "tok_1", "error_code": null}'))
    assert end.value.value == Approved(reference="tok_1", token="tok_1")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"charge_id": "ch_1"}, Approved(reference="ch_1")),
        ({"charge_id": "ch_1", "error_code": None, "error_message": None}, Approved(reference="ch_1")),
        ({"charge_id": "ch_1", "error_code": ""}, Approved(reference="ch_1")),
        ({"charge_id": "ch_1", "token_id": "t"}, Approved(reference="ch_1", token="t")),
        ({"token_id": "t"}, Unknown(reason="answer_not_understood")),
        ({}, Unknown(reason="answer_not_understood")),
        ({"charge_id": ""}, Unknown(reason="answer_not_understood")),
        ({"charge_id": "ch_1", "error_code": "card_declined"}, Unknown(reason="answer_not_understood")),
        ({"error_code": "timeout"}, Unknown(reason="error_leaves_it_open")),
        ({"error_code": "gateway-timeout"}, Unknown(reason="error_leaves_it_open")),
        ({"error_code": 503}, Unknown(reason="error_leaves_it_open")),
        ({"error_code": "internal_error"}, Unknown(reason="error_leaves_it_open")),
        (
            {"error_code": "card_declined", "error_message": "No."},
            Declined(reason="declined", message="No.", code="card_declined"),
        ),
        ({"error_code": "Expired-Card"}, Declined(reason="expired_card", code="Expired-Card")),
        ({"error_code": "E17"}, Declined(reason="declined", code="E17")),
        ({"error_code": "two words"}, Declined(reason="declined", code="")),
    ],
)
def test_what_an_answer_means(body: Any, expected: Any) -> None:
    assert charged(body) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (201, Approved(reference="ch_1")),
        (202, Unknown(reason="http_202")),
        (302, Unknown(reason="http_302")),
        (401, Failed(reason="key_refused", code="http_401")),
        (404, Failed(reason="request_refused", code="http_404")),
        (409, Unknown(reason="http_409")),
        (500, Unknown(reason="http_500")),
    ],
)
def test_another_status_counts_before_the_body(status: int, expected: Any) -> None:
    assert charged({"charge_id": "ch_1"}, status) == expected


def test_a_402_is_a_decline() -> None:
    assert charged({}, 402) == Declined(reason="declined", code="http_402")
    found = charged({"error_code": "insufficient_funds"}, 402)
    assert found == Declined(reason="insufficient_funds", code="insufficient_funds")


def test_every_code_has_a_word_and_is_clear() -> None:
    assert set(CODES.values()) <= set(REASONS)
    assert not [code for code in CODES if leaves_open(code)]


async def test_the_same_request_twice_is_two_charges_which_is_why_it_is_sent_once() -> None:
    books, dialect = ROW.dialect()
    request = next(ROW.flow().charge(make_charge(), make_card()))
    first, second = [await ask(dialect, request) for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first.body != second.body
    assert books.report()["charges"] == 2
    assert not request.repeatable


async def test_an_attempt_after_a_decline_is_another_transaction_of_the_same_order() -> None:
    books, dialect = ROW.dialect()
    flow = ROW.flow()
    declined, _ = await play(flow.charge(make_charge("k-1"), make_card(CARDS["declined"])), dialect)
    approved, _ = await play(flow.charge(make_charge("k-2"), make_card()), dialect)
    assert isinstance(declined, Declined)
    assert isinstance(approved, Approved)
    orders = {record.transaction_id for key in ("k-1", "k-2") if (record := books.find(key))}
    assert orders == {"order-20417"}


def test_what_the_form_cannot_say_is_refused_without_a_request() -> None:
    flow, refused = ROW.flow(), Failed(reason="request_refused", code="not_supported")
    assert answer_with(flow.charge(make_charge(operation="authorise"), make_card()), []) == refused
    assert answer_with(flow.charge_saved(make_charge(), "tok_1"), []) == refused
    later = FollowUp(key="r-1", kind="refund", charge=make_charge(), reference="ch_1", amount=1998)
    assert answer_with(flow.follow_up(later), []) == refused
    assert answer_with(flow.inquire(make_charge(), {}), []) is None


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, "no_key_check"), (400, "no_key_check"), (404, "no_key_check"), (405, "no_key_check"),
     (401, "key_refused"), (403, "key_refused"),
     (429, "try_again_later"), (503, "http_503")],
)  # fmt: skip
def test_what_an_examination_says(status: int, found: str | None) -> None:
    flow = ROW.flow().examine()
    assert next(flow).method == "GET"
    with pytest.raises(StopIteration) as end:
        flow.send(Response(status))
    assert end.value.value == found
