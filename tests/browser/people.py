"""People who sign in on the page, and what they type."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pyotp
from playwright.async_api import Page, expect

from b2bua.access import authenticator_app, passwords
from b2bua.access.roles import Role
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import SignIn
from b2bua.access.users import UserFile
from tests.browser.conftest import Site

PASSWORD = "seven green doors 7"
OTHER = "nine yellow chairs 9"
# All that stands in the page, seen or not.
LEFT = """() => [...document.querySelectorAll("body *, title")].map((each) =>
  `${each.childElementCount ? "" : each.textContent} ${each.value ?? ""}`).join(" ")"""


class Clock:
    """The service's clock, which a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class People:
    """Those of a directory. Supervisors need an app, agents do not."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.directory, self.clock = directory, clock
        self.sign_in = SignIn(directory, clock, frozenset({Role.SUPERVISOR}))

    def add(self, name: str, *roles: Role, password: str = PASSWORD) -> None:
        hashed = passwords.hash_password(password)
        with closing(UserFile(self.directory, self.clock)) as people:
            people.add(name, frozenset(roles or {Role.AGENT}), frozenset(), hashed)
            people.set_password(name, hashed, must_change=False)

    def give_app(self, name: str) -> pyotp.TOTP:
        secret = authenticator_app.make_secret()
        with closing(UserFile(self.directory, self.clock)) as people:
            people.set_totp(name, authenticator_app.encrypt(self.directory, name, secret))
        return pyotp.TOTP(secret)

    async def open(self, site: Site) -> Sessions:
        """Have the site know them."""
        sessions = Sessions(self.directory, self.clock, idle=site.idle_time)
        site.keep_alive = 0.2
        site.more = {"sessions": sessions, "sign_in": self.sign_in}
        await site.stop()
        await site.start()
        return sessions


async def type_password(page: Page, name: str, password: str = PASSWORD, code: str = "") -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_label("Code of your app").fill(code)
    await page.keyboard.press("Enter")


async def sign_in_as(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.goto(url)
    await type_password(page, name, password)
    await expect(page.locator("#line")).to_have_text("Live", timeout=20_000)


async def secrets_of(page: Page) -> list[str]:
    """What stands in the fields of secrets, and in what scripts can keep."""
    found = await page.evaluate(
        """() => [...document.querySelectorAll("input[type=password], #code")].map((field) => field.value)
          .concat(Object.values(sessionStorage), Object.values(localStorage)).filter(Boolean)"""
    )
    return [each for each in found if not each.isdigit() or len(each) < 13]  # times
