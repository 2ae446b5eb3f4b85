"""An identity provider that lies, errs, hangs or dies, as a test wants it to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

from b2bua.access.oidc.client import Account, SignIn
from b2bua.access.oidc.people import People
from b2bua.access.oidc.provider import Provider
from b2bua.access.roles import Role

CLIENT = "tonewall"
BROWSER = "b" * 43
GROUPS = People(
    roles={"agents": frozenset({Role.AGENT}), "leads": frozenset({Role.SUPERVISOR})},
    teams={"leads": frozenset({"north"})},
    groups_claim="groups",
    name_claims=("preferred_username", "email", "sub"),
)


def signing_key(kid: str = "one") -> RSAKey:
    """A private key."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass
class OddProvider:
    """`claims`: of the ID token beside the right ones, None: left out; `description`: the same;
    `answers`: by path, status and body instead of the right answer; `hangs`: it takes requests and
    says nothing."""

    key: Any = field(default_factory=signing_key)
    published: list[Any] = field(default_factory=list)
    url: str = ""
    alg: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    hangs: bool = False
    asked: list[str] = field(default_factory=list)
    form: dict[str, str] = field(default_factory=dict)  # of the last token request
    nonce: str = ""
    id_token: str | None = None  # instead of one that is made
    date: str = ""  # of its answers; "now": the right one

    def describe(self) -> dict[str, Any]:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        paths = ("/auth", "/token", "/jwks", "/me")
        found = {
            "issuer": self.url,
            **{name: self.url + path for name, path in zip(names, paths, strict=True)},
        }
        return _without_none(found | self.description)

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "preferred_username": "ann", "groups": ["agents"],
        }  # fmt: skip
        return self.sign(claims | self.claims)

    def logout_token(self, **claims: Any) -> str:
        """One of u-1, with these claims beside the right ones, or None."""
        now = int(time.time())
        right = {
            "iss": self.url, "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 120,
            "jti": secrets.token_hex(8), "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }  # fmt: skip
        return self.sign(right | claims)

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.alg, "kid": self.key.kid}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # we may sign by EdDSA
            return jwt.encode(header, _without_none(claims), self.key, algorithms=[self.alg])

    def answer(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.describe()).encode()
        if path == "/jwks":
            keys = [each.as_dict(private=False) for each in self.published or [self.key]]
            return 200, json.dumps({"keys": keys}).encode()
        if path == "/token":
            token = self.token() if self.id_token is None else self.id_token
            return 200, json.dumps({"id_token": token, "access_token": "at", "token_type": "Bearer"}).encode()
        return 404, b"{}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            length = [line.split(":")[1] for line in head.lower().splitlines() if "content-length" in line]
            body = await reader.readexactly(int(length[0]) if length else 0)
            if path == "/token":
                self.form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.asked.append(path)
            if self.hangs:
                await reader.read()
            status, content = self.answer(path)
            date = formatdate(usegmt=True) if self.date == "now" else self.date
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\nDate: {date}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + content)
            await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[OddProvider]:
        """Listening on loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self


@dataclass
class Client:
    """Us. `monotonic`: seconds that pass at once for what is kept; `clock`: for tokens."""

    provider: OddProvider
    people: People = GROUPS
    skew: float = 60.0
    patience: float = 2.0
    secret: str = "s"
    monotonic: float = 0.0
    clock: float = 0.0

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator[Client]:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        provider = Provider(
            self.provider.url, trust, lambda: time.monotonic() + self.monotonic, self.patience
        )
        callback = "https://pay.example/sign-in/oidc/callback"
        account = Account(CLIENT, callback, "openid", CLIENT, self.secret, self.skew)
        self.sign_in = SignIn(provider, account, self.people, lambda: time.time() + self.clock)
        try:
            yield self
        finally:
            await self.sign_in.close()

    async def begin(self) -> dict[str, str]:
        """What the provider is asked."""
        url = await self.sign_in.begin(BROWSER, "192.0.2.1")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.provider.nonce = asked["nonce"]
        return asked

    async def whole(self, **answer: str | None) -> Any:
        """Begin, and come back with this beside state and code."""
        asked = await self.begin()
        given = _without_none({"state": asked["state"], "code": "c-1", **answer})
        return await self.sign_in.finish(given, BROWSER)


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
