"""What the agent reads of a customer who is not heard, and of keys that do not count, in a real
browser."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import Page, expect

from b2bua.call.deafness import line_fault
from media.events import Deaf, DeafReason, Field, FieldReason
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, choose, sign_in, take

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them


async def test_a_customer_who_is_not_heard_is_told_with_why_until_something_comes(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    desk.up()
    await sign_in(page, site)
    await choose(page)
    await take(page)
    desk.masked()
    deaf = Deaf(reason=DeafReason.OTHER_SOURCE, packets=150, address="192.0.2.66:4000")
    view = desk.find("c-1")
    desk.publish(msgspec.structs.replace(view, line_fault=line_fault(deaf, held=False)))
    await expect(page.locator("#banner-title")).to_have_text("The customer's phone is not heard")
    await expect(page.locator("#banner-text")).to_contain_text("150 packets from 192.0.2.66:4000")
    assert await page.evaluate(CONTRAST) == []
    desk.publish(view)
    await expect(page.locator("#banner-title")).to_contain_text("the digits do not reach you")


async def test_the_cause_of_a_refused_field_is_read_beside_it(page: Page, site: Site, desk: FakeDesk) -> None:
    desk.up()
    await sign_in(page, site)
    await choose(page)
    await take(page)
    desk.masked()
    desk.keyed(Field.CARD_NUMBER, 16, complete=True, field=Field.EXPIRY)
    desk.keyed(Field.EXPIRY, 0, rejected=1, ignored=2, reason_of_field=FieldReason.EXPIRY_PAST)
    await expect(page.locator('li[data-field="expiry"]')).to_contain_text("In the past")
    assert await page.evaluate(CONTRAST) == []
