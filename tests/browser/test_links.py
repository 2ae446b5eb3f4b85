"""Payment links on the agent's page: opened beside the card, followed to their end, closed, and
shown as a QR code."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import BrowserContext, Page, expect

from b2bua.call.link import HandOver, LinkOffer, LinkState, Recipient
from b2bua.call.view import PaymentView
from provider_adapters.payment import LINK_CLOSED, LINK_EXPIRED, Approved, Failed
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying, choose, open_call, picture
from tests.qr import read_qr

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
URL = "https://pay.example/l/3fK9"
# Its modules, as a picture whose border is the picture's: what the page has drawn.
SVG = """() => {
  const svg = document.querySelector("#link-qr svg");
  const [box, path] = [svg.getAttribute("viewBox"), svg.querySelector("path").getAttribute("d")];
  return `<svg viewBox="${box}"><path stroke="#000" d="${path}"/></svg>`;
}"""


async def fill(page: Page, amount: str = "49.90", reference: str = "INV-2043") -> None:
    await page.get_by_label("Amount").fill(amount)
    await page.get_by_label("Payment reference").fill(reference)


async def opened(page: Page, site: Site, desk: FakeDesk) -> PaymentView:
    """A link is open in the call."""
    await open_call(page, site, desk)
    await fill(page)
    await page.get_by_role("button", name="Payment link").click()
    await page.get_by_role("button", name="Open payment link").click()
    await expect(page.get_by_role("heading", name="Opening the link…")).to_be_visible()
    [payment] = [each for each in desk.paid.values() if each.link]
    return desk.link(payment.id, state=LinkState.OPEN, url=URL)


async def test_a_link_is_opened_sent_and_paid(page: Page, site: Site, desk: FakeDesk) -> None:
    await open_call(page, site, desk)
    await fill(page)
    await page.get_by_role("button", name="Payment link").click()
    await expect(page.get_by_label("Send to a telephone")).to_be_focused()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_hidden()
    await page.get_by_label("Send to a telephone").fill("+49 30 123456")
    assert await page.evaluate(CONTRAST) == []
    await page.keyboard.press("Enter")
    await expect(page.locator("#link-title")).to_be_focused()
    what, call, order, to, expires_in, provider, agent = desk.asked[0]
    assert (what, call, order.transaction_id, order.amount) == ("link", "c-1", "INV-2043", 4990)
    assert (to, expires_in, provider, agent) == (Recipient(phone="+4930123456"), None, "", "ann")
    [payment_id] = desk.paid
    told = HandOver(event="payment_link.opened", state="waiting", at="2026-11-30T10:00:00Z")
    desk.link(payment_id, state=LinkState.OPEN, url=URL, hand_over=told)
    await expect(page.get_by_role("heading", name="Waiting for €49.90")).to_be_visible()
    await expect(page.locator("#link-hand-over")).to_contain_text("is on its way")
    desk.link(
        payment_id, hand_over=HandOver(event=told.event, state="failing", at=told.at, reason="http_503")
    )
    await expect(page.locator("#link-hand-over")).to_contain_text("(http_503). It is tried again")
    desk.link(payment_id, hand_over=msgspec.structs.replace(told, state="delivered"))
    await expect(page.locator("#link-hand-over")).to_have_text("Your SMS and e-mail service has the link.")
    await expect(page.locator("#announce")).to_contain_text("has the link")
    await expect(page.locator("#say-text")).to_contain_text("open it and pay €49.90")
    await expect(page.locator("#banner-title")).to_have_text("Normal call")
    await expect(page.locator("#link-url")).to_have_value(URL)
    await expect(page.locator("#link-qr svg")).to_have_attribute("aria-label", "QR code of the payment link")
    assert read_qr((await page.evaluate(SVG)).encode()) == URL
    assert await page.evaluate(CONTRAST) == []
    await picture(page, "agent-page-link.png")
    desk.link(payment_id, Approved(reference="ch_1"), state=LinkState.PAID)
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()
    await expect(page.locator("#announce")).to_contain_text("€49.90 paid")
    await expect(page.locator("#later-refund")).to_have_text("Refund €49.90")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_visible()


@pytest.mark.parametrize(
    ("state", "reason", "title"),
    [(LinkState.CLOSED, LINK_CLOSED, "Link closed"), (LinkState.EXPIRED, LINK_EXPIRED, "Link expired")],
)
async def test_a_link_is_closed_or_expires_and_the_order_is_begun_again(
    page: Page, site: Site, desk: FakeDesk, state: LinkState, reason: str, title: str
) -> None:
    payment = await opened(page, site, desk)
    if state is LinkState.CLOSED:
        await page.get_by_role("button", name="Close link").click()
        await expect(page.get_by_role("heading", name="Closing the link…")).to_be_visible()
        assert desk.asked[-1] == ("close link", payment.id, "ann")
        await expect(page.locator("#link-close")).to_be_disabled()
        await expect(page.locator("#link-qr")).to_be_hidden()
    desk.link(payment.id, Failed(reason=reason), state=state)
    await expect(page.get_by_role("heading", name=title)).to_be_visible()
    await expect(page.locator("#result-text")).to_contain_text("Nothing was charged")
    await page.get_by_role("button", name="Start again").click()
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    await expect(page.get_by_label("Payment reference")).to_have_value("INV-2043")


async def test_a_customer_who_does_not_key_gets_a_link_in_one_step(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    await page.get_by_role("button", name="Payment link instead").click()
    await expect(page.get_by_role("button", name="Open payment link")).to_be_focused()
    assert [what[0] for what in desk.asked] == ["start", "cancel"]
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Opening the link…")).to_be_visible()
    assert desk.asked[-1][0] == "link"


async def test_a_link_is_seen_again_after_a_reload_and_after_its_call(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    payment = await opened(page, site, desk)
    await page.reload()
    await choose(page)
    await expect(page.get_by_role("heading", name="Waiting for €49.90")).to_be_visible()
    desk.end()
    await expect(page.get_by_role("heading", name="Waiting for €49.90")).to_be_visible()
    desk.link(payment.id, Approved(reference="ch_1"), state=LinkState.PAID)
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()


async def test_while_it_is_open_its_order_is_not_charged_by_card(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await opened(page, site, desk)
    await page.get_by_role("button", name="Leave it open, and go on").click()
    await fill(page)
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.get_by_role("heading", name="A payment link is open")).to_be_visible()
    await expect(page.locator("#repeat-text")).to_have_text(
        "A payment link for this order is open. Close the link first."
    )
    await expect(page.locator("#repeat-order")).to_be_hidden()
    assert [what[0] for what in desk.asked] == ["link"]


async def test_what_is_no_telephone_number_is_said_beside_it(page: Page, site: Site, desk: FakeDesk) -> None:
    await open_call(page, site, desk)
    await fill(page)
    await page.get_by_role("button", name="Payment link").click()
    await page.get_by_label("Send to a telephone").fill("030 123456")
    await page.get_by_role("button", name="Open payment link").click()
    await expect(page.locator("#phone-error")).to_contain_text("with its country")
    await expect(page.locator("#phone")).to_have_attribute("aria-invalid", "true")
    assert desk.asked == []
    await page.get_by_role("button", name="Back to the card").click()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_visible()


async def test_without_a_service_nobody_is_asked_for_a_number(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.offers_links = LinkOffer(offered=True, hand_over=False, expires=600)
    await open_call(page, site, desk)
    await fill(page)
    await page.get_by_role("button", name="Payment link").click()
    await expect(page.get_by_label("Send to a telephone")).to_be_hidden()
    await expect(page.get_by_role("button", name="Open payment link")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Opening the link…")).to_be_visible()
    assert desk.asked[0][3] == Recipient()


async def test_where_no_provider_offers_links_there_is_no_button(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.offers_links = LinkOffer(offered=False, hand_over=True, expires=600)
    await begin_keying(page, site, desk)
    await expect(page.locator("#link-instead")).to_be_hidden()
    await page.get_by_role("button", name="Cancel payment").click()
    await page.get_by_role("button", name="Start again").click()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_visible()
    await expect(page.locator("#by-link")).to_be_hidden()


async def test_the_link_is_copied(page: Page, context: BrowserContext, site: Site, desk: FakeDesk) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await opened(page, site, desk)
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.locator("#link-copy")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == URL


async def test_a_narrow_window_holds_all_of_it(page: Page, site: Site, desk: FakeDesk) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await opened(page, site, desk)
    await expect(page.locator("#link-qr svg")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(CONTRAST) == []
