"""Exports to a receiver over HTTP: what arrives, and what happens where nothing does."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Counted

from b2bua.telemetry.otlp import MetricExport, SpanExport
from b2bua.telemetry.outlet import Outlet
from b2bua.telemetry.spans import Span
from tests.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.stack import PATIENCE, free_port


class Drops(Counter[str]):
    """How much was dropped, by kind."""

    def drop(self, kind: str, count: int) -> None:
        self[kind] += count


@pytest.fixture
def drops() -> Drops:
    return Drops()


def sent_to(patched: pytest.MonkeyPatch, url: str) -> None:
    patched.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    patched.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=tests")


CALL = Span(
    "tonewall.call", 100.0, 160.0, {"tonewall.call.id": "c-1"}, (("tonewall.ended", 160.0),),
    (Span("tonewall.leg.setup", 100.0, 104.0, {"tonewall.sip.status": 200}),),
)  # fmt: skip


def test_spans_arrive_with_their_times_and_in_one_trace(monkeypatch: pytest.MonkeyPatch, drops: Drops):
    with otlp_receiver() as receiver:
        sent_to(monkeypatch, receiver.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=tests")
        export = SpanExport(drops.drop)
        export.put(CALL)
        export.close(PATIENCE)
        leg, call = sorted(receiver.spans, key=lambda span: span.seconds)
    assert (call.name, call.seconds, call.events) == ("tonewall.call", 60.0, ["tonewall.ended"])
    assert (leg.name, leg.above, leg.trace) == ("tonewall.leg.setup", call.id, call.trace)
    assert leg.attributes == {"tonewall.sip.status": 200}
    assert receiver.resource["service.name"] == "tonewall"
    assert receiver.resource["deployment.environment"] == "tests"
    assert receiver.headers[0]["x-scope"] == "tests"
    assert not drops


def test_a_sampler_of_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch, drops: Drops):
    with otlp_receiver() as receiver:
        sent_to(monkeypatch, receiver.url)
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        export = SpanExport(drops.drop)
        export.put(CALL)
        export.close(PATIENCE)
        assert (receiver.spans, dict(drops)) == ([], {})


def metered(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, drops: Drops) -> None:
    registry = CollectorRegistry()
    Counted("tonewall_calls_ended", "Calls.", ["direction"], registry=registry).labels("inbound").inc(3)
    Gauge("tonewall_legs", "Legs.", registry=registry).set(2)
    times = Histogram("tonewall_answer_seconds", "Answers.", buckets=(1.0, 5.0), registry=registry)
    for seconds in (0.5, 2.0, 3.0, 9.0):
        times.observe(seconds)
    sent_to(monkeypatch, receiver.url)
    export = MetricExport(drops.drop)
    export.put(registry.collect())
    export.close(PATIENCE)


def test_metrics_are_those_of_prometheus(monkeypatch: pytest.MonkeyPatch, drops: Drops):
    with otlp_receiver() as receiver:
        metered(receiver, monkeypatch, drops)
    assert set(receiver.metrics) == {"tonewall.calls_ended", "tonewall.legs", "tonewall.answer_seconds"}
    [ended] = receiver.metrics["tonewall.calls_ended"].sum.data_points
    assert (ended.as_double, ended.attributes[0].value.string_value) == (3.0, "inbound")
    assert receiver.metrics["tonewall.calls_ended"].sum.is_monotonic
    assert receiver.metrics["tonewall.legs"].gauge.data_points[0].as_double == 2.0
    [answers] = receiver.metrics["tonewall.answer_seconds"].histogram.data_points
    assert list(answers.bucket_counts) == [1, 2, 1]
    assert list(answers.explicit_bounds) == [1.0, 5.0]
    assert (answers.count, answers.sum) == (4, 14.5)


@pytest.mark.parametrize("status", [400, 0])
def test_what_is_not_accepted_is_dropped_and_counted(
    status: int, monkeypatch: pytest.MonkeyPatch, drops: Drops
):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with otlp_receiver() as receiver:
        receiver.status = status or 200
        sent_to(monkeypatch, receiver.url if status else f"http://127.0.0.1:{free_port()}")
        export = SpanExport(drops.drop)
        export.put(CALL)
        export.close(PATIENCE)
        assert (receiver.spans, dict(drops)) == ([], {"spans": 2})


def test_an_exporter_that_hangs_holds_nobody_up_and_what_waits_is_bounded(drops: Drops):
    goes_on, begun = threading.Event(), threading.Event()

    def export(items: object) -> bool:
        begun.set()
        return goes_on.wait(PATIENCE)

    outlet: Outlet[int] = Outlet("spans", export, lambda count: drops.drop("spans", count), limit=5, pause=0)
    outlet.put(0)
    assert begun.wait(PATIENCE)
    for number in range(100):  # returns each time, while the exporter hangs
        outlet.put(number)
    assert drops["spans"] == 95
    goes_on.set()
    outlet.close(PATIENCE)
    assert drops["spans"] == 95
