"""What keeps people from using a page: the rules of WCAG 2.2 AA that axe-core can see, and what
reaches over the window's edge at any width."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# Pixels: the narrowest window of WCAG 2.2 (1.4.10), a desk's screen at 200 %, and 4K.
WIDTHS = (320, 580, 3840)
# What reaches over the right edge of the window.
WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? []
  : [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth)
    .map((each) => each.outerHTML.slice(0, 99))"""
_RUN = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const options = { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] };
  const { violations, passes } = await axe.run(document, options);
  if (!passes.length) return ["nothing was looked at"];
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.flat().join(" ")}: ${node.failureSummary.slice(0, 300)}`));
}"""


async def find_barriers(page: Page) -> list[str]:
    """What axe-core finds in the page as it is, in light and in dark; skips where it is not
    installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; `make build/.npm` does it")
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE.read_text())
    found = []
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{scheme}: {each}" for each in await page.evaluate(_RUN)]
    return found


async def inspect(page: Page, state: str) -> None:
    """No barrier in this state of the page, and nothing over the edge."""
    assert (state, await find_barriers(page)) == (state, [])
    size = page.viewport_size
    assert size is not None
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 720})
        assert (state, width, await page.evaluate(WIDER)) == (state, width, [])
    await page.set_viewport_size(size)
