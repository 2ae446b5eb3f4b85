"""The page in each of its languages: one story from the sign-in to the result, what a company says
in its own words, and what the agent chooses."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from b2bua.config.page_messages import LANGUAGES, PLURALS, Message, Messages, shipped_messages
from media.events import Field
from provider_adapters.payment import Approved
from tests.browser.accessibility import WIDER
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import begin_keying, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
# What stands on the page, seen or not, that names no sentence: a name of messages that has none.
UNFILLED = """() => [...document.querySelectorAll(
    "[data-words], [data-words-label], [data-words-placeholder]")]
  .filter((each) => !(each.textContent || each.getAttribute("aria-label") || each.placeholder))
  .map((each) => each.outerHTML)"""
AMOUNTS = {"en": "€49.90", "pl": "49,90 €", "de": "49,90 €", "fr": "49,90 €", "es": "49,90 €"}


def sentence(language: str, name: str, **values: str) -> str:
    text = shipped_messages()[language][name]
    assert isinstance(text, str)
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def spaced(text: str) -> re.Pattern[str]:
    """The text, with whatever spaces Intl writes."""
    return re.compile(r"\s".join(re.escape(each) for each in text.split(" ")))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_payment_is_taken_in_the_language_of_the_browser(
    browser: Browser, site: Site, desk: FakeDesk, language: str
) -> None:
    context = await browser.new_context(locale=language, viewport={"width": 320, "height": 720})
    page = await context.new_page()
    try:
        await begin_keying(page, site, desk)
        assert await page.locator("html").get_attribute("lang") == language
        said = {
            name: sentence(language, name) for name in ("banner.protected", "result.paid_text", "result.done")
        }
        await expect(page.locator("#banner-title")).to_have_text(said["banner.protected"])
        row = page.locator('li[data-field="card_number"]')
        await expect(row.locator("h3")).to_have_text(sentence(language, "field.card_number"))
        await expect(row.locator(".state")).to_have_text(sentence(language, "keying.waiting"))
        desk.key_all()
        charge = sentence(language, "keying.charge", amount=AMOUNTS[language])
        await expect(page.locator("#charge")).to_have_text(spaced(charge))
        assert await page.evaluate(WIDER) == []
        desk.finish(Approved(reference="ch_1"))
        await expect(page.locator("#result-text")).to_have_text(said["result.paid_text"])
        await expect(page.get_by_role("button", name=said["result.done"], exact=True)).to_be_enabled()
        assert await page.evaluate(WIDER) == []
        unfilled = await page.evaluate(UNFILLED)
        assert unfilled == []
    finally:
        await context.close()


async def test_the_plural_forms_are_those_of_the_browser(page: Page, site: Site) -> None:
    await page.goto(site.url)
    for language in LANGUAGES:
        forms = await page.evaluate(
            "(one) => new Intl.PluralRules(one).resolvedOptions().pluralCategories", language
        )
        assert set(forms) == PLURALS[language]


async def test_the_agents_choice_is_kept_before_the_setting_and_the_browsers_language(
    page: Page, site: Site
) -> None:
    site.more = {"language": "fr"}
    await site.stop()
    await site.start()
    await sign_in(page, site)
    html = page.locator("html")
    await expect(html).to_have_attribute("lang", "fr")
    choice = page.locator("#language")
    assert await choice.locator("option").all_inner_texts() == [
        "English", "polski", "Deutsch", "français", "español"
    ]  # fmt: skip
    await choice.select_option("de")
    await expect(html).to_have_attribute("lang", "de")
    await expect(page.locator("#line")).to_have_text("Live")
    await expect(page.locator("#idle h1")).to_have_text("Gerade kein Anruf")
    await page.reload()
    await expect(html).to_have_attribute("lang", "de")


async def test_a_company_says_it_in_its_own_words_and_never_as_html(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    own: dict[str, Message] = {
        "banner.protected": "<b onclick=alert(1)>Sie</b> hören ihn",
        "keying.digits": {"one": "{count} Taste", "other": "{count} Tasten"},
    }
    messages: dict[str, Messages] = {**shipped_messages(), "de": {**shipped_messages()["de"], **own}}
    site.more = {"language": "de", "messages": messages}
    await site.stop()
    await site.start()
    await begin_keying(page, site, desk)
    await expect(page.locator("#banner-title")).to_have_text("<b onclick=alert(1)>Sie</b> hören ihn")
    dots = page.locator('li[data-field="card_number"] .dots')
    for count, text in ((1, "1 Taste"), (2, "2 Tasten")):
        desk.keyed(Field.CARD_NUMBER, count)
        await expect(dots).to_have_attribute("aria-label", text)


async def test_sentences_that_were_changed_on_their_way_are_not_shown(browser: Browser, site: Site) -> None:
    context = await browser.new_context(locale="en")
    page = await context.new_page()
    try:
        async with page.expect_request("**/messages/en.json"):
            await context.route(
                "**/messages/en.json",
                lambda route: route.fulfill(json={**shipped_messages()["en"], "a": "b"}),
            )
            await page.goto(site.url)
        async with page.expect_request("**/messages/en.json"):
            pass  # it is asked for again
        await expect(page.locator("#sign-in")).to_be_hidden()
        await context.unroute_all()
        await expect(page.locator("#sign-in")).to_be_visible(timeout=30_000)
    finally:
        await context.close()
