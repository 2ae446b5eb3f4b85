"""The supervisor's page in a real browser: plots, tables, and what may be done in calls."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from b2bua.access.tokens import Tokens
from b2bua.call.cdr import CallRecord, LegRecord
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, MaskStage, PaymentView
from b2bua.records.payment_counts import PaymentCounts
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.call_counts import CallCounts
from b2bua.switchboard.statistics import Statistics
from media.events import LegCounters
from provider_adapters.payment import Approved, Declined, Outcome
from tests.browser.accessibility import inspect
from tests.browser.conftest import COLLEAGUE, TOKEN, Site, fixture
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import CONTRAST, picture

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
MINUTES = 55
ORDER = Order(transaction_id="INV-9", amount=4990, currency="EUR")


def fill(counts: CallCounts, table: PaymentTable, now: float) -> None:
    """An hour of calls and payments, as any might be."""
    for minute in range(MINUTES):
        at = now - 60 * (MINUTES - minute)
        counts.sample(3 + minute % 5, None, at)
        for number in range(1 + minute % 4):
            leg = LegRecord(
                trunk="carrier", answered_at=at, code=200, mos=4.3 - minute % 7 / 10,
                counters=LegCounters(expected=1000, missing=minute % 7),
            )  # fmt: skip
            counts.observe(
                CallRecord(
                    call=f"c-{minute}-{number}", direction="inbound", caller="", callee="", started_at=at,
                    answered_at=at if number else None, ended_at=at + 30, end="hung up", caller_leg=leg,
                )
            )  # fmt: skip
        outcome: Outcome = Declined(reason="expired_card") if minute % 5 == 4 else Approved(reference="ch")
        table.put(
            PaymentView(
                id=f"p-{minute}", stage=CaptureStage.FINISHED, order=ORDER, outcome=outcome,
                agent=("ann", "cleo")[minute % 2], started_at=datetime.fromtimestamp(at, UTC).isoformat(),
            )
        )  # fmt: skip


@fixture
async def board(site: Site, tmp_path: Path) -> Site:
    """Ann is an agent, Ben a supervisor, and an hour has passed."""
    table, counts = PaymentTable(tmp_path / "payments.sqlite"), CallCounts(["carrier"], time.time())
    fill(counts, table, time.time())
    table.close()
    circuits = {"first": "closed", "second": "open"}
    payments = PaymentCounts(tmp_path / "payments.sqlite")
    site.authenticators = [Tokens.parse(f"ann:{TOKEN}, ben:{COLLEAGUE}", "ann:agent, ben:supervisor")]
    site.more["statistics"] = Statistics(counts, payments, lambda: circuits, time.time)
    await site.stop()
    await site.start()
    return site


async def enter(page: Page, site: Site, token: str = COLLEAGUE) -> None:
    """Who is not signed in does that on the agents' page, and comes back."""
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(f"{site.url}/supervisor")
    await page.locator("#token").fill(token)
    await page.keyboard.press("Enter")


async def test_the_last_hours_are_plots_with_tables_beside_them(
    page: Page, board: Site, desk: FakeDesk
) -> None:
    desk.up("c-1", caller="+49 30 5550101", extension="201", agent="ann")
    await desk.start_capture("c-1", ORDER, "ann")
    desk.masked("c-1")
    desk.up("c-2", caller="+49 30 5550102", extension="202", agent="cleo")
    await enter(page, board)
    await expect(page.get_by_role("heading", name="Supervisor")).to_be_visible()
    await expect(page.locator("#line")).to_have_text("Live")
    await expect(page.locator(".plot canvas")).to_have_count(6)
    payments = page.get_by_role("img", name="Payments approved: 44; declined: 11; others: 0")
    await expect(payments).to_be_visible()
    await expect(page.locator("#tiles")).to_contain_text("80%")
    agents = page.get_by_role("region", name="Agents")
    await expect(agents.get_by_role("row", name="ann 28")).to_be_visible()
    await expect(page.get_by_role("region", name="Reasons of declines")).to_contain_text("expired")
    await expect(page.get_by_role("row", name="second passed by")).to_be_visible()
    await expect(page.locator("#live tr")).to_have_count(2)
    await expect(page.locator("#live")).to_contain_text("card is keyed · €49.90")
    assert await page.evaluate(CONTRAST) == []
    await page.set_viewport_size({"width": 1400, "height": 900})
    await picture(page, "supervisors-page.png")
    await inspect(page, "calls, plots and tables")

    numbers = page.locator("section", has=payments).locator("details")
    await numbers.locator("summary").press("Enter")
    await expect(numbers.locator("tbody tr")).to_have_count(12)
    await inspect(page, "the numbers of a plot")
    await page.get_by_text("24 hours").click()
    await expect(page.get_by_role("radio", name="24 hours")).to_be_checked()
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Agents as CSV").click()
    file = await (await download.value).path()
    assert file.read_bytes().startswith(b"name,payments,approved")
    assert (await download.value).suggested_filename == "tonewall-agents-24h.csv"

    for width, scheme, colours in ((320, "light", "none"), (320, "dark", "active"), (3840, "dark", "none")):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(color_scheme=scheme, forced_colors=colours)  # type: ignore[arg-type]
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await expect(page.locator(".plot canvas")).to_have_count(6)
    await page.emulate_media(forced_colors="none")
    assert await page.evaluate(CONTRAST) == []


