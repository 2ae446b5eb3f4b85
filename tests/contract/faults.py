"""Charges customers of a played provider through random faults: of the network, of the provider, of
the disk, and of every process that is killed at every step; then lets the reconciler ask, and
counts.

The real parts: adapter, runner, charging, journal, circuits, reconciler. Played: the provider (its
dialect over the books, which count), the network between, the clock, and death.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from provider_adapters.account import Account
from provider_adapters.local.books import API_KEY, Answer, Record
from provider_adapters.local.dialect import Dialect
from provider_adapters.notice import Notice
from provider_adapters.payer import journal as journals
from provider_adapters.payer import runner as runners
from provider_adapters.payer.charging import Charging
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import (
    Approved,
    Declined,
    Failed,
    Outcome,
    PartiallyApproved,
    Unknown,
    outcome_type,
)
from provider_adapters.reconciler import reconciler as reconcilers
from provider_adapters.reconciler.reconciler import Reconciler
from tests.contract.playing import CARDS
from tests.contract.providers import Provider

START = 1_800_000_000.0
_HOUR = 3600.0
MAX_DELAY = 0.5 * _HOUR  # seconds that a request is on its way at most
BAD_TIMES = 2 * _HOUR  # seconds after which network and provider are well again
# What befalls a request in bad times, by weight.
FAULTS = {
    "no dns": 2, "refused": 3, "tls": 2, "reset before": 3, "lost": 5, "lost answer": 7,
    "cut answer": 4, "hang": 4, "slow": 5, "error": 4, "error after": 3, "garbage": 3, "too many": 2,
}  # fmt: skip
BEHAVIOURS = ("approved", "approved", "declined", "insufficient_funds", "partial")


class Killed(BaseException):
    """kill -9: whatever ran is no more. No `except Exception` sees it."""


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch, which only a test moves."""

    now: float = START

    def time(self) -> float:
        return self.now


@dataclass(slots=True)
class Chance:
    """Draws what happens. `rate`: of the requests that suffer a fault; `is_bad`: whether any does
    now; `is_calm`: none does, whatever the time."""

    draw: random.Random
    clock: Clock
    rate: float
    is_calm: bool = False

    @property
    def is_bad(self) -> bool:
        return not self.is_calm and self.clock.now < START + BAD_TIMES

    def fault(self) -> str:
        if not self.is_bad or self.draw.random() >= self.rate:
            return "none"
        return self.draw.choices(list(FAULTS), list(FAULTS.values()))[0]

    def kills(self) -> bool:
        return self.is_bad and self.draw.random() < 0.03

    def fills_disk(self) -> bool:
        return self.is_bad and self.draw.random() < 0.01


@dataclass
class FarEnd(httpx.AsyncBaseTransport):
    """The network and the provider behind it. `late`: requests that are still on their way."""

    dialect: Dialect
    chance: Chance
    late: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = self.chance.fault()
        before = {
            "no dns": socket.gaierror(-2, "Name or service not known"),
            "refused": ConnectionRefusedError(111, "Connection refused"),
            "tls": ssl.SSLError(1, "handshake failure"),
            "reset before": ConnectionResetError(104, "Connection reset by peer"),
        }
        if fault in before:
            raise httpx.ConnectError("") from before[fault]
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        if self.chance.kills():
            raise Killed
        match fault:
            case "lost":
                raise httpx.ReadError("")
            case "hang":
                raise httpx.ReadTimeout("")
            case "slow":
                self.late.append(request)
                raise httpx.ReadTimeout("")
            case "error":
                return _respond(500, b"{}")
            case "too many":
                return _respond(429, b"{}")
        answer = await self._deliver(request)
        if self.chance.kills():
            raise Killed
        if answer is None or fault == "lost answer":
            raise httpx.RemoteProtocolError("")
        if fault == "cut answer":
            raise httpx.ReadError("")
        if fault == "error after":
            return _respond(502, b"<html>Bad Gateway</html>")
        if fault == "garbage":
            return _respond(200, b"\x00\xff" * 40)
        return _respond(answer.status, httpx.Response(200, json=answer.body).content)

    async def arrive(self) -> None:
        """What was on its way arrives; nobody waits for the answer."""
        waiting, self.late = self.late, []
        for request in waiting:
            await self._deliver(request)

    async def _deliver(self, request: httpx.Request) -> Answer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.url.raw_path.decode()
        return await self.dialect.handle(request.method, path, headers, request.content)


