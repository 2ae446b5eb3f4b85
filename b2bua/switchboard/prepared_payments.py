"""Keeps payments that are prepared before their call is there, and binds each to the call that it
fits.

Rule 1: a prepared payment is on disk before anybody hears of it. Which call it is bound to is
        known here alone: a process that takes calls up finds it anew.
Rule 2: each is bound to one call at a time: of those that fit, the one that was answered first.
Rule 3: the capture that starts has the payment's id: it is started once, and never for two calls.
Rule 4: every transition is in PREPARED_TRANSITIONS.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from b2bua.call.order import RequestName
from b2bua.call.prepared import (
    PREPARED_OVER,
    CallFacts,
    PreparedEvent,
    PreparedState,
    PreparedView,
    TooMany,
    keys_of,
)
from b2bua.call.state import CAPTURE_TRANSITIONS, PREPARED_TRANSITIONS, CaptureEvent, step
from b2bua.call.view import CaptureStage, NoSuchCall, NoSuchPayment, NotNow, PaymentView, Repeated
from b2bua.switchboard.payment_storage import PaymentStorage
from b2bua.switchboard.payment_views import timestamp
from tonewall.log import get_logger

log = get_logger(__name__)
MAX_PREPARED: Final = 10_000
_MAX_ALSO = 4  # other calls that fit, in a view
_EXPIRED = "No call came for this payment in its time; nothing was charged."
_TWICE = "This order is prepared already. Cancel that payment first."
_CODE_TAKEN = "Another prepared payment has this code. Use another one."
_NO_CALL = "No call fits this payment yet."
_STARTING = "The payment is being started."


@dataclass(slots=True)
class _Prepared:
    """One that is not over. `expires_at`: seconds since the epoch."""

    view: PaymentView
    expires_at: float

    @property
    def prepared(self) -> PreparedView:
        assert self.view.prepared is not None
        return self.view.prepared


@dataclass(slots=True)
class PreparedPayments:
    """All prepared payments. `publish` gets each one that changed; `clock` gives seconds since the
    epoch and never runs backwards; `calls`: the calls that are answered now, the first first;
    `bound` hears of each payment that found its call."""

    storage: PaymentStorage
    clock: Callable[[], float]
    publish: Callable[[PaymentView], None]
    calls: Callable[[], Iterable[CallFacts]] = tuple
    bound: Callable[[PaymentView], None] = lambda _: None
    most: int = MAX_PREPARED
    _all: dict[str, _Prepared] = field(default_factory=dict)
    _index: dict[tuple[str, str], dict[str, _Prepared]] = field(default_factory=dict)
    # Those that are bound to a call, or fit it as well, by the call.
    _of_call: dict[str, dict[str, _Prepared]] = field(default_factory=dict)
    _adding: dict[str, PaymentView] = field(default_factory=dict)  # that are being written

    async def resume(self) -> None:
        """Go on with payments that earlier processes left prepared. Raises sqlite3.Error."""
        for view in await self.storage.run(self.storage.table.open):
            if view.stage is CaptureStage.PREPARED and view.prepared is not None and view.id not in self._all:
                expires_at = datetime.fromisoformat(view.prepared.expires_at).timestamp()
                self._keep(_Prepared(view, expires_at))

    async def prepare(self, view: PaymentView, name: RequestName | None) -> PaymentView:
        """Write a payment, and bind it where its call is there already. Raises NotNow, Repeated,
        TooMany and NotWell; then there is no such payment."""
        prepared = view.prepared
        assert prepared is not None
        if len(self._all) + len(self._adding) >= self.most:
            raise TooMany("There are too many prepared payments. Cancel some, or wait until they expire.")
        for other in (*self._adding.values(), *(each.view for each in self._all.values())):
            if other.order.transaction_id == view.order.transaction_id:
                raise NotNow(_TWICE)
            if (
                prepared.find_by.code
                and other.prepared
                and other.prepared.find_by.code == prepared.find_by.code
            ):
                raise NotNow(_CODE_TAKEN)
        self._adding[view.id] = view
        try:
            table = self.storage.table
            charged = await self.storage.ask(table.submit_saved, view, name, self.clock())
            if charged:
                raise Repeated(charged)
        finally:
            del self._adding[view.id]
        each = _Prepared(view, datetime.fromisoformat(prepared.expires_at).timestamp())
        self._keep(each)
        self.publish(view)
        for facts in self.calls():
            self._offer(each, facts)
        return each.view

    def find(self, payment_id: str) -> PaymentView | None:
        """The payment, while it is prepared."""
        found = self._all.get(payment_id)
        return found.view if found is not None else None

    def newest(self, most: int) -> list[PaymentView]:
        """Those that are prepared now, the newest first."""
        return [each.view for each in reversed(self._all.values())][:most]

    def of_call(self, call_id: str) -> list[PaymentView]:
        """Those that are bound to a call, the oldest first."""
        fitting = self._of_call.get(call_id, {}).values()
        return [each.view for each in fitting if each.view.call == call_id]

    # --- calls ------------------------------------------------------------------------------------

    def match(self, facts: CallFacts, code: str = "") -> list[PaymentView]:
        """Bind what fits a call that is answered, or whose agent has keyed a code: the payments
        that are bound to it now, the oldest first."""
        keys = {("code", code)} if code else keys_of(facts)
        found = {key: each for index in keys for key, each in self._index.get(index, {}).items()}
        for each in sorted(found.values(), key=lambda each: each.view.started_at):
            self._offer(each, facts, code)
        return self.of_call(facts.call)

    def leave(self, call_id: str) -> None:
        """A call ended, or another customer is in it: what was bound to it waits for the next, or
        has it."""
        fitting = self._of_call.pop(call_id, {}).values()
        left = [each for each in fitting if each.view.call == call_id]
        for each in fitting:
            also = tuple(other for other in each.prepared.also_fits if other != call_id)
            if each in left:
                self._move(each, PreparedEvent.CALL_LEFT, also_fits=also, bound_at=None, refusal="")
            elif also != each.prepared.also_fits:
                self._change(each, also_fits=also)
        for each in left:
            for facts in self.calls():
                self._offer(each, facts)

    # --- the start --------------------------------------------------------------------------------

    def begin(self, payment_id: str) -> PaymentView:
        """Start one, in the call that it is bound to: `finish` or `refuse` follows. Raises
        NoSuchPayment and NotNow."""
        each = self._find(payment_id)
        if each.prepared.state is PreparedState.WAITING:
            raise NotNow(_NO_CALL)
        if each.prepared.state is PreparedState.STARTING:
            raise NotNow(_STARTING)
        self._move(each, PreparedEvent.START)
        return each.view

    def check_started(self, payment_id: str, call_id: str) -> PaymentView:
        """The payment, where it is being started in this call still. Raises NoSuchCall."""
        each = self._all.get(payment_id)
        if each is None or each.prepared.state is not PreparedState.STARTING or each.view.call != call_id:
            raise NoSuchCall
        return each.view

    def finish(self, payment_id: str) -> PaymentView:
        """Its capture was started: it is the payment of its call from now on."""
        each = self._all[payment_id]
        self._drop(each)
        state = step(PREPARED_TRANSITIONS, each.prepared.state, PreparedEvent.STARTED)
        prepared = msgspec.structs.replace(each.prepared, state=state, also_fits=(), refusal="")
        return msgspec.structs.replace(each.view, prepared=prepared)

    def refuse(self, payment_id: str, why: str) -> None:
        """Its capture could not be started; it stays bound. `why`: fit for the agent's eyes."""
        each = self._all.get(payment_id)
        if each is not None and each.prepared.state is PreparedState.STARTING:
            self._move(each, PreparedEvent.REFUSED, refusal=why)

    # --- the end ----------------------------------------------------------------------------------

    async def cancel(self, payment_id: str, agent: str) -> PaymentView:
        """Prepare it no more. Raises NoSuchPayment, NotNow and NotWell."""
        each = self._find(payment_id)
        if each.prepared.state is PreparedState.STARTING:
            raise NotNow(_STARTING)
        view = self._ended(each, PreparedEvent.CANCELLED, CaptureEvent.CANCELLED)
        view = msgspec.structs.replace(view, agent=agent)
        self._drop(each)  # nobody starts it meanwhile
        try:
            await self.storage.ask(self.storage.table.put, view)
        except BaseException:
            self._keep(each)
            raise
        log.info("payment_prepared", state="cancelled", agent=agent, payment=payment_id)
        self.publish(view)
        return view

    def look(self) -> None:
        """End those whose time is over, and that wait for their call still; every second or so."""
        now = self.clock()
        late = [
            each
            for each in self._all.values()
            if each.expires_at <= now and each.prepared.state is PreparedState.WAITING
        ]
        for each in late:
            view = self._ended(each, PreparedEvent.EXPIRED, CaptureEvent.EXPIRED)
            view = msgspec.structs.replace(view, reason=_EXPIRED)
            self._drop(each)
            # Queued at once, so that a later question to the table finds it written.
            written = self.storage.run(self.storage.table.put, view)
            self.storage.tasks.start(self._write(view, written), "payment")
            self.publish(view)

    def health(self) -> dict[str, int | bool]:
        """For the health check: how many payments are prepared."""
        return {"prepared_payments": len(self._all)}

    # --- inside -----------------------------------------------------------------------------------

    def _find(self, payment_id: str) -> _Prepared:
        each = self._all.get(payment_id)
        if each is None:
            raise NoSuchPayment
        return each

    def _keep(self, each: _Prepared) -> None:
        self._all[each.view.id] = each
        self._index.setdefault(each.prepared.find_by.key, {})[each.view.id] = each

    def _drop(self, each: _Prepared) -> None:
        self._all.pop(each.view.id, None)
        key = each.prepared.find_by.key
        indexed = self._index.get(key, {})
        indexed.pop(each.view.id, None)
        if not indexed:
            self._index.pop(key, None)
        for call in (each.view.call, *each.prepared.also_fits):
            fitting = self._of_call.get(call, {})
            fitting.pop(each.view.id, None)
            if not fitting:
                self._of_call.pop(call, None)

    def _offer(self, each: _Prepared, facts: CallFacts, code: str = "") -> None:
        """Bind a payment to a call, where it fits and is bound to none."""
        if each.view.id not in self._all or not each.prepared.find_by.fits(facts, code):
            return
        if each.prepared.state is PreparedState.WAITING:
            if each.expires_at > self.clock():
                self._of_call.setdefault(facts.call, {})[each.view.id] = each
                also = tuple(other for other in each.prepared.also_fits if other != facts.call)
                at = timestamp(self.clock())
                self._move(each, PreparedEvent.CALL_FITS, facts.call, bound_at=at, also_fits=also)
                log.info("payment_prepared", state="bound", call=facts.call, payment=each.view.id)
                self.bound(each.view)
            return
        also = each.prepared.also_fits
        if facts.call not in (each.view.call, *also) and len(also) < _MAX_ALSO:
            self._of_call.setdefault(facts.call, {})[each.view.id] = each
            self._change(each, also_fits=(*also, facts.call))

    def _move(
        self, each: _Prepared, event: PreparedEvent, call: str | None = None, **changes: object
    ) -> None:
        state = step(PREPARED_TRANSITIONS, each.prepared.state, event)
        if state is PreparedState.WAITING:
            call = ""
        if call is not None:
            each.view = msgspec.structs.replace(each.view, call=call)
        self._change(each, state=state, **changes)

    def _change(self, each: _Prepared, **changes: object) -> None:
        prepared = msgspec.structs.replace(each.prepared, **changes)
        each.view = msgspec.structs.replace(each.view, prepared=prepared)
        self.publish(each.view)

    def _ended(self, each: _Prepared, event: PreparedEvent, stage: CaptureEvent) -> PaymentView:
        state = step(PREPARED_TRANSITIONS, each.prepared.state, event)
        assert state in PREPARED_OVER
        return msgspec.structs.replace(
            each.view,
            call="",
            stage=step(CAPTURE_TRANSITIONS, CaptureStage.PREPARED, stage),
            prepared=msgspec.structs.replace(each.prepared, state=state, also_fits=()),
            settled_at=timestamp(self.clock()),
        )

    async def _write(self, view: PaymentView, written: asyncio.Future[None]) -> None:
        try:
            await written
        # The next process reads that its time is over.
        except sqlite3.Error as error:
            log.error("payment_not_written", payment=view.id, exc_info=error)
