"""The list of calls at a desk with many, and the agent's own call, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from b2bua.access.tokens import Tokens
from b2bua.call.order import Order
from tests.browser.conftest import COLLEAGUE, TOKEN, Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
MANY = 50


async def with_roles(site: Site) -> None:
    """Ann is an agent and no more; Ben a supervisor."""
    tokens = f"ann:{TOKEN}, ben:{COLLEAGUE}"
    site.authenticators = [Tokens.parse(tokens, "ann:agent, ben:supervisor")]
    await site.stop()
    await site.start()


def fill(desk: FakeDesk) -> None:
    for number in range(MANY):
        desk.up(f"c-{number}", caller=f"+49 30 55{number:03}", extension=f"2{number:02}", agent=f"a{number}")


async def test_an_agents_own_call_is_there_by_itself_and_others_are_not(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await with_roles(site)
    fill(desk)
    await sign_in(page, site)
    await expect(page.get_by_role("heading", name="No call right now")).to_be_visible()
    desk.up("c-7", caller="+49 30 55007", agent="ann")
    await expect(page.locator("#number")).to_have_text("+49 30 55007")
    await expect(page.get_by_label("Amount")).to_be_visible()
    await expect(page.locator("#calls")).to_be_hidden()
    desk.up("c-8", caller="+49 30 55008", agent="ann")
    await expect(page.locator("#calls-list button")).to_have_count(2)
    await expect(page.locator("#number")).to_have_text("+49 30 55007")


async def test_who_drives_a_payment_finds_its_call_after_a_reload(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    fill(desk)
    order = Order(transaction_id="INV-9", amount=4990, currency="EUR")
    await desk.start_capture("c-3", order, "ann")
    await sign_in(page, site)
    await expect(page.locator("#number")).to_have_text("+49 30 55003")


async def test_fifty_calls_leave_the_form_above_the_fold_and_are_searched(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await with_roles(site)
    fill(desk)
    await sign_in(page, site, COLLEAGUE)
    rows, search = page.locator("#others-list button"), page.get_by_role("searchbox")
    await expect(rows).to_have_count(MANY)
    await search.fill("30 5501")
    await expect(rows).to_have_count(10)
    await search.fill("a31 2")
    await expect(rows).to_have_count(1)
    await expect(page.locator("#calls-found")).to_have_text("One call fits. Press Enter to open it.")
    assert await page.evaluate(CONTRAST) == []
    await search.fill("nobody")
    await expect(page.locator("#calls-found")).to_have_text("No call fits.")
    await page.keyboard.press("Escape")
    await expect(rows).to_have_count(MANY)
    await search.fill("55031")
    await page.keyboard.press("Enter")
    await expect(page.locator("#number")).to_have_text("+49 30 55031")
    await expect(rows).to_have_count(0)
    button = await page.get_by_role("button", name="Take card payment").bounding_box()
    assert button is not None
    assert button["y"] + button["height"] <= 720

    await page.locator("#calls-others-title").click()
    await expect(rows).to_have_count(MANY)
    desk.end("c-31")
    await expect(page.locator("#desk")).to_be_hidden()
    await expect(rows).to_have_count(MANY - 1)
    await page.set_viewport_size({"width": 320, "height": 720})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_the_list_is_polish_where_the_browser_is(browser: Browser, site: Site, desk: FakeDesk) -> None:
    context = await browser.new_context(locale="pl-PL")
    page = await context.new_page()
    try:
        fill(desk)
        await sign_in(page, site)
        title = page.locator("#calls-title")
        await expect(title).to_have_text("Która rozmowa jest Twoja?")
        await expect(title).to_have_attribute("lang", "pl")
        await expect(page.get_by_label("Szukaj po numerze")).to_be_visible()
    finally:
        await context.close()
