"""Draws `tonewall top`: what a running Tonewall is doing, as lines of a terminal's width.

Rule 1: a line has printable characters only, and no more than the width: names and numbers come
        from peers.
Rule 2: of a telephone number there are the last two digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView
from provider_adapters.payment import outcome_type

MIN_LINES: Final = 10
_MAX_FAULTS, _MAX_TRUNKS = 4, 6
_NUMBERS: Final = (
    ("calls", "calls"),
    ("payers", "payers"),
    ("unknown_payments", "unknown payments"),
    ("open_follow_ups", "open follow-ups"),
    ("leaks", "keys got through masks"),
)
_TRUNKS: Final = "{:<20} {:<8} {:>6} {:>8}  {:<12} {}"
_CALLS: Final = "{:<10} {:>8} {:<3} {:<7} {:<4} {:<4} {:<10} {:<4} {}"


@dataclass(frozen=True, slots=True)
class Picture:
    """What was read at one moment. `health`: as /healthz has it; `calls`: None where this token may
    not see them; `trouble`: why nothing newer could be read; "" where it could."""

    health: Mapping[str, Any]
    trunks: tuple[TrunkView, ...] = ()
    calls: tuple[CallView, ...] | None = None
    trouble: str = ""


def draw(picture: Picture, now: datetime, width: int, height: int) -> list[str]:
    """The lines of a screen of this size: at most `height`, none wider than `width`."""
    lines = [_head(picture, now), _numbers(picture.health)]
    faults = [f"! {_fault(each)}" for each in picture.health.get("faults", ())]
    lines += _some(faults, _MAX_FAULTS, "faults")
    lines += ["", _TRUNKS.format("TRUNK", "KIND", "CALLS", "REFUSED", "REGISTERED", "USABLE")]
    lines += _some([_trunk(each) for each in picture.trunks], _MAX_TRUNKS, "trunks")
    lines += ["", _CALLS.format("CALL", "AGE", "WAY", "STATE", "FROM", "TO", "AGENT", "MASK", "PAYMENT")]
    if picture.calls is None:
        lines.append("this token may not see calls; a supervisor's may")
    else:
        calls = sorted(picture.calls, key=lambda each: (not _pays(each), each.started_at))
        lines += _some([_call(each, now) for each in calls], max(1, height - len(lines)), "calls")
    return [_plain(line)[:width] for line in lines[: max(MIN_LINES, height)]]


def _head(picture: Picture, now: datetime) -> str:
    status = str(picture.health.get("status", "not known"))
    head = f"tonewall  {now.astimezone(UTC):%H:%M:%S} UTC  {status}"
    return f"{head}  NOT NOW: {picture.trouble}" if picture.trouble else head


def _numbers(health: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {health[key]}" for key, name in _NUMBERS if key in health)


def _fault(fault: Mapping[str, Any]) -> str:
    stops = f" (stops {fault['stops']})" if fault.get("stops") else ""
    return f"{fault.get('what')}{stops}: {fault.get('says')}"


def _trunk(trunk: TrunkView) -> str:
    usable = f"{sum(hop.usable for hop in trunk.hops)} of {len(trunk.hops)}"
    return _TRUNKS.format(
        trunk.name[:20], trunk.kind[:8], trunk.calls, trunk.refused, (trunk.registration or "-")[:12], usable
    )


def _pays(call: CallView) -> bool:
    return call.masked or (call.capture is not None and call.capture.outcome is None)


def _call(call: CallView, now: datetime) -> str:
    way = {"inbound": "in", "outbound": "out"}.get(call.direction, "")
    agent = call.agent or (call.capture.agent if call.capture is not None else "")
    return _CALLS.format(
        call.id[:10], _age(call.started_at, now), way, call.state.value[:7], _last_two(call.caller),
        _last_two(call.callee), agent[:10], call.mask.value[:4], _payment(call),
    )  # fmt: skip


def _payment(call: CallView) -> str:
    capture = call.capture
    if capture is None:
        return "-"
    if capture.outcome is not None:
        return outcome_type(capture.outcome)
    return f"{capture.stage.value} {capture.field or ''}".rstrip()


def _age(started_at: str, now: datetime) -> str:
    try:
        seconds = max(0, int((now - datetime.fromisoformat(started_at)).total_seconds()))
    except (ValueError, TypeError):
        return "-"
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _last_two(number: str) -> str:
    return f"…{number[-2:]}" if number[-2:].isdecimal() else "-"


def _some(rows: list[str], most: int, what: str) -> list[str]:
    if len(rows) <= most:
        return rows or [f"no {what}"] if what != "faults" else rows
    return [*rows[: most - 1], f"… and {len(rows) - most + 1} more {what}"]


def _plain(line: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in line).rstrip()


def read_health(body: bytes) -> dict[str, Any]:
    """The answer of /healthz. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(body, type=dict[str, Any])
