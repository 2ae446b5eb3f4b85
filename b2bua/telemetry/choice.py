"""Reads what OTEL_* variables ask for, without the SDK of OpenTelemetry.

Rule 1: the variables are those of OpenTelemetry's specification; the supervisor hands them to b2bua
        alone.
Rule 2: nothing is asked for where no endpoint and no exporter is named.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonewall.ini import ConfigError
from tonewall.secret_file import read_secret

_PREFIX: Final = "OTEL_"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HTTP: Final = "http/protobuf"
_HEADERS: Final = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
_EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http"
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_MAX_INTERVAL: Final = 86_400_000  # milliseconds: a day


@dataclass(frozen=True, slots=True)
class TelemetryChoice:
    """What is exported. `interval`: seconds between two exports of metrics."""

    traces: bool = False
    metrics: bool = False
    interval: float = 60.0

    def __bool__(self) -> bool:
        return self.traces or self.metrics


def telemetry_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables for b2bua, with headers that a file holds (`…_HEADERS_FILE`) read from it.
    Raises ConfigError, which quotes no value of a header."""
    chosen = {name: value for name, value in given.items() if name.startswith(_PREFIX) and value}
    for name in _HEADERS:
        file = chosen.pop(f"{name}_FILE", "")
        if not file:
            continue
        if name in chosen:
            raise ConfigError(f"{name} and {name}_FILE: expected one of the two")
        try:
            chosen[name] = read_secret(Path(file), f"{name}_FILE")
        except ValueError as error:
            raise ConfigError(str(error)) from None
    return chosen


def read_choice(environment: Mapping[str, str]) -> TelemetryChoice:
    """What these variables ask for. Raises ConfigError for what cannot be had, the missing extra
    included."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return TelemetryChoice()
    choice = TelemetryChoice(
        _is_wanted(environment, "TRACES"), _is_wanted(environment, "METRICS"), _interval(environment)
    )
    if choice and not is_installed():
        raise ConfigError(
            "OTEL_*: OpenTelemetry is asked for and not installed: run `pip install 'tonewall[otel]'`,"
            " or set OTEL_SDK_DISABLED=true"
        )
    return choice


def is_installed() -> bool:
    """Whether the extra `tonewall[otel]` is there."""
    try:
        return importlib.util.find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def _is_wanted(environment: Mapping[str, str], signal: str) -> bool:
    """Whether a signal is exported: `TRACES` or `METRICS`."""
    own = f"OTEL_EXPORTER_OTLP_{signal}"
    exporter = environment.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if exporter == "none":
        return False
    if exporter not in ("", "otlp"):
        raise ConfigError(f"OTEL_{signal}_EXPORTER: expected otlp or none")
    if not exporter and not (environment.get(_ENDPOINT) or environment.get(f"{own}_ENDPOINT")):
        return False
    for name in (f"{own}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = environment.get(name, "").strip()
        if protocol and protocol != _HTTP:
            raise ConfigError(f"{name}: expected {_HTTP}")
        if protocol:
            break
    return True


def _interval(environment: Mapping[str, str]) -> float:
    text = environment.get(_INTERVAL, "60000").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 8 and 1 <= int(text) <= _MAX_INTERVAL):
        raise ConfigError(f"{_INTERVAL}: expected milliseconds, {_MAX_INTERVAL} at most")
    return int(text) / 1000
