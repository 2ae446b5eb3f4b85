"""Serves the way in through the identity provider: /sign-in/oidc, where it sends browsers back to,
and the way out.

Rule 1: whatever comes back, the answer is a page in our words; nothing of the request or of the
        provider is in it.
Rule 2: who is signed in, and who is not, is in the audit log: before a session opens, and where
        the log is required, not without it. Refusals of one address are noted at each doubling.
Rule 3: a sign-in is bound to its browser by a cookie that no script reads and that ends with it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from b2bua.access.oidc.client import SignIn
from b2bua.access.oidc.pending import LIFE, browser_secret
from b2bua.access.oidc.refused import SignInRefused, Why
from b2bua.access.sessions import Sessions
from b2bua.api.begin_session import NotBegun, begin_session, source_of
from b2bua.api.oidc_logout import LogoutPage
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.config.page_messages import Messages, preferred_language, shipped_messages
from tonewall.log import get_logger

log = get_logger(__name__)
PATH: Final = "/sign-in/oidc"
_COOKIE: Final = "tonewall_sign_in"
_MAX_QUERY: Final = 8192
_NOTED: Final = 1000  # addresses and reasons that are counted
_STATUS: Final[Mapping[Why, int]] = {
    Why.NOT_BEGUN: 400,
    Why.MIXED_UP: 400,
    Why.DENIED: 403,
    Why.PROVIDER: 502,
    Why.UNAVAILABLE: 503,
    Why.CODE: 403,
    Why.TOKEN: 403,
    Why.NO_NAME: 403,
    Why.NO_ROLE: 403,
}


class OidcPages:
    """The pages. `contact`: whom people ask who have no role; `messages`: their sentences by
    language, ours where None."""

    def __init__(
        self,
        sign_in: SignIn,
        sessions: Sessions,
        audit: Recorder | None,
        contact: str,
        messages: Mapping[str, Messages] | None = None,
    ) -> None:
        self._messages = messages or shipped_messages()
        self._sign_in, self._sessions, self._audit, self._contact = sign_in, sessions, audit, contact
        self._refusals: dict[tuple[str, str], int] = {}
        self.logout = LogoutPage(sign_in, sessions, audit)

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider."""
        browser = browser_secret(request.cookies.get(self._cookie, ""))
        try:
            url = await self._sign_in.begin(browser, source_of(request))
        except SignInRefused as error:
            return await self._refuse(request, error)
        answer = RedirectResponse(url, 303)
        answer.set_cookie(
            self._cookie, browser, max_age=int(LIFE), path="/", httponly=True, samesite="lax",
            secure=self._sign_in.account.is_https,
        )  # fmt: skip
        return answer

    async def come_back(self, request: Request) -> Response:
        """Take what the provider sent the browser back with, and open a session."""
        mark = self._sign_in.logouts.mark()
        try:
            principal = await self._sign_in.finish(_answer(request), request.cookies.get(self._cookie, ""))
        except SignInRefused as error:
            return await self._refuse(request, error)
        try:
            cookie = await begin_session(request, self._sessions, self._audit, principal)
        except NotBegun as error:
            return self._page(request, 503, "no_session" if error.is_noted else "not_logged")
        if self._sign_in.logouts.ended_since(mark, principal):
            await self._sessions.end_all(principal.name)
            return await self._refuse(request, SignInRefused(Why.NOT_BEGUN, "logout", principal.name))
        return RedirectResponse("/", 303, {"Set-Cookie": cookie})

    async def leave(self, _request: Request) -> Response:
        """Send the browser to where the provider signs it out; our session has ended before."""
        return RedirectResponse(await self._sign_in.leave(), 303)

    @property
    def _cookie(self) -> str:
        return f"__Host-{_COOKIE}" if self._sign_in.account.is_https else _COOKIE

    async def _refuse(self, request: Request, error: SignInRefused) -> Response:
        source = source_of(request)
        key = (source, error.why)
        count = self._refusals.pop(key, 0) + 1
        self._refusals[key] = count
        if len(self._refusals) > _NOTED:
            del self._refusals[next(iter(self._refusals))]
        if not count & (count - 1):  # 1, 2, 4, 8 …
            log.warning(
                "sign_in_refused", peer=source, method="oidc", reason=error.why, why=error.detail,
                count=count,
            )  # fmt: skip
            if self._audit is not None:
                entry = self._audit.entry(
                    error.name, "sign_in_refused", Result.NOTED, source=source,
                    details={"method": "oidc", "why": error.why, "count": count},
                )  # fmt: skip
                with suppress(NotWritten):
                    await self._audit.write(entry)
        return self._page(request, _STATUS[error.why], error.why)

    def _page(self, request: Request, status: int, name: str) -> Response:
        language = preferred_language(request.headers.get("accept-language", ""))
        messages = self._messages[language]
        text = str(messages[f"refused.{name}"]).replace("{contact}", self._contact)
        title, again, back = (
            html.escape(str(messages[f"refused.{each}"])) for each in ("title", "again", "back")
        )
        page = (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n  <meta charset="utf-8">\n'
            '  <meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '  <meta name="color-scheme" content="light dark">\n'
            f"  <title>{title} - Tonewall</title>\n"
            '  <link rel="icon" href="/icon.svg" type="image/svg+xml">\n'
            '  <link rel="stylesheet" href="/style.css">\n</head>\n<body>\n  <main>\n'
            f"    <h1>{title}</h1>\n    <p>{html.escape(text)}</p>\n"
            f'    <p><a href="{PATH}">{again}</a></p>\n'
            f'    <p><a href="/">{back}</a></p>\n  </main>\n</body>\n</html>\n'
        )
        headers = {"Retry-After": "10"} if status == 503 else None
        return HTMLResponse(page, status, headers)


def add_oidc(app: FastAPI, pages: OidcPages) -> None:
    """Serve them. They are pages, not operations: nobody has a name before."""
    app.add_route(f"{PATH}/logout", pages.logout.take, methods=["POST"], include_in_schema=False)
    for path, page in (
        (PATH, pages.start),
        (f"{PATH}/callback", pages.come_back),
        (f"{PATH}/sign-out", pages.leave),
    ):
        app.add_route(path, page, methods=["GET"], include_in_schema=False)


def _answer(request: Request) -> dict[str, str]:
    """What the provider sent. Raises SignInRefused for what is given twice (RFC 6749 section
    3.1)."""
    if len(request.url.query) > _MAX_QUERY:
        raise SignInRefused(Why.NOT_BEGUN, "too long")
    given = request.query_params.multi_items()
    found = dict(given)
    if len(found) < len(given):
        raise SignInRefused(Why.NOT_BEGUN, "given twice")
    return found