async def test_a_payment_is_taken_over_by_two_presses_and_its_line_opened(
    page: Page, board: Site, desk: FakeDesk
) -> None:
    desk.up("c-1", caller="+49 30 5550101", extension="201", agent="ann")
    await desk.start_capture("c-1", ORDER, "ann")
    desk.masked("c-1")
    await enter(page, board)
    take = page.get_by_role("button", name="Take over")
    await take.focus()
    await page.keyboard.press("Enter")
    sure = page.get_by_role("button", name="Yes, take over: ann")
    await expect(sure).to_be_focused()
    await inspect(page, "sure to take over")
    assert not any(what[0] == "take_over" for what in desk.asked)
    await page.keyboard.press("Enter")
    await expect(page.locator("#announce")).to_contain_text("is yours")
    await expect(page.locator("#live")).to_contain_text("ann, ben")
    await expect(page.locator("#live button:visible")).to_have_count(0)
    await desk.cancel_capture("c-1", "ben")
    desk.mask(MaskStage.HELD, "c-1", still_keying=True)
    opens = page.get_by_role("button", name="Open the line")
    await expect(opens).to_be_disabled()
    desk.mask(MaskStage.HELD, "c-1")
    await opens.click()
    await expect(opens).to_have_count(0)
    desk.end("c-1")
    await expect(page.locator("#live-none")).to_be_visible()


async def test_an_agent_is_sent_away_and_sees_no_number(page: Page, board: Site, desk: FakeDesk) -> None:
    desk.up("c-1", caller="+49 30 5550101", agent="cleo")
    await enter(page, board, TOKEN)
    await expect(page.locator("#line")).to_have_text("Live")
    assert page.url.endswith("/#supervisor")
    await page.locator("#account summary").click()
    await expect(page.locator("#to-supervisor")).to_be_hidden()
    await page.goto(f"{board.url}/supervisor")
    await expect(page.get_by_role("alert").filter(has_text="for supervisors")).to_be_visible()
    await expect(page.locator("#live-title")).to_be_hidden()
    await expect(page.locator("canvas")).to_have_count(0)


async def test_a_sign_out_empties_the_page(page: Page, board: Site, desk: FakeDesk) -> None:
    desk.up("c-1", caller="+49 30 5550101", agent="cleo")
    await enter(page, board)
    await expect(page.locator("#live")).to_contain_text("5550101")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator("#sign-in")).to_be_visible()
    assert "5550101" not in await page.content()
    await page.goto(f"{board.url}/supervisor")
    await expect(page.locator("#sign-in")).to_be_visible()


@pytest.mark.parametrize(
    ("locale", "title", "decimal"),
    [("pl-PL", "Nadzór", "godzin"), ("de-DE", "Teamleitung", "Stunden"), ("fr-FR", "Supervision", "heures"),
     ("es-ES", "Supervisión", "horas")],
)  # fmt: skip
async def test_it_speaks_the_language_of_its_browser(
    browser: Browser, board: Site, locale: str, title: str, decimal: str
) -> None:
    context = await browser.new_context(locale=locale)
    page = await context.new_page()
    try:
        await enter(page, board)
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await expect(page.locator("#window")).to_contain_text(f"24 {decimal}")
        await expect(page.locator(".plot canvas")).to_have_count(6)
        assert "supervisor." not in await page.inner_text("main")
    finally:
        await context.close()
