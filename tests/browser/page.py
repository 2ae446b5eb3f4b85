"""The steps of an agent on the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Page, expect

from tests.browser.conftest import TOKEN, Site
from tests.browser.fake_desk import FakeDesk

ROOT = Path(__file__).parents[2]
# Every visible text against what is painted behind it: WCAG 2.2 success criterion 1.4.3.
CONTRAST = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest(".unseen, option, noscript")) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgb(style.color)), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < needed) faults.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faults;
}"""


async def sign_in(page: Page, site: Site, token: str = TOKEN) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(site.url)
    await page.locator("#token").fill(token)
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_attribute("data-state", "live")


async def from_menu(page: Page, name: str) -> None:
    await page.locator("#account summary").click()
    await page.get_by_role("button", name=name, exact=True).click()


async def choose(page: Page, name: str = "") -> None:
    """The agent says which call is theirs."""
    await page.locator("#calls-list button", has_text=name).first.click()
    await expect(page.locator("#desk")).to_be_visible()


async def open_call(page: Page, site: Site, desk: FakeDesk) -> None:
    """A call is up; the agent signs in and says that it is theirs."""
    desk.up()
    await sign_in(page, site)
    await choose(page)


async def begin_keying(page: Page, site: Site, desk: FakeDesk) -> None:
    """The same, with a payment that the customer may key for."""
    await open_call(page, site, desk)
    await take(page)
    desk.masked()


async def take(page: Page, amount: str = "49.90", reference: str = "INV-2041") -> None:
    await page.locator("#amount").fill(amount)
    await page.locator("#transaction_id").fill(reference)
    await page.locator("#take").click()
    await expect(page.locator("#capture")).to_be_visible()


async def embed_token(site: Site, **body: Any) -> str:
    """What the company's server gets for an embedded form."""
    async with httpx.AsyncClient(base_url=site.url, headers={"Authorization": f"Bearer {TOKEN}"}) as server:
        answer = await server.post("/v1/embed-tokens", json={"agent": "ann", **body})
        return str(answer.json()["token"])


async def picture(page: Page, name: str) -> None:
    """Into build/img always; into docs/img when TONEWALL_PICTURES=1."""
    places = [ROOT / "build" / "img"] + (
        [ROOT / "docs" / "img"] if os.environ.get("TONEWALL_PICTURES") == "1" else []
    )
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=place / name, full_page=True)
