"""Refunds, captures, voids and charges of a saved card on the agent's page: at the second press,
and no more than is left."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import Page, expect

from b2bua.call.order import SavedCard
from b2bua.call.view import CaptureStage, PaymentView
from provider_adapters.payment import Accepted, Approved, Declined, Operation, Unknown
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
DONE = Approved(reference="rf_1")


async def approved(
    page: Page, site: Site, desk: FakeDesk, *, token: str | None = None, operation: str = "charge"
) -> None:
    """A card was keyed, and €49.90 approved."""
    await begin_keying(page, site, desk)
    desk.key_all()
    if operation != "charge":
        capture = desk.find("c-1").capture
        assert capture is not None
        desk.change("c-1", order=msgspec.structs.replace(capture.order, operation=operation))
    desk.finish(Approved(reference="ch_1", token=token))
    await expect(page.locator("#result")).to_be_visible()


async def test_a_refund_goes_out_at_the_second_press_and_shows_what_became_of_it(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await approved(page, site, desk)
    button = page.locator("#later-refund")
    await expect(button).to_have_text("Refund €49.90")
    for hidden in ("#later-capture", "#later-void"):
        await expect(page.locator(hidden)).to_be_hidden()
    await page.get_by_label("How much, if not all of it").fill("9.90")
    await expect(button).to_have_text("Refund €9.90")
    await button.click()
    await expect(button).to_have_text("Yes, refund €9.90")
    await expect(page.locator("#announce")).to_contain_text("Press again: Yes, refund €9.90")
    assert [what[0] for what in desk.asked] == ["start"]
    await button.click()
    await expect(page.locator("#later-list")).to_have_text("Refund of €9.90: under way")
    assert desk.asked[-1] == ("refund", "p-1", 990, "ann")
    await expect(button).to_be_disabled()
    desk.decide("p-1", Accepted(reference="rf_1"))
    await expect(page.locator("#later-list")).to_have_text("Refund of €9.90: on its way at the provider")
    desk.decide("p-1", DONE)
    await expect(page.locator("#later-list")).to_have_text("Refund of €9.90: done")
    await expect(button).to_have_text("Refund €40.00")
    await expect(button).to_be_enabled()
    assert await page.evaluate(CONTRAST) == []
    await picture(page, "agent-page-refund.png")
    await button.click()
    await button.click()
    desk.decide("p-1", DONE)
    await expect(page.locator("#later")).to_be_hidden()


async def test_another_amount_takes_the_first_press_back(page: Page, site: Site, desk: FakeDesk) -> None:
    await approved(page, site, desk)
    button = page.locator("#later-refund")
    await button.click()
    await expect(button).to_have_text("Yes, refund €49.90")
    await page.get_by_label("How much, if not all of it").fill("1")
    await expect(button).to_have_text("Refund €1.00")
    await button.click()
    await expect(button).to_have_text("Yes, refund €1.00")
    assert [what[0] for what in desk.asked] == ["start"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [("4,9,0", "one decimal sign only"), ("50", "more than is left"), ("0", "more than zero")],
)
async def test_an_amount_that_cannot_be_refunded_is_said_beside_it(
    page: Page, site: Site, desk: FakeDesk, typed: str, words: str
) -> None:
    await approved(page, site, desk)
    await page.get_by_label("How much, if not all of it").fill(typed)
    await page.locator("#later-refund").click()
    await page.locator("#later-refund").click()
    await expect(page.locator("#later-error")).to_contain_text(words)
    await expect(page.locator("#later-amount")).to_have_attribute("aria-invalid", "true")
    assert [what[0] for what in desk.asked] == ["start"]


async def test_an_authorisation_is_captured_or_voided(page: Page, site: Site, desk: FakeDesk) -> None:
    await approved(page, site, desk, operation="authorise")
    await expect(page.get_by_role("heading", name="€49.90 reserved")).to_be_visible()
    await expect(page.locator("#later-refund")).to_be_hidden()
    await expect(page.locator("#later-void")).to_have_text("Void €49.90")
    await page.get_by_label("How much, if not all of it").fill("40")
    capture = page.locator("#later-capture")
    await capture.click()
    await capture.click()
    await expect(page.locator("#later-list")).to_contain_text("Capture of €40.00: under way")
    desk.decide("p-1", DONE)
    await expect(capture).to_have_text("Capture €9.90")
    await expect(page.locator("#later-void")).to_be_hidden()
    await expect(page.locator("#later-refund")).to_have_text("Refund €40.00")


async def test_what_the_provider_does_not_offer_has_no_button(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.offers = (Operation.CAPTURE,)
    await approved(page, site, desk, operation="authorise", token="tok_1")
    await expect(page.locator("#later-capture")).to_have_text("Capture €49.90")
    await expect(page.locator("#later-void")).to_be_hidden()
    await expect(page.get_by_label("How much, if not all of it")).to_be_hidden()
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("#order")).to_be_visible()
    await expect(page.locator("#take-saved")).to_be_hidden()


async def test_a_provider_that_refunds_nothing_leaves_nothing_to_press(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.offers = ()
    await approved(page, site, desk)
    await expect(page.locator("#later")).to_be_hidden()


async def test_what_was_not_done_or_is_not_known_is_said(page: Page, site: Site, desk: FakeDesk) -> None:
    await approved(page, site, desk)
    for outcome, words in (
        (Declined(reason="request_refused"), "not done. The provider did not understand the request"),
        (Unknown(reason="connection_lost"), "not known. Have it checked with the payment provider."),
    ):
        await page.locator("#later-refund").click()
        await page.locator("#later-refund").click()
        await expect(page.locator("#later-list li").last).to_contain_text("under way")
        desk.decide("p-1", outcome)
        await expect(page.locator("#later-list li").last).to_contain_text(words)
    await expect(page.locator("#later")).to_be_hidden()


async def test_a_saved_card_is_charged_for_the_next_order_without_being_keyed(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await approved(page, site, desk, token="tok_1")
    await page.get_by_role("button", name="Done").click()
    await page.get_by_label("Amount").fill("7")
    await page.get_by_label("Payment reference").fill("INV-2042")
    button = page.locator("#take-saved")
    await expect(button).to_have_text("Charge the saved Visa •••• 1111 again")
    assert await page.evaluate(CONTRAST) == []
    await button.click()
    await expect(button).to_have_text("Yes, charge the saved Visa •••• 1111 now")
    await button.click()
    await expect(page.get_by_role("heading", name="Charging…")).to_be_visible()
    what, order, card, agent = desk.asked[-1]
    assert (what, order.transaction_id, order.amount, card, agent) == (
        "saved", "INV-2042", 700, SavedCard(saved_from="p-1"), "ann",
    )  # fmt: skip
    await expect(page.get_by_role("button", name="Done")).to_be_hidden()
    finish(desk, Approved(reference="ch_2"))
    await expect(page.get_by_role("heading", name="€7.00 paid")).to_be_visible()
    await expect(page.locator("#announce")).to_contain_text("€7.00 paid")
    await expect(page.locator("#later-refund")).to_have_text("Refund €7.00")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_label("Amount")).to_have_value("7.00")


def finish(desk: FakeDesk, outcome: Approved | Declined) -> PaymentView:
    """What became of the charge of the saved card."""
    [payment] = [each for each in desk.paid.values() if each.saved_from]
    return desk.tell(
        msgspec.structs.replace(
            payment, stage=CaptureStage.FINISHED, outcome=outcome, settled_at=payment.started_at
        )
    )


async def test_an_order_that_was_charged_is_charged_to_the_saved_card_only_expressly(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await approved(page, site, desk, token="tok_1")
    await page.get_by_role("button", name="Done").click()
    await page.get_by_label("Amount").fill("49.90")
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.locator("#take-saved").click()
    await page.locator("#take-saved").click()
    await expect(page.get_by_role("heading", name="Charged already")).to_be_visible()
    assert [what[0] for what in desk.asked] == ["start"]
    await page.locator("#repeat-order").click()
    await expect(page.get_by_role("heading", name="Charging…")).to_be_visible()
    finish(desk, Declined(reason="insufficient_funds"))
    await expect(page.get_by_role("heading", name="Declined")).to_be_visible()


async def test_a_card_that_was_not_saved_is_not_offered(page: Page, site: Site, desk: FakeDesk) -> None:
    await approved(page, site, desk)
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("#order")).to_be_visible()
    await expect(page.locator("#take-saved")).to_be_hidden()
