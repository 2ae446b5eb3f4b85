"""People sign in on the page, stay signed in while they are there, and leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from b2bua.access import passwords
from b2bua.access.roles import Role
from b2bua.call.view import CaptureStage
from tests.browser.conftest import TOKEN, Site, fixture
from tests.browser.fake_desk import FakeDesk, capture_of
from tests.browser.page import CONTRAST, from_menu, picture, take
from tests.browser.people import (
    LEFT,
    OTHER,
    PASSWORD,
    Clock,
    People,
    secrets_of,
    sign_in_as,
    type_password,
)
from tests.stack import until

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
ACTIVE = "/v1/me/active"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@fixture
async def people(
    site: Site, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[People]:
    # How dear a hash is, is no matter here.
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    made = People(tmp_path / "access", clock)
    made.add("ann")
    sessions = await made.open(site)
    yield made
    await site.stop()
    made.sign_in.close()
    sessions.close()


async def forward(page: Page, clock: Clock, seconds: float) -> None:
    """Time passes, for the page and for the service."""
    clock.ahead += seconds
    await page.clock.fast_forward(int(seconds * 1000))


async def test_who_is_away_is_asked_then_signed_out_and_the_payment_goes_on(
    page: Page, site: Site, desk: FakeDesk, people: People, clock: Clock
) -> None:
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)

    def signs() -> int:
        return sum(each.url.endswith(ACTIVE) for each in asked)

    await page.clock.install()
    await sign_in_as(page, site.url, "ann")
    desk.up(agent="ann")
    await take(page)
    desk.masked()
    desk.key_all()
    await expect(page.locator('li[data-field="card_number"]')).to_contain_text("1111")
    await forward(page, clock, 14 * 60 + 20)
    await expect(page.locator("#still")).to_contain_text("Are you still there? If not, you are signed out in")
    assert await page.evaluate(CONTRAST) == []
    await picture(page, "agent-page-still-there.png")
    assert signs() == 0, "no timer keeps anybody signed in"
    await page.get_by_role("button", name="I am here").click()
    await expect(page.locator("#still")).to_be_hidden()
    assert signs() == 1
    await forward(page, clock, 30)
    await page.locator("#number").click()
    await forward(page, clock, 31)
    await page.locator("#number").click()
    await until(lambda: signs() > 1, "a sign of who is there")
    assert signs() == 2, "once a minute at most"
    await forward(page, clock, 902)
    await expect(page.locator("#why")).to_have_text("You were away for too long. Sign in again.")
    await expect(page.get_by_label("Name")).to_be_focused()
    assert [
        each for each in ("1111", "1234567", "INV-2041", "49.90") if each in await page.evaluate(LEFT)
    ] == []
    assert [each[0] for each in desk.asked] == ["start"]
    assert desk.calls()[0].masked
    assert capture_of(desk.calls()[0]).stage is CaptureStage.READY
    await type_password(page, "ann")
    await expect(page.get_by_role("button", name="Charge €49.90")).to_be_enabled()
    assert all("authorization" not in each.headers for each in asked)


async def test_a_session_that_is_ended_clears_every_tab_and_other_machines(
    browser: Browser, page: Page, context: BrowserContext, site: Site, desk: FakeDesk, people: People
) -> None:
    desk.up(agent="ann")
    await sign_in_as(page, site.url, "ann")
    await expect(page.locator("#roles")).to_have_text("agent")
    tab = await context.new_page()
    await tab.goto(site.url)
    await expect(tab.locator("#number")).to_have_text("+49 30 1234567")
    elsewhere = await browser.new_context()
    other = await elsewhere.new_page()
    await sign_in_as(other, site.url, "ann")
    await from_menu(tab, "Sign out")
    await expect(tab.locator("#why")).to_have_text("You are signed out.")
    await expect(page.locator("#why")).to_have_text("You signed out in another tab or window.")
    assert "1234567" not in await page.evaluate(LEFT)
    await expect(other.locator("#line")).to_have_text("Live")
    await type_password(page, "ann")
    await expect(page.locator("#line")).to_have_text("Live")
    await from_menu(page, "Sign out everywhere")
    await expect(page.locator("#why")).to_have_text("You are signed out everywhere.")
    await expect(other.locator("#why")).to_contain_text("Your session is over: it was ended elsewhere")
    assert "1234567" not in await other.evaluate(LEFT)
    await elsewhere.close()


async def test_a_wrong_password_is_forgotten_and_too_many_have_to_wait(
    page: Page, site: Site, people: People, clock: Clock
) -> None:
    await page.clock.install()
    await page.goto(site.url)
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#sign-in-error")).to_have_text("Type your name.")
    for _ in range(3):
        await type_password(page, "ann", "not the one 1234")
        await expect(page.locator("#sign-in-error")).to_contain_text("is wrong")
        await expect(page.get_by_label("Password", exact=True)).to_have_value("")
        await expect(page.get_by_label("Password", exact=True)).to_be_focused()
    await type_password(page, "ann")
    await expect(page.locator("#sign-in-wait")).to_have_text("Too many tries. Wait 1 s.")
    button = page.locator("#sign-in-press")
    await expect(button).to_be_disabled()
    await forward(page, clock, 2)
    await expect(page.locator("#sign-in-wait")).to_have_text("You can try again now.")
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live")
    assert await secrets_of(page) == []


async def test_a_password_is_changed_by_who_knows_the_one_so_far(
    page: Page, site: Site, people: People
) -> None:
    await sign_in_as(page, site.url, "ann")
    await from_menu(page, "Change password")
    for before, after, again, why in (
        (PASSWORD, "short 1", "short 1", "12 to 256"),
        (PASSWORD, OTHER, OTHER + "9", "not the same"),
        ("not the one 1234", OTHER, OTHER, "so far is wrong"),
    ):
        await page.get_by_label("Password so far").fill(before)
        await page.locator("#next-password").fill(after)
        await page.locator("#next-again").fill(again)
        await page.keyboard.press("Enter")
        await expect(page.locator("#change-error")).to_contain_text(why)
    assert await page.evaluate(CONTRAST) == []
    await page.get_by_label("Password so far").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#why")).to_have_text("Your password is changed. Sign in with the new one.")
    assert await secrets_of(page) == []
    await type_password(page, "ann", OTHER)
    await expect(page.locator("#line")).to_have_text("Live")
    await from_menu(page, "Change password")
    await page.keyboard.press("Escape")
    await expect(page.locator("#change")).to_be_hidden()


async def test_who_needs_an_app_reads_whom_to_ask_and_an_auditor_that_there_are_no_calls(
    page: Page, site: Site, people: People
) -> None:
    people.add("sue", Role.SUPERVISOR)
    people.add("kim", Role.AUDITOR)
    await page.goto(site.url)
    await type_password(page, "sue")
    await expect(page.locator("#sign-in-error")).to_contain_text("Ask your administrator for one")
    await type_password(page, "kim")
    await expect(page.locator("#no-calls")).to_have_text("Your role sees no calls on this page.")
    await expect(page.locator("#who")).to_have_text("kim")


async def test_a_service_that_is_gone_is_said_until_it_is_back(
    page: Page, context: BrowserContext, site: Site, people: People
) -> None:
    await page.goto(site.url)
    await expect(page.get_by_label("Name")).to_be_visible()
    await site.stop()
    await type_password(page, "ann")
    await expect(page.locator("#why")).to_contain_text("The service does not answer")
    await site.start()
    await expect(page.locator("#why")).to_have_text("The service is back. Sign in again.")
    assert await secrets_of(page) == []
    await type_password(page, "ann")
    await expect(page.locator("#line")).to_have_text("Live")
    await site.stop()
    await from_menu(page, "Sign out")
    await expect(page.locator("#why")).to_contain_text("your session may still be open")
    await expect(page.get_by_label("Name")).to_be_hidden()
    await site.start()
    await expect(page.locator("#why")).to_have_text("You are signed out.")
    assert await context.cookies() == []
    await page.reload()
    await expect(page.get_by_label("Name")).to_be_visible()


async def test_the_ways_in_are_those_that_the_service_has(page: Page, site: Site, people: People) -> None:
    await page.route("**/sign-in", lambda route: route.fulfill(json=ways))
    ways = {"token": True, "password": False, "oidc": "/sign-in/oidc"}
    await page.goto(site.url)
    company = page.get_by_role("link", name="Sign in with your company")
    await expect(company).to_be_focused()
    await expect(company).to_have_attribute("href", "/sign-in/oidc")
    await expect(page.get_by_label("Name")).to_be_hidden()
    await expect(page.get_by_label("Access token")).to_be_hidden()
    ways = {"token": True, "password": True, "oidc": "//elsewhere.example/"}
    await page.reload()
    await expect(page.get_by_label("Name")).to_be_visible()
    await expect(company).to_be_hidden()
    await page.get_by_text("Sign in with a token").click()
    await page.get_by_label("Access token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live")
    await expect(page.locator("#who")).to_have_text("ann")
    await page.locator("#account summary").click()
    await expect(page.locator(".menu button:visible")).to_have_text(["Sign out"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_sign_in_is_readable_in_polish_and_fits_a_narrow_frame(
    browser: Browser, site: Site, people: People, scheme: str
) -> None:
    context = await browser.new_context(locale="pl-PL", forced_colors="none", color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()

    async def look() -> None:
        for width in (320, 1160):
            await page.set_viewport_size({"width": width, "height": 720})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.evaluate(CONTRAST) == []

    await page.goto(site.url)
    await expect(page.get_by_label("Hasło", exact=True)).to_be_visible()
    assert await page.locator("label[for=password]").get_attribute("lang") == "pl"
    await page.get_by_text("Zaloguj się tokenem").click()
    await look()
    await page.get_by_label("Nazwa użytkownika").fill("ann")
    await page.get_by_label("Hasło", exact=True).fill("not the one 1234")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sign-in-error")).to_have_text("Nazwa, hasło lub kod są nieprawidłowe.")
    await look()
    await page.get_by_label("Hasło", exact=True).fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#idle")).to_be_visible()
    await page.locator("#account summary").click()
    await expect(page.get_by_role("button", name="Wyloguj się wszędzie")).to_be_visible()
    await look()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Wyloguj się wszędzie")).to_be_hidden()
    await context.close()
