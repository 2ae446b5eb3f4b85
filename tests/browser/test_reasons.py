"""Reasons on the agent's page: a sentence in the agent's language, with the words for support
beside it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from media.events import Field, FieldReason
from provider_adapters.payment import Declined, Failed, Outcome, Unknown
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import begin_keying

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them


async def declined(page: Page, site: Site, desk: FakeDesk, outcome: Outcome) -> None:
    """The customer has keyed a card, and that came of it."""
    await begin_keying(page, site, desk)
    desk.key_all()
    desk.finish(outcome)
    await expect(page.locator("#result")).to_be_visible()


async def test_a_decline_is_said_in_a_sentence_with_the_providers_code_beside_it(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    outcome = Declined(reason="insufficient_funds", message="NSF", code="51")
    await declined(page, site, desk, outcome)
    text = page.locator("#result-text")
    await expect(text).to_have_text(
        "There is not enough money on the account. Ask for another card. Nothing was charged."
    )
    await expect(text).to_have_attribute("lang", "en")
    for fact in ("insufficient_funds", "51", "NSF"):
        await expect(page.locator("#result-facts")).to_contain_text(fact)


async def test_an_agent_whose_browser_speaks_polish_reads_it_in_polish(
    browser: Browser, site: Site, desk: FakeDesk
) -> None:
    context = await browser.new_context(locale="pl-PL")
    page = await context.new_page()
    await declined(page, site, desk, Declined(reason="insufficient_funds", code="51"))
    text = page.locator("#result-text")
    await expect(text).to_have_text(
        "Na koncie jest za mało środków. Poproś o inną kartę. Niczego nie pobrano."
    )
    await expect(text).to_have_attribute("lang", "pl")
    await context.close()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            Failed(reason="no_connection"),
            "The provider could not be reached, so nothing was sent. (no_connection)",
        ),
        (Failed(reason="moto_not_enabled"), "Tell your supervisor. (moto_not_enabled)"),
        (Unknown(reason="http_503"), "The provider answered with the error 503. (http_503)"),
        (Unknown(reason="a_word_of_tomorrow"), "a_word_of_tomorrow"),
    ],
)
async def test_a_fault_is_said_in_a_sentence_with_its_word_behind_it(
    page: Page, site: Site, desk: FakeDesk, outcome: Outcome, said: str
) -> None:
    await declined(page, site, desk, outcome)
    await expect(page.locator("#result-facts")).to_contain_text(said)


async def test_every_reason_of_a_field_is_said_in_red(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    state = page.locator('li[data-field="card_number"] .state')
    red = await page.evaluate(
        """() => {
          const probe = document.createElement("span");
          probe.className = "error";
          document.body.append(probe);
          const colour = getComputedStyle(probe).color;
          probe.remove();
          return colour;
        }"""
    )
    for count, reason in enumerate(FieldReason, start=1):
        desk.keyed(Field.CARD_NUMBER, 0, rejected=count, reason_of_field=reason)
        await expect(page.locator('li[data-field="card_number"]')).to_have_attribute(
            "data-reason", reason.value
        )
        text = await state.inner_text()
        assert reason.value not in text
        assert text != "Not valid, to be keyed again"
        assert len(text) > 10
        await expect(page.locator('li[data-field="card_number"]')).to_have_attribute("data-rejected", "yes")
        assert await state.evaluate("(element) => getComputedStyle(element).color") == red
