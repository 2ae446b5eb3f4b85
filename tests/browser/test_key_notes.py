"""What the agent reads of how keys come, in English and in Polish, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from b2bua.call.key_notes import SENTENCES, capture_notes
from b2bua.call.view import CaptureStage
from media.events import Field, KeyNote
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, begin_keying

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them


def tell(desk: FakeDesk, *codes: KeyNote, **changes: Any) -> None:
    slow = changes.get("slow", False)
    desk.change("c-1", notes=capture_notes(codes, slow=slow), **changes)


async def test_each_note_is_a_sentence_and_what_asks_for_something_comes_first(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    notes = page.locator("#notes li")
    await expect(page.locator("#notes")).to_be_hidden()
    for code in KeyNote:
        tell(desk, code)
        await expect(notes).to_have_text([SENTENCES[code]])
    tell(desk, KeyNote.AS_EVENTS, KeyNote.TALKS)
    await expect(notes).to_have_text([SENTENCES[KeyNote.TALKS], SENTENCES[KeyNote.AS_EVENTS]])
    assert await page.evaluate(CONTRAST) == []
    desk.change("c-1", stage=CaptureStage.CHARGING)
    await expect(page.locator("#notes")).to_be_hidden()


async def test_where_each_key_comes_twice_the_agent_switches_slow_keying_on_and_off(
    page: Page, site: Site, desk: FakeDesk
) -> None:
    await begin_keying(page, site, desk)
    slow = page.locator("#slow")
    await expect(slow).to_be_hidden()
    tell(desk, KeyNote.DOUBLED)
    await slow.click()
    await expect(slow).to_have_text("End slow keying")
    assert desk.asked[-1] == ("slow", "c-1", True)
    tell(desk, KeyNote.DOUBLED, slow=True)
    await expect(page.locator("#notes li")).to_contain_text(["two equal keys within 0.4 s count as one"])
    assert await page.evaluate(CONTRAST) == []
    await slow.click()
    await expect(slow).to_be_hidden()
    assert desk.asked[-1] == ("slow", "c-1", False)


async def test_an_agent_whose_browser_is_polish_reads_polish(
    browser: Browser, site: Site, desk: FakeDesk
) -> None:
    context = await browser.new_context(locale="pl-PL")
    page = await context.new_page()
    try:
        await begin_keying(page, site, desk)
        desk.keyed(Field.CARD_NUMBER, 2)
        tell(desk, KeyNote.AS_BOTH, KeyNote.DOUBLED)
        notes = page.locator("#notes li")
        await expect(notes).to_contain_text(
            ["Każdy klawisz przychodzi dwa razy", "jako zdarzenia i jako tony"]
        )
        assert await notes.first.get_attribute("lang") == "pl"
        await expect(page.locator("#slow")).to_have_text("Wolne wpisywanie")
    finally:
        await context.close()
