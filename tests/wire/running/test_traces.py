"""A paid call through a whole Tonewall, as a collector of OpenTelemetry sees it; and calls that go
on where there is no collector."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tests.canary import CANARY, find_in_text
from tests.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

SECRET = "x-key=secret-of-the-collector"
VARIABLE = b"OTEL_EXPORTER_OTLP_ENDPOINT="


def only(spans: list[ReceivedSpan], **attributes: Any) -> ReceivedSpan:
    """The one span with these attributes, a dot of whose names is written `__`."""
    [found] = [
        span
        for span in spans
        if all(span.attributes.get(name.replace("__", ".")) == value for name, value in attributes.items())
    ]
    return found


async def paid(wire: Line, order: str) -> str:
    call_id = await wire.dial()
    await wire.keyed(call_id, CANARY.keys, order)
    await wire.stack.submit(call_id)
    await wire.stack.stage(call_id, "finished")
    await wire.hang_up()
    await wire.no_sessions()
    return call_id


async def scraped(wire: Line) -> str:
    answer = await wire.stack.api.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def look_at(receiver: OtlpReceiver, call_id: str) -> None:
    """The spans of the call, and those of the requests that drove it."""
    call = only(receiver.named("tonewall.call"), tonewall__call__id=call_id)
    assert call.attributes["tonewall.trunk"] == "carrier"
    assert call.attributes["tonewall.sip.status"] == 200
    for event in ("ringing", "answered", "mask.on", "ended"):
        assert f"tonewall.{event}" in call.events
    of_it = [span for span in receiver.spans if span.trace == call.trace]
    legs = {span.attributes["tonewall.side"]: span for span in of_it if span.name == "tonewall.leg.setup"}
    assert {side: leg.attributes["tonewall.trunk"] for side, leg in legs.items()} == {
        "caller": "carrier",
        "agent": "pbx",
    }
    [payment] = [span for span in of_it if span.name == "tonewall.payment"]
    [charge] = [span for span in of_it if span.name == "tonewall.charge"]
    assert {leg.above for leg in legs.values()} | {payment.above} == {call.id}
    assert charge.above == payment.id
    assert charge.attributes["tonewall.payment.outcome"] == "approved"
    assert "tonewall.payment.collecting" in payment.events
    submitted = only(receiver.named("tonewall.api"), http__route="/v1/calls/{call_id}/capture/submit")
    assert submitted.attributes["http.request.method"] == "POST"
    assert submitted.attributes["http.response.status_code"] == 200
    assert call_id not in str(receiver.named("tonewall.api"))  # a path may have a number in it


def knows_the_collector(pid: int) -> bool:
    return VARIABLE in Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_paid_call_is_traced_without_a_digit_and_goes_on_without_a_collector(peers: Peers) -> None:
    collector = contextlib.ExitStack()
    receiver = collector.enter_context(otlp_receiver())
    headers = peers.directory / "headers"
    headers.write_text(SECRET)
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(headers),
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_METRIC_EXPORT_INTERVAL": "300",
        "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=tests",
    }
    with collector:
        async with line(peers, environment=environment) as wire:
            call_id = await paid(wire, "order-1")
            await until(lambda: receiver.named("tonewall.call"), "the spans of the call")
            look_at(receiver, call_id)
            await until(lambda: "tonewall.calls_ended" in receiver.metrics, "the metrics")
            await until(
                lambda: receiver.metrics["tonewall.calls_ended"].sum.data_points[0].as_double == 1.0,
                "the ended call to be counted",
            )
            assert receiver.resource["service.instance.id"] == "tests"
            assert {each.get("x-key") for each in receiver.headers} == {"secret-of-the-collector"}
            # Only b2bua exports; no other process knows where.
            running = wire.stack.pids().items()
            knowing = {kind for kind, pids in running for pid in pids if knows_the_collector(pid)}
            assert knowing == {"b2bua", "supervisor", "keeper"}
            collector.close()
            await paid(wire, "order-2")
            await until(lambda: wire.log("telemetry_not_exported"), "the log to say that nothing is exported")
            assert 'tonewall_telemetry_dropped_total{kind="spans"} 0.0' not in await scraped(wire)
    assert not find_in_text(receiver.raw.decode("latin-1"))
    assert SECRET.partition("=")[2] not in wire.stack.log.read_text()
