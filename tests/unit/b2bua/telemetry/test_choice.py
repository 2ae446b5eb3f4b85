"""What OTEL_* variables ask for, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.telemetry import choice
from b2bua.telemetry.choice import TelemetryChoice, read_choice, telemetry_environment
from tonewall.ini import ConfigError

AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
SECRET = "Authorization=Bearer%20s3cret"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, TelemetryChoice()),
        (AT, TelemetryChoice(traces=True, metrics=True)),
        (AT | {"OTEL_SDK_DISABLED": "TRUE"}, TelemetryChoice()),
        (AT | {"OTEL_TRACES_EXPORTER": "none"}, TelemetryChoice(metrics=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, TelemetryChoice(traces=True)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x/"}, TelemetryChoice(metrics=True)),
        (
            AT | {"OTEL_METRIC_EXPORT_INTERVAL": "1500", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            TelemetryChoice(traces=True, metrics=True, interval=1.5),
        ),
    ],
)
def test_variables_ask_for_traces_and_metrics(given: dict[str, str], expected: TelemetryChoice):
    assert read_choice(given) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "9" * 5000),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_name(name: str, value: str):
    with pytest.raises(ConfigError, match=name):
        read_choice(AT | {name: value})


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(choice, "_EXPORTER", "no_such_package.exporter")
    with pytest.raises(ConfigError, match=r"pip install 'tonewall\[otel\]'"):
        read_choice(AT)
    assert not read_choice({})


def test_b2bua_gets_these_variables_alone_and_headers_out_of_their_file(tmp_path: Path):
    file = tmp_path / "headers"
    file.write_text(f"{SECRET}\n")
    given = AT | {"PATH": "/bin", "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(file)}
    assert telemetry_environment(given) == AT | {"OTEL_EXPORTER_OTLP_HEADERS": SECRET}
    with pytest.raises(ConfigError, match="expected one of the two") as caught:
        telemetry_environment(given | {"OTEL_EXPORTER_OTLP_HEADERS": SECRET})
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_HEADERS_FILE"):
        telemetry_environment({"OTEL_EXPORTER_OTLP_HEADERS_FILE": str(tmp_path / "none")})
