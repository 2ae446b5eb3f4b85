"""The agent's telephone on the page: a short code that links its call, and what its codes came to,
in a real browser."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

from b2bua.call.feature_codes import ClaimView, CodeView, Feature
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying, from_menu, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them

# A word of each sentence.
DONE = {
    Feature.START: "started",
    Feature.SUBMIT: "submitted",
    Feature.SKIP: "skipped",
    Feature.ASK: "asked",
    Feature.PROTECT: "masked",
    Feature.CANCEL: "cancelled",
    Feature.RELEASE: "keying is over",
    Feature.LINK: "linked",
}


def shown(desk: FakeDesk) -> ClaimView:
    """The claim that ann's page waits for."""
    return desk.opened[-1]


async def link(page: Page) -> None:
    await page.get_by_role("button", name="Link my telephone").click()
    await expect(page.locator("#phone-code")).to_be_visible()


async def test_the_page_opens_the_call_in_which_its_code_is_keyed(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    for call, caller in (("c-1", "+49 30 1"), ("c-2", "+49 30 2"), ("c-3", "+49 30 3")):
        desk.up(call, caller=caller)
    await sign_in(page, site)
    await link(page)
    claim = shown(desk)
    await expect(page.locator("#phone-code")).to_have_text(f"*{claim.code}#")
    assert await page.evaluate(CONTRAST) == []
    await expect(page.locator("#desk")).to_be_hidden()
    desk.publish(msgspec.structs.replace(desk.find("c-1"), claim="another agent's"))
    desk.publish(msgspec.structs.replace(desk.find("c-2"), claim=claim.id))
    await expect(page.locator("#number")).to_have_text("+49 30 2")
    await expect(page.locator("#phone-code")).to_be_hidden()
    await expect(page.get_by_role("button", name="Link my telephone")).to_be_visible()


async def test_a_new_code_takes_the_place_of_the_last_and_none_is_left_after_signing_out(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await sign_in(page, site)
    await link(page)
    first = shown(desk)
    await page.get_by_role("button", name="Another code").click()
    await expect(page.locator("#phone-code")).not_to_have_text(f"*{first.code}#")
    assert shown(desk).code != first.code
    await from_menu(page, "Sign out")
    await expect(page.locator("#desk-phone")).to_be_hidden()
    assert "#" not in await page.locator("#phone-code").inner_text()


async def test_what_the_telephones_codes_came_to_is_said(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    said = page.locator("#phone-said")
    await expect(said).to_be_hidden()
    assert DONE.keys() == {*Feature} - {Feature.UNKNOWN}
    for count, (feature, word) in enumerate(DONE.items(), 1):
        code = CodeView(feature=feature, done=True, count=count)
        desk.publish(msgspec.structs.replace(desk.find("c-1"), feature_code=code))
        await expect(said).to_contain_text(word)
        await expect(page.locator("#announce")).to_contain_text(word)
    refused = CodeView(feature=Feature.SUBMIT, reason="The customer has not keyed everything yet.", count=99)
    desk.publish(msgspec.structs.replace(desk.find("c-1"), feature_code=refused))
    await expect(said).to_have_text("Your telephone: The customer has not keyed everything yet.")
    assert await page.evaluate(CONTRAST) == []


async def test_an_agent_whose_browser_is_polish_links_in_polish(
    browser: Browser, site: Site, desk: FakeDesk
) -> None:
    context = await browser.new_context(locale="pl-PL")
    page = await context.new_page()
    try:
        await sign_in(page, site)
        button = page.get_by_role("button", name="Połącz mój telefon")
        await button.click()
        await expect(page.locator("#phone-text")).to_contain_text("Wpisz to na swoim telefonie")
        assert await page.locator("html").get_attribute("lang") == "pl"
    finally:
        await context.close()
    assert shown(desk).code


async def test_where_no_telephone_keys_codes_none_is_offered(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.keys_codes = False
    await sign_in(page, site)
    await expect(page.locator("#desk-phone")).to_be_hidden()
