"""The demo's plain CRM: a payment in its page, at the Tonewall that the demo runs."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page, expect

from b2bua.demo.plain_crm import PlainCrm
from tests.browser.conftest import fixture
from tests.browser.page import picture
from tests.stack import until

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
_OFFER = re.compile(r"open (http://\S+).*?token: (\S+).*?form in it: (http://[0-9.]+:[0-9]+)", re.DOTALL)


class Demo:
    """`api`: its address and the agent's token; `crm`: the page."""

    def __init__(self, offer: re.Match[str]) -> None:
        self.api, self.token, self.crm = offer.groups()


@fixture
async def demo() -> AsyncIterator[Demo]:
    """`tonewall demo`, from when its reader may go on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "demo",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    said = bytearray()

    async def offer() -> re.Match[str] | None:
        assert process.stdout is not None
        said.extend(await process.stdout.read(4096))
        assert process.returncode is None, said.decode()
        return _OFFER.search(said.decode(errors="replace"))

    yield Demo(await until(offer, "the demo's offer", 240))
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0, "every check of the demo held"


@pytest.mark.timeout(400)  # a whole demo comes before it
@pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not here")
async def test_an_order_is_paid_in_the_page_of_the_crm(page: Page, demo: Demo) -> None:
    await page.goto(demo.crm)
    await page.get_by_role("button", name="Take the payment by card").click()
    form = page.locator("tonewall-payment")
    await form.get_by_role("button", name="Take card payment").click()
    await expect(form.get_by_role("status")).to_contain_text("do not reach you", timeout=60_000)
    headers = {"Authorization": f"Bearer {demo.token}"}
    async with httpx.AsyncClient(base_url=demo.api, headers=headers, trust_env=False) as agent:
        found = (await agent.get("/v1/calls")).json()
        [call] = found if isinstance(found, list) else found["calls"]
        keyed = await agent.post("/v1/demo/key", json={"call_id": call["id"], "card": "approved"})
    assert keyed.status_code == 202
    await form.get_by_role("button", name="Charge").click(timeout=60_000)
    await expect(page.locator("#state")).to_have_text("paid", timeout=30_000)
    await picture(page, "plain-crm.png")
    events = await page.locator("#log").inner_text()  # the newest
    assert '"outcome":"approved"' in events
    assert "1111" not in events


async def test_it_says_that_the_customer_is_in_no_call(page: Page, demo_without_call: PlainCrm) -> None:
    await page.goto(demo_without_call.origin)
    await page.get_by_role("button", name="Take the payment by card").click()
    await expect(page.locator("#hint")).to_have_text("Tonewall does not answer.")
    await expect(page.get_by_role("button", name="Take the payment by card")).to_be_enabled()


@fixture
async def demo_without_call() -> AsyncIterator[PlainCrm]:
    """The CRM beside a Tonewall that is away."""
    crm = PlainCrm()
    crm.start()
    crm.connect("http://127.0.0.1:9", "a-key")
    yield crm
    await asyncio.to_thread(crm.close)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
async def test_another_page_gets_no_token(demo_without_call: PlainCrm, headers: dict[str, str]) -> None:
    where = urlsplit(demo_without_call.origin)

    def ask() -> int:
        connection = http.client.HTTPConnection(where.hostname or "", where.port or 0, timeout=30)
        connection.request("POST", "/token", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    assert await asyncio.to_thread(ask) == 403


async def test_its_policy_lets_tonewall_in_and_nobody_else() -> None:
    crm = PlainCrm()
    crm.connect("https://pay.example", "key")
    assert "unsafe" not in crm.policy
    assert "*" not in crm.policy
    kind, body = crm.read("/") or ("", b"")
    assert kind.startswith("text/html")
    assert b"key" not in body.replace(b"keys", b"")
    assert json.dumps(crm.read("/../plain_crm.py")) == "null"
