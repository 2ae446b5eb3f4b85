"""The form and the result after "Done", the receipt, and why a button is grey, in a real
browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from provider_adapters.payment import Approved, Declined, Unknown
from tests.browser.accessibility import inspect
from tests.browser.conftest import COLLEAGUE, Site
from tests.browser.fake_desk import FakeDesk, capture_of, payment_of
from tests.browser.page import CONTRAST, begin_keying, choose, from_menu, open_call, sign_in, take
from tests.receipt_service import ReceiptService
from tests.stack import until

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
APPROVED = Approved(reference="ch_3Pq9XkA1", token="tok_9f2c71", authorisation_code="A4471Z")


async def paid(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.key_all()
    view = desk.finish(APPROVED)
    settled = msgspec.structs.replace(
        payment_of(view, capture_of(view)), settled_at="2026-03-01T09:31:00+00:00"
    )
    desk.tell(settled)
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()


async def test_the_form_stays_filled_with_its_result_until_another_payment_begins(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await paid(page, site, desk)
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    await expect(page.get_by_label("Payment reference")).to_have_value("INV-2041")
    await expect(page.locator("#kept-title")).to_have_text("Last payment: €49.90 paid, INV-2041")
    assert await page.evaluate(CONTRAST) == []
    await page.get_by_role("button", name="Show it again").click()
    await expect(page.locator("#result-facts")).to_contain_text("A4471Z")
    await expect(page.locator("#result-title")).to_be_focused()
    await page.get_by_role("button", name="Done").click()
    # The same order is not charged once more by the same press.
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.get_by_role("heading", name="Charged already")).to_be_visible()
    await take(page, reference="INV-2042")
    desk.masked()
    await page.get_by_role("button", name="Cancel payment").click()
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("#kept-title")).to_have_text("Last payment: Cancelled, INV-2042")
    desk.up("c-2", caller="+49 30 222")
    await page.locator("#calls-list button", has_text="+49 30 222").click()
    await expect(page.locator("#kept")).to_be_hidden()
    await expect(page.get_by_label("Amount")).to_have_value("")


async def test_a_receipt_is_copied_and_printed_without_the_cards_token(
    page: Page, context: BrowserContext, site: Site, desk: FakeDesk
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    await paid(page, site, desk)
    await expect(page.locator("#result-facts .when")).to_have_count(1)
    await page.get_by_role("button", name="Copy receipt").click()
    await expect(page.locator("#receipt-said")).to_have_text("The receipt was copied.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[:3] == ["€49.90 paid", "Your reference: INV-2041", "Card: Visa •••• 1111"]
    assert "Authorisation: A4471Z" in copied
    assert "tok_9f2c71" not in copied
    assert "When: 01/03/2026" in copied
    await page.emulate_media(media="print")
    await expect(page.locator("#result-title")).to_be_visible()
    await expect(page.get_by_text("ch_3Pq9XkA1")).to_be_visible()
    for hidden in (".top", ".call", "#receipt-print", "#done", "#result-facts dt.private"):
        await expect(page.locator(hidden)).to_be_hidden()
    await expect(page.get_by_text("tok_9f2c71")).to_be_hidden()
    assert await page.evaluate(CONTRAST) == []


async def test_a_receipt_is_sent_by_the_companys_service(
    page: Page, site: Site, desk: FakeDesk, tmp_path: Path
) -> None:
    company = ReceiptService(tmp_path)
    site.more = {"receipts": company.receipts}
    await site.stop()
    await site.start()
    await paid(page, site, desk)
    [payment] = desk.paid.values()
    to, press, said = (page.locator(f"#receipt-{part}") for part in ("to", "press", "said"))
    await expect(page.locator("#receipt-press-why")).to_be_empty()
    await press.click()
    await expect(page.locator("#receipt-error")).to_contain_text("Enter an e-mail address")
    await expect(to).to_be_focused()
    await page.keyboard.type("jo@example.com")
    await expect(page.locator("#receipt-error")).to_be_empty()
    await page.keyboard.press("Enter")
    await expect(page.locator("#receipt-error")).to_contain_text("no such payment")  # the table has it not
    await inspect(page, "a receipt that was refused")
    company.table.put(payment)
    await page.get_by_label("E-mail or telephone").press("Enter")
    await expect(said).to_have_text("Handed to your company's service, which sends it.")
    await expect(page.locator("#announce")).to_have_text("Handed to your company's service, which sends it.")
    await expect(to).to_have_value("")
    await inspect(page, "a receipt that was sent")
    await company.webhooks.look()
    await until(lambda: company.service.got, "the event of the charge")
    assert company.kinds() == ["payment.charged", "payment.receipt"]
    await to.fill("4111 1111 1111 1111")
    await press.click()
    await expect(page.locator("#receipt-error")).to_contain_text("Enter an e-mail address")
    await expect(said).to_be_empty()
    assert len(company.kinds()) == 2
    await from_menu(page, "Sign out")
    await expect(to).to_have_value("")
    await company.close()


async def test_a_receipt_is_grey_where_no_service_sends_any(page: Page, site: Site, desk: FakeDesk) -> None:
    await paid(page, site, desk)
    await expect(page.get_by_role("button", name="Send receipt")).to_be_disabled()
    why = "No service of your company sends receipts: copy or print it."
    await expect(page.locator("#receipt-press-why")).to_have_text(why)
    await expect(page.locator("#receipt-press")).to_have_attribute("aria-describedby", "receipt-press-why")


async def test_a_grey_button_says_why(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    why = page.locator("#charge-why")
    await expect(why).to_have_text("Still to be keyed: card number, expiry date, security code.")
    await expect(page.locator("#charge")).to_have_attribute("aria-describedby", "charge-why")
    assert await page.evaluate(CONTRAST) == []
    desk.key_all()
    await expect(why).to_be_empty()
    await site.stop()
    await expect(why).to_have_text("The connection is lost: wait until it is back.")
    await site.start()
    await expect(why).to_be_empty()
    other = await page.context.new_page()
    await sign_in(other, site, COLLEAGUE)
    await choose(other)
    await expect(other.locator("#charge-why")).to_have_text("ann drives this payment: take it over first.")


async def test_reasons_and_receipts_are_polish_where_the_browser_is(
    browser: Browser, site: Site, desk: FakeDesk
) -> None:
    context = await browser.new_context(locale="pl-PL", viewport={"width": 320, "height": 720})
    page = await context.new_page()
    try:
        await open_call(page, site, desk)
        await expect(page.locator("#take-why")).to_be_empty()
        await take(page)
        await expect(page.locator("#charge-why")).to_have_text("Linia jest zabezpieczana.")
        desk.masked()
        desk.key_all()
        desk.finish(APPROVED)
        await expect(page.get_by_role("button", name="Kopiuj potwierdzenie")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    finally:
        await context.close()


async def test_the_payments_of_today_are_listed_with_their_state(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    now = datetime.now(UTC)
    await begin_keying(page, site, desk)
    desk.key_all()
    desk.finish(Declined(reason="51"))
    begun = payment_of(desk.find("c-1"), capture_of(desk.find("c-1")))
    old = (now - timedelta(days=2)).isoformat()
    desk.tell(msgspec.structs.replace(begun, id="p-0", started_at=old, settled_at=old, outcome=APPROVED))
    rows = page.locator("#today-list li")
    await expect(rows).to_have_count(0)
    await page.get_by_text("Payments of today").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("€49.90INV-2041 · Visa •••• 1111 · annDeclined")
    other = msgspec.structs.replace(begun, id="p-2", outcome=Unknown(reason="x"), started_at=now.isoformat())
    desk.tell(other)
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="Not known")).to_have_count(1)
    assert await page.evaluate(CONTRAST) == []
    await page.set_viewport_size({"width": 320, "height": 720})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await from_menu(page, "Sign out")
    await expect(page.locator("#today")).to_be_hidden()
    assert await page.locator("#today-list").inner_text() == ""
