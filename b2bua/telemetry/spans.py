"""Makes the spans of a call: the call, the setup of its legs, its payments and their charges.

Sans-IO: views and call records in, finished spans out. The exporter gives them ids.

Rule 1: an attribute is a row of ATTRIBUTES. None is for a number, a digit, a body, a URL or a
        header's value.
Rule 2: a span is made when its call has ended, of the call record and of the stages that were seen
        meanwhile; a call costs nothing more while it lasts than its stages with their times.
Rule 3: what is remembered is bounded: of a call its newest stages, and of calls the newest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from b2bua.call.cdr import CallRecord, CaptureRecord, LegRecord
from b2bua.call.view import CallView, CaptureStage, MaskStage

ATTRIBUTES: Final[Mapping[str, str]] = {
    "tonewall.call.id": "id of the call, as in the log and in `/v1/calls`",
    "tonewall.call.direction": "`inbound` or `outbound`",
    "tonewall.call.answered": "whether it was answered",
    "tonewall.call.transfers": "number of its transfers",
    "tonewall.trunk": "section of sip.conf: of the leg; of the call, that of the caller",
    "tonewall.side": "`caller` or `agent`",
    "tonewall.sip.status": "final answer to the INVITE",
    "tonewall.payment.id": "id of the payment, as in the log and in `/v1/payments`",
    "tonewall.payment.stage": "stage in which it ended",
    "tonewall.payment.outcome": "outcome, where it was submitted: `approved`, `declined`, …",
    "http.request.method": "method of an API request; `_OTHER`: none of the usual",
    "http.route": "template of its route; none where there is no such route",
    "http.response.status_code": "status of the answer; none where there was none",
}
_MAX_CALLS: Final = 20_000
_MAX_STAGES: Final = 64  # of one call
_FINAL: Final = frozenset({CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED})
_STAGES: Final = frozenset(CaptureStage)
_OUTCOMES: Final = ("approved", "partially_approved", "declined", "failed", "unknown")
_DIRECTIONS: Final = frozenset({"inbound", "outbound"})
Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Span:
    """A finished span with those below it. Times are seconds since the epoch. `events`: name and
    time; `is_client`: a request of ours to somebody; `is_server`: one of somebody to us."""

    name: str
    start: float
    end: float
    attributes: Mapping[str, Value]
    events: tuple[tuple[str, float], ...] = ()
    below: tuple[Span, ...] = ()
    is_error: bool = False
    is_client: bool = False
    is_server: bool = False


@dataclass(slots=True)
class _Seen:
    """What was seen of a call. `stages`: of its captures, by payment, with the time of each."""

    mask: MaskStage = MaskStage.OFF
    masks: list[tuple[str, float]] = field(default_factory=list)
    stages: dict[str, list[tuple[CaptureStage, float]]] = field(default_factory=dict)
    count: int = 0


class CallSpans:
    """The spans of calls. `note_view` takes each view of a call, `end` its record."""

    def __init__(self, max_calls: int = _MAX_CALLS) -> None:
        self._seen: dict[str, _Seen] = {}
        self._max_calls = max_calls

    def __len__(self) -> int:
        """How many calls are remembered."""
        return len(self._seen)

    def note_view(self, view: CallView, now: float) -> None:
        """A call has changed. `now`: seconds since the epoch."""
        seen = self._seen.get(view.id)
        capture = view.capture
        if seen is None:
            if view.mask is MaskStage.OFF and capture is None:
                return
            if len(self._seen) >= self._max_calls:
                del self._seen[next(iter(self._seen))]
            seen = self._seen[view.id] = _Seen()
        if view.mask is not seen.mask and seen.count < _MAX_STAGES:
            seen.mask = view.mask
            seen.masks.append((f"tonewall.mask.{view.mask.value}", now))
            seen.count += 1
        if capture is None or seen.count >= _MAX_STAGES:
            return
        stages = seen.stages.setdefault(capture.id, [])
        if not stages or stages[-1][0] is not capture.stage:
            stages.append((capture.stage, now))
            seen.count += 1

    def end(self, record: CallRecord) -> Span:
        """The spans of a call that has ended."""
        seen = self._seen.pop(record.call, None) or _Seen()
        first = min(
            [record.started_at, *(leg.invited_at for leg in _legs(record) if leg.invited_at is not None)]
        )
        caller = record.caller_leg if record.direction == "inbound" else record.agent_leg
        attributes: dict[str, Value] = {
            "tonewall.call.id": record.call,
            "tonewall.call.answered": record.answered_at is not None,
            "tonewall.call.transfers": record.transfers,
            **({"tonewall.call.direction": record.direction} if record.direction in _DIRECTIONS else {}),
            **_trunk(caller.trunk),
            **_status(record.code),
        }
        ringing = [leg.ringing_at for leg in _legs(record) if leg.ringing_at is not None]
        events = [
            *([("tonewall.ringing", min(ringing))] if ringing else []),
            *([("tonewall.answered", record.answered_at)] if record.answered_at is not None else []),
            *seen.masks,
            ("tonewall.ended", record.ended_at),
        ]
        below = [*_setups(record), *(_payment(record, each, seen) for each in record.captures)]
        end = max([record.ended_at, *(span.end for span in below)])
        events.sort(key=lambda each: each[1])
        return Span("tonewall.call", first, end, attributes, tuple(events), tuple(below))


def request_span(method: str, route: str | None, status: int | None, start: float, end: float) -> Span:
    """The span of an API request. `route`: the template, never the path that was asked for."""
    attributes: dict[str, Value] = {"http.request.method": method if method in _METHODS else "_OTHER"}
    if route is not None:
        attributes["http.route"] = route
    if status is not None:
        attributes["http.response.status_code"] = status
    is_error = status is None or status >= 500
    return Span("tonewall.api", start, end, attributes, is_error=is_error, is_server=True)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _legs(record: CallRecord) -> tuple[LegRecord, LegRecord]:
    return record.caller_leg, record.agent_leg


def _trunk(name: str) -> dict[str, Value]:
    return {"tonewall.trunk": name} if name else {}


def _status(code: int | None) -> dict[str, Value]:
    return {"tonewall.sip.status": code} if code is not None else {}


def _setups(record: CallRecord) -> Iterator[Span]:
    """The setup of each leg: from its INVITE to the final answer."""
    for side, leg in zip(("caller", "agent"), _legs(record), strict=True):
        if leg.invited_at is None:
            continue
        end = leg.answered_at or leg.ended_at or record.ended_at
        events = (("tonewall.ringing", leg.ringing_at),) if leg.ringing_at is not None else ()
        attributes: dict[str, Value] = {"tonewall.call.id": record.call, "tonewall.side": side}
        attributes |= _trunk(leg.trunk) | _status(leg.code)
        is_error = leg.code is not None and leg.code >= 500
        yield Span(
            "tonewall.leg.setup", leg.invited_at, max(end, leg.invited_at), attributes, events,
            is_error=is_error,
        )  # fmt: skip


def _payment(record: CallRecord, capture: CaptureRecord, seen: _Seen) -> Span:
    stages = seen.stages.get(capture.payment, [])
    start = stages[0][1] if stages else record.answered_at or record.started_at
    end = next((at for stage, at in stages if stage in _FINAL), record.ended_at)
    attributes: dict[str, Value] = {
        "tonewall.call.id": record.call,
        "tonewall.payment.id": capture.payment,
        **({"tonewall.payment.stage": capture.stage} if capture.stage in _STAGES else {}),
    }
    outcome: dict[str, Value] = {}
    if capture.outcome in _OUTCOMES:
        outcome = {"tonewall.payment.outcome": capture.outcome}
    charged = next((at for stage, at in stages if stage is CaptureStage.CHARGING), None)
    below: tuple[Span, ...] = ()
    if charged is not None:
        ids = {name: attributes[name] for name in ("tonewall.call.id", "tonewall.payment.id")}
        is_error = capture.outcome in ("failed", "unknown")
        below = (
            Span(
                "tonewall.charge", charged, max(end, charged), {**ids, **outcome},
                is_error=is_error, is_client=True,
            ),
        )  # fmt: skip
    events = tuple((f"tonewall.payment.{stage.value}", at) for stage, at in stages)
    return Span("tonewall.payment", start, max(start, end), {**attributes, **outcome}, events, below)
