"""A script or style that was changed on its way is not used."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from b2bua.api.pages import load_pages
from b2bua.api.supervisor_page import load_supervisor_page
from tests.browser.conftest import Site
from tests.browser.page import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUPERVISOR = sorted(path for path in load_supervisor_page(load_pages()) if path.endswith((".js", ".css")))
SCRIPTS = sorted(path for path in load_pages() if path.endswith(".js"))
SKIMMER = "\ndocument.documentElement.dataset.skimmed = 'yes';\n"


async def change(context: BrowserContext, path: str) -> None:
    """Somebody between server and browser adds a line to a file."""

    async def changed(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=await answer.text() + SKIMMER)

    await context.route(f"**{path}", changed)


async def test_the_page_as_it_is_signs_in(page: Page, site: Site):
    await sign_in(page, site)
    assert await page.locator("link[rel=modulepreload][integrity]").count() == len(SCRIPTS) - 1


@pytest.mark.parametrize("path", SCRIPTS)
async def test_a_changed_script_does_not_run(context: BrowserContext, site: Site, path: str):
    await change(context, path)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.goto(site.url)
    await expect(page.locator("#sign-in")).to_be_hidden()
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("document.documentElement.dataset.skimmed") is None
    assert await page.locator("#sign-in").is_hidden()  # what needs the script does not run either
    assert any("integrity" in each for each in said)
    await page.close()


@pytest.mark.parametrize("path", SUPERVISOR)
async def test_nothing_changed_is_used_on_the_supervisors_page(
    context: BrowserContext, site: Site, path: str
):
    await change(context, path)
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await page.goto(f"{site.url}/supervisor")
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("document.documentElement.dataset.skimmed") is None
    assert any("integrity" in each for each in said)
    await page.close()


async def test_a_changed_style_is_not_used(context: BrowserContext, site: Site):
    await change(context, "/style.css")
    page = await context.new_page()
    await page.goto(site.url)
    await page.wait_for_load_state("networkidle")
    assert await page.evaluate("document.styleSheets.length") == 0
    await page.close()
