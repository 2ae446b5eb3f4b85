"""PayU: a token before the order, a look after it, and what an order can come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider_adapters.base import Request, Response
from provider_adapters.codes.payu import CARD, ERRORS, RESULTS
from provider_adapters.local.books import API_KEY
from provider_adapters.local.payu import POS
from provider_adapters.payment import Accepted, Approved, Declined, Failed, FollowUp, Unknown
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, answer_with, ask, make_card, play
from tests.contract.providers import TABLE

ROW = TABLE["payu"]
TOKEN = "3e5cac39-7e38-4139-8fd6-30adc06a61bd"
ORDER = "WZHF5FFDRJ140731GUEST000P01"


def answer(status: int, body: Any = None) -> Response:
    return Response(status, b"" if body is None else json.dumps(body).encode())


GRANTED = answer(200, {"access_token": TOKEN, "token_type": "bearer", "expires_in": 43199})
CREATED = answer(201, {"status": {"statusCode": "SUCCESS"}, "orderId": ORDER, "extOrderId": "k-1"})
CANCELLED = answer(200, {"orderId": ORDER, "status": {"statusCode": "SUCCESS"}})


def order(status: str, **changes: Any) -> Response:
    shown = {
        "orderId": ORDER, "extOrderId": "k-1", "status": status, "totalAmount": "1998", "currencyCode": "PLN",
    }  # fmt: skip
    return answer(200, {"orders": [shown | changes]})


def transaction(card: str = "", result: str = "", text: str = "") -> Response:
    data = {"cardResponseCode": card, "cardResponseCodeDesc": text}
    found = {"card": {"cardData": data}} | ({"resultCode": result} if result else {})
    return answer(200, {"transactions": [found]})


def status_of(code: str, literal: str = "") -> dict[str, Any]:
    """What every answer has to say of itself."""
    return {"status": {"statusCode": code} | ({"codeLiteral": literal} if literal else {})}


def charged(*answers: Response, **changes: Any) -> Any:
    return answer_with(ROW.flow().charge(ROW.charge(**changes), make_card()), [GRANTED, *answers])


def requests(*answers: Response, **changes: Any) -> list[Request]:
    """What a charge sends when it is answered so."""
    flow = ROW.flow().charge(ROW.charge(**changes), make_card())
    sent = [next(flow)]
    try:
        for each in (GRANTED, *answers):
            sent.append(flow.send(each))
    except StopIteration:
        pass
    return sent


def test_a_token_is_asked_for_with_the_credentials_and_no_card() -> None:
    token, created = requests()
    assert (token.method, token.path) == ("POST", "/pl/standard/user/oauth/authorize")
    assert token.is_form
    assert not token.may_charge
    assert token.body == {
        "grant_type": "client_credentials",
        "client_id": POS,
        "client_secret": API_KEY,
    }
    assert created.headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_order_is_paid_by_the_card_in_it_and_looked_at_by_payus_id() -> None:
    _, created, look = requests(CREATED)
    assert (created.method, created.path, created.may_charge) == ("POST", "/api/v2_1/orders", True)
    assert not created.repeatable
    assert created.body == {
        "extOrderId": "k-1",
        "merchantPosId": POS,
        "customerIp": "127.0.0.1",
        "description": "Shoes",
        "additionalDescription": "order-20417",
        "currencyCode": "PLN",
        "totalAmount": "1998",
        "validityTime": "3600",
        "products": [{"name": "Shoes", "unitPrice": "1998", "quantity": "1"}],
        "payMethods": {
            "payMethod": {
                "type": "PBL",
                "value": "c",
                "card": {
                    "number": CARDS["approved"],
                    "expirationMonth": "03",
                    "expirationYear": "2030",
                    "cvv": CODE,
                },
            }
        },
    }
    assert (look.method, look.path, look.may_charge) == ("GET", f"/api/v2_1/orders/{ORDER}", False)
    assert (look.step, look.notes) == ("look", {"order_id": ORDER})


def test_what_the_order_and_the_account_add() -> None:
    changes = {"operation": "authorise", "statement": "SHOES", "customer": "c-7", "token_type": "reusable"}
    body = requests(merchant_account="999", **changes)[-1].body
    assert body is not None
    assert body["merchantPosId"] == "999"
    assert body["statementDescription"] == "SHOES"
    assert body["buyer"] == {"extCustomerId": "c-7"}
    assert body["cardOnFile"] == "FIRST"
    assert body["payMethods"]["payMethod"]["authorizationType"] == "PRE_AUTHORIZATION"  # type: ignore[index]


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [(1998, "HUF", "1998"), (1998, "JPY", "199800"), (1990, "KWD", "199"), (5, "EUR", "5")],
)
def test_every_amount_has_two_decimals_there(amount: int, currency: str, sent: str) -> None:
    body = requests(amount=amount, currency=currency)[-1].body
    assert body is not None
    assert body["totalAmount"] == sent
    paid = order("COMPLETED", totalAmount=sent, currencyCode=currency)
    assert charged(CREATED, paid, amount=amount, currency=currency) == Approved(reference=ORDER)


def test_an_amount_with_more_decimals_is_not_sent() -> None:
    flow = ROW.flow().charge(ROW.charge(amount=1998, currency="KWD"), make_card())
    assert answer_with(flow, []) == Failed(reason="amount_not_allowed")


@pytest.mark.parametrize(
    ("shown", "operation", "expected"),
    [
        (order("COMPLETED"), "charge", Approved(reference=ORDER)),
        (order("WAITING_FOR_CONFIRMATION"), "authorise", Approved(reference=ORDER)),
        (order("WAITING_FOR_CONFIRMATION"), "charge", Unknown(reason="not_captured")),
        (order("NEW"), "charge", Unknown(reason="pending")),
        (order("PENDING"), "charge", Unknown(reason="pending")),
        (order("A_NEW_ONE"), "charge", Unknown(reason="pending")),
        (order("COMPLETED", totalAmount="1999"), "charge", Unknown(reason="amount_differs")),
        (order("COMPLETED", totalAmount="19.98"), "charge", Unknown(reason="amount_differs")),
        (order("COMPLETED", currencyCode="EUR"), "charge", Unknown(reason="currency_differs")),
        (order("COMPLETED", extOrderId="k-2"), "charge", Unknown(reason="pending")),
        (answer(404), "charge", Unknown(reason="pending")),
        (answer(500), "charge", Unknown(reason="pending")),
        (answer(200, {"orders": []}), "charge", Unknown(reason="pending")),
    ],
)
def test_each_state_of_an_order_is_one_outcome(shown: Response, operation: Any, expected: Any) -> None:
    assert charged(CREATED, shown, operation=operation) == expected


@pytest.mark.parametrize(
    ("found", "reason", "code"),
    [
        (transaction("S51"), "insufficient_funds", "S51"),
        (transaction("S05", "AUT_ERROR_NO_AUTHORIZATION"), "declined", "S05"),
        (transaction("S1A"), "authentication_required", "S1A"),
        (transaction("X99"), "declined", "X99"),
        (transaction("", "REG_ERROR_ANTIFRAUD_DECLINED"), "suspected_fraud", "REG_ERROR_ANTIFRAUD_DECLINED"),
        (transaction(), "cancelled", "CANCELED"),
        (answer(200, {"transactions": []}), "cancelled", "CANCELED"),
        (answer(404), "cancelled", "CANCELED"),
    ],
)
def test_a_cancelled_order_says_why_by_its_transaction(found: Response, reason: str, code: str) -> None:
    outcome = charged(CREATED, order("CANCELED"), found)
    assert isinstance(outcome, Declined)
    assert (outcome.reason, outcome.code, outcome.reference) == (reason, code, ORDER)


def test_every_code_has_a_word() -> None:
    assert {*CARD.values(), *RESULTS.values(), *ERRORS.values()} <= set(REASONS)


@pytest.mark.parametrize(
    ("created", "reason"),
    [
        (status_of("WARNING_CONTINUE_3DS") | {"redirectUri": "https://a"}, "authentication_required"),
        (status_of("WARNING_CONTINUE_CVV"), "authentication_required"),
        (status_of("SUCCESS") | {"redirectUri": "https://a"}, "authentication_required"),
        (status_of("A_NEW_ONE"), "cancelled"),
    ],
)  # fmt: skip
def test_an_order_that_waits_for_a_browser_is_cancelled(created: Any, reason: str) -> None:
    made = answer(201, created | {"orderId": ORDER})
    cancel = requests(made)[-1]
    assert (cancel.method, cancel.path, cancel.may_charge) == ("DELETE", f"/api/v2_1/orders/{ORDER}", False)
    assert cancel.notes == {"order_id": ORDER}
    assert charged(made, CANCELLED) == Declined(
        reason=reason, reference=ORDER, code=created["status"]["statusCode"]
    )
    assert charged(made, answer(400)) == Unknown(reason="not_cancelled")


def test_a_redirection_is_cancelled_too() -> None:
    made = answer(302, {"status": {"statusCode": "SUCCESS"}, "redirectUri": "https://a", "orderId": ORDER})
    outcome = charged(made, CANCELLED)
    assert outcome == Declined(reason="authentication_required", reference=ORDER, code="SUCCESS")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, status_of("ERROR_VALUE_INVALID"), Failed(reason="request_refused", code="ERROR_VALUE_INVALID")),
        (400, status_of("ERROR_VALUE_INVALID", "X_Y"), Failed(reason="request_refused", code="X_Y")),
        (400, status_of("ERROR_ORDER_NOT_UNIQUE"), Unknown(reason="order_stands_already")),
        (401, status_of("UNAUTHORIZED"), Failed(reason="key_refused", code="UNAUTHORIZED")),
        (403, {"status": {"error": "access_denied"}}, Failed(reason="account_refused", code="access_denied")),
        (400, status_of("BUSINESS_ERROR"), Unknown(reason="business_error")),
        (400, status_of("TIMEOUT"), Unknown(reason="timeout")),
        (500, status_of("ERROR_INTERNAL"), Unknown(reason="error_internal")),
        (503, None, Unknown(reason="http_503")),
        (201, {"status": {"statusCode": "SUCCESS"}}, Unknown(reason="answer_not_understood")),
        (201, None, Unknown(reason="answer_not_understood")),
    ],
)
def test_an_order_that_was_refused(status: int, body: Any, expected: Any) -> None:
    assert charged(answer(status, body)) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"error": "invalid_client"}, Failed(reason="key_refused", code="invalid_client")),
        (400, {"error": "unauthorized_client"}, Failed(reason="key_refused", code="unauthorized_client")),
        (500, None, Failed(reason="try_again_later", code="http_500")),
        (200, {"access_token": ""}, Failed(reason="try_again_later", code="http_200")),
        (200, {"access_token": "a\r\nb"}, Failed(reason="try_again_later", code="http_200")),
    ],
)
def test_without_a_token_nothing_is_sent(status: int, body: Any, expected: Any) -> None:
    flow = ROW.flow().charge(ROW.charge(), make_card())
    assert answer_with(flow, [answer(status, body)]) == expected
    assert answer_with(ROW.flow().inquire(ROW.charge(), {"order_id": ORDER}), [answer(status, body)]) is None


def test_an_order_whose_answer_was_lost_cannot_be_asked_for() -> None:
    assert answer_with(ROW.flow().inquire(ROW.charge(), {}), []) is None


def test_an_inquiry_is_a_look_at_the_noted_order() -> None:
    def inquired(*answers: Response) -> Any:
        return answer_with(ROW.flow().inquire(ROW.charge(), {"order_id": ORDER}), [GRANTED, *answers])

    assert inquired(order("COMPLETED")) == Approved(reference=ORDER)
    assert inquired(order("PENDING")) is None
    found = inquired(order("CANCELED"), transaction("S54"))
    assert found == Declined(reason="expired_card", reference=ORDER, code="S54")


async def test_the_same_order_twice_is_refused_there_and_leaves_it_open() -> None:
    books, dialect = ROW.dialect()
    outcome, exchanges = await play(ROW.flow().charge(ROW.charge(), make_card()), dialect)
    assert isinstance(outcome, Approved)
    again = await ask(dialect, next(each.request for each in exchanges if each.request.may_charge))
    assert again is not None
    assert json.loads(again.body)["status"]["statusCode"] == "ERROR_ORDER_NOT_UNIQUE"
    assert books.report()["charges"] == 1


async def test_a_saved_card_is_charged_as_the_merchants_own_transaction() -> None:
    flow = ROW.flow().charge_saved(ROW.charge(), "TOKC_1")
    next(flow)
    body = flow.send(GRANTED).body
    assert body is not None
    assert body["payMethods"] == {"payMethod": {"type": "CARD_TOKEN", "value": "TOKC_1"}}
    assert body["cardOnFile"] == "STANDARD_MERCHANT"


def later(kind: Any, *answers: Response, amount: int = 1998) -> Any:
    request = FollowUp(key="r-1", kind=kind, charge=ROW.charge(), reference=ORDER, amount=amount)
    return answer_with(ROW.flow().follow_up(request), [GRANTED, *answers])


@pytest.mark.parametrize(("kind", "method"), [("capture", "POST"), ("void", "DELETE"), ("refund", "POST")])
def test_what_is_done_later_says_so_or_leaves_it_open(kind: Any, method: str) -> None:
    done = answer(
        200, {"status": {"statusCode": "SUCCESS"}, "refund": {"status": "FINALIZED", "refundId": ORDER}}
    )
    assert later(kind, done) == Approved(reference=ORDER)
    assert later(kind, answer(200, {})) == Unknown(reason="answer_not_understood")
    assert later(kind, answer(500)) == Unknown(reason="http_500")
    refused = answer(400, status_of("OPENPAYU_BUSINESS_ERROR"))
    assert later(kind, refused) == Failed(reason="request_refused", code="OPENPAYU_BUSINESS_ERROR")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("PENDING", Accepted(reference="5000000142")),
        ("FINALIZED", Approved(reference="5000000142")),
        ("CANCELED", Declined(reason="declined", reference="5000000142", code="CANCELED")),
        ("", Unknown(reason="answer_not_understood")),
    ],
)
def test_each_state_of_a_refund_is_one_outcome(state: str, expected: Any) -> None:
    body = {"status": {"statusCode": "SUCCESS"}, "refund": {"refundId": "5000000142", "status": state}}
    assert later("refund", answer(200, body)) == expected


def test_a_part_is_captured_by_its_amount_and_the_whole_without_one() -> None:
    def sent(amount: int) -> Any:
        request = FollowUp(key="c-1", kind="capture", charge=ROW.charge(), reference=ORDER, amount=amount)
        flow = ROW.flow().follow_up(request)
        next(flow)
        return flow.send(GRANTED).body

    assert sent(1998) is None
    assert sent(500) == {"amount": "500", "currencyCode": "PLN"}


def test_a_refund_may_be_repeated_with_the_same_data() -> None:
    request = FollowUp(key="r-1", kind="refund", charge=ROW.charge(), reference=ORDER, amount=500)
    flow = ROW.flow().follow_up(request)
    next(flow)
    sent = flow.send(GRANTED)
    assert sent.repeatable
    assert sent.body == {
        "refund": {"description": "Shoes", "extRefundId": "r-1", "amount": "500", "currencyCode": "PLN"}
    }


@pytest.mark.parametrize(
    "spoil",
    [{"type": "CARD"}, {"value": 5}, {"authorizationType": "LATER"}],
    ids=lambda each: next(iter(each)),
)
def test_the_description_notices_a_way_to_pay_that_is_none(spoil: dict[str, Any]) -> None:
    request = requests()[-1]
    assert request.body is not None
    method: Any = request.body["payMethods"]["payMethod"]  # type: ignore[index]
    body = request.body | {"payMethods": {"payMethod": method | spoil}}
    assert ROW.described is not None
    assert ROW.described.check_request("POST", request.path, request.headers, body, is_form=False)
    assert not ROW.described.check_request("POST", request.path, request.headers, request.body, is_form=False)
