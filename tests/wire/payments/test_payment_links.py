"""Payment links over real HTTPS: a customer's browser pays on the page that a provider hosts, while
the reconciler follows the link, and is killed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters.payer.runner import tls_context
from provider_adapters.payment import LINK_CLOSED, LINK_EXPIRED, Approved, Failed, FollowUp, Link, LinkRequest
from provider_adapters.reconciler.client import ReconcilerClient
from provider_adapters.reconciler.messages import Finding, Findings
from tests.complaints import COMPLAINTS
from tests.contract.playing import CARDS
from tests.contract.providers import LINK_MAKERS, TABLE, Provider
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.line import line
from tests.wire.payments.till import ROOT, LocalProvider, local_provider
from tonewall.process import plain_environment


@dataclass
class Desk:
    """A reconciler process, and a client that it comes back to."""

    directory: Path
    row: Provider
    provider: LocalProvider
    found: dict[str, Finding] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        log = self.directory / "reconciler.log"
        COMPLAINTS.watch(log)
        values = {
            "adapter": self.row.adapter, "url": self.provider.url, "api_key": self.provider.api_key,
            "ca_file": self.provider.ca_file, "journal": str(self.directory / "journal.jsonl"),
            "timeout": "5", "inquiry_time": "1", **self.row.account,
        }  # fmt: skip
        with log.open("ab") as out:
            command = ["provider_adapters.reconciler.process", "--socket", str(self.socket)]
            environment = {f"TONEWALL_PROVIDER_{name.upper()}": value for name, value in values.items()}
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=plain_environment(environment), cwd=ROOT, stdout=out, stderr=out,
                )
            )  # fmt: skip

    def kill(self) -> None:
        self.processes[-1].kill()
        self.processes[-1].wait(10)

    @property
    def socket(self) -> Path:
        return self.directory / "reconciler.sock"

    def note(self, findings: Findings) -> None:
        self.found.update(findings.found)


@pytest.fixture(params=LINK_MAKERS, ids=lambda row: row.adapter)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with local_provider(tmp_path, "--adapter", request.param.adapter) as provider:
        made = Desk(tmp_path, request.param, provider)
        made.start()
        yield made
        made.processes[-1].terminate()
        assert made.processes[-1].wait(10) == 0


@contextlib.asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[ReconcilerClient]:
    client = ReconcilerClient(desk.socket, desk.note)
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.connected, "a connection")
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ended(desk: Desk, client: ReconcilerClient, key: str = "k-1") -> Any:
    """The outcome of a link, asked for as b2bua does, once there is one."""

    def look() -> bool:
        client.inquire((key,), now=True)
        return key in desk.found and desk.found[key].outcome is not None

    await until(look, "the end of the link")
    return desk.found[key].outcome


class Browser:
    """What a customer does with a link."""

    def __init__(self, ca_file: str, url: str) -> None:
        self._client = httpx.AsyncClient(verify=tls_context(ca_file), trust_env=False)
        self.url, self._visit = url, ""

    async def open(self) -> tuple[str, str]:
        """What the page shows, and its text."""
        return self._read(await self._client.get(self.url))

    async def pay(self, card: str = "approved") -> str:
        """What the page shows when the form was sent."""
        number = CARDS[card]
        form = {"visit": self._visit, "number": number, "expiry": "0330", "code": "123"}
        return self._read(await self._client.post(self.url, data=form))[0]

    async def close(self) -> None:
        await self._client.aclose()

    def _read(self, answer: httpx.Response) -> tuple[str, str]:
        assert answer.headers["content-type"].startswith("text/html")
        if found := re.search('name="visit" value="([^"]+)"', answer.text):
            self._visit = found[1]
        state = re.search('data-state="([a-z]+)"', answer.text)
        assert state
        return state[1], answer.text


async def opened(desk: Desk, client: ReconcilerClient, life: float = 600.0) -> Link:
    request = LinkRequest(charge=desk.row.charge(), expires_at=time.time() + life)
    link = await client.open_link(request)
    assert isinstance(link, Link), link
    return link


async def test_a_customer_pays_on_the_providers_page_while_the_reconciler_is_killed(desk: Desk) -> None:
    async with connected(desk) as client:
        link = await opened(desk, client)
        browser = Browser(desk.provider.ca_file, link.url)
        state, page = await browser.open()
        assert state == "open"
        assert "19.98 EUR" in page
        assert await browser.pay("declined") == "declined"
        desk.kill()
        await until(lambda: not client.connected, "the end of the connection")
        desk.start()
        await until(lambda: client.connected, "a new connection")
        assert await opened(desk, client) == link, "the same link, over a kill"
        assert await browser.pay() == "paid"
        assert isinstance(await ended(desk, client), Approved)
        assert desk.found["k-1"].link == link
        assert (await browser.open())[0] == "paid"
        record = desk.provider.record("k-1")
        assert record is not None
        assert (record["charges"], record["last_four"]) == (1, "1111")
        refund = FollowUp(key="k-1-r", kind="refund", charge=desk.row.charge(), reference="", amount=1998)
        refunded = await client.follow_up(refund)
        if desk.row.adapter == "adyen":  # its webhook alone names the payment
            assert refunded == Failed(reason="reference_not_known")
        else:
            assert not isinstance(refunded, Failed)
        await browser.close()


async def test_a_link_is_closed_under_the_customers_hands(desk: Desk) -> None:
    async with connected(desk) as client:
        browser = Browser(desk.provider.ca_file, (await opened(desk, client)).url)
        assert (await browser.open())[0] == "open"
        assert await client.close_link("k-1") == Failed(reason=LINK_CLOSED)
        assert await browser.pay() == "closed"
        assert (await browser.open())[0] == "closed"
        assert await ended(desk, client) == Failed(reason=LINK_CLOSED)
        assert desk.provider.report()["charges"] == 0
        await browser.close()


# The only one without a grace: the others are left to a clock that is played.
@pytest.mark.parametrize("desk", [TABLE["stripe"]], indirect=True, ids=["stripe"])
async def test_a_link_of_stripe_expires(desk: Desk) -> None:
    async with connected(desk) as client:
        link = await opened(desk, client, life=1.0)
        browser = Browser(desk.provider.ca_file, link.url)
        assert await ended(desk, client) == Failed(reason=LINK_EXPIRED)
        assert (await browser.open())[0] == "closed"
        await browser.close()


async def test_a_link_that_is_asked_for_over_the_api_is_paid_over_the_death_of_both_processes(
    peers: Peers,
) -> None:
    extra = {
        "provider": {"adapter": "stripe", "inquiry_time": "1", "timeout": "5"},
        "general": {"port": str(free_port())},
    }
    async with line(peers, extra=extra, provider_arguments=["--adapter", "stripe"]) as wire:
        order = {"transaction_id": "INV-2043", "amount": 4990, "currency": "EUR"}
        answer = await wire.stack.api.post("/v1/links", json=order)
        assert answer.status_code == 202, answer.text
        payment = answer.json()["id"]

        async def look() -> Any:
            return (await wire.stack.api.get(f"/v1/payments/{payment}")).json()

        async def url() -> str:
            return str((await look())["link"]["url"])

        browser = Browser(wire.stack.provider["ca_file"], await until(url, "the link"))
        state, page = await browser.open()
        assert state == "open"
        assert "49.90 EUR" in page
        assert await browser.pay("declined") == "declined"
        wire.stack.kill("reconciler")
        [before] = wire.stack.kill("b2bua")
        await wire.stack.await_restart(before)
        assert (await url()) == browser.url
        assert await browser.pay() == "paid"

        async def paid() -> bool:
            outcome = (await look())["outcome"]
            return outcome is not None and outcome["type"] == "approved"

        await until(paid, "the payment")
        health = (await wire.stack.api.get("/healthz")).json()
        assert health["unknown_payments"] == 0
        await browser.close()
