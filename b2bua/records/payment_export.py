"""Lists payments for the books: a row each, and a row for each capture, void and refund."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from b2bua.call.view import PaymentView
from provider_adapters.payment import FollowUpOutcome, Outcome

COLUMNS: Final = (
    "at", "kind", "payment", "key", "transaction_id", "currency", "amount", "settled", "outcome", "reference",
    "reason", "code", "provider", "merchant_account", "customer", "brand", "last_four", "call", "saved_from",
    "agent", "decided_by", "link",
)  # fmt: skip
"""`at`: when it was submitted, or its link ended; `key`: the idempotency key at the provider;
`amount`: what was asked for, `settled`: what the provider did or accepted of it, both in the
currency's minor unit; `link`: the state of its payment link."""


def rows(payment: PaymentView, since: datetime | None = None) -> Iterator[dict[str, Any]]:
    """What of a payment was submitted since then, oldest first. One by a link counts from its
    end on."""
    at = payment.submitted_at
    if payment.link is not None:
        at = payment.settled_at or at
    if at is not None and _is_within(at, since):
        approved = payment.balance.approved
        yield _row(payment, at, payment.outcome, settled=approved) | {
            "kind": payment.order.operation,
            "key": payment.id,
            "amount": payment.order.amount,
            "agent": payment.agent,
            "decided_by": payment.decided_by,
        }
    for each in payment.follow_ups:
        if _is_within(each.at, since):
            yield _row(payment, each.at, each.outcome, settled=each.amount if each.is_done else 0) | {
                "kind": each.kind,
                "key": each.key,
                "amount": each.amount,
                "agent": each.by,
                "decided_by": each.decided_by,
            }


def _is_within(at: str, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(at) >= since.astimezone()


def _row(
    payment: PaymentView, at: str, outcome: Outcome | FollowUpOutcome | None, *, settled: int
) -> dict[str, Any]:
    kind = None if outcome is None else str(type(outcome).__struct_config__.tag)
    taken = payment.outcome
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    return values | {
        "at": at,
        "payment": payment.id,
        "transaction_id": payment.order.transaction_id,
        "currency": payment.order.currency,
        "settled": settled,
        "outcome": kind,
        "reference": getattr(outcome, "reference", None),
        "reason": getattr(outcome, "reason", None),
        "code": getattr(outcome, "code", None) or None,
        "provider": getattr(taken, "provider", None),
        "merchant_account": payment.order.merchant_account or None,
        "customer": payment.order.customer or None,
        "brand": payment.brand,
        "last_four": payment.last_four,
        "call": payment.call or None,
        "saved_from": payment.saved_from,
        "link": payment.link.state.value if payment.link is not None else None,
    }
