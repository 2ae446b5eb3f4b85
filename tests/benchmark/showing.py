"""Measures the time from a key press to its dot on the agent's page: whole Tonewall, a customer's
telephone-events (RFC 4733), and Chromium.

Rule 1: a press begins as its first packet is sent; a dot is there once its frame was painted. Both
        clocks are the machine's.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from tests.benchmark.rows import Result, Row
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.stack import TOKEN, until
from tests.wire.scene import Scene, scene

_DIGITS = 15  # of a card number that is not complete, so that all are dots
_GAPS = range(3, 12)  # packets of speech between two keys: 60 to 220 ms
_SILENCE = 60  # packets of speech behind a number: longer than `field_pause`
# Notes when a frame was painted that has more dots than any before.
_WATCH = """() => {
  window.painted = [];
  const count = () => document.querySelectorAll("[data-field=card_number] .dot.keyed").length;
  new MutationObserver(() => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    const dots = count();
    channel.port1.onmessage = () => {
      const now = performance.timeOrigin + performance.now();
      while (window.painted.length < dots) window.painted.push(now);
    };
    channel.port2.postMessage(0);
  })).observe(document.body, {childList: true, subtree: true, attributes: true});
}"""


@dataclass(frozen=True, slots=True)
class ShowPlan:
    """`rounds`: how often a number is keyed, but for its last digit, and cleared."""

    rounds: int = 40


SHORT = ShowPlan(rounds=4)


def measure(plan: ShowPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows `key_to_dot_p50_ms` and `key_to_dot_p99_ms`."""
    say("keys, and their dots in Chromium")
    with tempfile.TemporaryDirectory() as directory:
        delays = sorted(asyncio.run(_watch(plan, Path(directory))))
    rows = [Row(f"key_to_dot_p{percent}_ms", _percentile(delays, percent), "ms") for percent in (50, 99)]
    return Result(rows, [{"benchmark": "dots", "delays_ms": delays}])


def _percentile(delays: list[float], percent: int) -> float:
    return round(delays[math.ceil(len(delays) * percent / 100) - 1], 1)


async def _watch(plan: ShowPlan, directory: Path) -> list[float]:
    """Milliseconds of each key."""
    async with (
        scene(directory, complaints=False) as call,
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS) as browser,
    ):
        page = await browser.new_page()
        await _sign_in(page, call)
        await call.stack.start_capture(call.call_id)
        await page.locator("[data-field=card_number]").wait_for()
        await page.evaluate(_WATCH)
        chance = random.Random(2041)
        return [delay for _ in range(plan.rounds) for delay in await _round(page, call, chance)]


async def _sign_in(page: Page, call: Scene) -> None:
    await page.goto(call.stack.api_url)
    await page.get_by_label("Access token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#line")).to_have_text("Live")
    await page.locator("#calls-list button").first.click()
    await expect(page.locator("#desk")).to_be_visible()


async def _round(page: Page, call: Scene, chance: random.Random) -> list[float]:
    """One number, keyed and cleared."""
    pressed = []
    for _ in range(_DIGITS):
        # A number that begins with 3 to 6, whose check digit is still to come.
        packets = call.customer.press("4" if not pressed else str(chance.randrange(10)))
        pressed.append(time.time() * 1000)
        await call.customer.play(packets)
        await call.customer.play([call.customer.speech() for _ in range(chance.choice(_GAPS))])

    async def all_painted() -> list[float]:
        painted: list[float] = await page.evaluate("window.painted")
        return painted if len(painted) >= _DIGITS else []

    painted = await until(all_painted, "a dot for each key")
    answer = await call.stack.api.post(f"/v1/calls/{call.call_id}/capture/reset", json={})
    answer.raise_for_status()
    await expect(page.locator("[data-field=card_number] .dot.keyed")).to_have_count(0)
    await page.evaluate("() => { window.painted = []; }")
    # Keys that follow at once on those before would not count.
    await call.customer.play([call.customer.speech() for _ in range(_SILENCE)])
    return [round(seen - began, 1) for began, seen in zip(pressed, painted, strict=True)]
