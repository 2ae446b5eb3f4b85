"""Captures, voids and refunds payments, and follows each request until the provider has decided it.

Rule 1: a request is on disk before it is handed to the reconciler, and handed over once.
Rule 2: what was handed over and got no answer is asked for by its key: where the journal never had
        it, it is closed there, and failed.
Rule 3: an outcome is on disk before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from b2bua.call.follow_up import FollowUpView, Kind
from b2bua.call.order import RequestName
from b2bua.call.view import CaptureStage, NoSuchPayment, NotNow, NotOffered, NotWell, PaymentView
from b2bua.records.follow_ups import is_open
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.payment_provider import check_configured, offered_for, provider_of, with_offers
from b2bua.switchboard.payment_storage import PaymentStorage
from provider_adapters.payment import (
    Accepted,
    Approved,
    FollowUp,
    FollowUpOutcome,
    Link,
    Operation,
    PartiallyApproved,
    Unknown,
)
from provider_adapters.reconciler.messages import GONE, Settled
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)
_MIN_PAUSE = 1.0  # seconds between two questions about one request, and the longest: unknown, accepted
_MAX_PAUSE, _MAX_ACCEPTED_PAUSE = 30.0, 120.0
_MOST_AT_ONCE = 20
_LIFE = 14 * 86_400.0  # seconds after its beginning that a request is followed
AWAY = "The process that speaks with the payment provider is not there. Nothing was sent. Try again soon."
_NOT_OFFERED = {
    Operation.CAPTURE: ("operation", "the payment provider captures nothing later"),
    Operation.CAPTURE_PART: ("amount", "the payment provider captures the whole amount only"),
    Operation.VOID: ("operation", "the payment provider voids nothing"),
    Operation.REFUND: ("operation", "the payment provider refunds nothing from here"),
    Operation.REFUND_PART: ("amount", "the payment provider refunds the whole amount only"),
}


@dataclass(slots=True)
class _Open:
    """A request whose end is not known. `provider`: who has the money, empty where its record does
    not say; `asking`: its outcome is awaited, or asked for, now."""

    request: FollowUp
    provider: str
    begun_at: float
    outcome: FollowUpOutcome | None = None
    asking: bool = False
    next_at: float = 0.0
    pause: float = _MIN_PAUSE


class FollowUps:
    """What is done about payments. `publish` gets each payment that changed by it. `clock` gives
    seconds since the epoch and never runs backwards."""

    def __init__(
        self, storage: PaymentStorage, clock: Callable[[], float], publish: Callable[[PaymentView], None]
    ) -> None:
        self._storage, self._clock, self._publish = storage, clock, publish
        self._open: dict[str, _Open] = {}

    async def resume(self) -> None:
        """Go on with what earlier processes left open. Raises sqlite3.Error."""
        table = self._storage.table
        for payment_id, view in await self._storage.run(table.follow_ups.open, self._clock() - _LIFE):
            payment = await self._storage.run(table.find, payment_id)
            if payment is not None and view.key not in self._open:
                begun_at = datetime.fromisoformat(view.at).timestamp()
                request, provider = request_of(payment, view), provider_of(payment)
                self._open[view.key] = _Open(request, provider, begun_at, view.outcome)

    async def begin(
        self,
        reconciler: Reconciler | None,
        payment_id: str,
        kind: Kind,
        amount: int | None,
        agent: str,
        name: RequestName | None,
    ) -> PaymentView:
        """Write the request, and hand it over. Raises NoSuchPayment, NotNow, NotOffered, NotWell;
        then nothing was sent."""
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        now = self._clock()

        def plan(payment: PaymentView | None) -> FollowUpView:
            if payment is None:
                raise NoSuchPayment
            check_configured(reconciler, payment)
            offered = offered_for(reconciler, payment)
            return _plan(payment, kind, amount, offered, _timestamp(now), agent)

        def answer(payment: PaymentView) -> PaymentView:
            return with_offers(reconciler, payment)

        begin = self._storage.table.begin_follow_up
        view = await self._storage.ask(begin, payment_id, plan, name, now, answer)
        begun = view.follow_ups[-1]
        each = self._open[begun.key] = _Open(request_of(view, begun), provider_of(view), now, asking=True)
        self._publish(view)
        log.info("follow_up", kind=kind, agent=agent, follow_up=begun.key, payment=payment_id)
        self._storage.tasks.start(self._hand_over(reconciler, each), "follow-up")
        return view

    def ask(self, reconciler: Reconciler) -> None:
        """Ask what became of open requests, every second or so."""
        now = self._clock()
        due = [each for each in self._open.values() if not each.asking and each.next_at <= now]
        for each in due[:_MOST_AT_ONCE] if reconciler.connected else ():
            each.asking = True
            self._storage.tasks.start(self._resolve(reconciler, each), "follow-up")

    def hurry(self, payment_ids: Collection[str]) -> int:
        """Ask about what is open of these payments, or of all where none is named, as if it were
        new; how many there are."""
        chosen = [
            each
            for each in self._open.values()
            if not payment_ids or each.request.charge.idempotency_key in payment_ids
        ]
        for each in chosen:
            each.next_at, each.pause = 0.0, _MIN_PAUSE
        return len(chosen)

    async def settle(self, payment: PaymentView, key: str, settled: Settled) -> PaymentView:
        """Write what stands of a request since a person spoke: its payment then. Raises NotWell."""
        outcome, at = settled.outcome, _timestamp(self._clock())
        assert outcome is not None
        assert not isinstance(outcome, PartiallyApproved)
        settle = self._storage.table.settle_follow_up
        view = await self._storage.ask(settle, key, outcome, at, settled.by, settled.who)
        each = self._open.get(key)
        if each is not None and is_open(outcome):
            each.outcome = outcome
        elif each is not None:
            del self._open[key]
        if view is not None:
            self._publish(view)
        return view or payment

    def health(self) -> dict[str, int | bool]:
        """For the health check: how many requests may have been carried out or not."""
        unknown = [each for each in self._open.values() if not isinstance(each.outcome, Accepted)]
        return {"open_follow_ups": len(unknown)}

    # --- inside -----------------------------------------------------------------------------------

    async def _hand_over(self, reconciler: Reconciler, each: _Open) -> None:
        outcome = await reconciler.follow_up(each.request, each.provider)
        if outcome == Unknown(reason=GONE):
            log.warning("follow_up_not_answered", hint="it is asked for", follow_up=each.request.key)
            each.asking = False
            return
        await self._settle(each, outcome, "", "")

    async def _resolve(self, reconciler: Reconciler, each: _Open) -> None:
        # The journal may have been rotated since it was answered, and is silent then.
        handed_at = each.begun_at if each.outcome is None else None
        result = await reconciler.resolve(each.request, handed_at, each.provider)
        now = self._clock()
        longest = _MAX_ACCEPTED_PAUSE if isinstance(each.outcome, Accepted) else _MAX_PAUSE
        each.next_at, each.pause = now + each.pause, min(1.5 * each.pause, longest)
        found = None if result is None else result.outcome
        if (
            result is None
            or found is None
            or isinstance(found, PartiallyApproved | Link)
            or found == each.outcome
        ):
            if now - each.begun_at > _LIFE:
                self._open.pop(each.request.key, None)
            each.asking = False
            return
        await self._settle(each, found, result.by, result.who)

    async def _settle(self, each: _Open, outcome: FollowUpOutcome, by: str, who: str) -> None:
        key, pause, settle = each.request.key, 1.0, self._storage.table.settle_follow_up
        while True:
            at = _timestamp(self._clock())
            try:
                view = await self._storage.run(settle, key, outcome, at, by, who)
                break
            except sqlite3.Error as error:
                log.error("payment_not_written", hint="it is tried again", follow_up=key, exc_info=error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)
        kind = str(type(outcome).__struct_config__.tag)
        log.info("follow_up_decided", kind=each.request.kind, outcome=kind, follow_up=key)
        each.outcome, each.asking = outcome, False
        if not is_open(outcome):
            self._open.pop(key, None)
        if view is not None:
            self._publish(view)


def _plan(
    payment: PaymentView,
    kind: Kind,
    amount: int | None,
    offered: frozenset[Operation] | None,
    at: str,
    agent: str,
) -> FollowUpView:
    """What is to be done. Raises NotNow and NotOffered where it must not."""
    if payment.stage is not CaptureStage.FINISHED:
        raise NotNow("This payment is not over, or was not charged.")
    balance = payment.balance
    wanted = balance.left(kind) if amount is None else amount
    if refusal := balance.refusal(kind, wanted):
        raise NotNow(refusal)
    needed = balance.operation_for(kind, wanted)
    if offered is not None and needed not in offered:
        raise NotOffered(*_NOT_OFFERED[needed])
    return FollowUpView(key=token(16), kind=kind, amount=wanted, at=at, by=agent)


def request_of(payment: PaymentView, view: FollowUpView) -> FollowUp:
    """The request, as the reconciler gets it."""
    outcome = payment.outcome
    assert isinstance(outcome, Approved | PartiallyApproved)
    return FollowUp(
        key=view.key,
        kind=view.kind,
        charge=payment.order.charge(payment.id, payment.balance.approved),
        reference=outcome.reference,
        amount=view.amount,
    )


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
