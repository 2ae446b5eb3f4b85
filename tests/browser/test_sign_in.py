"""People of a whole Tonewall, whom its commands add, sign in on its page."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.page import CONTRAST, choose, from_menu, picture
from tests.browser.people import LEFT, OTHER, secrets_of, type_password
from tests.canary import CANARY
from tests.wire.audited import tonewall
from tests.wire.conftest import Peers
from tests.wire.line import Line, line

pytestmark = pytest.mark.asyncio(loop_scope="module")
SLOW = 30_000  # ms; a password costs what it should here


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    directory = tmp_path_factory.mktemp("sign-in")
    extra = {"access": {"directory": str(directory / "access"), "totp_required": "none"}}
    async with contextlib.AsyncExitStack() as undo:
        yield await undo.enter_async_context(line(Peers(directory, undo), extra=extra))


async def command(wire: Line, *arguments: str) -> str:
    """What `tonewall user` printed."""
    status, printed = await tonewall("user", *arguments, "-c", str(wire.stack.conf))
    assert status == 0, printed
    return printed.strip()


async def test_somebody_signs_in_by_a_printed_password_an_app_and_then_a_password_of_their_own(
    page: Page, context: BrowserContext, wire: Line
) -> None:
    printed = await command(wire, "add", "ann", "--role", "supervisor")
    secret = (await command(wire, "totp", "ann")).partition("secret: ")[2].split()[0]
    await page.goto(wire.stack.api_url)
    await expect(page.get_by_label("Name")).to_be_focused()
    await picture(page, "sign-in.png")
    await type_password(page, "ann", printed, pyotp.TOTP(secret).now())
    await expect(page.locator("#new-password")).to_be_focused(timeout=SLOW)
    await page.locator("#new-password").fill("ann is my name 1")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sign-in-error")).to_have_text("The name may not be in the password.")
    assert await page.evaluate(CONTRAST) == []
    await page.locator("#new-password").fill(OTHER)
    await page.locator("#new-again").fill(OTHER)
    await page.get_by_label("Code of your app").fill(pyotp.TOTP(secret).now())
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live", timeout=SLOW)
    await expect(page.locator("#who")).to_have_text("ann")
    await expect(page.locator("#roles")).to_have_text("supervisor")
    assert await secrets_of(page) == []
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    tab = await context.new_page()
    await tab.goto(wire.stack.api_url)
    await expect(tab.locator("#line")).to_have_text("Live")
    await tab.locator("#account summary").click()
    await expect(tab.get_by_role("button", name="Change password")).to_be_visible()
    await tab.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.locator("#why")).to_have_text("You signed out in another tab or window.")
    await page.reload()
    await expect(page.get_by_label("Name")).to_be_visible()


async def test_a_session_that_a_command_ends_takes_the_call_from_the_page_and_not_from_its_protection(
    page: Page, wire: Line
) -> None:
    printed = await command(wire, "add", "ben", "--role", "supervisor")
    await page.goto(wire.stack.api_url)
    await type_password(page, "ben", printed)
    await expect(page.locator("#new-password")).to_be_focused(timeout=SLOW)
    await page.locator("#new-password").fill(OTHER)
    await page.locator("#new-again").fill(OTHER)
    await page.keyboard.press("Enter")
    await expect(page.locator("#line")).to_have_text("Live", timeout=SLOW)
    call = await wire.dial()
    await choose(page)
    await page.get_by_label("Amount").fill("49.90")
    await page.get_by_label("Payment reference").fill("INV-2041")
    await page.get_by_role("button", name="Take card payment").click()
    await wire.stack.stage(call, "collecting")
    await wire.key(CANARY.keys[:4])
    await expect(page.locator('li[data-field="card_number"] .dot.keyed')).to_have_count(4)
    await command(wire, "sign-out", "ben")
    await wire.key(CANARY.keys[4:16])
    await expect(page.locator("#why")).to_contain_text("Your session is over", timeout=SLOW)
    left = await page.evaluate(LEFT)
    assert [each for each in ("INV-2041", CANARY.number[-4:]) if each in left] == []
    view = await wire.stack.call(call)
    assert (view["mask"], view["capture"]["stage"]) == ("on", "collecting")
    await wire.key(CANARY.keys[16:])
    await wire.stack.stage(call, "ready")
    await type_password(page, "ben", OTHER)
    await expect(page.locator("#line")).to_have_text("Live", timeout=SLOW)
    await page.get_by_role("button", name="Charge €49.90").click()
    await expect(page.get_by_role("heading", name="€49.90 paid")).to_be_visible(timeout=SLOW)
    await from_menu(page, "Sign out")
    await expect(page.locator("#why")).to_have_text("You are signed out.")
    await wire.hang_up()


async def test_wrong_passwords_let_the_next_try_wait(page: Page, wire: Line) -> None:
    await command(wire, "add", "zed", "--role", "agent")
    await page.goto(wire.stack.api_url)
    for _ in range(9):  # where a check takes long, the wait after the third may be over
        async with page.expect_response("**/sign-in", timeout=SLOW) as answer:
            await type_password(page, "zed", "not the one 1234")
        if (await answer.value).status == 429:
            break
        await expect(page.locator("#sign-in-error")).to_contain_text("is wrong")
    await expect(page.locator("#sign-in-wait")).to_contain_text("Too many tries")
    await expect(page.locator("#sign-in-press")).to_be_disabled()
