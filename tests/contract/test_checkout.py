"""Checkout.com: its key holds only after a success, so a charge is sent once, then looked for."""

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
from tests.contract.playing import CARDS, answer_with, ask, make_card, play
from tests.contract.providers import TABLE

ROW = TABLE["checkout"]
ID = "pay_mbabizu24mvu3mela5njyhpit4"
PAID = {"id": ID, "amount": 1998, "currency": "EUR", "approved": True, "status": "Authorized"}


def answer(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body).encode())


def charged(status: int, body: Any, **changes: Any) -> Any:
    return answer_with(ROW.flow().charge(ROW.charge(**changes), make_card()), [answer(status, body)])


def sent(account: dict[str, Any] | None = None, **changes: Any) -> Any:
    return next(ROW.flow(**account or {}).charge(ROW.charge(**changes), make_card()))


def answer_with_nothing(flow: Any) -> Any:
    try:
        next(flow)
    except StopIteration as end:
        return end.value
    raise AssertionError("something was sent")


def test_a_charge_is_sent_once_under_its_key() -> None:
    request = sent()
    assert request.headers["Cko-Idempotency-Key"] == "k-1"
    assert request.headers["Authorization"] == "Bearer local-test-key"
    assert request.may_charge
    assert not request.repeatable, "after a failure the same key would charge again"
    assert request.body["payment_type"] == "MOTO"
    assert request.body["capture"] is True
    assert sent(operation="authorise").body["capture"] is False
    verified = sent(operation="verify", amount=0).body
    assert verified["amount"] == 0
    assert "capture" not in verified


async def test_the_same_key_after_a_failure_is_another_charge_and_after_a_success_is_not() -> None:
    for card, charges in (("error_charged", 2), ("approved", 1)):
        flow, (books, dialect) = ROW.flow(), ROW.dialect()
        _, exchanges = await play(flow.charge(ROW.charge(), make_card(CARDS[card])), dialect)
        await ask(dialect, exchanges[0].request)
        record = books.find("k-1")
        assert record is not None
        assert record.charges == charges, card


def test_a_long_key_has_a_shorter_reference_and_is_looked_for_by_it() -> None:
    key = "k" * 64
    reference = sent(idempotency_key=key).body["reference"]
    assert len(reference) == 50
    assert reference != key[:50]
    assert f"reference={reference}" in next(ROW.flow().inquire(ROW.charge(key), {})).path
    assert sent(idempotency_key="k" * 50).body["reference"] == "k" * 50


def test_what_the_order_says_goes_before_the_account() -> None:
    account = {"merchant_account": "pc_1", "statement": "SHOES LTD, London"}
    body = sent(account).body
    assert body["processing_channel_id"] == "pc_1"
    assert body["billing_descriptor"] == {"name": "SHOES LTD", "city": "London"}
    changes = {"merchant_account": "pc_2", "statement": "BOOTS,Leeds", "metadata": {"desk": "7"}}
    body = sent(account, **changes, customer="cus_" + "a" * 26).body
    assert body["processing_channel_id"] == "pc_2"
    assert body["billing_descriptor"] == {"name": "BOOTS", "city": "Leeds"}
    assert body["metadata"] == {"transaction_id": "order-20417", "desk": "7"}
    assert body["customer"] == {"id": "cus_" + "a" * 26}
    body = sent({"merchant_account": ""}, statement="NO CITY", customer="somebody", description="").body
    assert not {"processing_channel_id", "billing_descriptor", "customer", "description"} & set(body)


def test_a_card_is_saved_only_where_that_is_asked_for() -> None:
    assert sent().body["source"]["store_for_future_use"] is False
    assert sent(token_type="reusable").body["source"]["store_for_future_use"] is True
    body = PAID | {"source": {"id": "src_1"}}
    assert charged(201, body).token is None
    assert charged(201, body, token_type="reusable").token == "src_1"


@pytest.mark.parametrize(
    ("currency", "amount", "expected"),
    [
        ("EUR", 1998, 1998),
        ("JPY", 1998, 1998),
        ("ISK", 1998, 1998),
        ("KWD", 1990, 1990),
        ("CLP", 1998, 199800),
        ("KWD", 1998, "amount_not_allowed"),
        ("CLF", 1998, "currency_not_supported"),
    ],
)
def test_amounts_are_counted_as_the_provider_counts(currency: str, amount: int, expected: Any) -> None:
    flow = ROW.flow().charge(ROW.charge(currency=currency, amount=amount), make_card())
    if isinstance(expected, str):
        assert answer_with_nothing(flow) == Failed(reason=expected)
        return
    assert next(flow).body["amount"] == expected
    paid = PAID | {"amount": expected, "currency": currency}
    assert answer_with_approval(flow, paid) == Approved(reference=ID)


