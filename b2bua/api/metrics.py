"""Counts calls, payments, packets and voice quality for Prometheus.

Rule 1: the values of every label are in this file, in an enumeration, or names of sections of
        sip.conf. None comes from a call or a stranger, so that none can hold a digit of a card or
        anybody's number, and there are few.
Rule 2: calls that ended are counted from their records, as the database gets them; gauges, and what
        has no call, come from the desk.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from b2bua.access.sign_in import SignInResult
from b2bua.api.schema import problem_answers, text_answer
from b2bua.api.sip_metrics import SipMetrics
from b2bua.call.cdr import CallRecord, LegRecord
from b2bua.call.desk import CallDesk
from b2bua.call.service_view import FAULT_KINDS, Fault, Stops, takes_calls
from b2bua.call.tallies import Tallies
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CaptureStage
from provider_adapters.payment import DIFFERENCES
from provider_adapters.reconciler.messages import WebhookRefusal
from tonewall.version import VERSION

_DIRECTIONS = frozenset({"inbound", "outbound"})
_OUTCOMES = frozenset({"approved", "partially_approved", "declined", "failed", "unknown", *CaptureStage})
_PACKETS = ("received", "sent", "masked", "foreign_source", "malformed", "expected", "missing")
_REGISTERED = ("registered", "refreshing")
_LOSS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_JITTER = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_SCORES = (1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.4)
_GAUGES = {
    "calls": "Calls that there are.",
    "legs": "SIP legs that there are.",
    "sessions": "Sessions in the media process.",
    "payers": "Payer processes that wait for a charge.",
    "reconciler": "Whether the reconciler process is connected.",
    "unknown_payments": "Payments of which nobody knows whether they were charged.",
    "oldest_unknown_payment": "Seconds since the oldest of them was started.",
    "contradicted_payments": "Claims of the provider's that contradict what was decided, since the "
    "reconciler started.",
    "open_follow_ups": "Captures, voids and refunds of which nobody knows whether they were done.",
    "open_links": "Payment links that are open, or whose end is not known.",
    "waiting_webhooks": "Messages to the service that takes payment links, which it has not taken.",
    "oldest_waiting_webhook": "Seconds since the oldest of them was written.",
    "prepared_payments": "Payments that are prepared, and wait for a call or for an agent.",
    "payment_waiting_webhooks": "Messages to the service that hears of payments, which it has not taken.",
    "payment_oldest_waiting_webhook": "Seconds since the oldest of them was written.",
    "event_waiting_webhooks": "Events that services of [webhook NAME] have not accepted.",
    "event_oldest_waiting_webhook": "Seconds since the oldest of them was written.",
    "event_failed_webhooks": "Events that were given up within a day.",
    "uncopied_audit_lines": "Lines of the audit log that its copies do not have yet.",
    "oldest_uncopied_audit_line": "Seconds since the oldest of them was written.",
    "open_circuits": "Providers that are passed by, because their circuit breaker is open.",
    "listed_files": "Files of the release that this installation is compared with; 0: it has no manifest.",
    "changed_files": "Files that are not those of the release.",
    "filtered": "Whether a filter of system calls holds the b2bua process.",
    "descriptors": "Open file descriptors of the media process.",
}
_TOTALS = {
    "leaks": "Keys that got through a mask and were stopped by the canary, since the media process started.",
    "decided_payments": "Unknown payments whose outcome was found later.",
    "given_up_webhooks": "Messages to that service that were given up, since the process started.",
    "payment_given_up_webhooks": "Messages to the service that hears of payments that were given up.",
    "dropped_payment_webhooks": "Those for which there was no room.",
    "event_dropped_webhooks": "Events for which there was no room.",
    "strangers": "Requests of nobody's trunk that were refused.",
}


class Metrics:
    """Counters of one process: `observe` takes each record, `render` makes the text of a scrape."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry = CollectorRegistry()
        self.sip = SipMetrics(registry, clock)
        self._seen: dict[tuple[str, str], int] = {}  # of the tallies, at the last scrape
        self._calls = Counter(
            "tonewall_calls_ended", "Calls that ended.", ["direction", "answered"], registry=registry
        )
        self._talk = Counter("tonewall_talk_seconds", "Seconds from answer to end.", registry=registry)
        self._payments = Counter(
            "tonewall_payments", "Payments, by how they ended.", ["outcome"], registry=registry
        )
        self._sign_ins = Counter(
            "tonewall_sign_ins", "Tries to sign in by a password.", ["result"], registry=registry
        )
        self._not_exported = Counter(
            "tonewall_telemetry_dropped",
            "Spans and exports of metrics that the OTLP endpoint did not accept, or for which there was no"
            " room.",
            ["kind"],
            registry=registry,
        )
        for kind in ("spans", "metrics"):
            self._not_exported.labels(kind)
        self._differences = Counter(
            "tonewall_payment_differences",
            "Approvals of another amount or currency than was asked for; look each up at the provider.",
            ["reason"],
            registry=registry,
        )
        for reason in DIFFERENCES:  # an alarm needs the zero before
            self._differences.labels(reason)
        self._packets = Counter(
            "tonewall_packets", "Packets of calls that ended.", ["side", "what"], registry=registry
        )
        self._loss = Histogram(
            "tonewall_loss_ratio",
            "Audio that did not come, of each call's side.",
            ["side"],
            buckets=_LOSS,
            registry=registry,
        )
        self._jitter = Histogram(
            "tonewall_jitter_seconds",
            "Jitter at the end, of each side.",
            ["side"],
            buckets=_JITTER,
            registry=registry,
        )
        self._score = Histogram(
            "tonewall_mos",
            "Estimated score of what came from a side.",
            ["side"],
            buckets=_SCORES,
            registry=registry,
        )
        self._heard = Histogram(
            "tonewall_heard_mos",
            "Estimated score of what a side's phone reports.",
            ["side"],
            buckets=_SCORES,
            registry=registry,
        )

    def count_not_exported(self, kind: str, count: int) -> None:
        """Count spans, or exports of metrics, that were dropped. For any thread."""
        self._not_exported.labels(kind).inc(count)

    def count_sign_in(self, result: SignInResult) -> None:
        """Count a try to sign in by a password."""
        self._sign_ins.labels(result).inc()

    def observe(self, record: CallRecord) -> None:
        """Count a call that has ended."""
        answered = record.answered_at is not None
        self._calls.labels(_known(record.direction, _DIRECTIONS), "yes" if answered else "no").inc()
        self._talk.inc(max(record.ended_at - record.answered_at, 0) if record.answered_at is not None else 0)
        for capture in record.captures:
            self._payments.labels(_known(capture.outcome or capture.stage, _OUTCOMES)).inc()
            if capture.reason in DIFFERENCES:
                self._differences.labels(capture.reason).inc()
        self._observe_leg("caller", record.caller_leg)
        self._observe_leg("agent", record.agent_leg)

    def _observe_leg(self, side: str, leg: LegRecord) -> None:
        counters = leg.counters
        if counters is None:
            return
        for what in _PACKETS:
            self._packets.labels(side, what).inc(getattr(counters, what))
        if counters.expected:
            self._loss.labels(side).observe(counters.missing / counters.expected)
            self._jitter.labels(side).observe(counters.arrival_jitter / 1e6)
        for histogram, score in ((self._score, leg.mos), (self._heard, leg.heard_mos)):
            if score is not None:
                histogram.labels(side).observe(score)

    def _observe_saved(self, tallies: Tallies) -> None:
        """Add the charges of saved cards that ended since the last scrape."""
        for name, counter, counts in (
            ("saved", self._payments, tallies.saved),
            ("differences", self._differences, tallies.differences),
        ):
            for word, count in counts.items():
                counter.labels(word).inc(count - self._seen.get((name, word), 0))
                self._seen[name, word] = count

    def render(
        self,
        health: Mapping[str, int | bool],
        faults: Sequence[Fault] = (),
        tallies: Tallies | None = None,
        trunks: Sequence[TrunkView] = (),
    ) -> bytes:
        """In Prometheus' text format. `health`, `faults`, `tallies` and `trunks`: those of
        `CallDesk`."""
        tallies = tallies or Tallies()
        self._observe_saved(tallies)
        now = CollectorRegistry()
        now.register(_Gauges(health, faults, tallies, trunks))
        return generate_latest(self._registry) + generate_latest(now)

    def of_desk(self, desk: CallDesk) -> Iterator[Metric]:
        """The families that `render` makes text of, for another way out."""
        tallies = desk.tallies()
        self._observe_saved(tallies)
        yield from self._registry.collect()
        yield from _Gauges(desk.health(), desk.faults(), tallies, desk.trunks()).collect()


