"""Gives a company's server tokens for forms that are embedded in its own pages.

Rule 1: who asked for a token, and for whom, is in the audit log, under the id that each request
        with that token has there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, ConfigDict
from pydantic import Field as Described

from b2bua.access.embed_tokens import LONGEST, SHORTEST, CreatorOver, EmbedTokens, TooManyTokens
from b2bua.api.answer_views import EmbedTokenView
from b2bua.api.bodies import Body, harmless
from b2bua.api.problems import problem
from b2bua.api.schema import problem_answers
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.call.prepared_desk import Desk
from tonewall.log import get_logger

log = get_logger(__name__)
_OFF: Final = "No page may embed the form: set [api] origins or frame_ancestors first."
_FULL: Final = "Too many tokens of embedded forms are valid now."
_OVER: Final = "Your own token ends now. Get a new one first."
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


def _agent(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("must be the name of an agent: letters, digits and ._@-, at most 64")
    return harmless(name)


class EmbedTokenBody(Body):
    """For whom a token is, for which call and for how long."""

    model_config = ConfigDict(
        title="EmbedTokenRequest",
        json_schema_extra={"examples": [{"agent": "ann", "call": "caller:+49301234567"}]},
    )

    agent: Annotated[
        str,
        Described(min_length=1, max_length=64, description="The agent's name, as in `[api] extensions`."),
        AfterValidator(_agent),
    ]
    call: Annotated[
        str,
        Described(
            max_length=256,
            description="The only call that the token is for, named as in the paths of calls. Empty: the "
            "agent's own calls.",
        ),
    ] = ""
    expires_in: Annotated[
        int, Described(ge=SHORTEST, le=LONGEST, description="Seconds until the token ends.")
    ] = LONGEST


def embed_routes(desk: Desk, tokens: EmbedTokens | None, embeds: bool, audit: Recorder | None) -> APIRouter:
    """`POST /v1/embed-tokens`. `embeds`: whether any page may embed the form."""
    router = APIRouter(tags=["embedding"])

    @router.post(
        "/v1/embed-tokens",
        operation_id="create_embed_token",
        summary="Get a token for an embedded form",
        status_code=201,
        responses={201: {"description": "The token."}, **problem_answers(401, 403, 404, 409, 413, 422, 503)},
    )
    async def create_embed_token(request: Request, body: EmbedTokenBody) -> Response:
        """For the company's own server, which hands it to the page that its agent is signed in to.
        It takes payments as that agent, in one call or in those of the agent, and can do nothing
        else. It ends after `expires_in` seconds, with the token that asked for it, and with a
        restart."""
        if tokens is None or not embeds:
            return problem(409, _OFF)
        call = desk.find_call(body.call).id if body.call else ""
        creator = request.state.principal
        try:
            token, principal = tokens.issue(creator, body.agent, call, body.expires_in)
        except TooManyTokens:
            return problem(503, _FULL, {"Retry-After": "60"})
        except CreatorOver:
            return problem(409, _OVER)
        if audit is not None:
            source = request.client.host if request.client else ""
            details: dict[str, str | int] = {
                "agent": body.agent, "credential": principal.credential, "seconds": body.expires_in
            }  # fmt: skip
            entry = audit.entry(
                creator.name, "embed_token", Result.NOTED, source=source, call=call, details=details
            )
            try:
                await audit.write(entry)
            except NotWritten:
                if audit.required:  # nobody has the token, so it opens nothing
                    return problem(503, "The audit log cannot be written, so there is no token.")
        log.info("embed_token", agent=creator.name, credential=principal.credential)
        ends = datetime.fromtimestamp(principal.expires_at or 0.0, UTC).isoformat(timespec="seconds")
        given = EmbedTokenView(
            token=token, id=principal.credential, agent=body.agent, call=call, expires_at=ends
        )
        return Response(msgspec.json.encode(given), 201, media_type="application/json")

    return router
