"""The agent's page in a real browser: what an agent sees and presses while a customer keys a
card."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.async_api import BrowserContext, Page, expect

from b2bua.call.order import Order
from b2bua.call.service_view import Fault, Stops
from b2bua.call.view import CaptureStage
from b2bua.switchboard.view_feed import Feed
from media.events import Field
from provider_adapters.payment import Approved, Declined, Failed, Outcome, PartiallyApproved, Unknown
from tests.browser.conftest import TOKEN, Site
from tests.browser.fake_desk import FakeCustomer, FakeDesk, capture_of, payment_of
from tests.browser.page import CONTRAST, begin_keying, choose, from_menu, open_call, picture, sign_in, take

CARD, EXPIRY, CODE = Field.CARD_NUMBER, Field.EXPIRY, Field.SECURITY_CODE

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them


async def to_ready(page: Page, desk: FakeDesk) -> None:
    await take(page)
    desk.masked()
    desk.key_all()
    await expect(page.get_by_role("button", name="Charge")).to_be_enabled()


async def test_a_payment_shows_dots_brand_and_last_four_and_no_digit_else(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await sign_in(page, site)
    await expect(page.get_by_role("heading", name="No call right now")).to_be_visible()
    desk.ring()
    await expect(page.locator("#desk")).to_be_hidden()
    await choose(page)
    await expect(page.locator("#banner-title")).to_have_text("Ringing")
    await expect(page.get_by_role("button", name="Take card payment")).to_be_hidden()
    began = (datetime.now(UTC) - timedelta(minutes=2, seconds=41)).isoformat()
    desk.up(started_at=began)
    await expect(page.locator("#timer")).to_have_text(re.compile("2:4[1-9]"))
    await expect(page.locator("#number")).to_have_text("+49 30 1234567")
    await expect(page.locator("#banner-title")).to_have_text("Normal call")
    await take(page)
    assert desk.asked[0][2].amount == 4990
    await expect(page.locator("#say-text")).to_contain_text("One moment")

    desk.masked()
    await expect(page.locator("#banner-title")).to_have_text(
        "You hear the customer; the digits do not reach you"
    )
    await expect(page.locator("#say-text")).to_have_text("“Please key your card number, then #.”")
    for count in range(1, 17):
        desk.keyed(CARD, count)
        await expect(page.locator('li[data-field="card_number"] .dot.keyed')).to_have_count(count)
    desk.keyed(CARD, 16, complete=True, brand="visa", last_four="1111", field=EXPIRY)
    await expect(page.locator('li[data-field="card_number"]')).to_contain_text("1111Visa")
    await expect(page.locator('li[data-field="card_number"] .dot.keyed')).to_have_count(12)
    await expect(page.locator("#announce")).to_have_text("Card number complete.")
    desk.keyed(EXPIRY, 2)
    await expect(page.locator('li[data-field="expiry"]')).to_have_attribute("aria-current", "step")
    await expect(page.locator('li[data-field="expiry"] .dot.keyed')).to_have_count(2)
    await expect(page.get_by_role("button", name="Charge")).to_be_disabled()
    await picture(page, "agent-page.png")
    await page.set_viewport_size({"width": 320, "height": 720})
    await picture(page, "agent-page-narrow.png")
    await page.set_viewport_size({"width": 1160, "height": 720})

    keyed = re.sub(r"\D", "", await page.locator("#fields").inner_text())
    assert keyed == "1111"
    assert re.findall(r"\d{5,}", await page.locator("#capture").inner_html()) == []

    desk.keyed(EXPIRY, 4, complete=True, field=CODE)
    await expect(page.locator("#say-text")).to_contain_text("three digits on the back")
    desk.keyed(CODE, 3, complete=True, field=None)
    desk.change("c-1", stage=CaptureStage.READY)
    await expect(page.locator("#say-text")).to_contain_text(
        "Shall I charge €49.90 to your Visa ending in 1111 now?"
    )
    await page.get_by_role("button", name="Charge €49.90").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_disabled()
    await expect(page.get_by_role("button", name="Cancel payment")).to_be_hidden()
    desk.finish(Approved(reference="ch_3Pq9XkA1", token="tok_9f2c71", authorisation_code="A4471Z"))
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()
    for fact in ("INV-2041", "Visa •••• 1111", "ch_3Pq9XkA1", "tok_9f2c71", "A4471Z"):
        await expect(page.locator("#result-facts")).to_contain_text(fact)
    await picture(page, "agent-page-approved.png")
    assert [what[0] for what in desk.asked] == ["start", "submit"]

    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    desk.end()
    await expect(page.get_by_role("heading", name="No call right now")).to_be_visible()


@pytest.mark.parametrize(
    ("outcome", "title", "text", "again"),
    [
        (Declined(reason="51", message="Insufficient funds"), "Declined",
        "Insufficient funds. Nothing was charged.",
         "Try another card"),
        (Failed(reason="no connection"), "Not charged", "It is safe to try again.", "Try again"),
        (PartiallyApproved(amount=2495, reference="ch_p"), "Only €24.95 paid", "approved €24.95 of €49.90",
        None),
        (Unknown(reason="timed out"), "Do not try again", "It is not known whether the customer was charged.",
        None),
    ],
)  # fmt: skip
async def test_every_other_outcome_says_whether_to_try_again(
    page: Page, site: Site, desk: FakeDesk, outcome: Outcome, title: str, text: str, again: str | None
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await page.get_by_role("button", name="Charge").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    desk.finish(outcome)
    await expect(page.get_by_role("heading", name=title)).to_be_visible()
    await expect(page.locator("#result-text")).to_contain_text(text)
    await expect(page.locator("#announce")).to_contain_text(title)
    if again is None:
        await expect(page.locator("#again")).to_be_hidden()
        await page.get_by_role("button", name="Done").click()
        await expect(page.get_by_label("Amount")).to_have_value("49.90")
        return
    await page.get_by_role("button", name=again).click()
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    await expect(page.get_by_label("Payment reference")).to_have_value("INV-2041")
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")


async def test_fields_are_asked_for_again_and_a_payment_is_cancelled(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await page.get_by_role("button", name="Ask again: expiry date").click()
    await expect(page.locator('li[data-field="expiry"] .dot.keyed')).to_have_count(0)
    await expect(page.locator('li[data-field="card_number"] .dot.keyed')).to_have_count(12)
    await expect(page.locator('li[data-field="security_code"] .dot.keyed')).to_have_count(3)
    await expect(page.locator('li[data-field="expiry"]')).to_contain_text("the earlier one counts")
    assert desk.asked[-1] == ("ask", "c-1", EXPIRY)
    await page.get_by_role("button", name="Keep the earlier expiry date").click()
    await expect(page.locator('li[data-field="expiry"] .dot.keyed')).to_have_count(4)
    assert desk.asked[-1] == ("ask", "c-1", None)
    await page.get_by_role("button", name="Ask again: card number").click()
    await expect(page.locator('li[data-field="card_number"] .dot.keyed')).to_have_count(0)
    desk.keyed(CARD, 0, rejected=1)
    await expect(page.locator("#say-text")).to_contain_text("once more")
    await expect(page.locator("#announce")).to_contain_text("Card number not valid")
    await page.get_by_role("button", name="Cancel payment").click()
    await expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    await expect(page.locator("#result-text")).to_contain_text("Nothing was charged")


async def test_an_american_express_has_fifteen_dots_and_a_code_of_four(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    number = page.locator('li[data-field="card_number"]')
    desk.keyed(CARD, 2, brand="amex")
    await expect(number.locator(".cardbrand")).to_have_text("American Express")
    await expect(number.locator(".dot")).to_have_count(15)
    gaps = "dots => dots.map((dot, place) => dot.matches('.gap') ? place + 1 : 0).filter(Boolean)"
    assert await number.locator(".dot").evaluate_all(gaps) == [4, 10]
    await expect(number.locator(".dots")).to_have_attribute("aria-label", "American Express, 2 digits keyed")
    desk.keyed(CARD, 15, complete=True, brand="amex", last_four="0005", field=EXPIRY)
    await expect(page.locator('li[data-field="card_number"] .dot')).to_have_count(11)
    await expect(page.locator('li[data-field="security_code"] .dot')).to_have_count(4)
    desk.keyed(EXPIRY, 4, complete=True, field=CODE)
    await expect(page.locator("#say-text")).to_contain_text("four digits on the front")


async def test_the_whole_payment_works_by_keyboard(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up()
    await page.goto(site.url)
    keys = page.keyboard
    await expect(page.get_by_label("Access token")).to_be_focused()
    await keys.type(TOKEN)
    await keys.press("Enter")
    await expect(page.locator("#calls-list button")).to_be_visible()
    await page.locator("#calls-list button").focus()
    await keys.press("Enter")
    await expect(page.get_by_label("Amount")).to_be_visible()
    await tab_to(page, "amount")
    await keys.type("5,00")
    await tab_to(page, "transaction_id")
    await keys.type("INV-1")
    await keys.press("Enter")
    await expect(page.locator("#capture-title")).to_be_focused()
    desk.masked()
    desk.key_all()
    await expect(page.get_by_role("button", name="Charge")).to_be_enabled()
    await expect(page.locator("#charge")).not_to_be_focused()  # a stray key must not charge
    await tab_to(page, "charge")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await keys.press("Enter")
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    desk.finish(Approved(reference="ch_1"))
    await expect(page.locator("#result-title")).to_be_focused()
    await tab_to(page, "done")
    await keys.press("Enter")
    await expect(page.get_by_label("Amount")).to_be_focused()
    assert desk.asked[0][2].amount == 500


async def tab_to(page: Page, element: str) -> None:
    for _ in range(15):
        if await page.evaluate("document.activeElement.id") == element:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to #{element} by Tab")


async def test_a_lost_connection_is_said_and_comes_back_by_itself(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await site.stop()
    await expect(page.locator("#lost")).to_be_visible()
    await expect(page.locator("#line")).to_have_text("Reconnecting")
    await expect(page.get_by_role("button", name="Charge")).to_be_disabled()
    desk.keyed(CODE, 3, complete=True)
    await site.start()
    await expect(page.locator("#line")).to_have_text("Live")
    await expect(page.locator("#lost")).to_be_hidden()
    await expect(page.get_by_role("button", name="Charge")).to_be_enabled()


async def test_a_fault_that_keeps_cards_from_being_charged_is_said_before_anybody_keys(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()
    desk.fail(
        Fault(
            what="payers", says="No card can be charged: the journal cannot be written.", stops=Stops.PAYMENTS
        )
    )
    await expect(page.locator("#unfit")).to_be_visible()
    await expect(page.locator("#unfit")).to_contain_text("Do not take a card now.")
    await expect(page.locator("#unfit")).to_contain_text("the journal cannot be written")
    await expect(page.get_by_role("button", name="Take card payment")).to_be_disabled()
    await page.reload()
    await choose(page)
    await expect(page.locator("#unfit")).to_be_visible()
    desk.fail(Fault(what="records", says="The database takes no call records.", stops=None))
    await expect(page.locator("#unfit")).to_be_hidden()
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()


async def test_a_call_that_ended_unseen_still_shows_what_became_of_its_payment(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await page.get_by_role("button", name="Charge").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    await site.stop()
    await expect(page.locator("#lost")).to_be_visible()
    desk.finish(Approved(reference="ch_1"))
    desk.end()
    await site.start()
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()
    await expect(page.locator("#again")).to_be_hidden()


async def test_a_stopped_payment_says_why(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.change(
        "c-1", stage=CaptureStage.ABORTED, reason="no key was pressed for 60 seconds; nothing was charged"
    )
    await expect(page.locator("#result-text")).to_contain_text("No key was pressed for 60 seconds")
    await expect(page.get_by_role("button", name="Start again")).to_be_visible()
    await page.reload()
    await choose(page)
    await expect(page.get_by_role("heading", name="Stopped")).to_be_visible()
    await expect(
        page.locator("#again")
    ).to_be_hidden()  # after a reload the page cannot know what went before


async def test_an_unmasked_line_is_an_alarm(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.change("c-1", masked=False)
    await expect(page.locator("#banner")).to_have_attribute("data-tone", "bad")
    await expect(page.locator("#banner-title")).to_have_text("The line is not protected")


async def test_among_several_calls_the_agent_chooses(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up("c-1", caller="+49 30 111")
    desk.up("c-2", caller="+49 30 222")
    await sign_in(page, site)
    await expect(page.get_by_role("heading", name="Which call is yours?")).to_be_visible()
    await expect(page.locator("#desk")).to_be_hidden()
    await page.get_by_role("button", name="+49 30 222").click()
    await expect(page.locator("#number")).to_have_text("+49 30 222")
    await take(page)
    assert desk.asked[0][1] == "c-2"
    desk.end("c-1")
    await expect(page.locator("#calls")).to_be_hidden()
    await expect(page.locator("#number")).to_have_text("+49 30 222")


async def test_a_wrong_order_is_explained_where_it_is_wrong(page: Page, site: Site, desk: FakeDesk) -> None:
    await open_call(page, site, desk)
    button = page.get_by_role("button", name="Take card payment")
    await button.click()
    await expect(page.locator("#amount-error")).to_have_text("Type the amount.")
    await expect(page.get_by_label("Amount")).to_be_focused()
    await page.get_by_label("Amount").fill("1,234.50")
    await page.get_by_label("Payment reference").fill("4000 0566 5566 5556")
    await button.click()
    await expect(page.locator("#amount-error")).to_contain_text("without separators")
    await expect(page.locator("#transaction_id-error")).to_contain_text("looks like a card number")
    await page.get_by_label("Currency").select_option("JPY")
    await page.get_by_label("Amount").fill("1234")
    await expect(page.locator("#amount-echo")).to_contain_text("1,234")
    # Only the service minds this one.
    await page.get_by_label("Payment reference").fill("INV\u200b1")
    await button.click()
    await expect(page.locator("#transaction_id-error")).to_contain_text("printable")
    await page.get_by_label("Payment reference").fill("INV-1")
    await button.click()
    await expect(page.locator("#capture-title")).to_contain_text("1,234")
    assert desk.asked[0][2].amount == 1234
    assert desk.asked[0][2].currency == "JPY"


async def test_what_the_desk_refuses_is_shown_in_its_words(page: Page, site: Site, desk: FakeDesk) -> None:
    await open_call(page, site, desk)
    await page.route("**/capture", lambda route: route.continue_(url=f"{site.url}/v1/calls/none/capture"))
    await page.get_by_label("Amount").fill("1")
    await page.get_by_label("Payment reference").fill("INV-1")
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#trouble")).to_have_text("There is no such call, or it has ended.")
    await expect(page.get_by_role("button", name="Take card payment")).to_be_enabled()


async def test_amounts_become_minor_units_without_a_fraction_in_between(page: Page, site: Site) -> None:
    await page.goto(site.url)
    got = await page.evaluate(
        """async (rows) => {
          const { toMinor, toDecimal } = await import("/money.js");
          return rows.map(([text, decimals]) => {
            try {
              const minor = toMinor(text, decimals, "XXX");
              return [minor, toDecimal(minor, decimals)];
            } catch { return null; }
          });
        }""",
        [["49.90", 2], ["49,9", 2], ["49", 2], ["0.07", 2], ["1.15", 2], ["8.29", 2], ["1234", 0],
        ["1.005", 3],
         ["999999999.99", 2], [" 5. ", 2], ["0", 2], ["0.00", 2], ["-1", 2], ["1.234", 2], ["1,234.5", 2],
         ["1e3", 2],
         ["12.5", 0], ["", 2], ["1000000000.00", 2], ["٣", 2]],
    )  # fmt: skip
    assert got == [
        [4990, "49.90"], [4990, "49.90"], [4900, "49.00"], [7, "0.07"], [115, "1.15"], [829, "8.29"],
        [1234, "1234"],
        [1005, "1.005"], [99999999999, "999999999.99"], [500, "5.00"], *[None] * 10,
    ]  # fmt: skip


async def test_the_token_stays_in_the_tab_and_out_of_every_address(
    page: Page, context: BrowserContext, site: Site
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    await page.goto(site.url)
    await page.get_by_label("Access token").fill("a-wrong-token-of-some-length")
    await page.keyboard.press("Enter")
    await expect(page.locator("#token-error")).to_have_text("This token is not valid.")
    await page.get_by_label("Access token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live")
    await page.reload()
    await expect(page.locator("#line")).to_have_text("Live")
    other = await context.new_page()
    await other.goto(site.url)
    await expect(other.get_by_label("Access token")).to_be_visible()
    await from_menu(page, "Sign out")
    await page.reload()
    await expect(page.get_by_label("Access token")).to_be_visible()
    assert all(address.startswith(site.url) and TOKEN not in address for address in addresses)
    assert await context.cookies() == []


async def test_who_is_away_for_a_quarter_of_an_hour_signs_in_again(page: Page, site: Site) -> None:
    await page.clock.install()
    await sign_in(page, site)
    await page.clock.fast_forward(16 * 60 * 1000)
    await expect(page.locator("#why")).to_contain_text("You were away for too long")


async def test_the_demos_customer_keys_a_card_at_a_button(
    page: Page, demo_site: Site, desk: FakeDesk, customer: FakeCustomer
) -> None:
    await open_call(page, demo_site, desk)
    button = page.get_by_role("button", name="Approved card")
    await expect(button).to_be_disabled()
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    desk.masked()
    await button.click()
    await expect(page.get_by_role("button", name="Charge €49.90")).to_be_enabled()
    assert customer.keyed == [("c-1", "approved")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_state_is_readable_and_fits_a_narrow_frame(
    page: Page, demo_site: Site, desk: FakeDesk, scheme: str
) -> None:
    await page.set_viewport_size({"width": 320, "height": 720})
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]

    async def look() -> None:
        for width in (320, 1160):
            await page.set_viewport_size({"width": width, "height": 720})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.evaluate(CONTRAST) == []
        await page.set_viewport_size({"width": 320, "height": 720})

    await page.goto(demo_site.url)
    await expect(page.get_by_label("Access token")).to_be_visible()
    await look()
    await page.get_by_label("Access token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#idle")).to_be_visible()
    await look()
    desk.up(caller="sip:a-very-long-name-without-any-break@some.long.host.example")
    await choose(page)
    await expect(page.locator("#order")).to_be_visible()
    await page.get_by_label("Amount").fill("x")
    await page.get_by_role("button", name="Take card payment").click()
    await look()
    await take(page, reference="X" * 64)
    await look()
    desk.masked()
    desk.keyed(CARD, 19, complete=True, brand="unionpay", last_four="1111", field=EXPIRY)
    desk.keyed(EXPIRY, 2)
    await expect(page.locator('li[data-field="expiry"] .dot.keyed')).to_have_count(2)
    await look()
    desk.key_all(brand="amex", count=15)
    await expect(page.get_by_role("button", name="Charge")).to_be_enabled()
    await look()
    outcomes: list[Outcome] = [
        Approved(reference="r" * 60, token="t" * 60),
        PartiallyApproved(amount=99, reference="r" * 60, token="t" * 60),
        Declined(reason="do_not_honour"),
        Failed(reason="x"),
        Unknown(reason="x"),
    ]
    for outcome in outcomes:
        desk.finish(outcome)
        await expect(page.locator("#result")).to_be_visible()
        await look()
    await demo_site.stop()
    await expect(page.locator("#lost")).to_be_visible()
    await look()


async def test_the_policy_stops_what_is_not_ours(context: BrowserContext, site: Site) -> None:
    page = await context.new_page()
    await page.goto(site.url)
    ran = await page.evaluate(
        """() => {
          let html = "taken";
          try { document.body.insertAdjacentHTML("beforeend", "<b>injected</b>"); }
          catch { html = "refused"; }
          const script = document.createElement("script");
          try { script.textContent = "window.ran = true"; document.body.append(script); }
          catch { /* refused */ }
          return [html, window.ran ?? false];
        }"""
    )
    assert ran == ["refused", False]


async def test_the_check_of_contrast_finds_what_is_too_pale(page: Page, site: Site) -> None:
    await page.goto(site.url)
    await expect(page.locator("h1").first).to_have_text("Sign in")
    await page.evaluate("document.querySelector('h1').style.color = '#bbb'")
    assert [fault.split(":")[0] for fault in await page.evaluate(CONTRAST)] == ["Sign in"]


async def test_a_payment_whose_call_has_ended_reaches_its_outcome_on_the_page(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await page.get_by_role("button", name="Charge").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    desk.end()
    hung_up = "The customer has hung up; the charge goes on"
    await expect(page.locator("#banner-title")).to_have_text(hung_up)
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    # A service that was restarted meanwhile knows the payment, and the call no more.
    await site.stop()
    await expect(page.locator("#lost")).to_be_visible()
    call, desk.feed = desk.calls()[0], Feed()
    await site.start()
    await expect(page.locator("#line")).to_have_text("Live")
    payment = payment_of(call, capture_of(call))
    finished = {
        "stage": CaptureStage.FINISHED,
        "outcome": Approved(reference="ch_7"),
        "settled_at": call.started_at,
    }
    desk.note(msgspec.structs.replace(payment, **finished))
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible()
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_role("heading", name="No call right now")).to_be_visible()


async def test_the_page_never_selects_a_call_or_jumps_to_another(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.up("c-1", caller="+49 30 111", callee="201")
    await sign_in(page, site)
    await expect(page.locator("#who")).to_have_text("ann")
    await expect(page.locator("#calls-list button")).to_contain_text("201")
    await expect(page.locator("#desk")).to_be_hidden()
    await choose(page)
    await expect(page.locator("#extension")).to_have_text("201")
    desk.up("c-2", caller="+49 30 222")
    await expect(page.locator("#calls-list button")).to_have_count(2)
    await expect(page.locator("#number")).to_have_text("+49 30 111")
    desk.end("c-1")
    await expect(page.locator("#desk")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Which call is yours?")).to_be_visible()


async def test_a_colleagues_payment_is_driven_only_after_a_confirmed_take_over(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.up()
    order = Order(transaction_id="INV-9", amount=4990, currency="EUR")
    await desk.start_capture("c-1", order, "ben")
    desk.masked()
    desk.key_all()
    await sign_in(page, site)
    await expect(page.locator("#calls-list button")).to_contain_text("payment of ben")
    await choose(page)
    await expect(page.locator("#owner")).to_have_text("Payment started by ben.")
    for name in ("Charge €49.90", "Cancel payment", "Ask again: card number"):
        await expect(page.get_by_role("button", name=name)).to_be_disabled()
    await page.get_by_role("button", name="Take over from ben").click()
    assert ("take over", "c-1", "ann") not in desk.asked
    await page.get_by_role("button", name="Yes, take over: ben can then no longer drive it").click()
    await expect(page.locator("#owner")).to_have_text("Payment started by ben. Taken over by you.")
    assert ("take over", "c-1", "ann") in desk.asked
    await page.get_by_role("button", name="Charge €49.90").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    assert desk.asked[-1] == ("submit", "c-1")


@pytest.mark.parametrize(
    ("outcome", "title"),
    [(Approved(reference="ch_1"), "Charged already"), (Unknown(reason="timeout"), "Perhaps charged already")],
    ids=["approved", "unknown"],
)
async def test_an_order_that_was_charged_is_charged_again_only_by_a_second_button(
    page: Page, site: Site, desk: FakeDesk, outcome: Outcome, title: str
) -> None:
    await open_call(page, site, desk)
    await to_ready(page, desk)
    await page.get_by_role("button", name="Charge").click()
    await expect(page.get_by_role("button", name="Charging…")).to_be_visible()
    desk.finish(outcome)
    await page.get_by_role("button", name="Done").click()
    await page.get_by_label("Amount").fill("49.90")
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.get_by_role("heading", name=title)).to_be_visible()
    await expect(page.locator("#repeat-facts")).to_contain_text("INV-2041")
    assert [each[0] for each in desk.asked] == ["start", "submit"]
    await page.get_by_role("button", name="Leave it").click()
    await expect(page.locator("#repeat")).to_be_hidden()
    await page.get_by_role("button", name="Take card payment").click()
    await page.get_by_role("button", name="Charge it again: the customer pays once more").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    assert [each[0] for each in desk.asked] == ["start", "submit", "start"]


async def test_calls_and_the_feed_keep_nobody_signed_in_nor_does_a_reload(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    site.idle_time = 60.0
    await site.stop()
    await site.start()
    await page.clock.install()
    await open_call(page, site, desk)
    await page.clock.fast_forward(40_000)
    desk.up("c-2", caller="+49 30 222")
    await expect(page.locator("#calls-list button")).to_have_count(2)
    await page.locator("#number").click()  # the agent's own action counts
    await page.clock.fast_forward(40_000)
    await expect(page.locator("#who")).to_have_text("ann")
    desk.end("c-2")
    await page.clock.fast_forward(21_000)
    await expect(page.locator("#why")).to_contain_text("You were away for too long")
    await page.reload()
    await expect(page.get_by_label("Access token")).to_be_visible()
