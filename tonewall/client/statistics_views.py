"""Counts of the last hours, as the API answers with them.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import TypedDict


class HopView(TypedDict):
    """One address of a trunk."""

    address: str
    port: int
    transport: str
    usable: bool


class StatisticsView(TypedDict):
    """`times`: when each step begins, seconds since the epoch; `step`: its length in seconds."""

    hours: int
    step: int
    times: list[int]
    counted_since: float
    calls_now: int
    leaks_now: int
    calls: CallSteps
    payments: PaymentSteps
    reasons: list[ReasonStatistics]
    trunks: list[TrunkStatistics]
    agents: list[AgentStatistics]
    providers: list[ProviderStatistics]


class CallSteps(TypedDict):
    """Calls, a number for each step: how many ended, how many of these were answered, how many
    there were at once at most, and keys that a mask let through and the canary stopped."""

    ended: list[int]
    answered: list[int]
    most: list[int]
    leaks: list[int]


class PaymentSteps(TypedDict):
    """Payments by what became of them, a number for each step, in the step in which they began."""

    approved: list[int]
    partially_approved: list[int]
    declined: list[int]
    failed: list[int]
    unknown: list[int]
    cancelled: list[int]
    aborted: list[int]
    open: list[int]


class ReasonStatistics(TypedDict):
    """How many payments had this outcome for this reason."""

    outcome: str
    reason: str
    count: int


class TrunkStatistics(TypedDict):
    """One trunk."""

    name: str
    kind: str
    calls: int
    refused: int
    hops: list[HopView]
    registration: str | None
    legs: int
    answered: int
    faults: int
    loss: float | None
    mos: float | None
    worst_mos: float | None
    loss_steps: list[float | None]
    mos_steps: list[float | None]


class AgentStatistics(TypedDict):
    """The payments that one agent drives or drove last, by what became of them."""

    name: str
    payments: int
    approved: int
    partially_approved: int
    declined: int
    failed: int
    unknown: int
    cancelled: int
    aborted: int
    open: int


class ProviderStatistics(TypedDict):
    """A payment provider."""

    name: str
    circuit: str