def answer_with_approval(flow: Any, body: Any) -> Any:
    with pytest.raises(StopIteration) as end:
        flow.send(answer(201, body))
    return end.value.value


@pytest.mark.parametrize(
    ("status", "approved", "operation", "expected"),
    [
        ("Authorized", True, "charge", "approved"),
        ("Authorized", True, "authorise", "approved"),
        ("Captured", True, "charge", "approved"),
        ("Paid", True, "charge", "approved"),
        ("Refunded", True, "charge", "approved"),
        ("Partially Refunded", True, "charge", "approved"),
        ("Partially Captured", True, "authorise", "approved"),
        ("Partially Captured", True, "charge", "unknown"),
        ("Authorized", False, "charge", "unknown"),
        ("Pending", False, "charge", "unknown"),
        ("New One", True, "charge", "unknown"),
        ("Declined", False, "charge", "declined"),
        ("Canceled", False, "charge", "declined"),
        ("Expired", True, "charge", "declined"),
        ("Voided", True, "charge", "declined"),
    ],
)
def test_each_status_is_one_outcome_in_an_answer_and_in_an_inquiry(
    status: str, approved: bool, operation: Any, expected: str
) -> None:
    body = PAID | {"status": status, "approved": approved, "reference": "k-1"}
    outcome = charged(201, body, operation=operation)
    assert type(outcome).__struct_config__.tag == expected
    actions = [answer(200, [{"type": "Authorization", "response_code": "20051"}])]
    found = answer_with(
        ROW.flow().inquire(ROW.charge(operation=operation), {}),
        [answer(200, {"data": [body]}), *(actions if status == "Declined" else [])],
    )
    assert found is None if expected == "unknown" else type(found).__struct_config__.tag == expected


def test_a_verified_card_is_approved_for_nothing() -> None:
    body = {"id": ID, "amount": 0, "currency": "EUR", "approved": True, "status": "Card Verified"}
    assert charged(201, body, operation="verify", amount=0) == Approved(reference=ID)


def test_3d_secure_is_said_and_a_payment_under_way_is_open() -> None:
    links = {"self": {"href": "https://x"}, "redirect": {"href": "https://3ds"}}
    outcome = charged(202, {"id": ID, "status": "Pending", "_links": links})
    assert outcome == Declined(reason="authentication_required", reference=ID, code="redirect")
    assert charged(202, {"id": ID, "status": "Pending"}) == Unknown(reason="pending")


def test_a_part_is_what_was_authorised() -> None:
    body = PAID | {"response_code": "10010", "balances": {"total_authorized": 700}}
    assert charged(201, body) == PartiallyApproved(amount=700, reference=ID)
    assert charged(201, PAID | {"currency": "USD"}) == Unknown(reason="currency_differs")
    assert charged(201, PAID | {"amount": 1999}) == Unknown(reason="amount_differs")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("20005", "declined"),
        ("20014", "invalid_number"),
        ("20051", "insufficient_funds"),
        ("20054", "expired_card"),
        ("20087", "invalid_security_code"),
        ("20154", "authentication_required"),
        ("20999", "declined"),
        ("30004", "restricted_card"),
        ("30033", "expired_card"),
        ("30041", "restricted_card"),
        ("30999", "restricted_card"),
        ("40101", "suspected_fraud"),
        ("40999", "suspected_fraud"),
        ("", "declined"),
    ],
)
def test_a_decline_has_a_word(code: str, reason: str) -> None:
    body = {"id": ID, "status": "Declined", "approved": False, "response_code": code}
    outcome = charged(201, body | {"response_summary": "No"})
    assert outcome == Declined(reason=reason, message="No", reference=ID, code=code or "declined")
    assert reason in REASONS


