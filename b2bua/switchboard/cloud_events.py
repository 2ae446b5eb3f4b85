"""Writes the events of payments as CloudEvents 1.0 in structured JSON. Pure.

Rule 1: of a card there are brand and last four, as the API has them; a saved card's token and the
        URL of a link are not in an event, and no number of a caller. Where a receipt is sent to
        stands in the event of that receipt, and in no other.
Rule 2: each event has the whole payment: a service need not know the events before.
"""

from __future__ import annotations

from typing import Any, Final, assert_never

import msgspec

from b2bua.call.follow_up import FollowUpView
from b2bua.call.owned_payment import FINAL
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.call.webhook_kinds import PREFIX
from b2bua.records.webhooks import Event
from b2bua.switchboard.payment_views import timestamp
from provider_adapters.payment import (
    APPROVALS,
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUpOutcome,
    Unknown,
    outcome_type,
)
from tonewall.tokens import token

_APPROVED: Final = {
    "charge": "charged",
    "authorise": "authorised",
    "verify": "verified",
    "deliver": "delivered",
}
_PAST: Final = {"capture": "captured", "void": "voided", "refund": "refunded"}
# What can be done about it now, which nobody knows as it is written.
_OF_THE_MOMENT: Final = ("offers", "left")
_NUMBERS: Final = ("caller", "callee")


def payment_kind(before: tuple[str, str | None] | None, payment: PaymentView) -> str | None:
    """What has happened to a payment that is about to be written; None where nothing has. `before`:
    its stage and the type of its outcome, as they are written; None where it is new."""
    stage, outcome = payment.stage, payment.outcome
    if before == (stage.value, outcome_type(outcome) if outcome is not None else None):
        return None
    if outcome is not None and stage in FINAL:
        said = _APPROVED[payment.order.operation] if isinstance(outcome, APPROVALS) else outcome_type(outcome)
        return f"payment.{said}"
    if stage in (CaptureStage.CANCELLED, CaptureStage.ABORTED):
        return f"payment.{stage.value}"
    if stage in (CaptureStage.PREPARED, CaptureStage.LINKED):
        word = "prepared" if stage is CaptureStage.PREPARED else "linked"
        return f"payment.{word}" if before is None or before[0] != stage.value else None
    return "payment.started" if before is None or before[0] == CaptureStage.PREPARED.value else None


def follow_up_kind(follow_up: FollowUpView) -> str | None:
    """What has become of a capture, void or refund; None while nothing has."""
    outcome: FollowUpOutcome | None = follow_up.outcome
    match outcome:
        case None | Accepted():
            return None
        case Approved():
            return f"payment.{_PAST[follow_up.kind]}"
        case Declined() | Failed():
            return f"payment.{follow_up.kind}_failed"
        case Unknown():
            return f"payment.{follow_up.kind}_unknown"
        case _:
            assert_never(outcome)


def build_event(
    kind: str, payment: PaymentView, source: str, now: float, follow_up: str = "", receipt_to: str = ""
) -> Event:
    """The event. `source`: who says it, as a URI; `follow_up`: the key of what was done about the
    payment, where the event is about that; `receipt_to`: the address or number that a receipt is
    sent to, where it is about that."""
    event_id = f"evt_{token(16)}"
    said: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": PREFIX + kind,
        "time": timestamp(now),
        "subject": payment.id,
        "datacontenttype": "application/json",
    }
    if follow_up:
        said["followup"] = follow_up  # a name of CloudEvents has letters and digits alone
    receipt = {"receipt": {"to": receipt_to}} if receipt_to else {}
    body = msgspec.json.encode(said | {"data": _data(payment) | receipt})
    return Event(id=event_id, subject=payment.id, kind=kind, body=body)


def _data(payment: PaymentView) -> dict[str, Any]:
    """The payment as the API has it, but for rule 1."""
    data: dict[str, Any] = msgspec.to_builtins(payment)
    for name in _OF_THE_MOMENT:
        del data[name]
    for outcome in (data["outcome"], *(each["outcome"] for each in data["follow_ups"])):
        if outcome is not None:
            outcome.pop("token", None)
    if data["link"] is not None:
        data["link"].pop("url", None)
    if data["prepared"] is not None:
        for name in _NUMBERS:
            data["prepared"]["find_by"].pop(name, None)
    return data
