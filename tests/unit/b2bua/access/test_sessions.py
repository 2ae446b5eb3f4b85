"""Sessions: how long they last, who can use them, and what ends them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.sessions import SessionFile, Sessions, session_of
from b2bua.access.store import FILE
from b2bua.access.tokens import Tokens
from b2bua.api.http import create_app
from tests.browser.fake_desk import FakeDesk

ANN = Principal(
    name="ann", roles=frozenset({Role.AGENT}), method="password", credential="user:ann",
    teams=frozenset({"north"}),
)  # fmt: skip
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
TOKEN = "a-token-of-the-tests"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Iterator[Sessions]:
    opened = Sessions(tmp_path / "access", clock, idle=900.0, life=43_200.0)
    yield opened
    opened.close()


def browser(sessions: Sessions, cookie: str = "", *, https: bool = False) -> httpx.AsyncClient:
    app = create_app(FakeDesk(), authenticators=[Tokens.parse(f"desk-1:{TOKEN}")], sessions=sessions)
    name = "__Host-tonewall_session" if https else "tonewall_session"
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url=f"{'https' if https else 'http'}://tonewall.test",
        headers={"Cookie": f"other=1; {name}={cookie}"} if cookie else {},
    )


async def test_a_session_is_who_was_signed_in(sessions: Sessions) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie) as ann:
        me = (await ann.get("/v1/me")).json()
    assert (me["agent"], me["roles"], me["method"]) == ("ann", ["agent"], "password")


async def test_each_sign_in_has_a_cookie_of_its_own_and_its_hash_alone_is_kept(
    sessions: Sessions, tmp_path: Path
) -> None:
    cookies = {await sessions.open(ANN, "192.0.2.1") for _ in range(3)}
    assert len(cookies) == 3
    kept = b"".join(each.read_bytes() for each in (tmp_path / "access").iterdir())
    assert not [each for each in cookies if each.encode() in kept]
    assert (tmp_path / "access" / FILE).stat().st_mode & 0o777 == 0o600


async def test_what_is_read_does_not_keep_a_session_and_what_changes_something_does(
    sessions: Sessions, clock: Clock
) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie) as ann:
        for _ in range(3):
            clock.seconds += 800
            assert (await ann.post("/v1/me/active", headers=OWN_PAGE)).status_code == 204
        clock.seconds += 800
        assert (await ann.get("/v1/me")).status_code == 200
        clock.seconds += 101
        assert (await ann.get("/v1/me")).status_code == 401


async def test_a_session_ends_after_its_life_whatever_is_done(sessions: Sessions, clock: Clock) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie) as ann:
        answers = []
        for _ in range(60):
            clock.seconds += 800
            answers.append((await ann.post("/v1/me/active", headers=OWN_PAGE)).status_code)
    assert answers == [204] * 53 + [401] * 7


async def test_a_session_survives_a_restart_and_so_does_its_last_use(tmp_path: Path, clock: Clock) -> None:
    first = Sessions(tmp_path, clock)
    cookie = await first.open(ANN, "192.0.2.1")
    clock.seconds += 800
    async with browser(first, cookie) as ann:
        await ann.post("/v1/me/active", headers=OWN_PAGE)
    first.close()
    clock.seconds += 800
    second = Sessions(tmp_path, clock)
    async with browser(second, cookie) as ann:
        assert (await ann.get("/v1/me")).status_code == 200
    second.close()


async def test_sign_out_ends_one_session_and_sign_out_everywhere_all_of_a_name(sessions: Sessions) -> None:
    one, two, three = [await sessions.open(ANN, "192.0.2.1") for _ in range(3)]
    bens = await sessions.open(Principal(name="ben", roles=frozenset({Role.AGENT})), "192.0.2.2")
    async with browser(sessions, one) as ann:
        answer = await ann.post("/sign-out", headers=OWN_PAGE)
        assert "tonewall_session=;" in answer.headers["set-cookie"]
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await ann.get("/v1/me")).status_code == 401
    async with browser(sessions, two) as ann:
        assert (await ann.post("/sign-out-everywhere", headers=OWN_PAGE)).status_code == 204
    for cookie, expected in ((two, 401), (three, 401), (bens, 200)):
        async with browser(sessions, cookie) as somebody:
            assert (await somebody.get("/v1/me")).status_code == expected


async def test_another_process_ends_a_session_at_once(sessions: Sessions, tmp_path: Path) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    found = await sessions.authenticate(scope(cookie))
    assert found is not None
    assert session_of(found)
    assert sessions.holds(found)
    other = SessionFile(tmp_path / "access")
    assert other.end_all("ann") == 1
    other.close()
    assert not sessions.holds(found)
    assert await sessions.authenticate(scope(cookie)) is None


async def test_a_name_has_twenty_sessions_at_most(sessions: Sessions, clock: Clock) -> None:
    cookies = []
    for _ in range(25):
        clock.seconds += 1
        cookies.append(await sessions.open(ANN, "192.0.2.1"))
    found = [await sessions.authenticate(scope(each)) is not None for each in cookies]
    assert found == [False] * 5 + [True] * 20


def scope(cookie: str, **more: Any) -> dict[str, Any]:
    headers = [(b"cookie", f"tonewall_session={cookie}".encode())]
    return {"type": "http", "method": "GET", "scheme": "http", "headers": headers, **more}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://tonewall.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://tonewall.test"}, 204),
        ({"Origin": "http://tonewall.test.evil.test"}, 403),
        ({"Origin": "http://tonewall.test:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[tonewall.test"}, 403),
        ({}, 403),
    ],
)
async def test_a_cookie_counts_for_changes_from_our_own_page_only(
    sessions: Sessions, headers: dict[str, str], expected: int
) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie) as ann:
        assert (await ann.post("/v1/me/active", headers=headers)).status_code == expected
        assert (await ann.get("/v1/me", headers=headers)).status_code == 200


async def test_a_token_needs_no_such_proof_and_no_cookie_helps_a_wrong_token(sessions: Sessions) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie) as ann:
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert (await ann.post("/v1/me/active", headers=right)).status_code == 204
        assert (await ann.get("/v1/me", headers=right)).json()["agent"] == "desk-1"
        assert (await ann.get("/v1/me", headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_over_https_the_cookie_has_the_name_that_no_other_host_can_set(sessions: Sessions) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    async with browser(sessions, cookie, https=True) as ann:
        assert (await ann.get("/v1/me")).status_code == 200
        answer = await ann.post("/sign-out", headers=OWN_PAGE)
        ended = "__Host-tonewall_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0"
        assert answer.headers["set-cookie"] == ended
    other = await sessions.open(ANN, "192.0.2.1")
    assert await sessions.authenticate(scope(other, scheme="https")) is None


async def test_a_cookie_that_is_given_twice_or_is_nonsense_is_nobodys(sessions: Sessions) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    for given in (f"{cookie}; tonewall_session={cookie}", "", cookie[:-1], cookie + "x", "\xff" * 5000):
        headers = [(b"cookie", f"tonewall_session={given}".encode("latin-1"))]
        assert await sessions.authenticate(scope("", headers=headers)) is None


async def test_a_role_that_this_version_does_not_have_opens_nothing(
    sessions: Sessions, tmp_path: Path
) -> None:
    cookie = await sessions.open(ANN, "192.0.2.1")
    database = sqlite3.connect(tmp_path / "access" / FILE)
    database.execute("UPDATE sessions SET principal = CAST(replace(principal, 'agent', 'wizard') AS BLOB)")
    database.commit()
    database.close()
    assert await sessions.authenticate(scope(cookie)) is None
