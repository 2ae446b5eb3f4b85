"""The line that stays protected after a payment, in a real browser: the panel, its button, and who
keys on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from b2bua.call.order import Order
from b2bua.call.view import MaskStage
from provider_adapters.payment import Declined
from tests.browser.conftest import COLLEAGUE, Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying, choose, open_call, sign_in, take

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
KEYING = "The customer is still keying; nothing reaches you"


async def declined(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.key_all()
    desk.finish(Declined(reason="05", message="Do not honour"))
    desk.mask(MaskStage.HELD)


async def done_with_anns(page: Page, site: Site, desk: FakeDesk, mask: MaskStage) -> None:
    """Ann's payment was declined; her colleague ben has seen the result and pressed Done."""
    desk.up()
    await desk.start_capture("c-1", Order(transaction_id="INV-9", amount=4990, currency="EUR"), "ann")
    desk.masked()
    desk.finish(Declined(reason="05", message="Do not honour"))
    desk.mask(mask)
    await sign_in(page, site, COLLEAGUE)
    await choose(page)
    await page.get_by_role("button", name="Done").click()


async def test_after_a_payment_that_was_not_approved_the_line_stays_protected_until_the_agent_opens_it(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await declined(page, site, desk)
    button = page.get_by_role("button", name="Keying is over: open the line")
    await expect(page.locator("#banner-title")).to_have_text("The line is still protected")
    await expect(page.get_by_role("heading", name="Declined")).to_be_visible()
    await expect(button).to_be_enabled()
    assert await page.evaluate(CONTRAST) == []
    await button.click()
    await expect(page.locator("#protection")).to_contain_text("opens in a moment")
    assert desk.asked[-1] == ("release", "c-1")
    desk.mask(MaskStage.OFF)
    await expect(page.locator("#protection")).to_be_hidden()
    await expect(page.locator("#banner-title")).to_have_text("Normal call")
    await expect(page.locator("#announce")).to_have_text("The line is open. Key presses reach you again.")


async def test_the_agent_reads_that_the_customer_keys_on_and_cannot_open_the_line(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await declined(page, site, desk)
    button = page.get_by_role("button", name="Keying is over: open the line")
    await expect(button).to_be_enabled()
    desk.mask(MaskStage.HELD, still_keying=True)
    await expect(page.locator("#banner-title")).to_have_text(KEYING)
    await expect(page.locator("#banner-text")).to_have_text("Ask them to stop.")
    await expect(page.locator("#announce")).to_contain_text(KEYING)
    await expect(button).to_be_disabled()
    assert await page.evaluate(CONTRAST) == []
    desk.mask(MaskStage.HELD)
    await expect(button).to_be_enabled()


async def test_a_key_after_the_button_brings_it_back(page: Page, site: Site, desk: FakeDesk) -> None:
    await declined(page, site, desk)
    button = page.get_by_role("button", name="Keying is over: open the line")
    await button.press("Enter")
    await expect(button).to_be_disabled()
    desk.mask(MaskStage.HELD, still_keying=True)
    await expect(page.locator("#banner-title")).to_have_text(KEYING)
    desk.mask(MaskStage.HELD)
    await expect(button).to_be_enabled()


async def test_the_result_may_be_done_with_and_another_payment_begun_while_the_line_is_protected(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await declined(page, site, desk)
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("#banner-title")).to_have_text("The line is still protected")
    await take(page)
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")


async def test_a_colleague_who_is_done_with_the_result_can_still_take_the_mask_over(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await done_with_anns(page, site, desk, MaskStage.HELD)
    open_line = page.get_by_role("button", name="Keying is over: open the line")
    start = page.get_by_role("button", name="Take card payment")
    await expect(page.locator("#owner")).to_have_text("Payment started by ann.")
    await expect(start).to_be_disabled()
    await expect(open_line).to_be_disabled()
    await page.get_by_role("button", name="Take over from ann").click()
    await page.get_by_role("button", name="Yes, take over").click()
    await expect(page.locator("#take-over")).to_be_hidden()
    await expect(start).to_be_enabled()
    await open_line.click()
    await expect(page.locator("#protection")).to_contain_text("opens in a moment")
    assert desk.asked[-2:] == [("take over", "c-1", "ben"), ("release", "c-1")]


async def test_done_leaves_nothing_to_take_over_once_the_line_is_open(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await done_with_anns(page, site, desk, MaskStage.OFF)
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()
    await expect(page.locator("#take-over")).to_be_hidden()
    await expect(page.locator("#owner")).to_be_hidden()


async def test_the_agent_protects_the_line_before_a_payment_and_opens_it_or_starts(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await page.get_by_role("button", name="Protect now").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    assert desk.asked[-1] == ("announce", "c-1")
    desk.confirm_mask()
    title = page.locator("#banner-title")
    await expect(title).to_have_text("The line is protected before the payment")
    await expect(page.locator("#announce")).to_have_text("The line is protected before the payment.")
    await expect(page.get_by_role("button", name="Protect now")).to_be_hidden()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()
    desk.confirm_mask(still_keying=True, keys_dropped=3)
    await expect(title).to_contain_text("still keying")
    release = page.get_by_role("button", name="open the line")
    await expect(release).to_be_disabled()
    desk.confirm_mask(still_keying=False)
    await expect(page.locator("#banner-text")).to_contain_text("3 keys were thrown away")
    assert await page.evaluate(CONTRAST) == []
    await release.click()
    await expect(page.locator("#protection-text")).to_contain_text("opens in a moment")


async def test_keys_that_reach_the_agent_before_a_payment_ask_for_protection(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    title, now = page.locator("#banner-title"), datetime.now(UTC)
    await expect(title).to_have_text("Normal call")
    desk.up(keys_passed_at=now.isoformat(timespec="seconds"))
    await expect(title).to_have_text("The customer is keying, and the keys reach you")
    await expect(page.locator("#announce")).to_contain_text("Press “Protect now”")
    assert await page.evaluate(CONTRAST) == []
    desk.up(keys_passed_at=(now - timedelta(seconds=9)).isoformat(timespec="seconds"))
    await expect(title).to_have_text("Normal call")
    desk.up(keys_passed_at=datetime.now(UTC).isoformat(timespec="seconds"))
    await page.get_by_role("button", name="Protect now").click()
    await expect(title).to_have_text("Securing the line")


async def test_a_line_that_another_agent_protects_is_taken_over_first(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await desk.announce_payment("c-1", "bob")
    desk.confirm_mask()
    await expect(page.locator("#owner")).to_have_text("The line was protected by bob.")
    await expect(page.get_by_role("button", name="Take card payment")).to_be_disabled()
    await expect(page.get_by_role("button", name="open the line")).to_be_disabled()
    take_over = page.locator("#take-over")
    await take_over.click()
    await take_over.click()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()
    await expect(page.locator("#owner")).to_be_hidden()
