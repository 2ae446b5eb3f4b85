"""Sign-in by a password: who gets in, who must wait, and what a stranger learns."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from b2bua.access import authenticator_app, passwords
from b2bua.access.roles import Role
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import MAX_WAITING, SignIn, SignInResult
from b2bua.access.store import FILE
from b2bua.access.tokens import Tokens
from b2bua.access.tries import OF_NAMES, Tries
from b2bua.access.users import UserFile
from b2bua.api.http import create_app
from b2bua.api.metrics import Metrics
from b2bua.api.sign_in_routes import NEEDS_CHANGE
from tests.browser.fake_desk import FakeDesk

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "seven green doors 7"
OTHER = "nine yellow chairs 9"
WRONG = {"name": "ann", "password": "not the one 1234"}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


class House:
    """A Tonewall with one person, `ann`."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        needs_app: frozenset[Role] = frozenset(),
        count: Callable[[SignInResult], None] | None = None,
    ) -> None:
        self.directory, self.clock = directory, clock
        self.results: list[SignInResult] = []
        self.sessions = Sessions(directory, clock)
        self.sign_in = SignIn(directory, clock, needs_app, count or self.results.append)
        self.app = create_app(
            FakeDesk(), authenticators=[Tokens.parse("desk-1:a-token-of-the-tests")],
            sessions=self.sessions, sign_in=self.sign_in,
        )  # fmt: skip
        with self.people() as people:
            people.add(
                "ann", frozenset({Role.AGENT}), frozenset({"north"}), passwords.hash_password(PASSWORD)
            )
            people.set_password("ann", passwords.hash_password(PASSWORD), must_change=False)

    def people(self) -> closing[UserFile]:
        return closing(UserFile(self.directory, self.clock))

    def give_app(self, name: str = "ann") -> pyotp.TOTP:
        secret = authenticator_app.make_secret()
        with self.people() as people:
            people.set_totp(name, authenticator_app.encrypt(self.directory, name, secret))
        return pyotp.TOTP(secret)

    def browser(self, source: str = "192.0.2.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(source, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://tonewall.test", headers=OWN_PAGE)

    async def post(self, body: dict[str, Any], source: str = "192.0.2.1") -> httpx.Response:
        async with self.browser(source) as page:
            return await page.post("/sign-in", json=body)

    def close(self) -> None:
        self.sign_in.close()
        self.sessions.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    made = House(tmp_path / "access", clock)
    yield made
    made.close()


async def test_a_password_opens_a_session_of_that_person(house: House) -> None:
    async with house.browser() as page:
        answer = await page.post("/sign-in", json={"name": "ann", "password": PASSWORD})
        assert answer.json() == {"agent": "ann", "roles": ["agent"]}
        cookie = answer.headers["set-cookie"]
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
        assert (await page.get("/v1/me")).json()["method"] == "password"
    assert PASSWORD.encode() not in (house.directory / FILE).read_bytes()


@pytest.mark.parametrize("name", ["ann", "zed"])
async def test_a_name_that_nobody_has_is_answered_as_a_wrong_password_is(house: House, name: str) -> None:
    answers = [await house.post({"name": name, "password": "not the one 1234"}) for _ in range(4)]
    assert [each.status_code for each in answers] == [401, 401, 401, 429]
    assert "wrong" in answers[0].json()["detail"]
    assert answers[3].headers["retry-after"] == "1"


async def test_ten_wrong_tries_lock_a_name_for_half_an_hour(house: House, clock: Clock) -> None:
    for _ in range(10):
        assert (await house.post(WRONG)).status_code == 401
        clock.seconds += 65
    locked = await house.post({"name": "ann", "password": PASSWORD})
    assert locked.status_code == 429
    assert 1700 < int(locked.headers["retry-after"]) <= 1800
    clock.seconds += 1800
    assert (await house.post({"name": "ann", "password": PASSWORD})).status_code == 200


async def test_many_tries_at_once_are_no_way_around_the_count(house: House) -> None:
    answers = await asyncio.gather(*(house.post(WRONG) for _ in range(30)))
    statuses = sorted(each.status_code for each in answers)
    assert statuses == [401] * 3 + [429] * 27


async def test_more_at_once_than_may_wait_are_refused_unread(house: House) -> None:
    tries = (
        house.post({"name": f"n{number}", "password": "x"}, f"198.51.100.{number}") for number in range(60)
    )
    answers = await asyncio.gather(*tries)
    assert sum(each.status_code == 401 for each in answers) <= MAX_WAITING
    assert house.results.count(SignInResult.BUSY) >= 60 - MAX_WAITING
    fault = house.sign_in.alarm.fault()
    assert fault is not None and fault.what == "sign_ins"  # noqa: PT018


