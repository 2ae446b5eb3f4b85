"""Authenticates people and programs before anything under /v1 is read, by whoever knows
credentials of their kind.

Rule 1: without a valid credential nothing of a request under /v1 is parsed, not even whether its
        path exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from b2bua.access.bearer import credentials
from b2bua.access.cookies import SAFE, is_from_own_page
from b2bua.access.principal import EMBED, Authenticator, Principal
from b2bua.access.sessions import session_of
from b2bua.access.teams import Teams
from b2bua.api.problems import problem
from b2bua.api.refusals import Refusals
from tonewall.log import get_logger

log = get_logger(__name__)

_ELSEWHERE = "This was not sent by a page of this address, so your sign-in does not count for it."
_TOO_MANY = {"Retry-After": "10", "Connection": "close"}


class Authenticate:
    """ASGI middleware: 401 under /v1, for /metrics and the `guarded` paths without a valid
    credential; else `request.state` has `principal`, their name as `agent`, and `holds`, which says
    whether the credential still is valid. Wrong ones are answered later and later, and 429 where
    many wait (refusals.py)."""

    def __init__(
        self,
        app: ASGIApp,
        authenticators: Sequence[Authenticator],
        guarded: frozenset[str] = frozenset(),
        teams: Teams | None = None,
    ) -> None:
        """`authenticators`: asked in this order; `teams`: told of who was authenticated."""
        self._app = app
        self._authenticators = tuple(authenticators)
        self._teams = teams or Teams()
        self._guarded = guarded | {"/v1", "/metrics", "/sign-out", "/sign-out-everywhere"}
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] in self._guarded or scope["path"].startswith("/v1/")):
            principal = await self._authenticate(scope)
            if principal is None:
                scheme, _ = credentials(scope)
                await (await self._refuse_token(scope, scheme))(scope, receive, send)
                return
            if session_of(principal) and scope["method"] not in SAFE and not is_from_own_page(scope):
                await problem(403, _ELSEWHERE)(scope, receive, send)
                return
            if principal.method != EMBED:  # which says nothing of the agent's teams
                self._teams.learn(principal)
            state = scope.setdefault("state", {})
            state["agent"], state["principal"] = principal.name, principal
            state["holds"] = lambda: all(each.holds(principal) for each in self._authenticators)
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> Principal | None:
        for each in self._authenticators:
            found = await each.authenticate(scope)
            if found is not None:
                return found
        return None

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
