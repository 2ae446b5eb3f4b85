"""Traces and metrics by OTLP, where OTEL_* variables ask for them; see docs/tracing.md."""
