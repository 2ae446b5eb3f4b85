"""Decides what the company's own service is told of payments: what has changed between two views of
a call, and how a payment ended. Pure.

Rule 1: of a card there is nothing but which field is complete, and how many digits that takes.
Rule 2: each message has all that the service needs: it need not know the messages before.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from b2bua.call.owned_payment import FINAL
from b2bua.call.view import CallView, CaptureStage, CaptureView, PaymentView
from b2bua.notify.message import Message
from b2bua.switchboard.link_messages import outcome_words
from b2bua.switchboard.payment_views import timestamp
from provider_adapters.payment import FINAL_REASONS, Unknown
from tonewall.tokens import token

_LIFE: Final = 3 * 86_400.0  # seconds for which an end is told
_PROGRESS_LIFE: Final = 60.0  # and what happens before it
_STAGES: Final = {
    CaptureStage.COLLECTING: "collecting",
    CaptureStage.READY: "ready",
    CaptureStage.CHARGING: "submitted",
}
Step = tuple[str, dict[str, Any]]


def steps(before: CallView | None, after: CallView) -> list[Step]:
    """What has happened in a payment between two views of its call: an event, and what is said of
    it. `before`: None where there was no payment in this call."""
    capture = after.capture
    if capture is None or capture.stage in FINAL:
        return []
    was = before.capture if before is not None else None
    if before is not None and (was is None or was.id != capture.id):
        before, was = None, None
    found: list[Step] = []
    if after.masked_since is not None and (before is None or before.masked_since is None):
        found.append(("masked", {"since": after.masked_since}))
    found += _fields(was, capture)
    if capture.stage in _STAGES and (was is None or was.stage is not capture.stage):
        found.append((_STAGES[capture.stage], {}))
    if was is not None and was.agent != capture.agent:
        found.append(("taken_over", {"by": capture.agent, "from": was.agent}))
    if capture.unheard and (was is None or not was.unheard):
        found.append(("needs_person", {"reason": "unheard"}))
    fault = after.line_fault
    known = before.line_fault if before is not None else None
    if fault is not None and (known is None or known.code is not fault.code):
        found.append(("needs_person", {"reason": fault.code.value}))
    return found


def _fields(was: CaptureView | None, capture: CaptureView) -> list[Step]:
    known = {each.field: each for each in was.fields} if was is not None else {}
    found: list[Step] = []
    for each in capture.fields:
        old = known.get(each.field)
        if each.rejected > (old.rejected if old is not None else 0):
            why = {"field": str(each.field), "reason": each.reason, "tries": each.rejected}
            found.append(("refused", why))
        if each.complete and (old is None or not old.complete):
            found.append(("field", {"field": str(each.field), "count": each.count}))
    return found


def progress(step: Step, call: CallView, now: float) -> Message:
    """The message about a step of the payment in a call. `now`: seconds since the epoch."""
    event, more = step
    capture = call.capture
    assert capture is not None
    data = {
        "id": capture.id,
        "call": call.id,
        "agent": capture.agent,
        "stage": capture.stage.value,
        "order": msgspec.to_builtins(capture.order),
        **more,
    }
    return _message(event, capture.id, data, now, now + _PROGRESS_LIFE, is_kept=False)


def bound(payment: PaymentView, now: float) -> Message:
    """The message that a prepared payment has found its call."""
    return _message("bound", payment.id, _of_payment(payment), now, now + _PROGRESS_LIFE, is_kept=False)


def ended(payment: PaymentView, now: float) -> tuple[str, Message]:
    """How a payment that is over ended: the event, and the message."""
    data = _of_payment(payment)
    event = "over"
    if payment.outcome is not None:
        event = "outcome"
        undecided = isinstance(payment.outcome, Unknown)
        data |= {
            "outcome": outcome_words(payment.outcome),
            "decided_by": payment.decided_by,
            "needs_person": undecided and payment.outcome.reason in FINAL_REASONS,  # type: ignore[union-attr]
        }
    else:
        data["reason"] = payment.reason
    return event, _message(event, payment.id, data, now, now + _LIFE, is_kept=True)


def _of_payment(payment: PaymentView) -> dict[str, Any]:
    return {
        "id": payment.id,
        "call": payment.call,
        "agent": payment.agent,
        "stage": payment.stage.value,
        "order": msgspec.to_builtins(payment.order),
    }


def _message(
    event: str, subject: str, data: dict[str, Any], now: float, until: float, *, is_kept: bool
) -> Message:
    kind = f"payment.{event}"
    body = msgspec.json.encode({"type": kind, "timestamp": timestamp(now), "data": data})
    return Message(
        id=f"msg_{token(16)}", subject=subject, kind=kind, body=body, created_at=now, until=until,
        is_kept=is_kept,
    )  # fmt: skip
