"""What is Braintree's own: the merchant account's currency, transactions searched by order, the
gateway's rejections, errors of GraphQL, and reversals."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from provider_adapters.answers.braintree import REFUSED, TAKEN
from provider_adapters.base import NotFound, Request, Response
from provider_adapters.codes.braintree import GATEWAY, PROCESSOR, VALIDATION
from provider_adapters.local.books import BEHAVIOURS
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUp,
    Outcome,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reasons import REASONS
from tests.contract.described_graphql import read_enum
from tests.contract.playing import CARDS, answer_with, make_card, make_charge, play
from tests.contract.providers import TABLE
from tests.contract.settling import settle

ROW = TABLE["braintree"]


def answer(name: str, **payload: Any) -> Response:
    return Response(200, json.dumps({"data": {name: payload}}).encode())


def error(kind: str, code: str = "", **more: Any) -> Response:
    extensions = {"errorClass": kind} | ({"legacyCode": code} if code else {})
    return Response(200, json.dumps({"errors": [{"message": "x", "extensions": extensions}]} | more).encode())


def transaction(status: str = "SUBMITTED_FOR_SETTLEMENT", **changes: Any) -> dict[str, Any]:
    return {
        "id": "t_1", "orderId": "k-1", "status": status, "paymentMethod": None, "statusHistory": [],
        "amount": {"value": "19.98", "currencyCode": "EUR"},
    } | changes  # fmt: skip


def account(currency: str = "EUR") -> Response:
    edges = [{"node": {"id": "shoes", "currencyCode": currency}}] if currency else []
    return answer("viewer", merchant={"merchantAccounts": {"edges": edges}})


MADE = [account(), answer("tokenizeCreditCard", paymentMethod={"id": "tokencc_1"})]


def charge(*answers: Response, **changes: Any) -> Outcome:
    """What the answers to the charge come to."""
    flow = ROW.flow().charge(make_charge(**changes), make_card())
    outcome: Outcome = answer_with(flow, [*MADE, *answers])
    return outcome


def paid(status: str = "SUBMITTED_FOR_SETTLEMENT", **changes: Any) -> Response:
    return answer("chargePaymentMethod", transaction=transaction(status, **changes))


def found(*transactions: dict[str, Any]) -> Any:
    edges = [{"node": each} for each in transactions]
    asking = ROW.flow().inquire(make_charge(), {})
    return answer_with(asking, [answer("search", transactions={"edges": edges})])


def event(status: str, code: str = "", **more: Any) -> dict[str, Any]:
    return {"statusHistory": [{"status": status, "processorResponse": {"legacyCode": code}} | more]}


def duplicate_of(order: str | None) -> dict[str, Any]:
    first = {"duplicateOf": None if order is None else {"id": "t_0", "orderId": order}}
    return transaction(
        "GATEWAY_REJECTED", **event("GATEWAY_REJECTED", gatewayRejectionReason="DUPLICATE", **first)
    )


# --- the requests ---------------------------------------------------------------------------------


async def test_the_account_is_asked_before_a_card_leaves_and_one_request_may_charge() -> None:
    _, dialect = ROW.dialect()
    _, exchanges = await play(ROW.flow().charge(make_charge(), make_card()), dialect)
    requests = [each.request for each in exchanges]
    assert [(each.step, each.may_charge) for each in requests] == [
        ("", False), ("tokenize", False), ("charge", True),
    ]  # fmt: skip
    assert "4111" not in repr(requests[0].body)
    assert "4111" not in repr(requests[2].body)
    assert not any(each.repeatable for each in requests)
    assert {each.headers["Braintree-Version"] for each in requests} == {"2025-04-29"}


async def test_an_order_overrides_the_account() -> None:
    flow = ROW.flow(statement="SHOES*LTD", token_type="reusable")
    order = make_charge(
        merchant_account="bootsEUR", statement="BOO*BOOTS", metadata={"desk": "7"}, customer="C-77"
    )
    _, dialect = ROW.dialect()
    _, exchanges = await play(flow.charge(order, make_card()), dialect)
    body: Any = exchanges[-1].request.body
    assert body["variables"]["input"]["transaction"] == {
        "amount": "19.98",
        "merchantAccountId": "bootsEUR",
        "orderId": "k-1",
        "paymentInitiator": "MOTO",
        "descriptor": {"name": "BOO*BOOTS"},
        "customFields": [{"name": "desk", "value": "7"}],
        "vaultPaymentMethodAfterTransacting": {"when": "ON_SUCCESSFUL_TRANSACTION"},
        "customerId": "C-77",
    }
    asked: Any = exchanges[0].request.body
    assert asked["variables"] == {"id": "bootsEUR"}


@pytest.mark.parametrize(
    ("currency", "amount", "sent"),
    [("EUR", 1998, "19.98"), ("EUR", 5, "0.05"), ("JPY", 1998, "1998"), ("KWD", 1998, "1.998"),
     ("CLF", 1998, None), ("XXX", 1998, None), ("EUR", 0, None)],
)  # fmt: skip
async def test_an_amount_is_a_decimal_number_of_its_currency(
    currency: str, amount: int, sent: str | None
) -> None:
    books, dialect = ROW.dialect()
    order = make_charge(currency=currency, amount=amount, merchant_account=f"shoes{currency}")
    outcome, exchanges = await play(ROW.flow().charge(order, make_card()), dialect)
    if sent is None:
        assert (outcome, exchanges) == (Failed(reason="amount_not_allowed"), [])
        return
    body: Any = exchanges[-1].request.body
    assert body["variables"]["input"]["transaction"]["amount"] == sent
    assert isinstance(outcome, Approved)
    record = books.find("k-1")
    assert record is not None
    assert (record.amount, record.currency) == (amount, currency)


async def test_an_account_of_another_currency_is_never_charged() -> None:
    """Braintree would take 19.98 of whatever the merchant account has."""
    books, dialect = ROW.dialect()
    order = make_charge(merchant_account="shoesUSD")
    outcome, exchanges = await play(ROW.flow().charge(order, make_card()), dialect)
    assert outcome == Failed(reason="currency_not_supported", code="USD")
    assert len(exchanges) == 1
    outcome, _ = await play(ROW.flow().charge_saved(order, "tok_1"), dialect)
    assert outcome == Failed(reason="currency_not_supported", code="USD")
    assert books.requests == 0


async def test_an_account_that_is_not_there_is_named() -> None:
    _, dialect = ROW.dialect()
    flow = ROW.flow(merchant_account="unknown")
    outcome, _ = await play(flow.charge(make_charge(), make_card()), dialect)
    assert outcome == Failed(reason="account_refused", code="no_merchant_account")
    assert (await play(flow.examine(), dialect))[0] == "account_refused"


# --- what a transaction comes to ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SUBMITTED_FOR_SETTLEMENT", Approved(reference="t_1")),
        ("SETTLING", Approved(reference="t_1")),
        ("SETTLED", Approved(reference="t_1")),
        ("SETTLEMENT_PENDING", Approved(reference="t_1")),
        ("SETTLEMENT_CONFIRMED", Approved(reference="t_1")),
        ("AUTHORIZED", Unknown(reason="pending")),  # none was asked for
        ("AUTHORIZING", Unknown(reason="pending")),
        ("STATUS_OF_TOMORROW", Unknown(reason="pending")),
        ("VOIDED", Declined(reason="cancelled", reference="t_1", code="VOIDED")),
        (
            "AUTHORIZATION_EXPIRED",
            Declined(reason="cancelled", reference="t_1", code="AUTHORIZATION_EXPIRED"),
        ),
        ("FAILED", Declined(reason="try_again_later", reference="t_1", code="FAILED")),
        ("PROCESSOR_DECLINED", Declined(reason="declined", reference="t_1", code="PROCESSOR_DECLINED")),
        ("SETTLEMENT_DECLINED", Declined(reason="declined", reference="t_1", code="SETTLEMENT_DECLINED")),
        ("GATEWAY_REJECTED", Declined(reason="declined", reference="t_1", code="")),
    ],
)
def test_each_status_is_one_outcome(status: str, expected: Outcome) -> None:
    assert charge(paid(status)) == expected
    assert found(transaction(status)) == expected


def test_every_status_and_rejection_of_the_schema_is_known() -> None:
    statuses = read_enum("braintree-schema.graphql", "PaymentStatus")
    assert statuses == TAKEN | REFUSED | {"AUTHORIZED", "AUTHORIZING"}
    assert read_enum("braintree-schema.graphql", "GatewayRejectionReason") == set(GATEWAY)


def test_every_word_is_one_that_the_agent_reads() -> None:
    assert {*GATEWAY.values(), *PROCESSOR.values(), *VALIDATION.values()} <= set(REASONS)


def test_an_authorisation_is_approved_and_has_its_code() -> None:
    held = answer(
        "authorizePaymentMethod",
        transaction=transaction(
            "AUTHORIZED",
            statusHistory=[{"status": "AUTHORIZED", "processorResponse": {"authorizationId": "A0B1C2"}}],
        ),
    )
    expected = Approved(reference="t_1", authorisation_code="A0B1C2")
    assert charge(held, operation="authorise") == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ({"value": "9.99", "currencyCode": "EUR"}, PartiallyApproved(amount=999, reference="t_1")),
        ({"value": "19.99", "currencyCode": "EUR"}, Unknown(reason="amount_differs")),
        ({"value": "19.985", "currencyCode": "EUR"}, Unknown(reason="amount_differs")),
        ({"value": "19.98", "currencyCode": "USD"}, Unknown(reason="currency_differs")),
        ({"value": "NaN", "currencyCode": "EUR"}, Unknown(reason="amount_differs")),
        ({"value": None, "currencyCode": "EUR"}, Unknown(reason="answer_not_understood")),
        (None, Unknown(reason="answer_not_understood")),
    ],
)
def test_an_approval_counts_for_what_it_names(amount: Any, expected: Outcome) -> None:
    assert charge(paid(amount=amount)) == expected


@pytest.mark.parametrize(
    ("code", "reason"),
    [("2000", "declined"), ("2001", "insufficient_funds"), ("2004", "expired_card"),
     ("2005", "invalid_number"), ("2006", "invalid_expiry"), ("2010", "invalid_security_code"),
     ("2012", "declined"), ("2013", "declined"), ("2014", "suspected_fraud"), ("2047", "declined"),
     ("2053", "declined"), ("2099", "authentication_required"), ("2999", "declined")],
)  # fmt: skip
def test_a_decline_has_our_word_and_the_processors_code(code: str, reason: str) -> None:
    declined = charge(paid("PROCESSOR_DECLINED", **event("PROCESSOR_DECLINED", code)))
    assert isinstance(declined, Declined)
    assert (declined.reason, declined.code) == (reason, code)


@pytest.mark.parametrize(
    ("rejection", "reason"),
    [("CVV", "invalid_security_code"), ("FRAUD", "suspected_fraud"),
     ("THREE_D_SECURE", "authentication_required"), ("APPLICATION_INCOMPLETE", "account_refused")],
)  # fmt: skip
def test_a_rejection_of_the_gateway_has_a_word_of_its_own(rejection: str, reason: str) -> None:
    changes = event("GATEWAY_REJECTED", gatewayRejectionReason=rejection)
    declined = charge(paid("GATEWAY_REJECTED", **changes))
    assert isinstance(declined, Declined)
    assert (declined.reason, declined.code) == (reason, rejection)


# --- duplicates, and after a break ----------------------------------------------------------------


@pytest.mark.parametrize("order", ["k-1", "k-2", None])
def test_a_duplicate_is_no_decline_before_the_first_one_was_looked_for(order: str | None) -> None:
    rejected = answer("chargePaymentMethod", transaction=duplicate_of(order))
    assert charge(rejected) == Unknown(reason="duplicate")


def test_the_first_one_stands_where_a_second_was_rejected() -> None:
    first = transaction(id="t_0")
    assert found(duplicate_of("k-1"), first) == Approved(reference="t_0")
    assert found(first, duplicate_of("k-1")) == Approved(reference="t_0")
    assert found(duplicate_of("k-1")) == Unknown(reason="pending"), "it is not shown yet"
    other = found(duplicate_of("k-2"))
    assert isinstance(other, Declined)
    assert other.reason == "duplicate"
    assert found(transaction("PROCESSOR_DECLINED"), first) == Approved(reference="t_0")
    assert found(transaction("AUTHORIZING"), duplicate_of("k-1")) == Unknown(reason="pending")
    assert found(first, transaction()) == Unknown(reason="amount_differs"), "a person must look at two"


async def test_a_request_that_arrives_twice_charges_once() -> None:
    books, dialect = ROW.dialect()
    charging = ROW.flow().charge(make_charge(), make_card(CARDS["error_charged"]))
    _, exchanges = await play(charging, dialect)
    outcome, again = await play(_once(exchanges[-1].request), dialect)
    assert outcome is not None
    assert again[0].body["errors"][0]["extensions"]["legacyCode"] == "91564"
    record = books.find("k-1")
    assert record is not None
    assert record.charges == 1
    used = error("VALIDATION", "91564")
    assert charge(used) == Unknown(reason="payment_method_used"), "an earlier one used it"


def _once(request: Request) -> Any:
    return (yield request)


async def test_the_same_order_and_card_again_is_a_duplicate_whose_first_one_is_found() -> None:
    books, dialect = ROW.dialect()
    flow = ROW.flow()
    await play(flow.charge(make_charge(), make_card(CARDS["error_charged"])), dialect)
    again = make_card(CARDS["error_charged"])
    outcome, _, _ = await settle(flow, make_charge(), again, dialect)
    record = books.find("k-1")
    assert record is not None
    assert record.charges == 1
    assert isinstance(outcome, Approved)
    assert outcome.reference == record.reference


@pytest.mark.parametrize("card", ["error_charged", "cut_charged", "closed_charged"])
async def test_a_charge_whose_answer_was_lost_is_found_by_its_order(card: str) -> None:
    books, dialect = ROW.dialect()
    outcome, noted, sent = await settle(ROW.flow(), make_charge(), make_card(CARDS[card]), dialect)
    record = books.find("k-1")
    assert record is not None
    assert isinstance(outcome, Approved)
    assert (outcome.reference, record.charges) == (record.reference, 1)
    assert [each.step for each in noted] == ["tokenize", "charge"]
    assert len(sent) == 4


async def test_a_charge_that_is_not_there_is_not_there_yet() -> None:
    _, dialect = ROW.dialect()
    flow = ROW.flow()
    await play(flow.charge(make_charge(), make_card(CARDS["error_not_charged"])), dialect)
    assert (await play(flow.inquire(make_charge(), {}), dialect))[0] == NotFound()
    assert flow.ABSENT_AFTER is not None
    assert flow.ABSENT_AFTER > 3 * 3600, "a single-use payment method is good for three hours"


async def test_a_charge_that_is_being_authorised_is_not_called_anything() -> None:
    number = next(number for number, each in BEHAVIOURS.items() if each.answer == "late")
    books, dialect = ROW.dialect(delay=0.05)
    charging = asyncio.create_task(play(ROW.flow().charge(make_charge(), make_card(number)), dialect))
    while books.find("k-1") is None and not charging.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert (await play(ROW.flow().inquire(make_charge(), {}), dialect))[0] == Unknown(reason="pending")
    await charging
    assert isinstance((await play(ROW.flow().inquire(make_charge(), {}), dialect))[0], Approved)


def test_an_inquiry_that_is_not_answered_says_nothing() -> None:
    for silent in (Response(500), Response(200, b"{}"), error("INTERNAL"), error("AUTHENTICATION")):
        assert answer_with(ROW.flow().inquire(make_charge(), {}), [silent]) is None
    part = error("SERVICE_AVAILABILITY", data={"search": {"transactions": {"edges": []}}})
    assert answer_with(ROW.flow().inquire(make_charge(), {}), [part]) is None, "an empty page is no answer"


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("AUTHENTICATION", "", "key_refused"),
        ("RESOURCE_LIMIT", "", "try_again_later"),
        ("UNSUPPORTED_CLIENT", "", "request_refused"),
        ("NOT_FOUND", "", "request_refused"),
        ("VALIDATION", "", "request_refused"),
        ("VALIDATION", "91558", "moto_not_enabled"),
        ("VALIDATION", "81715", "invalid_number"),
        ("VALIDATION", "81710", "invalid_expiry"),
        ("VALIDATION", "81707", "invalid_security_code"),
        ("VALIDATION", "81703", "card_not_supported"),
        ("VALIDATION", "81528", "amount_not_allowed"),
        ("VALIDATION", "91513", "account_refused"),
    ],
)
def test_an_error_says_why_at_each_request(kind: str, code: str, reason: str) -> None:
    for before in ([], MADE[:1], MADE):
        flow = ROW.flow().charge(make_charge(), make_card())
        refused = answer_with(flow, [*before, error(kind, code, data=None)])
        assert refused == Failed(reason=reason, code=code or kind)


def test_a_key_that_may_not_tokenize_is_told_from_one_that_may_do_nothing() -> None:
    refusal = error("AUTHORIZATION")
    reasons = [
        answer_with(ROW.flow().charge(make_charge(), make_card()), [*before, refusal]).reason
        for before in ([], MADE[:1], MADE)
    ]
    assert reasons == ["key_refused", "raw_card_not_enabled", "key_refused"]


@pytest.mark.parametrize(
    "unclear",
    [error("INTERNAL"), error("SERVICE_AVAILABILITY"), error("CLASS_OF_TOMORROW"), Response(200, b"{}"),
     Response(200, b'{"data": null}'), Response(200, b'{"errors": [{"message": "x"}]}'),
     Response(200, b"<html>"), Response(502), Response(409), answer("chargePaymentMethod", transaction=None),
     Response(200, b'{"errors": [{"extensions": {"errorClass": "VALIDATION"}},'
                   b'{"extensions": {"errorClass": "INTERNAL"}}]}')],
)  # fmt: skip
def test_what_does_not_decide_leaves_a_charge_open_and_fails_what_prepares(unclear: Response) -> None:
    assert isinstance(charge(unclear), Unknown)
    for before in ([], MADE[:1]):
        prepared = answer_with(ROW.flow().charge(make_charge(), make_card()), [*before, unclear])
        assert isinstance(prepared, Failed)


def test_a_transaction_that_is_told_goes_before_errors_beside_it() -> None:
    body = {
        "data": {"chargePaymentMethod": {"transaction": transaction()}},
        "errors": [{"message": "x", "path": ["x"], "extensions": {"errorClass": "AUTHORIZATION"}}],
    }
    assert charge(Response(200, json.dumps(body).encode())) == Approved(reference="t_1")


# --- later ----------------------------------------------------------------------------------------


def follow_up(kind: Any, done: Response, amount: int = 1998) -> Any:
    request = FollowUp(key="k-later", kind=kind, charge=make_charge(), reference="t_1", amount=amount)
    return answer_with(ROW.flow().follow_up(request), [done])


def reversal(status: str, kind: str = "Transaction", value: str = "19.98") -> Response:
    amount = {"value": value, "currencyCode": "EUR"}
    made = {"__typename": kind, "id": "r_1", "status": status, "amount": amount}
    return answer("reverseTransaction", reversal=made)


def refund(status: str, value: str = "5.00") -> Response:
    made = {"id": "r_1", "status": status, "amount": {"value": value, "currencyCode": "EUR"}}
    return answer("refundTransaction", refund=made)


@pytest.mark.parametrize(
    ("kind", "done", "amount", "expected"),
    [
        ("refund", reversal("VOIDED"), 1998, Approved(reference="r_1")),  # it was not settled yet
        ("refund", reversal("SETTLING", "Refund"), 1998, Approved(reference="r_1")),
        ("refund", reversal("SETTLING", "Refund", "9.99"), 1998, Unknown(reason="amount_differs")),
        ("refund", refund("SUBMITTED_FOR_SETTLEMENT"), 500, Approved(reference="r_1")),
        ("refund", refund("AUTHORIZING"), 500, Accepted(reference="r_1")),
        ("refund", refund("SETTLED", "4.99"), 500, Unknown(reason="amount_differs")),
        (
            "refund",
            refund("PROCESSOR_DECLINED"),
            500,
            Declined(reason="declined", reference="r_1", code="PROCESSOR_DECLINED"),
        ),
        ("refund", error("VALIDATION", "91506"), 500, Failed(reason="try_again_later", code="91506")),
        ("refund", error("INTERNAL"), 500, Unknown(reason="internal")),
        ("void", reversal("VOIDED"), 1998, Approved(reference="r_1")),
        ("void", error("VALIDATION", "91504"), 1998, Failed(reason="request_refused", code="91504")),
        ("capture", answer("captureTransaction", transaction=transaction()), 1998, Approved(reference="t_1")),
        (
            "capture",
            answer("captureTransaction", transaction=transaction("AUTHORIZED")),
            1998,
            Unknown(reason="answer_not_understood"),
        ),
        ("capture", Response(504), 1998, Unknown(reason="http_504")),
    ],
)
def test_a_follow_up_is_done_refused_or_open(kind: str, done: Response, amount: int, expected: Any) -> None:
    assert follow_up(kind, done, amount) == expected


def test_a_follow_up_is_sent_once() -> None:
    for kind in ("capture", "void", "refund"):
        how: Any = kind
        request = FollowUp(key="k-later", kind=how, charge=make_charge(), reference="t_1", amount=500)
        first = next(ROW.flow().follow_up(request))
        assert first.may_charge
        assert not first.repeatable


async def test_a_part_is_captured_and_parts_of_it_refunded() -> None:
    flow, (books, dialect) = ROW.flow(), ROW.dialect()
    order = make_charge(operation="authorise")
    held, _ = await play(flow.charge(order, make_card()), dialect)
    for kind, amount in (("capture", 1500), ("refund", 500), ("refund", 1000)):
        how: Any = kind
        request = FollowUp(
            key=f"k-{kind}-{amount}", kind=how, charge=order, reference=held.reference, amount=amount
        )
        assert isinstance((await play(flow.follow_up(request), dialect))[0], Approved)
    record = books.find("k-1")
    assert record is not None
    assert (record.captured, record.refunded) == (1500, 1500)


async def test_a_saved_card_is_charged_at_the_merchants_initiative() -> None:
    flow, (_, dialect) = ROW.flow(token_type="reusable"), ROW.dialect()
    first, _ = await play(flow.charge(make_charge(), make_card()), dialect)
    _, exchanges = await play(flow.charge_saved(make_charge("k-2"), first.token), dialect)
    body: Any = exchanges[-1].request.body
    asked = body["variables"]["input"]
    assert (asked["paymentMethodId"], asked["transaction"]["paymentInitiator"]) == (
        first.token,
        "UNSCHEDULED",
    )
    single = {"id": "tokencc_1", "usage": "SINGLE_USE"}
    unsaved = answer_with(flow.charge(make_charge(), make_card()), [*MADE, paid(paymentMethod=single)])
    assert unsaved == Approved(reference="t_1")