def _respond(status: int, content: bytes) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(content))


@dataclass(slots=True)
class Customer:
    """One charge. `said`: what the payer answered; None where it was killed."""

    key: str
    card: str
    said: Outcome | None = None


@dataclass
class Town:
    """Customers, a provider, and our processes on one disk."""

    provider: Provider
    directory: Path
    draw: random.Random
    customers: list[Customer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.chance = Chance(self.draw, self.clock, rate=self.draw.choice([0.05, 0.2, 0.5]))
        self.books, dialect = self.provider.dialect()
        self.end = FarEnd(dialect, self.chance)
        self.path = self.directory / "journal"
        self.account = Account(
            **{
                "adapter": self.provider.adapter, "name": "default", "url": "https://pay.example.com",
                "api_key": API_KEY, "journal": str(self.path), "timeout": 5.0,
                "inquiry_time": self.draw.choice([0.0, 0.02]), "token_type": "none",
            }
            | dict(self.provider.account)
        )  # fmt: skip

    async def live(self) -> None:
        """Charge some customers, then reconcile for three days."""
        with self._world():
            for number in range(self.draw.randint(1, 4)):
                customer = Customer(f"k-{number}", self.draw.choice(BEHAVIOURS))
                self.customers.append(customer)
                await self._pay(customer)
                if self.draw.random() < 0.2:  # whoever tries the same key again
                    await self._pay(customer)
                self.clock.now += self.draw.uniform(0, 60)
            await self._reconcile()

    async def _pay(self, customer: Customer) -> None:
        charging = Charging([self.account], Journal(self.path))
        try:
            Journal(self.path).open()
            charge = self.provider.charge(customer.key, transaction_id=f"order-{customer.key}")
            said = await charging.charge(charge, self.provider.keyed(CARDS[customer.card]))
            customer.said = customer.said if isinstance(said, Failed) and customer.said else said
        except (Killed, OSError):
            pass

    async def _reconcile(self) -> None:
        reconciler = self._new_reconciler()
        until = START + 80 * _HOUR
        pause = 30.0
        while self.clock.now < until:
            try:
                if self.draw.random() < 0.3 or self.clock.now > START + MAX_DELAY:
                    await self.end.arrive()
                reconciler._follow()
                reconciler.notices.apply(self.clock.now)
                for item in reconciler._agenda.due(self.clock.now, 4):
                    await reconciler._ask(item)
                self._send_webhooks(reconciler)
            except Killed:
                reconciler._reader.close()
                reconciler = self._new_reconciler()
            self.clock.now += pause
            pause = min(pause * 1.3, 2 * _HOUR)
        await reconciler.close()

    def _new_reconciler(self) -> Reconciler:
        while True:
            try:
                reconciler = Reconciler([self.account])
                reconciler.notices.open(self.clock.now)
                return reconciler
            except (Killed, OSError):
                continue

    def _send_webhooks(self, reconciler: Reconciler) -> None:
        """Where the provider cannot be asked, it tells: later, twice, and not always."""
        if self.provider.adapter != "adyen" or self.clock.now < START + _HOUR:
            return
        for customer in self.customers:
            record = self.books.find(customer.key)
            if record is not None and record.state != "pending" and self.draw.random() < 0.4:
                for _ in range(self.draw.randint(1, 2)):
                    reconciler.notice((_webhook(customer.key, record, self.clock.now),))

    @contextmanager
    def _world(self) -> Iterator[None]:
        """Our processes in this town: its clock, its network, its disk, and its deaths."""
        clock, chance, end = self.clock, self.chance, self.end
        append = Journal._append

        def dying_append(journal: Journal, entry: Any) -> None:
            if chance.kills():
                raise Killed
            if chance.fills_disk():
                raise OSError(28, "No space left on device")
            append(journal, entry)
            if chance.kills():
                raise Killed

        def now() -> str:
            return datetime.fromtimestamp(clock.now, UTC).isoformat(timespec="milliseconds")

        class Client(httpx.AsyncClient):
            def __init__(self, **values: Any) -> None:
                super().__init__(**values | {"verify": False, "transport": end})

        with (
            patch.object(Journal, "_append", dying_append),
            patch.object(Journal, "_sync_directory", lambda _: None),
            patch.object(journals.os, "fsync", lambda _: None),
            patch.object(journals, "_now", now),
            patch.object(runners.httpx, "AsyncClient", Client),
            patch.object(runners, "tls_context", lambda *_: None),
            patch.object(runners, "_MIN_WAIT", 0.001),
            patch.object(runners, "_MAX_WAIT", 0.002),
            patch.object(reconcilers.time, "time", clock.time),
        ):
            yield

    # --- what is to be seen -----------------------------------------------------------------------

    def faults(self) -> list[str]:
        """What must never be: a double, an approval without money, a failure with it."""
        found = []
        for customer in self.customers:
            record, final = self.books.find(customer.key), self.final(customer)
            charges = record.charges if record is not None else 0
            if charges > 1:
                found.append(f"{customer.key}: charged {charges} times")
            for outcome in (customer.said, final):
                if isinstance(outcome, Approved | PartiallyApproved) and charges != 1:
                    found.append(f"{customer.key}: approved, and charged {charges} times")
                if isinstance(outcome, Failed | Declined) and charges:
                    found.append(f"{customer.key}: {outcome_type(outcome)} ({outcome.reason}), and charged")
        return found

    def final(self, customer: Customer) -> Outcome | None:
        """What the journal has in the end; None where the charge was never noted."""
        entry = Journal(self.path).lookup(customer.key) if self.path.exists() else None
        if entry is None:
            return None
        outcome = entry.outcome
        assert not isinstance(outcome, type(None)) or entry.state == "sending"
        return outcome if isinstance(outcome, Outcome) else Unknown(reason="open")


def _webhook(key: str, record: Record, now: float) -> Notice:
    approved = record.state == "approved"
    claim = Approved(reference=record.reference) if approved else Declined(reason="declined")
    return Notice(
        event=f"{key}:{record.state}", key=key, reference=record.reference, claim=claim,
        amount=record.approved if approved else None, currency=record.approved_currency if approved else "",
        at=now,
    )  # fmt: skip


def run_towns(
    provider: Provider, directory: Path, seeds: range, on_town: Callable[[Town], None] = lambda _: None
) -> Counter[str]:
    """So many runs; how many there were, what they charged, and what is left unknown."""
    seen: Counter[str] = Counter()

    async def run() -> None:
        for seed in seeds:
            home = directory / str(seed)
            home.mkdir()
            town = Town(provider, home, random.Random(seed))
            await town.live()
            faults = town.faults()
            assert not faults, (seed, faults)
            seen["runs"] += 1
            seen["customers"] += len(town.customers)
            records = [town.books.find(each.key) for each in town.customers]
            seen["charges"] += sum(each.charges for each in records if each is not None)
            seen["doubles"] += sum(each.charges > 1 for each in records if each is not None)
            for each in town.customers:
                final = town.final(each)
                seen[outcome_type(final) if final is not None else "never sent"] += 1
                if each.said is None or isinstance(each.said, Unknown):
                    seen["unknown to the agent"] += 1
            on_town(town)

    asyncio.run(run())
    return seen
