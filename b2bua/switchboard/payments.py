"""The payments of this Tonewall, each a thing of its own: on disk before a card is handed over, and
final in the end.

Rule 1: the card is submitted only after the table has the payment as `charging`, and only where no
        other payment charged the order, but those that the agent expressly repeats.
Rule 2: a payment whose outcome cannot come by its capture any more is asked for, until the payers'
        journal says what became of it: after the loss of media, and after a restart of this
        process.
Rule 3: what could not be written is tried again; a payment is forgotten here once the table has its
        end.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar

import msgspec

from b2bua.call.cdr import CallRecord, completed
from b2bua.call.payment import FINAL
from b2bua.call.view import (
    CallView,
    CaptureStage,
    CaptureView,
    NoSuchPayment,
    NotNow,
    NotWell,
    PaymentView,
    Repeated,
)
from b2bua.records.payments import PaymentTable
from media.events import CaptureChanged, CaptureId, CaptureState, ResolveCharge, SessionId
from provider_adapters.payment import Charge, Outcome, Unknown
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_RESTARTED = "Tonewall was restarted before the card was submitted; nothing was charged."
_NOT_WRITTEN = "The payment cannot be noted down, so nothing was sent. Tell your administrator."
_SILENT = 600.0  # seconds after a submission: longer than media lets a charge take
_GIVEN_UP = 900.0  # seconds of asking, after which an outcome that nobody can tell is unknown
_LAST_WRITES = 2.0  # seconds
_RETRY = (1.0, 30.0)  # seconds between two attempts to write: first, longest
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class _Open:
    """A payment that is not final, or whose end is not on disk yet. `in_call`: a call of this
    process has it, and records it; `asked_since`: where its outcome is asked for, since when."""

    view: PaymentView
    in_call: bool = True
    allowed: tuple[str, ...] = ()
    submitted_at: float = 0.0
    asked_since: float | None = None


class Payments:
    """All payments. `publish` is given each that changed; `record` each call record that waited for
    a payment's end.

    `clock` gives seconds since the epoch and never runs backwards."""

    def __init__(
        self,
        table: PaymentTable,
        clock: Callable[[], float],
        publish: Callable[[PaymentView], None],
        record: Callable[[CallRecord], None],
    ) -> None:
        self._table, self._clock, self._publish, self._record = table, clock, publish, record
        self._open: dict[str, _Open] = {}
        self._submitting: set[str] = set()
        self._kept: set[str] = set()  # payments with which the table keeps their call's record
        self._writing = BackgroundTasks()
        self._thread = ThreadPoolExecutor(1, "payments")
        # Of the newest attempt that failed, until something was written again.
        self._error: str | None = None
        self._trying = self._closed = False

    async def resume(self) -> None:
        """Go on with what an earlier process left open. Raises sqlite3.Error."""
        for view in await self._run(self._table.open):
            if view.id in self._open:
                continue
            if view.stage is CaptureStage.CHARGING:
                submitted_at = datetime.fromisoformat(view.submitted_at or view.started_at).timestamp()
                self._open[view.id] = _Open(view, False, submitted_at=submitted_at, asked_since=self._clock())
                self._publish(view)
                log.warning("payment_left_open", hint="its outcome is asked for", idempotency_key=view.id)
            else:
                self._open[view.id] = _Open(view, in_call=False)
                self._change(view.id, stage=CaptureStage.ABORTED, reason=_RESTARTED)
        await self._resume_records()

    async def _resume_records(self) -> None:
        """Write the records of calls that were still there when the process died, though their
        payments were final."""
        # Theirs come with the end of the payment.
        waiting = {each.view.call for each in self._open.values()}
        left = await self._run(self._table.left_records)
        self._kept |= {view.id for view, _ in left}
        for view, record in left:
            if record.call not in waiting:
                waiting.add(record.call)
                self.record_call(completed(record, view))
        await self._writing.wait(_LAST_WRITES)

    def adopt(self, call: CallView) -> None:
        """A call was read back that another process began; its payment is in the table as that one
        left it."""
        capture = call.capture
        if capture is not None and capture.stage not in FINAL:
            self._open[capture.id] = _Open(self._view(call, capture), submitted_at=self._clock())

    async def close(self) -> None:
        """Write what is left, for a moment at most. What comes later is asked for by the next
        process."""
        await self._writing.wait(_LAST_WRITES)
        self._closed = True
        await self._writing.cancel()
        await self._run(self._table.close)
        self._thread.shutdown(wait=False)

    # --- whether payments can be written ----------------------------------------------------------

    def fault(self) -> str | None:
        """Why no payment can be noted down now; None where all is well."""
        return self._error or self._table.is_full()

    def look(self) -> None:
        """Where the table was not usable: whether it is again."""
        if self._error is not None and not self._trying and not self._closed:
            self._trying = True
            self._writing.start(self._try_to_write(), "payments")

    async def _try_to_write(self) -> None:
        try:
            await self._run(self._table.try_to_write)
            self._error = None
        except sqlite3.Error:
            pass  # it was told, and is noted
        finally:
            self._trying = False

    # --- the way of a payment ---------------------------------------------------------------------

    async def charged(self, transaction_id: str) -> tuple[PaymentView, ...]:
        """By which this order was charged already, or may have been. Raises NotWell."""
        return await self._ask_table(self._table.charged, transaction_id)

    async def begin(self, call: CallView, repeats: tuple[PaymentView, ...]) -> None:
        """Take in the payment that has begun in a call. Raises NotWell where it cannot be
        written."""
        capture = call.capture
        assert capture is not None
        ids = _known(repeats)
        view = msgspec.structs.replace(self._view(call, capture), repeats=ids)
        self._open[view.id] = _Open(view, allowed=ids)
        self._publish(view)
        await self._ask_table(self._table.put, view)

    @contextlib.contextmanager
    def submitting(self, payment_id: str) -> Iterator[None]:
        """One at a time. Raises NotNow where a request is under way."""
        if payment_id in self._submitting:
            raise NotNow("The payment is being submitted.")
        self._submitting.add(payment_id)
        try:
            yield
        finally:
            self._submitting.discard(payment_id)

    async def note_submission(self, payment_id: str, record: CallRecord, *, allow_repeat: bool) -> None:
        """On disk when it returns. Raises Repeated, and NotWell where it cannot be written; then
        nothing may be sent."""
        found = self._open[payment_id]
        if allow_repeat:
            charged = await self.charged(found.view.order.transaction_id)
            found.allowed = tuple({*found.allowed, *_known(charged)})
            if found.view.stage in FINAL:  # meanwhile
                raise NotNow("The payment is over.")
        now = self._clock()
        view = msgspec.structs.replace(
            found.view, stage=CaptureStage.CHARGING, submitted_at=_moment(now), repeats=found.allowed
        )
        charged = await self._ask_table(self._table.submit, view, record, found.allowed)
        if charged:
            raise Repeated(charged)
        self._kept.add(payment_id)
        found.submitted_at = now
        found.view = msgspec.structs.replace(found.view, submitted_at=view.submitted_at, repeats=view.repeats)

    def take_back_submission(self, payment_id: str) -> None:
        """It was noted, but the call no longer allowed it: nothing was sent."""
        found = self._open.get(payment_id)
        if found is not None and found.view.stage not in FINAL:
            found.view = msgspec.structs.replace(found.view, submitted_at=None)
            self._persist(found)

    def observe(self, call: CallView) -> None:
        """A call has changed, and with it perhaps its payment."""
        capture = call.capture
        if capture is not None and capture.id in self._open:
            self._change(capture.id, **_shared(capture))

    def settle(self, news: CaptureChanged) -> None:
        """The outcome of a payment whose call is not here any more."""
        if news.capture in self._open and news.outcome is not None:
            self._change(news.capture, stage=CaptureStage.FINISHED, outcome=news.outcome)

    def leave_call(self, payment_id: str, record: CallRecord) -> None:
        """The call is forgotten before its payment is final, and its record is written then, by
        this process or the next."""
        found = self._open.get(payment_id)
        if found is None:
            self.record_call(record)
            return
        found.in_call = False
        self._writing.start(self._keep_record(payment_id, record), "payment")

    async def _keep_record(self, payment_id: str, record: CallRecord) -> None:
        try:
            await self._run(self._table.keep_record, payment_id, record)
        except sqlite3.Error as error:
            log.error(
                "call_record_not_held_back", hint="its payment is not final", call=record.call, exc_info=error
            )
            self._record(record)

    def record_call(self, record: CallRecord) -> None:
        """A call is over: write its record, and keep it here no more."""
        self._record(record)
        kept = self._kept & {each.payment for each in record.captures}
        if kept:
            self._kept -= kept
            self._writing.start(self._drop_records(kept), "payments")

    async def _drop_records(self, payment_ids: set[str]) -> None:
        try:
            await self._run(self._table.drop_records, payment_ids)
        except (
            sqlite3.Error
        ) as error:  # the next process records the call again, and the database knows it already
            log.warning("held_call_record_not_deleted", exc_info=error)

    # --- outcomes that are asked for --------------------------------------------------------------

    def lose_media(self) -> None:
        """Captures are lost with media: what was submitted is asked for from now on."""
        for each in self._open.values():
            if each.view.stage is CaptureStage.CHARGING and each.asked_since is None:
                each.asked_since = self._clock()

    def questions(self) -> list[ResolveCharge]:
        """What to ask media now, every second or so."""
        now, asked = self._clock(), []
        for each in tuple(self._open.values()):
            if each.view.stage is not CaptureStage.CHARGING:
                continue
            if each.asked_since is None and now - each.submitted_at > _SILENT:
                each.asked_since = now
            if each.asked_since is not None:
                asked.append(ResolveCharge(charge=_charge(each.view), submitted_at=each.submitted_at))
        return asked

    def given_up(self) -> list[CaptureChanged]:
        """What nobody could tell for too long is unknown."""
        since = self._clock() - _GIVEN_UP
        late = [
            each for each in self._open.values() if each.asked_since is not None and each.asked_since < since
        ]
        found = [self.news(each.view.id, Unknown(reason="outcome_not_found")) for each in late]
        return [each for each in found if each is not None]

    def news(self, payment_id: str, outcome: Outcome) -> CaptureChanged | None:
        """The outcome that was found for a payment, as its capture would have told it; None where
        it is known already."""
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

    # --- reading ----------------------------------------------------------------------------------

    async def find(self, payment_id: str) -> PaymentView:
        """Raises NoSuchPayment, NotWell."""
        found = self._open.get(payment_id)
        view = found.view if found is not None else await self._ask_table(self._table.find, payment_id)
        if view is None:
            raise NoSuchPayment
        return view

    async def newest(self, transaction_id: str | None, most: int) -> list[PaymentView]:
        """The newest first; those with a reference, where one is given. Raises NotWell."""
        found = await self._ask_table(self._table.newest, transaction_id, most)
        return [self._open[view.id].view if view.id in self._open else view for view in found]

    async def recall(self, agent: str, key: str, digest: bytes) -> CallView | None:
        """Raises KeyReused, NotWell."""
        return await self._ask_table(self._table.recall, agent, key, digest, self._clock())

    async def remember(self, agent: str, key: str, digest: bytes, answer: CallView) -> None:
        """Raises NotWell."""
        await self._ask_table(self._table.remember, agent, key, digest, answer, self._clock())

    async def prune(self, before: float) -> int:
        """Forget what started before this time. Raises sqlite3.Error."""
        return await self._run(self._table.prune, before, self._clock())

    # --- inside -----------------------------------------------------------------------------------

    def _view(self, call: CallView, capture: CaptureView) -> PaymentView:
        view = PaymentView(
            id=capture.id,
            call=call.id,
            stage=capture.stage,
            order=capture.order,
            started_by=capture.started_by,
            started_at=_moment(self._clock()),
        )
        return msgspec.structs.replace(view, **_shared(capture))

    def _change(self, payment_id: str, **changes: object) -> None:
        found = self._open[payment_id]
        before, after = found.view, msgspec.structs.replace(found.view, **changes)
        if before.settled_at is not None or after == before:
            return
        if before.stage is CaptureStage.CHARGING and after.stage not in (
            CaptureStage.CHARGING,
            CaptureStage.FINISHED,
        ):
            after = msgspec.structs.replace(
                after, submitted_at=None
            )  # media had refused it: nothing was sent
        if after.stage in FINAL:
            after = msgspec.structs.replace(after, settled_at=_moment(self._clock()))
        found.view = after
        if (before.stage, before.agent) != (after.stage, after.agent):
            self._publish(after)
        if after.stage in FINAL or (before.stage is CaptureStage.CHARGING) != (
            after.stage is CaptureStage.CHARGING
        ):
            self._persist(found)

    def _persist(self, found: _Open) -> None:
        if not self._closed:
            # Queued at once, so that whatever is asked of the table from now on finds it written.
            first = self._run(self._table.put, found.view) if found.in_call else None
            self._writing.start(self._put(found, found.view, first), "payment")

    async def _put(self, found: _Open, view: PaymentView, first: asyncio.Future[None] | None) -> None:
        pause, recorded = _RETRY[0], False
        while True:
            try:
                if view.stage in FINAL and not found.in_call:
                    await self._complete_record(found)
                    recorded = True
                await (first or self._run(self._table.put, view, is_recorded=recorded))
            except sqlite3.Error as error:
                log.error(
                    "payment_not_written",
                    hint="it is tried again",
                    idempotency_key=view.id,
                    exc_info=error,
                )
                await asyncio.sleep(pause)
                first, view, pause = None, found.view, min(2 * pause, _RETRY[1])
                continue
            if view.stage in FINAL:
                self._open.pop(view.id, None)
            return

    async def _complete_record(self, found: _Open) -> None:
        record = await self._run(self._table.waiting_record, found.view.id)
        if record is not None:
            self._kept.discard(found.view.id)
            self.record_call(completed(record, found.view))
        found.in_call = True  # the record is on its way: it is not written again

    async def _ask_table(self, work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        if self._closed:
            raise NotWell(_NOT_WRITTEN)
        try:
            return await self._run(work, *arguments, **keywords)
        except sqlite3.Error as error:
            log.error("payment_table_failed", key="[cdr] payments", exc_info=error)
            raise NotWell(_NOT_WRITTEN) from None

    def _run(self, work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> asyncio.Future[R]:
        def noting_errors() -> R:
            try:
                return work(*arguments, **keywords)
            except sqlite3.Error as error:
                self._error = str(error)
                raise

        return asyncio.get_running_loop().run_in_executor(self._thread, noting_errors)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _shared(capture: CaptureView) -> dict[str, object]:
    """What a payment has of its capture."""
    names = ("stage", "agent", "taken_over_by", "brand", "last_four", "outcome", "reason")
    return {name: getattr(capture, name) for name in names}


def _known(charged: Iterable[PaymentView]) -> tuple[str, ...]:
    """Those whose outcome is known to whoever repeats the order; of one that is being charged it is
    not."""
    return tuple(each.id for each in charged if each.outcome is not None)


def _charge(view: PaymentView) -> Charge:
    return Charge(
        idempotency_key=view.id,
        transaction_id=view.order.transaction_id,
        amount=view.order.amount,
        currency=view.order.currency,
    )
