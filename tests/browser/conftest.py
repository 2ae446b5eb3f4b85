"""A real browser, the real server, and a desk that a test plays by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from b2bua.api.http import create_app
from b2bua.api.server import Serving, serve
from b2bua.api.stream import KEEP_ALIVE, Streams
from media.form_description import CARD
from tests.browser.fake_desk import FakeCustomer, FakeDesk
from tests.everybody import everybody

TOKEN = "a-token-for-the-tests"
COLLEAGUE = "another-token-for-tests"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# A page on a loaded machine draws later than Playwright's five seconds.
expect.set_options(timeout=30_000)
fixture = pytest_asyncio.fixture(loop_scope="module")


class Site:
    """The server, which a test can stop and start again on its port."""

    def __init__(self, desk: FakeDesk, customer: FakeCustomer | None) -> None:
        self.desk = desk
        self._customer = customer
        self._serving: Serving | None = None
        self._port = 0
        self.idle_time = 900.0
        self.forms = [CARD]
        self.keep_alive = KEEP_ALIVE
        self.authenticators = everybody(f"ann:{TOKEN}, ben:{COLLEAGUE}")
        self.more: dict[str, Any] = {}  # for `create_app`

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        app = create_app(
            self.desk,
            authenticators=self.authenticators,
            demo=self._customer,
            idle_time=self.idle_time,
            forms=self.forms,
            streams=Streams(keep_alive=self.keep_alive),
            **self.more,
        )
        self._serving = await serve(app, "127.0.0.1", self._port)
        self._port = self._serving.port

    async def stop(self) -> None:
        if self._serving is not None:
            await self._serving.close()
            self._serving = None


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def customer(desk: FakeDesk) -> FakeCustomer:
    return FakeCustomer(desk)


@fixture
async def site(desk: FakeDesk) -> AsyncIterator[Site]:
    site = Site(desk, None)
    await site.start()
    yield site
    await site.stop()


@fixture
async def demo_site(desk: FakeDesk, customer: FakeCustomer) -> AsyncIterator[Site]:
    site = Site(desk, customer)
    await site.start()
    yield site
    await site.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, in a profile that is made for it and goes with it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield browser
        await browser.close()


@fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A window that shares nothing with the last one, as wide as a desk's screen."""
    context = await browser.new_context(
        viewport={"width": 1160, "height": 720}, locale="en-GB", timezone_id="UTC"
    )
    context.set_default_timeout(10_000)
    yield context
    await context.close()


@fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page that must not complain: no script error, nothing that the policy had to stop."""
    page = await context.new_page()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # A server that is away, or an answer that is a problem, is logged by the browser itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
