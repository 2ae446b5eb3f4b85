"""Plays everybody of a sign-in at an identity provider: the provider, which is npm's oidc-provider
and nobody here wrote, a browser, and our own server."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from b2bua.access.oidc.client import Account, SignIn
from b2bua.access.oidc.people import People
from b2bua.access.oidc.provider import Provider
from b2bua.access.roles import Role
from b2bua.access.sessions import Sessions
from b2bua.api.http import create_app
from b2bua.api.oidc_routes import OidcPages, add_oidc
from b2bua.api.server import serve
from b2bua.audit.recorder import Recorder
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.stack import free_port, until

_DIRECTORY = Path(__file__).parent / "oidc_provider"
TOKEN = "a-token-for-the-tests"
CLIENT, SECRET = "tonewall", "a secret: of 32 + letters/and more%"
PEOPLE: dict[str, dict[str, Any]] = {
    "u-1": {"preferred_username": "ann", "groups": ["contact-centre", "everyone"]},
    "u-2": {"preferred_username": "ben", "groups": ["team-leads", "north"]},
    "u-3": {"preferred_username": "cleo", "groups": ["everyone"]},
    "u-4": {"preferred_username": "dora"},
    "u-5": {"preferred_username": "<b>eve</b>", "groups": ["contact-centre"]},
    "u-6": {"email": "fay@pay.example", "email_verified": True, "groups": "contact-centre"},
}
GROUPS = People(
    roles={"contact-centre": frozenset({Role.AGENT}), "team-leads": frozenset({Role.AGENT, Role.SUPERVISOR})},
    teams={"north": frozenset({"north"})},
    groups_claim="groups",
    name_claims=("preferred_username", "email"),
)
new_key: dict[str, Callable[[str], Any]] = {
    "RS256": lambda kid: RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}),
    "ES256": lambda kid: ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}),
    "Ed25519": lambda kid: OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig", "alg": "Ed25519"}),
}


@contextlib.asynccontextmanager
async def identity_provider(
    port: int, directory: Path, client: dict[str, Any], keys: list[Any], **more: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The provider, once it answers on this port. `client`: us, as it knows us; `keys`: private,
    the first of which signs; `more`: of its own settings. A skipped test where it is not
    installed."""
    node = shutil.which("node")
    if node is None or not (_DIRECTORY / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed; `make build/.npm` does it")
    file = directory / "provider.json"
    jwks = {"keys": [each.as_dict(private=True) for each in keys]}
    file.write_text(json.dumps({"clients": [client], "people": PEOPLE, "jwks": jwks, "more": more}))
    with (directory / "identity-provider.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            node, str(_DIRECTORY / "people.js"), str(port), str(file), stdout=output, stderr=output
        )
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    url = f"http://127.0.0.1:{port}/.well-known/openid-configuration"
                    return (await http.get(url)).status_code == 200
                return False

            await until(answers, f"the identity provider; see {directory / 'identity-provider.log'}")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def known_as(redirect_uri: str, alg: str = "RS256", method: str = "client_secret_basic") -> dict[str, Any]:
    """Us, as the provider knows us. `method`: how we show it that it is us."""
    secret = {} if method == "none" else {"client_secret": SECRET}
    return {
        "client_id": CLIENT,
        "redirect_uris": [redirect_uri],
        "post_logout_redirect_uris": [redirect_uri.removesuffix("sign-in/oidc/callback")],
        "backchannel_logout_uri": redirect_uri.removesuffix("callback") + "logout",
        "backchannel_logout_session_required": True,
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": alg,
        "application_type": "native",
        **secret,
    }


@dataclass
class House:
    """Our own server, with a way in. `clock`: seconds that it is ahead."""

    issuer: str
    directory: Path
    port: int = field(default_factory=free_port)
    secret: str = SECRET
    skew: float = 60.0
    clock: float = 0.0
    audit: Recorder | None = None
    monotonic: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def callback(self) -> str:
        return f"{self.url}/sign-in/oidc/callback"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[House]:
        account = Account(CLIENT, self.callback, "openid profile email", CLIENT, self.secret, self.skew)
        provider = Provider(
            self.issuer,
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            lambda: time.monotonic() + self.monotonic,
            patience=2.0,
        )
        sign_in = SignIn(provider, account, GROUPS, lambda: time.time() + self.clock)
        sessions = Sessions(self.directory / "access")
        pages = OidcPages(sign_in, sessions, self.audit, "Kim at the desk")
        tokens = everybody(f"tess:{TOKEN}")
        app = create_app(FakeDesk(), authenticators=tokens, sessions=sessions, audit=self.audit)
        add_oidc(app, pages)
        server = await serve(app, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            await server.close()
            await sign_in.close()
            sessions.close()


class Browser:
    """Somebody's browser: cookies, redirects and forms, and nothing else."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.http = httpx.AsyncClient(trust_env=False, timeout=20)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def begin(self) -> str:
        """Where our server sends it."""
        answer = await self.http.get(f"{self.house.url}/sign-in/oidc")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def at_provider(self, url: str, who: str) -> str:
        """Sign in at the provider as `who`, and agree to everything; the address that leads back to
        us."""
        for _ in range(12):
            if url.startswith(self.house.url):
                return url
            answer = await self.http.get(url)
            if answer.is_redirect:
                url = str(httpx.URL(url).join(answer.headers["location"]))
                continue
            assert answer.status_code == 200, answer.text
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert form is not None, answer.text
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
            if 'name="login"' in answer.text:
                fields |= {"login": who, "password": "anything"}
            answer = await self.http.post(
                str(httpx.URL(url).join(html.unescape(form[1]))),
                data=fields,
                headers={"Origin": self._origin(url)},
            )
            assert answer.is_redirect, answer.text
            url = str(httpx.URL(url).join(answer.headers["location"]))
        raise AssertionError(f"never came back: {url}")

    async def sign_in(self, who: str) -> httpx.Response:
        """All of it, up to our answer at the end."""
        return await self.http.get(await self.at_provider(await self.begin(), who))

    async def leave(self) -> httpx.Response:
        """Sign out at the provider, and say yes there; its answer."""
        begun = await self.http.get(f"{self.house.url}/sign-in/oidc/sign-out")
        url = begun.headers["location"]
        asked = await self.http.get(url)
        form = re.search(r'<form[^>]*action="([^"]+)"', asked.text)
        assert form is not None, asked.text
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
        return await self.http.post(
            html.unescape(form[1]), data=fields | {"logout": "yes"}, headers={"Origin": self._origin(url)}
        )

    async def me(self) -> httpx.Response:
        return await self.http.get(f"{self.house.url}/v1/me")

    @staticmethod
    def _origin(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"


def query_of(url: str) -> dict[str, str]:
    """What a URL asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
