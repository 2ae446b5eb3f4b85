"""Serves the ends of sessions, and what keeps one: under an own address beside /v1, since they are
of the page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from b2bua.access.cookies import set_cookie
from b2bua.access.sessions import Sessions, session_of
from b2bua.api.schema import problem_answers


def sign_out_routes(sessions: Sessions | None) -> APIRouter:
    """Ways out. `sessions`: None where none are kept."""
    router = APIRouter(tags=["sign-in"])

    @router.post(
        "/sign-out",
        operation_id="sign_out",
        summary="End this session",
        status_code=204,
        responses=problem_answers(401, 403),
    )
    async def sign_out(request: Request) -> Response:
        """Ends the session that the request came with, and takes its cookie away. A token stays as
        valid as it was."""
        principal = request.state.principal
        if sessions is not None and session_of(principal):
            await sessions.end(principal)
        return _without_cookie(request)

    @router.post(
        "/sign-out-everywhere",
        operation_id="sign_out_everywhere",
        summary="End all one's sessions",
        status_code=204,
        responses=problem_answers(401, 403),
    )
    async def sign_out_everywhere(request: Request) -> Response:
        """Ends all sessions of whoever asks, on whichever machine. Tokens stay as valid as they
        were."""
        if sessions is not None:
            await sessions.end_all(request.state.principal.name)
        return _without_cookie(request)

    @router.post(
        "/v1/me/active",
        operation_id="stay_signed_in",
        summary="Say that somebody is there",
        status_code=204,
        responses=problem_answers(401, 403),
    )
    async def stay_signed_in() -> Response:
        """Keeps a session, as each request does that changes something: the page sends it while
        somebody uses it."""
        return Response(status_code=204)

    return router


def _without_cookie(request: Request) -> Response:
    return Response(status_code=204, headers={"Set-Cookie": set_cookie(request.scope, "")})