@pytest.mark.parametrize(
    ("status", "codes", "reason"),
    [
        (422, ["card_number_invalid"], "invalid_number"),
        (422, ["request_invalid", "cvv_invalid"], "invalid_security_code"),
        (422, ["card_expiry_month_invalid"], "invalid_expiry"),
        (422, ["card_expired"], "expired_card"),
        (422, ["payment_type_invalid"], "moto_not_enabled"),
        (422, ["processing_channel_id_required"], "account_refused"),
        (422, ["currency_invalid"], "currency_not_supported"),
        (422, ["amount_invalid"], "amount_not_allowed"),
        (422, ["something_new"], "request_refused"),
        (401, [], "key_refused"),
        (403, [], "key_refused"),
    ],
)
def test_what_was_not_carried_out_has_a_word(status: int, codes: list[str], reason: str) -> None:
    outcome = charged(status, {"error_codes": codes})
    assert outcome == Failed(reason=reason, code=codes[-1] if codes else f"http_{status}")
    assert reason in REASONS


def test_a_duplicate_request_and_a_bad_gateway_leave_it_open() -> None:
    assert charged(429, {"error_codes": ["duplicate_request"]}) == Unknown(reason="http_429")
    assert charged(502, {}) == Unknown(reason="http_502")


def test_an_inquiry_that_finds_none_two_or_somebody_elses_settles_nothing() -> None:
    def inquired(*found: Any) -> Any:
        return answer_with(ROW.flow().inquire(ROW.charge(), {}), [answer(200, {"data": found})])

    own = PAID | {"reference": "k-1"}
    assert inquired() == NotFound()
    assert inquired(PAID | {"reference": "k-10"}) == NotFound()
    assert inquired(own, own) is None
    assert inquired(own) == Approved(reference=ID)
    for status in (401, 404, 429, 500):
        assert answer_with(ROW.flow().inquire(ROW.charge(), {}), [answer(status, {})]) is None
    assert answer_with(ROW.flow().inquire(ROW.charge(), {}), [answer(200, {})]) is None


async def test_each_break_is_found_by_the_key_alone() -> None:
    found = {}
    for name in (
        "closed_not_charged", "closed_charged", "error_not_charged", "error_charged", "insufficient_funds",
    ):  # fmt: skip
        flow, (_, dialect) = ROW.flow(), ROW.dialect()
        await play(flow.charge(ROW.charge(), make_card(CARDS[name])), dialect)
        found[name], _ = await play(flow.inquire(ROW.charge(), {}), dialect)
    assert found["closed_not_charged"] == found["error_not_charged"] == NotFound()
    assert isinstance(found["closed_charged"], Approved)
    assert isinstance(found["error_charged"], Approved)
    assert isinstance(found["insufficient_funds"], Declined)
    assert (found["insufficient_funds"].reason, found["insufficient_funds"].code) == (
        "insufficient_funds", "20051",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "amount", "body"),
    [
        ("capture", 1998, {"reference": "k-1-later", "amount": 1998}),
        ("capture", 500, {"reference": "k-1-later", "amount": 500, "capture_type": "NonFinal"}),
        ("refund", 500, {"reference": "k-1-later", "amount": 500}),
        ("void", 1998, {"reference": "k-1-later"}),
    ],
)
def test_what_is_done_later_has_a_key_of_its_own(kind: Any, amount: int, body: Any) -> None:
    request = FollowUp(key="k-1-later", kind=kind, charge=ROW.charge(), reference=ID, amount=amount)
    made = next(ROW.flow().follow_up(request))
    assert (made.method, made.path, made.body) == ("POST", f"/payments/{ID}/{kind}s", body)
    assert made.headers["Cko-Idempotency-Key"] == "k-1-later"
    assert made.may_charge
    assert not made.repeatable


def test_a_part_is_not_voided() -> None:
    request = FollowUp(key="v", kind="void", charge=ROW.charge(), reference=ID, amount=500)
    outcome = answer_with_nothing(ROW.flow().follow_up(request))
    assert outcome == Failed(reason="amount_not_allowed", code="whole_amount_only")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, {"action_id": "act_1"}, Accepted(reference="act_1")),
        (403, {}, Failed(reason="request_refused", code="http_403")),
        (404, {}, Failed(reason="request_refused", code="http_404")),
        (
            422,
            {"error_codes": ["refund_amount_exceeds_balance"]},
            Failed(reason="amount_not_allowed", code="refund_amount_exceeds_balance"),
        ),
        (429, {}, Unknown(reason="http_429")),
        (502, {}, Unknown(reason="http_502")),
    ],
)
def test_what_becomes_of_a_follow_up(status: int, body: Any, expected: Any) -> None:
    request = FollowUp(key="r", kind="refund", charge=ROW.charge(), reference=ID, amount=1998)
    assert answer_with(ROW.flow().follow_up(request), [answer(status, body)]) == expected
