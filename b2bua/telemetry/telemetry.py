"""Connects the b2bua process to what exports its spans and metrics; where nothing is asked for, it
does nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from fastapi import FastAPI
from prometheus_client.core import Metric

from b2bua.call.cdr import CallRecord
from b2bua.call.desk import CallDesk
from b2bua.call.view import CallView
from b2bua.telemetry.choice import TelemetryChoice, read_choice
from b2bua.telemetry.requests import RequestSpans
from b2bua.telemetry.spans import CallSpans
from tonewall.tasks import BackgroundTasks

if TYPE_CHECKING:
    from b2bua.telemetry.otlp import MetricExport, SpanExport

# Seconds from the end of a call to its spans: the views of its last turn are read by then.
_SETTLE: Final = 0.5
_CLOSE: Final = 2.0  # seconds that the last exports have when the process stops
_AGAIN: Final = 1.0  # seconds until a feed that ended is followed again


class Metered(Protocol):
    """The metrics of this process, as `/metrics` has them."""

    def of_desk(self, desk: CallDesk) -> Iterable[Metric]:
        """Every family as it is now."""

    def count_not_exported(self, kind: str, count: int) -> None:
        """Count spans, or exports of metrics, that were dropped. For any thread."""


class Telemetry:
    """The exports of this process. `clock`: seconds since the epoch, as call records have them."""

    def __init__(self, choice: TelemetryChoice, clock: Callable[[], float], metered: Metered) -> None:
        self._choice, self._clock, self._metered = choice, clock, metered
        self._tasks = BackgroundTasks()
        self._desk: CallDesk | None = None
        self._calls = CallSpans()
        self._ended: deque[CallRecord] = deque()
        self._spans: SpanExport | None = None
        self._metrics: MetricExport | None = None
        if choice:
            # The SDK is an extra, and costs a start 0.3 s.
            from b2bua.telemetry import otlp  # noqa: PLC0415

            self._spans = otlp.SpanExport(metered.count_not_exported) if choice.traces else None
            self._metrics = otlp.MetricExport(metered.count_not_exported) if choice.metrics else None

    def end_call(self, record: CallRecord) -> None:
        """A call has ended. Never waits."""
        if self._spans is not None:
            self._ended.append(record)
            asyncio.get_running_loop().call_later(_SETTLE, self._export_call)

    def _export_call(self) -> None:
        if self._ended and self._spans is not None:
            self._spans.put(self._calls.end(self._ended.popleft()))

    def keeping(self, *keepers: Callable[[CallRecord], None]) -> Callable[[CallRecord], None]:
        """What gives each call record to all of them, and makes spans of it."""

        def keep(record: CallRecord) -> None:
            for each in (*keepers, self.end_call):
                each(record)

        return keep

    def start(self, app: FastAPI, desk: CallDesk) -> None:
        """Make a span of each request to this app, follow the calls of the desk, and export its
        metrics now and then."""
        self._desk = desk
        if self._spans is not None:
            app.add_middleware(RequestSpans, put=self._spans.put)  # added last: outermost
            self._tasks.start(self._follow(desk), "traces")
        if self._metrics is not None:
            self._tasks.start(self._export_metrics(self._metrics, desk), "metrics")

    async def _follow(self, desk: CallDesk) -> None:
        while True:
            async for view in desk.follow():
                if isinstance(view, CallView):
                    self._calls.note_view(view, self._clock())
            await asyncio.sleep(_AGAIN)

    async def _export_metrics(self, metrics: MetricExport, desk: CallDesk) -> None:
        while True:
            await asyncio.sleep(self._choice.interval)
            metrics.put(self._metered.of_desk(desk))

    async def close(self) -> None:
        """Export what is left, within two seconds."""
        await self._tasks.cancel()
        while self._ended:
            self._export_call()
        if self._metrics is not None and self._desk is not None:
            self._metrics.put(self._metered.of_desk(self._desk))
        closing = [each.close for each in (self._spans, self._metrics) if each is not None]
        await asyncio.gather(*(asyncio.to_thread(close, _CLOSE) for close in closing))


def open_telemetry(environment: Mapping[str, str], clock: Callable[[], float], metered: Metered) -> Telemetry:
    """What OTEL_* variables ask for. Raises ConfigError."""
    return Telemetry(read_choice(environment), clock, metered)
