"""Logout tokens of the identity provider: what ends which sessions, and what ends none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.access.oidc.logout import LoggedOut
from b2bua.access.oidc.people import METHOD
from b2bua.access.principal import Principal
from b2bua.access.roles import Role
from b2bua.access.sessions import Sessions
from b2bua.api.http import create_app
from b2bua.api.oidc_routes import OidcPages, add_oidc
from tests.browser.fake_desk import FakeDesk
from tests.complaints import permit_error
from tests.unit.b2bua.access.odd_provider import Client, OddProvider, signing_key

KEY = signing_key()
AGENT = frozenset({Role.AGENT})
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LATER = int(time.time()) + 86_400


def somebody(subject: str, session: str = "", method: str = METHOD) -> Principal:
    return Principal("ann", AGENT, method=method, credential=f"oidc:{subject}", provider_session=session)


@dataclass
class Scene:
    client: Client
    sessions: Sessions
    http: httpx.AsyncClient

    async def open(self, principal: Principal) -> dict[str, str]:
        """The headers of a browser in which they are signed in."""
        return {"Cookie": f"__Host-tonewall_session={await self.sessions.open(principal, '192.0.2.1')}"}

    async def status(self, browser: dict[str, str]) -> int:
        return (await self.http.get("/v1/me", headers=browser)).status_code

    async def send(self, token: str) -> int:
        return (await self.http.post("/sign-in/oidc/logout", data={"logout_token": token})).status_code


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Scene]:
    async with OddProvider(key=KEY).running() as provider, Client(provider).ready() as client:
        sessions = Sessions(directory)
        app = create_app(FakeDesk(), authenticators=[], sessions=sessions)
        add_oidc(app, OidcPages(client.sign_in, sessions, None, "Kim"))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://pay.example") as http:
            yield Scene(client, sessions, http)
        sessions.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running(tmp_path) as found:
        yield found


async def test_sessions_of_that_subject_or_session_end_and_no_others(scene: Scene) -> None:
    provider = scene.client.provider
    here, there, old, other, local = [
        await scene.open(each)
        for each in (
            somebody("u-1", "s-1"), somebody("u-1", "s-2"), somebody("u-1"), somebody("u-2", "s-3"),
            somebody("u-1", "s-1", "password"),
        )
    ]  # fmt: skip
    assert await scene.send(provider.logout_token(sid="s-9", sub=None)) == 200
    assert [await scene.status(each) for each in (here, there, old, other, local)] == [200] * 5
    assert await scene.send(provider.logout_token(sid="s-1", sub=None)) == 200
    assert [await scene.status(each) for each in (here, there, old, other, local)] == [
        401,
        200,
        200,
        200,
        200,
    ]
    assert await scene.send(provider.logout_token(sid="s-4")) == 200  # of one that has said no `sid`
    assert [await scene.status(each) for each in (there, old)] == [200, 401]
    assert await scene.send(provider.logout_token()) == 200
    assert [await scene.status(each) for each in (there, other, local)] == [401, 200, 200]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": None},
        {"iat": LATER, "exp": LATER},
        {"iat": LATER - 2 * 86_400},
        {"iat": None},
        {"exp": LATER - 2 * 86_400},
        {"events": None},
        {"events": {}},
        {"events": [EVENT]},
        {"events": {EVENT: True}},
        {"nonce": "n"},
        {"nonce": None, "jti": None},
        {"jti": ""},
        {"jti": 7},
        {"sub": None},
        {"sub": ["u-1"]},
        {"sub": None, "sid": "s" * 256},
    ],
)
async def test_a_token_with_a_wrong_claim_ends_nothing(scene: Scene, claims: dict[str, Any]) -> None:
    ann = await scene.open(somebody("u-1", "s-1"))
    right = {name: value for name, value in claims.items() if (name, value) != ("nonce", None)}
    assert await scene.send(scene.client.provider.logout_token(**right)) == 400
    assert await scene.status(ann) == 200


async def test_what_is_no_logout_token_ends_nothing_and_a_token_is_good_once(scene: Scene) -> None:
    provider, http = scene.client.provider, scene.http
    ann = await scene.open(somebody("u-1"))
    good = provider.logout_token()
    head, body, _ = good.split(".")
    provider.nonce = "n"
    for token in ("", "x", f"{head}.{body}.x", f"{head}.{body}.", provider.token(), "ü" * 100):
        assert await scene.send(token) == 400
    provider.key, stranger = signing_key("two"), provider.key
    assert await scene.send(provider.logout_token()) == 400
    provider.key = stranger
    for odd in (
        http.post("/sign-in/oidc/logout", json={"logout_token": good}),
        http.post("/sign-in/oidc/logout", content=f"logout_token={good}"),
        http.post("/sign-in/oidc/logout", data={"logout_token": [good, good]}),
        http.post("/sign-in/oidc/logout", data={"token": good}),
    ):
        assert (await odd).status_code == 400
    too_long = await http.post("/sign-in/oidc/logout", data={"logout_token": "x" * 9000})
    assert too_long.status_code == 413
    assert (await http.get("/sign-in/oidc/logout")).status_code == 405
    assert await scene.status(ann) == 200
    assert await scene.send(good) == 200
    assert await scene.status(ann) == 401
    again = await scene.open(somebody("u-1"))
    assert await scene.send(good) == 400
    assert await scene.status(again) == 200


async def test_a_token_whose_sessions_could_not_be_ended_is_good_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit_error("sessions_not_ended")
    ann, token = await scene.open(somebody("u-1")), scene.client.provider.logout_token()
    with monkeypatch.context() as broken:

        async def fail(_: object) -> list[str]:
            raise OSError(28, "full")

        broken.setattr(scene.sessions, "end_where", fail)
        assert await scene.send(token) == 400
    assert await scene.send(token) == 200
    assert await scene.status(ann) == 401


async def test_a_session_that_opens_while_its_end_arrives_is_ended(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await scene.http.get("/sign-in/oidc")
    asked = httpx.URL(begun.headers["location"]).params
    scene.client.provider.nonce = asked["nonce"]
    opened = scene.sessions.open

    async def late(principal: Principal, source: str) -> str:
        assert await scene.send(scene.client.provider.logout_token()) == 200
        return await opened(principal, source)

    monkeypatch.setattr(scene.sessions, "open", late)
    answer = await scene.http.get("/sign-in/oidc/callback", params={"state": asked["state"], "code": "c"})
    assert (answer.status_code, scene.sessions._file.names()) == (400, [])


def test_tokens_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from b2bua.access.oidc import logout

    monkeypatch.setattr(logout, "MOST", 3)
    tokens = logout.LogoutTokens()
    claims = {"iat": 1000, "exp": 1100, "sub": "u-1", "events": {EVENT: {}}, "iss": "i", "aud": "a"}
    monkeypatch.setattr(logout, "verify", lambda token, _: ("RS256", {**claims, "jti": token}))
    expected = logout.Expected("i", "a", "a", 60.0)
    for number in range(10):
        tokens.use(str(number), None, expected, 1000.0)  # type: ignore[arg-type]
    assert len(tokens._used) == 3
    with pytest.raises(logout.BadToken):
        tokens.use("9", None, expected, 1000.0)  # type: ignore[arg-type]
    assert tokens.ended_since(9, somebody("u-1"))
    assert not tokens.ended_since(10, somebody("u-1"))
    assert LoggedOut("u-2", "").includes(somebody("u-1")) is False
