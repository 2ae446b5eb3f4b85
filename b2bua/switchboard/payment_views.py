"""Makes payments out of the views of calls and captures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from b2bua.call.view import CallView, CaptureView, PaymentView


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as the views have it (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def payment_view(call: CallView, capture: CaptureView, started_at: float) -> PaymentView:
    """A capture as a payment."""
    view = PaymentView(
        id=capture.id,
        call=call.id,
        stage=capture.stage,
        order=capture.order,
        started_by=capture.started_by,
        started_at=timestamp(started_at),
    )
    return msgspec.structs.replace(view, **shared_fields(capture))


def shared_fields(capture: CaptureView) -> dict[str, object]:
    """The fields that a payment shares with its capture."""
    names = ("stage", "order", "agent", "taken_over_by", "brand", "last_four", "outcome", "reason")
    return {name: getattr(capture, name) for name in names}


def known_ids(charged: Iterable[PaymentView]) -> tuple[str, ...]:
    """The payments whose outcome an agent knows when repeating the order; of one that is being
    charged, or whose link is open, nobody does."""
    return tuple(each.id for each in charged if each.outcome is not None)
