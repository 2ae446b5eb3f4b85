"""The spans of a call: which there are, how they nest, and what is in none of them."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call.cdr import CallRecord, CaptureRecord, LegRecord
from b2bua.call.order import Order
from b2bua.call.view import CallState, CallView, CaptureStage, CaptureView, MaskStage
from b2bua.telemetry.spans import ATTRIBUTES, CallSpans, Span, request_span
from tests.canary import CANARY, find_in_text
from tests.installed import ROOT

NUMBER = "442079460123"
ORDER = Order(transaction_id=NUMBER, amount=1999, currency="EUR")


def record(**more: object) -> CallRecord:
    values = {
        "call": "c-1", "direction": "inbound", "caller": NUMBER, "callee": CANARY.number,
        "started_at": 100.0, "answered_at": 104.0, "ended_at": 160.0, "end": f"{NUMBER} {CANARY.number}",
        "code": 200,
        "caller_leg": LegRecord(
            trunk="carrier", invited_at=100.0, ringing_at=102.0, answered_at=104.0, code=200
        ),
        "agent_leg": LegRecord(trunk="pbx", invited_at=100.5, ringing_at=101.0, answered_at=103.5, code=200),
    }  # fmt: skip
    return CallRecord(**values | more)  # type: ignore[arg-type]


def view(stage: CaptureStage | None = None, mask: MaskStage = MaskStage.OFF, call: str = "c-1") -> CallView:
    capture = None
    if stage is not None:
        capture = CaptureView(id="p-1", stage=stage, order=ORDER, last_four="4242", brand="visa")
    return CallView(
        id=call, state=CallState.UP, direction="inbound", caller=NUMBER, callee=CANARY.number,
        started_at="", masked=mask is not MaskStage.OFF, mask=mask, capture=capture,
    )  # fmt: skip


def paid(outcome: str | None = "approved", stage: str = "finished") -> CaptureRecord:
    return CaptureRecord(
        transaction_id=NUMBER, amount=1999, currency="EUR", stage=stage, payment="p-1", outcome=outcome,
        reference=CANARY.number, last_four="4242", reason=CANARY.number,
    )  # fmt: skip


def every(span: Span) -> list[Span]:
    return [span, *(each for below in span.below for each in every(below))]


def paid_call() -> Span:
    spans = CallSpans()
    stages = (CaptureStage.STARTING, CaptureStage.COLLECTING, CaptureStage.COLLECTING, CaptureStage.READY,
              CaptureStage.CHARGING, CaptureStage.FINISHED)  # fmt: skip
    for second, stage in enumerate(stages):
        spans.note_view(view(stage, MaskStage.ON), 110.0 + second)
    spans.note_view(view(CaptureStage.FINISHED), 120.0)
    whole = spans.end(record(captures=(paid(),)))
    assert len(spans) == 0
    return whole


def test_a_paid_call_is_one_trace_of_legs_payment_and_charge():
    whole = paid_call()
    assert [(each.name, each.start, each.end) for each in every(whole)] == [
        ("tonewall.call", 100.0, 160.0),
        ("tonewall.leg.setup", 100.0, 104.0),
        ("tonewall.leg.setup", 100.5, 103.5),
        ("tonewall.payment", 110.0, 115.0),
        ("tonewall.charge", 114.0, 115.0),
    ]
    assert whole.events == (
        ("tonewall.ringing", 101.0), ("tonewall.answered", 104.0), ("tonewall.mask.on", 110.0),
        ("tonewall.mask.off", 120.0), ("tonewall.ended", 160.0),
    )  # fmt: skip
    payment = whole.below[2]
    assert [name for name, _ in payment.events] == [
        f"tonewall.payment.{stage}" for stage in ("starting", "collecting", "ready", "charging", "finished")
    ]
    charge = payment.below[0]
    assert charge.is_client
    assert charge.attributes["tonewall.payment.outcome"] == "approved"


def test_attributes_are_those_of_the_table_and_hold_no_number_and_no_digit_of_a_card():
    found = every(paid_call())
    odd = CallSpans().end(
        record(direction=NUMBER, captures=(paid(CANARY.number, CANARY.number),), answered_at=None)
    )
    found += [*every(odd), request_span(CANARY.number, "/v1/calls/{call_id}", 200, 0.0, 1.0)]
    assert {name for span in found for name in span.attributes} == set(ATTRIBUTES)
    text = " ".join(str(span) for span in found)
    assert NUMBER not in text
    assert "4242" not in text
    assert not find_in_text(text)


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_charge_without_a_clear_answer_is_an_error_and_a_decline_is_none(outcome: str):
    for what, is_error in ((outcome, True), ("declined", False)):
        spans = CallSpans()
        spans.note_view(view(CaptureStage.CHARGING, MaskStage.ON), 120.0)
        charge = spans.end(record(captures=(paid(what),))).below[2].below[0]
        # Its last view was not seen: it ends with the call.
        assert (charge.is_error, charge.start, charge.end) == (is_error, 120.0, 160.0)


def test_a_refused_call_has_its_status_and_an_error_of_the_legs_that_failed():
    refused = LegRecord(trunk="pbx", invited_at=100.5, ended_at=101.0, code=503)
    whole = CallSpans().end(record(answered_at=None, code=503, agent_leg=refused))
    assert whole.attributes["tonewall.sip.status"] == 503
    assert whole.attributes["tonewall.call.answered"] is False
    assert [leg.is_error for leg in whole.below] == [False, True]


def test_what_is_remembered_is_bounded():
    spans = CallSpans(max_calls=10)
    for number in range(100):
        spans.note_view(view(CaptureStage.STARTING, call=f"c-{number}"), 1.0)
    assert len(spans) == 10
    spans.note_view(view(), 1.0)
    assert len(spans) == 10  # a call without a mask and a payment costs nothing
    for number in range(1000):
        payment = view(CaptureStage.STARTING, call="c-99")
        assert payment.capture is not None
        capture = msgspec.structs.replace(payment.capture, id=f"p-{number}")
        spans.note_view(msgspec.structs.replace(payment, capture=capture), 1.0)
    assert len(spans.end(record(call="c-99", captures=(paid(),))).below) == 3
    assert len(spans) == 9


def test_a_request_without_a_route_or_an_answer_is_named_so():
    assert request_span("GET", None, 404, 0.0, 1.0).attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 404,
    }
    assert request_span("GET", "/livez", None, 0.0, 1.0).is_error


def test_the_page_names_every_span():
    page = (ROOT / "docs" / "tracing.md").read_text()
    for span in [*every(paid_call()), request_span("GET", "/livez", 200, 0.0, 1.0)]:
        assert f"| `{span.name}` |" in page
