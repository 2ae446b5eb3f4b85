"""What is read behind the mask, and what the mask does to speech: a short form of
docs/leak-report.md, as a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmark.rows import Result, Row
from tests.leak.core import Masked
from tests.leak.report import ALONE, OTHERS, REQUIRED, SHOWN, Asked, Spoken, run, table, voice_table
from tests.leak.voice import Talk

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LeakPlan:
    """`presses` for each condition, and `minutes` of speech alone."""

    presses: int = 200
    minutes: float = 30.0


SHORT = LeakPlan(presses=20, minutes=2.0)


def measure(plan: LeakPlan, say: Say = lambda _: None) -> Result:
    """Leaked presses under the conditions under which there may be none, and stretches of speech
    that were taken for a key."""
    say(
        f"mask: {plan.presses} presses a condition, three decoders, and {plan.minutes:g} minutes of speech, "
        "twice"
    )
    asked = [Asked(Masked, condition, plan.presses) for condition in (*REQUIRED, *SHOWN, *ALONE, *OTHERS)]
    talk = Talk("speech of the presses", minutes=plan.minutes)
    rows, voices = run(asked, [Spoken(Masked, talk, keys) for keys in (False, True)], shown=False)
    required = rows[: len(REQUIRED)]
    figures = [
        Row(
            "leaked_presses",
            sum(row.leaked["union"] for row in required),
            f"of {sum(row.presses for row in required)}",
        ),
        Row("false_masks_per_10_minutes", round(voices[0].in_10_minutes, 2), "stretches"),
        Row("false_mask_longest_ms", max(voices[0].changed, default=0.0), "ms"),
    ]
    runs = [
        {"benchmark": "mask", "condition": row.name, "leaked": dict(row.leaked), "control": dict(row.control)}
        for row in rows
    ]
    return Result(
        figures,
        runs,
        tables=[
            table(rows, "Presses that decoders read behind the mask"),
            voice_table(voices, "Speech, and speech with a key every 8 s"),
        ],
    )
