"""Sign-in through an identity provider as the audit log and the browser see it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.access.oidc.client import SignIn
from b2bua.access.principal import Principal
from b2bua.api.http import create_app
from b2bua.api.oidc_routes import OidcPages, add_oidc
from b2bua.audit.chain import read_line
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.verify import log_files
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.unit.b2bua.access.odd_provider import Client, OddProvider, signing_key

KEY = Ed25519PrivateKey.generate()
SIGNING = signing_key()


@dataclass
class Scene:
    """A server whose disks fail when a test says so."""

    client: Client
    directory: Path
    required: bool = False
    disk_is_full: bool = False
    sessions_fail: bool = False
    opened: list[tuple[Principal, str]] = field(default_factory=list)

    async def open(self, principal: Principal, source: str) -> str:
        if self.sessions_fail:
            raise OSError(28, "full")
        self.opened.append((principal, source))
        return "a-session"

    def open_log(self) -> LogFile:
        if self.disk_is_full:
            raise OSError(28, "full")
        return LogFile(self.directory, KEY, lambda: 1_796_000_000.0)

    def entries(self) -> list[Entry]:
        lines = [
            read_line(each)
            for path in log_files(self.directory)
            for each in path.read_bytes().split(b"\n")[:-1]
        ]
        return [line.entry for line in lines if line.entry is not None]

    @contextlib.asynccontextmanager
    async def browser(self, sign_in: SignIn | None = None) -> AsyncIterator[httpx.AsyncClient]:
        recorder = Recorder(self.open_log, lambda: 1_796_000_000.0, "c0ffee", required=self.required)
        writing = asyncio.create_task(recorder.run())
        pages = OidcPages(sign_in or self.client.sign_in, self, recorder, "<Kim> & co.")
        app = create_app(FakeDesk(), authenticators=everybody("ann:a-token-for-the-tests"))
        add_oidc(app, pages)
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 4000))
        async with httpx.AsyncClient(transport=transport, base_url="https://pay.example") as browser:
            yield browser
        await recorder.end()
        await writing


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with OddProvider(key=SIGNING).running() as provider, Client(provider).ready() as client:
        yield Scene(client, tmp_path / "audit")


async def sign_in(scene: Scene, browser: httpx.AsyncClient) -> httpx.Response:
    """All of it, with the right answer of the provider."""
    location = httpx.URL((await browser.get("/sign-in/oidc")).headers["location"])
    scene.client.provider.nonce = location.params["nonce"]
    return await browser.get(
        "/sign-in/oidc/callback", params={"state": location.params["state"], "code": "c"}
    )


async def test_who_is_signed_in_is_in_the_log(scene: Scene) -> None:
    async with scene.browser() as browser:
        answer = await sign_in(scene, browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    [entry] = scene.entries()
    assert (entry.who, entry.what, entry.result, entry.source) == (
        "ann",
        "sign_in",
        Result.NOTED,
        "192.0.2.7",
    )
    assert entry.details == {"method": "oidc", "credential": "oidc:u-1", "roles": "agent"}
    assert [(who.name, source) for who, source in scene.opened] == [("ann", "192.0.2.7")]


async def test_over_https_no_other_host_can_set_the_cookie(scene: Scene) -> None:
    async with scene.browser() as browser:
        begun = await browser.get("/sign-in/oidc")
        [cookie] = begun.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-tonewall_sign_in=")
    assert set(cookie.lower().split("; ")[1:]) == {
        "httponly", "max-age=600", "path=/", "samesite=lax", "secure",
    }  # fmt: skip


async def test_who_is_refused_is_in_the_log_and_a_flood_of_them_does_not_fill_it(scene: Scene) -> None:
    scene.client.provider.claims = {"groups": ["others"]}
    async with scene.browser() as browser:
        answer = await sign_in(scene, browser)
        assert answer.status_code == 403
        assert "&lt;Kim&gt; &amp; co." in answer.text
        for _ in range(100):
            await browser.get("/sign-in/oidc/callback?state=forged&code=x")
    refused, *forged = scene.entries()
    assert (refused.who, refused.what, refused.result) == ("ann", "sign_in_refused", Result.NOTED)
    assert refused.details == {"method": "oidc", "why": "no_role", "count": 1}
    assert [each.details["count"] for each in forged] == [1, 2, 4, 8, 16, 32, 64]
    assert {each.who for each in forged} == {""}
    assert scene.opened == []


@pytest.mark.parametrize("required", [False, True])
async def test_without_a_log_nobody_signs_in_where_it_is_required(scene: Scene, required: bool) -> None:
    scene = replace(scene, required=required, disk_is_full=True)
    async with scene.browser() as browser:
        answer = await sign_in(scene, browser)
    assert answer.status_code == (503 if required else 303)
    assert len(scene.opened) == (0 if required else 1)


async def test_a_session_that_cannot_be_kept_is_told(scene: Scene) -> None:
    scene.sessions_fail = True
    async with scene.browser() as browser:
        answer = await sign_in(scene, browser)
    assert answer.status_code == 503
    assert "could not be kept" in answer.text


async def test_nothing_of_a_token_or_code_is_in_the_log(scene: Scene) -> None:
    async with scene.browser() as browser:
        await sign_in(scene, browser)
    text = b"".join(msgspec.json.encode(each) for each in scene.entries()).decode()
    form = scene.client.provider.form
    for secret in (form["code_verifier"], scene.client.provider.nonce, "eyJ"):
        assert secret not in text
