"""What may still be done about a payment, by what was done before."""

from __future__ import annotations

import pytest

from b2bua.call.follow_up import Balance, FollowUpView, Kind
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, PaymentView
from provider_adapters.payment import (
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUpOutcome,
    Operation,
    Outcome,
    PartiallyApproved,
    Unknown,
)

DONE: FollowUpOutcome = Approved(reference="f")
ACCEPTED = Accepted(reference="f")
LOST = Unknown(reason="connection_lost")
REFUSED = Declined(reason="declined")
NOT_SENT = Failed(reason="not_sent")
ALL = 1000
PAID: Outcome = Approved(reference="r")

Row = tuple[Kind, int, FollowUpOutcome | None]


def view(row: Row) -> FollowUpView:
    kind, amount, outcome = row
    return FollowUpView(key="k", kind=kind, amount=amount, outcome=outcome, at="2026-11-30T10:00:00+00:00")


def balance(operation: str, *rows: Row, outcome: Outcome | None = PAID) -> Balance:
    return Balance.of(operation, ALL, outcome, [view(row) for row in rows])


@pytest.mark.parametrize(
    ("operation", "rows", "left"),
    [
        # operation, what was done, left to capture, void, refund
        ("charge", [], (0, ALL, ALL)),
        ("charge", [("refund", 300, DONE)], (0, 0, 700)),
        ("charge", [("refund", 300, ACCEPTED)], (0, 0, 700)),
        ("charge", [("refund", 300, LOST)], (0, 0, 700)),
        ("charge", [("refund", 300, None)], (0, 0, 700)),
        ("charge", [("refund", 300, REFUSED)], (0, ALL, ALL)),
        ("charge", [("refund", 300, NOT_SENT)], (0, ALL, ALL)),
        ("charge", [("refund", 300, DONE), ("refund", 700, DONE)], (0, 0, 0)),
        ("charge", [("void", ALL, DONE)], (0, 0, 0)),
        ("charge", [("void", ALL, LOST)], (0, 0, 0)),
        ("charge", [("void", ALL, REFUSED)], (0, ALL, ALL)),
        ("authorise", [], (ALL, ALL, 0)),
        ("authorise", [("capture", 400, DONE)], (600, 0, 400)),
        ("authorise", [("capture", 400, ACCEPTED)], (600, 0, 400)),
        ("authorise", [("capture", 400, LOST)], (600, 0, 0)),
        ("authorise", [("capture", 400, REFUSED)], (ALL, ALL, 0)),
        ("authorise", [("capture", 400, DONE), ("refund", 100, DONE)], (600, 0, 300)),
        ("authorise", [("capture", ALL, DONE)], (0, 0, ALL)),
        ("authorise", [("void", ALL, DONE)], (0, 0, 0)),
        ("verify", [], (0, ALL, 0)),
    ],
)
def test_what_is_left(operation: str, rows: list[Row], left: tuple[int, int, int]) -> None:
    found = balance(operation, *rows)
    assert (found.left("capture"), found.left("void"), found.left("refund")) == left


@pytest.mark.parametrize("outcome", [None, Declined(reason="declined"), NOT_SENT, LOST])
def test_of_a_payment_that_was_not_approved_nothing_may_be_done(outcome: Outcome | None) -> None:
    found = balance("charge", outcome=outcome)
    for kind in ("capture", "void", "refund"):
        assert found.left(kind) == 0
        assert "approved" in found.refusal(kind, 1)


def test_of_a_payment_that_was_approved_in_part_no_more_than_that() -> None:
    found = balance("charge", outcome=PartiallyApproved(amount=400, reference="r"))
    assert (found.left("refund"), found.captured) == (400, 400)
    assert found.refusal("refund", 400) == ""
    assert found.refusal("refund", 401) != ""
    assert found.operation_for("refund", 400) is Operation.REFUND


@pytest.mark.parametrize(
    ("operation", "rows", "kind", "amount", "words"),
    [
        ("charge", [], "refund", ALL, ""),
        ("charge", [], "refund", 1, ""),
        ("charge", [], "refund", ALL + 1, "more than is left"),
        ("charge", [("refund", 300, None)], "refund", 1, "under way"),
        ("charge", [("refund", 300, LOST)], "refund", 700, ""),
        ("charge", [("refund", ALL, DONE)], "refund", 0, "nothing left"),
        ("charge", [], "capture", ALL, "charged at once"),
        ("charge", [], "void", ALL, ""),
        ("charge", [], "void", 10, "leave out the amount"),
        ("authorise", [], "refund", 10, "nothing left to refund"),
        ("authorise", [("capture", 10, DONE)], "void", ALL, "cannot be voided"),
        ("authorise", [], "capture", ALL, ""),
    ],
)
def test_what_may_be_requested(operation: str, rows: list[Row], kind: Kind, amount: int, words: str) -> None:
    refusal = balance(operation, *rows).refusal(kind, amount)
    assert bool(refusal) == bool(words)
    assert words in refusal


def test_a_part_needs_another_operation_of_the_provider() -> None:
    found = balance("authorise")
    assert found.operation_for("capture", ALL) is Operation.CAPTURE
    assert found.operation_for("capture", 1) is Operation.CAPTURE_PART
    assert found.operation_for("refund", 1) is Operation.REFUND_PART
    assert found.operation_for("void", ALL) is Operation.VOID


def test_a_payment_shows_what_was_captured_refunded_and_voided() -> None:
    order = Order(transaction_id="t", amount=ALL, currency="EUR", operation="authorise")
    rows: list[Row] = [("capture", 600, DONE), ("refund", 100, ACCEPTED), ("refund", 50, LOST)]
    payment = PaymentView(
        id="p", call="c", stage=CaptureStage.FINISHED, order=order, started_at="", outcome=PAID,
        follow_ups=tuple(view(row) for row in rows), captured=7,
    )  # fmt: skip
    assert (payment.captured, payment.refunded, payment.voided) == (600, 100, 0)