async def test_a_code_counts_once(house: House, clock: Clock) -> None:
    app = house.give_app()
    right = {"name": "ann", "password": PASSWORD}
    assert (await house.post(right)).status_code == 401
    assert (await house.post({**right, "code": app.at(clock.seconds)})).status_code == 200
    assert (await house.post({**right, "code": app.at(clock.seconds)})).status_code == 401
    clock.seconds += 30
    assert (await house.post({**right, "code": app.at(clock.seconds)})).status_code == 200


async def test_a_role_that_needs_an_app_does_not_get_in_without(tmp_path: Path, clock: Clock) -> None:
    house = House(tmp_path, clock, frozenset({Role.AGENT}))
    answer = await house.post({"name": "ann", "password": PASSWORD})
    assert (answer.status_code, "set-cookie" in answer.headers) == (409, False)
    assert "authenticator app" in answer.json()["detail"]
    house.close()


async def test_a_password_of_an_administrators_must_be_changed_first(house: House) -> None:
    with house.people() as people:
        people.set_password("ann", passwords.hash_password(PASSWORD), must_change=True)
    given = {"name": "ann", "password": PASSWORD}
    for new in ("", "short 1", PASSWORD, "ann is my name 12"):
        answer = await house.post({**given, "new_password": new})
        assert (answer.status_code, answer.json()["type"]) == (409, NEEDS_CHANGE)
    assert (await house.post({**given, "new_password": OTHER})).status_code == 200
    assert (await house.post(given)).status_code == 401
    assert (await house.post({"name": "ann", "password": OTHER})).status_code == 200


async def test_whoever_is_disabled_removed_or_given_another_password_is_signed_out_at_once(
    house: House,
) -> None:
    def disable(people: UserFile) -> None:
        people.set_disabled("ann", True)
        people.set_disabled("ann", False)

    def reset(people: UserFile) -> None:
        people.set_password("ann", passwords.hash_password(PASSWORD), must_change=False)

    for change in (
        disable,
        reset,
        lambda people: people.sign_out("ann"),
        lambda people: people.remove("ann"),
    ):
        async with house.browser() as page:
            await page.post("/sign-in", json={"name": "ann", "password": PASSWORD})
            assert (await page.get("/v1/me")).status_code == 200
            with house.people() as people:
                change(people)
            assert (await page.get("/v1/me")).status_code == 401


async def test_a_changed_password_ends_the_sessions(house: House) -> None:
    async with house.browser() as page:
        await page.post("/sign-in", json={"name": "ann", "password": PASSWORD})
        body = {"password": "not the one 1234", "new_password": OTHER}
        assert (await page.post("/v1/me/password", json=body)).status_code == 409
        body = {"password": PASSWORD, "new_password": OTHER}
        assert (await page.post("/v1/me/password", json=body)).status_code == 204
        assert (await page.get("/v1/me")).status_code == 401
    assert (await house.post({"name": "ann", "password": OTHER})).status_code == 200


async def test_sign_in_is_for_our_own_page(house: House) -> None:
    async with house.browser() as page:
        answer = await page.post(
            "/sign-in", json={"name": "ann", "password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"}
        )
    assert answer.status_code == 403


async def test_a_file_of_people_makes_no_codes_without_its_key(house: House) -> None:
    app = house.give_app()
    database = sqlite3.connect(house.directory / FILE)
    (kept,) = database.execute("SELECT totp FROM users").fetchone()
    database.close()
    assert app.secret.encode() not in kept
    with pytest.raises(OSError, match="not the key"):
        authenticator_app.decrypt(house.directory, "ben", kept)


def test_wrong_tries_wait_longer_and_longer() -> None:
    tries, waits = Tries(OF_NAMES), []
    for _ in range(10):
        tries.begin("ann", 0.0)
        waits.append(tries.wait("ann", 0.0))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 1800]
    assert tries.wait("ann", 1800.0) == 0


async def test_tries_are_counted_for_whoever_scrapes(tmp_path: Path, clock: Clock) -> None:
    metrics = Metrics()
    house = House(tmp_path / "counted", clock, count=metrics.count_sign_in)
    await house.post(WRONG)
    await house.post({"name": "ann", "password": PASSWORD})
    house.close()
    lines = metrics.render({}).decode().splitlines()
    for result in ("wrong", "opened"):
        assert f'tonewall_sign_ins_total{{result="{result}"}} 1.0' in lines
