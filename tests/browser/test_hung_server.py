"""A whole Tonewall whose signalling process hangs or is killed, as the agents' page shows it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, expect

from tests.browser.page import choose
from tests.stack import TOKEN
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEEN_WITHIN = 5.0  # seconds, as docs/agents-page.md says
SLOW = 30_000  # ms


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    async with contextlib.AsyncExitStack() as undo:
        yield await undo.enter_async_context(line(Peers(tmp_path_factory.mktemp("hung"), undo)))


async def test_a_hung_server_is_seen_within_five_seconds_and_the_feed_goes_on_where_it_was(
    page: Page, wire: Line
) -> None:
    behind: list[str | None] = []

    def note(request: Request) -> None:
        if "/v1/feed" in request.url:
            behind.append(request.headers.get("last-event-id"))

    page.on("request", note)
    await page.goto(wire.stack.api_url)
    await page.locator("#token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live", timeout=SLOW)
    call = await wire.dial()
    await choose(page)
    number = await page.locator("#number").inner_text()
    (b2bua,) = wire.stack.pids()["b2bua"]
    os.kill(b2bua, signal.SIGSTOP)
    hangs = time.monotonic()
    await expect(page.locator("#lost")).to_be_visible(timeout=SLOW)
    seen = time.monotonic() - hangs
    await expect(page.get_by_role("button", name="Take card payment")).to_be_disabled()
    os.kill(b2bua, signal.SIGCONT)
    assert seen < SEEN_WITHIN + 1  # of a busy machine
    await expect(page.locator("#line")).to_have_text("Live", timeout=SLOW)
    await expect(page.locator("#number")).to_have_text(number)
    assert behind[0] is None
    assert behind[-1]
    # What comes now is news, behind what was read.
    await wire.stack.start_capture(call)
    await expect(page.locator("#capture")).to_be_visible()
    await wire.hang_up()
