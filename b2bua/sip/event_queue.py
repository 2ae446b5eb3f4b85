"""Event queue: events for calls and deferred work, until the work under way has returned.

Rule 1: first in, first out, be it an event for a call or deferred work of the engine's own.
Rule 2: nothing in the queue runs from within a command, `open_client` or `send_response`: a user of
        these is not re-entered.
Rule 3: an item that raises is counted and logged, and the next one runs all the same.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from b2bua.call.leg import LegEvent, LegId
from tonewall.log import get_logger

log = get_logger(__name__)


class EventQueue:
    """One per engine. `call_soon`: of the event loop; `on_settled`: called once the queue is
    empty."""

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        count: Counter[str],
        on_event: Callable[[LegId, LegEvent], None],
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._call_soon, self._count = call_soon, count
        self._on_event, self._on_settled = on_event, on_settled
        self._items: deque[tuple[LegId, LegEvent] | Callable[[], None]] = deque()
        self._is_running = False  # the queue will be drained anyway
        self._is_scheduled = False

    def emit(self, leg: LegId, event: LegEvent) -> None:
        """Queue an event for the call of a leg."""
        self._append((leg, event))

    def defer(self, work: Callable[[], None]) -> None:
        """Queue work of the engine's own."""
        self._append(work)

    def _append(self, item: tuple[LegId, LegEvent] | Callable[[], None]) -> None:
        self._items.append(item)
        if not self._is_running and not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self.drain)

    def run(self, work: Callable[[], None]) -> None:
        """Do work at once, then all that it has queued. Nothing raises out of here."""
        self._is_running = True
        try:
            work()
        except Exception as error:
            # A bug of ours must not stop the calls; it is counted and logged, without the message.
            self._count["errors"] += 1
            log.error("sip_receive_failed", exc_info=error)
        finally:
            self._is_running = False
        self.drain()

    def drain(self) -> None:
        """Empty the queue; what its items queue in turn follows at its end. From within an item
        this does nothing: the queue is emptied anyway."""
        if self._is_running:
            return
        self._is_scheduled, self._is_running = False, True
        try:
            while self._items:
                self._run_item(self._items.popleft())
        finally:
            self._is_running = False
        self._on_settled()

    def _run_item(self, item: tuple[LegId, LegEvent] | Callable[[], None]) -> None:
        if callable(item):
            self._run_work(item)
            return
        leg, event = item
        try:
            self._on_event(leg, event)
        except Exception as error:
            self._count["errors"] += 1
            log.error("leg_event_failed", leg=leg, kind=type(event).__name__, exc_info=error)

    def _run_work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._count["errors"] += 1
            log.error("sip_deferred_work_failed", exc_info=error)
