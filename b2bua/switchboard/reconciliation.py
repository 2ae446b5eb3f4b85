"""Follows the payments of which nobody knows whether they were charged, until the provider says so.

Rule 1: the journal is the truth: what the reconciler found is there before it is here.
Rule 2: an outcome that was found is on disk before anybody is told of it.
Rule 3: one that nobody will find any more stays unknown, and is a person's to settle.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from b2bua.call.tallies import Tallies
from b2bua.call.view import PaymentView
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.payment_storage import PaymentStorage
from provider_adapters.payment import FINAL_REASONS, Accepted, Outcome, Unknown, outcome_type
from provider_adapters.reconciler.messages import Findings, Settled
from tonewall.log import get_logger

log = get_logger(__name__)
_MIN_PAUSE, _MAX_PAUSE = 1.0, 30.0  # seconds between two questions about one payment
_MOST_AT_ONCE = 100
_LIFE = 7 * 86_400.0  # seconds after its start that an unknown payment is followed


@dataclass(slots=True)
class _Unknown:
    view: PaymentView
    next_at: float = 0.0
    pause: float = _MIN_PAUSE
    writing: bool = False


class Reconciliation:
    """The payments whose outcome is unknown. `publish` gets each one that was decided. `clock`
    gives seconds since the epoch and never runs backwards."""

    def __init__(
        self, storage: PaymentStorage, clock: Callable[[], float], publish: Callable[[PaymentView], None]
    ) -> None:
        self._storage, self._clock, self._publish = storage, clock, publish
        self._unknown: dict[str, _Unknown] = {}
        self.circuits: Mapping[str, str] = {}
        """The state of each provider's circuit breaker, by name."""
        self._contradicted = 0
        self.tallies = Tallies()
        self.decided: dict[str, int] = {}
        """How many were decided, by outcome."""

    def __len__(self) -> int:
        return len(self._unknown)

    @property
    def passed_by(self) -> tuple[str, ...]:
        """The providers whose circuit breaker is not closed."""
        return tuple(name for name, state in self.circuits.items() if state != "closed")

    async def resume(self) -> None:
        """Go on with what earlier processes left unknown. Raises sqlite3.Error."""
        for view in await self._storage.run(self._storage.table.unknown, self._clock() - _LIFE):
            self.add(view)

    def add(self, view: PaymentView) -> None:
        """Follow a payment that is over, where its outcome is unknown and may still be found."""
        outcome = view.outcome
        if isinstance(outcome, Unknown) and outcome.reason not in FINAL_REASONS:
            self._unknown[view.id] = _Unknown(view)

    def note_end(self, view: PaymentView) -> None:
        """Count a payment that is over where no call record does, and follow it as `add` does."""
        if not view.call and view.outcome is not None:
            self.tallies.count_saved(view.outcome)
        self.add(view)

    def due(self) -> tuple[str, ...]:
        """The payments to ask about now."""
        now = self._clock()
        found = [key for key, each in self._unknown.items() if each.next_at <= now][:_MOST_AT_ONCE]
        for key in found:
            each = self._unknown[key]
            each.next_at = now + each.pause
            each.pause = min(each.pause * 1.5, _MAX_PAUSE)
        return tuple(found)

    def hurry(self, payment_ids: Collection[str]) -> list[PaymentView]:
        """Ask about these from now on as if they were new, or about all where none is named."""
        chosen = [each for key, each in self._unknown.items() if not payment_ids or key in payment_ids]
        for each in chosen:
            each.next_at, each.pause = 0.0, _MIN_PAUSE
        return [each.view for each in chosen]

    def learn(self, findings: Findings) -> None:
        """Settle what was found."""
        self._contradicted = findings.contradicted
        self.tallies.refused_webhooks = findings.refused
        self.circuits = findings.circuits
        for key, finding in findings.found.items():
            each = self._unknown.get(key)
            if each is None or each.writing or finding.outcome is None:
                continue
            if isinstance(finding.outcome, Unknown) and finding.outcome.reason not in FINAL_REASONS:
                continue
            each.writing = True
            view = self._decided(each.view, finding.outcome, finding.by, finding.who)
            self._storage.tasks.start(self._settle(view), "reconciliation")

    async def settle(self, payment: PaymentView, settled: Settled) -> PaymentView:
        """Write what stands of a payment since a person spoke: the payment then. Raises NotWell; it
        is written later then."""
        assert settled.outcome is not None
        assert not isinstance(settled.outcome, Accepted)
        # Followed again, where nobody asked any more: should the write fail, the journal tells it.
        each = self._unknown.setdefault(payment.id, _Unknown(payment))
        view = self._decided(each.view, settled.outcome, settled.by, settled.who)
        await self._storage.ask(self._storage.table.put, view)
        self._note_decided(view)
        return msgspec.structs.replace(view, follow_ups=payment.follow_ups)

    def _decided(self, view: PaymentView, outcome: Outcome, by: str, who: str) -> PaymentView:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        return msgspec.structs.replace(
            view, outcome=outcome, decided_at=at, decided_by=by or "reconciler", settled_by=who or None
        )

    async def _settle(self, view: PaymentView) -> None:
        pause = 1.0
        while True:
            try:
                await self._storage.run(self._storage.table.put, view)
                break
            except sqlite3.Error as error:
                hint = "it is tried again"
                log.error("payment_not_written", hint=hint, payment=view.id, exc_info=error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)
        self._note_decided(view)

    def _note_decided(self, view: PaymentView) -> None:
        if self._unknown.pop(view.id, None) is None:
            return  # both the journal and a person's request brought it
        assert view.outcome is not None
        kind = outcome_type(view.outcome)
        self.decided[kind] = self.decided.get(kind, 0) + 1
        log.info("payment_decided", outcome=kind, payment=view.id)
        self._publish(view)

    def health(self, reconciler: Reconciler | None) -> dict[str, int | bool]:
        """For the health check: whether the reconciler is connected, how many payments are unknown,
        for how many seconds the oldest of them is, how many were decided, how many claims of
        providers contradict what was decided, how many providers are passed by, and how many
        webhooks were refused."""
        started = [
            datetime.fromisoformat(each.view.started_at).timestamp() for each in self._unknown.values()
        ]
        return {
            "reconciler": reconciler is not None and reconciler.connected,
            "unknown_payments": len(self._unknown),
            "oldest_unknown_payment": round(self._clock() - min(started)) if started else 0,
            "decided_payments": sum(self.decided.values()),
            "contradicted_payments": self._contradicted,
            "open_circuits": len(self.passed_by),
            "refused_webhooks": self.tallies.all_refused_webhooks,
        }
