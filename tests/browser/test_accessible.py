"""Every state of the page for everybody: no violation of WCAG 2.2 AA that axe-core sees, in light
and dark, and nothing over the edge from 320 pixels to 4K."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.async_api import Browser, Page, expect

from b2bua.access import passwords
from b2bua.call.link import LinkState
from media.events import Field
from provider_adapters.payment import Approved, Declined, Failed, Unknown
from tests.browser.accessibility import find_barriers, inspect
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import begin_keying, choose, embed_token, sign_in, take
from tests.browser.people import Clock, People, sign_in_as

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


async def test_the_finder_finds(page: Page, site: Site) -> None:
    await page.goto(site.url)
    await expect(page.locator("#sign-in")).to_be_visible()
    await page.evaluate("document.querySelector('label[for=token]').remove()")
    assert any("label" in each for each in await find_barriers(page))


async def test_from_the_sign_in_to_the_kept_result(page: Page, site: Site, desk: FakeDesk) -> None:
    await page.goto(site.url)
    await expect(page.locator("#sign-in")).to_be_visible()
    await inspect(page, "sign-in")
    await sign_in(page, site)
    await inspect(page, "idle")
    for number in range(9):
        desk.up(f"c-{number}", caller=f"+49 30 {number}")
    await expect(page.locator("#others-list li")).to_have_count(9)
    await inspect(page, "list of many")
    for number in range(2, 9):
        desk.end(f"c-{number}")
    await choose(page, "+49 30 1")
    await inspect(page, "call open")
    await page.locator("#take").click()
    await expect(page.locator("#amount-error")).not_to_be_empty()
    await inspect(page, "faults of the order")
    await page.locator("#protect").click()
    desk.confirm_mask("c-1")
    await expect(page.locator("#protection")).to_be_visible()
    await inspect(page, "protected")
    await take(page)
    await inspect(page, "starting")
    desk.masked("c-1")
    desk.keyed(Field.CARD_NUMBER, 6, brand="visa")
    await expect(page.locator(".dot.keyed")).to_have_count(6)
    await inspect(page, "keying")
    desk.keyed(Field.CARD_NUMBER, 0, rejected=1, reason_of_field="card_number_check_digit")
    await expect(page.locator('li[data-rejected="yes"]')).to_be_visible()
    await inspect(page, "refused")
    desk.key_all()
    await expect(page.locator("#charge")).to_be_enabled()
    await inspect(page, "ready")
    desk.finish(Declined(reason="insufficient_funds", code="51", message="NSF"))
    await expect(page.locator("#result")).to_be_visible()
    await inspect(page, "declined")
    await page.locator("#again").click()
    await take(page, reference="INV-3")
    desk.masked("c-1")
    desk.key_all()
    desk.finish(Approved(reference="ch_1", token="tok_1"))
    await expect(page.locator("#receipt")).to_be_visible()
    await inspect(page, "charged")
    await page.locator("#done").click()
    await expect(page.locator("#kept")).to_be_visible()
    await page.locator("#today summary").click()
    await expect(page.locator("#today-list li")).to_have_count(2)
    await inspect(page, "kept result and payments of today")
    await site.stop()
    await expect(page.locator("#lost")).to_be_visible(timeout=30_000)
    await inspect(page, "lost server")
    await site.start()


async def test_other_endings_and_links(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.key_all()
    for outcome in (Failed(reason="no_connection"), Unknown(reason="timeout")):
        desk.finish(outcome)
        await expect(page.locator("#result-facts")).to_contain_text(str(outcome.reason))
        await inspect(page, type(outcome).__name__)
    await page.locator("#done").click()
    await page.locator("#by-link").click()
    await page.locator("#transaction_id").fill("INV-9")
    await inspect(page, "form of a link")
    await page.locator("#link-open").click()
    await expect(page.locator("#link")).to_be_visible()
    [payment] = [each for each in desk.paid.values() if each.link]
    desk.link(payment.id, state=LinkState.OPEN, url="https://pay.example/cs_1")
    await expect(page.locator("#link-qr svg")).to_be_visible()
    await inspect(page, "link open")


async def test_people_and_their_passwords(
    page: Page, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How dear a hash is, is no matter here.
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    people = People(tmp_path / "access", Clock())
    people.add("kim")
    sessions = await people.open(site)
    await page.goto(site.url)
    await expect(page.locator("#by-password")).to_be_visible()
    await page.locator("#sign-in-press").click()
    await expect(page.locator("#sign-in-error")).not_to_be_empty()
    await inspect(page, "sign-in by password")
    await sign_in_as(page, site.url, "kim")
    await page.locator("#account summary").click()
    await inspect(page, "menu")
    await page.locator("#change-password").click()
    await expect(page.locator("#change")).to_be_visible()
    await inspect(page, "change of the password")
    await site.stop()
    people.sign_in.close()
    sessions.close()


async def test_the_embedded_form(page: Page, site: Site, desk: FakeDesk) -> None:
    site.more = {"frame_ancestors": ["https://crm.example"]}
    await site.stop()
    await site.start()
    desk.up("c-1", agent="ann")
    order = "call=c-1&order=INV-2041&amount=4990&currency=EUR"
    await page.goto(f"{site.url}/embed#{order}&token={await embed_token(site)}")
    await expect(page.locator("[part~=take]")).to_be_enabled()
    await inspect(page, "embedded: call open")
    await page.locator("[part~=take]").click()
    desk.masked()
    desk.keyed(Field.CARD_NUMBER, 5)
    await expect(page.locator("[data-field=card_number] .dots")).to_have_text("●●●●●")
    await inspect(page, "embedded: keying")
    desk.key_all()
    desk.finish(Declined(reason="declined"))
    await expect(page.locator("[part~=again]")).to_be_visible()
    await inspect(page, "embedded: declined")


async def test_with_colours_that_are_forced_dots_and_focus_are_seen(
    browser: Browser, site: Site, desk: FakeDesk
) -> None:
    context = await browser.new_context(forced_colors="active", locale="en")
    page = await context.new_page()
    try:
        await begin_keying(page, site, desk)
        desk.keyed(Field.CARD_NUMBER, 3)
        dots = page.locator('li[data-field="card_number"] .dot')
        await expect(dots.nth(2)).to_have_class("dot keyed")
        colours = [
            await dots.nth(place).evaluate("(dot) => getComputedStyle(dot).backgroundColor")
            for place in (2, 3)
        ]
        assert colours[0] != colours[1]
        await page.locator("#cancel").focus()
        await page.keyboard.press("Shift+Tab")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
        assert await find_barriers(page) == []
    finally:
        await context.close()
