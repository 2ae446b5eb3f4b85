"""What is read behind the mask, and what the mask does to speech: a short form of docs/leak-report.md, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.leak.codec import PCMA
from tests.leak.core import Masked
from tests.leak.report import REQUIRED, SHOWN, false_masks, table
from tests.leak.report import measure as read

from .rows import Result, Row

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LeakPlan:
    """`presses` for each condition, and `minutes` of speech alone."""

    presses: int = 200
    minutes: float = 30.0


SHORT = LeakPlan(presses=20, minutes=2.0)


def measure(plan: LeakPlan, say: Say = lambda _: None) -> Result:
    """Leaked presses under the conditions under which there may be none, and stretches of speech that were taken for a key."""
    say(f"mask: {plan.presses} presses a condition, three decoders")
    rows = read(Masked, [*REQUIRED, *SHOWN], plan.presses, shown=False)
    required = rows[: len(REQUIRED)]
    say(f"mask: {plan.minutes:g} minutes of speech")
    voice = false_masks(Masked, plan.minutes * 60, 1, payload_type=PCMA)
    presses = sum(row.presses for row in required)
    figures = [
        Row("leaked_presses", sum(row.leaked["union"] for row in required), f"of {presses}"),
        Row("false_masks_per_10_minutes", round(len(voice.changed) / voice.seconds * 600, 2), "stretches"),
        Row("false_mask_longest_ms", max(voice.changed, default=0.0), "ms"),
    ]
    runs = [
        {"benchmark": "mask", "condition": row.name, "leaked": dict(row.leaked), "control": dict(row.control)}
        for row in rows
    ]
    return Result(figures, runs, tables=[table(rows, "Presses that decoders read behind the mask")])
