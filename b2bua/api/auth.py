"""Authenticates agents by bearer token (RFC 6750), before anything under /v1 is read.

Rule 1: only the SHA-256 of a token is kept; no repr, log or error shows a token or its hash.
Rule 2: every known token is compared, in constant time, whether or not an earlier one matched.
Rule 3: without a valid token nothing of a request under /v1 is parsed, not even whether its path
        exists.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from typing import Final

from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from b2bua.api.problems import problem
from b2bua.api.refusals import Refusals
from tonewall.log import get_logger

log = get_logger(__name__)

MIN_TOKEN: Final = 16
_EXPECTED = (
    f"expected name:token, name2:token2 (a token has at least {MIN_TOKEN} characters), or name:sha256:hash"
)
_TOO_MANY = {"Retry-After": "10", "Connection": "close"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1, b64token
_HASH = re.compile(r"[0-9a-fA-F]{64}")


class Tokens:
    """The agents' tokens, by name."""

    __slots__ = ("_digests",)

    def __init__(self, digests: dict[str, bytes]) -> None:
        self._digests = dict(digests)

    @classmethod
    def parse(cls, text: str) -> Tokens:
        """Read `name:token, name2:sha256:hash`. Raises ValueError with what was expected, never
        with what was given."""
        digests: dict[str, bytes] = {}
        for number, entry in enumerate((part.strip() for part in text.split(",")), start=1):
            name, _, rest = entry.partition(":")
            kind, _, digest = rest.partition(":")
            if not _NAME.fullmatch(name) or name in digests:
                raise ValueError(f"token {number} has no name, or one that is taken; {_EXPECTED}")
            if kind == "sha256" and _HASH.fullmatch(digest):
                digests[name] = bytes.fromhex(digest)
            elif len(rest) >= MIN_TOKEN and _TOKEN.fullmatch(rest):
                digests[name] = hashlib.sha256(rest.encode()).digest()
            else:
                raise ValueError(f"token {number} is too short or has other characters than letters, digits "
                "and "
                                 f"._~+/-; {_EXPECTED}")  # fmt: skip
        return cls(digests)

    def agent_of(self, token: str) -> str | None:
        """The name of the agent who has this token, or None."""
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found: str | None = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(presented, digest):
                found = name
        return found

    def __len__(self) -> int:
        return len(self._digests)

    def __repr__(self) -> str:
        return f"<Tokens of {len(self)} agents>"


def first_clear_token(text: str) -> str:
    """The first token of this text (as `Tokens.parse` reads it) that is no hash, for our own
    commands; "" where all are hashes."""
    entries = (part.strip().partition(":")[2] for part in text.split(","))
    return next((token for token in entries if token and not token.startswith("sha256:")), "")


class RequireToken:
    """ASGI middleware: 401 under /v1, for /metrics and the `guarded` paths without a valid token;
    else the name goes to `request.state.agent`. Wrong tokens are answered later and later, and 429
    where many wait (refusals.py)."""

    def __init__(self, app: ASGIApp, tokens: Tokens, guarded: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._tokens = tokens
        self._guarded = guarded | {"/v1", "/metrics"}
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] in self._guarded or scope["path"].startswith("/v1/")):
            scheme, token = _credentials(scope)
            agent = self._tokens.agent_of(token) if scheme == "bearer" else None
            if agent is None:
                await (await self._refuse_token(scope, scheme))(scope, receive, send)
                return
            scope.setdefault("state", {})["agent"] = agent
        await self._app(scope, receive, send)

    async def _refuse_token(self, scope: Scope, scheme: str) -> Response:
        """The 401 or 429, after its delay."""
        peer = scope["client"][0] if scope.get("client") else ""
        if scheme:  # without credentials nothing was guessed
            wait = self._refusals.delay(peer, asyncio.get_running_loop().time())
            count = self._refusals.count_to_log(peer)
            if count is not None:
                log.warning("token_refused", peer=peer, method=scope["method"], count=count)
            if wait is None:
                return problem(429, "Too many wrong tokens came from your address.", _TOO_MANY)
            if wait:
                try:
                    await asyncio.sleep(wait)
                finally:
                    self._refusals.end_delay(peer)
        return problem(
            401,
            "This needs a valid token, as `Authorization: Bearer TOKEN`.",
            # RFC 6750 section 3.1: no error code where no credentials were given.
            {"WWW-Authenticate": 'Bearer realm="tonewall"' + (', error="invalid_token"' if scheme else "")},
        )


def _credentials(scope: Scope) -> tuple[str, str]:
    """Scheme (lower case) and credentials of the one Authorization header; empty where there is
    none, or several."""
    headers = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(headers) != 1:
        return "", ""
    scheme, _, token = headers[0].decode("latin-1").partition(" ")
    return scheme.lower(), token.strip()
