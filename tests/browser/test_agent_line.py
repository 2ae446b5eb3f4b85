"""What the agent reads of a customer who is not heard, and of keys that do not count, in a real
browser."""

from __future__ import annotations

import msgspec
import pytest
from playwright.async_api import Page, expect

from b2bua.call.deafness import line_fault
from b2bua.call.unattended_view import WHY, UnattendedView, Why
from b2bua.call.view import CaptureStage
from media.events import CaptureForm, Deaf, DeafReason, Field, FieldProgress, FieldReason, card_fields
from media.form_description import CARD, CARD_NUMBER, FieldDescription, FormDescription, describe
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying, open_call, take

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them


async def test_a_customer_who_is_not_heard_is_shown_with_the_cause_until_something_comes(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    deaf = Deaf(reason=DeafReason.OTHER_SOURCE, packets=150, address="192.0.2.66:4000")
    view = desk.find("c-1")
    desk.publish(msgspec.structs.replace(view, line_fault=line_fault(deaf, held=False)))
    await expect(page.locator("#banner-title")).to_have_text("The customer's phone is not heard")
    await expect(page.locator("#banner-text")).to_contain_text("150 packets from 192.0.2.66:4000")
    assert await page.evaluate(CONTRAST) == []
    desk.publish(view)
    await expect(page.locator("#banner-title")).to_contain_text("the digits do not reach you")


async def test_who_gets_a_call_reads_what_came_of_a_form_without_an_agent(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await open_call(page, site, desk)
    why = Why.PERSON_WANTED
    before = UnattendedView(route="pay", step="done", cards=1, why=why, detail=WHY[why])
    desk.publish(msgspec.structs.replace(desk.find("c-1"), unattended=before))
    await expect(page.locator("#banner-text")).to_contain_text("The customer asked for a person.")
    paid = msgspec.structs.replace(before, why=None, detail=None)
    desk.publish(msgspec.structs.replace(desk.find("c-1"), unattended=paid))
    await expect(page.locator("#banner-text")).to_contain_text("The customer paid without an agent.")
    assert await page.evaluate(CONTRAST) == []


async def test_the_page_draws_the_fields_that_the_api_describes(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    postcode = "postcode"
    described = FieldDescription(field=postcode, min_length=4, max_length=9, usual_length=5)
    site.forms = [FormDescription(name="other", fields=(described, CARD_NUMBER))]
    await site.stop()
    await site.start()
    await open_call(page, site, desk)
    await take(page)
    fields = tuple(FieldProgress(field=field) for field in (postcode, Field.CARD_NUMBER))
    desk.change("c-1", masked=True, stage=CaptureStage.COLLECTING, field=postcode, fields=fields)
    await expect(page.locator("#fields h3")).to_have_text(["Postcode", "Card number"])
    await expect(page.locator('li[data-field="postcode"] .dot')).to_have_count(5)
    await expect(page.locator("#say-text")).to_contain_text(
        "Now the digits of your postcode, please, then #."
    )
    desk.keyed(postcode, 6, complete=True, brand="visa", last_four="1111", field=Field.CARD_NUMBER)
    row = page.locator('li[data-field="postcode"]')
    await expect(row.locator(".dot.keyed")).to_have_count(6)
    await expect(row).not_to_contain_text("1111")
    await expect(page.locator("#announce")).to_have_text("Postcode complete.")


async def test_the_cause_of_a_refused_field_is_read_beside_it(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    desk.keyed(Field.CARD_NUMBER, 16, complete=True, field=Field.EXPIRY)
    desk.keyed(Field.EXPIRY, 0, rejected=1, ignored=2, reason_of_field=FieldReason.EXPIRY_PAST)
    await expect(page.locator('li[data-field="expiry"]')).to_contain_text("In the past")
    assert await page.evaluate(CONTRAST) == []


async def test_one_of_several_forms_is_chosen_and_a_field_that_is_not_needed_is_skipped(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    site.forms = [
        CARD,
        describe(CaptureForm(name="phone", fields=card_fields("optional"), end_key="", clear_key="#")),
    ]
    await site.stop()
    await site.start()
    await open_call(page, site, desk)
    await page.get_by_label("What is keyed").select_option("phone")
    await page.get_by_label("Amount").fill("49.90")
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.get_by_role("button", name="Take card payment").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    assert desk.asked[-1][2].form == "phone"
    desk.masked()
    await expect(page.locator("#say-hint")).to_contain_text("hash key")
    await expect(page.locator("#say-text")).to_have_text("“Please key your card number.”")
    desk.keyed(Field.CARD_NUMBER, 16, complete=True, field=Field.EXPIRY)
    desk.keyed(Field.EXPIRY, 4, complete=True, field=Field.SECURITY_CODE)
    await expect(page.get_by_role("button", name="Skip: card number")).to_have_count(0)
    await page.get_by_role("button", name="Skip: security code").click()
    await expect(page.locator('li[data-field="security_code"] .state')).to_have_text("Skipped")
    await expect(page.get_by_role("button", name="Ask now: security code")).to_be_enabled()
    await expect(page.get_by_role("button", name="Charge")).to_be_enabled()
    assert desk.asked[-1] == ("skip", "c-1", Field.SECURITY_CODE)


async def test_with_one_form_there_is_nothing_to_choose(page: Page, site: Site, desk: FakeDesk) -> None:
    await open_call(page, site, desk)
    await expect(page.get_by_label("What is keyed")).to_be_hidden()


async def test_the_agent_reads_that_no_key_has_come_and_since_when_the_line_is_masked(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    desk.publish(msgspec.structs.replace(desk.find("c-1"), masked_since="2026-11-30T14:03:20+00:00"))
    await expect(page.locator("#banner-text")).to_contain_text("Protected since 14:03")
    desk.change("c-1", unheard=True)
    await expect(page.locator("#banner-title")).to_have_text("No key has come from this phone yet")
    assert await page.evaluate(CONTRAST) == []
    desk.keyed(Field.CARD_NUMBER, 1, unheard=False)
    await expect(page.locator("#banner-title")).to_contain_text("the digits do not reach you")


async def test_a_customer_who_hangs_up_while_charging_does_not_call_the_charge_back(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    desk.key_all()
    desk.change("c-1", stage=CaptureStage.CHARGING)
    desk.end()
    await expect(page.locator("#banner-title")).to_have_text("The customer has hung up; the charge goes on")
