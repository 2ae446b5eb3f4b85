"""Keeps the payments of this Tonewall: on disk before a card is handed over, and final in the end.

Rule 1: the card is submitted only after the table has the payment as `charging`, and only where no
        other payment charged the order, except those that the agent expressly repeats.
Rule 2: an outcome that cannot come by its capture any more is asked for, until the payers' journal
        has it: after media was lost, and after a restart of this process.
Rule 3: a write that failed is tried again. A payment is dropped here once the table has its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Collection, Coroutine, Iterator
from datetime import datetime
from typing import Any

import msgspec

from b2bua.call.cdr import CallRecord
from b2bua.call.order import RequestName
from b2bua.call.owned_payment import FINAL
from b2bua.call.take_over import TakeOver
from b2bua.call.view import CallView, CaptureStage, NotNow, PaymentView, Repeated
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.deferred_records import DeferredRecords
from b2bua.switchboard.follow_ups import FollowUps
from b2bua.switchboard.link_service import LinkPolicy, LinkService
from b2bua.switchboard.links import Links
from b2bua.switchboard.open_payments import OpenPayment, ask_for_all, given_up, questions
from b2bua.switchboard.payment_notices import NoticePolicy, PaymentNotices
from b2bua.switchboard.payment_reading import PaymentReading
from b2bua.switchboard.payment_storage import PaymentStorage
from b2bua.switchboard.payment_views import known_ids, payment_view, shared_fields, timestamp
from b2bua.switchboard.prepared_payments import PreparedPayments
from b2bua.switchboard.reconciliation import Reconciliation
from media.events import CaptureChanged, CaptureId, CaptureState, ResolveCharge, SessionId
from provider_adapters.payment import Outcome, Unknown
from tonewall.log import get_logger

log = get_logger(__name__)
_RESTARTED = "Tonewall was restarted before the card was submitted; nothing was charged."
_ELSEWHERE = (CaptureStage.LINKED, CaptureStage.PREPARED)  # stages that others keep
_MAX_TAKE_OVERS = 8  # that are kept
_RETRY = (1.0, 30.0)  # seconds between two attempts to write: first, longest


class Payments(PaymentReading):
    """All payments. `publish` gets each one that changed, `record` each call record that waited for
    the end of a payment. `clock` gives seconds since the epoch and never runs backwards."""

    def __init__(
        self,
        table: PaymentTable,
        clock: Callable[[], float],
        publish: Callable[[PaymentView], None],
        record: Callable[[CallRecord], None],
        links: LinkPolicy | None = None,
        notices: NoticePolicy | None = None,
    ) -> None:
        self._clock, self._publish = clock, publish
        self._storage = PaymentStorage(table)
        self._records = DeferredRecords(self._storage, record)
        self.reconciliation = Reconciliation(self._storage, clock, publish)
        self.follow_ups = FollowUps(self._storage, clock, publish)
        self.link_policy = links or LinkPolicy()
        self.link_service = LinkService(self._storage, clock, publish, self.link_policy.send)
        self.links = Links(self._storage, clock, publish, self.link_service)
        self.prepared = PreparedPayments(self._storage, clock, publish)
        self.notices = PaymentNotices(self._storage, clock, notices or NoticePolicy())
        self._open: dict[str, OpenPayment] = {}
        self._submitting: set[str] = set()

    async def resume(self, calls: Collection[str] = ()) -> None:
        """Go on with payments that an earlier process left open. `calls`: those that go on here,
        and are recorded when they end. Raises sqlite3.Error."""
        await self.reconciliation.resume()
        await self.follow_ups.resume()
        await self.links.resume()
        await self.prepared.resume()
        await self.notices.resume()
        for view in await self._storage.run(self._storage.table.open):
            if view.id in self._open or view.stage in _ELSEWHERE:
                continue
            if view.stage is CaptureStage.CHARGING:
                submitted_at = datetime.fromisoformat(view.submitted_at or view.started_at).timestamp()
                self._open[view.id] = OpenPayment(
                    view, False, submitted_at=submitted_at, asked_since=self._clock()
                )
                self._publish(view)
                log.warning("payment_left_open", hint="its outcome is asked for", payment=view.id)
            else:
                self._open[view.id] = OpenPayment(view, in_call=False)
                self._change(view.id, stage=CaptureStage.ABORTED, reason=_RESTARTED)
        # The records of their calls come with the end of the payment.
        await self._records.resume({*calls, *(each.view.call for each in self._open.values())})

    @property
    def charging(self) -> int:
        """How many charges of this process are under way."""
        return sum(each.is_charging and each.asked_since is None for each in self._open.values())

    def adopt(self, call: CallView) -> None:
        """Go on with the payment of a restored call, which the table has."""
        capture = call.capture
        if capture is not None and capture.stage not in FINAL:
            self._open[capture.id] = OpenPayment(
                payment_view(call, capture, self._clock()), submitted_at=self._clock()
            )

    async def close(self) -> None:
        """Write what is left, for a moment at most. The next process asks for outcomes that come
        later."""
        await self._storage.close()

    def fault(self) -> str | None:
        """Why no payment can be written now; None where all is well."""
        return self._storage.fault()

    def look(self) -> None:
        """Where the table was not usable, try it again; end what was prepared for too long."""
        self.prepared.look()
        self.notices.look()
        self._storage.retry()

    # --- the steps of a payment -------------------------------------------------------------------

    async def begin(
        self, call: CallView, repeats: tuple[PaymentView, ...], was: PaymentView | None = None
    ) -> None:
        """Write the payment that has begun in a call. `was`: as it was prepared. Raises NotWell
        where that is impossible."""
        capture = call.capture
        assert capture is not None
        ids = known_ids(repeats)
        view = msgspec.structs.replace(payment_view(call, capture, self._clock()), repeats=ids)
        if was is not None:
            view = msgspec.structs.replace(view, started_at=was.started_at, prepared=was.prepared)
        self._open[view.id] = OpenPayment(view, repeats=ids)
        self._publish(view)
        await self._storage.ask(self._storage.table.put, view)

    @contextlib.contextmanager
    def submitting(self, payment_id: str) -> Iterator[None]:
        """Allow one submission of a payment at a time. Raises NotNow where one is under way."""
        if payment_id in self._submitting:
            raise NotNow("The payment is being submitted.")
        self._submitting.add(payment_id)
        try:
            yield
        finally:
            self._submitting.discard(payment_id)

    async def note_submission(self, payment_id: str, record: CallRecord, *, allow_repeat: bool) -> None:
        """Write that the card is about to be submitted; on disk when this returns. Raises Repeated,
        NotNow, and NotWell where it cannot be written; then nothing may be sent."""
        found = self._open[payment_id]
        if allow_repeat:
            charged = await self.charged(found.view.order.transaction_id)
            found.repeats = tuple({*found.repeats, *known_ids(charged)})
            if found.view.stage in FINAL:  # meanwhile
                raise NotNow("The payment is over.")
        now = self._clock()
        view = msgspec.structs.replace(
            found.view, stage=CaptureStage.CHARGING, submitted_at=timestamp(now), repeats=found.repeats
        )
        charged = await self._storage.ask(self._storage.table.submit, view, record, found.repeats)
        if charged:
            raise Repeated(charged)
        self._records.note_kept(payment_id)
        found.submitted_at = now
        found.view = msgspec.structs.replace(found.view, submitted_at=view.submitted_at, repeats=view.repeats)

    def take_back_submission(self, payment_id: str) -> None:
        """Undo `note_submission`: the call no longer allowed it, and nothing was sent."""
        found = self._open.get(payment_id)
        if found is not None and found.view.stage not in FINAL:
            found.view = msgspec.structs.replace(found.view, submitted_at=None)
            self._persist(found)

    def observe(self, call: CallView) -> None:
        """Follow a call's changes of its payment."""
        self.notices.observe(call)
        capture = call.capture
        if capture is not None and capture.id in self._open:
            self._change(capture.id, **shared_fields(capture))

    async def begin_saved(
        self, view: PaymentView, name: RequestName | None, *, allow_repeat: bool
    ) -> PaymentView:
        """Write a payment whose card was saved, as one that is being charged; on disk when this
        returns it. Raises Repeated and NotWell; then nothing may be sent."""
        if allow_repeat:
            view = await self.repeating(view)
        now = self._clock()
        charged = await self._storage.ask(self._storage.table.submit_saved, view, name, now)
        if charged:
            raise Repeated(charged)
        self._open[view.id] = OpenPayment(view, in_call=False, submitted_at=now)
        self._publish(view)
        return view

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of a payment, which `close` awaits for a moment."""
        self._storage.tasks.start(work, "payment")

    def settle_saved(self, payment_id: str, outcome: Outcome) -> None:
        """Store the outcome of a charge of a saved card."""
        if payment_id in self._open:
            self._change(payment_id, stage=CaptureStage.FINISHED, outcome=outcome)

    def settle(self, news: CaptureChanged) -> None:
        """Store the outcome of a payment whose call is over."""
        if news.capture in self._open and news.outcome is not None:
            self._change(news.capture, stage=CaptureStage.FINISHED, outcome=news.outcome)

    def leave_call(self, payment_id: str, record: CallRecord) -> None:
        """Go on without the call, which is removed before its payment is final. Its record is
        stored then, by this process or the next."""
        found = self._open.get(payment_id)
        if found is None:
            self._records.record_call(record)
            return
        found.in_call = False
        self._records.defer(payment_id, record)

    def record_call(self, record: CallRecord) -> None:
        """Store the record of a call that is over."""
        self._records.record_call(record)

    # --- outcomes that are asked for --------------------------------------------------------------

    def lose_media(self) -> None:
        """Ask for the outcome of what was submitted: captures are lost with media."""
        ask_for_all(self._open.values(), self._clock())

    def ask_for(self, payment_id: str) -> None:
        """Ask for the outcome of one that was submitted, and whose answer was lost."""
        if payment_id in self._open:
            ask_for_all([self._open[payment_id]], self._clock())

    def questions(self) -> list[ResolveCharge]:
        """The commands that ask media for outcomes, every second or so."""
        return list(questions(self._open.values(), self._clock()))

    def given_up(self) -> list[CaptureChanged]:
        """The outcomes that were asked for in vain for too long: unknown."""
        unknown = Unknown(reason="outcome_not_found")
        found = [self.news(each, unknown) for each in given_up(self._open.values(), self._clock())]
        return [each for each in found if each is not None]

    def news(self, payment_id: str, outcome: Outcome) -> CaptureChanged | None:
        """The outcome that was found for a payment, as an event of its capture; None where it is
        known already."""
        found = self._open.get(payment_id)
        if found is None or found.view.stage is not CaptureStage.CHARGING:
            return None
        found.asked_since = None
        return CaptureChanged(
            session=SessionId(found.view.call),
            capture=CaptureId(payment_id),
            state=CaptureState.FINISHED,
            brand=found.view.brand,
            last_four=found.view.last_four,
            outcome=outcome,
        )

    def is_written(self, payment_id: str) -> bool:
        """Whether a payment that is over is final on disk, too."""
        return payment_id not in self._open

    async def prune(self, before: float) -> int:
        """Delete the final payments that started before this time. Raises sqlite3.Error."""
        return await self._storage.run(self._storage.table.prune, before, self._clock())

    # --- inside -----------------------------------------------------------------------------------

    def _now(self, payment_id: str) -> PaymentView | None:
        """A payment that is not final, as it is now."""
        found = self._open.get(payment_id)
        return self.prepared.find(payment_id) if found is None else found.view

    def _change(self, payment_id: str, **changes: object) -> None:
        found = self._open[payment_id]
        before, after = found.view, msgspec.structs.replace(found.view, **changes)
        if before.settled_at is not None or after == before:
            return
        was_charging = before.stage is CaptureStage.CHARGING
        if was_charging and after.stage not in (CaptureStage.CHARGING, CaptureStage.FINISHED):
            # Media refused the submission: nothing was sent.
            after = msgspec.structs.replace(after, submitted_at=None)
        if after.stage in FINAL:
            after = msgspec.structs.replace(after, settled_at=timestamp(self._clock()))
        is_taken_over = before.agent != after.agent
        if is_taken_over:
            passed = TakeOver(at=timestamp(self._clock()), by=after.agent, from_agent=before.agent)
            kept = (*before.take_overs, passed)[-_MAX_TAKE_OVERS:]
            after = msgspec.structs.replace(after, take_overs=kept)
        found.view = after
        if before.stage != after.stage or is_taken_over:
            self._publish(after)
        if after.stage in FINAL or is_taken_over or was_charging != (after.stage is CaptureStage.CHARGING):
            self._persist(found)

    def _persist(self, found: OpenPayment) -> None:
        if not self._storage.closed:
            # Queued at once, so that a later question to the table finds it written.
            first = self._storage.run(self._storage.table.put, found.view) if found.in_call else None
            self._storage.tasks.start(self._put(found, found.view, first), "payment")

    async def _put(self, found: OpenPayment, view: PaymentView, first: asyncio.Future[None] | None) -> None:
        pause, recorded = _RETRY[0], False
        while True:
            try:
                if view.stage in FINAL and not found.in_call:
                    await self._records.complete(found.view)
                    found.in_call = True  # the record is stored: not a second time
                    recorded = True
                await (first or self._storage.run(self._storage.table.put, view, is_recorded=recorded))
            except sqlite3.Error as error:
                hint = "it is tried again"
                log.error("payment_not_written", hint=hint, payment=view.id, exc_info=error)
                await asyncio.sleep(pause)
                first, view, pause = None, found.view, min(2 * pause, _RETRY[1])
                continue
            if view.stage in FINAL:
                self._open.pop(view.id, None)
                self.reconciliation.note_end(view)
            return
