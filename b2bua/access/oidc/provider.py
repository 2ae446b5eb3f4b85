"""Talks to the identity provider: its description, its keys, its tokens.

Rule 1: HTTPS, or plain HTTP of loopback; certificate and name verified; no proxy and no setting
        from the environment, no redirect; MAX_SIZE octets and `patience` seconds an answer.
Rule 2: the description must be of the issuer that was asked (OpenID Connect Discovery 4.3). It is
        kept for KEPT seconds, and for as long as the provider does not answer.
Rule 3: a provider that did not answer is not asked for its description again for RETRY seconds. It
        is a fault until it answers.
Rule 4: no log and no error has anything of what it said.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from joserfc.jwk import KeySet

from b2bua.access.issuer_keys import IssuerKeys
from b2bua.access.oidc.refused import SignInRefused, Why
from b2bua.call.service_view import Fault
from b2bua.notify.address import check_url
from tonewall.log import get_logger
from tonewall.version import VERSION

log = get_logger(__name__)
KEPT: Final = 3600.0
RETRY: Final = 5.0
WATCHED: Final = 60.0  # seconds between two looks whether it is there
MAX_SIZE: Final = 262_144
PATIENCE: Final = 5.0  # seconds
_KEYS_INTERVAL: Final = 60.0  # seconds between two looks for a key that is not known
for _name in ("httpx", "httpcore"):
    # httpx logs URLs, httpcore at debug level every header: codes and secrets.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False
_Words = Annotated[tuple[str, ...], msgspec.Meta(max_length=100)]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself (OpenID Connect Discovery section 3), as far as we use it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: _Words = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the token endpoint, as far as we use it."""

    id_token: str
    access_token: str = ""

    def __repr__(self) -> str:
        return "<Tokens>"


class Provider:
    """One identity provider. `now`: seconds that never run backwards."""

    def __init__(
        self,
        issuer: str,
        trust: ssl.SSLContext,
        now: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self.issuer, self._trust, self._now, self._patience = issuer, trust, now, patience
        self._client = httpx.AsyncClient(
            verify=trust,
            trust_env=False,
            follow_redirects=False,
            timeout=patience,
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=0),
            headers={
                "User-Agent": f"Tonewall/{VERSION}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        self._asking = asyncio.Lock()
        self._description: Description | None = None
        self._read_at = self._failed_at = float("-inf")
        self._down = ""  # why, while it does not answer
        self.date: float | None = None  # by its clock, in its last answer; seconds since the epoch
        self._keys: IssuerKeys | None = None

    async def describe(self) -> Description:
        """Its description. Raises SignInRefused where it cannot be had."""
        if self._description is None or self._now() - self._read_at >= KEPT:
            await self.refresh(KEPT)
        if self._description is None:
            raise SignInRefused(Why.UNAVAILABLE, self._down)
        return self._description

    async def refresh(self, age: float) -> None:
        """Read its description again, where it was read `age` seconds ago and longer."""
        async with self._asking:
            now = self._now()
            if now - self._read_at < age or now - self._failed_at < RETRY:
                return
            try:
                found = await self._read_description()
            except SignInRefused as error:
                self._failed_at = self._now()
                if self._down != error.detail:
                    log.error("identity_provider_not_read", why=error.detail, hint="[oidc] issuer, ca_file")
                self._down = error.detail
                return
            if self._down:
                log.info("identity_provider_read")
            if self._description is None or found.jwks_uri != self._description.jwks_uri:
                await self._forget_keys()
                self._keys = IssuerKeys(
                    self.issuer, found.jwks_uri, self._trust, self._now, _KEYS_INTERVAL, "[oidc] issuer"
                )
            self._description, self._read_at, self._down = found, self._now(), ""

    async def watch(self) -> None:
        """Look whether it is there, for as long as we run."""
        while True:
            await self.refresh(WATCHED)
            await asyncio.sleep(RETRY if self._down else WATCHED)

    def fault(self) -> Fault | None:
        """That it did not answer when it was asked last, where it is so."""
        if not self._down:
            return None
        says = (
            "Nobody can sign in at the identity provider: it does not answer as it should "
            f"({self._down}). See [oidc] issuer, and `tonewall doctor`."
        )
        return Fault(what="identity_provider", says=says, stops=None)

    async def keys(self, kid: str | None) -> KeySet:
        """Those that may have made a signature with this key id. Raises SignInRefused."""
        await self.describe()
        found = await self._keys.find(kid) if self._keys is not None else None
        if found is None:
            raise SignInRefused(Why.TOKEN, "kid")
        return found

    async def exchange(self, url: str, form: Mapping[str, str], auth: tuple[str, str] | None) -> Tokens:
        """The tokens for a code. Raises SignInRefused."""
        status, body = await self._ask("POST", url, data=dict(form), **({"auth": auth} if auth else {}))
        if status >= 500:
            raise SignInRefused(Why.UNAVAILABLE, f"status {status}")
        if status != 200:
            raise SignInRefused(Why.CODE, _error_of(body))
        try:
            return msgspec.json.decode(body, type=Tokens)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SignInRefused(Why.TOKEN, "the answer has no ID token") from None

    async def user_info(self, url: str, access_token: str) -> dict[str, Any]:
        """What it says of who has this access token (OpenID Connect Core section 5.3). Raises
        SignInRefused."""
        status, body = await self._ask("GET", url, headers={"Authorization": f"Bearer {access_token}"})
        if status != 200:
            raise SignInRefused(Why.UNAVAILABLE, f"user info: status {status}")
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SignInRefused(Why.TOKEN, "user info") from None

    async def close(self) -> None:
        """Close what is open."""
        await self._forget_keys()
        await self._client.aclose()

    async def _forget_keys(self) -> None:
        if self._keys is not None:
            await self._keys.close()

    async def _read_description(self) -> Description:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, body = await self._ask("GET", url)
        if status != 200:
            raise SignInRefused(Why.UNAVAILABLE, f"status {status}")
        try:
            found = msgspec.json.decode(body, type=Description)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise SignInRefused(Why.UNAVAILABLE, "the description cannot be read") from None
        if found.issuer != self.issuer:
            raise SignInRefused(Why.UNAVAILABLE, "the description is that of another issuer")
        urls = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        try:
            for each in (*urls, found.userinfo_endpoint, found.end_session_endpoint):
                if each or each in urls:
                    check_url(each)
        except ValueError:
            raise SignInRefused(Why.UNAVAILABLE, "the description names a URL without https") from None
        if urlsplit(self.issuer).scheme == "https" and any(each.startswith("http:") for each in urls):
            raise SignInRefused(Why.UNAVAILABLE, "the description names a URL without https")
        return found

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, bytes]:
        body = bytearray()
        try:
            async with asyncio.timeout(self._patience), self._client.stream(method, url, **more) as answer:
                self.date = _read_date(answer.headers.get("date", ""))
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_SIZE:
                        raise SignInRefused(Why.UNAVAILABLE, "the answer is too long")
                return answer.status_code, bytes(body)
        except (TimeoutError, httpx.TimeoutException):
            raise SignInRefused(Why.UNAVAILABLE, "timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise SignInRefused(Why.UNAVAILABLE, type(error).__name__) from None


def _read_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


class _TokenError(msgspec.Struct):
    error: str = ""


_TOKEN_ERRORS: Final = frozenset(  # RFC 6749 section 5.2
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
    | {"invalid_scope"}
)


def _error_of(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body, type=_TokenError).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "no error of RFC 6749"
    return error if error in _TOKEN_ERRORS else "no error of RFC 6749"
