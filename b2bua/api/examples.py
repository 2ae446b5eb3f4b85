"""Examples of answers in the description of the API: made of the views themselves, so that none
lacks a field."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from b2bua.api.answer_views import (
    AgentView,
    EmbedTokenView,
    HealthView,
    LivenessView,
    ReadinessView,
    SignedInView,
    SignInView,
)
from b2bua.api.log_view import LogLevelView
from b2bua.call.feature_codes import ClaimView
from b2bua.call.link import LinkOffer
from b2bua.call.obstacle import ObstacleCode, obstacle
from b2bua.call.order import Order
from b2bua.call.service_view import Fault, Stops
from b2bua.call.trunk_view import HopView, TrunkView
from b2bua.call.view import (
    CallLegView,
    CallState,
    CallView,
    CaptureStage,
    CaptureView,
    MaskStage,
    PaymentView,
)
from b2bua.ladder.view import LadderSummary, LadderView, LegView, MessageView
from b2bua.personal_data.desk import Erasure
from b2bua.switchboard.statistics_views import (
    AgentStatistics,
    CallSteps,
    PaymentSteps,
    ProviderStatistics,
    ReasonStatistics,
    StatisticsView,
    TrunkStatistics,
)
from b2bua.switchboard.webhook_views import DeliveryView, ReceiptView, WebhookView
from media.events import Field, FieldProgress
from media.form_description import CARD
from provider_adapters.payment import Approved

_ORDER: Final = Order(transaction_id="INV-2041", amount=4990, currency="EUR")
_CAPTURE: Final = CaptureView(
    id="8d1f5c0b7e3a4f62",
    stage=CaptureStage.COLLECTING,
    order=_ORDER,
    started_by="ann",
    agent="ann",
    field=Field.EXPIRY,
    fields=(
        FieldProgress(field=Field.CARD_NUMBER, count=16, complete=True),
        FieldProgress(field=Field.EXPIRY),
        FieldProgress(field=Field.SECURITY_CODE),
    ),
    brand="visa",
    last_four="1111",
)
_CALL: Final = CallView(
    id="5f0c3a9e1b77d204",
    state=CallState.UP,
    direction="inbound",
    caller="+49301234567",
    callee="+4989765432",
    started_at="2026-12-01T10:00:00+00:00",
    masked=True,
    mask=MaskStage.ON,
    masked_since="2026-12-01T10:01:07+00:00",
    capture=_CAPTURE,
    extension="201",
    agent="ann",
    reference="INV-2041",
    customer_leg=CallLegView(
        call_id="a84b4c76e66710@carrier.example",
        trunk="carrier",
        number="+49301234567",
        headers={"x-customer-ref": "C-4711"},
    ),
    agent_leg=CallLegView(call_id="7a1f3c@192.0.2.1", trunk="pbx", number="201"),
    not_capturable=obstacle(ObstacleCode.UNDER_WAY),
)
_PAYMENT: Final = PaymentView(
    id=_CAPTURE.id,
    call=_CALL.id,
    stage=CaptureStage.FINISHED,
    order=_ORDER,
    started_by="ann",
    agent="ann",
    started_at="2026-12-01T10:01:07+00:00",
    submitted_at="2026-12-01T10:01:52+00:00",
    settled_at="2026-12-01T10:01:54+00:00",
    brand="visa",
    last_four="1111",
    outcome=Approved(reference="ch_7f3a", provider="provider"),
)
_EXAMPLE: Final = "tonewall_embed_EXAMPLE"
_EVENT: Final = "evt_4c9a0d7be85f4a55b1c7b5f0f1d20a63"
_SUMMARY: Final = LadderSummary(
    id=_CALL.id,
    live=True,
    direction=_CALL.direction,
    caller=_CALL.caller,
    callee=_CALL.callee,
    started_at=_CALL.started_at,
    messages=12,
)
_MESSAGE: Final = MessageView(
    at=_CALL.started_at, after=0.0, leg=0, direction="received", method="INVITE", code=None, phrase="",
    cseq=1, transport="udp", peer="192.0.2.10:5060", sdp=(), repeats=0, masked=False,
)  # fmt: skip
_LADDER: Final = LadderView(
    id=_CALL.id,
    live=True,
    direction=_CALL.direction,
    caller=_CALL.caller,
    callee=_CALL.callee,
    started_at=_CALL.started_at,
    legs=(LegView(number=0, side="caller", trunk="carrier"),),
    entries=(_MESSAGE,),
)
_DELIVERY: Final = DeliveryView(
    id=f"{_EVENT}.crm", event=_EVENT, webhook="crm", type="tonewall.payment.charged", subject=_PAYMENT.id,
    state="delivered", attempts=1, created_at="2026-12-01T10:01:54+00:00",
    tried_at="2026-12-01T10:01:54+00:00", next_at=None, reason="",
)  # fmt: skip
_NONE: Final = (0, 0)
_STATISTICS: Final = StatisticsView(
    hours=1, step=60, times=(1_796_119_200, 1_796_119_260), counted_since=1_796_100_000.0, calls_now=3,
    leaks_now=0, calls=CallSteps(ended=(4, 2), answered=(3, 2), most=(5, 6), leaks=_NONE),
    payments=PaymentSteps(
        approved=(2, 1), partially_approved=_NONE, declined=(1, 0), failed=_NONE, unknown=_NONE,
        cancelled=_NONE, aborted=_NONE, open=(0, 1),
    ),
    reasons=(ReasonStatistics(outcome="declined", reason="card_expired", count=1),),
    trunks=(
        TrunkStatistics(
            name="carrier", kind="carrier", calls=3, refused=0, legs=6, answered=5, loss=0.001, mos=4.3,
            worst_mos=4.1, loss_steps=(0.001, None), mos_steps=(4.3, None),
        ),
    ),
    agents=(AgentStatistics(name="ann", payments=5, approved=3, declined=1, open=1),),
    providers=(ProviderStatistics(name="provider", circuit="closed"),),
)  # fmt: skip
_FAULT: Final = Fault(what="provider", says="The payment provider does not answer.", stops=Stops.PAYMENTS)

EXAMPLES: Final[dict[str, Any]] = {
    type(each).__name__: msgspec.to_builtins(each)
    for each in (
        _CALL,
        _PAYMENT,
        CARD,
        TrunkView(
            name="carrier", kind="carrier", calls=3, refused=0,
            hops=(HopView(address="192.0.2.10", port=5060, transport="udp", usable=True),),
        ),
        LinkOffer(offered=True, hand_over=True, expires=86_400.0),
        ClaimView(id="3b9c51f0", code="4821", expires_in=120.0),
        _SUMMARY,
        _LADDER,
        Erasure(dry_run=True, erased={"calls": 2, "payments": 1}, left=[]),
        WebhookView(name="crm", host="crm.example", events=("payment.*",)),
        _DELIVERY,
        ReceiptView(deliveries=(_DELIVERY.id,)),
        _STATISTICS,
        LogLevelView(configured="info", level="debug", module="b2bua.sip", seconds=600),
        HealthView(status="degraded", faults=(_FAULT,)),
        LivenessView(alive=True),
        ReadinessView(ready=True, reasons=()),
        AgentView(
            agent="ann", roles=("agent",), scopes=(), method="token", idle_time=900.0, short_codes=False,
            receipts=True,
        ),
        SignInView(token=True, password=True, oidc=None),
        SignedInView(agent="ann", roles=("agent",)),
        EmbedTokenView(
            token=_EXAMPLE, id="embed:9f3c0a7be85f4a55", agent="ann", call=_CALL.id,
            expires_at="2026-12-01T10:15:00+00:00",
        ),
    )
}  # fmt: skip
# Bodies that are no JSON.
TEXTS: Final = {
    "follow_calls": 'retry: 2000\nevent: calls\ndata: {"ids":["5f0c3a9e1b77d204"]}\n\n',
    "get_statistics_table": "name,payments\r\nann,5\r\n",
    "get_metrics": "# TYPE tonewall_calls gauge\ntonewall_calls 3.0\n",
    "read_audit": '{"n":1204,"at":"2026-12-01T10:01:07Z","who":"ann","what":"start_payment"}\n',
    "draw_ladder": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "get_ladder": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "get_link_qr": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "record_packets": "(blocks of pcapng)",
}
# Answers that have no view: objects of whatever names.
OBJECTS: Final[dict[str, Any]] = {
    "list_currencies": {"EUR": 2, "JPY": 0},
    "list_reasons": {"card_expired": {"en": "The card has expired.", "de": "Die Karte ist abgelaufen."}},
    "export_personal_data": {"made_at": "2026-12-01T10:00:00+00:00", "calls": [], "payments": []},
    "get_audit_checkpoint": {"n": 1204, "hash": "b1946ac92492d2347c6235b4d2611184"},
}


def problem_example(status: int, detail: str) -> dict[str, Any]:
    """A problem with this code."""
    title = {413: "Content Too Large", 422: "Unprocessable Content"}.get(status)
    return {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
