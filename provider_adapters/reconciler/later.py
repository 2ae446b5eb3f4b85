"""Says what became of captures, voids and refunds, by the journal.

Rule 1: what is being sent now has no outcome yet.
Rule 2: what was handed over, and never noted, is closed in the journal before it is called
        `not_sent`: nothing is sent under its key later.
Rule 3: a journal that is younger than the request cannot say so, nor of one that was answered once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from provider_adapters.payer.entry import Entry
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Failed, FollowUp, FollowUpOutcome, Unknown
from provider_adapters.reconciler.messages import LaterInquiry, LaterRequest, LaterResult
from tonewall.log import get_logger

log = get_logger(__name__)
_REMEMBERED = 10_000  # newest lines of requests: what is asked often is not searched on disk


class LaterRequests:
    """The requests that need no card, and are no charge. `default`: the provider to whom one goes
    that names none, and whose payment the journal does not know."""

    def __init__(self, journal: Journal, default: str) -> None:
        self._journal, self._default = journal, default
        self._sending: set[str] = set()
        self._newest: dict[str, Entry] = {}

    @contextlib.contextmanager
    def sending(self, key: str) -> Iterator[None]:
        """While a request is under way here."""
        self._sending.add(key)
        try:
            yield
        finally:
            self._sending.discard(key)

    def is_sending(self, key: str) -> bool:
        """Whether the request with this key is under way here."""
        return key in self._sending

    def observe(self, entry: Entry) -> None:
        """Follow one line of the journal."""
        if entry.kind in ("capture", "void", "refund"):
            self._newest.pop(entry.key, None)
            self._newest[entry.key] = entry
            if len(self._newest) > _REMEMBERED:
                del self._newest[next(iter(self._newest))]

    def provider_of(self, request: LaterRequest) -> str:
        """To whom a request goes. Raises OSError."""
        before = request.follow_up.charge.idempotency_key if request.follow_up else request.saved_from
        return request.provider or self._taken_by(before)

    def _taken_by(self, key: str) -> str:
        """Who took the payment of this key: by the journal, where that still has it."""
        entry = self._journal.lookup(key) if key else None
        return (entry.provider if entry is not None else "") or self._default

    def resolve(self, inquiry: LaterInquiry) -> LaterResult:
        """What became of a request."""
        outcome: FollowUpOutcome | None = None
        by = who = ""
        if not self.is_sending(inquiry.follow_up.key):
            try:
                provider = inquiry.provider or self._taken_by(inquiry.follow_up.charge.idempotency_key)
                outcome, by, who = self._find(inquiry.follow_up, provider, inquiry.handed_at)
            except OSError as error:
                log.error("journal_failed", setting="[provider] journal", exc_info=error)
        return LaterResult(number=inquiry.number, outcome=outcome, by=by, who=who)

    def _find(
        self, request: FollowUp, provider: str, handed_at: float | None
    ) -> tuple[FollowUpOutcome | None, str, str]:
        if handed_at is None:
            entry = self._newest.get(request.key) or self._journal.lookup(request.key)
        else:
            entry = self._journal.lookup_or_close(_closed(request, provider), handed_at)
        if entry is None:
            return (None if handed_at is None else Unknown(reason="journal_too_young")), "", ""
        if entry.outcome is None:
            return Unknown(reason="outcome_not_recorded"), "", ""
        return cast("FollowUpOutcome", entry.outcome), entry.by, entry.who


def _closed(request: FollowUp, provider: str) -> Entry:
    """The line that closes a request which was never sent."""
    charge = request.charge
    return Entry(
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        key=request.key,
        state="finished",
        transaction_id=charge.transaction_id,
        amount=request.amount,
        currency=charge.currency,
        outcome=Failed(reason="not_sent"),
        kind=request.kind,
        of=charge.idempotency_key,
        reference=request.reference,
        operation=charge.operation,
        merchant_account=charge.merchant_account,
        provider=provider,
    )
