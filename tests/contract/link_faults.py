"""Sends payment links to customers of a played provider through random faults: of the network, of
the provider, of the disk, and of a reconciler that is killed at every step. Some pay, some try,
some come too late, some links are closed under their hands. Then the reconciler asks, and it is
counted.

The real parts: the links' flows, runner, journal, reconciler. Played: the provider with its pages,
the network between, the clock, and death.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from provider_adapters.local import hosted
from provider_adapters.local.books import HostedLink
from provider_adapters.notice import Notice
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    APPROVALS,
    Approved,
    Declined,
    Failed,
    Link,
    LinkRequest,
    Outcome,
    Unknown,
    outcome_type,
)
from provider_adapters.reconciler.messages import LaterRequest, LinkClosing
from provider_adapters.reconciler.reconciler import LIMIT
from tests.contract.faults import START, Killed, Town
from tests.contract.playing import CARDS
from tests.contract.providers import Provider

_HOUR = 3600.0
_MAX_LIFE = 6 * _HOUR


@dataclass(slots=True)
class Visitor:
    """Whom one link is sent to. Times are seconds since the epoch: when the link is asked for, ends
    and is closed, and when the page is opened and paid; infinite: never. `said`: what opening and
    closing answered."""

    key: str
    cards: list[str]
    expires_at: float
    closes_at: float
    visits_at: float
    pays_at: float
    url: str = ""
    visit: str = ""
    said: list[Link | Outcome] = field(default_factory=list)


@dataclass
class LinkTown(Town):
    """Visitors, a provider, and our reconciler on one disk."""

    visitors: list[Visitor] = field(default_factory=list)

    async def live(self) -> None:
        """Open some links, and follow them until the last has ended."""
        with self._world():
            self.reconciler = self._new_reconciler()
            for number in range(self.draw.randint(1, 3)):
                visitor = self._draw_visitor(f"k-{number}")
                self.visitors.append(visitor)
                await self._open(visitor)
                self.clock.now += self.draw.uniform(0, 30)
            step = 5.0
            while self.clock.now < START + _MAX_LIFE + LIMIT + 4 * _HOUR:
                await self._step()
                if self.clock.now > START + 3 * _HOUR and all(map(self._has_ended, self.visitors)):
                    break
                self.clock.now += step
                step = min(step * 1.15, 1200.0 if self.clock.now < START + 12 * _HOUR else 4 * _HOUR)
            await self.reconciler.close()

    def _draw_visitor(self, key: str) -> Visitor:
        draw, now = self.draw, self.clock.now

        def later(most: float) -> float:
            return now + float(most ** draw.random() * 5)

        visits = later(_MAX_LIFE / 5) if draw.random() < 0.85 else float("inf")
        return Visitor(
            key=key,
            cards=[draw.choice(("declined", "approved", "approved", "partial")) for _ in range(2)],
            expires_at=float(int(now + draw.choice([600.0, 3 * _HOUR, _MAX_LIFE]))),
            closes_at=later(3 * _HOUR / 5) if draw.random() < 0.4 else float("inf"),
            visits_at=visits,
            pays_at=visits + draw.choice([3.0, 60.0, 900.0]),
        )

    async def _open(self, visitor: Visitor) -> None:
        """Ask for the link, and again under the same key, as an agent does."""
        charge = self.provider.charge(visitor.key, transaction_id=f"order-{visitor.key}")
        request = LinkRequest(charge=charge, expires_at=visitor.expires_at)
        for _ in range(3):
            try:
                found = await self.reconciler.carry_out(LaterRequest(number=1, link=request))
            except (Killed, OSError):
                self._restart()
                continue
            assert isinstance(found, Link | Outcome)
            visitor.said.append(found)
            if isinstance(found, Link):
                assert visitor.url in ("", found.url), "one key, one link"
                visitor.url = found.url
            if self.draw.random() < 0.8 and not isinstance(found, Unknown):
                return

    async def _step(self) -> None:
        await self.end.arrive()
        for visitor in self.visitors:
            await self._act(visitor)
        try:
            self.reconciler._follow()
            self.reconciler.notices.apply(self.clock.now)
            for item in self.reconciler.links.due(self.clock.now, 4):
                await self.reconciler.links.ask(item)
            self._tell()
            for visitor in self.visitors:
                if self.clock.now >= visitor.closes_at:
                    again = self.draw.random() < 0.5
                    visitor.closes_at = self.clock.now + 60 if again else float("inf")
                    said = await self.reconciler.close_link(LinkClosing(number=1, key=visitor.key))
                    visitor.said.append(said)
        except Killed:
            self._restart()

    async def _act(self, visitor: Visitor) -> None:
        """The customer opens the page, and pays, perhaps at the second try."""
        link, now = self.hosted(visitor), self.clock.now
        if link is None or not visitor.url:
            return
        if not visitor.visit and visitor.visits_at <= now:
            visitor.visits_at = float("inf")
            visitor.visit = hosted.begin_visit(link)
        if visitor.visit and visitor.pays_at <= now and visitor.cards:
            card = visitor.cards.pop(0)
            visitor.pays_at = now + self.draw.choice([30.0, 1800.0])
            await hosted.pay(self.books, link, visitor.visit, CARDS[card], "0330", "123")

    def _tell(self) -> None:
        """Webhooks of what was paid or tried: now and then, and twice."""
        for visitor in self.visitors:
            link = self.hosted(visitor)
            if link is None or not (link.paid or link.failed) or self.draw.random() > 0.2:
                continue
            self.reconciler.notice((self._notice(link),))

    def _notice(self, link: HostedLink) -> Notice:
        by_order = self.provider.adapter == "square"
        common = {
            "key": "" if by_order else link.key,
            "reference": f"order{link.id}" if by_order else "",
        }
        if not link.paid:
            claim = Declined(reason="declined", reference=f"failed-{link.failed}")
            return Notice(event=f"{link.id}:{link.failed}", claim=claim, **common)
        return Notice(event=f"{link.id}:paid", claim=Approved(reference=link.paid[0]), **common)

    def _restart(self) -> None:
        self.reconciler._reader.close()
        self.reconciler = self._new_reconciler()
        self.reconciler._follow()

    def hosted(self, visitor: Visitor) -> HostedLink | None:
        found = [each for each in self.books.links.values() if each.key == visitor.key]
        assert len(found) <= 1, "one key, one link"
        return found[0] if found else None

    def _has_ended(self, visitor: Visitor) -> bool:
        entry = Journal(self.path).lookup(visitor.key) if self.path.exists() else None
        return entry is None or entry.outcome is not None

    # --- what is to be seen -----------------------------------------------------------------------

    def final_of(self, visitor: Visitor) -> Outcome | None:
        """What the journal has in the end; None where the link was never noted."""
        entry = Journal(self.path).lookup(visitor.key) if self.path.exists() else None
        if entry is None:
            return None
        assert entry.outcome is None or isinstance(entry.outcome, Outcome)
        return entry.outcome or Unknown(reason="open")

    def faults(self) -> list[str]:
        """What must never be: a double, an approval without money, an end with it, a link without
        an end."""
        found = []
        for visitor in self.visitors:
            record, final = self.books.find(visitor.key), self.final_of(visitor)
            charges = record.charges if record is not None else 0
            if charges > 1:
                found.append(f"{visitor.key}: paid {charges} times")
            for outcome in (*visitor.said, final):
                if isinstance(outcome, APPROVALS) and charges != 1:
                    found.append(f"{visitor.key}: approved, and paid {charges} times")
                if isinstance(outcome, Failed | Declined) and charges:
                    found.append(f"{visitor.key}: {outcome_type(outcome)} ({outcome.reason}), and paid")
            if final == Unknown(reason="open"):
                found.append(f"{visitor.key}: never ends")
        return found


def run_link_towns(
    provider: Provider,
    directory: Path,
    seeds: range,
    on_town: Callable[[LinkTown], None] = lambda _: None,
) -> Counter[str]:
    """So many runs; how many there were, what was opened and paid, and how the links ended."""
    seen: Counter[str] = Counter()

    async def run() -> None:
        for seed in seeds:
            home = directory / str(seed)
            home.mkdir()
            town = LinkTown(provider, home, random.Random(seed))
            await town.live()
            faults = town.faults()
            assert not faults, (seed, faults)
            seen["runs"] += 1
            seen["links"] += len(town.visitors)
            seen["handed out"] += sum(bool(each.url) for each in town.visitors)
            for each in town.visitors:
                record, final = town.books.find(each.key), town.final_of(each)
                seen["paid"] += record.charges if record is not None else 0
                reason = getattr(final, "reason", "")
                seen[reason or (outcome_type(final) if final is not None else "never sent")] += 1
            on_town(town)

    asyncio.run(run())
    return seen
