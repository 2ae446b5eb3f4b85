"""The table of call detail records: one row a call, both legs side by side.

Rule 1: a row is made from a `CallRecord` and from nothing else, so that it holds what a record may
        hold: no digit but `last_four`, inside `captures`.
Rule 2: times are UTC; a database without time zones (SQLite) holds them as UTC too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

from b2bua.call.cdr import CallRecord, LegRecord

METADATA = MetaData()
_COUNTS = ("received", "sent", "masked", "foreign_source", "malformed", "reports", "lost")
_ARRIVALS = ("expected", "missing")
_ESTIMATES = ("arrival_jitter_ms", "mos", "heard_mos")
_TEXT = 255  # characters; what is longer is cut


def _leg(name: str) -> list[Column[Any]]:
    return [
        Column(f"{name}_trunk", String(_TEXT)),
        *(
            Column(f"{name}_{what}_at", DateTime(timezone=True))
            for what in ("invited", "ringing", "answered", "ended")
        ),
        Column(f"{name}_code", Integer),
        Column(f"{name}_cause", Integer),
        Column(f"{name}_codec", String(_TEXT)),
        *(Column(f"{name}_{what}", BigInteger) for what in _COUNTS),
        Column(f"{name}_jitter_ms", Float),
        *(Column(f"{name}_{what}", BigInteger) for what in _ARRIVALS),
        *(Column(f"{name}_{what}", Float) for what in _ESTIMATES),
    ]


CALLS = Table(
    "calls",
    METADATA,
    Column("call", String(64), primary_key=True),
    Column("direction", String(16), nullable=False),
    Column("caller", String(_TEXT), nullable=False),
    Column("callee", String(_TEXT), nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("answered_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("talk_seconds", Float, nullable=False),
    Column("end", String(_TEXT), nullable=False),
    Column("code", Integer),
    Column("transfers", Integer, nullable=False),
    Column("withheld", Integer, nullable=False),
    *_leg("caller"),
    *_leg("agent"),
    Column("capture_outcome", String(64)),
    Column("captures", JSON, nullable=False),
    Index("calls_ended_at", "ended_at"),
)
VERSION = Table("tonewall_schema", METADATA, Column("version", Integer, primary_key=True))
SCHEMA = 4  # raised when the columns of CALLS change
# How tables of an older version become those of the next; in words that SQLite and PostgreSQL both
# understand.
UPGRADES = {
    1: (
        "ALTER TABLE calls ADD COLUMN caller_cause INTEGER",
        "ALTER TABLE calls ADD COLUMN agent_cause INTEGER",
    ),
    2: tuple(
        f"ALTER TABLE calls ADD COLUMN {name}_{what} {kind}"
        for name in ("caller", "agent")
        for names, kind in ((_ARRIVALS, "BIGINT"), (_ESTIMATES, "FLOAT"))
        for what in names
    ),
    3: tuple(
        f"ALTER TABLE calls RENAME COLUMN {name}_strangers TO {name}_foreign_source"
        for name in ("caller", "agent")
    ),
}


def row(record: CallRecord) -> dict[str, Any]:
    """The row of one call. `capture_outcome`: the outcome of the last capture, its stage where it
    has none."""
    last = record.captures[-1] if record.captures else None
    answered = record.answered_at
    return {
        "call": record.call,
        "direction": record.direction,
        "caller": record.caller[:_TEXT],
        "callee": record.callee[:_TEXT],
        "started_at": _time(record.started_at),
        "answered_at": _time(answered),
        "ended_at": _time(record.ended_at),
        "talk_seconds": round(record.ended_at - answered, 3) if answered is not None else 0.0,
        "end": record.end[:_TEXT],
        "code": record.code,
        "transfers": record.transfers,
        "withheld": record.withheld,
        **_leg_values("caller", record.caller_leg),
        **_leg_values("agent", record.agent_leg),
        "capture_outcome": (last.outcome or last.stage) if last else None,
        "captures": [msgspec.to_builtins(capture) for capture in record.captures],
    }


def plain(record: CallRecord) -> dict[str, Any]:
    """The row with its texts in printable ASCII, which every encoding of a database has; what else
    there was is `?`."""
    return {name: _ascii(value) for name, value in row(record).items()}


def _ascii(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(each if " " <= each <= "~" else "?" for each in value)
    if isinstance(value, list):
        return [_ascii(each) for each in value]
    return {name: _ascii(each) for name, each in value.items()} if isinstance(value, dict) else value


def _leg_values(name: str, leg: LegRecord) -> dict[str, Any]:
    return {
        f"{name}_trunk": leg.trunk,
        **{
            f"{name}_{what}_at": _time(getattr(leg, f"{what}_at"))
            for what in ("invited", "ringing", "answered", "ended")
        },
        f"{name}_code": leg.code,
        f"{name}_cause": leg.cause,
        f"{name}_codec": leg.codec,
        **{f"{name}_{what}": getattr(leg.counters, what, None) for what in (*_COUNTS, *_ARRIVALS)},
        f"{name}_jitter_ms": leg.jitter_ms,
        **{f"{name}_{what}": getattr(leg, what) for what in _ESTIMATES},
    }


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
