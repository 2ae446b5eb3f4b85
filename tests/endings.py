"""The results of every way to end a payment, its mask or its call, in every stage.

The one table of them: docs/states.md shows it (`make docs`), and
tests/wire/payments/test_endings.py walks it.

Rule 1: only an approval, a release, or the release time without a key opens the mask.
Rule 2: what was submitted ends with the provider's outcome, whatever becomes of the call and of
        Tonewall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

STAGES = ("starting", "collecting", "ready", "charging", "held", "open")
COLUMNS = {
    "starting": "starting",
    "collecting": "collecting",
    "ready": "ready",
    "charging": "charging",
    "held": "cancelled, mask on",
    "open": "finished, mask off",
}


@dataclass(frozen=True, slots=True)
class Left:
    """What is left: the payment's stage and outcome, how often the provider charged (None: it is
    not known), and the mask.

    `mask`: on, off, or over, with the call; recent: off, or on again where it had gone off within
    five seconds. `recorded`: whether there is a record of the call.
    `refused`: the API answers 409.
    """

    stage: str
    mask: str
    outcome: str = ""
    charges: int | None = 0
    recorded: bool = True
    refused: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the payment is over."""
        return self.stage in ("finished", "cancelled", "aborted")

    def __str__(self) -> str:
        charged = {None: "charge unknown", 0: "no charge", 1: "charged"}[self.charges]
        words = {"over": "call over", "recent": "mask off, on again within 5 s of its end"}
        mask = words.get(self.mask, f"mask {self.mask}")
        said = f"**{self.stage}** {self.outcome}".replace("_", " ").strip()
        more = [
            *(["no call record"] if not self.recorded else []),
            *(["refused (409)"] if self.refused else []),
        ]
        return ", ".join([said, charged, mask, *more])


@dataclass(frozen=True, slots=True)
class Never:
    """This cannot happen in that stage."""

    why: str

    def __str__(self) -> str:
        return f"— {self.why}"


Cell = Left | Never
Row = tuple[Cell, Cell, Cell, Cell, Cell, Cell]

CANCELLED_ON, OPEN = Left("cancelled", "on"), Left("finished", "off", "approved", 1)
CANCELLED_OVER, PAID_OVER = Left("cancelled", "over"), Left("finished", "over", "approved", 1)
ABORTED_ON, ABORTED_OVER = Left("aborted", "on"), Left("aborted", "over")
NOT_SENT, NO_CAPTURE, NOT_COLLECTING = (
    Never("not submitted"),
    Never("capture over"),
    Never("timer not running"),
)
GOES_ON = Left("collecting", "on")
_ENDED = (ABORTED_OVER, ABORTED_OVER, ABORTED_OVER, PAID_OVER, CANCELLED_OVER, PAID_OVER)
_UNDISTURBED = (GOES_ON, GOES_ON, Left("ready", "on"), OPEN, CANCELLED_ON, OPEN)


def _refused(left: Left) -> Left:
    return replace(left, refused=True)


def _charged(left: Left) -> Row:
    return (NOT_SENT, NOT_SENT, NOT_SENT, left, NO_CAPTURE, NO_CAPTURE)


def _timer(stage: str) -> Row:
    cells = [ABORTED_ON if each == stage else NOT_COLLECTING for each in STAGES[:4]]
    return (cells[0], cells[1], cells[2], cells[3], NO_CAPTURE, NO_CAPTURE)


def _masked_anew() -> Row:
    """One payment at a time; after it the mask is on for the next."""
    under_way = (_refused(GOES_ON), _refused(GOES_ON), _refused(Left("ready", "on")), _refused(OPEN))
    return (*under_way, CANCELLED_ON, Left("finished", "on", "approved", 1))


ENDINGS: dict[str, Row] = {
    "customer hangs up": _ENDED,
    "agent hangs up": _ENDED,
    "agent hangs up, `agent_gone = form`": (
        GOES_ON, GOES_ON, Left("ready", "on"), PAID_OVER, CANCELLED_OVER, PAID_OVER,
    ),
    "agent hangs up, `agent_gone = TRUNK/NUMBER`": (
        GOES_ON, GOES_ON, Left("ready", "on"), OPEN, CANCELLED_OVER, PAID_OVER,
    ),
    "cancel": (CANCELLED_ON, CANCELLED_ON, CANCELLED_ON, _refused(OPEN), _refused(CANCELLED_ON),
    _refused(OPEN)),
    "release": (
        _refused(GOES_ON), _refused(GOES_ON), _refused(Left("ready", "on")), _refused(OPEN),
        Left("cancelled", "off"),
        _refused(OPEN),
    ),
    "approved": _charged(OPEN),
    "partly approved": _charged(Left("finished", "on", "partially_approved", 1)),
    "declined": _charged(Left("finished", "on", "declined")),
    "failed": _charged(Left("finished", "on", "failed")),
    "unknown": _charged(Left("finished", "on", "unknown", None)),
    "no key for `key_timeout`": _timer("collecting"),
    "keying for `capture_timeout`": _timer("collecting"),
    "not submitted for `ready_timeout`": _timer("ready"),
    "no key for `release_time`": (NO_CAPTURE,) * 4 + (Left("cancelled", "off"), Never("mask off")),
    "a key is lost": (Never("no key yet"), ABORTED_ON, ABORTED_ON, OPEN, CANCELLED_ON, OPEN),
    "customer's side drops telephone-event": (ABORTED_ON, ABORTED_ON, ABORTED_ON, OPEN, CANCELLED_ON, OPEN),
    "PBX drops telephone-event": _UNDISTURBED,
    "PBX holds": _UNDISTURBED,
    "PBX transfers": _UNDISTURBED,
    "PBX joins with a call to a carrier": _UNDISTURBED,
    "another payment is started": _masked_anew(),
    "a payment is announced": _masked_anew(),
    "no RTP for `media_timeout`": _ENDED,
    "media is killed": (
        ABORTED_ON, ABORTED_ON, ABORTED_ON, OPEN, CANCELLED_ON, replace(OPEN, mask="recent"),
    ),
    "b2bua is killed": (ABORTED_ON, ABORTED_ON, ABORTED_ON, OPEN, CANCELLED_ON, OPEN),
    "the payers are killed": (
        GOES_ON, GOES_ON, Left("ready", "on"), Left("finished", "on", "unknown", None), CANCELLED_ON, OPEN,
    ),
    "Tonewall is stopped": _ENDED,
}  # fmt: skip


def walked(way: str) -> dict[str, Left]:
    """The cells of a row that can occur on the wire, by stage."""
    return {stage: cell for stage, cell in zip(STAGES, ENDINGS[way], strict=True) if isinstance(cell, Left)}


def tables() -> tuple[str, str]:
    """As tables of Markdown: the stages before a submission, and those from it on."""
    return (_table(STAGES[:3]), f"\n{_table(STAGES[3:])}")


def _table(stages: Sequence[str]) -> str:
    columns = [COLUMNS[stage] for stage in stages]
    lines = [f"| way to end | {' | '.join(columns)} |", "|---" * (len(stages) + 1) + "|"]
    for way, row in ENDINGS.items():
        cells = [str(cell) for stage, cell in zip(STAGES, row, strict=True) if stage in stages]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)
