"""Puts together what a supervisor sees of the last hours: counts of calls from memory, counts of
payments from the disk.

Rule 1: payments are counted at most once in FRESH seconds for each window, however many ask.
Rule 2: who may see some agents' payments alone gets these, and those that are nobody's; of trunks
        and calls all may see the counts, in which there is no person.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from b2bua.call.trunk_view import TrunkView
from b2bua.records.payment_counts import PaymentCount, PaymentCounts
from b2bua.switchboard.call_counts import MINUTE, CallCounts, CallMinute, TrunkCounts
from b2bua.switchboard.statistics_views import (
    STATES,
    AgentStatistics,
    CallSteps,
    PaymentSteps,
    ProviderStatistics,
    ReasonStatistics,
    StatisticsView,
    TrunkStatistics,
)

WIDTHS: Final = {1: 1, 6: 5, 24: 15}  # minutes of a step, by the hours of a window
FRESH: Final = 5.0  # seconds
_MAX_REASONS: Final = 20
_MAX_AGENTS: Final = 500
_REFUSALS: Final = frozenset({"declined", "failed", "unknown"})


class Statistics:
    """`payments`: the table's counts; None: there are none. `circuits`: the state of each
    provider's circuit breaker; `clock`: seconds since the epoch."""

    def __init__(
        self,
        counts: CallCounts | None = None,
        payments: PaymentCounts | None = None,
        circuits: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.counts = CallCounts() if counts is None else counts
        self._payments, self._circuits, self._clock = payments, circuits, clock
        self._thread = ThreadPoolExecutor(1, "statistics")
        self._kept: dict[int, tuple[float, int, list[PaymentCount]]] = {}
        self._asking = asyncio.Lock()

    async def read(
        self,
        hours: int,
        trunks: Sequence[TrunkView],
        health: Mapping[str, int | bool],
        sees: Callable[[str], bool] = lambda _: True,
    ) -> StatisticsView:
        """The last `hours`, a key of WIDTHS. `sees`: whether the payments of an agent of this name
        are shown. Raises sqlite3.Error."""
        width = WIDTHS[hours]
        count = hours * 60 // width
        first, found = await self._count(hours, width, count)
        steps = self.counts.steps(first * width, count, width)
        seen = [each for each in found if sees(each.agent)]
        return StatisticsView(
            hours=hours,
            step=width * MINUTE,
            times=tuple((first + each) * width * MINUTE for each in range(count)),
            counted_since=self.counts.since,
            calls_now=int(health.get("calls", 0)),
            leaks_now=int(health.get("leaks", 0)),
            calls=CallSteps(
                ended=tuple(each.ended for each in steps),
                answered=tuple(each.answered for each in steps),
                most=tuple(each.most for each in steps),
                leaks=tuple(each.leaks for each in steps),
            ),
            payments=_payment_steps(seen, first, count),
            reasons=_reasons(seen),
            trunks=tuple(_trunk(each, steps) for each in trunks),
            agents=_agents(seen),
            providers=tuple(
                ProviderStatistics(name=name, circuit=circuit)
                for name, circuit in sorted(self._circuits().items())
            ),
        )

    async def _count(self, hours: int, width: int, count: int) -> tuple[int, list[PaymentCount]]:
        """The number of the window's first step, and the payments of the window."""
        async with self._asking:  # who waits here finds what the one before has counted
            now, seconds = self._clock(), width * MINUTE
            first = int(now // seconds) - count + 1
            kept_at, kept_first, kept = self._kept.get(hours, (float("-inf"), 0, []))
            if kept_first == first and now - kept_at < FRESH:
                return first, kept
            found: list[PaymentCount] = []
            if self._payments is not None:
                since, until = float(first * seconds), float((first + count) * seconds)
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self._thread, self._payments.count, since, until, seconds)
            self._kept[hours] = (now, first, found)
            return first, found

    async def close(self) -> None:
        """End the thread, and then the connection."""
        self._thread.shutdown()
        if self._payments is not None:
            self._payments.close()


def state_of(word: str) -> str:
    """The member of STATES for an outcome or a stage."""
    return word if word in STATES else "open"


def _payment_steps(found: Sequence[PaymentCount], first: int, count: int) -> PaymentSteps:
    steps = {state: [0] * count for state in STATES}
    for each in found:
        if 0 <= each.slot - first < count:
            steps[state_of(each.state)][each.slot - first] += each.count
    return PaymentSteps(**{state: tuple(numbers) for state, numbers in steps.items()})


def _reasons(found: Sequence[PaymentCount]) -> tuple[ReasonStatistics, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for each in found:
        if each.state in _REFUSALS:
            counts[each.state, each.reason] += each.count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_REASONS]
    return tuple(
        ReasonStatistics(outcome=outcome, reason=reason, count=n) for (outcome, reason), n in ordered
    )


def _agents(found: Sequence[PaymentCount]) -> tuple[AgentStatistics, ...]:
    counts: dict[str, Counter[str]] = {}
    for each in found:
        counts.setdefault(each.agent, Counter())[state_of(each.state)] += each.count
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))[:_MAX_AGENTS]
    return tuple(AgentStatistics(name=name, payments=by.total(), **by) for name, by in ordered)


def _trunk(view: TrunkView, steps: Sequence[CallMinute]) -> TrunkStatistics:
    whole, of_steps = TrunkCounts(), [each.trunks.get(view.name, TrunkCounts()) for each in steps]
    for each in of_steps:
        whole.add(each)
    return TrunkStatistics(
        name=view.name, kind=view.kind, calls=view.calls, refused=view.refused, hops=view.hops,
        registration=view.registration, legs=whole.legs, answered=whole.answered, faults=whole.faults,
        loss=whole.loss, mos=whole.mos, worst_mos=whole.worst,
        loss_steps=tuple(each.loss for each in of_steps), mos_steps=tuple(each.mos for each in of_steps),
    )  # fmt: skip
