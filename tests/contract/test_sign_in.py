"""People sign in at npm's oidc-provider, which nobody here wrote, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.contract.sign_in import Browser, House, identity_provider, known_as, new_key, query_of
from tests.stack import free_port

AGAIN = 'href="/sign-in/oidc"'


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(f"http://127.0.0.1:{free_port()}", tmp_path)


def port_of(house: House) -> int:
    return httpx.URL(house.issuer).port or 0


@pytest.fixture
async def running(house: House, tmp_path: Path) -> AsyncIterator[House]:
    async with (
        identity_provider(port_of(house), tmp_path, known_as(house.callback), [new_key["RS256"]("one")]),
        house.serving(),
    ):
        yield house


async def test_somebody_signs_in_and_has_the_name_and_roles_of_their_groups(running: House) -> None:
    async with Browser(running) as ann, Browser(running) as ben, Browser(running) as fay:
        answer = await ann.sign_in("u-1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        me = (await ann.me()).json()
        assert (me["agent"], me["roles"], me["method"]) == ("ann", ["agent"], "oidc")
        await ben.sign_in("u-2")
        assert (await ben.me()).json()["roles"] == ["agent", "supervisor"]
        await fay.sign_in("u-6")
        assert (await fay.me()).json()["agent"] == "fay@pay.example"
        assert (await ann.me()).json()["agent"] == "ann"
        [cookie] = [each for each in answer.headers.get_list("set-cookie") if "session" in each]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    ("alg", "method"), [("ES256", "client_secret_post"), ("Ed25519", "none"), ("RS256", "none")]
)
async def test_it_works_by_other_algorithms_and_as_a_public_client(
    house: House, tmp_path: Path, alg: str, method: str
) -> None:
    if method == "none":
        house.secret = ""
    client = known_as(house.callback, alg, method)
    more = {"clientAuthMethods": [method]}
    async with (
        identity_provider(port_of(house), tmp_path, client, [new_key[alg]("one")], **more),
        house.serving(),
        Browser(house) as browser,
    ):
        assert (await browser.sign_in("u-1")).status_code == 303
        assert (await browser.me()).json()["agent"] == "ann"


async def test_groups_that_only_user_info_has_are_found(house: House, tmp_path: Path) -> None:
    client = known_as(house.callback)
    async with (
        identity_provider(
            port_of(house), tmp_path, client, [new_key["RS256"]("one")], conformIdTokenClaims=True
        ),
        house.serving(),
        Browser(house) as browser,
    ):
        assert (await browser.sign_in("u-2")).status_code == 303
        assert (await browser.me()).json()["roles"] == ["agent", "supervisor"]


@pytest.mark.parametrize("who", ["u-3", "u-4"])
async def test_who_has_no_group_with_a_role_is_told_whom_to_ask(running: House, who: str) -> None:
    async with Browser(running) as browser:
        answer = await browser.sign_in(who)
        assert answer.status_code == 403
        assert "Kim at the desk" in answer.text
        assert (await browser.me()).status_code == 401


async def test_a_name_that_is_none_is_not_shown(running: House) -> None:
    async with Browser(running) as browser:
        answer = await browser.sign_in("u-5")
        assert answer.status_code == 403
        assert "eve" not in answer.text


async def test_what_came_back_once_is_good_once(running: House) -> None:
    async with Browser(running) as browser, Browser(running) as thief:
        back = await browser.at_provider(await browser.begin(), "u-1")
        stolen = await thief.http.get(back)
        assert (stolen.status_code, AGAIN in stolen.text) == (400, True)
        assert (await browser.http.get(back)).status_code == 303
        assert (await browser.http.get(back)).status_code == 400
        # The code again, with a state that is good.
        again = httpx.URL(back).copy_merge_params({"state": query_of(await browser.begin())["state"]})
        answer = await browser.http.get(again)
        assert answer.status_code == 403
        assert "did not confirm" in answer.text
        assert (await thief.me()).status_code == 401


async def test_a_code_of_another_browser_signs_nobody_in(running: House) -> None:
    """A forged sign-in, and a code that was taken out of somebody's address bar."""
    async with Browser(running) as victim, Browser(running) as attacker:
        back = await attacker.at_provider(await attacker.begin(), "u-2")
        state = query_of(await victim.begin())["state"]
        for url in (back, str(httpx.URL(back).copy_merge_params({"state": state}))):
            assert (await victim.http.get(url)).status_code in (400, 403)
        assert (await victim.me()).status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?code=x", 400),
        ("?state=x&code=y", 400),
        ("?state=%00&code=%F0%9F%92%A9", 400),
        ("?error=access_denied&error_description=<script>alert(1)</script>&state=x", 400),
        ("?state=" + "x" * 9000, 400),
    ],
)
async def test_whatever_comes_back_the_answer_is_a_page_of_ours(
    running: House, query: str, status: int
) -> None:
    async with Browser(running) as browser:
        for begun in (False, True):
            if begun:
                await browser.begin()
            answer = await browser.http.get(running.callback + query)
            assert answer.status_code == status
            assert answer.headers["content-type"].startswith("text/html")
            assert AGAIN in answer.text
            assert "script" not in answer.text
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"


