"""Serves the sign-in of people: by name and password, and which ways there are."""

from __future__ import annotations

import math
import sqlite3
from contextlib import suppress
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from b2bua.access.cookies import is_from_own_page, set_cookie
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import Attempt, MustWait, NeedsApp, NeedsChange, Refused, SignIn
from b2bua.access.users import METHOD
from b2bua.api.begin_session import NotBegun, begin_session, cannot_be_kept, source_of
from b2bua.api.problems import problem
from b2bua.api.schema import problem_answers
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder

NEEDS_CHANGE: Final = "urn:tonewall:password-must-change"
_WRONG: Final = "The name, the password or the code is wrong."
_NEEDS_APP: Final = (
    "Your role needs an authenticator app, and you have none here. Ask your administrator for one "
    "(tonewall user totp)."
)
_NOBODY: Final = "Nobody has a password here."
_ELSEWHERE: Final = "Sign-in is for the page of this address; programs have tokens."


class SignInBody(BaseModel):
    """What somebody types."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"name": "ann", "password": "correct horse battery staple"}]},
    )

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256, description="Their password.")
    code: str = Field("", max_length=16, description="Six digits of an authenticator app.")
    new_password: str = Field(
        "", max_length=256, description="A password of their own, where they must choose one."
    )


class PasswordBody(BaseModel):
    """A change of one's password."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"password": "correct horse battery staple", "new_password": "another long sentence"}
            ]
        },
    )

    password: str = Field(min_length=1, max_length=256, description="The one that is so far.")
    new_password: str = Field(min_length=1, max_length=256)


def sign_in_routes(
    sign_in: SignIn | None, sessions: Sessions | None, audit: Recorder | None, oidc_start: str = ""
) -> APIRouter:
    """Ways in. `sign_in` and `sessions`: None where nobody has a password here; `oidc_start`: where
    a sign-in at the company's identity provider begins; empty: nowhere."""
    router = APIRouter(tags=["sign-in"])

    @router.get("/sign-in", operation_id="describe_sign_in", summary="Which ways to sign in there are")
    async def describe_sign_in() -> dict[str, Any]:
        """`token`: always; `password`: people have names and passwords here; `oidc`: the address
        at which a sign-in at the company's identity provider begins, or null."""
        offered = sign_in is not None and sign_in.is_offered()
        return {"token": True, "password": offered, "oidc": oidc_start or None}

    @router.post(
        "/sign-in",
        operation_id="sign_in",
        summary="Sign in by name and password",
        responses=problem_answers(401, 403, 404, 409, 413, 422, 429, 503),
    )
    async def post_sign_in(request: Request, body: SignInBody) -> Response:
        """Answers with a session's cookie. 401: name, password or code is wrong; 409, with the type
        `urn:tonewall:password-must-change`: all is right, but `new_password` is needed; 429: there
        were too many wrong tries, or too many at once; `Retry-After` says how long to wait."""
        if not is_from_own_page(request.scope):
            return problem(403, _ELSEWHERE)
        if sign_in is None or sessions is None:
            return problem(404, _NOBODY)
        source = source_of(request)
        attempt = Attempt(body.name, body.password, body.code.replace(" ", ""), body.new_password)
        try:
            user = await sign_in.check(attempt, source)
        except NeedsApp:
            return problem(409, _NEEDS_APP)
        except (Refused, MustWait, NeedsChange) as error:
            await _note_refusals(sign_in, audit)
            return _refusal(error)
        except (OSError, sqlite3.Error) as error:
            return cannot_be_kept(error)
        try:
            cookie = await begin_session(request, sessions, audit, user.principal)
        except NotBegun as error:
            return error.problem()
        if not sign_in.is_unchanged(user):
            await sessions.end_all(user.name)
            return problem(401, _WRONG)
        return JSONResponse({"agent": user.name, "roles": sorted(user.roles)}, headers={"Set-Cookie": cookie})

    @router.post(
        "/v1/me/password",
        operation_id="change_password",
        summary="Change one's password",
        status_code=204,
        responses=problem_answers(401, 403, 404, 409, 413, 422, 429, 503),
    )
    async def change_password(request: Request, body: PasswordBody) -> Response:
        """Ends all one's sessions, this one too: sign in again. For who has signed in by a
        password; 409: the new one will not do."""
        principal = request.state.principal
        if sign_in is None or principal.method != METHOD:
            return problem(404, _NOBODY)
        try:
            await sign_in.change_password(
                principal.name, body.password, body.new_password, source_of(request)
            )
        except (Refused, MustWait, NeedsChange) as error:
            await _note_refusals(sign_in, audit)
            # Not 401: it is the password that is wrong, not the session.
            return (
                problem(409, "The password so far is wrong.")
                if isinstance(error, Refused)
                else _refusal(error)
            )
        except (OSError, sqlite3.Error) as error:
            return cannot_be_kept(error)
        return Response(status_code=204, headers={"Set-Cookie": set_cookie(request.scope, "")})

    return router


def _refusal(error: Refused | MustWait | NeedsChange) -> Response:
    if isinstance(error, MustWait):
        return problem(429, str(error), {"Retry-After": str(math.ceil(error.seconds))})
    if isinstance(error, NeedsChange):
        return problem(409, str(error), more={"type": NEEDS_CHANGE})
    return problem(401, _WRONG)


async def _note_refusals(sign_in: SignIn, audit: Recorder | None) -> None:
    """What was refused, where the audit log is due a line of it."""
    for name, source, count in sign_in.alarm.take_notes():
        if audit is None:
            continue
        entry = audit.entry(name, "sign_in_refused", Result.NOTED, source=source, details={"count": count})
        with suppress(NotWritten):
            await audit.write(entry)
