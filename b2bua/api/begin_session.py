"""Begins a session of whoever was just authenticated: noted first, then opened."""

from __future__ import annotations

import sqlite3

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


async def begin_session(
    request: Request, sessions: Sessions, audit: Recorder | None, principal: Principal
) -> str | Response:
    """The Set-Cookie header of the session; a refusal, where it cannot be noted or kept."""
    source = source_of(request)
    if audit is not None:
        details: dict[str, str | int] = {
            "method": principal.method,
            "roles": "+".join(sorted(principal.roles)),
        }
        entry = audit.entry(principal.name, "sign_in", Result.NOTED, source=source, details=details)
        try:
            await audit.write(entry)
        except NotWritten:
            if audit.required:
                return problem(503, "The audit log cannot be written, so nobody can sign in.")
    try:
        cookie = await sessions.open(principal, source)
    except (OSError, sqlite3.Error) as error:
        return cannot_be_kept(error)
    log.info("signed_in", agent=principal.name, peer=source, method=principal.method)
    return set_cookie(request.scope, cookie)


def cannot_be_kept(error: Exception) -> Response:
    """The answer where the file of people and sessions cannot be used."""
    log.error("sign_in_failed", why=type(error).__name__, hint="see [access] directory")
    return problem(503, "The file of people and sessions cannot be used now.", {"Retry-After": "5"})


def source_of(request: Request) -> str:
    """The address that a request came from."""
    return request.client.host if request.client else ""
