"""GOV.UK Pay: a payment that was created moves no money, and a token is taken once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider_adapters.base import NotFound, Response
from provider_adapters.payment import Approved, Declined, Failed, FollowUp, Unknown
from provider_adapters.reasons import REASONS
from tests.contract.playing import CARDS, CODE, answer_with, ask, make_card, play
from tests.contract.providers import TABLE

ROW = TABLE["govuk_pay"]
CREATED = {
    "payment_id": "hu20sqlact5260q2nanm0q8u93",
    "amount": 1998,
    "state": {"status": "created", "finished": False},
    "_links": {"auth_url_post": {"params": {"one_time_token": "t-1"}, "method": "POST"}},
}


def answer(status: int, body: Any = None) -> Response:
    return Response(status, b"" if body is None else json.dumps(body).encode())


def payment(status: str, code: str = "", **more: Any) -> Response:
    state = {"status": status} | ({"code": code} if code else {})
    return answer(200, CREATED | {"state": state} | more)


def charged(*answers: Response, **changes: Any) -> Any:
    return answer_with(
        ROW.flow().charge(ROW.charge(**changes), make_card()), [answer(201, CREATED), *answers]
    )


def test_the_card_goes_out_once_under_the_token_and_no_key_of_ours() -> None:
    flow = ROW.flow().charge(ROW.charge(description='Passport <"renewal">'), make_card())
    create = next(flow)
    assert (create.method, create.path, create.may_charge) == ("POST", "/v1/payments", False)
    assert create.body == {
        "amount": 1998,
        "reference": "order-20417",
        "description": "Passport   renewal",
        "authorisation_mode": "moto_api",
    }
    assert create.headers["Idempotency-Key"] == "k-1"
    card = flow.send(answer(201, CREATED))
    assert (card.method, card.path, card.may_charge) == ("POST", "/v1/auth", True)
    assert card.body == {
        "one_time_token": "t-1",
        "card_number": CARDS["approved"],
        "cvc": CODE,
        "expiry_date": "03/30",
        "cardholder_name": "Telephone Customer",
    }
    assert not {"Authorization", "Idempotency-Key"} & set(card.headers)
    assert (card.step, card.notes) == ("authorise", {"payment_id": CREATED["payment_id"]})
    asked = flow.send(answer(204))
    assert (asked.method, asked.path) == ("GET", f"/v1/payments/{CREATED['payment_id']}")
    assert not asked.may_charge


@pytest.mark.parametrize("currency", ["EUR", "USD", "PLN"])
def test_another_currency_is_refused_before_anything_is_sent(currency: str) -> None:
    flow = ROW.flow().charge(ROW.charge(currency=currency), make_card())
    assert answer_with_nothing(flow) == Failed(reason="currency_not_supported")


def test_a_card_without_its_code_is_refused_before_anything_is_sent() -> None:
    outcome = answer_with_nothing(ROW.flow().charge(ROW.charge(), make_card(code="")))
    assert outcome == Failed(reason="invalid_security_code", code="cvc_required")


def answer_with_nothing(flow: Any) -> Any:
    try:
        next(flow)
    except StopIteration as end:
        return end.value
    raise AssertionError("something was sent")


def test_a_key_of_other_signs_is_not_sent_where_they_are_refused() -> None:
    create = next(ROW.flow().charge(ROW.charge("k.1:a"), make_card()))
    assert "Idempotency-Key" not in create.headers


@pytest.mark.parametrize(
    ("state", "operation", "expected"),
    [
        (("success",), "charge", Approved(reference=CREATED["payment_id"])),
        (("capturable",), "authorise", Approved(reference=CREATED["payment_id"])),
        (("capturable",), "charge", Unknown(reason="not_captured")),
        (("created",), "charge", Unknown(reason="pending")),
        (("started",), "charge", Unknown(reason="pending")),
        (("submitted",), "charge", Unknown(reason="pending")),
        (("new_one",), "charge", Unknown(reason="pending")),
        (("failed", "P0020"), "charge", Failed(reason="cancelled", code="P0020")),
        (("failed", "P0030"), "charge", Failed(reason="cancelled", code="P0030")),
        (("cancelled", "P0040"), "charge", Failed(reason="cancelled", code="P0040")),
        (("cancelled",), "charge", Failed(reason="cancelled", code="cancelled")),
        (("error", "P0050"), "charge", Failed(reason="try_again_later", code="P0050")),
        (("error",), "charge", Failed(reason="try_again_later", code="error")),
    ],
)
def test_each_state_is_one_outcome(state: Any, operation: Any, expected: Any) -> None:
    assert charged(answer(204), payment(*state), operation=operation) == expected


@pytest.mark.parametrize("code", ["P0010", "P0999", ""])
def test_a_payment_that_failed_is_declined(code: str) -> None:
    outcome = charged(answer(204), payment("failed", code))
    assert isinstance(outcome, Declined)
    assert (outcome.reason, outcome.code) == ("declined", code or "failed")


def test_an_inquiry_tells_a_payment_that_got_no_card_from_one_under_way() -> None:
    def inquired(response: Response) -> Any:
        notes = {"payment_id": CREATED["payment_id"]}
        return answer_with(ROW.flow().inquire(ROW.charge(), notes), [response])

    assert inquired(payment("created")) == NotFound()
    for status in ("started", "submitted", "new_one"):
        assert inquired(payment(status)) is None
    assert inquired(answer(404, {"code": "P0200"})) is None, "we know that it is there"
    assert inquired(answer(500)) is None
    assert isinstance(inquired(payment("success")), Approved)
    assert answer_with_nothing(ROW.flow().inquire(ROW.charge(), {})) == NotFound()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (402, ("P0010", "The payment was rejected"), ("declined", "P0010")),
        (402, ("P0010", "The card_number is not a valid card number"), ("invalid_number", "P0010")),
        (402, ("P0010", "The card type is not enabled: jcb"), ("card_not_supported", "P0010")),
        (402, ("P0010", "Prepaid cards are not accepted"), ("card_not_supported", "P0010")),
        (400, ("P1211", "The one_time_token is not valid"), ("request_refused", "P1211")),
        (422, ("P0102", "Invalid attribute value: expiry_date. No date"), ("invalid_expiry", "P0102")),
        (422, ("P0102", "Invalid attribute value: cvc. No number"), ("invalid_security_code", "P0102")),
        (422, ("P0102", "Invalid attribute value: card_number. Too long"), ("invalid_number", "P0102")),
        (422, ("P0102", "Invalid attribute value: one_time_token"), ("request_refused", "P0102")),
        (422, ("P0101", "Missing mandatory attribute: cvc"), ("request_refused", "P0101")),
        (429, ("P0900", "Too many requests"), ("try_again_later", "P0900")),
    ],
)  # fmt: skip
def test_a_card_that_was_refused_has_a_word(status: int, body: Any, expected: Any) -> None:
    outcome = charged(answer(status, dict(zip(("code", "description"), body, strict=True))))
    assert isinstance(outcome, Declined if status == 402 else Failed)
    assert (outcome.reason, outcome.code) == expected
    assert outcome.reason in REASONS


def test_a_token_that_was_used_leaves_it_open() -> None:
    """Something between us and them sent the card twice: the first may have been approved."""
    assert charged(answer(400, {"code": "P1212"})) == Unknown(reason="token_used")


@pytest.mark.parametrize(
    ("status", "code", "field", "reason"),
    [
        (422, "P0195", "", "raw_card_not_enabled"),
        (422, "P0196", "", "moto_not_enabled"),
        (400, "P0199", "", "account_refused"),
        (403, "P0940", "", "account_refused"),
        (403, "P0941", "", "account_refused"),
        (422, "P0102", "amount", "amount_not_allowed"),
        (422, "P0102", "metadata", "request_refused"),
        (409, "P0191", "", "duplicate"),
        (429, "P0900", "", "try_again_later"),
        (401, "", "", "key_refused"),
        (500, "P0198", "", "try_again_later"),
        (503, "P0999", "", "try_again_later"),
    ],
)
def test_a_payment_that_was_not_created_is_certainly_not_charged(
    status: int, code: str, field: str, reason: str
) -> None:
    flow = ROW.flow().charge(ROW.charge(), make_card())
    outcome = answer_with(flow, [answer(status, {"code": code, "field": field})])
    assert outcome == Failed(reason=reason, code=code or f"http_{status}")
    assert reason in REASONS


def test_a_creation_without_a_token_is_not_charged() -> None:
    flow = ROW.flow().charge(ROW.charge(), make_card())
    outcome = answer_with(flow, [answer(201, CREATED | {"_links": {}})])
    assert outcome == Failed(reason="request_refused", code="no_one_time_token")


def test_a_surcharge_is_another_amount() -> None:
    assert charged(answer(204), payment("success", total_amount=2098)) == Unknown(reason="amount_differs")


async def test_a_card_that_never_arrived_can_still_be_told() -> None:
    """The connection breaks before and after the card arrived: the inquiry tells the two apart."""
    found = {}
    for name in ("closed_not_charged", "closed_charged"):
        flow, (_, dialect) = ROW.flow(), ROW.dialect()
        outcome, exchanges = await play(flow.charge(ROW.charge(), make_card(CARDS[name])), dialect)
        assert outcome is None
        found[name], _ = await play(flow.inquire(ROW.charge(), exchanges[-1].request.notes), dialect)
    assert found["closed_not_charged"] == NotFound()
    assert isinstance(found["closed_charged"], Approved)


async def test_an_error_that_charged_nothing_is_found_to_have_failed() -> None:
    flow, (_, dialect) = ROW.flow(), ROW.dialect()
    outcome, exchanges = await play(flow.charge(ROW.charge(), make_card(CARDS["error_not_charged"])), dialect)
    assert outcome == Unknown(reason="http_500")
    found, _ = await play(flow.inquire(ROW.charge(), exchanges[-1].request.notes), dialect)
    assert found == Failed(reason="try_again_later", code="P0050")


async def test_the_same_card_request_again_charges_nothing() -> None:
    flow, (books, dialect) = ROW.flow(), ROW.dialect()
    _, exchanges = await play(flow.charge(ROW.charge(), make_card()), dialect)
    card = next(each.request for each in exchanges if each.request.may_charge)
    again = await ask(dialect, card)
    assert again is not None
    assert json.loads(again.body)["code"] == "P1212"
    assert books.requests == 1


async def test_refunds_name_what_is_left() -> None:
    flow, (books, dialect) = ROW.flow(), ROW.dialect()
    charge = ROW.charge()
    outcome, _ = await play(flow.charge(charge, make_card()), dialect)

    async def refund(amount: int) -> tuple[Any, Any]:
        request = FollowUp(
            key=f"r-{amount}", kind="refund", charge=charge, reference=outcome.reference, amount=amount
        )
        done, exchanges = await play(flow.follow_up(request), dialect)
        return done, exchanges[-1].request

    _, sent = await refund(500)
    assert sent.body == {"amount": 500, "refund_amount_available": 1998}
    _, sent = await refund(1000)
    assert sent.body == {"amount": 1000, "refund_amount_available": 1498}
    refused, asked = await refund(499)
    assert refused == Failed(reason="amount_not_allowed", code="refund_available")
    assert not asked.may_charge
    record = books.find("k-1")
    assert record is not None
    assert record.refunded == 1500


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, {"status": "submitted", "refund_id": "r1"}, "accepted"),
        (202, {"status": "success", "refund_id": "r1"}, "approved"),
        (202, {"status": "error"}, "declined"),
        (202, None, "unknown"),
        (412, {"code": "P0604"}, "failed"),
        (422, {"code": "P0603"}, "failed"),
        (500, {"code": "P0698"}, "unknown"),
    ],
)
def test_what_becomes_of_a_refund(status: int, body: Any, expected: str) -> None:
    request = FollowUp(key="r-1", kind="refund", charge=ROW.charge(), reference="p1", amount=1998)
    summary = {"refund_summary": {"status": "available", "amount_available": 1998}}
    outcome = answer_with(ROW.flow().follow_up(request), [answer(200, summary), answer(status, body)])
    assert type(outcome).__struct_config__.tag == expected


@pytest.mark.parametrize("kind", ["capture", "void"])
def test_a_part_is_neither_captured_nor_cancelled(kind: Any) -> None:
    request = FollowUp(key="c-1", kind=kind, charge=ROW.charge(), reference="p1", amount=500)
    outcome = answer_with_nothing(ROW.flow().follow_up(request))
    assert outcome == Failed(reason="amount_not_allowed", code="whole_amount_only")
