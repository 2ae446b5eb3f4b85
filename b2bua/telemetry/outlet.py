"""Hands what is to be exported to a thread of its own, and never waits for it.

Rule 1: `put` never blocks: where `limit` items wait, the newest is dropped and counted.
Rule 2: a batch that could not be exported is dropped and counted; the log has one entry when that
        begins, and one when it is over.
Rule 3: the thread ends with the process, whatever the exporter waits for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tonewall.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)


class Outlet(Generic[T]):
    """One kind of items on its way out. `export`: sends a batch, and says whether it was accepted;
    it runs in the thread. `pause`: seconds in which items gather; `on_drop`: called with a
    number of dropped items, in any thread."""

    def __init__(
        self,
        kind: str,
        export: Callable[[Sequence[T]], bool],
        on_drop: Callable[[int], None],
        *,
        limit: int = 2048,
        batch: int = 512,
        pause: float = 1.0,
    ) -> None:
        self._kind, self._export, self._on_drop = kind, export, on_drop
        self._limit, self._batch, self._pause = limit, batch, pause
        self._waiting: deque[T] = deque()
        self._wake = threading.Condition()
        self._closing = self._is_failing = False
        self._lost = 0  # since the first failure
        self._thread = threading.Thread(target=self._run, name=f"otlp-{kind}", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Export it at some time."""
        with self._wake:
            is_full = len(self._waiting) >= self._limit
            if not is_full:
                self._waiting.append(item)
                self._wake.notify()
        if is_full:
            self._drop(1)

    def close(self, seconds: float) -> None:
        """Export what waits, within so many seconds. Blocks."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                if not self._closing and len(self._waiting) < self._batch:
                    self._wake.wait_for(lambda: self._closing, self._pause)
                items = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._send(items)

    def _send(self, items: Sequence[T]) -> None:
        started = time.monotonic()
        try:
            is_accepted, error = self._export(items), None
        except Exception as raised:
            is_accepted, error = False, raised
        if not is_accepted:
            self._drop(len(items))
        if is_accepted == self._is_failing:
            self._is_failing = not is_accepted
            if is_accepted:
                log.info("telemetry_exported_again", kind=self._kind, count=self._lost)
                self._lost = 0
            else:
                log.warning(
                    "telemetry_not_exported", kind=self._kind, count=self._lost,
                    seconds=round(time.monotonic() - started, 1),
                    hint="see OTEL_EXPORTER_OTLP_ENDPOINT; calls go on", exc_info=error,
                )  # fmt: skip

    def _drop(self, count: int) -> None:
        self._lost += count
        self._on_drop(count)
