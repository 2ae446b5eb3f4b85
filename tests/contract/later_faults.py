"""Refunds, captures and voids payments at a played provider through random faults: of the network,
of the provider, of the disk, and of a reconciler that is killed at every step. Whoever asked for it
asks for its outcome, as b2bua does, for more than three days; then it is counted.

The real parts: adapter, runner, journal, reconciler. Played: the provider, the network between, the
clock, and death.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from provider_adapters.payer.charging import Charging
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    APPROVALS,
    Accepted,
    Approved,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Unknown,
    follow_up_operation,
)
from provider_adapters.reconciler.messages import LaterInquiry, LaterRequest
from provider_adapters.reconciler.reconciler import Reconciler
from tests.contract.faults import MAX_DELAY, START, Customer, Killed, Town
from tests.contract.playing import make_card
from tests.contract.providers import Provider

_HOUR = 3600.0
_AMOUNT, _PART = 1998, 700


@dataclass(slots=True)
class Wish:
    """What is to be done about a payment. `outcome`: what is known of it; None before an answer."""

    request: FollowUp
    handed_at: float
    outcome: Any = None

    @property
    def is_open(self) -> bool:
        return self.outcome is None or isinstance(self.outcome, Unknown)


@dataclass
class LaterTown(Town):
    """Payments that were approved in good times, and what is done about each in bad ones."""

    wishes: list[Wish] = field(default_factory=list)

    async def live(self) -> None:
        """Pay, hand over what is to be done later, and follow it for more than three days."""
        with self._world():
            for number in range(self.draw.randint(1, 3)):
                await self._begin(f"k-{number}")
            self.reconciler = self._new_reconciler()
            for wish in self.wishes:
                await self._hand_over(wish)
                self.clock.now += self.draw.uniform(0, 60)
            pause = 10.0
            while self.clock.now < START + 80 * _HOUR:
                await self._step()
                self.clock.now += pause
                pause = min(pause * 1.3, 2 * _HOUR)
            await self.reconciler.close()

    async def _begin(self, key: str) -> None:
        """A payment of the books, and what is wished of it."""
        kind, amount = self._draw_wish()
        charge = self.provider.charge(
            key,
            transaction_id=f"order-{key}",
            operation="charge" if kind == "refund" else "authorise",
        )
        self.chance.is_calm = True
        Journal(self.path).open()
        said = await Charging([self.account], Journal(self.path)).charge(charge, make_card())
        self.chance.is_calm = False
        assert isinstance(said, Approved), said
        self.customers.append(Customer(key, "approved", said))
        request = FollowUp(
            key=f"later-{key}", kind=kind, charge=charge, reference=said.reference, amount=amount
        )
        self.wishes.append(Wish(request, self.clock.now))

    def _draw_wish(self) -> tuple[Literal["capture", "void", "refund"], int]:
        offered = self.provider.flow().OPERATIONS
        wishes: list[tuple[Literal["capture", "void", "refund"], int]] = []
        if Operation.AUTHORISE in offered:
            wishes += [("capture", _AMOUNT), ("void", _AMOUNT)]
        wishes += [("refund", _AMOUNT), ("refund", _PART), ("refund", _PART)]
        possible = [
            (kind, amount)
            for kind, amount in wishes
            if follow_up_operation(kind, in_part=amount < _AMOUNT) in offered
        ]
        return self.draw.choice(possible)

    async def _hand_over(self, wish: Wish) -> None:
        wish.handed_at = self.clock.now
        try:
            wish.outcome = await self.reconciler.carry_out(LaterRequest(number=1, follow_up=wish.request))
        except Killed:
            self._restart()

    async def _step(self) -> None:
        if self.draw.random() < 0.3 or self.clock.now > START + MAX_DELAY:
            await self.end.arrive()
        try:
            for wish in self.wishes:
                if wish.is_open:
                    self._resolve(wish)
            self.reconciler._follow()
            for item in self.reconciler._agenda.due(self.clock.now, 4):
                await self.reconciler._ask(item)
        except Killed:
            self._restart()

    def _resolve(self, wish: Wish) -> None:
        handed_at = wish.handed_at if wish.outcome is None else None
        inquiry = LaterInquiry(number=1, follow_up=wish.request, handed_at=handed_at)
        found = self.reconciler.repetition.resolve(inquiry)
        if found.outcome is not None:
            wish.outcome = found.outcome

    def _restart(self) -> None:
        self.reconciler._reader.close()
        self.reconciler: Reconciler = self._new_reconciler()

    # --- what is to be seen -----------------------------------------------------------------------

    def moved(self, wish: Wish) -> int:
        """What the provider did of it."""
        record = self.books.find(wish.request.charge.idempotency_key)
        assert record is not None
        match wish.request.kind:
            case "refund":
                return record.refunded
            case "capture":
                return record.captured
            case "void":
                return record.approved if record.voided else 0

    def was_found_later(self, wish: Wish) -> bool:
        """Whether the reconciler repeated it, and noted what came of it."""
        entry = Journal(self.path).lookup(wish.request.key)
        return entry is not None and entry.by == "reconciler" and not isinstance(entry.outcome, Unknown)

    def faults(self) -> list[str]:
        """What must never be: twice, done without money, and not done with it."""
        found = []
        for wish in self.wishes:
            moved, kind, amount = self.moved(wish), wish.request.kind, wish.request.amount
            name = f"{wish.request.key}: {kind} of {amount}"
            if moved not in (0, amount):
                found.append(f"{name} moved {moved}: not once")
            if isinstance(wish.outcome, (*APPROVALS, Accepted)) and moved != amount:
                found.append(f"{name} is done, and moved {moved}")
            if isinstance(wish.outcome, Failed | Declined) and moved:
                found.append(f"{name} is {wish.outcome}, and moved {moved}")
        return found


def run_later_towns(provider: Provider, directory: Path, seeds: Sequence[int]) -> Counter[str]:
    """So many runs: how many requests there were, how many were left open at first, and what came
    of them."""
    seen: Counter[str] = Counter()

    async def run() -> None:
        for seed in seeds:
            home = directory / str(seed)
            home.mkdir()
            town = LaterTown(provider, home, random.Random(seed))
            await town.live()
            faults = town.faults()
            assert not faults, (seed, faults)
            seen["runs"] += 1
            for wish in town.wishes:
                seen["requests"] += 1
                seen["moved"] += bool(town.moved(wish))
                seen[f"{wish.request.kind} left unknown"] += wish.is_open
                seen["found later"] += not wish.is_open and town.was_found_later(wish)

    asyncio.run(run())
    return seen
