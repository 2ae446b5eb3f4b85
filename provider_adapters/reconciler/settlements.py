"""Notes what a person says of a request whose outcome nobody knows.

Rule 1: what is decided stays as it is; it is answered with what stands.
Rule 2: what is being sent now is its sender's, or its sender is given up first.
Rule 3: with the line in the journal nobody asks or sends any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Accepted, name_provider
from provider_adapters.reconciler.messages import Settle, Settled
from provider_adapters.reconciler.withholding import withhold_card_numbers
from tonewall.log import get_logger

log = get_logger(__name__)


class Settlements:
    """`is_sending`: whether a request is under way here, by its key; `patience`: seconds that a
    sender may take; `default`: the provider to whom a request goes that names none."""

    def __init__(
        self,
        journal: Journal,
        is_sending: Callable[[str], bool],
        patience: float,
        default: str,
    ) -> None:
        self._journal, self._is_sending = journal, is_sending
        self._patience, self._default = patience, default

    def settle(self, request: Settle) -> Settled:
        """Note it, where that is still open."""
        line = _line(request)
        try:
            stands, is_new = (None, False)
            if not self._is_sending(line.key):
                stands, is_new = self._journal.settle(line, self._patience)
        except OSError as error:
            log.error("journal_failed", setting="[provider] journal", exc_info=error)
            return Settled(number=request.number)
        if stands is None or stands.outcome is None:
            return Settled(number=request.number)
        if is_new:
            kind = str(type(stands.outcome).__struct_config__.tag)
            log.info("settled_by_person", kind=line.kind, outcome=kind, agent=stands.who, payment=line.key)
        name = stands.provider or self._default
        return Settled(
            number=request.number,
            is_new=is_new,
            outcome=name_provider(stands.outcome, name),
            by=stands.by,
            who=stands.who,
        )


def _line(request: Settle) -> Entry:
    """The line, where the journal has none under its key."""
    charge, later = request.charge, request.follow_up
    assert not isinstance(request.outcome, Accepted)
    return Entry(
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        key=later.key if later else charge.idempotency_key,
        state="finished",
        transaction_id=charge.transaction_id,
        amount=later.amount if later else charge.amount,
        currency=charge.currency,
        outcome=withhold_card_numbers(request.outcome),
        kind=later.kind if later else "charge",
        of=charge.idempotency_key if later else "",
        reference=later.reference if later else "",
        operation=charge.operation,
        merchant_account=charge.merchant_account,
        provider=request.provider,
        by="person",
        who=request.who,
    )
