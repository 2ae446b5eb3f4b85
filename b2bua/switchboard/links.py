"""Keeps payment links: each is a payment that no card is keyed for, and outlives its call.

Rule 1: a link is on disk before the provider is to open it, in one transaction with the check that
        nothing else charged the order; while it is open, nothing else does.
Rule 2: what was handed over and got no answer is asked for by its key: the reconciler has the link,
        or what became of it; or its request alone, which is repeated under its key; or has never
        had it, and then it was not sent and never will be.
Rule 3: a link that an agent closes is over when the provider says so: closed, or paid before.
Rule 4: a step is on disk before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from b2bua.call.link import LinkState, Recipient
from b2bua.call.order import RequestName
from b2bua.call.view import CaptureStage, NoSuchPayment, NotWell, PaymentView, Repeated
from b2bua.switchboard.follow_ups import AWAY
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.link_service import LinkService
from b2bua.switchboard.link_steps import Change, close_requested, ended, opened, seconds_of
from b2bua.switchboard.payment_storage import PaymentStorage
from provider_adapters.payment import (
    APPROVALS,
    FINAL_REASONS,
    LINK_CLOSED,
    LINK_EXPIRED,
    Failed,
    Link,
    LinkRequest,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.messages import GONE, Finding, Findings
from tonewall.log import get_logger

log = get_logger(__name__)
_MIN_PAUSE, _MAX_PAUSE = 1.0, 5.0  # seconds between two questions about one link
_MAX_REQUEST_PAUSE = 60.0  # and between two requests to open or to close it
_OPENING_LIFE = 600.0  # seconds after which one that does not open is closed
_MOST_AT_ONCE = 100
_FIRST_RETRY = 1.0  # seconds until a write is tried again
# The reconciler has read what an earlier process sent it when it was asked so often, for so many
# seconds.
_ABSENT: Final = (3, 5.0)
_REMEMBERED: Final = 3 * 86_400.0  # seconds for which a journal certainly knows a key
_LIFE = 7 * 86_400.0  # seconds after its time is over that a link is followed


@dataclass(slots=True)
class _Open:
    """A link that is not over. `asking`: the answer to a request is awaited; `known`: the
    reconciler has its request; `absent`: how often it has said that it has not, and `absent_since`
    when."""

    view: PaymentView
    asking: bool = False
    known: bool = False
    writing: bool = False
    next_at: float = 0.0
    pause: float = _MIN_PAUSE
    absent: int = 0
    absent_since: float = 0.0
    request_at: float = 0.0
    request_pause: float = _MIN_PAUSE

    @property
    def state(self) -> LinkState:
        assert self.view.link is not None
        return self.view.link.state

    @property
    def is_opened(self) -> bool:
        return self.view.link is not None and bool(self.view.link.url)


class Links:
    """All payment links. `service`: who takes them; `publish` gets each payment that changed.
    `clock` gives seconds since the epoch and never runs backwards."""

    def __init__(
        self,
        storage: PaymentStorage,
        clock: Callable[[], float],
        publish: Callable[[PaymentView], None],
        service: LinkService,
    ) -> None:
        self._storage, self._clock, self._publish = storage, clock, publish
        self._service = service
        self._open: dict[str, _Open] = {}

    async def resume(self) -> None:
        """Go on with links that earlier processes left open. Raises sqlite3.Error."""
        for view in await self._storage.run(self._storage.table.open):
            if view.stage is CaptureStage.LINKED and view.id not in self._open:
                self._open[view.id] = _Open(view)
                self._publish(view)
        await self._service.resume()

    async def begin(
        self, reconciler: Reconciler, view: PaymentView, to: Recipient, name: RequestName | None
    ) -> PaymentView:
        """Write the payment, and have its link opened. Raises Repeated and NotWell; then nothing
        was sent."""
        table, now = self._storage.table, self._clock()
        charged = await self._storage.ask(table.submit_saved, view, name, now, to)
        if charged:
            raise Repeated(charged)
        each = self._open[view.id] = _Open(view, asking=True)
        self._publish(view)
        self._storage.tasks.start(self._hand_over(reconciler, each), "link")
        return view

    async def close(self, reconciler: Reconciler | None, payment_id: str, agent: str) -> PaymentView:
        """Have a link closed. Raises NoSuchPayment, NotNow and NotWell; then nothing was sent."""
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        changed = await self._storage.ask(self._storage.table.links.change, payment_id, close_requested)
        if changed is None:
            raise NoSuchPayment
        view, _ = changed
        log.info("link_closing", agent=agent, payment=payment_id)
        each = self._open.get(payment_id)
        if each is not None:
            each.view, each.request_at, each.request_pause = view, 0.0, _MIN_PAUSE
            self._publish(view)
            self.ask(reconciler)
        return view

    def due(self) -> tuple[str, ...]:
        """The links to ask about now, those first that have waited longest."""
        now = self._clock()
        waiting = [each for each in self._open.values() if not each.asking and each.next_at <= now]
        found = sorted(waiting, key=lambda each: each.next_at)[:_MOST_AT_ONCE]
        for each in found:
            each.next_at = now + each.pause
            each.pause = min(each.pause * 1.5, _MAX_PAUSE)
        return tuple(each.view.id for each in found)

    def ask(self, reconciler: Reconciler) -> None:
        """Have closed what agents have closed, and opened what got no answer; tell the service what
        waits. Every second or so."""
        self._service.look()
        now = self._clock()
        waiting = [each for each in self._open.values() if not each.asking and each.request_at <= now]
        for each in waiting if reconciler.connected else ():
            is_opening = each.state is LinkState.OPENING and each.known
            is_closing = each.state is LinkState.CLOSING and (each.is_opened or each.known)
            if is_opening or is_closing:
                each.asking = True
                each.request_at = now + each.request_pause
                each.request_pause = min(2 * each.request_pause, _MAX_REQUEST_PAUSE)
                is_late = now - seconds_of(each.view.started_at) > _OPENING_LIFE
                work = self._close if is_closing or is_late else self._hand_over
                self._storage.tasks.start(work(reconciler, each), "link")

    def hurry(self, payment_ids: Collection[str]) -> list[PaymentView]:
        """Ask about these as if they were new; those that are open."""
        chosen = [self._open[key] for key in payment_ids if key in self._open]
        for each in chosen:
            each.next_at, each.pause = 0.0, _MIN_PAUSE
        return [each.view for each in chosen]

    def learn(self, findings: Findings) -> None:
        """Take what the reconciler says of links."""
        for key, finding in findings.found.items():
            each = self._open.get(key)
            if each is not None and not each.asking and not each.writing:
                change = self._change_for(each, finding)
                if change is not None:
                    each.writing = True
                    self._storage.tasks.start(self._write_found(each, change), "link")

    def health(self) -> dict[str, int | bool]:
        """For the health check: how many links are open, and how many messages about links wait
        for the service."""
        return {"open_links": len(self._open)} | self._service.health()

    # --- inside -----------------------------------------------------------------------------------

    def _change_for(self, each: _Open, finding: Finding) -> Change | None:
        """What follows from a finding; None where that is nothing."""
        now, outcome, tells = self._clock(), finding.outcome, self._service.exists
        if outcome is not None and not _is_undecided(outcome):
            return ended(outcome, finding.link, now, tells=tells)
        if finding.link is not None or finding.next_at is not None or outcome is not None:
            each.known, each.absent = True, 0
        elif not each.is_opened and not each.known:
            return self._absent(each, now)
        if finding.link is not None and not each.is_opened:
            return opened(finding.link, now, tells=tells)
        assert each.view.link is not None
        if now - seconds_of(each.view.link.expires_at) > _LIFE:
            log.error("link_not_decided", payment=each.view.id)
            return ended(Unknown(reason="outcome_not_found"), None, now, tells=tells)
        return None

    def _absent(self, each: _Open, now: float) -> Change | None:
        """The reconciler does not have its request, and nobody will send it."""
        if not each.absent:
            each.absent_since = now
        each.absent += 1
        often, seconds = _ABSENT
        if each.absent < often or now - each.absent_since < seconds:
            return None
        is_certain = now - seconds_of(each.view.started_at) < _REMEMBERED
        outcome = Failed(reason="not_sent") if is_certain else Unknown(reason="outcome_not_found")
        return ended(outcome, None, now, tells=self._service.exists)

    async def _hand_over(self, reconciler: Reconciler, each: _Open) -> None:
        view = each.view
        assert view.link is not None
        expires_at = seconds_of(view.link.expires_at)
        request = LinkRequest(charge=view.order.charge(view.id), expires_at=expires_at)
        answer = await reconciler.open_link(request, view.link.provider)
        now, tells = self._clock(), self._service.exists
        if isinstance(answer, Link):
            await self._write(each, opened(answer, now, tells=tells))
        elif answer.reason in FINAL_REASONS or (
            # Of a request that is repeated this says nothing: the one before arrived.
            isinstance(answer, Failed) and not (each.known and answer.reason == GONE)
        ):
            await self._write(each, ended(answer, None, now, tells=tells))
        else:
            # The request may have reached the provider. Nobody has its address, so nobody pays by
            # it: it is found by its key and sent again under that, or was never noted.
            each.known = each.known or answer.reason != GONE
            log.warning("link_not_answered", reason=answer.reason, payment=view.id)
            each.request_at = now + each.request_pause
        each.asking = False
        self.ask(reconciler)

    async def _close(self, reconciler: Reconciler, each: _Open) -> None:
        assert each.view.link is not None
        answer = await reconciler.close_link(each.view.id, each.view.link.provider)
        is_over = isinstance(answer, APPROVALS) or (
            isinstance(answer, Failed) and answer.reason in (LINK_CLOSED, LINK_EXPIRED)
        )
        if is_over:
            change = ended(answer, None, self._clock(), tells=self._service.exists)
            await self._write(each, change)
        else:
            reason = getattr(answer, "reason", "")
            log.warning("link_not_closed", reason=reason, payment=each.view.id)
        each.asking = False

    async def _write_found(self, each: _Open, change: Change) -> None:
        await self._write(each, change)
        each.writing = False

    async def _write(self, each: _Open, change: Change) -> None:
        key, pause = each.view.id, _FIRST_RETRY
        while True:
            try:
                changed = await self._storage.run(self._storage.table.links.change, key, change)
                break
            except sqlite3.Error as error:
                hint = "it is tried again"
                log.error("payment_not_written", hint=hint, payment=key, exc_info=error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)
        if changed is None:
            return
        view, message = changed
        if view == each.view:
            return
        each.view = view
        log.info("link", state=each.state.value, payment=key)
        if view.stage is not CaptureStage.LINKED:
            self._open.pop(key, None)
        self._publish(view)
        if message is not None:
            self._service.add(message, only=view.stage is not CaptureStage.LINKED)


def _is_undecided(outcome: Outcome) -> bool:
    return isinstance(outcome, Unknown) and outcome.reason not in FINAL_REASONS
