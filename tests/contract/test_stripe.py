"""What is Stripe's own: three requests of which one charges, the states of an intent, its inquiry
after each possible break, declines, currencies and saved cards."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from provider_adapters.base import NotFound, Request, Response
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
from tests.contract.described_stripe import Stripe
from tests.contract.playing import CARDS, answer_with, make_card, make_charge, play
from tests.contract.providers import TABLE
from tests.contract.settling import settle

ROW = TABLE["stripe"]
INTENT = {"id": "pi_1", "status": "succeeded", "amount": 1998, "amount_received": 1998, "currency": "eur"}
MADE = [Response(200, b'{"id": "pm_1"}'), Response(200, json.dumps(INTENT).encode())]
MOTO = "payment_method_options[card][moto]"
CARD_ERROR = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}


def intent(status: str = "succeeded", **changes: Any) -> Response:
    return Response(200, json.dumps(INTENT | {"status": status} | changes).encode())


def error(status: int, **fields: Any) -> Response:
    return Response(status, json.dumps({"error": fields}).encode())


def confirm(*answers: Response, **changes: Any) -> Outcome:
    """What the answers to the confirmation, and to what follows it, come to."""
    outcome: Outcome = answer_with(ROW.flow().charge(make_charge(**changes), make_card()), [*MADE, *answers])
    return outcome


def inquire(*answers: Response, notes: dict[str, str] | None = None) -> Any:
    asking = ROW.flow().inquire(make_charge(), {"intent": "pi_1"} if notes is None else notes)
    return answer_with(asking, answers)


# --- the requests ---------------------------------------------------------------------------------


async def test_three_requests_are_noted_each_under_its_own_key_and_one_may_charge() -> None:
    key = "k" * 64
    _, dialect = ROW.dialect()
    outcome, exchanges = await play(ROW.flow().charge(make_charge(key), make_card()), dialect)
    assert isinstance(outcome, Approved)
    requests = [each.request for each in exchanges]
    assert [(each.path, each.step, each.may_charge) for each in requests] == [
        ("/v1/payment_methods", "payment_methods", False),
        ("/v1/payment_intents", "payment_intents", False),
        (f"/v1/payment_intents/{outcome.reference}/confirm", "confirm", True),
    ]
    assert [each.headers["Idempotency-Key"] for each in requests] == [
        f"{key}-pm", f"{key}-pi", f"{key}-confirm",
    ]  # fmt: skip
    assert all(len(each.headers["Idempotency-Key"]) <= 255 for each in requests)
    assert not any(each.repeatable for each in requests)
    assert requests[-1].notes == {"intent": outcome.reference}
    for each in requests:
        assert each.is_form
        assert each.headers["Stripe-Version"] == "2026-10-28.endive"


async def test_moto_and_no_3d_secure_are_asked_for_where_the_charge_is_confirmed() -> None:
    _, dialect = ROW.dialect()
    _, exchanges = await play(ROW.flow().charge(make_charge(), make_card()), dialect)
    assert exchanges[-1].request.body == {
        "error_on_requires_action": True,
        "expand": ["latest_charge"],
        "payment_method_options": {"card": {"moto": True}},
    }


async def test_an_order_overrides_the_account_and_no_metadata_override_ours() -> None:
    flow = ROW.flow(merchant_account="acct_1", statement="SHOES")
    charge = make_charge(
        merchant_account="acct_2", statement="BOOTS", metadata={"desk": "7", "tonewall_key": "x"}
    )
    _, dialect = ROW.dialect()
    _, exchanges = await play(flow.charge(charge, make_card()), dialect)
    assert {each.request.headers["Stripe-Account"] for each in exchanges} == {"acct_2"}
    body: Any = exchanges[1].request.body
    assert body["statement_descriptor_suffix"] == "BOOTS"
    assert body["metadata"] == {"desk": "7", "tonewall_key": "k-1", "transaction_id": "order-20417"}
    _, examined = await play(flow.examine(), dialect)
    assert examined[0].request.headers["Stripe-Account"] == "acct_1"


@pytest.mark.parametrize(
    ("currency", "amount", "sent"),
    [("EUR", 1998, 1998), ("JPY", 500, 500), ("CLP", 500, 500), ("ISK", 500, 50000), ("UGX", 500, 50000),
     ("MGA", 50000, 500), ("MGA", 50001, None), ("KWD", 1990, 1990), ("KWD", 1998, None), ("HUF", 500, 500),
     ("TWD", 500, 500)],
)  # fmt: skip
def test_amounts_are_counted_as_stripe_counts_them(currency: str, amount: int, sent: int | None) -> None:
    flow = ROW.flow().charge(make_charge(amount=amount, currency=currency), make_card())
    if sent is None:
        with pytest.raises(StopIteration) as end:
            next(flow)
        assert end.value.value == Failed(reason="amount_not_allowed")
        return
    next(flow)
    body: Any = flow.send(MADE[0]).body
    assert (body["amount"], body["currency"]) == (sent, currency.lower())
    flow.send(MADE[1])
    with pytest.raises(StopIteration) as end:
        flow.send(intent(amount=sent, amount_received=sent, currency=currency.lower()))
    assert end.value.value == Approved(reference="pi_1")


def test_a_part_of_the_smallest_unit_is_not_what_was_asked_for() -> None:
    found = confirm(intent(amount_received=50050, currency="isk"), amount=500, currency="ISK")
    assert found == Unknown(reason="amount_differs")


# --- what an intent comes to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("succeeded", {}, Approved(reference="pi_1")),
        ("succeeded", {"amount_received": 999}, PartiallyApproved(amount=999, reference="pi_1")),
        ("processing", {}, Unknown(reason="pending")),
        ("requires_capture", {"amount_capturable": 1998}, Unknown(reason="pending")),  # none was asked for
        ("canceled", {}, Declined(reason="cancelled", reference="pi_1", code="canceled")),
        ("something_new", {}, Unknown(reason="pending")),
        (
            "requires_payment_method",
            {"last_payment_error": CARD_ERROR | {"decline_code": "insufficient_funds"}},
            Declined(
                reason="insufficient_funds",
                message="Your card was declined.",
                reference="pi_1",
                code="insufficient_funds",
            ),
        ),
    ],
)
def test_each_state_of_an_intent_is_one_outcome(status: str, more: dict[str, Any], expected: Outcome) -> None:
    answer = intent(status, **more)
    assert confirm(answer) == expected
    assert inquire(answer) == expected


def test_an_authorisation_is_approved_by_what_can_be_captured() -> None:
    held = {"amount_received": 0, "amount_capturable": 1998}
    assert confirm(intent("requires_capture", **held), operation="authorise") == Approved(reference="pi_1")
    part = confirm(intent("requires_capture", **held | {"amount_capturable": 5}), operation="authorise")
    assert part == PartiallyApproved(amount=5, reference="pi_1")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            "requires_action",
            Declined(reason="authentication_required", reference="pi_1", code="requires_action"),
        ),
        ("requires_confirmation", Failed(reason="no_such_charge", code="requires_confirmation")),
        ("requires_payment_method", Failed(reason="no_such_charge", code="requires_payment_method")),
    ],
)
def test_an_intent_that_could_still_be_paid_is_cancelled_first(status: str, expected: Outcome) -> None:
    assert confirm(intent(status), intent("canceled")) == expected
    assert inquire(intent(status), intent("canceled")) == expected
    for refusal in (
        error(400, type="invalid_request_error", code="payment_intent_unexpected_state"),
        error(429, type="invalid_request_error", code="lock_timeout"),
        Response(500),
        intent("succeeded"),
    ):
        assert confirm(intent(status), refusal) == Unknown(reason="pending")
        assert inquire(intent(status), refusal) == Unknown(reason="pending")


def test_3d_secure_is_a_decline_of_its_own_and_leaves_nothing_to_pay() -> None:
    demanded = error(
        402, type="card_error", code="authentication_required", decline_code="authentication_required",
        payment_intent=INTENT | {"status": "requires_payment_method"},
    )  # fmt: skip
    found = confirm(demanded)
    assert isinstance(found, Declined)
    assert found.reason == "authentication_required"
    still_open = error(402, type="card_error", payment_intent=INTENT | {"status": "requires_action"})
    found = confirm(still_open, intent("canceled"))
    assert isinstance(found, Declined)
    assert found.reason == "authentication_required"


def test_an_error_whose_intent_was_paid_is_no_decline() -> None:
    assert confirm(error(402, type="card_error", payment_intent=INTENT)) == Approved(reference="pi_1")


@pytest.mark.parametrize(
    ("code", "decline_code", "reason"),
    [
        ("card_declined", "generic_decline", "declined"),
        ("card_declined", "do_not_honor", "declined"),
        ("card_declined", "insufficient_funds", "insufficient_funds"),
        ("card_declined", "lost_card", "declined"),
        ("card_declined", "stolen_card", "declined"),
        ("card_declined", "pickup_card", "declined"),
        ("card_declined", "fraudulent", "suspected_fraud"),
        ("card_declined", "card_velocity_exceeded", "limit_exceeded"),
        ("card_declined", "issuer_not_available", "issuer_unavailable"),
        ("card_declined", "transaction_not_allowed", "restricted_card"),
        ("card_declined", "card_not_supported", "card_not_supported"),
        ("card_declined", "duplicate_transaction", "duplicate"),
        ("card_declined", "try_again_later", "try_again_later"),
        ("card_declined", "code_of_tomorrow", "declined"),
        ("expired_card", None, "expired_card"),
        ("incorrect_cvc", "incorrect_cvc", "invalid_security_code"),
        ("incorrect_number", None, "invalid_number"),
        ("invalid_expiry_year", None, "invalid_expiry"),
        ("processing_error", None, "try_again_later"),
    ],
)
def test_a_decline_has_our_word_and_stripes_code(code: str, decline_code: str | None, reason: str) -> None:
    fields = CARD_ERROR | {"code": code} | ({"decline_code": decline_code} if decline_code else {})
    found = confirm(error(402, **fields, payment_intent=INTENT | {"status": "requires_payment_method"}))
    assert isinstance(found, Declined)
    assert (found.reason, found.code, found.reference) == (reason, decline_code or code, "pi_1")
    assert found.reason in REASONS
    # Stripe looks at a number when it makes the PaymentMethod of it, too.
    first = answer_with(ROW.flow().charge(make_charge(), make_card()), [error(402, **fields)])
    assert (first.reason, first.reference) == (reason, None)


@pytest.mark.parametrize(
    ("status", "fields", "reason"),
    [
        (401, {}, "key_refused"),
        (401, {"code": "api_key_expired"}, "key_refused"),
        (403, {}, "key_refused"),
        (400, {"code": "parameter_unknown", "param": MOTO}, "moto_not_enabled"),
        (402, {"message": "Sending credit card numbers directly to the…"}, "raw_card_not_enabled"),
        (400, {"message": "Invalid currency: xxx.", "param": "currency"}, "currency_not_supported"),
        (400, {"code": "amount_too_small"}, "amount_not_allowed"),
        (400, {"code": "account_invalid"}, "account_refused"),
        (400, {"code": "parameter_missing"}, "request_refused"),
        (429, {"code": "rate_limit"}, "try_again_later"),
    ],
)
def test_a_refusal_is_a_failure_with_a_word_at_each_request(
    status: int, fields: dict[str, Any], reason: str
) -> None:
    refusal = error(status, type="invalid_request_error", **fields)
    for before in ([], MADE[:1], MADE):
        found = answer_with(ROW.flow().charge(make_charge(), make_card()), [*before, refusal])
        assert isinstance(found, Failed), before
        assert found.reason == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    "answer",
    [
        error(409, type="invalid_request_error", code="idempotency_key_in_use"),
        error(400, type="idempotency_error"),
        error(400, type="invalid_request_error", code="payment_intent_unexpected_state"),
        error(429, type="invalid_request_error", code="lock_timeout"),
        error(500, type="api_error"),
        error(500, type="card_error"),
        Response(402, b"<html>"),
        Response(200, b"{}"),
        Response(200, json.dumps({"id": "pi_1"}).encode()),
    ],
)
def test_what_does_not_decide_a_confirmation_leaves_it_open(answer: Response) -> None:
    assert isinstance(confirm(answer), Unknown)


@pytest.mark.parametrize("answer", [Response(500), Response(409), Response(200, b"{}"), Response(408)])
def test_what_prepares_fails_without_a_doubt(answer: Response) -> None:
    for before in ([], MADE[:1]):
        found = answer_with(ROW.flow().charge(make_charge(), make_card()), [*before, answer])
        assert isinstance(found, Failed)


def test_a_key_that_came_with_another_card_is_no_fresh_failure() -> None:
    found = answer_with(ROW.flow().charge(make_charge(), make_card()), [error(400, type="idempotency_error")])
    assert found == Failed(reason="duplicate", code="idempotency_error")


def test_stripes_own_examples_are_read() -> None:
    example = Stripe().example("payment_intent") | {
        "status": "succeeded", "amount_received": 1099, "last_payment_error": None,
        "latest_charge": Stripe().example("charge"),
    }  # fmt: skip
    found = confirm(Response(200, json.dumps(example).encode()), amount=1099, currency="USD")
    assert found == Approved(reference=example["id"])
    example["latest_charge"]["payment_method_details"]["card"]["authorization_code"] = "A0B1C2"
    found = confirm(Response(200, json.dumps(example).encode()), amount=1099, currency="USD")
    assert isinstance(found, Approved)
    assert found.authorisation_code == "A0B1C2"


# --- after a break --------------------------------------------------------------------------------


@pytest.mark.parametrize("card", ["error_charged", "cut_charged", "closed_charged"])
async def test_a_charge_whose_answer_was_lost_is_found_by_its_intent(card: str) -> None:
    books, dialect = ROW.dialect()
    outcome, noted, sent = await settle(ROW.flow(), make_charge(), make_card(CARDS[card]), dialect)
    record = books.find("k-1")
    assert record is not None
    assert (outcome, record.charges) == (Approved(reference=record.reference), 1)
    assert [each.step for each in noted] == ["payment_methods", "payment_intents", "confirm"]
    assert sum(path.endswith("/confirm") for _, path in sent) == 1


@pytest.mark.parametrize("card", ["error_not_charged", "closed_not_charged"])
async def test_a_confirmation_that_came_to_nothing_is_closed_before_it_is_called_failed(card: str) -> None:
    books, dialect = ROW.dialect()
    outcome, noted, _ = await settle(ROW.flow(), make_charge(), make_card(CARDS[card]), dialect)
    assert outcome == Failed(reason="no_such_charge", code="requires_confirmation")
    # It arrives once more, late, as from a proxy that held it: under its own key and under none.
    path, headers = noted[-1].path, {"authorization": "Bearer local-test-key"}
    for more in ({"idempotency-key": "another"}, {}):
        late = await dialect.handle("POST", path, headers | more, b"off_session=true")
        assert late is not None
        assert late.status == 400
    assert books.find("k-1") is None


async def test_a_saved_500_is_sent_again_under_its_key() -> None:
    """So that repeating a confirmation would never end."""
    books, dialect = ROW.dialect()
    charging = ROW.flow().charge(make_charge(), make_card(CARDS["error_charged"]))
    _, exchanges = await play(charging, dialect)
    request = exchanges[-1].request
    _, again = await play(_once(request), dialect)
    assert again[0].response is not None
    assert again[0].response.status == 500
    record = books.find("k-1")
    assert record is not None
    assert record.charges == 1


def _once(request: Request) -> Any:
    return (yield request)


async def test_an_intent_that_is_being_confirmed_is_neither_called_paid_nor_closed() -> None:
    number = next(number for number, each in BEHAVIOURS.items() if each.answer == "late")
    books, dialect = ROW.dialect(delay=0.05)
    confirming = asyncio.create_task(play(ROW.flow().charge(make_charge(), make_card(number)), dialect))
    while (record := books.find("k-1")) is None and not confirming.done():  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert record is not None
    notes = {"intent": record.reference}
    found, asked = await play(ROW.flow().inquire(make_charge(), notes), dialect)
    assert found == Unknown(reason="pending")
    assert [each.response and each.response.status for each in asked] == [200, 429]
    await confirming
    found, _ = await play(ROW.flow().inquire(make_charge(), notes), dialect)
    assert found == Approved(reference=record.reference)


@pytest.mark.parametrize("notes", [{}, {"intent": "withheld"}])
async def test_a_charge_that_was_not_confirmed_is_searched_for_and_closed(notes: dict[str, str]) -> None:
    _, dialect = ROW.dialect()
    flow = ROW.flow()
    assert (await play(flow.inquire(make_charge(), notes), dialect))[0] == NotFound()
    _, exchanges = await play(flow.charge(make_charge(), make_card()), dialect)
    found, asked = await play(flow.inquire(make_charge(), notes), dialect)
    assert isinstance(found, Approved), "a charge that was confirmed is found too"
    _, dialect = ROW.dialect()
    for each in exchanges[:2]:  # the payer ended before the confirmation
        await play(_once(each.request), dialect)
    found, asked = await play(flow.inquire(make_charge(), notes), dialect)
    assert found == Failed(reason="no_such_charge", code="requires_confirmation")
    assert [each.request.method for each in asked] == ["GET", "GET", "POST"]


def test_an_inquiry_that_is_not_answered_says_nothing() -> None:
    for answer in (Response(500), Response(404), Response(200, b"{}")):
        assert inquire(answer) is None
        assert inquire(answer, notes={}) is None
    two = Response(200, json.dumps({"data": [INTENT, INTENT]}).encode())
    assert inquire(two, notes={}) is None, "a person must look"


# --- cards that are verified or saved -------------------------------------------------------------


def test_a_card_is_verified_without_an_intent_to_pay() -> None:
    def verify(*answers: Response) -> Outcome:
        charge = make_charge(operation="verify", amount=0)
        outcome: Outcome = answer_with(ROW.flow().charge(charge, make_card()), [MADE[0], *answers])
        return outcome

    def made(status: str, **more: Any) -> Response:
        return Response(200, json.dumps({"id": "seti_1", "status": status} | more).encode())

    assert verify(made("succeeded")) == Approved(reference="seti_1")
    asked = verify(made("requires_action"))
    assert isinstance(asked, Declined)
    assert asked.reason == "authentication_required"
    for refused in (
        error(402, **CARD_ERROR, decline_code="insufficient_funds"),
        made("requires_payment_method", last_setup_error=CARD_ERROR | {"decline_code": "insufficient_funds"}),
    ):
        found = verify(refused)
        assert isinstance(found, Declined)
        assert found.reason == "insufficient_funds"
    for unclear in (made("processing"), Response(500), error(409, type="invalid_request_error")):
        assert isinstance(verify(unclear), Failed), "it moves no money"


@pytest.mark.parametrize(("amount", "operation"), [(0, "charge"), (0, "authorise"), (5, "verify")])
def test_an_amount_that_does_not_fit_the_operation_is_refused_here(amount: int, operation: str) -> None:
    flow = ROW.flow().charge(make_charge(amount=amount, operation=operation), make_card())
    with pytest.raises(StopIteration) as end:
        next(flow)
    assert end.value.value == Failed(reason="amount_not_allowed")


@pytest.mark.parametrize("operation", ["charge", "authorise", "verify"])
async def test_a_card_is_saved_to_a_customer(operation: str) -> None:
    flow, (_, dialect) = ROW.flow(token_type="reusable"), ROW.dialect()
    charge = make_charge(operation=operation, amount=0 if operation == "verify" else 1998, customer="C-77")
    outcome, exchanges = await play(flow.charge(charge, make_card()), dialect)
    assert outcome.token.startswith("pm_")
    customers = [each for each in exchanges if each.request.path == "/v1/customers"]
    assert [each.request.body for each in customers] == [{"metadata": {"customer": "C-77"}}]
    customer = customers[0].body["id"]
    again = make_charge("k-2")
    paid, more = await play(flow.charge_saved(again, outcome.token), dialect)
    assert isinstance(paid, Approved)
    assert paid.token is None
    body: Any = more[1].request.body
    assert (body["customer"], body["payment_method"]) == (customer, outcome.token)
    assert more[2].request.body == {
        "error_on_requires_action": True, "expand": ["latest_charge"], "off_session": True,
    }  # fmt: skip
    known = make_charge("k-3", customer=customer)
    _, exchanges = await play(flow.charge(known, make_card()), dialect)
    assert not [each for each in exchanges if each.request.path == "/v1/customers"]


async def test_a_saved_card_that_is_not_there_is_a_failure() -> None:
    _, dialect = ROW.dialect()
    found, _ = await play(ROW.flow().charge_saved(make_charge(), "pm_none"), dialect)
    assert isinstance(found, Failed)


# --- later ----------------------------------------------------------------------------------------


def follow_up(kind: Any, answer: Response, amount: int = 1998) -> Any:
    request = FollowUp(key="k-later", kind=kind, charge=make_charge(), reference="pi_1", amount=amount)
    flow = ROW.flow().follow_up(request)
    first = next(flow)
    assert first.repeatable
    assert first.headers["Idempotency-Key"] == "k-later"
    flow.close()
    return answer_with(ROW.flow().follow_up(request), [answer])


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("capture", intent(), Approved(reference="pi_1")),
        ("capture", intent(amount_received=5), Unknown(reason="amount_differs")),
        ("capture", intent("requires_capture"), Unknown(reason="answer_not_understood")),
        ("void", intent("canceled"), Approved(reference="pi_1")),
        ("void", intent(), Unknown(reason="answer_not_understood")),
        ("refund", Response(200, b"{}"), Unknown(reason="answer_not_understood")),
        ("refund", Response(500), Unknown(reason="http_500")),
        ("refund", error(409, code="idempotency_key_in_use"), Unknown(reason="idempotency_key_in_use")),
        (
            "refund",
            error(400, code="charge_already_refunded"),
            Failed(reason="request_refused", code="charge_already_refunded"),
        ),
    ],
)
def test_a_follow_up_is_done_refused_or_open(kind: str, answer: Response, expected: Any) -> None:
    assert follow_up(kind, answer) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", Approved(reference="re_1")),
        ("pending", Accepted(reference="re_1")),
        ("requires_action", Accepted(reference="re_1")),
        ("failed", Declined(reason="declined", reference="re_1", code="failed")),
        ("canceled", Declined(reason="declined", reference="re_1", code="canceled")),
        ("new", Unknown(reason="answer_not_understood")),
    ],
)
def test_a_refund_is_done_or_taken_or_neither(status: str, expected: Any) -> None:
    body = {"id": "re_1", "status": status, "amount": 500}
    assert follow_up("refund", Response(200, json.dumps(body).encode()), amount=500) == expected


async def test_a_part_is_captured_and_a_part_of_it_refunded() -> None:
    flow, (books, dialect) = ROW.flow(), ROW.dialect()
    charge = make_charge(operation="authorise")
    held, _ = await play(flow.charge(charge, make_card()), dialect)
    for kind, amount in (("capture", 1500), ("refund", 500), ("refund", 1000)):
        how: Any = kind
        request = FollowUp(
            key=f"k-{kind}-{amount}", kind=how, charge=charge, reference=held.reference, amount=amount
        )
        assert isinstance((await play(flow.follow_up(request), dialect))[0], Approved)
    record = books.find("k-1")
    assert record is not None
    assert (record.captured, record.refunded) == (1500, 1500)
