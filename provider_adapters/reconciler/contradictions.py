"""Looks into claims that contradict what is decided, and reports those that the provider confirms.

Rule 1: what is decided stays as it is: a person settles it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from provider_adapters.notice import Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payment import Accepted, Outcome, outcome_type
from provider_adapters.reconciler.agenda import Item
from provider_adapters.reconciler.verdict import is_approval, is_of_provider
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)


class Contradictions:
    """`inquire` asks the provider about one charge: its outcome, or None where it cannot say."""

    def __init__(self, inquire: Callable[[Item], Awaitable[Outcome | None]]) -> None:
        self._inquire = inquire
        self._tasks = BackgroundTasks()
        self.count = 0
        """How many claims contradict what is decided."""

    def examine(self, notice: Notice, entry: Entry) -> None:
        """Ask the provider whom to believe, and report it."""
        self._tasks.start(self._examine(notice, entry), "contradiction")

    async def close(self) -> None:
        """Stop asking."""
        await self._tasks.cancel()

    async def _examine(self, notice: Notice, entry: Entry) -> None:
        assert notice.claim is not None
        outcome = None if isinstance(entry.outcome, Accepted) else entry.outcome
        at = datetime.fromisoformat(entry.at).timestamp()
        # Of a link the provider says what it is now, which disproves no payment.
        asks = outcome is not None and is_of_provider(notice, entry) and entry.kind != "link"
        found = await self._inquire(Item(entry, at, at)) if asks else None
        claimed, stands = outcome_type(notice.claim), outcome_type(outcome) if outcome else entry.state
        if outcome is not None and found is not None and is_approval(found) == is_approval(outcome):
            log.warning("claim_disproved", outcome=stands, claimed=claimed, payment=entry.key)
            return
        self.report(entry.key, stands, claimed, notice.about, notice.provider)

    def report(self, key: str, stands: str, claimed: str, kind: str, provider: str) -> None:
        """Report that something else is claimed than stands."""
        self.count += 1
        log.error(
            "outcome_contradicted", outcome=stands, claimed=claimed, kind=kind, provider=provider,
            payment=key, hint="look it up at the provider, and settle it there by hand",
        )  # fmt: skip
