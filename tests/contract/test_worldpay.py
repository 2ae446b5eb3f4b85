"""Access Worldpay: sent once, asked for by our key, and done later by the links that it offers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider_adapters.base import NotFound, Response
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUp,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, answer_with, ask, make_card, play
from tests.contract.providers import TABLE

ROW = TABLE["worldpay"]
# As long as that of Worldpay's own example, and encoded as it is there.
DATA = "eyJrIjoiazNhYjYzMiJ9." + "sN%3Ag8wd64bwkbrp0md%2BbPxcanBnk2zLdsIqSa1pR99%3D" * 14
SELF = {"self": {"href": f"https://try.access.worldpay.com/api/payments/{DATA}"}}


def answer(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body).encode())


def charged(status: int, body: Any, **changes: Any) -> Any:
    return answer_with(ROW.flow().charge(ROW.charge(**changes), make_card()), [answer(status, body)])


def sent(**changes: Any) -> Any:
    flow = ROW.flow(**changes.pop("account", {}))
    return next(flow.charge(ROW.charge(**changes), make_card())).body


def test_a_charge_is_settled_by_itself_and_an_authorisation_is_not() -> None:
    body = sent(statement="Shoes & Söhne", transaction_id="order 20417", merchant_account="other")
    assert body == {
        "transactionReference": "k-1",
        "orderReference": "order-20417",
        "merchant": {"entity": "other"},
        "channel": "moto",
        "instruction": {
            "method": "card",
            "paymentInstrument": {
                "type": "plain",
                "cardNumber": CARDS["approved"],
                "expiryDate": {"month": 3, "year": 2030},
                "cvc": CODE,
            },
            "narrative": {"line1": "Shoes   S hne"},
            "value": {"currency": "EUR", "amount": 1998},
            "settlement": {"auto": True},
        },
    }
    assert "settlement" not in sent(operation="authorise")["instruction"]
    verified = sent(operation="verify", amount=0)["instruction"]
    assert "settlement" not in verified
    assert verified["customerAgreement"] == {"type": "cardOnFile", "storedCardUsage": "first"}


def test_it_is_sent_with_the_version_and_basic_authentication_and_never_again() -> None:
    request = next(ROW.flow().charge(ROW.charge(), make_card()))
    assert request.headers == {
        "Authorization": "Basic bG9jYWwtdGVzdC11c2VyOmxvY2FsLXRlc3Qta2V5",
        "WP-Api-Version": "2024-06-01",
    }
    assert request.may_charge
    assert not request.repeatable


def test_a_card_is_saved_with_a_name_and_a_namespace() -> None:
    instruction = sent(token_type="reusable", customer="customer-7")["instruction"]
    assert instruction["tokenCreation"] == {"type": "worldpay", "namespace": "customer-7"}
    assert instruction["customerAgreement"] == {"type": "cardOnFile", "storedCardUsage": "first"}
    assert instruction["paymentInstrument"]["cardHolderName"] == "Telephone Customer"
    assert sent(token_type="reusable", customer="a b")["instruction"]["tokenCreation"] == {"type": "worldpay"}


def test_a_currency_whose_decimals_are_disputed_is_refused_before_anything_is_sent() -> None:
    for currency in ("IDR", "CLP", "ISK", "HUF"):
        flow = ROW.flow().charge(ROW.charge(currency=currency), make_card())
        assert answer_with_nothing(flow) == Failed(reason="currency_not_supported")
    assert sent(currency="JPY", amount=1998)["instruction"]["value"] == {"currency": "JPY", "amount": 1998}


def answer_with_nothing(flow: Any) -> Any:
    try:
        next(flow)
    except StopIteration as end:
        return end.value
    raise AssertionError("something was sent")


@pytest.mark.parametrize(
    ("status", "outcome", "operation", "expected"),
    [
        (202, "sentForSettlement", "charge", Approved(reference=DATA)),
        (201, "authorized", "authorise", Approved(reference=DATA)),
        (201, "authorized", "charge", Unknown(reason="not_captured")),
        (201, "newOne", "charge", Unknown(reason="answer_not_understood")),
        (202, "sentForCancellation", "charge", "cancelled"),
        (201, "fraudHighRisk", "charge", "suspected_fraud"),
        (201, "3dsDeviceDataRequired", "charge", "authentication_required"),
        (201, "3dsChallenged", "charge", "authentication_required"),
        (201, "3dsAuthenticationFailed", "charge", "authentication_required"),
        (201, "3dsUnavailable", "charge", "authentication_required"),
    ],
)
def test_each_outcome_is_one_of_ours(status: int, outcome: str, operation: Any, expected: Any) -> None:
    body = {"outcome": outcome, "paymentId": "p", "_links": SELF}
    if isinstance(expected, str):
        expected = Declined(reason=expected, reference="p", code=outcome)
    assert charged(status, body, operation=operation) == expected


def test_a_wrong_security_code_cancels_and_is_said() -> None:
    body = {"outcome": "sentForCancellation", "riskFactors": [{"type": "cvc", "risk": "notMatched"}]}
    assert charged(202, body).reason == "invalid_security_code"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("5", "declined"),
        ("14", "invalid_number"),
        ("33", "expired_card"),
        ("43", "restricted_card"),
        ("51", "insufficient_funds"),
        ("65", "authentication_required"),
        ("91", "issuer_unavailable"),
        ("9999", "declined"),
        ("", "declined"),
    ],
)
def test_a_refusal_has_a_word(code: str, reason: str) -> None:
    outcome = charged(201, {"outcome": "refused", "refusalCode": code, "refusalDescription": "NO"})
    assert isinstance(outcome, Declined)
    assert (outcome.reason, outcome.code, outcome.message) == (reason, code or "refused", "NO")
    assert outcome.reason in REASONS


def test_the_amount_counts_that_the_answer_names() -> None:
    def amounts(total: int, currency: str = "EUR") -> Any:
        named = {"requested": 1998, "totalAuthorized": total, "currency": currency}
        return charged(202, {"outcome": "sentForSettlement", "amounts": named})

    assert isinstance(amounts(1998), Approved)
    assert amounts(700) == PartiallyApproved(amount=700, reference="")
    assert amounts(1999) == Unknown(reason="amount_differs")
    assert amounts(1998, "USD") == Unknown(reason="currency_differs")


@pytest.mark.parametrize(
    ("status", "name", "path", "reason"),
    [
        (401, "accessDenied", "", "key_refused"),
        (400, "entityIsNotConfigured", "", "account_refused"),
        (400, "channelIsNotSupported", "", "moto_not_enabled"),
        (400, "bodyDoesNotMatchSchema", "$.instruction.paymentInstrument.cardNumber", "invalid_number"),
        (400, "bodyDoesNotMatchSchema", "$.instruction.paymentInstrument.expiryDate.month", "invalid_expiry"),
        (400, "bodyDoesNotMatchSchema", "$.instruction.paymentInstrument.cvc", "invalid_security_code"),
        (400, "bodyDoesNotMatchSchema", "$.instruction.value.amount", "amount_not_allowed"),
        (400, "bodyDoesNotMatchSchema", "$.instruction.narrative.line1", "request_refused"),
        (415, "headerHasInvalidValue", "", "request_refused"),
    ],
)
def test_what_was_not_carried_out_has_a_word(status: int, name: str, path: str, reason: str) -> None:
    inner = [{"errorName": "fieldHasInvalidValue", "jsonPath": path}] if path else []
    outcome = charged(status, {"errorName": name, "validationErrors": inner})
    assert outcome == Failed(reason=reason, code=name)
    assert reason in REASONS


@pytest.mark.parametrize("name", ["transactionReferenceIsADuplicate", "transactionHasAlreadyBeenProcessed"])
def test_a_duplicate_leaves_it_open(name: str) -> None:
    assert charged(400, {"errorName": name}) == Unknown(reason="duplicate")


def inquired(payment: Any, *, listed: int = 1, **changes: Any) -> Any:
    listing = {"_embedded": {"payments": [{"transactionReference": "k-1", "paymentId": "p"}] * listed}}
    answers = [answer(200, listing)] + ([answer(200, payment)] if listed == 1 else [])
    return answer_with(ROW.flow().inquire(ROW.charge(**changes), {}), answers)


@pytest.mark.parametrize(
    ("last", "operation", "expected"),
    [
        ("settlementRequested", "charge", "approved"),
        ("settlementRequestSubmitted", "charge", "approved"),
        ("refundRequestSubmitted", "charge", "approved"),
        ("saleSucceeded", "authorise", "approved"),
        ("authorizationSucceeded", "authorise", "approved"),
        ("authorizationSucceeded", "charge", None),  # perhaps cancelled for its security code
        ("authorizationRequested", "charge", None),
        ("saleRequested", "charge", None),
        ("authorizationTimedOut", "charge", None),
        ("saleTimedOut", "charge", None),
        ("authorizationFailed", "charge", None),
        ("settlementRequestSubmissionFailed", "charge", None),
        ("settlementRequestSubmissionTimedOut", "charge", None),
        ("cancellationRequestSubmissionFailed", "charge", None),
        ("reversalRequested", "charge", None),
        ("reversalRequestSubmitted", "charge", None),
        ("newOne", "charge", None),
        ("cancellationRequested", "charge", "declined"),
        ("cancellationRequestSubmitted", "charge", "declined"),
        ("authorizationRefused", "charge", "declined"),
        ("saleRefused", "charge", "declined"),
    ],
)
def test_each_last_event_is_one_outcome(last: str, operation: Any, expected: str | None) -> None:
    value = {"currency": "EUR", "amount": 1998}
    links = {"cardPayments:events": {"href": f"https://access.worldpay.com/payments/events/{DATA}"}}
    found = inquired({"lastEvent": last, "value": value, "_links": links}, operation=operation)
    assert (found and type(found).__struct_config__.tag) == expected
    if isinstance(found, Approved):
        assert found.reference == DATA


def test_an_inquiry_names_the_refusal_and_the_failure() -> None:
    events: list[Any] = [{"eventName": "authorizationRefused", "code": "51", "description": "NO"}]
    found = inquired({"paymentId": "p", "lastEvent": "authorizationRefused", "events": events})
    assert found == Declined(reason="insufficient_funds", message="NO", reference="p", code="51")
    events = [{"eventName": "authorizationFailed", "error": {"name": "channelIsNotSupported"}}]
    found = inquired({"lastEvent": "authorizationFailed", "events": events})
    assert found == Failed(reason="moto_not_enabled", code="channelIsNotSupported")
    events = [{"eventName": "authorizationFailed", "error": {"name": "internalErrorOccurred"}}]
    assert inquired({"lastEvent": "authorizationFailed", "events": events}) is None


def test_an_inquiry_that_finds_none_two_or_somebody_elses_settles_nothing() -> None:
    assert inquired({}, listed=0) == NotFound()
    assert inquired({}, listed=2) is None
    other = {"_embedded": {"payments": [{"transactionReference": "k-10", "paymentId": "p"}]}}
    flow = ROW.flow().inquire(ROW.charge(), {})
    assert answer_with(flow, [answer(200, other)]) == NotFound()
    for status in (400, 401, 404, 500):
        assert answer_with(ROW.flow().inquire(ROW.charge(), {}), [answer(status, {})]) is None


async def test_the_same_order_again_would_be_another_charge() -> None:
    """Why it is sent once: nothing at Worldpay keeps it from being carried out again."""
    flow, (books, dialect) = ROW.flow(), ROW.dialect()
    _, exchanges = await play(flow.charge(ROW.charge(), make_card()), dialect)
    await ask(dialect, exchanges[0].request)
    record = books.find("k-1")
    assert record is not None
    assert record.charges == 2


async def test_each_break_is_found_by_the_key_alone() -> None:
    found = {}
    for name in ("closed_not_charged", "closed_charged", "error_not_charged", "error_charged", "declined"):
        flow, (_, dialect) = ROW.flow(), ROW.dialect()
        await play(flow.charge(ROW.charge(), make_card(CARDS[name])), dialect)
        found[name], _ = await play(flow.inquire(ROW.charge(), {}), dialect)
    assert found["closed_not_charged"] == found["error_not_charged"] == NotFound()
    assert isinstance(found["closed_charged"], Approved)
    assert isinstance(found["error_charged"], Approved)
    assert isinstance(found["declined"], Declined)


def later(kind: Any, offered: dict[str, str], amount: int = 1998) -> Any:
    request = FollowUp(key="k-1-later", kind=kind, charge=ROW.charge(), reference=DATA, amount=amount)
    flow = ROW.flow().follow_up(request)
    asked = next(flow)
    assert (asked.method, asked.path, asked.may_charge) == ("GET", f"/api/payments/{DATA}", False)
    actions = {
        name: {"href": f"https://try.access.worldpay.com/api/payments/next-{DATA}/{action}", "method": "POST"}
        for name, action in offered.items()
    }
    try:
        return flow.send(answer(200, {"lastEvent": "Authorized", "_actions": actions}))
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(
    ("kind", "offered", "amount", "path"),
    [
        ("capture", {"settlePayment": "settlements"}, 1998, "settlements"),
        ("capture", {"partiallySettlePayment": "partialSettlements"}, 500, "partialSettlements"),
        ("refund", {"refundPayment": "refunds"}, 1998, "refunds"),
        ("refund", {"partiallyRefundPayment": "partialRefunds"}, 500, "partialRefunds"),
        ("void", {"cancelPayment": "cancellations", "reversePayment": "reversals"}, 1998, "cancellations"),
        ("void", {"reversePayment": "reversals", "refundPayment": "refunds"}, 1998, "reversals"),
    ],
)
def test_what_is_offered_is_done_where_it_is_offered(
    kind: str, offered: dict[str, str], amount: int, path: str
) -> None:
    request = later(kind, offered, amount)
    assert (request.method, request.path) == ("POST", f"/api/payments/next-{DATA}/{path}")
    assert request.may_charge
    value = {"currency": "EUR", "amount": amount}
    assert request.body == (None if amount == 1998 else {"reference": "k-1-later", "value": value})


@pytest.mark.parametrize(
    ("kind", "offered", "amount"),
    [
        ("capture", {"refundPayment": "refunds"}, 1998),
        ("capture", {"settlePayment": "settlements"}, 500),
        ("refund", {"settlePayment": "settlements"}, 1998),
        ("void", {"cancelPayment": "cancellations"}, 500),
        ("void", {"refundPayment": "refunds"}, 1998),
    ],
)
def test_what_is_not_offered_is_not_done(kind: str, offered: dict[str, str], amount: int) -> None:
    outcome = later(kind, offered, amount)
    assert outcome == Failed(reason="request_refused", code=f"{kind}_not_offered")


@pytest.mark.parametrize("path", ["/tokens/x", "/api/payments/x/y/z", "/payments/settlements/full/x", ""])
def test_a_link_that_leads_elsewhere_is_not_followed(path: str) -> None:
    request = FollowUp(key="r", kind="refund", charge=ROW.charge(), reference=DATA, amount=1998)
    actions = {"refundPayment": {"href": f"https://try.access.worldpay.com{path}"}}
    outcome = answer_with(ROW.flow().follow_up(request), [answer(200, {"_actions": actions})])
    assert outcome == Failed(reason="request_refused", code="refund_not_offered")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, {"outcome": "sentForRefund"}, Accepted(reference="r")),
        (202, {}, Unknown(reason="answer_not_understood")),
        (404, {"errorName": "endpointNotFound"}, Failed(reason="request_refused", code="endpointNotFound")),
        (500, {"errorName": "internalErrorOccurred"}, Unknown(reason="http_500")),
    ],
)
def test_what_becomes_of_a_follow_up(status: int, body: Any, expected: Any) -> None:
    request = FollowUp(key="r", kind="refund", charge=ROW.charge(), reference=DATA, amount=1998)
    actions = {"refundPayment": {"href": f"https://try.access.worldpay.com/api/payments/{DATA}/refunds"}}
    answers = [answer(200, {"_actions": actions}), answer(status, body)]
    assert answer_with(ROW.flow().follow_up(request), answers) == expected
