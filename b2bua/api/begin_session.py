"""Begins a session of whoever was just authenticated: noted first, then opened."""

from __future__ import annotations

import sqlite3
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from b2bua.access.cookies import set_cookie
from b2bua.access.principal import Principal
from b2bua.access.sessions import Sessions
from b2bua.api.problems import problem
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from tonewall.log import get_logger

log = get_logger(__name__)
_NOT_KEPT: Final = "The file of people and sessions cannot be used now."


class NotBegun(Exception):
    """No session was begun. `is_noted`: the audit log has it, so it is the file of sessions that
    cannot be used."""

    def __init__(self, is_noted: bool) -> None:
        super().__init__()
        self.is_noted = is_noted

    def problem(self) -> Response:
        """The answer to a program."""
        if self.is_noted:
            return problem(503, _NOT_KEPT, {"Retry-After": "5"})
        return problem(503, "The audit log cannot be written, so nobody can sign in.")


async def begin_session(
    request: Request, sessions: Sessions, audit: Recorder | None, principal: Principal
) -> str:
    """The Set-Cookie header of the session. Raises NotBegun where it cannot be noted or kept."""
    source = source_of(request)
    if audit is not None:
        details: dict[str, str | int] = {
            "method": principal.method,
            "roles": "+".join(sorted(principal.roles)),
            "credential": principal.credential,
        }
        entry = audit.entry(principal.name, "sign_in", Result.NOTED, source=source, details=details)
        try:
            await audit.write(entry)
        except NotWritten:
            if audit.required:
                raise NotBegun(is_noted=False) from None
    try:
        cookie = await sessions.open(principal, source)
    except (OSError, sqlite3.Error) as error:
        _log_unusable(error)
        raise NotBegun(is_noted=True) from None
    log.info("signed_in", agent=principal.name, peer=source, method=principal.method)
    return set_cookie(request.scope, cookie)


def cannot_be_kept(error: Exception) -> Response:
    """The answer where the file of people and sessions cannot be used."""
    _log_unusable(error)
    return NotBegun(is_noted=True).problem()


def source_of(request: Request) -> str:
    """The address that a request came from."""
    return request.client.host if request.client else ""


def _log_unusable(error: Exception) -> None:
    log.error("sign_in_failed", why=type(error).__name__, hint="see [access] directory")
