"""Counts calls, payments and what the mask stopped in a period, from the records of calls.

Rule 1: counts alone: no number of a caller, no reference of a payment.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from b2bua.config.cdr_settings import CdrSettings
from b2bua.records.export import rows
from b2bua.records.store import StoreError, connect

_CANARY = "about to be heard by the agent"  # of the reason that media gives


def count_records(settings: CdrSettings, since: datetime, until: datetime) -> dict[str, Any]:
    """Counts of the calls that started in [since, until), or why there are none."""
    url = settings.url.get_secret_value()
    try:
        engine = connect(url)
        file = engine.url.database
        if engine.dialect.name == "sqlite" and file and not Path(file).exists():
            return {"fault": "there is no database of call records"}
        return _count(engine, since, until)
    except (StoreError, SQLAlchemyError) as error:  # whose text may quote the URL
        return {"fault": f"the database of call records cannot be read ({type(error).__name__})"}


def _count(engine: sqlalchemy.Engine, since: datetime, until: datetime) -> dict[str, Any]:
    found = Counter[str]()
    outcomes, stages, reasons = Counter[str](), Counter[str](), Counter[str]()
    try:
        for row in rows(engine, since, until):
            found["calls"] += 1
            found["sip_infos_withheld"] += row["withheld"]
            found["packets_kept_from_agents"] += row["agent_masked"] or 0
            for payment in row["captures"]:
                found["payments"] += 1
                stages[payment["stage"]] += 1
                if payment.get("outcome"):
                    outcomes[payment["outcome"]] += 1
                reason = payment.get("reason") or ""
                found["canary_alarms"] += _CANARY in reason
                if reason:
                    reasons[reason] += 1
    finally:
        engine.dispose()
    counts = dict.fromkeys(("calls", "payments", "canary_alarms"), 0) | dict(found)
    return {**counts, "outcomes": dict(outcomes), "stages": dict(stages), "reasons": dict(reasons)}
