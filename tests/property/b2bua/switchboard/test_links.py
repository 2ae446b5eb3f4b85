"""Whatever is lost or killed, and in whatever order answers come: a payment link ends as the
provider has it, and its order is charged once."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.call.order import Order, SavedCard
from b2bua.call.view import NotNow, PaymentView, Repeated
from b2bua.records.payments import PaymentTable
from provider_adapters.payment import (
    APPROVALS,
    LINK_CLOSED,
    Approved,
    Failed,
    Link,
    LinkRequest,
    Outcome,
    Unknown,
)
from provider_adapters.reconciler.messages import GONE, Finding, Findings
from tests.unit.b2bua.switchboard.exchange import Exchange

ORDER = Order(transaction_id="order-1", amount=700, currency="EUR")


class World:
    """One link: `request` as the reconciler has it, `link` as the provider has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.request: LinkRequest | None = None
        self.link: Link | None = None
        self.end: Outcome | None = None
        self.charged_otherwise = False

    async def begin(self) -> None:
        self.exchange = await self.process()
        self.id = (await self.exchange.board.open_link(ORDER, "ann")).id
        await self.settle()

    async def process(self) -> Exchange:
        exchange = Exchange(payments=PaymentTable(self.path))
        await exchange.board.resume_payments()
        return exchange

    async def kill(self) -> None:
        storage = self.exchange.board._context.payments._storage
        await storage.tasks.cancel()
        await storage.run(storage.table.close)
        storage._thread.shutdown(wait=False)

    async def settle(self) -> None:
        """Until what was begun has come to its next wait."""
        storage = self.exchange.board._context.payments._storage
        for _ in range(4):
            await storage.run(lambda: None)
            await asyncio.sleep(0)

    async def view(self) -> PaymentView:
        return await self.exchange.board.payment(self.id)

    def possible(self) -> list[str]:
        """What may happen next and changes something."""
        reconciler = self.exchange.reconciler
        found = ["closes", "killed", "found", "charged otherwise", "time passes"]
        if any(not answer.done() for _, answer in reconciler.opening):
            found += ["opens", "opens, answer lost", "request lost"]
        if any(not answer.done() for _, answer in reconciler.closing):
            found += ["closing done", "closing done, answer lost", "closing lost"]
        if self.link is not None and self.end is None:
            found += ["pays"]
        return found

    async def act(self, act: str) -> None:
        """One thing happens."""
        reconciler, board = self.exchange.reconciler, self.exchange.board
        opening = [each for each in reconciler.opening if not each[1].done()]
        closing = [each for each in reconciler.closing if not each[1].done()]
        match act:
            case "opens" | "opens, answer lost" if opening:
                request, answer = opening[0]
                self.request = request
                if self.link is None and self.end is None:
                    self.link = Link(url="https://pay.test/1", reference="1", expires_at=request.expires_at)
                unclear = Unknown(reason=GONE)
                answer.set_result(self.link or Failed(reason=LINK_CLOSED) if act == "opens" else unclear)
            case "request lost" if opening:
                opening[0][1].set_result(Unknown(reason=GONE))
            case "pays":
                shown = (await self.view()).link
                assert shown is not None
                # Nobody knows an address that was not shown.
                if self.link is not None and self.end is None and shown.url:
                    self.end = Approved(reference="ch_1")
            case "closes":
                with contextlib.suppress(NotNow):
                    await board.close_link(self.id, "ann")
            case "closing done" | "closing done, answer lost" if closing:
                if self.end is None:
                    self.end = Failed(reason=LINK_CLOSED)
                closing[0][1].set_result(self.end if act == "closing done" else Unknown(reason=GONE))
            case "closing lost" if closing:
                closing[0][1].set_result(Unknown(reason=GONE))
            case "killed":
                await self.kill()
                self.exchange = await self.process()
            case "found":
                board.on_findings(Findings(found={self.id: self.finding()}))
            case "charged otherwise":
                with contextlib.suppress(Repeated):
                    await board.charge_saved(ORDER, SavedCard(token="t"), "ann")
                    self.charged_otherwise = True
            case "time passes":
                self.exchange.passed += 3
                board.ask_reconciler()
        await self.settle()

    def finding(self) -> Finding:
        if self.end is not None:
            return Finding(outcome=self.end, link=self.link)
        known = self.request is not None
        return Finding(next_at=1.0 if known else None, link=self.link)

    async def check(self) -> None:
        """What holds at every moment."""
        view = await self.view()
        outcome = view.outcome
        if isinstance(outcome, APPROVALS):
            assert outcome == self.end
        elif outcome is not None:
            assert isinstance(outcome, Failed)
            assert not isinstance(self.end, Approved), "it was paid"
            shown = view.link
            assert shown is not None
            assert self.end is not None or not shown.url, "the customer may still pay"
        assert not (self.charged_otherwise and isinstance(self.end, Approved)), "charged twice"


async def play(choices: list[int], path: Path) -> None:
    world = World(path)
    await world.begin()
    for each in choices:
        possible = world.possible()
        await world.act(possible[each % len(possible)])
        await world.check()
    # The reconciler is there, and says what it knows.
    for _ in range(12):
        for each in ("opens", "closing done", "found", "time passes"):
            await world.act(each)
        await world.check()
    view = await world.view()
    assert view.link is not None
    if world.end is not None:
        assert view.link.is_over
    else:
        assert view.link.state in ("open", "failed")
    await world.kill()


@given(st.lists(st.integers(0, 10_000), min_size=3, max_size=14))
@settings(max_examples=100, deadline=None)
def test_a_link_ends_as_the_provider_has_it_and_its_order_is_charged_once(choices: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(choices, Path(directory) / "payments.sqlite"))
