"""A call that the agent's extension says is theirs, and a prepared payment of it, on the agent's
page."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import Page, expect

from b2bua.call.order import Order
from b2bua.call.prepared import FindBy
from b2bua.call.view import PaymentView
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, choose, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
ORDER = Order(transaction_id="INV-2044", amount=4990, currency="EUR")


async def prepared(desk: FakeDesk, call: str = "c-1") -> PaymentView:
    payment = await desk.prepare_payment(ORDER, FindBy(caller="+49301"), "crm")
    return desk.bind(payment, call)


async def test_a_prepared_payment_is_filled_in_and_started_by_a_press(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.up()
    payment = await prepared(desk)
    await sign_in(page, site)
    await choose(page)
    await expect(page.get_by_label("Amount")).to_have_value("49.90")
    await expect(page.get_by_label("Payment reference")).to_have_value("INV-2044")
    await expect(page.locator("#prepared-title")).to_contain_text("Prepared by crm")
    assert await page.evaluate(CONTRAST) == []
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    assert ("start prepared", payment.id, "ann") in desk.asked


async def test_what_the_agent_changes_is_another_payment(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up()
    await prepared(desk)
    await sign_in(page, site)
    await choose(page)
    await page.get_by_label("Amount").fill("19.90")
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    assert "start prepared" not in [each[0] for each in desk.asked]


async def test_a_prepared_payment_is_taken_away(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up()
    payment = await prepared(desk)
    await sign_in(page, site)
    await choose(page)
    await page.get_by_role("button", name="Not this payment").click()
    await expect(page.locator("#prepared")).to_be_hidden()
    await expect(page.get_by_label("Amount")).to_have_value("")
    assert ("cancel prepared", payment.id, "ann") in desk.asked


async def test_another_call_that_fits_is_said(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up()
    payment = await prepared(desk)
    assert payment.prepared is not None
    desk.tell(
        msgspec.structs.replace(
            payment, prepared=msgspec.structs.replace(payment.prepared, also_fits=("c-2",))
        )
    )
    await sign_in(page, site)
    await choose(page)
    await expect(page.locator("#prepared-text")).to_contain_text("Another call fits")


async def test_the_call_of_the_agent_s_extension_is_shown_by_itself_and_others_are_folded(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    first = desk.up()
    second = desk.up("c-2")
    desk.feed.publish(msgspec.structs.replace(second, agent="ann", extension="201", caller="+49 30 222"))
    await sign_in(page, site)
    await expect(page.locator("#number")).to_have_text("+49 30 222")
    await expect(page.locator("#calls-title")).to_have_text("Your call")
    await expect(page.locator("#others-list button")).to_be_hidden()
    await page.locator("#calls-others-title").click()
    await page.locator("#others-list button").click()
    await expect(page.locator("#number")).to_have_text(first.caller)
