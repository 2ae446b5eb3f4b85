"""Exports spans and metrics by the SDK of OpenTelemetry; loaded only where it is asked for.

Rule 1: the SDK makes ids, samples (OTEL_TRACES_SAMPLER), encodes and sends. It measures and
        instruments nothing by itself, and no context of a trace goes to a provider or a peer.
Rule 2: metrics are those of `/metrics`, read from the same families; nothing is counted twice.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtlpMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from prometheus_client.core import Metric

from b2bua.telemetry.outlet import Outlet
from b2bua.telemetry.spans import Span
from tonewall.version import VERSION

_SCOPE: Final = "tonewall"
_METRICS: Final = 1  # exports of metrics that may wait: a newer one has all of an older one
_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
for _name in ("opentelemetry", "urllib3"):  # what is not exported, `Outlet` logs once
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False
OnDrop = Callable[[str, int], None]


def _resource() -> Resource:
    """Of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, which win."""
    own = {"service.name": "tonewall", "service.version": VERSION}
    given = Resource.create()
    name = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return given if name else given.merge(Resource(own))


class SpanExport:
    """Exports spans."""

    def __init__(self, on_drop: OnDrop) -> None:
        exporter = OTLPSpanExporter()

        def export(spans: Sequence[ReadableSpan]) -> bool:
            return exporter.export(spans) is SpanExportResult.SUCCESS

        self._outlet: Outlet[ReadableSpan] = Outlet("spans", export, lambda count: on_drop("spans", count))
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(_ToOutlet(self._outlet))
        self._tracer = provider.get_tracer(_SCOPE, VERSION)
        self.close = self._outlet.close

    def put(self, span: Span, above: Any = None) -> None:
        """Export this span with those below it. Never waits."""
        kind = SpanKind.CLIENT if span.is_client else SpanKind.SERVER if span.is_server else SpanKind.INTERNAL
        made = self._tracer.start_span(
            span.name,
            set_span_in_context(above) if above is not None else None,
            kind,
            dict(span.attributes),
            start_time=_nanoseconds(span.start),
        )
        for name, at in span.events:
            made.add_event(name, timestamp=_nanoseconds(at))
        if span.is_error:
            made.set_status(Status(StatusCode.ERROR))
        for each in span.below:
            self.put(each, made)
        made.end(_nanoseconds(span.end))


class _ToOutlet(SpanProcessor):
    def __init__(self, outlet: Outlet[ReadableSpan]) -> None:
        self._outlet = outlet

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._outlet.put(span)


class MetricExport:
    """Exports the families of `/metrics`."""

    def __init__(self, on_drop: OnDrop) -> None:
        exporter = OTLPMetricExporter()

        def export(data: Sequence[MetricsData]) -> bool:
            return exporter.export(data[-1]) is MetricExportResult.SUCCESS

        self._outlet: Outlet[MetricsData] = Outlet(
            "metrics", export, lambda count: on_drop("metrics", count), limit=_METRICS, pause=0.0
        )
        self._resource, self._started = _resource(), time.time_ns()
        self._scope = InstrumentationScope(_SCOPE, VERSION)
        self.close = self._outlet.close

    def put(self, families: Iterable[Metric]) -> None:
        """Export these families as they are now. Never waits."""
        metrics = list(_translated(families, self._started, time.time_ns()))
        scoped = ScopeMetrics(self._scope, metrics, "")
        self._outlet.put(MetricsData([ResourceMetrics(self._resource, [scoped], "")]))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def metric_name(name: str) -> str:
    """Its name by OTLP: a dot behind the name of the program."""
    return name.replace("tonewall_", "tonewall.", 1)


def _translated(families: Iterable[Metric], started: int, now: int) -> Iterator[OtlpMetric]:
    for family in families:
        data: Sum | Gauge | Histogram
        if family.type == "histogram":
            data = Histogram(list(_histograms(family, started, now)), _CUMULATIVE)
        else:
            wanted = f"{family.name}_total" if family.type == "counter" else family.name
            points = [
                NumberDataPoint(dict(each.labels), started, now, each.value)
                for each in family.samples
                if each.name == wanted
            ]
            data = Sum(points, _CUMULATIVE, True) if family.type == "counter" else Gauge(points)
        yield OtlpMetric(metric_name(family.name), family.documentation, "", data)


def _histograms(family: Metric, started: int, now: int) -> Iterator[HistogramDataPoint]:
    """A histogram of Prometheus counts what is below each bound; one of OTLP, what is between
    two."""
    groups: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for each in family.samples:
        labels = tuple(sorted((name, value) for name, value in each.labels.items() if name != "le"))
        group = groups.setdefault(labels, {"buckets": []})
        if each.name.endswith("_bucket"):
            group["buckets"].append((float(each.labels["le"]), each.value))
        elif each.name.endswith("_sum"):
            group["sum"] = each.value
        elif each.name.endswith("_count"):
            group["count"] = each.value
    for labels, group in groups.items():
        buckets = sorted(group["buckets"])
        counts = [int(count) for _, count in buckets]
        between = [count - before for count, before in zip(counts, [0, *counts], strict=False)]
        bounds = [bound for bound, _ in buckets[:-1]]
        yield HistogramDataPoint(
            dict(labels), started, now, int(group["count"]), group["sum"], between, bounds,
            float("nan"), float("nan"),
        )  # fmt: skip
