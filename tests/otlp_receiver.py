"""An OTLP receiver, as a collector is one: HTTP with protobuf, decoded by OpenTelemetry's own
messages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came. `above`: the id of the span that it is a part of; empty for a root."""

    name: str
    id: bytes
    above: bytes
    trace: bytes
    attributes: dict[str, Any]
    events: list[str]
    seconds: float


@dataclass
class OtlpReceiver:
    """What came so far. `raw`: every octet; `headers`: of each request; `status`: the answer."""

    port: int = 0
    status: int = 200
    raw: bytearray = field(default_factory=bytearray)
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name == name]

    def take(self, path: str, body: bytes) -> None:
        """A request came."""
        self.raw += body
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource |= _values(resource.resource.attributes)
                for scope in resource.scope_spans:
                    self.spans += map(_span, scope.spans)
        else:
            assert path == "/v1/metrics"
            for metered in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resource |= _values(metered.resource.attributes)
                self.metrics |= {each.name: each for scope in metered.scope_metrics for each in scope.metrics}


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _span(span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        span.name, span.span_id, span.parent_span_id, span.trace_id, _values(span.attributes),
        [event.name for event in span.events], (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )  # fmt: skip


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """One that listens while the block runs."""
    receiver = OtlpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            if receiver.status == 200:
                receiver.take(self.path, body)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