async def test_what_is_given_twice_is_refused_and_errors_are_in_our_words(running: House) -> None:
    async with Browser(running) as browser:
        state = query_of(await browser.begin())["state"]
        twice = await browser.http.get(f"{running.callback}?state={state}&state={state}&code=x")
        assert twice.status_code == 400
        evil = "iss=https%3A%2F%2Fevil.example&code=x"
        mixed_up = await browser.http.get(f"{running.callback}?state={state}&{evil}")
        assert (mixed_up.status_code, "another identity provider" in mixed_up.text) == (400, True)
        state = query_of(await browser.begin())["state"]
        iss = f"iss={running.issuer}"
        denied = await browser.http.get(
            f"{running.callback}?state={state}&{iss}&error=access_denied&error_description=4000056655665556",
            headers={"Accept-Language": "pl-PL,pl;q=0.9"},
        )
        assert denied.status_code == 403
        assert "Nie zalogowano" in denied.text
        assert "4000056655665556" not in denied.text


async def test_keys_may_change_between_two_sign_ins(house: House, tmp_path: Path) -> None:
    old, new = new_key["RS256"]("one"), new_key["RS256"]("two")
    client = known_as(house.callback)
    async with house.serving(), Browser(house) as ann, Browser(house) as ben:
        async with identity_provider(port_of(house), tmp_path, client, [old]):
            assert (await ann.sign_in("u-1")).status_code == 303
        house.monotonic = 61.0  # no sooner is a new one looked for
        async with identity_provider(port_of(house), tmp_path, client, [new, old]):
            assert (await ben.sign_in("u-2")).status_code == 303


async def test_a_provider_that_dies_lets_those_in_who_need_it_not(house: House, tmp_path: Path) -> None:
    client = known_as(house.callback)
    async with house.serving(), Browser(house) as browser:
        async with identity_provider(port_of(house), tmp_path, client, [new_key["RS256"]("one")]) as process:
            back = await browser.at_provider(await browser.begin(), "u-1")
            process.kill()
            await process.wait()
            answer = await browser.http.get(back)
            assert answer.status_code == 503
            assert "does not answer" in answer.text
        token = {"Authorization": "Bearer a-token-for-the-tests"}
        assert (await browser.http.get(f"{house.url}/v1/me", headers=token)).status_code == 200
        house.monotonic = 3700.0  # its description is old by now, and still there
        assert (await browser.http.get(f"{house.url}/sign-in/oidc")).status_code == 303
    async with house.serving(), Browser(house) as browser:  # started while it is down
        answer = await browser.http.get(f"{house.url}/sign-in/oidc")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_clocks_that_differ_too_much_are_told(house: House, tmp_path: Path) -> None:
    house.skew = 5.0
    client = known_as(house.callback)
    async with (
        identity_provider(port_of(house), tmp_path, client, [new_key["RS256"]("one")]),
        house.serving(),
        Browser(house) as browser,
    ):
        for ahead, status in ((-4.0, 303), (-60.0, 403), (60.0, 403), (400.0, 403), (0.0, 303)):
            house.clock = ahead
            assert (await browser.sign_in("u-1")).status_code == status, ahead


async def test_the_way_out_leads_to_the_provider(running: House) -> None:
    async with Browser(running) as browser:
        answer = await browser.http.get(f"{running.url}/sign-in/oidc/sign-out")
        assert answer.status_code == 303
        there = await browser.http.get(answer.headers["location"])
        assert there.status_code == 200, there.text
        assert "form" in there.text  # it asks whether one wants to


async def test_who_leaves_at_the_provider_is_out_here_at_once_feed_and_all(running: House) -> None:
    async with Browser(running) as ann, Browser(running) as elsewhere, Browser(running) as ben:
        for browser, who in ((ann, "u-1"), (elsewhere, "u-1"), (ben, "u-2")):
            assert (await browser.sign_in(who)).status_code == 303
        async with ann.http.stream("GET", f"{running.url}/v1/feed") as feed:
            chunks = feed.aiter_bytes()
            assert await anext(chunks)
            answer = await ann.leave()
            assert (answer.status_code, answer.headers["location"]) == (303, f"{running.url}/"), answer.text
            async with asyncio.timeout(10):  # sooner than the 15 s after which a feed looks by itself
                async for _ in chunks:
                    pass
        assert (await ann.me()).status_code == 401
        # The session at the other machine is another one at the provider, too.
        assert [(await each.me()).status_code for each in (elsewhere, ben)] == [200, 200]
