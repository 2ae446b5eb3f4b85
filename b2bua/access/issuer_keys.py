"""Fetches the keys that an identity provider signs its tokens with (JWKS, RFC 7517).

Rule 1: where they are is said by the provider's own description, whose `issuer` must be the one
        that was asked; HTTPS, no redirect, 256 KiB at most.
Rule 2: a key id that is not known has them fetched anew, once in MIN_INTERVAL seconds at most,
        whatever strangers present. A request that needs no new key never waits for the provider.
Rule 3: while the provider does not answer, the keys before are good for MAX_AGE seconds.
Rule 4: public keys of signatures alone are taken: a shared secret among them would let any reader
        of the list sign.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from b2bua.notify.address import check_url
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
MAX_AGE: Final = 86_400.0
MIN_INTERVAL: Final = 30.0
_FRESH: Final = 600.0  # seconds after which they are fetched anew, beside requests
_TIMEOUT: Final = 5.0  # seconds
_MAX_SIZE: Final = 262_144
_DESCRIPTIONS: Final = ("openid-configuration", "oauth-authorization-server")


class NoKeys(Exception):
    """The provider's keys could not be had; `str(error)` says why, in words of ours."""


class IssuerKeys:
    """The keys of one issuer. `url`: of the list, "" where the issuer's description says it;
    `now`: seconds that never run backwards."""

    def __init__(
        self,
        issuer: str,
        url: str = "",
        trust: ssl.SSLContext | bool = True,
        now: Callable[[], float] = time.monotonic,
        min_interval: float = MIN_INTERVAL,
        hint: str = "[oauth] issuer, jwks_url, ca_file",
    ) -> None:
        """`hint`: the settings to look at where they cannot be had."""
        self._issuer, self._url, self._trust = issuer, url, trust
        self._now, self._min_interval, self._hint = now, min_interval, hint
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._under_way: asyncio.Task[None] | None = None
        self._tasks = BackgroundTasks()

    async def find(self, kid: str | None) -> KeySet | None:
        """The keys that may have made a signature with this key id; None where there is none."""
        found = self._of(kid)
        if self._now() - self._fetched_at > (_FRESH if found else 0.0):
            fetching = self._fetch_soon()
            if fetching is not None and found is None:
                await asyncio.shield(fetching)
                found = self._of(kid)
        return found

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.cancel()

    def _of(self, kid: str | None) -> KeySet | None:
        if self._keys is None or self._now() - self._fetched_at > MAX_AGE:
            return None
        keys = [key for key in self._keys if kid is None or key.kid == kid]
        return KeySet(keys) if keys else None

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or begins; None where the last one is too short ago."""
        if self._under_way is not None and not self._under_way.done():
            return self._under_way
        if self._now() - self._tried_at < self._min_interval:
            return None
        self._tried_at = self._now()
        self._under_way = self._tasks.start(self._fetch(), "keys of the identity provider")
        return self._under_way

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT * 2):
                async with httpx.AsyncClient(
                    verify=self._trust, timeout=_TIMEOUT, trust_env=False, follow_redirects=False
                ) as client:
                    url = self._url or await self._discover(client)
                    self._keys = _signing_keys(await _get_json(client, url))
        except (NoKeys, httpx.HTTPError, OSError, TimeoutError) as error:
            why = str(error) if isinstance(error, NoKeys) else type(error).__name__
            log.error("issuer_keys_not_fetched", why=why, hint=self._hint)
            return
        self._fetched_at = self._now()

    async def _discover(self, client: httpx.AsyncClient) -> str:
        """Where the keys are (RFC 8414 section 3, OpenID Connect Discovery section 4)."""
        parts = urlsplit(self._issuer)
        path = parts.path.rstrip("/")
        root = f"{parts.scheme}://{parts.netloc}"
        places = [f"{root}{path}/.well-known/{_DESCRIPTIONS[0]}"]
        places += [f"{root}/.well-known/{name}{path}" for name in _DESCRIPTIONS]
        for place in dict.fromkeys(places):
            try:
                document = await _get_json(client, place)
            except NoKeys:
                continue
            if document.get("issuer") != self._issuer:
                raise NoKeys("the description is that of another issuer")
            try:
                return check_url(str(document.get("jwks_uri", "")))
            except ValueError:
                raise NoKeys("the description names no https URL of keys") from None
        raise NoKeys("the issuer has no description; see [oauth] jwks_url")


async def _get_json(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise NoKeys(f"status {answer.status_code}")
        content = bytearray()
        async for chunk in answer.aiter_bytes():
            content += chunk
            if len(content) > _MAX_SIZE:
                raise NoKeys("the answer is too long")
    try:
        document = httpx.Response(200, content=bytes(content)).json()
    except ValueError:
        raise NoKeys("the answer is no JSON") from None
    if not isinstance(document, dict):
        raise NoKeys("the answer is no JSON object")
    return document


def _signing_keys(document: dict[str, Any]) -> KeySet:
    listed = document.get("keys")
    keys: list[Any] = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        kind: Any = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}.get(str(each.get("kty")))
        if kind is None or "d" in each:
            continue
        try:
            keys.append(kind.import_key(each))
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # one that we cannot use is none
    if not keys:
        raise NoKeys("there is no key of signatures among them")
    return KeySet(keys)
