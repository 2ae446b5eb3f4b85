"""The agent's page with a form of fields that are no card's, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from b2bua.call.view import CaptureStage
from media.events import CaptureForm, FieldProgress, FieldReason, FormField
from media.form_description import CARD, describe
from provider_adapters.payment import Approved
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, open_call

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them

MANDATE = CaptureForm(
    name="mandate",
    fields=(
        FormField(name="iban", kind="iban", countries=("DE", "AT"), last_shown=4),
        FormField(
            name="policy",
            kind="digits",
            label="Policy",
            min_length=6,
            max_length=6,
            confirm=True,
            last_shown=2,
        ),
        FormField(name="birth_date", kind="date", date_format="mmddyyyy", optional=True),
        FormField(name="pin", kind="secret", min_length=4, max_length=4),
    ),
    result="deliver",
    deliver_to="crm",
)
NAMES = ("iban", "policy", "policy_again", "birth_date", "pin")


async def test_an_agent_takes_a_form_of_other_fields_than_a_cards(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    site.forms, desk.forms = [CARD, describe(MANDATE)], {"mandate": MANDATE}
    await site.stop()
    await site.start()
    await open_call(page, site, desk)
    await expect(page.get_by_label("Country of the account")).to_be_hidden()
    await page.get_by_label("What is keyed").select_option("mandate")
    await page.get_by_label("Country of the account").select_option("AT")
    await expect(page.get_by_label("Amount")).to_be_hidden()
    await expect(page.get_by_label("Currency")).to_be_hidden()
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.locator("#take").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    order = desk.asked[-1][2]
    assert (order.form, order.country, order.amount, order.currency) == ("mandate", "AT", 0, "")
    assert order.operation == "deliver"
    fields = tuple(FieldProgress(field=name) for name in NAMES)
    desk.change("c-1", masked=True, stage=CaptureStage.COLLECTING, field="iban", fields=fields)
    await expect(page.locator("#fields h3")).to_have_text(
        ["IBAN", "Policy", "Policy, again", "Date of birth", "PIN"]
    )
    row = {name: page.locator(f'li[data-field="{name}"]') for name in NAMES}
    await expect(row["iban"].locator(".dot")).to_have_count(18)  # of Austria
    await expect(page.locator("#say-text")).to_contain_text("without the two letters in front")
    desk.keyed("iban", 18, complete=True, field="policy", shown={"iban": "3201"})
    await expect(row["iban"].locator(".last")).to_have_text("3201")
    await expect(row["iban"].locator(".dots")).to_have_attribute("aria-label", "IBAN ending in 3201")
    desk.keyed("policy", 6, complete=True, field="policy_again")
    await expect(page.locator("#say-text")).to_contain_text("policy once more, to be sure")
    await expect(row["policy_again"].get_by_role("button")).to_have_count(0)
    desk.keyed(
        "policy", 0, complete=False, rejected=1, reason_of_field=FieldReason.ENTRIES_DIFFER, field="policy"
    )
    await expect(row["policy"]).to_contain_text("The two entries differ")
    desk.keyed("policy", 6, complete=True, field="policy_again")
    desk.keyed("policy_again", 6, complete=True, field="birth_date", shown={"iban": "3201", "policy": "56"})
    await expect(page.locator("#say-text")).to_contain_text("two digits for the month, two for the day")
    await expect(row["birth_date"].get_by_role("button", name="Skip: date of birth")).to_be_enabled()
    desk.keyed("birth_date", 0, rejected=1, reason_of_field=FieldReason.DATE_DAY_FIRST)
    await expect(row["birth_date"]).to_contain_text("The day came first")
    desk.keyed("birth_date", 8, complete=True, field="pin")
    desk.keyed("pin", 4, complete=True, field=None)
    await expect(row["pin"].locator(".dot.keyed")).to_have_count(4)
    await expect(row["pin"].locator(".last")).to_have_count(0)
    await expect(row["policy"].locator(".last")).to_have_text("56")
    assert await page.evaluate(CONTRAST) == []
    desk.change("c-1", stage=CaptureStage.READY)
    await expect(page.locator("#say-text")).to_contain_text("Shall I pass that on now?")
    await expect(page.locator("#charge")).to_have_text("Pass it on")
    await expect(page.locator("#charge")).to_be_enabled()
    done = Approved(reference="m-1", message="The mandate is set up.")
    desk.change("c-1", stage=CaptureStage.FINISHED, outcome=done)
    await expect(page.locator("#result-title")).to_have_text("Passed on")
    await expect(page.locator("#result-text")).to_have_text("The mandate is set up.")
    await expect(page.locator("#result-facts")).to_contain_text("m-1")
    assert await page.evaluate(CONTRAST) == []


async def test_the_amount_comes_back_with_a_form_that_is_charged(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    site.forms = [describe(MANDATE), CARD]
    await site.stop()
    await site.start()
    await open_call(page, site, desk)
    await expect(page.get_by_label("Amount")).to_be_hidden()
    await expect(page.get_by_label("Country of the account")).to_be_visible()
    await page.get_by_label("What is keyed").select_option("card")
    await expect(page.get_by_label("Amount")).to_be_visible()
    await expect(page.get_by_label("Country of the account")).to_be_hidden()


async def test_names_and_labels_are_shown_as_they_are_in_a_form_of_twelve_fields_keyed_twice(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    label = '"><img src=x onerror=alert(1)><b>'
    names = ("constructor", *(f"field_{number}" for number in range(11)))
    form = CaptureForm(
        name="large",
        fields=tuple(
            FormField(
                name=name, kind="digits", min_length=8, max_length=32, last_shown=4, confirm=True,
                label=label if name == "field_0" else "",
            )
            for name in names
        ),
        result="deliver",
        deliver_to="crm",
    )  # fmt: skip
    site.forms, desk.forms = [CARD, describe(form)], {"large": form}
    await site.stop()
    await site.start()
    await open_call(page, site, desk)
    await page.get_by_label("What is keyed").select_option("large")
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.locator("#take").click()
    await expect(page.locator("#banner-title")).to_have_text("Securing the line")
    keyed = [each.field for each in describe(form).fields]
    fields = tuple(FieldProgress(field=name) for name in keyed)
    desk.change("c-1", masked=True, stage=CaptureStage.COLLECTING, field="constructor", fields=fields)
    await expect(page.locator("#fields h3")).to_have_count(24)
    await expect(page.locator("#say-text")).to_contain_text("your constructor")
    desk.keyed("constructor", 8, complete=True, field="constructor_again")
    row = page.locator('li[data-field="constructor"]')
    await expect(row.locator(".dot.keyed")).to_have_count(8)
    await expect(row.locator(".last")).to_have_count(0)
    desk.keyed("constructor_again", 8, complete=True, field="field_0", shown={"constructor": "4321"})
    await expect(row.locator(".last")).to_have_text("4321")
    await expect(page.locator('li[data-field="field_0"] h3')).to_have_text(label)
    await expect(page.locator("#say-text")).to_contain_text(label)
    await expect(page.locator("img[src=x]")).to_have_count(0)
