"""What a supervisor may see of an hour, a quarter of a day, or a day."""

from __future__ import annotations

from typing import Final

import msgspec

from b2bua.call.trunk_view import HopView

# What became of payments. What is neither an outcome nor a final stage is `open`.
STATES: Final = (
    "approved", "partially_approved", "declined", "failed", "unknown", "cancelled", "aborted", "open",
)  # fmt: skip


class CallSteps(msgspec.Struct, frozen=True, kw_only=True):
    """Calls, a number for each step: how many ended, how many of these were answered, how many
    there were at once at most, and keys that a mask let through and the canary stopped."""

    ended: tuple[int, ...]
    answered: tuple[int, ...]
    most: tuple[int, ...]
    leaks: tuple[int, ...]


class PaymentSteps(msgspec.Struct, frozen=True, kw_only=True):
    """Payments by what became of them, a number for each step, in the step in which they began."""

    approved: tuple[int, ...]
    partially_approved: tuple[int, ...]
    declined: tuple[int, ...]
    failed: tuple[int, ...]
    unknown: tuple[int, ...]
    cancelled: tuple[int, ...]
    aborted: tuple[int, ...]
    open: tuple[int, ...]


class ReasonStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How many payments had this outcome for this reason. `reason`: a word of /v1/reasons."""

    outcome: str
    reason: str
    count: int


class TrunkStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One trunk. `calls`, `refused`, `hops`, `registration`: now, as /v1/trunks has them; the rest
    is of the legs that ended. `faults`: legs that a time-out or an answer of 5xx or 6xx ended;
    `loss`: the share of packets that did not come; `mos`, `worst_mos`: the mean and the lowest of
    the estimated scores; `loss_steps`, `mos_steps`: for each step."""

    name: str
    kind: str
    calls: int
    refused: int
    hops: tuple[HopView, ...] = ()
    registration: str | None = None
    legs: int = 0
    answered: int = 0
    faults: int = 0
    loss: float | None = None
    mos: float | None = None
    worst_mos: float | None = None
    loss_steps: tuple[float | None, ...] = ()
    mos_steps: tuple[float | None, ...] = ()


class AgentStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The payments that one agent drives or drove last, by what became of them. `name` is empty
    where no agent does."""

    name: str
    payments: int
    approved: int = 0
    partially_approved: int = 0
    declined: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    aborted: int = 0
    open: int = 0


class ProviderStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """A payment provider. `circuit`: `closed`, `open` (it is passed by) or `half_open` (one charge
    tries)."""

    name: str
    circuit: str


class StatisticsView(msgspec.Struct, frozen=True, kw_only=True):
    """`times`: when each step begins, seconds since the epoch; `step`: its length in seconds.
    `counted_since`: since when calls are counted; payments are on disk. `calls_now`, `leaks_now`:
    calls that there are, and keys that the canary has stopped since media started."""

    hours: int
    step: int
    times: tuple[int, ...]
    counted_since: float
    calls_now: int
    leaks_now: int
    calls: CallSteps
    payments: PaymentSteps
    reasons: tuple[ReasonStatistics, ...]
    trunks: tuple[TrunkStatistics, ...]
    agents: tuple[AgentStatistics, ...]
    providers: tuple[ProviderStatistics, ...]
