"""Takes the identity provider's word that somebody has left, and ends their sessions (OpenID
Connect Back-Channel Logout 1.0 section 2.5).

Rule 1: it is asked without a credential: nothing but the token's signature counts. Answers have
        nothing of it; refusals fill no log.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from b2bua.access.oidc.client import SignIn
from b2bua.access.oidc.id_token import BadToken
from b2bua.access.oidc.refused import SignInRefused
from b2bua.access.sessions import Sessions
from b2bua.api.begin_session import source_of
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from tonewall.log import get_logger

log = get_logger(__name__)
_FORM: Final = "application/x-www-form-urlencoded"


class LogoutPage:
    """The address that the provider sends logout tokens to."""

    def __init__(self, sign_in: SignIn, sessions: Sessions, audit: Recorder | None) -> None:
        self._sign_in, self._sessions, self._audit = sign_in, sessions, audit
        self._refused = 0

    async def take(self, request: Request) -> Response:
        """End the sessions of who has left: 200, also where there were none; else 400."""
        source = source_of(request)
        try:
            ended, jti = await self._sign_in.log_out(await _token(request))
        except (BadToken, SignInRefused) as error:
            self._note_refusal(source, str(error))
            return _refusal("The logout token cannot be used.")
        try:
            names = await self._sessions.end_where(ended.includes)
        except (OSError, sqlite3.Error) as error:
            self._sign_in.logouts.release(jti)
            log.error("sessions_not_ended", why=type(error).__name__, hint="see [access] directory")
            return _refusal("The sessions could not be ended; send it again.")
        for name, count in Counter(names).items():
            await self._note(name, count, source)
        return Response()

    async def _note(self, name: str, count: int, source: str) -> None:
        log.info("signed_out", agent=name, peer=source, method="oidc", count=count)
        if self._audit is not None:
            details: dict[str, str | int] = {"method": "oidc", "sessions": count}
            entry = self._audit.entry(name, "signed_out", Result.NOTED, source=source, details=details)
            with suppress(NotWritten):  # who has left is out, whatever the disk does
                await self._audit.write(entry)

    def _note_refusal(self, source: str, why: str) -> None:
        self._refused += 1
        if not self._refused & (self._refused - 1):  # 1, 2, 4, 8 …
            log.warning("logout_refused", peer=source, method="oidc", why=why, count=self._refused)


async def _token(request: Request) -> str:
    """What the form holds. Raises BadToken."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise BadToken("form")
    try:
        [token] = parse_qs((await request.body()).decode("ascii"), max_num_fields=10)["logout_token"]
    except (ValueError, KeyError):
        raise BadToken("form") from None
    return token


def _refusal(text: str) -> Response:
    return JSONResponse({"error": "invalid_request", "error_description": text}, 400)