class _Gauges:
    """The state of the desk at this moment, as a collector of Prometheus."""

    def __init__(
        self,
        health: Mapping[str, int | bool],
        faults: Sequence[Fault],
        tallies: Tallies,
        trunks: Sequence[TrunkView],
    ) -> None:
        self._health, self._faults, self._tallies, self._trunks = health, faults, tallies, trunks

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "tonewall_media_up", "Whether media is connected.", int(self._health.get("media", 0))
        )
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"tonewall_{name}", text, int(self._health.get(name, 0)))
        stopped = {fault.stops for fault in self._faults}
        faulty = GaugeMetricFamily(
            "tonewall_stopped", "Whether a fault stops this, as in /healthz.", labels=["what"]
        )
        for what in Stops:
            faulty.add_metric([what], int(what in stopped))
        yield faulty
        present = {fault.what for fault in self._faults}
        kinds = GaugeMetricFamily("tonewall_fault", "Whether /healthz has this fault.", labels=["what"])
        for kind in FAULT_KINDS:
            kinds.add_metric([kind], int(kind in present))
        yield kinds
        yield GaugeMetricFamily(
            "tonewall_takes_calls", "Whether calls are taken, as in /readyz.", int(takes_calls(self._faults))
        )
        build = GaugeMetricFamily("tonewall_build_info", "What runs.", labels=["version", "python"])
        build.add_metric([VERSION, platform.python_version()], 1)
        yield build
        yield from self._of_trunks()
        refused = CounterMetricFamily(
            "tonewall_refused_webhooks",
            "Webhooks that were refused, since the reconciler started.",
            labels=["provider", "reason"],
        )
        for provider, counts in self._tallies.refused_webhooks.items():
            for reason in WebhookRefusal:
                refused.add_metric([provider, reason], counts.get(reason, 0))
        yield refused
        for name, text in _TOTALS.items():
            yield CounterMetricFamily(f"tonewall_{name}", text, int(self._health.get(name, 0)))

    def _of_trunks(self) -> Iterator[Metric]:
        legs = GaugeMetricFamily("tonewall_trunk_legs", "Legs that a trunk has.", labels=["trunk", "kind"])
        refused = CounterMetricFamily(
            "tonewall_trunk_refused", "Calls that a trunk's limits have refused.", labels=["trunk"]
        )
        hops = GaugeMetricFamily(
            "tonewall_trunk_hops",
            "Addresses of a trunk, by whether new calls go there.",
            labels=["trunk", "usable"],
        )
        registered = GaugeMetricFamily(
            "tonewall_trunk_registered",
            "Whether we are registered there, where we are to be.",
            labels=["trunk"],
        )
        for trunk in self._trunks:
            legs.add_metric([trunk.name, trunk.kind], trunk.calls)
            refused.add_metric([trunk.name], trunk.refused)
            usable = sum(hop.usable for hop in trunk.hops)
            hops.add_metric([trunk.name, "yes"], usable)
            hops.add_metric([trunk.name, "no"], len(trunk.hops) - usable)
            if trunk.registration is not None:
                registered.add_metric([trunk.name], trunk.registration in _REGISTERED)
        yield from (legs, refused, hops, registered)


def _known(value: str, among: frozenset[str]) -> str:
    return value if value in among else "other"


def metrics_routes(metrics: Metrics, desk: CallDesk) -> APIRouter:
    """`GET /metrics`."""
    router = APIRouter(tags=["service"])

    @router.get(
        "/metrics",
        operation_id="get_metrics",
        summary="Counts for Prometheus",
        responses={200: text_answer("The counts."), **problem_answers(401)},
    )
    async def scrape() -> Response:
        """In Prometheus' text format. No label holds anything of a call."""
        return Response(
            metrics.render(desk.health(), desk.faults(), desk.tallies(), desk.trunks()),
            media_type=CONTENT_TYPE_PLAIN_0_0_4,
        )

    return router
